"""Where a secret could hide: an exception with everything chained to it, and the locals of its frames."""

import traceback


def everything_shown(problem: BaseException) -> str:
    """All text that a log, a crash report or a traceback with locals could show of ``problem``."""
    seen: set[int] = set()
    shown: list[str] = []
    waiting: list[BaseException | None] = [problem]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        shown += [str(one), repr(one), repr(one.args), repr(getattr(one, "__dict__", ""))]
        shown += traceback.format_exception(one)
        for frame, _ in traceback.walk_tb(one.__traceback__):
            # Only the frames of the package: a test must hold the secret that it looks for.
            if "/tests/" not in frame.f_code.co_filename.replace("\\", "/"):
                shown += [f"{name}={value!r}" for name, value in frame.f_locals.items()]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(shown)
