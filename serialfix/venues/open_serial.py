"""Open the serial line of a VM, with as many attempts as the gateway needs.

Each attempt asks ARM for a new URL and the credential for a new token (azure-serial-console.md 0.11, 2.2, 9): the
gateway refuses roughly every other attempt of correct clients, so one refusal means nothing.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from serialfix.errors import AzureError
from serialfix.venues.arm_errors import TryAgain
from serialfix.venues.vm_facts import VmFacts
from serialfix.venues.websocket import Gateway, NotTrusted, open_gateway

if TYPE_CHECKING:
    from serialfix.venues.azure import Azure

LONGEST_PAUSE = 60.0
"""Seconds; a service that asks for more is believed, and the attempts end."""


async def open_serial(
    azure: "Azure",
    vm: VmFacts,
    *,
    attempts: int = 5,
    progress: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Gateway:
    """The open line of ``vm``. ``progress`` is told, in plain words, what is done and what is waited for.

    Between attempts lie pauses of 1, 2, 4, 8 s, with up to a quarter more so that two clients do not stay in step, or
    what the service asks for. Raises the ``AzureError`` of the last attempt; one that a new attempt cannot cure is
    raised at once.
    """
    context = await asyncio.to_thread(azure.cloud.ssl_context)
    for attempt in range(1, attempts + 1):
        try:
            progress(f"Asking Azure to connect to the serial port of {vm.name}.")
            url = await azure.connect_serial(vm)
            progress("Waiting for the serial gateway to take our sign-in.")
            return await open_gateway(url, await azure.token(), suffix=azure.cloud.gateway_suffix, ssl_context=context)
        except TryAgain as problem:
            if attempt == attempts or problem.after > LONGEST_PAUSE:
                raise
            azure.forget_token()
            pause = min(max(2.0 ** (attempt - 1), problem.after), LONGEST_PAUSE) * (1 + random.random() / 4)  # noqa: S311
            reason = (
                "The gateway did not take our sign-in this time" if isinstance(problem, NotTrusted) else str(problem)
            )
            progress(f"{reason.rstrip('.')}. Attempt {attempt + 1} of {attempts} in {pause:.0f} s.")
        await sleep(pause)
    raise AzureError("No attempt to open the serial line was allowed.", advice="Allow at least one attempt.")
