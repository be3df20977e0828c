"""What tests and the demo may ask the simulator itself: the VM's true state, and the journal of what happened to it.

Azure has nothing like it; the paths begin with ``/simulator`` so that nobody takes them for ARM.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from serialfix.simulator.machine import Machine

Judge = Callable[[], Mapping[str, bool]]


def state(vm: Machine, repaired: Judge) -> dict[str, Any]:
    """The VM's state, and for each fault it was built with whether it is repaired now."""
    judged = dict(repaired())
    return {"state": vm.state(), "repaired": judged, "faults": list(judged)}


def routes(
    vm: Machine, repaired: Judge, check: Callable[[web.Request], None], ports: Callable[[], Mapping[str, str]] = dict
) -> list[web.RouteDef]:
    """The three URLs. ``check`` raises when the request's token is not good; ``ports``: address by VM port."""

    async def get_state(request: web.Request) -> web.Response:
        check(request)
        return _json(state(vm, repaired))

    async def get_journal(request: web.Request) -> web.Response:
        check(request)
        return _json({"journal": vm.journal})

    async def get_ports(request: web.Request) -> web.Response:
        check(request)
        return _json({"ports": dict(ports())})

    return [
        web.get("/simulator/state", get_state),
        web.get("/simulator/journal", get_journal),
        web.get("/simulator/ports", get_ports),
    ]


def _json(document: dict[str, Any]) -> web.Response:
    # What JSON lacks (bytes, times, sets) is told by its text.
    return web.Response(text=json.dumps(document, default=str), content_type="application/json")
