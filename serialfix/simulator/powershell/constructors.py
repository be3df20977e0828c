"""The .NET classes that can be made with New-Object or ``[Type]::new()``. Common knowledge.

In ConstrainedLanguage only core types can be made (rdp-repair.md 0a.13; about_Language_Modes).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from serialfix.simulator.powershell import sockets, ssl_stream
from serialfix.simulator.powershell.errors import Record, Thrown
from serialfix.simulator.powershell.values import ByteArray, Obj, Value, number, text

if TYPE_CHECKING:
    from serialfix.simulator.powershell.evaluator import Evaluator


def _certificate(evaluator: "Evaluator", arguments: list[Value]) -> Value:
    given = arguments[0]
    der = given.get("RawData") if isinstance(given, Obj) else bytes(int(number(each)) for each in given)
    return ssl_stream.certificate(evaluator, der)


def _bytes(evaluator: "Evaluator", arguments: list[Value]) -> Value:
    del evaluator
    return ByteArray([0] * int(number(arguments[0])))


# A constructor that waits returns a generator.
CONSTRUCTORS: dict[str, Callable[["Evaluator", list[Value]], Value]] = {
    "byte[]": _bytes,
    "Net.Sockets.TcpClient": lambda evaluator, arguments: sockets.tcp_client(evaluator.vm, arguments),
    "Net.Security.SslStream": ssl_stream.ssl_stream,
    "Security.Cryptography.X509Certificates.X509Certificate": _certificate,
    "Security.Cryptography.X509Certificates.X509Certificate2": _certificate,
}
# What the objects made here, and those they give, can do.
METHODS: dict[str, tuple[str, ...]] = {
    "Net.Sockets.TcpClient": (
        "Connect", "ConnectAsync", "BeginConnect", "EndConnect", "GetStream", "Close", "Dispose",
    ),
    "Net.Sockets.NetworkStream": ("Read", "ReadByte", "Write", "WriteByte", "Flush", "Close", "Dispose"),
    "Net.Security.SslStream": ("AuthenticateAsClient", "Close", "Dispose"),
    "Security.Cryptography.X509Certificates.X509Certificate2": ("GetCertHashString", "GetRawCertData"),
    "Threading.Tasks.Task": ("Wait",),
    "Threading.ManualResetEvent": ("WaitOne", "Close"),
    "Exception": ("GetBaseException",),
}  # fmt: skip
_CORE = frozenset({"byte[]"})


def known(name: str) -> bool:
    """Say whether there is a constructor for a type."""
    return _find(name) is not None


def construct(evaluator: "Evaluator", name: str, arguments: list[Value]) -> Value:
    """Make an object, or return a generator that makes it while time passes. Raises Thrown."""
    found = _find(name)
    if found is None:
        raise Thrown(Record(f"Unable to find type [{name}].", "InvalidOperation", f"{name}:TypeName", "",
                            "RuntimeException", "TypeNotFound"))  # fmt: skip
    key, make = found
    if evaluator.shared.mode == "ConstrainedLanguage" and key not in _CORE:
        raise Thrown(
            Record("Cannot create type. Only core types are supported in this language mode.", "PermissionDenied",
                   ":", "New-Object", "PSNotSupportedException",
                   "CannotCreateTypeConstrainedLanguage,Microsoft.PowerShell.Commands.NewObjectCommand")
        )  # fmt: skip
    try:
        return make(evaluator, arguments)
    except (IndexError, TypeError):
        raise Thrown(
            Record(f'A constructor was not found. Cannot find an appropriate constructor for type {text(name)}.',
                   "ObjectNotFound", ":", "New-Object", "PSArgumentException",
                   "CannotFindAppropriateCtor,Microsoft.PowerShell.Commands.NewObjectCommand")
        ) from None  # fmt: skip


def _find(name: str) -> tuple[str, Callable[["Evaluator", list[Value]], Value]] | None:
    low = name.lower().removeprefix("system.")
    return next(((key, make) for key, make in CONSTRUCTORS.items() if key.lower() == low), None)
