r"""What a healthy Azure VM holds: registry, services, files and accounts, per Windows version.

The Terminal Server and service values are those of rdp-repair.md 10; the SCHANNEL root that of a real Server 2022
(reg-query/07 of the real outputs: EventLogging 1, sub key Ciphers); everything else is common knowledge.
"""

from dataclasses import dataclass
from random import Random
from uuid import UUID

from serialfix.simulator.filesystem import FileSystem
from serialfix.simulator.registry import REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ, Registry
from serialfix.simulator.services import ROOT as SERVICES

CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control"
TERMINAL_SERVER = CONTROL + r"\Terminal Server"
RDP_TCP = TERMINAL_SERVER + r"\WinStations\RDP-Tcp"
SCHANNEL = CONTROL + r"\SecurityProviders\SCHANNEL"
POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services"
CURRENT_VERSION = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"


@dataclass(frozen=True, slots=True)
class Windows:
    """One Windows version. ``tls``: what Schannel's server side offers by default (rdp-repair.md 2.5)."""

    year: str
    build: int
    revision: int
    release: str
    copyright: str
    engine: str
    tls: tuple[str, ...]

    @property
    def product(self) -> str:
        """The product's name."""
        return f"Windows Server {self.year} Datacenter"

    @property
    def version(self) -> str:
        """The version as ``ver`` prints it."""
        return (
            f"10.0.{self.build}" if self.build == 14393 and not self.revision else f"10.0.{self.build}.{self.revision}"
        )


_UNTIL_2019 = ("TLSv1", "TLSv1.1", "TLSv1.2")
WINDOWS = {
    each.year: each
    for each in (
        Windows(
            "2016", 14393, 0, "1607", "(c) 2016 Microsoft Corporation. All rights reserved.", "scrape", _UNTIL_2019
        ),
        Windows(
            "2019", 17763, 5936, "1809", "(c) 2018 Microsoft Corporation. All rights reserved.", "scrape", _UNTIL_2019
        ),
        Windows(
            "2022",
            20348,
            2527,
            "21H2",
            "(c) Microsoft Corporation. All rights reserved.",
            "stream",
            (*_UNTIL_2019, "TLSv1.3"),
        ),
        Windows(
            "2025",
            26100,
            1742,
            "24H2",
            "(c) Microsoft Corporation. All rights reserved.",
            "stream",
            ("TLSv1.2", "TLSv1.3"),
        ),
    )
}

_LOCAL, _NETWORK, _SYSTEM = r"NT AUTHORITY\LocalService", r"NT Authority\NetworkService", "LocalSystem"


def _host(group: str) -> str:
    return rf"%SystemRoot%\System32\svchost.exe -k {group}"


_LSASS = r"%SystemRoot%\system32\lsass.exe"
# name, display name, image, account, start, running, needs
_SERVICES: tuple[tuple[str, str, str, str, int, bool, tuple[str, ...]], ...] = (
    ("BFE", "Base Filtering Engine", _host("LocalServiceNoNetworkFirewall"), _LOCAL, 2, True, ("RpcSs",)),
    ("BITS", "Background Intelligent Transfer Service", _host("netsvcs"), _SYSTEM, 3, False, ("RpcSs",)),
    (
        "BrokerInfrastructure",
        "Background Tasks Infrastructure Service",
        _host("DcomLaunch"),
        _SYSTEM,
        2,
        True,
        ("RpcSs",),
    ),
    ("CertPropSvc", "Certificate Propagation", _host("netsvcs"), _SYSTEM, 3, True, ("RpcSs",)),
    ("CryptSvc", "Cryptographic Services", _host("NetworkService"), _NETWORK, 2, True, ("RpcSs",)),
    ("DcomLaunch", "DCOM Server Process Launcher", _host("DcomLaunch"), _SYSTEM, 2, True, ()),
    ("Dhcp", "DHCP Client", _host("LocalServiceNetworkRestricted"), _LOCAL, 2, True, ("NSI",)),
    ("Dnscache", "DNS Client", _host("NetworkService"), _NETWORK, 2, True, ("nsi",)),
    ("EventLog", "Windows Event Log", _host("LocalServiceNetworkRestricted"), _LOCAL, 2, True, ()),
    ("gpsvc", "Group Policy Client", _host("netsvcs"), _SYSTEM, 2, True, ("RPCSS",)),
    ("iphlpsvc", "IP Helper", _host("NetSvcs"), _SYSTEM, 2, True, ("RpcSS", "nsi")),
    ("KeyIso", "CNG Key Isolation", _LSASS, _SYSTEM, 3, True, ("RpcSs",)),
    ("LanmanServer", "Server", _host("netsvcs"), _SYSTEM, 2, True, ("SamSS",)),
    ("LanmanWorkstation", "Workstation", _host("NetworkService"), _NETWORK, 2, True, ("NSI",)),
    ("lmhosts", "TCP/IP NetBIOS Helper", _host("LocalServiceNetworkRestricted"), _LOCAL, 3, True, ()),
    ("LSM", "Local Session Manager", _host("DcomLaunch"), _SYSTEM, 2, True, ("RpcEptMapper", "DcomLaunch", "RpcSs")),
    ("mpssvc", "Windows Defender Firewall", _host("LocalServiceNoNetworkFirewall"), _LOCAL, 2, True, ("BFE",)),
    ("Netlogon", "Netlogon", _LSASS, _SYSTEM, 3, False, ("LanmanWorkstation",)),
    ("NlaSvc", "Network Location Awareness", _host("NetworkService"), _NETWORK, 2, True, ("NSI", "RpcSs", "Dhcp")),
    ("nsi", "Network Store Interface Service", _host("LocalService"), _LOCAL, 2, True, ("RpcSs",)),
    ("PlugPlay", "Plug and Play", _host("DcomLaunch"), _SYSTEM, 3, True, ()),
    ("Power", "Power", _host("DcomLaunch"), _SYSTEM, 2, True, ()),
    ("ProfSvc", "User Profile Service", _host("netsvcs"), _SYSTEM, 2, True, ("RpcSs",)),
    (
        "RdAgent",
        "RdAgent",
        r"C:\WindowsAzure\Packages\WaAppAgent.exe",
        _SYSTEM,
        2,
        True,
        (),
    ),
    ("RpcEptMapper", "RPC Endpoint Mapper", _host("RPCSS"), _NETWORK, 2, True, ()),
    ("RpcSs", "Remote Procedure Call (RPC)", _host("rpcss"), _NETWORK, 2, True, ("RpcEptMapper", "DcomLaunch")),
    ("sacsvr", "Special Administration Console Helper", _host("netsvcs"), _SYSTEM, 3, True, ()),
    ("SamSs", "Security Accounts Manager", _LSASS, _SYSTEM, 2, True, ("RPCSS",)),
    ("Schedule", "Task Scheduler", _host("netsvcs"), _SYSTEM, 2, True, ("RPCSS", "SystemEventsBroker")),
    ("SENS", "System Event Notification Service", _host("netsvcs"), _SYSTEM, 2, True, ()),
    (
        "SessionEnv",
        "Remote Desktop Configuration",
        _host("netsvcs"),
        "localSystem",
        3,
        True,
        ("RPCSS", "LanmanWorkstation"),
    ),
    ("Spooler", "Print Spooler", r"%SystemRoot%\System32\spoolsv.exe", _SYSTEM, 2, True, ("RPCSS",)),
    ("SystemEventsBroker", "System Events Broker", _host("DcomLaunch"), _SYSTEM, 2, True, ("RpcEptMapper", "RpcSs")),
    ("TermService", "Remote Desktop Services", _host("termsvcs"), _NETWORK, 3, True, ("RPCSS",)),
    (
        "UmRdpService",
        "Remote Desktop Services UserMode Port Redirector",
        _host("LocalSystemNetworkRestricted"),
        "localSystem",
        3,
        True,
        ("TermService",),
    ),
    ("vmicheartbeat", "Hyper-V Heartbeat Service", _host("ICService"), _SYSTEM, 3, True, ()),
    ("W32Time", "Windows Time", _host("LocalService"), _LOCAL, 2, True, ()),
    (
        "WindowsAzureGuestAgent",
        "Windows Azure Guest Agent",
        r"C:\WindowsAzure\Packages\GuestAgent\WindowsAzureGuestAgent.exe",
        _SYSTEM,
        2,
        True,
        (),
    ),
    (
        "WinHttpAutoProxySvc",
        "WinHTTP Web Proxy Auto-Discovery Service",
        _host("LocalService"),
        _LOCAL,
        3,
        True,
        ("Dhcp",),
    ),
    ("Winmgmt", "Windows Management Instrumentation", _host("netsvcs"), "localSystem", 2, True, ("RPCSS",)),
    ("WinRM", "Windows Remote Management (WS-Management)", _host("NetworkService"), _NETWORK, 2, True, ("RPCSS",)),
    ("wuauserv", "Windows Update", _host("netsvcs"), _SYSTEM, 3, False, ("rpcss",)),
)


def running_after_boot() -> list[str]:
    """Return the services that run on a healthy VM, in the order they were started."""
    first = ["RpcEptMapper", "DcomLaunch", "RpcSs", "SamSs"]
    return first + [row[0] for row in _SERVICES if row[5] and row[0] not in first]


def fill_registry(registry: Registry, windows: Windows, name: str, random: Random) -> None:
    """Write the registry of a healthy VM. The machine's GUID is drawn from ``random``."""
    word = REG_DWORD

    def put(path: str, **values: str | int) -> None:
        registry.create(path)
        for value, data in values.items():
            registry.set(path, value, REG_SZ if isinstance(data, str) else word, data)

    put(
        CURRENT_VERSION,
        SystemRoot=r"C:\Windows",
        BuildBranch="rs1_release" if windows.build == 14393 else "release",
        CurrentBuild=str(windows.build),
        CurrentBuildNumber=str(windows.build),
        CurrentVersion="6.3",
        CurrentMajorVersionNumber=10,
        CurrentMinorVersionNumber=0,
        EditionID="ServerDatacenter",
        InstallationType="Server",
        ProductName=windows.product,
        ReleaseId="2009" if windows.build >= 20348 else windows.release,
        UBR=windows.revision,
    )
    put(CURRENT_VERSION + r"\Winlogon", AutoRestartShell=1, CachedLogonsCount="10", Shell="explorer.exe")
    machine_guid = str(UUID(int=random.getrandbits(128), version=4))
    put(r"HKLM\SOFTWARE\Microsoft\Cryptography", MachineGuid=machine_guid)
    put(r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT")
    put(r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU", NoAutoUpdate=0, AUOptions=3)
    put(r"HKLM\SYSTEM\Select", Current=1, Default=1, Failed=0, LastKnownGood=1)
    for kind in ("ActiveComputerName", "ComputerName"):
        put(CONTROL + rf"\ComputerName\{kind}", ComputerName=name)
    put(CONTROL + r"\Lsa", LimitBlankPasswordUse=1, NoLmHash=1, disabledomaincreds=0, everyoneincludesanonymous=0)
    put(CONTROL + r"\Lsa\FipsAlgorithmPolicy", Enabled=0)
    put(CONTROL + r"\Session Manager\Environment", ComSpec=r"%SystemRoot%\system32\cmd.exe", OS="Windows_NT")
    put(CONTROL + r"\TimeZoneInformation", TimeZoneKeyName="UTC", Bias=0)
    put(
        TERMINAL_SERVER,
        AllowRemoteRPC=0,
        DelayConMgrTimeout=0,
        DeleteTempDirsOnExit=1,
        fDenyTSConnections=0,
        fSingleSessionPerUser=1,
        NotificationTimeOut=0,
        PerSessionTempDir=0,
        ProductVersion="5.1",
        SnapshotMonitors="1",
        StartRCM=0,
        TSUserEnabled=0,
        InstanceID=str(UUID(int=random.getrandbits(128), version=4)),
    )
    put(TERMINAL_SERVER + r"\WinStations", SelfSignedCertStore="Remote Desktop", ConsoleSecurity=0)
    put(
        RDP_TCP,
        AudioEnumeratorDll="rdpsnd.dll",
        Callback=0,
        CfgDll="RDPCFGEX.DLL",
        fEnableWinStation=1,
        fInheritReconnectSame=1,
        fReconnectSame=0,
        fLogonDisabled=0,
        fDisableAutoReconnect=0,
        fPromptForPassword=0,
        KeepAliveTimeout=1,
        LanAdapter=0,
        LoadableProtocol_Object="{5828227c-20cf-4408-b73f-73ab70b8849f}",
        MaxInstanceCount=0xFFFFFFFF,
        MinEncryptionLevel=2,
        PdDLL="tdtcp",
        PdName="tcp",
        PortNumber=3389,
        SecurityLayer=2,
        UserAuthentication=1,
        WdName="Microsoft RDP 8.0",
        WsxDLL="rdpwsx",
    )
    put(SCHANNEL, EventLogging=1)
    for sub in ("Ciphers", "CipherSuites", "Hashes", "KeyExchangeAlgorithms", "Protocols"):
        put(SCHANNEL + "\\" + sub)
    put(SCHANNEL + r"\Protocols\SSL 2.0\Client", DisabledByDefault=1)
    put(r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters", Hostname=name, EnableICMPRedirect=1)
    put(r"HKLM\HARDWARE\DESCRIPTION\System", Identifier="AT/AT COMPATIBLE")
    put(r"HKLM\SAM\SAM", C=1)
    put(r"HKLM\SECURITY", Policy=1)
    put(r"HKCU\Environment", Path=r"%USERPROFILE%\AppData\Local\Microsoft\WindowsApps")
    put(r"HKCU\SOFTWARE\Microsoft\Windows\CurrentVersion\Run")
    put(r"HKU\.DEFAULT\Environment")
    put(r"HKLM\SYSTEM\CurrentControlSet\Services\sacdrv", Type=1, Start=0, ErrorControl=1, Group="System Reserved")
    for service, display, image, account, start, _, needs in _SERVICES:
        path = f"{SERVICES}\\{service}"
        shared = "svchost" in image or "lsass" in image
        own_in_2016 = service == "TermService" and windows.build == 14393
        put(path, Type=0x20 if shared and not own_in_2016 else 0x10, Start=start, ErrorControl=1, DisplayName=display)
        registry.set(path, "ImagePath", REG_EXPAND_SZ, image + (" -s " + service if _splits(windows, image) else ""))
        registry.set(path, "ObjectName", REG_SZ, account)
        if needs:
            registry.set(path, "DependOnService", REG_MULTI_SZ, needs)
    registry.set(
        SERVICES + r"\TermService\Parameters", "ServiceDll", REG_EXPAND_SZ, r"%SystemRoot%\System32\termsrv.dll"
    )


def _splits(windows: Windows, image: str) -> bool:
    return windows.build >= 17763 and "svchost" in image and not any(g in image for g in ("Firewall", "rpcss", "RPCSS"))


_SYSTEM32 = """
    bcdedit certutil chcp choice cmd conhost find findstr fsutil gpupdate hostname icacls ipconfig more net net1 netsh
    netstat nltest ping qwinsta reg rundll32 sacsess sc schtasks setx shutdown sort svchost systeminfo takeown taskkill
    tasklist timeout w32tm wevtutil where whoami
"""
PROGRAMS = tuple(_SYSTEM32.split())


def fill_files(files: FileSystem, user: str, now: float) -> None:
    """Make the folders and files people look at."""
    for folder in (
        r"C:\Packages\Plugins",
        r"C:\PerfLogs",
        r"C:\Program Files\Common Files",
        r"C:\Program Files (x86)",
        r"C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys",
        rf"C:\Users\{user}\AppData\Local\Temp",
        r"C:\Users\Public",
        r"C:\Windows\System32\config",
        r"C:\Windows\System32\drivers\etc",
        r"C:\Windows\System32\Tasks",
        r"C:\Windows\System32\WindowsPowerShell\v1.0",
        r"C:\Windows\Temp",
        r"C:\WindowsAzure\Logs",
    ):
        files.make_folder(folder, now)
    for program in PROGRAMS:
        files.write(rf"C:\Windows\System32\{program}.exe", b"MZ" + program.encode(), now)
    files.write(r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe", b"MZpowershell", now)
    hosts = b"# Copyright (c) 1993-2009 Microsoft Corp.\r\n#\r\n# This is a sample HOSTS file.\r\n"
    files.write(r"C:\Windows\System32\drivers\etc\hosts", hosts, now)
