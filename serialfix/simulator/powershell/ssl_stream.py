r""".NET's SslStream: a real TLS handshake in memory, with what the VM's Schannel *client* side may offer.

Which versions that is: the keys ``SCHANNEL\Protocols\TLS n\Client`` (rdp-repair.md 2.5, of Microsoft's "TLS registry
settings": Enabled 0 is off for everybody; DisabledByDefault only for programs that do not name the version). A client
side that has nothing left says so before a byte is sent, with event 36871 of the type "client" (rdp-repair.md 2.5,
where it is called noise). What Schannel makes of an alert about the version, and whether .NET Framework gets TLS 1.3
when it asks for it by name, no source settles: the seed chooses.
"""

import functools
import hashlib
import ssl
import warnings
from collections.abc import Collection, Generator
from typing import TYPE_CHECKING

from serialfix.simulator.baseline import SCHANNEL
from serialfix.simulator.powershell import exceptions
from serialfix.simulator.powershell.errors import Record, Thrown
from serialfix.simulator.powershell.sockets import Connection, Waits
from serialfix.simulator.powershell.values import Block, Enum, Obj, Value, number, one, text, truth
from serialfix.simulator.programs import Request
from serialfix.simulator.stores import Held
from serialfix.simulator.vm import PROTOCOLS, Vm, stream

if TYPE_CHECKING:
    from serialfix.simulator.powershell.evaluator import Evaluator

MISMATCH, ILLEGAL, UNSUPPORTED = 0x80090331, 0x80090326, 0x80090302
SSPI_TEXTS = {
    MISMATCH: "The client and server cannot communicate, because they do not possess a common algorithm",
    ILLEGAL: "The message received was unexpected or badly formatted",
    UNSUPPORTED: "The function requested is not supported",
}
NAMES = {"None": 0, "Ssl2": 12, "Ssl3": 48, "Tls": 192, "Default": 240, "Tls11": 768, "Tls12": 3072, "Tls13": 12288}
_BITS = {"TLSv1": 192, "TLSv1.1": 768, "TLSv1.2": 3072, "TLSv1.3": 12288}
_OPTIONS = {
    "TLSv1": ssl.OP_NO_TLSv1,
    "TLSv1.1": ssl.OP_NO_TLSv1_1,
    "TLSv1.2": ssl.OP_NO_TLSv1_2,
    "TLSv1.3": ssl.OP_NO_TLSv1_3,
}
_CHUNK = 16_384


def names(vm: Vm) -> tuple[str, ...]:
    """Return the names that SslProtocols has; Tls13 came with .NET 4.8, which is Server 2022's."""
    return tuple(name for name in NAMES if name != "Tls13" or vm.edition.build >= 20348)


def protocols(value: Value, among: Collection[str] = tuple(NAMES)) -> int:
    """Return a value as SslProtocols. Raises ValueError."""
    known = {name.lower(): NAMES[name] for name in among}
    if isinstance(value, str):
        bits = 0
        for name in value.split(","):
            if name.strip().lower() not in known:
                raise ValueError(f"Unable to match the identifier name {name.strip()} to a valid enumerator name.")
            bits |= known[name.strip().lower()]
        return bits
    bits = int(number(value))
    if bits & ~functools.reduce(lambda a, b: a | b, known.values()):
        raise ValueError(f"the enumeration value {bits} is not valid")
    return bits


def named(bits: int) -> Enum:
    """Return SslProtocols as .NET shows them."""
    exact = [name for name, value in NAMES.items() if value == bits]
    parts = exact or [name for name, value in NAMES.items() if value and name != "Default" and value & bits == value]
    whole = functools.reduce(lambda a, b: a | b, (NAMES[name] for name in parts), 0) == bits
    return Enum(bits, ", ".join(parts) if whole else str(bits), "System.Security.Authentication.SslProtocols")


def offered(vm: Vm, wanted: int) -> frozenset[str]:
    """Return the versions that Schannel's client side offers to a program that asks for ``wanted`` (0: the default)."""
    found = set[str]()
    for version, folder in PROTOCOLS.items():
        path = rf"{SCHANNEL}\Protocols\{folder}\Client"
        enabled, by_default = vm.registry.number(path, "Enabled"), vm.registry.number(path, "DisabledByDefault")
        if enabled == 0 or (enabled is None and version not in vm.edition.tls):
            continue
        if (wanted & _BITS[version]) if wanted else not by_default:
            found.add(version)
    if vm.edition.build < 20348 or (wanted and not _names_newest(vm)):
        found.discard("TLSv1.3")
    return frozenset(found)


def _names_newest(vm: Vm) -> bool:
    return stream(vm.seed, "TLS 1.3 by name").random() < 0.5


def default(vm: Vm) -> int:
    """What one argument alone asks for: SSL 3.0 and TLS 1.0 in PowerShell's .NET, until it left that to Windows."""
    return 0 if vm.edition.build >= 20348 else NAMES["Default"]


@functools.lru_cache(maxsize=32)
def _context(versions: frozenset[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        # The library calls the old versions deprecated; which ones are used is the point here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        for version, option in _OPTIONS.items():
            if version not in versions:
                context.options |= option
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def ssl_stream(evaluator: "Evaluator", arguments: list[Value]) -> Obj:
    """Return an SslStream over a NetworkStream. Raises Thrown."""
    inner = arguments[0]
    if not isinstance(inner, Obj) or not isinstance(inner.source, Connection):
        cause = exceptions.exception(
            "System.ArgumentNullException", "Value cannot be null.\r\nParameter name: innerStream"
        )
        raise exceptions.from_method(".ctor", len(arguments), cause)
    callback = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], Block) else None
    kind = "System.Net.Security.SslStream"
    found = Obj(kind, {}, kind, source=inner.source)
    found.properties.update(
        {
            "IsAuthenticated": False, "IsMutuallyAuthenticated": False, "IsEncrypted": False, "IsSigned": False,
            "IsServer": False, "SslProtocol": named(0), "CipherAlgorithm": "None", "CipherStrength": 0,
            "HashAlgorithm": "None", "KeyExchangeAlgorithm": "None", "KeyExchangeStrength": 0,
            "LocalCertificate": None, "RemoteCertificate": None, "CanRead": False, "CanTimeout": True,
            "CanWrite": False,
        }
    )  # fmt: skip
    connection = inner.source

    def authenticate(*given: Value) -> Waits:
        if len(given) not in {1, 3, 4}:
            raise TypeError
        return shake_hands(given)

    def shake_hands(given: tuple[Value, ...]) -> Waits:
        vm = evaluator.vm
        try:
            wanted = protocols(given[2], names(vm)) if len(given) == 4 else default(vm)
        except ValueError as error:
            raise _no_such_protocol(text(given[2]), str(error)) from None
        tls, problem = yield from _shake(vm, connection, offered(vm, wanted), text(given[0]))
        if tls is None:
            raise exceptions.from_method("AuthenticateAsClient", len(given), problem or exceptions.io_error("?"))
        _describe(evaluator, found, tls)
        if not (yield from _accepted(evaluator, found, callback)):
            said = "The remote certificate is invalid according to the validation procedure."
            refused = exceptions.exception("System.Security.Authentication.AuthenticationException", said)
            raise exceptions.from_method("AuthenticateAsClient", len(given), refused)
        return None

    found.methods.update({"AuthenticateAsClient": authenticate, "Close": connection.close, "Dispose": connection.close})
    return found


def _no_such_protocol(value: str, why: str) -> Thrown:
    said = (
        f'Cannot convert argument "enabledSslProtocols", with value: "{value}", for "AuthenticateAsClient" to type '
        f'"System.Security.Authentication.SslProtocols": "Cannot convert value "{value}" to type '
        f'"System.Security.Authentication.SslProtocols" due to enumeration values that are not valid: {why}"'
    )
    record = Record(said, "NotSpecified", ":", "", "MethodException", "MethodArgumentConversionInvalidCastArgument")
    return Thrown(record)


def _shake(
    vm: Vm, connection: Connection, versions: frozenset[str], host: str
) -> Generator[Request, str, tuple[ssl.SSLObject | None, Obj | None]]:
    """Make the handshake; return it, or None and the exception that ended it."""
    if not versions:
        text_of = "A fatal error occurred while creating a TLS client credential. The internal error state is 10013."
        vm.event("System", "Schannel", 36871, 2, text_of, Type="client", ErrorState="10013")
        return None, exceptions.sspi_error(MISMATCH, SSPI_TEXTS[MISMATCH])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = _context(versions).wrap_bio(incoming, outgoing, server_hostname=host or None)
    came = b""
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            done = False
        except ssl.SSLError as error:
            return None, _refused(vm, came, error.reason or "")
        else:
            done = True
        if outgoing.pending:
            try:
                connection.write(outgoing.read())
            except Thrown as thrown:
                return None, exceptions.innermost(thrown.record.thrown)
        if done:
            return tls, None
        problem, data = yield from connection.receive(_CHUNK)
        if problem is not None:
            return None, problem
        if not data:
            return None, exceptions.io_error(
                "Authentication failed because the remote party has closed the transport stream."
            )
        came = came or data[:5]
        incoming.write(data)


def _refused(vm: Vm, came: bytes, reason: str) -> Obj:
    """What .NET throws when OpenSSL's client, in Schannel's place, gives up."""
    if came[:1] not in {b"\x15", b"\x16"}:
        return exceptions.io_error("The handshake failed due to an unexpected packet format.")
    code = ILLEGAL
    if "PROTOCOL" in reason or "VERSION" in reason:
        code = stream(vm.seed, "alert about the version").choice((ILLEGAL, UNSUPPORTED, MISMATCH))
    return exceptions.sspi_error(code, SSPI_TEXTS[code])


def _describe(evaluator: "Evaluator", found: Obj, tls: ssl.SSLObject) -> None:
    cipher = tls.cipher() or ("", "", 0)
    der = tls.getpeercert(binary_form=True) or b""
    bits = int(cipher[2] or 0)
    found.properties |= {
        "IsAuthenticated": True, "IsEncrypted": True, "IsSigned": True, "CanRead": True, "CanWrite": True,
        "SslProtocol": named(_BITS.get(tls.version() or "", 0)), "CipherAlgorithm": f"Aes{bits}",
        "CipherStrength": bits, "HashAlgorithm": "Sha384" if "SHA384" in cipher[0] else "Sha256",
        "KeyExchangeAlgorithm": "44550" if "RSA-" in cipher[0] or cipher[1] == "TLSv1.3" else "RsaKeyX",
        "KeyExchangeStrength": 255, "RemoteCertificate": certificate(evaluator, der) if der else None,
    }  # fmt: skip


def certificate(evaluator: "Evaluator", der: bytes) -> Obj:
    """Return a certificate that is in no store."""
    from serialfix.simulator.powershell.cmdlets import drives

    thumbprint = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    found = drives.certificate(evaluator.vm, Held("", thumbprint, der, None))
    found.hidden.clear()
    return found


def _accepted(evaluator: "Evaluator", found: Obj, callback: Block | None) -> Generator[Request, str, bool]:
    """Ask the validation callback; without one, a certificate that nobody vouches for is refused."""
    if callback is None:
        return False
    chain = Obj("System.Security.Cryptography.X509Certificates.X509Chain", {})
    errors = "RemoteCertificateNameMismatch, RemoteCertificateChainErrors"
    answer = yield from evaluator.run_block(callback, [], [found, found.get("RemoteCertificate"), chain, errors])
    return truth(one(answer))
