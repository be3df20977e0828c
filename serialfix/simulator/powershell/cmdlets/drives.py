r"""The drives a path can lie on: C:, HKLM: and HKCU:, Cert:, Env:, and what an item looks like on each.

``Cert:\LocalMachine\Remote Desktop\<thumbprint>``: about_Certificate_Provider, rdp-repair.md 2.8 T06; registry items as
in the real outputs get-itemproperty/01 to 04; certificates as get-childitem-cert/02.
"""

from dataclasses import dataclass
from typing import Any

from serialfix.simulator import rdp_certificate, stores
from serialfix.simulator.filesystem import Entry, absolute, parent
from serialfix.simulator.powershell.errors import Record, Thrown
from serialfix.simulator.powershell.values import Obj, Value
from serialfix.simulator.registry import ROOTS, Data, Key, long_name
from serialfix.simulator.stores import Held
from serialfix.simulator.vm import Vm

CERTIFICATE = "System.Security.Cryptography.X509Certificates.X509Certificate2"
_PREFIXES = ("microsoft.powershell.core\\registry::", "registry::", "microsoft.powershell.core\\filesystem::",
             "microsoft.powershell.security\\certificate::", "filesystem::")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A path on a drive. ``drive``: "C", "HKLM", "HKCU", "HKCR", "HKU", "HKCC", "Cert" or "Env"; ``parts`` below it."""

    drive: str
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path as PowerShell writes it."""
        return f"{self.drive}:\\" + "\\".join(self.parts)

    @property
    def registry(self) -> str:
        """The key's path."""
        return "\\".join([self.drive, *self.parts])


def place(path: str, location: str) -> Place:
    """Resolve a path typed at a location. Raises Thrown for a drive there is not."""
    plain = path.replace("/", "\\")
    for prefix in _PREFIXES:
        if plain.lower().startswith(prefix):
            rest = plain[len(prefix) :]
            root, _, below = rest.partition("\\")
            short = {long.lower(): name for name, long in ROOTS.items()}.get(root.lower())
            plain = f"{short}:\\{below}" if short else f"Cert:\\{rest}" if "certificate" in prefix else rest
            break
    drive, colon, rest = plain.partition(":")
    if not colon or "\\" in drive:
        base, _, below = location.partition(":")
        drive = base
        rest = plain if plain.startswith("\\") else below.rstrip("\\") + "\\" + plain
    name = {each.lower(): each for each in (*ROOTS, "C", "Cert", "Env")}.get(drive.lower())
    if name is None:
        raise Thrown(
            Record(f"Cannot find drive. A drive with the name '{drive}' does not exist.", "ObjectNotFound",
                   f"{drive}:String", "", "DriveNotFoundException", "DriveNotFound")
        )  # fmt: skip
    parts: list[str] = []
    for part in rest.split("\\"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", ".", ".."}:
            parts.append(part)
    return Place(name, tuple(parts))


def file_path(at: Place) -> str:
    """Return a place on C: as the file system knows it."""
    return absolute(at.path, "C:\\")


def store_of(at: Place) -> str | None:
    """Return the name of the store a place on Cert: is in, None for a place above one or in another user's."""
    if len(at.parts) < 2 or at.parts[0].lower() != "localmachine":
        return None
    return stores.true_name(at.parts[1]) or at.parts[1]


def exists(vm: Vm, at: Place) -> bool:
    """Say whether something stands at a place."""
    if at.drive == "C":
        return vm.files.find(file_path(at)) is not None
    if at.drive == "Cert":
        if not at.parts or (len(at.parts) == 1 and at.parts[0].lower() in {"localmachine", "currentuser"}):
            return True
        store = store_of(at)
        if store is None or not (
            stores.exists(vm.registry, store) or (store in stores.NAMES and store != "Remote Desktop")
        ):
            return False
        return len(at.parts) == 2 or held_at(vm, at) is not None
    if at.drive == "Env":
        return True
    return vm.registry.key(at.registry) is not None


def held_at(vm: Vm, at: Place) -> Held | None:
    """Return the certificate at a place."""
    store = store_of(at)
    if store is None or len(at.parts) != 3:
        return None
    found = stores.held(vm.registry, store)
    return next((held for held in found if held.thumbprint.lower() == at.parts[2].lower()), None)


def certificate(vm: Vm, held: Held) -> Obj:
    """Return a certificate as the Cert: drive gives it."""
    found = held.certificate
    serial = f"{found.serial_number:X}"
    store = "My" if held.store == stores.MY else held.store
    where = f"Microsoft.PowerShell.Security\\Certificate::LocalMachine\\{store}"
    return Obj(
        CERTIFICATE,
        {
            "Thumbprint": held.thumbprint,
            "Subject": found.subject.rfc4514_string(),
            "Issuer": found.issuer.rfc4514_string(),
            "NotBefore": found.not_valid_before_utc,
            "NotAfter": found.not_valid_after_utc,
            # Windows says True when a key is named, whether its file is there or not
            "HasPrivateKey": held.provider is not None,
            "SerialNumber": "0" * (len(serial) % 2) + serial,
            "FriendlyName": "",
            "Version": 3,
            "Extensions": ["System.Security.Cryptography.Oid"] * len(found.extensions),
            "RawData": held.der,
            "PrivateKey": lambda: _private_key(vm, held),
        },
        hidden={
            "PSParentPath": where, "PSPath": f"{where}\\{held.thumbprint}", "PSChildName": held.thumbprint,
            "PSProvider": "Microsoft.PowerShell.Security\\Certificate", "PSIsContainer": False,
        },
        methods={"GetCertHashString": lambda: held.thumbprint, "GetRawCertData": lambda: held.der},
        text=f"[Subject]\r\n  {found.subject.rfc4514_string()}",
        source=held,
    )  # fmt: skip


def _private_key(vm: Vm, held: Held) -> Value:
    state, _ = rdp_certificate.key_state(vm, held, vm.administrator())
    if state != "usable" or held.provider is None:
        return None
    info = Obj("CspKeyContainerInfo", {"KeyContainerName": held.provider.container,
                                       "UniqueKeyContainerName": held.provider.container})  # fmt: skip
    return Obj("System.Security.Cryptography.RSACryptoServiceProvider", {"CspKeyContainerInfo": info, "KeySize": 2048})


def file(vm: Vm, entry: Entry) -> Obj:
    """Return a file or folder."""
    folder = entry.data is None
    kind = "System.IO.DirectoryInfo" if folder else "System.IO.FileInfo"
    when = vm.clock(entry.when)
    properties: dict[str, Any] = {
        "Mode": "d-----" if folder else "-a----",
        "LastWriteTime": when,
        "Length": None if folder else len(entry.data or b""),
        "Name": entry.name,
        "FullName": entry.path,
        "Extension": "." + entry.name.rpartition(".")[2] if "." in entry.name else "",
        "DirectoryName": parent(entry.path),
        "CreationTime": when,
        "Exists": True,
        "PSIsContainer": folder,
    }
    root = "Microsoft.PowerShell.Core\\FileSystem::"
    hidden = {"PSPath": root + entry.path, "PSParentPath": root + parent(entry.path), "PSChildName": entry.name}
    return Obj(kind, properties, entry.name, hidden, source=entry)


def key(vm: Vm, at: Place) -> Obj:
    """Return a registry key as an item."""
    found = vm.registry.key(at.registry) or Key(at.parts[-1] if at.parts else at.drive)
    full = long_name(at.registry)
    return Obj(
        "Microsoft.Win32.RegistryKey",
        {
            "Name": full, "Property": [value.name or "(default)" for value in found.values.values()],
            "PSChildName": found.name, "SubKeyCount": len(found.keys), "ValueCount": len(found.values),
        },
        full,
        hidden={"PSPath": f"Microsoft.PowerShell.Core\\Registry::{full}", "PSDrive": at.drive, "PSIsContainer": True,
                "PSParentPath": f"Microsoft.PowerShell.Core\\Registry::{full.rpartition(chr(92))[0]}"},
        methods={"GetValue": lambda name, *rest: _data(vm.registry.get(at.registry, str(name))) if
                 vm.registry.get(at.registry, str(name)) is not None else (rest[0] if rest else None)},
        source=at,
    )  # fmt: skip


def _data(data: Data | None) -> Value:
    return list(data) if isinstance(data, tuple) else data


def values(vm: Vm, at: Place, names: list[str]) -> Obj:
    """Return a key's values as Get-ItemProperty does; ``names`` empty: all."""
    found = vm.registry.key(at.registry)
    low = [name.lower() for name in names]
    properties: dict[str, Any] = {}
    for value in found.values.values() if found else ():
        shown = value.name or "(default)"
        if not low or shown.lower() in low:
            data = value.data
            signed = data - 2**32 if isinstance(data, int) and 2**31 <= data < 2**32 else data
            properties[shown] = list(signed) if isinstance(signed, (tuple, bytes)) else signed
    full = long_name(at.registry)
    base = "Microsoft.PowerShell.Core\\Registry::"
    properties |= {
        "PSPath": base + full, "PSParentPath": base + full.rpartition("\\")[0],
        "PSChildName": at.parts[-1] if at.parts else "", "PSDrive": at.drive,
        "PSProvider": "Microsoft.PowerShell.Core\\Registry",
    }  # fmt: skip
    return Obj("System.Management.Automation.PSCustomObject", properties)
