"""The console, sans-I/O: bytes and the time in, meaning and keystrokes out. No clock, no socket, no asyncio."""
