"""``certutil``: -hashfile, -encode, -decode, -encodehex on the VM's files; -store on its certificates.

Layout of -store as in output-formats.md (ruler with a number, the sha1 line, the unique container name); the
container name of the RDP key is rdp-repair.md 0a.5. The rest is common knowledge.
"""

import base64
import hashlib
from datetime import datetime

from serialfix.simulator.filesystem import absolute
from serialfix.simulator.programs import Process

_HASHES = {"MD5", "SHA1", "SHA256", "SHA384", "SHA512"}
NOT_FOUND = (
    "CertUtil: -{0} command FAILED: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)\r\n"
    "CertUtil: The system cannot find the file specified."
)
RDP_CONTAINER = "f686aace6942fb7f7ceb231212eef4a4"


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
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = args[0] if args else "CA"
    process.line(
        f'{name} "{"Personal" if name.lower() == "my" else name}"'
        if name.lower() != "ca"
        else 'CA "Intermediate Certification Authorities"'
    )
    number = 0
    for held in process.vm.certificates:
        if held.store.lower() != name.lower():
            continue
        certificate = x509.load_pem_x509_certificate(held.certificate_pem)
        serial = f"{certificate.serial_number:x}"
        process.line(f"================ Certificate {number} ================")
        process.line(f"Serial Number: {'0' * (len(serial) % 2)}{serial}")
        process.line(f"Issuer: {certificate.issuer.rfc4514_string()}")
        process.line(f" NotBefore: {_date(certificate.not_valid_before_utc)}")
        process.line(f" NotAfter: {_date(certificate.not_valid_after_utc)}")
        process.line(f"Subject: {certificate.subject.rfc4514_string()}")
        if certificate.issuer == certificate.subject:
            process.line("Signature matches Public Key\r\nRoot Certificate: Subject matches Issuer")
        process.line(f"Cert Hash(sha1): {certificate.fingerprint(hashes.SHA1()).hex()}")  # noqa: S303
        guid = str(process.vm.registry.get(r"HKLM\SOFTWARE\Microsoft\Cryptography", "MachineGuid"))
        process.line("  Key Container = TSSecKeySet1")
        process.line(f"  Unique container name: {RDP_CONTAINER}_{guid}")
        process.line("  Provider = Microsoft Strong Cryptographic Provider\r\nEncryption test passed")
        number += 1
    process.line("CertUtil: -store command completed successfully.")
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
    process.line(
        f"CertUtil: Unknown arg: {args[0] if args else ''}"
        if args
        else "CertUtil: -dump command completed successfully."
    )
    return -2147024809 if args else 0
