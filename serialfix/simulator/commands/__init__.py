"""The programs the VM can run, by name without ``.exe``."""

from serialfix.simulator.commands import (
    certutil,
    filters,
    gpupdate,
    icacls,
    identity,
    net,
    netsh,
    netstat,
    network,
    reg,
    sc,
    schtasks,
    shutdown,
    small,
    systeminfo,
    takeown,
    tasklist,
    wevtutil,
)
from serialfix.simulator.file_sets import decode, for_f, matching
from serialfix.simulator.programs import Program

__all__ = ["PROGRAMS", "decode", "for_f", "matching"]

PROGRAMS: dict[str, Program] = {
    "certutil": certutil.certutil,
    "chcp": small.chcp,
    "choice": small.choice,
    "find": filters.find,
    "findstr": filters.findstr,
    "gpupdate": gpupdate.gpupdate,
    "icacls": icacls.icacls,
    "hostname": identity.hostname,
    "ipconfig": network.ipconfig,
    "more": filters.more,
    "net": net.net,
    "net1": net.net,
    "netsh": netsh.netsh,
    "netstat": netstat.netstat,
    "ping": network.ping,
    "qwinsta": identity.qwinsta,
    "reg": reg.reg,
    "sc": sc.sc,
    "schtasks": schtasks.schtasks,
    "shutdown": shutdown.shutdown,
    "sort": filters.sort,
    "systeminfo": systeminfo.systeminfo,
    "takeown": takeown.takeown,
    "taskkill": tasklist.taskkill,
    "tasklist": tasklist.tasklist,
    "timeout": small.timeout,
    "wevtutil": wevtutil.wevtutil,
    "where": small.where,
    "whoami": identity.whoami,
}
