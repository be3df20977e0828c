"""``takeown``: makes the administrators or the user the owner; /a, /r, /d, /skipsl.

Texts are those of the real outputs takeown/01 to 03 (with /a no quotes round the owner: output-formats.md); what
it does to every key in MachineKeys is rdp-repair.md 2.8 T11. The question of /r is common knowledge.
"""

from dataclasses import replace

from serialfix.simulator import security, sids
from serialfix.simulator.file_sets import matching
from serialfix.simulator.filesystem import Entry
from serialfix.simulator.programs import Process, Steps
from serialfix.simulator.security import Ace

_QUESTION = (
    'You do not have permissions to read the contents of directory "{0}".\r\n\r\nDo you want to replace the directory '
    'permissions with permissions granting\r\nyou full control ("Y" for YES, "N" for NO) or ("C" for CANCEL)? '
)


def _take(process: Process, entry: Entry, owner: str, shown: str) -> bool:
    files = process.vm.files
    if not (process.token.privileged or files.may(process.token, entry.path, security.WRITE_OWNER)):
        process.err("\r\nERROR: Access is denied.\r\n")
        return False
    files.protect(entry.path, replace(files.descriptor(entry.path), owner=owner))
    user = process.token.name.upper().partition("\\")
    name = f"{user[0]}\\{process.token.name.partition(chr(92))[2]}"
    by = "the administrators group." if owner == sids.ADMINISTRATORS else f'user "{name}".'
    process.line(f'\r\nSUCCESS: The file (or folder): "{shown}" now owned by {by}')
    return True


def _below(process: Process, entry: Entry, owner: str, shown: str, answer: str) -> Steps:
    files, code = process.vm.files, 0
    if not _take(process, entry, owner, shown):
        return 1
    if entry.data is not None:
        return 0
    if not files.may(process.token, entry.path, 1):
        while answer not in {"y", "n", "c"}:
            process.out(_QUESTION.format(shown))
            answer = (yield from process.read_line()).strip().lower()[:1]
            if process.stdin is not None and process.stdin.empty:
                break
        if answer != "y":
            return 1
        mine = Ace(True, owner, security.FULL, frozenset({"OI", "CI"}))
        files.protect(entry.path, replace(files.descriptor(entry.path), aces=(mine,), protected=True))
    for each in files.inside(entry.path):
        deeper = yield from _below(process, each, owner, shown.rstrip("\\") + "\\" + each.name, answer)
        code = deeper or code
    return code


def takeown(process: Process) -> Steps:
    """Run ``takeown``."""
    target, answer, deep, group = "", "", False, False
    queue = list(process.args)
    while queue:
        arg = queue.pop(0).lower()
        if arg == "/f" and queue:
            target = queue.pop(0)
        elif arg == "/d" and queue:
            answer = queue.pop(0).lower()[:1]
        elif arg in {"/a", "/r", "/skipsl"}:
            group, deep = group or arg == "/a", deep or arg == "/r"
        else:
            return process.fail(f'ERROR: Invalid argument/option - "{arg}".\r\nType "TAKEOWN /?" for usage.')
    if not target:
        return process.fail('ERROR: Invalid syntax. Mandatory option "/f" is missing.\r\nType "TAKEOWN /?" for usage.')
    if answer and not deep:
        return process.fail("ERROR: Invalid syntax. /D option cannot be specified without /R.")
    entries = matching(process.vm, target, process.cwd)
    if not entries:
        return process.fail("ERROR: The system cannot find the file specified.")
    owner, code = sids.ADMINISTRATORS if group else process.token.user, 0
    for entry in entries:
        shown = target if len(entries) == 1 and not set("*?") & set(target) else entry.path
        if deep:
            result = yield from _below(process, entry, owner, shown, answer)
            code = result or code
        elif not _take(process, entry, owner, shown):
            code = 1
    return code
