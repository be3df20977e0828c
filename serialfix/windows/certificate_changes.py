r"""The writes of a certificate's renewal: one entry out of the store, a service enabled, an empty key file moved away.

rdp-repair.md 2.3 and 2.4, with 0a.6: an entry is deleted by its own registry key, never the store (2.8 T06); the
private key stays (T08), so the entry can be brought back where its key is still there, and only there.
"""

from serialfix import quoting
from serialfix.steps import Change, Command, NoUndo, Probe
from serialfix.windows import certificate_store, key_file, probes
from serialfix.windows.certificate_store import REMOTE_DESKTOP, Entry
from serialfix.windows.registry import Value

DOCS = "https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/event-id-troubleshoot-vm-rdp-connecton"
A_LINE = 290
"""How many bytes one typed line of a .reg file holds, so that it stays below 1,000 characters."""

STARTS = {2: "auto", 3: "demand", 4: "disabled"}


def delete_entry(entry: Entry, *, why: str, key_is_there: bool) -> Change[Entry | None]:
    """Take one certificate out of the store ``Remote Desktop``. ``key_is_there``: its private key can still be used."""
    store = certificate_store.contents(REMOTE_DESKTOP)
    before: Probe[Entry | None] = Probe(
        name=f"certificate:{entry.thumbprint}",
        title=f"The certificate {entry.thumbprint}",
        why="The entry as it is now is kept, so that the change can be taken back.",
        query=store.query,
        parse=lambda output: store.parse(output).find(entry.thumbprint),
        say=lambda found: "not there" if found is None else str(found),
        most=store.most,
        timeout=store.timeout,
    )
    return Change(
        name=f"delete_certificate:{entry.thumbprint}",
        title=f"Delete the certificate {entry.thumbprint} from the store {REMOTE_DESKTOP}",
        why=why,
        risk="low" if key_is_there else "medium",
        proven="measured",
        before=before,
        do=Command(
            "cmd", f"reg delete {quoting.cmd(certificate_store.key(REMOTE_DESKTOP, entry.thumbprint))} /f", "write"
        ),
        after="not there",
        show=lambda found: "not there" if found is None else str(found),
        check=lambda found: found is None,
        undo=bring_back
        if key_is_there
        else NoUndo("its private key is gone, so the certificate could not be used again"),
        docs=DOCS,
    )


def bring_back(entry: Entry | None) -> tuple[Command, ...]:
    r"""The commands that put an entry back as it was: a .reg file is typed line by line, imported, and deleted.

    Each line is written by a cmd of its own: in a pipe, as in our frame, ``echo`` would add a blank at its end, and a
    .reg file whose first line ends with one is not read.
    """
    if entry is None:
        return ()
    thumbprint = quoting.cmd(entry.thumbprint)
    file = rf"%SystemRoot%\serialfix-{thumbprint}.reg"
    key = certificate_store.key(REMOTE_DESKTOP, thumbprint).replace("HKLM", "HKEY_LOCAL_MACHINE")
    # The form whose text is not UTF-16, which is what echo writes.
    lines = ["REGEDIT4", f"[{key}]"]
    for at in range(0, len(entry.blob), A_LINE):
        more = at + A_LINE < len(entry.blob)
        lines.append(("  " if at else '"Blob"=hex:') + entry.blob[at : at + A_LINE].hex(",") + (",\\" if more else ""))
    typed = [f'cmd /d /c "(echo {line})"{">>" if number else ">"}{file}' for number, line in enumerate(lines)]
    return tuple(Command("cmd", text, "write", exact=True) for text in (*typed, f"reg import {file}", f"del {file}"))


def enable_service(name: str, start: int, *, why: str) -> Change[Value | None]:
    """Let a disabled service start again. ``start``: as in the registry, 2 by itself at boot, 3 on demand."""

    def undo(value: Value | None) -> tuple[Command, ...]:
        if value is None or value.number not in STARTS:
            return ()
        return (Command("cmd", f"sc config {quoting.cmd(name)} start= {STARTS[value.number]}", "write"),)

    return Change(
        name=f"enable:{name}",
        title=f"Let the service {name} start {probes.START_TYPES[start]}",
        why=why,
        risk="low",
        proven="measured",
        before=probes.start_type(name),
        do=Command("cmd", f"sc config {quoting.cmd(name)} start= {STARTS[start]}", "write"),
        after=probes.START_TYPES[start],
        show=lambda value: "not set" if value is None else probes.START_TYPES.get(value.number or 0, str(value)),
        check=lambda value: value is not None and value.number == start,
        undo=undo,
        docs="rdp-repair.md 2.3",
    )


def move_empty_key(guid: str, name: str) -> Change[int | None]:
    """Give the empty key file another name, so that Windows can make a new one. ``name``: what it ends with then."""
    file = key_file.path(guid)
    old = file.rpartition("\\")[2]
    return Change(
        name="move_empty_key",
        title="Move the empty file of Remote Desktop's private key out of the way",
        why="There is no key in it, and Windows makes no new one while it stands there.",
        risk="medium",
        proven="derived",
        before=key_file.size(guid),
        do=Command("cmd", f"ren {quoting.cmd(file)} {quoting.cmd(f'{old}.{name}')}", "write"),
        after="not there",
        show=lambda size: "not there" if size is None else f"{size} bytes",
        check=lambda size: size is None,
        undo=lambda size: (Command("cmd", f"ren {quoting.cmd(f'{file}.{name}')} {quoting.cmd(old)}", "write"),),
        put_back=True,
        docs="rdp-repair.md 2.4",
    )
