"""Open the serial line of a VM, with as many attempts as the gateway needs.

Each attempt asks ARM for a new URL and the credential for a new token (azure-serial-console.md 0.11, 2.2, 9): the
gateway refuses roughly every other attempt of correct clients, so one refusal means nothing.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from serialfix.errors import AzureError
from serialfix.venues.arm_errors import TryAgain
from serialfix.venues.vm_facts import VmFacts
from serialfix.venues.websocket import Gateway, NotTrusted, open_gateway

if TYPE_CHECKING:
    from serialfix.venues.azure import Azure

ATTEMPTS = 120
ENOUGH = 480.0
"""Attempts, and seconds after which none is begun, of a gateway that does not take our sign-in. It refuses correct
clients, at times most of them: where nine of ten attempts are refused, hardly any run goes without."""

OTHERS = 12
"""Attempts where something else is wrong."""

USUAL_PAUSE = 3.0
"""Seconds between attempts at most, unless the service asks for more."""

SUSPICIOUS = 8
"""Attempts after which a cause that waiting does not cure is named."""

LONGEST_PAUSE = 60.0
"""Seconds; a service that asks for more is believed, and the attempts end."""


async def open_serial(
    azure: "Azure",
    vm: VmFacts,
    *,
    attempts: int = ATTEMPTS,
    progress: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Gateway:
    """The open line of ``vm``. ``progress`` is told, in plain words, what is done and what is waited for.

    Between attempts lie pauses of 1, 2, 3, 3 ... s, with up to a quarter more so that two clients do not stay in
    step, or what the service asks for; they end after ``attempts`` (fewer where it is not the sign-in), or when eight
    minutes are over. Raises the ``AzureError`` of the last attempt; one that a new attempt cannot cure, and
    ``ConnectionLost`` where somebody else came to the console meanwhile, at once.
    """
    begun = clock()
    context = await asyncio.to_thread(azure.cloud.ssl_context)
    for attempt in range(1, attempts + 1):
        try:
            progress(f"Asking Azure to connect to the serial port of {vm.name}.")
            url = await azure.connect_serial(vm)
            progress("Waiting for the serial gateway to take our sign-in.")
            return await open_gateway(url, await azure.token(), suffix=azure.cloud.gateway_suffix, ssl_context=context)
        except TryAgain as problem:
            azure.forget_token()
            pause = max(min(2.0 ** (attempt - 1), USUAL_PAUSE), problem.after) * (1 + random.random() / 4)  # noqa: S311
            over = clock() - begun + pause > ENOUGH
            trusted = not isinstance(problem, NotTrusted)
            most = min(attempts, OTHERS) if trusted else attempts
            if attempt >= most or over or problem.after > LONGEST_PAUSE:
                raise
            reason = str(problem).rstrip(".")
            if not trusted:
                reason = "The gateway did not take our sign-in this time, as it does now and then to everybody"
            if not trusted and attempt == SUSPICIOUS:
                reason += ". It never takes one of another tenant than the VM's (az account show --query tenantId)"
            progress(f"{reason}. Attempt {attempt + 1} of {most} in {pause:.0f} s.")
        await sleep(pause)
    raise AzureError("No attempt to open the serial line was allowed.", advice="Allow at least one attempt.")
