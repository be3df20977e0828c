"""``serialfix parse KIND [FILE]``: what a pasted output says, as one JSON document or as lines for people.

The readers are in ``windows``; this module finds the encoding, calls the reader of the kind and shapes the document.
Every document has ``kind``, ``encoding`` and ``unread``, the lines that could not be read, each with the reason; what
the output does not say is null. Nothing is guessed and nothing is compared with a clock.

>>> pasted = b"  TCP    0.0.0.0:3389           0.0.0.0:0              LISTENING       416"
>>> document = parse_command("netstat", pasted)
>>> document["listeners"]  # doctest: +NORMALIZE_WHITESPACE
[{'protocol': 'tcp', 'address': '0.0.0.0', 'port': 3389, 'pid': 416, 'process': None, 'services': []}]
>>> document["rows"]
{'tcp': 1, 'udp': 0}
>>> lines(document)
['1 TCP row, 0 UDP rows; 1 listener:', '  tcp 0.0.0.0:3389  process 416']
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from serialfix.windows import (
    certificates,
    codepages,
    netstat,
    permissions,
    registry_paste,
    services_paste,
    tasklist,
)
from serialfix.windows.paste import Unread
from serialfix.windows.registry import Value

Document = dict[str, Any]

_MOST_UNREAD = 20


def parse_command(kind: str, data: bytes) -> Document:
    """Read ``data``, what a person pasted or redirected, as the output of ``kind`` (one of ``KINDS``).

    Returns a document of str, int, bool, None, lists and dicts only. Raises Unreadable where nothing of that kind is in
    it (the message says what was missing), and ValueError for a kind that does not exist.
    """
    if kind not in _READERS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    decoded = codepages.decode(data)
    facts, unread = _READERS[kind](decoded.text)
    return {
        "kind": kind,
        "encoding": decoded.encoding,
        **facts,
        "unread": [{"line": item.line, "text": item.text, "why": item.why} for item in unread],
    }


def lines(document: Document) -> list[str]:
    """The document for people; what could not be read comes last. The text is the VM's: show it escaped."""
    shown = list(_TELLERS[document["kind"]](document))
    unread = document["unread"]
    if document["encoding"].endswith("?"):
        shown.append("The encoding is not known for certain: names that are not English may be wrong.")
    if unread:
        shown.append(f"{_count(len(unread), 'line')} could not be read:")
        shown.extend(f"  line {item['line']}: {item['text']}  ({item['why']})" for item in unread[:_MOST_UNREAD])
        if len(unread) > _MOST_UNREAD:
            shown.append(f"  and {len(unread) - _MOST_UNREAD} more (--output json has all)")
    return shown


Facts = tuple[Document, Iterable[Unread]]


def _netstat(text: str) -> Facts:
    found = netstat.read_paste(text)
    tcp = sum(row.protocol == "tcp" for row in found.rows)
    return {
        "listeners": [_socket(row) for row in found.listeners],
        "udp": [_socket(row) for row in found.rows if row.protocol == "udp"],
        "rows": {"tcp": tcp, "udp": len(found.rows) - tcp},
    }, found.unread


def _socket(row: netstat.Socket) -> Document:
    return {
        "protocol": row.protocol,
        "address": row.address,
        "port": row.port,
        "pid": row.pid,
        "process": row.process,
        "services": list(row.services),
    }


def _tasklist(text: str) -> Facts:
    found = tasklist.read_paste(text)
    pids: dict[str, set[int]] = {}
    for process in found.processes:
        for service in process.services or ():
            pids.setdefault(service, set()).add(process.pid)
    return {
        "processes": [
            {
                "image": process.image,
                "pid": process.pid,
                "services": None if process.services is None else list(process.services),
            }
            for process in found.processes
        ],
        # A service has one process; where a paste shows two (taken twice, say), which of them is now is not known.
        "pid_of": {service: min(held) if len(held) == 1 else None for service, held in pids.items()},
    }, found.unread


def _certificates(text: str) -> Facts:
    found = certificates.read_paste(text)
    return {
        "store": found.store,
        "certs": [
            {
                "thumbprint": one.thumbprint,
                "subject": one.subject,
                "subject_cut": one.subject_cut,
                "issuer": one.issuer,
                "serial": one.serial,
                "not_before": one.not_before,
                "not_after": one.not_after,
                "friendly_name": one.friendly_name,
                "dns": None if one.dns is None else list(one.dns),
                "eku": None if one.usages is None else list(one.usages),
                "private_key": one.private_key,
                "key_container": one.container,
                "unique_container": one.unique_container,
                "provider": one.provider,
                "remarks": list(one.remarks),
            }
            for one in found.certificates
        ],
        "cert_count": len(found.certificates),
        "errors": list(found.errors),
    }, found.unread


def _reg(text: str) -> Facts:
    found = registry_paste.read_paste(text)
    return {
        "keys": {key: _values(values) for key, values in found.keys.items()},
        "without_key": _values(found.loose),
        "value_count": sum(len(values) for values in found.keys.values()) + len(found.loose),
        "errors": list(found.errors),
    }, found.unread


def _values(values: Iterable[Value]) -> dict[str, list[Any]]:
    return {value.name: [value.type, registry_paste.content(value)] for value in values}


def _sc(text: str) -> Facts:
    found = services_paste.read_paste(text)
    return {
        "services": [
            {
                "name": one.name,
                "display_name": one.display_name,
                "type": one.type,
                "state_code": one.code,
                "state": one.word,
                "flags": list(one.flags),
                "pid": one.pid,
                "win32_exit": one.win32_exit,
                "service_exit": one.service_exit,
                "checkpoint": one.checkpoint,
                "wait_hint": one.wait_hint,
            }
            for one in found.services
        ],
        "configs": [
            {
                "name": one.name,
                "display_name": one.display_name,
                "type": one.type,
                "start_type_code": one.start,
                "start_type": one.word,
                "delayed": one.delayed,
                "binary": one.binary,
                "dependencies": list(one.dependencies),
                "account": one.account,
            }
            for one in found.configs
        ],
        "failures": [{"function": one.function, "number": one.number, "text": one.text} for one in found.failures],
        "succeeded": list(found.done),
    }, found.unread


def _icacls(text: str) -> Facts:
    found = permissions.read_paste(text)
    return {
        "objects": [
            {
                "path": one.path,
                "aces": [
                    {
                        "principal": ace.principal,
                        "flags": ace.flags,
                        "rights": list(ace.rights),
                        "inherited": ace.inherited,
                        "denies": ace.denies,
                    }
                    for ace in one.aces
                ],
            }
            for one in found.objects
        ],
        "ace_count": sum(len(one.aces) for one in found.objects),
        "summaries": [{"ok": ok, "failed": failed} for ok, failed in found.summaries],
        "processed_files": list(found.changed),
        "errors": list(found.errors),
    }, found.unread


def _tell_netstat(document: Document) -> Iterable[str]:
    rows, listeners = document["rows"], document["listeners"]
    count = f"{_count(rows['tcp'], 'TCP row')}, {_count(rows['udp'], 'UDP row')}"
    yield f"{count}; {_count(len(listeners), 'listener')}{':' if listeners else ''}"
    for one in listeners:
        owner = f"process {one['pid']}" if one["pid"] is not None else "process not shown"
        names = ", ".join(one["services"])
        port = one["port"] if one["port"] is not None else "(a name)"
        image = f"  {one['process']}" if one["process"] else ""
        yield f"  {one['protocol']} {one['address']}:{port}  {owner}{image}{f' ({names})' if names else ''}"


def _tell_tasklist(document: Document) -> Iterable[str]:
    yield _count(len(document["processes"]), "process", "processes")
    for one in document["processes"]:
        if one["services"]:
            yield f"  {one['pid']}  {one['image']}: {', '.join(one['services'])}"


def _tell_certificates(document: Document) -> Iterable[str]:
    where = f" in {document['store']}" if document["store"] else ""
    yield f"{_count(document['cert_count'], 'certificate')}{where}"
    for one in document["certs"]:
        yield f"  {one['thumbprint']}  {one['subject'] or '(no subject shown)'}"
        if one["not_after"]:
            yield f"    until {one['not_after']} (as shown: day and month may be in either order)"
        if one["private_key"] is not None:
            file = f": {one['unique_container']}" if one["unique_container"] else ""
            yield f"    {'has its private key' if one['private_key'] else 'has no private key'}{file}"
    yield from (f"  {error}" for error in document["errors"])


def _tell_reg(document: Document) -> Iterable[str]:
    yield f"{_count(len(document['keys']), 'key')}, {_count(document['value_count'], 'value')}"
    groups = dict(document["keys"])
    if document["without_key"]:
        groups["(the key is not in the paste)"] = document["without_key"]
    for key, values in groups.items():
        yield f"  {key}"
        for name, (kind, content) in values.items():
            number = f" (0x{content:x})" if isinstance(content, int) else ""
            joined = ", ".join(content) if isinstance(content, list) else content
            yield f"    {name} = {joined}{number}  {kind}"
    yield from (f"  {error}" for error in document["errors"])


def _tell_sc(document: Document) -> Iterable[str]:
    for one in document["services"]:
        pid = f", process {one['pid']}" if one["pid"] else ""
        code = f", exit code {one['win32_exit']}" if one["win32_exit"] else ""
        yield f"{one['name']}: {one['state']}{pid}{code}"
    for one in document["configs"]:
        yield f"{one['name']}: starts as {one['start_type']}{' (delayed)' if one['delayed'] else ''}"
        if one["binary"] is not None:
            yield f"  runs {one['binary']} as {one['account']}"
    for one in document["failures"]:
        yield f"{one['function']} failed with {one['number']}: {one['text']}".rstrip(": ")
    yield from (f"{function} succeeded" for function in document["succeeded"])


def _tell_icacls(document: Document) -> Iterable[str]:
    for one in document["objects"]:
        yield one["path"] or "(the path is not in the paste)"
        for ace in one["aces"]:
            note = f"{'  denies' if ace['denies'] else ''}{'  inherited' if ace['inherited'] else ''}"
            yield f"  {ace['principal']}: {ace['flags']}{note}"
    yield from (f"changed: {path}" for path in document["processed_files"])
    yield from (f"error: {error}" for error in document["errors"])
    for one in document["summaries"]:
        yield f"{one['ok']} processed, {one['failed']} failed"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


_READERS: Mapping[str, Callable[[str], Facts]] = {
    "netstat": _netstat,
    "tasklist": _tasklist,
    "certificates": _certificates,
    "reg": _reg,
    "sc": _sc,
    "icacls": _icacls,
}
_TELLERS: Mapping[str, Callable[[Document], Iterable[str]]] = {
    "netstat": _tell_netstat,
    "tasklist": _tell_tasklist,
    "certificates": _tell_certificates,
    "reg": _tell_reg,
    "sc": _tell_sc,
    "icacls": _tell_icacls,
}
KINDS: tuple[str, ...] = tuple(_READERS)
