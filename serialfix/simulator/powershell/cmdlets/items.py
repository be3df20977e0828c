"""Cmdlets on items: list, get, make, remove, read, write, on C:, the registry and the certificate stores.

Removing a certificate leaves its key (rdp-repair.md 2.8 T08); a path that names the store removes the store (T06); a
value that is no number is refused for a DWORD (T15). Texts are common knowledge, errors failures/01 and 02.
"""

from collections.abc import Generator

from serialfix.simulator import security, stores
from serialfix.simulator.file_sets import decode, matching
from serialfix.simulator.filesystem import parent
from serialfix.simulator.powershell import errors, members
from serialfix.simulator.powershell.binding import Bound, Cmdlet
from serialfix.simulator.powershell.cmdlets import drives
from serialfix.simulator.powershell.cmdlets.drives import Place
from serialfix.simulator.powershell.errors import Record, Thrown
from serialfix.simulator.powershell.operators import wildcard
from serialfix.simulator.powershell.values import Obj, Value, custom, each, number, text
from serialfix.simulator.programs import ReadLine, Request
from serialfix.simulator.registry import (
    REG_BINARY,
    REG_DWORD,
    REG_EXPAND_SZ,
    REG_MULTI_SZ,
    REG_QWORD,
    REG_SZ,
    AccessDenied,
    Data,
    long_name,
)

Out = Generator[Request, str, list[Value]]
_KINDS = {"dword": REG_DWORD, "qword": REG_QWORD, "string": REG_SZ, "expandstring": REG_EXPAND_SZ,
          "multistring": REG_MULTI_SZ, "binary": REG_BINARY}  # fmt: skip


def _paths(bound: Bound) -> list[str]:
    """Return the paths a call names: its own, or those of the objects that come."""
    found = bound.many("Path") + bound.many("LiteralPath")
    for item in bound.given if not bound.first else ():
        if isinstance(item, Obj) and item.has("PSPath"):
            found.append(text(item.get("PSPath")))
        elif isinstance(item, str):
            found.append(item)
    return found


def _place(bound: Bound, path: str) -> Place:
    return drives.place(path, bound.evaluator.shared.location)


def _wild(bound: Bound, path: str) -> bool:
    return bool(set("*?") & set(path)) and bound.get("LiteralPath") is None


def _resolve(bound: Bound, path: str) -> list[Place]:
    """Return the places a path names; an error when there is nothing."""
    at = _place(bound, path)
    vm = bound.evaluator.vm
    if _wild(bound, path) and at.parts:
        above = Place(at.drive, at.parts[:-1])
        return [item for item in _children(bound, above) if wildcard(at.parts[-1], item.parts[-1])]
    if not drives.exists(vm, at):
        bound.fail(errors.path_not_found(path if ":" in path else at.path, bound.cmdlet.name))
        return []
    return [at]


def _children(bound: Bound, at: Place) -> list[Place]:
    vm = bound.evaluator.vm
    if at.drive == "C":
        return [Place("C", (*at.parts, entry.name)) for entry in vm.files.inside(drives.file_path(at))]
    if at.drive == "Cert":
        if not at.parts:
            return [Place("Cert", (name,)) for name in ("CurrentUser", "LocalMachine")]
        if len(at.parts) == 1:
            names = [n for n in stores.NAMES if drives.exists(vm, Place("Cert", (*at.parts, n)))]
            return [Place("Cert", (*at.parts, name)) for name in names]
        store = drives.store_of(at)
        found = stores.held(vm.registry, store) if store and len(at.parts) == 2 else []
        return [Place("Cert", (*at.parts, held.thumbprint)) for held in found]
    return [Place(at.drive, (*at.parts, name)) for name in vm.registry.subkeys(at.registry)]


def _item(bound: Bound, at: Place) -> Value:
    vm = bound.evaluator.vm
    if at.drive == "C":
        entry = vm.files.find(drives.file_path(at))
        return drives.file(vm, entry) if entry else None
    if at.drive == "Cert":
        held = drives.held_at(vm, at)
        name = at.parts[-1] if at.parts else ""
        return drives.certificate(vm, held) if held else Obj(
            "Microsoft.PowerShell.Commands.X509StoreLocation" if len(at.parts) < 2 else
            "System.Security.Cryptography.X509Certificates.X509Store", {"Name": name},
            hidden={"PSPath": "Microsoft.PowerShell.Security\\Certificate::" + "\\".join(at.parts)},
        )  # fmt: skip
    return drives.key(vm, at)


def _get_children(bound: Bound) -> Out:
    yield from ()
    found: list[Value] = []
    for path in _paths(bound) or ["."]:
        wild = _wild(bound, path)
        for at in _resolve(bound, path):
            item = _item(bound, at)
            container = not (isinstance(item, Obj) and item.kind in {"System.IO.FileInfo", drives.CERTIFICATE})
            queue = _children(bound, at) if container and not wild else [at]
            while queue:
                each_place = queue.pop(0)
                value = _item(bound, each_place)
                if bound.flag("Recurse") and isinstance(value, Obj) and value.kind != drives.CERTIFICATE:
                    queue = _children(bound, each_place) + queue
                name = each_place.parts[-1] if each_place.parts else ""
                keep = all(wildcard(p, name) for p in bound.many("Filter")) and (
                    not bound.many("Include") or any(wildcard(p, name) for p in bound.many("Include"))
                )
                if isinstance(value, Obj) and each_place.drive == "C":
                    folder = value.kind == "System.IO.DirectoryInfo"
                    keep = keep and not (bound.flag("File") and folder) and not (bound.flag("Directory") and not folder)
                if keep and value is not None:
                    found.append(name if bound.flag("Name") else value)
    return found


def _get_item(bound: Bound) -> Out:
    yield from ()
    return [_item(bound, at) for path in _paths(bound) for at in _resolve(bound, path)]


def _test(bound: Bound) -> Out:
    yield from ()
    found: list[Value] = []
    for path in _paths(bound):
        try:
            at = _place(bound, path)
        except Thrown:
            found.append(False)
            continue
        there = drives.exists(bound.evaluator.vm, at)
        if _wild(bound, path):
            there = bool(
                [p for p in _children(bound, Place(at.drive, at.parts[:-1])) if wildcard(at.parts[-1], p.parts[-1])]
            )
        found.append(there)
    return found


def _remove(bound: Bound) -> Out:
    vm = bound.evaluator.vm
    for path in _paths(bound):
        for at in _resolve(bound, path):
            if bound.what_if:
                continue
            if at.drive == "Cert":
                _remove_certificate(bound, at)
                continue
            inside = _children(bound, at)
            if inside and not bound.flag("Recurse") and not (yield from _sure(bound, at)):
                continue
            if at.drive == "C":
                _remove_files(bound, drives.file_path(at))
            else:
                try:
                    vm.registry.delete_key(at.registry, as_system=bound.evaluator.shared.shell.token.is_system)
                except AccessDenied:
                    bound.fail(errors.denied("Requested registry access is not allowed.", at.path, bound.cmdlet.name))
    return []


def _sure(bound: Bound, at: Place) -> Generator[Request, str, bool]:
    """Ask before removing what holds something, as the console does."""
    out = bound.evaluator.shared.streams.out
    out(
        f"\r\nConfirm\r\nThe item at {at.path} has children and the Recurse parameter was not\r\nspecified. If you "
        f"continue, "
        "all children will be removed with the item. Are you\r\nsure you want to continue?\r\n"
        '[Y] Yes  [A] Yes to All  [N] No  [L] No to All  [S] Suspend  [?] Help (default is "Y"): '
    )
    stdin = bound.evaluator.shared.streams.stdin
    answer = stdin.line() if stdin is not None else (yield ReadLine(purpose="confirm"))
    return answer.strip().lower()[:1] in {"", "y", "a"}


def _remove_certificate(bound: Bound, at: Place) -> None:
    vm, store = bound.evaluator.vm, drives.store_of(at)
    held = drives.held_at(vm, at)
    if store is not None and held is not None:
        stores.remove(vm.registry, store, held.thumbprint)
    elif store is not None and len(at.parts) == 2:
        if stores.held(vm.registry, store) and not bound.flag("Recurse"):
            bound.fail(
                Record("The operation is on root level; the store is not empty. Use the Recurse parameter.",
                       "InvalidOperation", f"{at.path}:String", bound.cmdlet.name, "InvalidOperationException",
                       "RemoveItem,Microsoft.PowerShell.Commands.RemoveItemCommand")
            )  # fmt: skip
            return
        stores.remove_store(vm.registry, store)
    else:
        bound.fail(
            Record("The parameter is incorrect.", "InvalidOperation", f"{at.path}:String", bound.cmdlet.name,
                   "InvalidOperationException", "RemoveItem,Microsoft.PowerShell.Commands.RemoveItemCommand")
        )  # fmt: skip


def _remove_files(bound: Bound, path: str) -> None:
    files, token = bound.evaluator.vm.files, bound.evaluator.shared.shell.token
    low = path.lower().rstrip("\\") + "\\"
    below = [entry.path for key, entry in files.entries.items() if key.startswith(low)]
    for each_path in [*sorted(below, key=len, reverse=True), path]:
        if not files.may_delete(token, each_path) or not files.delete(each_path):
            name = each_path.rpartition("\\")[2]
            bound.fail(
                errors.denied(
                    f"Cannot remove item {each_path}: Access to the path '{name}' is denied.",
                    each_path,
                    bound.cmdlet.name,
                )
            )


def _content(bound: Bound) -> Out:
    yield from ()
    vm, token = bound.evaluator.vm, bound.evaluator.shared.shell.token
    found: list[Value] = []
    for path in _paths(bound):
        for at in _resolve(bound, path):
            entry = vm.files.find(drives.file_path(at)) if at.drive == "C" else None
            if entry is None or entry.data is None or not vm.files.may(token, entry.path, security.READ_DATA):
                bound.fail(errors.denied(f"Access to the path '{at.path}' is denied.", at.path, bound.cmdlet.name))
                continue
            if bound.text("Encoding").lower() == "byte":
                found += list(entry.data)
                continue
            data = decode(entry.data)
            if bound.flag("Raw"):
                found.append(data)
                continue
            lines: list[Value] = list(data.replace("\r\n", "\n").split("\n"))
            if lines and lines[-1] == "":
                lines.pop()
            first, last = bound.get("TotalCount"), bound.get("Tail")
            lines = lines[: int(number(first))] if first is not None else lines
            found += lines[-int(number(last)) :] if last is not None else lines
    return found


def _write(bound: Bound) -> Out:
    yield from ()
    append = bound.cmdlet.name == "Add-Content"
    given = bound.given if not bound.first else each(bound.get("Value"))
    encoding = bound.text("Encoding", "default").lower()
    for path in bound.many("Path") + bound.many("LiteralPath"):
        at = _place(bound, path)
        if at.drive != "C":
            bound.fail(errors.path_not_found(path, bound.cmdlet.name))
            continue
        target = drives.file_path(at)
        fresh = not append or bound.evaluator.vm.files.find(target) is None
        if encoding == "byte":
            data = bytes(
                int(number(item)) & 255 for value in given for item in (value if isinstance(value, bytes) else [value])
            )
        else:
            end = "" if bound.flag("NoNewline") else "\r\n"
            data = members.encoded("".join(text(item) + end for item in given), encoding, fresh=fresh)
        members.write_file(bound.evaluator, target, data, append=append)
    return []


def _new_item(bound: Bound) -> Out:
    yield from ()
    vm = bound.evaluator.vm
    found: list[Value] = []
    for path in bound.many("Path") or ["."]:
        at = _place(bound, path + ("\\" + bound.text("Name") if bound.get("Name") is not None else ""))
        kind = bound.text("ItemType", "Directory" if bound.cmdlet.name == "mkdir" else "File").lower()
        if at.drive != "C":
            if drives.exists(vm, at) and not bound.flag("Force"):
                bound.fail(Record("A key in this path already exists.", "ResourceExists", f"{at.path}:String",
                                  bound.cmdlet.name, "IOException",
                                  "System.IO.IOException,Microsoft.PowerShell.Commands.NewItemCommand"))  # fmt: skip
                continue
            _registry(bound, at, lambda system, at=at: vm.registry.create(at.registry, as_system=system))
            found.append(drives.key(vm, at))
            continue
        target = drives.file_path(at)
        there = vm.files.find(target)
        if there is not None and not bound.flag("Force"):
            shown = target
            bound.fail(Record(f"An item with the specified name {shown} already exists.", "ResourceExists",
                              f"{shown}:String", "New-Item", "IOException",
                              "DirectoryExist,Microsoft.PowerShell.Commands.NewItemCommand"))  # fmt: skip
            continue
        if kind.startswith("d"):
            vm.files.make_folder(target, vm.now)
        elif there is None or bound.flag("Force"):
            members.write_file(bound.evaluator, target, text(bound.get("Value")).encode())
        entry = vm.files.find(target)
        if entry is not None:
            found.append(drives.file(vm, entry))
    return found


def _copy(bound: Bound) -> Out:
    yield from ()
    vm, token = bound.evaluator.vm, bound.evaluator.shared.shell.token
    target = drives.file_path(_place(bound, bound.text("Destination")))
    for path in _paths(bound):
        for entry in matching(vm, drives.file_path(_place(bound, path)), "C:\\"):
            if entry.data is None:
                continue
            if not vm.files.may(token, entry.path, security.READ_DATA):
                bound.fail(
                    errors.denied(f"Access to the path '{entry.path}' is denied.", entry.path, bound.cmdlet.name)
                )
                continue
            place = target.rstrip("\\") + "\\" + entry.name if vm.files.is_folder(target) else target
            members.write_file(bound.evaluator, place, entry.data)
    return []


def _location(bound: Bound) -> Out:
    yield from ()
    shared = bound.evaluator.shared
    if bound.cmdlet.name == "Get-Location":
        return [
            Obj("System.Management.Automation.PathInfo", {"Path": shared.location}, hidden={}, source=shared.location)
        ]
    for path in bound.many("Path") + bound.many("LiteralPath"):
        at = _place(bound, path)
        if not drives.exists(bound.evaluator.vm, at):
            bound.fail(errors.path_not_found(at.path, bound.cmdlet.name))
            continue
        shared.location = drives.file_path(at) if at.drive == "C" else at.path
    return []


# -- registry values ----------------------------------------------------------------------------------------------


def _registry(bound: Bound, at: Place, act: object) -> bool:
    """Write to the registry as whoever runs this; an error where that is refused."""
    try:
        act(bound.evaluator.shared.shell.token.is_system)  # type: ignore[operator]
    except AccessDenied:
        bound.fail(errors.denied("Requested registry access is not allowed.", at.registry, bound.cmdlet.name))
        return False
    return True


def _no_property(bound: Bound, name: str, at: Place) -> None:
    bound.fail(
        Record(
            f"Property {name} does not exist at path {long_name(at.registry)}.",
            "InvalidArgument",
            f"{name}:String",
            bound.cmdlet.name,
            "PSArgumentException",
            f"System.Management.Automation.PSArgumentException,Microsoft.PowerShell.Commands."
            f"{bound.cmdlet.name.replace('-', '')}Command",
        )
    )


def _get_property(bound: Bound) -> Out:
    yield from ()
    vm = bound.evaluator.vm
    found: list[Value] = []
    for path in _paths(bound):
        for at in _resolve(bound, path):
            names = bound.many("Name")
            if at.drive in {"C", "Cert"}:
                item = _item(bound, at)
                found.append(custom({n: item.get(n) for n in names}) if names and isinstance(item, Obj) else item)
                continue
            names = [] if names == ["*"] else names
            missing = [n for n in names if vm.registry.get(at.registry, "" if n.lower() == "(default)" else n) is None]
            for name in missing:
                _no_property(bound, name, at)
            if names and len(missing) == len(names):
                continue
            made = drives.values(vm, at, names)
            if bound.cmdlet.name == "Get-ItemPropertyValue":
                found += [made.get(name) for name in names]
            else:
                found.append(made)
    return found


def _converted(kind: str, value: Value) -> Data:
    """Return a value as registry data. Raises Thrown where it does not fit its type."""
    if kind in {REG_DWORD, REG_QWORD}:
        size = 2**32 if kind == REG_DWORD else 2**64
        return int(number(value)) % size
    if kind == REG_MULTI_SZ:
        return tuple(text(item) for item in each(value))
    if kind == REG_BINARY:
        return bytes(members.cast("byte[]", value))
    return text(value)


def _set_property(bound: Bound) -> Out:
    yield from ()
    vm, fresh = bound.evaluator.vm, bound.cmdlet.name == "New-ItemProperty"
    for path in _paths(bound):
        for at in _resolve(bound, path):
            if at.drive in {"C", "Cert"}:
                continue
            name = bound.text("Name")
            key = vm.registry.key(at.registry)
            old = key.values.get(name.lower()) if key else None
            if fresh and old is not None and not bound.flag("Force"):
                bound.fail(
                    Record(
                        "The property already exists.",
                        "ResourceExists",
                        f"{long_name(at.registry)}:String",
                        bound.cmdlet.name,
                        "IOException",
                        "System.IO.IOException,Microsoft.PowerShell.Commands.NewItemPropertyCommand",
                    )
                )
                continue
            wanted = bound.text("Type") or bound.text("PropertyType")
            value = bound.get("Value")
            kind = _KINDS.get(wanted.lower()) or (old.kind if old is not None and not fresh else _kind_of(value))
            try:
                data = _converted(kind, value)
            except Thrown:
                bound.fail(
                    Record("Input string was not in a correct format.", "NotSpecified", ":", bound.cmdlet.name,
                           "FormatException", "System.FormatException,Microsoft.PowerShell.Commands."
                           f"{bound.cmdlet.name.replace('-', '')}Command")
                )  # fmt: skip
                continue
            _registry(
                bound, at, lambda s, n=name, k=kind, d=data, at=at: vm.registry.set(at.registry, n, k, d, as_system=s)
            )
            if fresh:
                return [drives.values(vm, at, [name])]
    return []


def _kind_of(value: Value) -> str:
    if isinstance(value, (bool, int)):
        return REG_DWORD
    if isinstance(value, bytes):
        return REG_BINARY
    return REG_MULTI_SZ if isinstance(value, list) else REG_SZ


def _remove_property(bound: Bound) -> Out:
    yield from ()
    vm = bound.evaluator.vm
    for path in _paths(bound):
        for at in _resolve(bound, path):
            for name in bound.many("Name"):
                if vm.registry.get(at.registry, name) is None:
                    _no_property(bound, name, at)
                    continue
                _registry(bound, at, lambda s, n=name, at=at: vm.registry.delete_value(at.registry, n, as_system=s))
    return []


def _acl(bound: Bound) -> Out:
    yield from ()
    found: list[Value] = []
    for path in _paths(bound):
        for at in _resolve(bound, path):
            target = drives.file_path(at)
            # reading the folder above first is what makes this fail where GetAccessControl does not (0a.5)
            if not bound.evaluator.vm.files.may(bound.evaluator.shared.shell.token, parent(target), 1):
                bound.fail(errors.path_not_found(at.path, bound.cmdlet.name))
                continue
            found.append(members.access_object(bound.evaluator, target))
    return found


def _set_acl(bound: Bound) -> Out:
    yield from ()
    for path in _paths(bound):
        for at in _resolve(bound, path):
            members.set_access(bound.evaluator, drives.file_path(at), bound.get("AclObject"))
    return []


def _rename(bound: Bound) -> Out:
    yield from ()
    files = bound.evaluator.vm.files
    for path in _paths(bound):
        for at in _resolve(bound, path):
            source = drives.file_path(at)
            wanted = bound.text("NewName") or bound.text("Destination")
            target = (
                drives.file_path(_place(bound, wanted))
                if "\\" in wanted
                else parent(source).rstrip("\\") + "\\" + wanted
            )
            entry = files.find(source)
            if entry is None or entry.data is None or not files.may_delete(bound.evaluator.shared.shell.token, source):
                bound.fail(errors.denied(f"Access to the path '{source}' is denied.", source, bound.cmdlet.name))
                continue
            if files.is_folder(target):
                target = target.rstrip("\\") + "\\" + entry.name
            members.write_file(bound.evaluator, target, entry.data)
            if entry.security is not None:
                files.protect(target, entry.security)
            files.delete(source)
    return []


_PATH = {"Path": True, "LiteralPath": True, "Force": False}
_NAMES = {"Name": True, "Value": True, "Type": True, "PropertyType": True, "PassThru": False}
CMDLETS = (
    Cmdlet("Get-ChildItem", _PATH | {"Filter": True, "Include": True, "Exclude": True, "Recurse": False, "Name": False,
                                     "File": False, "Directory": False, "Hidden": False, "DnsName": True,
                                     "ExpiringInDays": True}, ("Path", "Filter"), _get_children),
    Cmdlet("Get-Item", _PATH, ("Path",), _get_item, ("Path",)),
    Cmdlet("Test-Path", _PATH | {"PathType": True}, ("Path",), _test),
    Cmdlet("Remove-Item", _PATH | {"Recurse": False, "DeleteKey": False}, ("Path",), _remove, ("Path",)),
    Cmdlet("Get-Content", _PATH | {"Raw": False, "TotalCount": True, "Tail": True, "Encoding": True}, ("Path",),
           _content),
    Cmdlet("Set-Content", _PATH | {"Value": True, "Encoding": True, "NoNewline": False}, ("Path", "Value"), _write),
    Cmdlet("Add-Content", _PATH | {"Value": True, "Encoding": True, "NoNewline": False}, ("Path", "Value"), _write),
    Cmdlet("New-Item", _PATH | {"Name": True, "ItemType": True, "Value": True}, ("Path", "Name"), _new_item),
    Cmdlet("mkdir", _PATH | {"Name": True}, ("Path",), _new_item),
    Cmdlet("Copy-Item", _PATH | {"Destination": True, "Recurse": False}, ("Path", "Destination"), _copy),
    Cmdlet("Rename-Item", _PATH | {"NewName": True}, ("Path", "NewName"), _rename),
    Cmdlet("Move-Item", _PATH | {"Destination": True}, ("Path", "Destination"), _rename),
    Cmdlet("Set-Location", _PATH, ("Path",), _location),
    Cmdlet("Get-Location", {}, (), _location),
    Cmdlet("Get-ItemProperty", _PATH | {"Name": True}, ("Path", "Name"), _get_property),
    Cmdlet("Get-ItemPropertyValue", _PATH | {"Name": True}, ("Path", "Name"), _get_property),
    Cmdlet("Set-ItemProperty", _PATH | _NAMES, ("Path", "Name", "Value"), _set_property, ("Path", "Name")),
    Cmdlet("New-ItemProperty", _PATH | _NAMES, ("Path", "Name"), _set_property, ("Path", "Name")),
    Cmdlet("Remove-ItemProperty", _PATH | {"Name": True}, ("Path", "Name"), _remove_property, ("Path", "Name")),
    Cmdlet("Get-Acl", _PATH, ("Path",), _acl),
    Cmdlet("Set-Acl", _PATH | {"AclObject": True}, ("Path", "AclObject"), _set_acl),
)  # fmt: skip
