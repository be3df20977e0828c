"""``systeminfo``: the layout of the real systeminfo/09 (Server 2022), filled from the VM's state."""

from datetime import datetime

from serialfix.simulator.programs import Process, Sleep, Steps


def _date(when: datetime) -> str:
    return f"{when.month}/{when.day}/{when.year}, {when.hour % 12 or 12}:{when:%M:%S %p}"


def systeminfo(process: Process) -> Steps:
    """Run ``systeminfo``; it takes a few seconds."""
    vm = process.vm
    if process.to_console:
        process.out("Loading ...\r")
    yield Sleep(2.0)
    if process.to_console:
        process.out("           \r")
    own, _, gateway = vm.addresses
    patches = [f"KB50{(vm.seed * 7919 + n * 104729) % 90000 + 10000}" for n in range(3)]
    rows: list[tuple[str, list[str]]] = [
        ("Host Name", [vm.name.upper()]),
        ("OS Name", [f"Microsoft {vm.edition.product}"]),
        ("OS Version", [f"10.0.{vm.edition.build} N/A Build {vm.edition.build}"]),
        ("OS Manufacturer", ["Microsoft Corporation"]),
        ("OS Configuration", ["Standalone Server"]),
        ("OS Build Type", ["Multiprocessor Free"]),
        ("Registered Owner", ["N/A"]),
        ("Registered Organization", ["N/A"]),
        ("Product ID", ["00454-10000-00001-AA483"]),
        ("Original Install Date", [_date(vm.clock(vm.booted - 86400 * 60))]),
        ("System Boot Time", [_date(vm.clock(vm.booted))]),
        ("System Manufacturer", ["Microsoft Corporation"]),
        ("System Model", ["Virtual Machine"]),
        ("System Type", ["x64-based PC"]),
        (
            "Processor(s)",
            ["1 Processor(s) Installed.", "[01]: Intel64 Family 6 Model 106 Stepping 6 GenuineIntel ~2793 Mhz"],
        ),
        ("BIOS Version", ["Microsoft Corporation Hyper-V UEFI Release v4.1, 11/21/2024"]),
        ("Windows Directory", [r"C:\Windows"]),
        ("System Directory", [r"C:\Windows\system32"]),
        ("Boot Device", [r"\Device\HarddiskVolume3"]),
        ("System Locale", ["en-us;English (United States)"]),
        ("Input Locale", ["en-us;English (United States)"]),
        ("Time Zone", ["(UTC) Coordinated Universal Time"]),
        ("Total Physical Memory", ["8,191 MB"]),
        ("Available Physical Memory", ["5,905 MB"]),
        ("Virtual Memory: Max Size", ["9,471 MB"]),
        ("Virtual Memory: Available", ["7,343 MB"]),
        ("Virtual Memory: In Use", ["2,128 MB"]),
        ("Page File Location(s)", [r"D:\pagefile.sys"]),
        ("Domain", ["WORKGROUP"]),
        ("Logon Server", ["\\\\" + vm.name.upper()]),
        ("Hotfix(s)", [f"{len(patches)} Hotfix(s) Installed.", *(f"[{n:02d}]: {p}" for n, p in enumerate(patches, 1))]),
        (
            "Network Card(s)",
            [
                "1 NIC(s) Installed.",
                "[01]: Microsoft Hyper-V Network Adapter",
                "      Connection Name: Ethernet",
                "      DHCP Enabled:    Yes",
                "      DHCP Server:     168.63.129.16",
                "      IP address(es)",
                f"      [01]: {own}",
            ],
        ),
        (
            "Hyper-V Requirements",
            ["A hypervisor has been detected. Features required for Hyper-V will not be displayed."],
        ),
    ]
    del gateway
    process.line()
    for name, (first, *more) in rows:
        process.line(f"{name + ':':26} {first}")
        for each in more:
            process.line(" " * 27 + each)
    return 0
