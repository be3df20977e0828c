"""Runs a program of the VM without a console, as the Task Scheduler does: time passes, questions get no answer."""

from collections.abc import Callable

from serialfix.simulator.programs import Interrupted, Sleep, Steps
from serialfix.simulator.vm import Vm

MOST = 10_000  # requests without time between them: a program that asks for ever is ended


def run(vm: Vm, steps: Steps, ended: Callable[[int], None]) -> None:
    """Run to the first wait, and on when its time comes; ``ended`` is told the exit code."""

    def go_on() -> None:
        for number in range(MOST):
            try:
                request = next(steps) if first and not number else steps.send("")
            except StopIteration as end:
                ended(int(end.value))
                return
            except Interrupted:
                ended(-1073741510)
                return
            first.clear()
            if isinstance(request, Sleep):
                vm.later(request.seconds, go_on)
                return
        steps.close()
        ended(1)

    first = [True]
    go_on()
