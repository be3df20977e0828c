"""The login dialogue of a cmd channel, written by the SAC helper before any console exists.

Texts and order: windows-sac.md 1.8. What follows ``Unable to authenticate.`` is not known; the seed chooses of two.
"""

from collections.abc import Callable
from random import Random

from serialfix.simulator.programs import ReadLine, Sleep, Steps
from serialfix.simulator.vm import Vm

FAILED = (
    "\r\nUnable to authenticate.\r\n\r\n",
    "\r\nUnable to authenticate.  The user name or password is incorrect.\r\nPlease try again.\r\n\r\n",
)


def authenticates(vm: Vm, user: str, domain: str, password: str) -> bool:
    """Say whether these are the local administrator's; no domain, ``.`` and the computer's name are here."""
    if "\\" in user:
        domain, _, user = user.partition("\\")
    here = domain.strip().lower() in {"", ".", vm.name.lower()}
    return here and user.strip().lower() == vm.user.lower() and password == vm.password


def login(vm: Vm, out: Callable[[str], None], random: Random, channel: str) -> Steps:
    """Ask until somebody is let in."""
    wording = random.choice(FAILED)
    domain_prompt = random.choice(("Domain  : ", "Domain  :"))
    while True:
        out("Please enter login credentials.\r\nUsername: ")
        user = yield ReadLine(purpose="username")
        out(domain_prompt)
        domain = yield ReadLine(purpose="domain")
        out("Password: ")
        password = yield ReadLine("stars", "password")
        yield Sleep(random.uniform(0.2, 1.5))
        allowed = authenticates(vm, user, domain, password)
        vm.note("login", channel=channel, user=user, domain=domain, allowed=allowed)
        if allowed:
            out("\r\n")
            return 0
        out(wording)
        yield Sleep(random.uniform(0.5, 2.0))
