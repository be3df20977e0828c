"""The programs the VM can run, by name without ``.exe``."""

from serialfix.simulator.commands import (
    certutil,
    filters,
    identity,
    net,
    netstat,
    network,
    reg,
    sc,
    shutdown,
    small,
    systeminfo,
    tasklist,
    wevtutil,
)
from serialfix.simulator.file_sets import decode, for_f, matching
from serialfix.simulator.programs import Program

__all__ = ["PROGRAMS", "decode", "for_f", "matching"]

PROGRAMS: dict[str, Program] = {
    "certutil": certutil.certutil,
    "choice": small.choice,
    "find": filters.find,
    "findstr": filters.findstr,
    "hostname": identity.hostname,
    "ipconfig": network.ipconfig,
    "more": filters.more,
    "net": net.net,
    "net1": net.net,
    "netstat": netstat.netstat,
    "ping": network.ping,
    "qwinsta": identity.qwinsta,
    "reg": reg.reg,
    "sc": sc.sc,
    "shutdown": shutdown.shutdown,
    "sort": filters.sort,
    "systeminfo": systeminfo.systeminfo,
    "taskkill": tasklist.taskkill,
    "tasklist": tasklist.tasklist,
    "timeout": small.timeout,
    "wevtutil": wevtutil.wevtutil,
    "where": small.where,
    "whoami": identity.whoami,
}
