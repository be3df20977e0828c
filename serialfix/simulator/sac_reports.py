"""What SAC's ``id``, ``i``, ``t`` and ``s`` print of the VM's state; the formats are windows-sac.md 1.5."""

from serialfix.simulator.vm import Vm


def machine_guid(vm: Vm) -> str:
    """Return the computer's GUID as SAC prints it."""
    digits = f"{(vm.seed * 0x9E3779B97F4A7C15 + 0x6A09E667F3BCC908) % 2**128:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def identity(vm: Vm) -> str:
    """Return ``id``'s text."""
    up = int(vm.now - vm.booted)
    return (
        f"           Computer Name: {vm.name.upper()}\n           Computer GUID: {machine_guid(vm)}\n"
        f"  Processor Architecture: AMD64\n          Version Number: 10.0\n"
        f"            Build Number: {vm.edition.build}\n"
        f"                 Product: {vm.edition.product}\n    Applied Service Pack: None\n"
        f"  Time since last reboot: {up // 3600}:{up // 60 % 60:02d}:{up % 60:02d}\n"
    )


def addresses(vm: Vm) -> str:
    """Return ``i``'s text."""
    own, mask, gateway = vm.addresses
    return (
        f"SAC is retrieving IP Addresses...\nNet: 4, Ip={own}  Subnet={mask}  Gateway={gateway}\n"
        f"Net: 4, Ip=fe80::{vm.seed % 65536:x}:1f2a:93c4:7d10\n"
    )


def clock(vm: Vm) -> str:
    """Return ``s``'s text."""
    now = vm.clock()
    return f"Date: {now:%m/%d/%Y}  Time (GMT): {now:%H:%M:%S}:{now.microsecond // 1000:04d}\n"


def _time(seconds: float) -> str:
    whole, thousandths = divmod(int(seconds * 1000), 1000)
    return f"{whole // 3600:3d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"


def processes(vm: Vm, *, detailed: bool) -> str:
    """Return ``t``'s text."""
    up = vm.now - vm.booted
    days, rest = divmod(int(up), 86400)
    clock = f"{rest // 3600:2d}:{rest // 60 % 60:02d}:{rest % 60:02d}.{int(up * 1000) % 1000:03d}"
    text = f"memory: {8388148:4d} kb  uptime:{days:3d} {clock} \n\nPageFile: \\??\\D:\\pagefile.sys\n"
    text += f"        Current Size: {1310720:6d} kb  Total Used: {10244:6d} kb   Peak Used {11200:6d} kb\n\n"
    rows = vm.running_programs()
    total = sum(row[4] for row in rows)
    text += f" Memory:8388148K Avail:6046720K  TotalWs:{total:7d}K InRam Kernel: 4432K P:120332K\n"
    text += f" Commit:{total * 2:7d}K/{total:7d}K Limit:9698868K Peak:{total * 3:7d}K  Pool N:98132K P:131204K\n\n"
    if detailed:
        for image, pid, _, _, size, _ in rows:
            text += f"pid:{pid:3x} pri:{8:2d} Hnd:{150 + pid % 400:5d} Pf:{pid * 7:7d} Ws:{size:7d}K {image}\n"
            text += " tid pri Ctx Swtch StrtAddr    User Time  Kernel Time  State\n"
            text += (
                f" {pid + 4:3x} {9:3d} {pid * 3:9d} 77A0{pid % 65536:04X} {_time(pid / 97)} {_time(pid / 61)} Waiting\n"
            )
        return text
    text += "    User Time   Kernel Time    Ws   Faults  Commit Pri Hnd Thd  Pid Name\n"
    text += f"                           {20480:6d} {91022:8d}                          File Cache\n"
    for image, pid, _, _, size, _ in rows:
        text += (
            f"{_time(pid / 97)} {_time(pid / 61)}{size:6d} {pid * 7:8d} {size // 2:7d} {8:2d} {150 + pid % 400:4d} "
            f"{4 + pid % 30:3d} {pid:4d} {image}\n"
        )
    return text
