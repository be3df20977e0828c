"""All TCP ports of the VM that a client outside may find something on, each on a port of 127.0.0.1.

VM port 3389 is the announced one all its life. Another port (RDP was moved, or a program took it) gets the same number
here when it is free, else any; ``GET /simulator/ports`` says which.
"""

import asyncio
import logging
from collections.abc import Callable

from serialfix.simulator.rdp import POLL, RdpServer
from serialfix.simulator.rdp_port import RdpPort

log = logging.getLogger(__name__)


class RdpPorts:
    """Follows the VM: ``open_ports`` says which of its ports may answer, ``state`` how one does."""

    def __init__(
        self,
        front: RdpServer,
        open_ports: Callable[[], tuple[int, ...]],
        state: Callable[[int], RdpPort],
        attempt: Callable[[bool], None],
        idle: float,
    ) -> None:
        self._open_ports, self._state, self._attempt, self._idle = open_ports, state, attempt, idle
        self._servers: dict[int, RdpServer] = {3389: front}
        self._poll: asyncio.Task[None] | None = None

    def addresses(self) -> dict[str, str]:
        """Return where each VM port is reached."""
        return {str(number): f"127.0.0.1:{server.port}" for number, server in sorted(self._servers.items())}

    async def start(self) -> None:
        """Serve the ports of this moment, then follow."""
        await self.follow()
        self._poll = asyncio.get_running_loop().create_task(self._always())

    async def follow(self) -> None:
        """Serve the ports that came; those that went stay and refuse."""
        for number in self._open_ports():
            if number not in self._servers:
                server = self._server(number)
                self._servers[number] = server
                await server.start()

    def _server(self, number: int) -> RdpServer:
        def state() -> RdpPort:
            return self._state(number)

        try:
            return RdpServer(state, attempt=self._attempt, idle=self._idle, port=number)
        except OSError:
            return RdpServer(state, attempt=self._attempt, idle=self._idle)

    async def _always(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            try:
                await self.follow()
            except OSError as error:
                log.warning("another RDP port: %s", error)

    async def close(self) -> None:
        """Stop following and close every port but the front one, which is its maker's."""
        if self._poll is not None:
            self._poll.cancel()
            await asyncio.gather(self._poll, return_exceptions=True)
        for number, server in self._servers.items():
            if number != 3389:
                await server.close()
