"""``certutil``: -hashfile, -encode, -decode, -encodehex on the VM's files; -store, -delstore on its certificates.

Layout of -store as in output-formats.md (ruler with a number, the sha1 line, the unique container name); the
container name of the RDP key is rdp-repair.md 0a.5. The rest is common knowledge.
"""

import base64
import hashlib
from datetime import datetime

from serialfix.simulator import key_files, rdp_certificate, stores
from serialfix.simulator.filesystem import absolute
from serialfix.simulator.programs import Process

_HASHES = {"MD5", "SHA1", "SHA256", "SHA384", "SHA512"}
NOT_FOUND = (
    "CertUtil: -{0} command FAILED: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)\r\n"
    "CertUtil: The system cannot find the file specified."
)


def _date(when: datetime) -> str:
    return f"{when.month}/{when.day}/{when.year} {when.hour % 12 or 12}:{when:%M %p}"


def _hash(process: Process, args: list[str]) -> int:
    kind = args[1].upper() if len(args) > 1 else "SHA1"
    if kind not in _HASHES:
        process.line("CertUtil: -hashfile command FAILED: 0xd00000bb (-805306181)")
        return 0xD00000BB - 2**32
    entry = process.vm.files.find(absolute(args[0], process.cwd))
    if entry is None or entry.data is None:
        process.line(NOT_FOUND.format("hashfile"))
        return -2147024894
    digest = hashlib.new(kind.lower(), entry.data, usedforsecurity=False).hexdigest()
    if process.vm.edition.build == 14393:  # 2016 and before print pairs
        digest = " ".join(digest[i : i + 2] for i in range(0, len(digest), 2))
    process.line(f"{kind} hash of {args[0]}:\r\n{digest}\r\nCertUtil: -hashfile command completed successfully.")
    return 0


def _hex(data: bytes) -> str:
    rows = []
    for at in range(0, len(data), 16):
        piece = data[at : at + 16]
        pairs = " ".join(f"{b:02x}" for b in piece[:8]) + "  " + " ".join(f"{b:02x}" for b in piece[8:])
        shown = "".join(chr(b) if 32 <= b < 127 else "." for b in piece)
        rows.append(f"{at:04x}  {pairs:48}   {shown}")
    return "\r\n".join(rows) + "\r\n"


def _convert(process: Process, verb: str, args: list[str]) -> int:
    if len(args) < 2:
        process.line(f"Expected at least 2 args, received {len(args)}\r\nCertUtil: Missing argument")
        return -2147024809
    entry = process.vm.files.find(absolute(args[0], process.cwd))
    if entry is None or entry.data is None:
        process.line(NOT_FOUND.format(verb))
        return -2147024894
    target = absolute(args[1], process.cwd)
    if process.vm.files.find(target) is not None and "-f" not in process.args:
        process.line(
            f"EncodeToFile returned The file exists. 0x80070050 (WIN32: 80 ERROR_FILE_EXISTS)\r\n"
            f"CertUtil: -{verb} command FAILED: 0x80070050 (WIN32: 80 ERROR_FILE_EXISTS)\r\nCertUtil: The file exists."
        )
        return -2147024816
    if verb == "encode":
        text = base64.b64encode(entry.data).decode()
        lines = "\r\n".join(text[i : i + 64] for i in range(0, len(text), 64))
        data = f"-----BEGIN CERTIFICATE-----\r\n{lines}\r\n-----END CERTIFICATE-----\r\n".encode()
    elif verb == "encodehex":
        data = _hex(entry.data).encode()
    else:
        text = entry.data.decode("ascii", "replace")
        body = "".join(line.strip() for line in text.splitlines() if not line.startswith("-----"))
        try:
            data = base64.b64decode(body, validate=True)
        except ValueError:
            process.line(
                "DecodeFile returned The data is invalid. 0x8007000d (WIN32: 13 ERROR_INVALID_DATA)\r\n"
                "CertUtil: -decode command FAILED: 0x8007000d (WIN32: 13 ERROR_INVALID_DATA)\r\n"
                "CertUtil: The data is invalid."
            )
            return -2147024883
    process.vm.files.write(target, data, process.vm.now)
    process.line(
        f"Input Length = {len(entry.data)}\r\nOutput Length = {len(data)}\r\n"
        f"CertUtil: -{verb} command completed successfully."
    )
    return 0


def _store(process: Process, args: list[str]) -> int:
    name = args[0] if args else "CA"
    store = stores.true_name(name) or name
    process.line(
        f'{name} "{"Personal" if name.lower() == "my" else store}"'
        if name.lower() != "ca"
        else 'CA "Intermediate Certification Authorities"'
    )
    for number, held in enumerate(stores.held(process.vm.registry, store)):
        _certificate(process, number, held)
    process.line("CertUtil: -store command completed successfully.")
    return 0


def _certificate(process: Process, number: int, held: stores.Held) -> None:
    certificate, vm = held.certificate, process.vm
    serial = f"{certificate.serial_number:x}"
    process.line(f"================ Certificate {number} ================")
    process.line(f"Serial Number: {'0' * (len(serial) % 2)}{serial}")
    process.line(f"Issuer: {certificate.issuer.rfc4514_string()}")
    process.line(f" NotBefore: {_date(certificate.not_valid_before_utc)}")
    process.line(f" NotAfter: {_date(certificate.not_valid_after_utc)}")
    process.line(f"Subject: {certificate.subject.rfc4514_string()}")
    if held.self_signed:
        process.line("Signature matches Public Key\r\nRoot Certificate: Subject matches Issuer")
    process.line(f"Cert Hash(sha1): {held.thumbprint.lower()}")
    if held.provider is None:
        return
    process.line(f"  Key Container = {held.provider.container}")
    file = vm.files.find(key_files.path(vm.registry, held.provider.container))
    if file is not None:
        process.line(f"  Unique container name: {file.name}")
    process.line(f"  Provider = {held.provider.provider}")
    state, _ = rdp_certificate.key_state(vm, held, process.token)
    if state == "usable":
        process.line("Encryption test passed")
    elif state == "denied":
        process.line("ERROR: Could not acquire the private key: 0x80070005 (WIN32: 5 ERROR_ACCESS_DENIED)")
    else:
        process.line("Missing stored keyset")


def _delete(process: Process, args: list[str]) -> int:
    """Run -delstore: by thumbprint or number."""
    if len(args) < 2:
        process.line(f"Expected at least 2 args, received {len(args)}\r\nCertUtil: Missing argument")
        return -2147024809
    store = stores.true_name(args[0]) or args[0]
    wanted = args[1].replace(" ", "").upper()
    process.line(f'{args[0]} "{store}"')
    code = -2146885628
    for number, held in enumerate(stores.held(process.vm.registry, store)):
        if wanted in {held.thumbprint, str(number)}:
            stores.remove(process.vm.registry, store, held.thumbprint)
            process.line(f"Deleting Certificate {number}")
            code = 0
    if code:
        process.line(
            "CertUtil: -delstore command FAILED: 0x80092004 (-2146885628 CRYPT_E_NOT_FOUND)\r\n"
            "CertUtil: Cannot find object or property."
        )
        return code
    process.line("CertUtil: -delstore command completed successfully.")
    return 0


def certutil(process: Process) -> int:
    """Run ``certutil``."""
    args = [arg for arg in process.args if arg.lower() not in {"-f", "/f", "-v", "-q", "-silent"}]
    verb = args[0].lower().lstrip("-/") if args else ""
    if verb == "hashfile" and len(args) > 1:
        return _hash(process, args[1:])
    if verb in {"encode", "decode", "encodehex"}:
        return _convert(process, verb, args[1:])
    if verb == "store":
        return _store(process, args[1:])
    if verb == "delstore":
        return _delete(process, args[1:])
    process.line(
        f"CertUtil: Unknown arg: {args[0] if args else ''}"
        if args
        else "CertUtil: -dump command completed successfully."
    )
    return -2147024809 if args else 0
