""".NET's TcpClient and NetworkStream over the VM's own ports; nothing leaves the simulator.

Methods that wait are generators, as all that takes the VM's time. Common knowledge (.NET Framework 4.x): a refused
connection takes two seconds, as Windows tries three times; one that nobody answers 21; a read without a time limit
waits until the other side ends.
"""

from collections.abc import Callable, Generator, MutableSequence
from dataclasses import dataclass

from serialfix.simulator.powershell import exceptions, far_end
from serialfix.simulator.powershell.far_end import FarEnd
from serialfix.simulator.powershell.values import Obj, Value, number, text
from serialfix.simulator.programs import Request, Sleep
from serialfix.simulator.vm import Vm

Waits = Generator[Request, str, Value]
REFUSED, UNANSWERED = 2.0, 21.0  # seconds
FOREVER = 86_400.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(slots=True)
class Connection:
    """One connection as both TcpClient and NetworkStream hold it. ``limit``: seconds a read may take; None: any."""

    vm: Vm
    far: FarEnd | None = None
    client: Obj | None = None
    stream: Obj | None = None
    came: bytes = b""
    where: str = ""
    closed: bool = False

    @property
    def limit(self) -> float | None:
        """How long a read may take."""
        values = [
            each.get(name) for each, name in ((self.stream, "ReadTimeout"), (self.client, "ReceiveTimeout")) if each
        ]
        given = [number(value) for value in values if value is not None and number(value) > 0]
        return min(given) / 1000 if given else None

    def write(self, data: bytes) -> None:
        """Send. Raises Thrown."""
        if self.far is None or self.closed:
            raise exceptions.from_method("Write", 3, self._gone())
        if self.far.state != "open":
            raise exceptions.from_method("Write", 3, _transport("write data to", 10054))
        self.far.take(data)
        self.came += self.far.give()

    def read(self, method: str, arguments: int, most: int) -> Generator[Request, str, bytes]:
        """Receive up to ``most`` bytes; none when the other side has ended. Raises Thrown."""
        problem, data = yield from self.receive(most)
        if problem is not None:
            raise exceptions.from_method(method, arguments, problem)
        return data

    def receive(self, most: int) -> Generator[Request, str, tuple[Obj | None, bytes]]:
        """Receive up to ``most`` bytes, or an exception."""
        if self.far is None or self.closed:
            return self._gone(), b""
        self.came += self.far.give()
        if not self.came and self.far.state == "open":
            limit, idle = self.limit, self.far.idle
            yield Sleep(min(idle, FOREVER if limit is None else limit))
            self.came += self.far.give()
            if not self.came:
                if limit is not None and limit < idle:
                    return _transport("read data from", 10060), b""
                self.far.leave()
                return None, b""
        if not self.came and self.far.state == "reset":
            return _transport("read data from", 10054), b""
        data, self.came = self.came[:most], self.came[most:]
        return None, data

    def close(self) -> None:
        """End it from this side."""
        if self.far is not None and not self.closed:
            self.far.leave()
        self.closed = True

    def _gone(self) -> Obj:
        said = "Cannot access a disposed object.\r\nObject name: 'System.Net.Sockets.NetworkStream'."
        return exceptions.exception("System.ObjectDisposedException", said, hresult=0x80131622)


def _transport(what: str, number_of: int) -> Obj:
    inner = exceptions.socket_error(number_of)
    return exceptions.io_error(f"Unable to {what} the transport connection: {inner.get('Message')}.", inner)


@dataclass(slots=True)
class _Pending:
    """A connection under way: what comes of it, and when."""

    vm: Vm
    due: float
    far: FarEnd | None
    problem: Obj | None

    def wait(self, seconds: float) -> Generator[Request, str, bool]:
        """Let time pass; whether it is decided now."""
        left = max(0.0, self.due - self.vm.now)
        if min(left, seconds) > 0:
            yield Sleep(min(left, seconds))
        return left <= seconds


def _begin(vm: Vm, host: Value, port: Value) -> _Pending:
    name, wanted = text(host), int(number(port))
    if name.lower() not in {*LOOPBACK, vm.name.lower(), vm.addresses[0]}:
        if not name.replace(".", "").isdigit():
            return _Pending(vm, vm.now + 1.0, None, exceptions.socket_error(11001))
        return _Pending(vm, vm.now + UNANSWERED, None, exceptions.socket_error(10060, f"{name}:{wanted}"))
    address = "127.0.0.1" if name.lower() == "localhost" else name
    far = far_end.connect(vm, wanted)
    if far is None:
        return _Pending(vm, vm.now + REFUSED, None, exceptions.socket_error(10061, f"{address}:{wanted}"))
    return _Pending(vm, vm.now, far, None)


def tcp_client(vm: Vm, arguments: list[Value]) -> Waits:
    """Return a TcpClient, connected where a host and a port are given. Raises Thrown."""
    connection = Connection(vm)
    found = Obj("System.Net.Sockets.TcpClient", {}, "System.Net.Sockets.TcpClient")
    connection.client = found
    pending: dict[int, _Pending] = {}

    def settle(way: _Pending) -> Obj | None:
        if way.far is not None:
            connection.far = way.far
        return way.problem

    def connect(host: Value, port: Value, *, method: str = "Connect") -> Waits:
        way = _begin(vm, host, port)
        yield from way.wait(FOREVER)
        if (problem := settle(way)) is not None:
            raise exceptions.from_method(method, 2, problem)
        return None

    def connect_async(host: Value, port: Value) -> Value:
        way = _begin(vm, host, port)

        def wait(milliseconds: Value = None) -> Waits:
            done = yield from way.wait(FOREVER if milliseconds is None else number(milliseconds) / 1000)
            if done and (problem := settle(way)) is not None:
                said = "One or more errors occurred."
                gathered = exceptions.exception("System.AggregateException", said, inner=problem)
                raise exceptions.from_method("Wait", 0 if milliseconds is None else 1, gathered)
            return done if milliseconds is not None else None

        def completed() -> bool:
            done = vm.now >= way.due
            return done and (settle(way) is None or True)

        return Obj(
            "System.Threading.Tasks.Task",
            {
                "IsCompleted": completed,
                "IsFaulted": lambda: completed() and way.problem is not None,
                "Status": lambda: "Faulted" if completed() and way.problem else "RanToCompletion" if completed() else
                "WaitingForActivation",
            },
            methods={"Wait": wait},
        )  # fmt: skip

    def begin_connect(host: Value, port: Value, *_: Value) -> Value:
        way = _begin(vm, host, port)

        def wait_one(milliseconds: Value = None, *_: Value) -> Waits:
            seconds = FOREVER if milliseconds is None or number(milliseconds) < 0 else number(milliseconds) / 1000
            done = yield from way.wait(seconds)
            if done:
                settle(way)
            return done

        handle = Obj("System.Threading.ManualResetEvent", {}, methods={"WaitOne": wait_one, "Close": lambda: None})
        result = Obj(
            "System.Net.Sockets.Socket+MultipleAddressConnectAsyncResult",
            {"AsyncState": None, "AsyncWaitHandle": handle, "CompletedSynchronously": False,
             "IsCompleted": lambda: vm.now >= way.due},
        )  # fmt: skip
        pending[id(result)] = way
        return result

    def end_connect(result: Value) -> Waits:
        way = pending[id(result)]
        yield from way.wait(FOREVER)
        if (problem := settle(way)) is not None:
            raise exceptions.from_method("EndConnect", 1, problem)
        return None

    def get_stream() -> Value:
        if connection.far is None:
            said = "The operation is not allowed on non-connected sockets."
            cause = exceptions.exception("System.InvalidOperationException", said, hresult=0x80131509)
            raise exceptions.from_method("GetStream", 0, cause)
        connection.stream = connection.stream or _stream(connection)
        return connection.stream

    found.properties.update(
        {
            "Client": "System.Net.Sockets.Socket",
            "Available": lambda: len(connection.came),
            "Connected": lambda: connection.far is not None and not connection.closed,
            "ExclusiveAddressUse": False, "ReceiveBufferSize": 65536, "SendBufferSize": 65536, "ReceiveTimeout": 0,
            "SendTimeout": 0, "LingerState": "System.Net.Sockets.LingerOption", "NoDelay": False,
        }
    )  # fmt: skip
    methods: dict[str, Callable[..., Value]] = {
        "Connect": connect, "ConnectAsync": connect_async, "BeginConnect": begin_connect, "EndConnect": end_connect,
        "GetStream": get_stream, "Close": connection.close, "Dispose": connection.close,
    }  # fmt: skip
    found.methods.update(methods)
    if len(arguments) == 2:
        yield from connect(arguments[0], arguments[1], method=".ctor")
    return found


def _stream(connection: Connection) -> Obj:
    def read(buffer: Value, offset: Value, size: Value) -> Waits:
        begin, most = int(number(offset)), int(number(size))
        if not isinstance(buffer, MutableSequence) or begin < 0 or most < 0 or begin + most > len(buffer):
            said = "Specified argument was out of the range of valid values.\r\nParameter name: size"
            cause = exceptions.exception("System.ArgumentOutOfRangeException", said, hresult=0x80131502)
            raise exceptions.from_method("Read", 3, cause)
        if not most:
            return 0
        data = yield from connection.read("Read", 3, most)
        buffer[begin : begin + len(data)] = list(data)
        return len(data)

    def read_byte() -> Waits:
        data = yield from connection.read("ReadByte", 0, 1)
        return data[0] if data else -1

    def write(data: Value, offset: Value, size: Value) -> None:
        begin = int(number(offset))
        connection.write(_bytes(data)[begin : begin + int(number(size))])

    return Obj(
        "System.Net.Sockets.NetworkStream",
        {
            "CanRead": True, "CanSeek": False, "CanTimeout": True, "CanWrite": True,
            "DataAvailable": lambda: bool(connection.came), "ReadTimeout": -1, "WriteTimeout": -1,
        },
        methods={
            "Read": read, "ReadByte": read_byte, "Write": write,
            "WriteByte": lambda value: connection.write(_bytes([value])), "Flush": lambda: None,
            "Close": connection.close, "Dispose": connection.close,
        },
        source=connection,
    )  # fmt: skip


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else bytes(int(number(each)) for each in value)
