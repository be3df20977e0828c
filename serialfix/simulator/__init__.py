"""A Windows VM made of state, reached as the real one is: ARM, a serial gateway, an RDP port.

It is written from what is known of Windows and Azure, shares no code with the rest of serialfix in either
direction, and is started as a program (``serialfix simulate``).
"""
