""".NET exceptions as objects: type, message, HResult, the number of a Windows error, the exception within.

What a method throws reaches PowerShell as a MethodInvocationException around it (about_Try_Catch_Finally). Numbers:
Microsoft's "HRESULT values" and "Windows Sockets error codes"; texts are common knowledge.
"""

from serialfix.simulator.powershell.errors import Record, Thrown
from serialfix.simulator.powershell.values import Obj

E_FAIL, COR_E_SYSTEM, COR_E_IO = 0x80004005, 0x80131501, 0x80131620
SOCKET_TEXTS = {
    10035: "A non-blocking socket operation could not be completed immediately",
    10054: "An existing connection was forcibly closed by the remote host",
    10057: "A request to send or receive data was disallowed because the socket is not connected and (when sending on "
    "a datagram socket using a sendto call) no address was supplied",
    10060: "A connection attempt failed because the connected party did not properly respond after a period of time, "
    "or established connection failed because connected host has failed to respond",
    10061: "No connection could be made because the target machine actively refused it",
    11001: "No such host is known",
}


def signed(number: int) -> int:
    """Return a 32-bit number as .NET shows it."""
    return number - 2**32 if number >= 2**31 else number


def exception(
    kind: str, message: str, *, hresult: int = COR_E_SYSTEM, native: int | None = None, inner: Obj | None = None
) -> Obj:
    """Return an exception. ``native``: the number of Windows' error, for those that have one."""
    properties: dict[str, object] = {
        "Message": message, "Data": "System.Collections.ListDictionaryInternal", "InnerException": inner,
        "HResult": signed(hresult),
    }  # fmt: skip
    if native is not None:
        properties |= {"NativeErrorCode": signed(native), "ErrorCode": signed(native)}
    if kind.endswith("SocketException") and native is not None:
        properties["SocketErrorCode"] = _SOCKET_NAMES.get(native, str(native))
    found = Obj(kind, properties, f"{kind}: {message}")
    found.methods["GetBaseException"] = lambda: innermost(found)
    return found


_SOCKET_NAMES = {10035: "WouldBlock", 10054: "ConnectionReset", 10057: "NotConnected", 10060: "TimedOut",
                 10061: "ConnectionRefused", 11001: "HostNotFound"}  # fmt: skip


def innermost(found: Obj) -> Obj:
    """Return the exception at the bottom."""
    while isinstance(inner := found.get("InnerException"), Obj):
        found = inner
    return found


def chain(found: Obj) -> list[Obj]:
    """Return an exception and all within it, the outermost first."""
    kept = [found]
    while isinstance(inner := kept[-1].get("InnerException"), Obj):
        kept.append(inner)
    return kept


def socket_error(number: int, where: str = "") -> Obj:
    """Return a SocketException. ``where``: the address and port that its text ends with."""
    said = SOCKET_TEXTS.get(number, "Unknown error") + (f" {where}" if where else "")
    return exception("System.Net.Sockets.SocketException", said, hresult=E_FAIL, native=number)


def sspi_error(number: int, message: str) -> Obj:
    """Return what SslStream throws when Schannel refuses."""
    inner = exception("System.ComponentModel.Win32Exception", message, hresult=E_FAIL, native=number)
    said = "A call to SSPI failed, see inner exception."
    return exception("System.Security.Authentication.AuthenticationException", said, inner=inner)


def io_error(message: str, inner: Obj | None = None) -> Obj:
    """Return an IOException."""
    return exception("System.IO.IOException", message, hresult=COR_E_IO, inner=inner)


def from_method(method: str, arguments: int, cause: Obj) -> Thrown:
    """Return what PowerShell makes of an exception that a method throws."""
    said = f'Exception calling "{method}" with "{arguments}" argument(s): "{cause.get("Message")}"'
    short = cause.kind.rpartition(".")[2]
    outer = exception("System.Management.Automation.MethodInvocationException", said, inner=cause)
    return Thrown(Record(said, "NotSpecified", ":", "", "MethodInvocationException", short, outer))
