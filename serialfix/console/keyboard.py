"""A line -> keystrokes that survive this line, and reading it back before Enter.

What is known to happen to typed text (windows-sac.md 2.4, 3.2): bytes of a burst are lost (the UART holds 16), equal
neighbours are lost or doubled (``CurrrentControlSet``), the first command at a new prompt is eaten. So text goes out in
small pieces, equal neighbours with a pause between them, and Enter is pressed only when the cells that end at the
cursor are exactly the prompt and the text. A damaged line is cleared and typed again, slower.

>>> vary_case("reg query HKLM\\\\SYSTEM\\\\CurrentControlSet\\\\Control\\\\SCHANNEL /s")
'reg query HKLM\\\\SYSTEM\\\\CurRentControlSet\\\\Control\\\\SCHANnEL /s'
>>> list(strokes("booot", PACES[0]))
[(b'bo', 0.04), (b'o', 0.04), (b'ot', 0.01)]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from serialfix.console.dialogue import TIMEOUT, Conversation, Expect, Pause, Send, Shown
from serialfix.console.markers import Markers
from serialfix.console.screen import COLUMNS, Screen

WINDOW = 32  # characters that may be under way unacknowledged
ECHO_TIMEOUT = 20.0  # seconds for an echo while something else comes, such as a redraw
ECHO_QUIET = 3.0  # seconds of silence after which nothing will come
ECHO_LULL = 0.7  # the same once something came; silent gaps up to 0.4 s are normal (windows-sac.md 2.5)
TRIES = 8
SILENT_TRIES = 3  # tries of which nothing came, after which that is taken for damage, too
PROBE = 4  # letters
HARMLESS = frozenset("abegjnquvwxyz")
FASTER_AFTER = 10  # lines without damage
GONE_QUIET = 0.4  # seconds for which something else has to stand where the prompt was
MOST_TYPED = 1500  # characters; longer lines would not fit the screen that they are read back from

BACKSPACE = b"\x08"
CTRL_C = b"\x03"
ENTER = b"\r"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to type: ``size`` characters a message, ``gap`` seconds between messages, ``equal`` between neighbours.

    The first is what a good line takes; the last is as slow as the slowest client that is known to have worked (1.5 s
    between equal neighbours on 2016 and 2019).
    """

    size: int
    gap: float
    equal: float


PACES = (Pace(16, 0.01, 0.04), Pace(8, 0.02, 0.08), Pace(2, 0.03, 0.3), Pace(1, 0.1, 1.5))


class Keyboard:
    """The pace of a session: slower after every second damaged line, faster again after a long run of good ones.

    ``seed``: of the letters that are typed to see where they go. ``sampled``: the console was seen to show samples of
    a screen.
    """

    def __init__(self, seed: str = "") -> None:
        self._level = 0
        self._probes = Markers(f"{seed}/probe")
        self._good = 0
        self.damaged = 0
        self.sampled = False

    @property
    def pace(self) -> Pace:
        """The pace in force."""
        return PACES[self._level]

    def probe(self) -> str:
        """Some letters whose echo proves that what was sent before them has been taken; never the same again.

        No command of SAC begins with one of them (windows-sac.md 1.5), so whatever becomes of them, they do nothing.
        """
        while True:
            letters = "".join(letter for letter in self._probes.draw(40) if letter in HARMLESS)[:PROBE]
            if len(letters) == PROBE and all(left != right for left, right in pairwise(letters)):
                return letters

    def was_damaged(self) -> None:
        """A line did not arrive as typed."""
        self.damaged += 1
        self._good = 0
        if self.damaged % 2 == 0:
            self._level = min(self._level + 1, len(PACES) - 1)

    def was_good(self) -> None:
        """A line arrived as typed at the first try: what slowed us down may be over."""
        self._good += 1
        if self._good == FASTER_AFTER:
            self._good = 0
            self._level = max(self._level - 1, 0)


class Untypable(Exception):
    """A line did not arrive as it was meant, however often and slowly it was typed. It was not entered.

    ``shows``: the name of what stands there instead, where the prompt is gone.
    """

    def __init__(self, why: str, shows: str = "") -> None:
        super().__init__(why)
        self.shows = shows


def vary_case(text: str) -> str:
    """``text`` with no two neighbouring letters equal, by changing their case. Only where Windows ignores case.

    Only of ASCII letters: others have no other case, or one that is longer.
    """
    varied = ""
    for character in text:
        varied += character.swapcase() if varied[-1:] == character and character.isascii() else character
    return varied


def strokes(text: str, pace: Pace) -> Iterator[tuple[bytes, float]]:
    """Messages and the pause after each, in seconds. Equal neighbours never share a message."""
    piece = ""
    for character in text:
        if piece and piece[-1] == character:
            yield piece.encode(), pace.equal
            piece = ""
        elif len(piece) >= pace.size:
            yield piece.encode(), pace.gap
            piece = ""
        piece += character
    if piece:
        yield piece.encode(), pace.gap


def type_line(
    keyboard: Keyboard, prompt: str, text: str, *, stale: str = "", gone: tuple[Shown, ...] = ()
) -> Conversation[None]:
    """Type ``text`` behind ``prompt`` (as it stands left of the cursor) and prove it; Enter is left to the caller.

    A damaged line is cleared with backspaces. ``stale``: what stands right of the cursor and was there before, as after
    a screen was drawn over another one. ``gone``: what shows that the prompt is not there any more; nothing is cleared
    then. Raises ``Untypable`` with the line empty, as far as that can be done.
    """
    if len(text) > MOST_TYPED or not text.isprintable():
        raise Untypable(f"a line of {len(text)} characters can't be typed safely")
    for attempt in range(TRIES):
        arrived = yield from _type_once(keyboard.pace, prompt, text, stale)
        if arrived:
            if not attempt:
                keyboard.was_good()
            return
        yield from _still_there(gone)
        if attempt >= SILENT_TRIES or (yield from _differs(prompt, text)):
            keyboard.was_damaged()
        yield from erase_line(prompt, len(text), stale=stale, gone=gone)
    raise Untypable(f"the line {text!r} did not arrive as typed in {TRIES} tries")


def _differs(prompt: str, text: str) -> Conversation[bool]:
    """Whether something else than the beginning of ``text`` stands behind the prompt.

    Where the line stands as far as it came, or nothing of it does, typing more slowly is no help.
    """

    def differs(screen: Screen) -> bool:
        # A doubled letter makes the line longer than it was meant.
        _, found, line = screen.before_cursor(2 * len(prompt + text)).rpartition(prompt)
        return bool(found and line) and not text.startswith(line)

    found = yield Expect((Shown("differs", differs),), timeout=0.0)
    return bool(found.name == "differs")


def _still_there(gone: tuple[Shown, ...]) -> Conversation[None]:
    """Raises Untypable where something else stands at the cursor, and goes on standing there."""
    if not gone:
        return
    found = yield Expect(gone, timeout=0.0)
    if found is TIMEOUT:
        return
    yield Expect((), timeout=5.0, quiet=GONE_QUIET)
    again = yield Expect(gone, timeout=0.0)
    if again is not TIMEOUT:
        raise Untypable("the prompt is gone, so the line was not entered", shows=again.name)


def _type_once(pace: Pace, prompt: str, text: str, stale: str) -> Conversation[bool]:
    """Type ``text`` with at most a window of it under way: the next piece goes out when an earlier one was echoed.

    Before each piece the line must still stand as it should, as far as it was echoed: what does not go there any more
    must not be typed after it was seen to have changed.
    """
    ends = [0]  # of the pieces that are under way, behind the place up to which they were echoed; in characters

    def echoed(screen: Screen) -> bool:
        for place in range(len(ends) - 1, 0, -1):
            if _stand(screen, prompt + text[: ends[place]], stale):
                del ends[:place]
                return True
        return False

    def standing(screen: Screen) -> bool:
        return any(_stand(screen, prompt + text[:count], stale) for count in range(ends[0], ends[-1] + 1))

    echo, stands = Shown("echo", echoed), Shown("stands", standing)
    pieces = list(strokes(text, pace))
    for number, (data, pause) in enumerate(pieces):
        size = len(data.decode())
        while ends[-1] + size - ends[0] > WINDOW:
            found = yield Expect((echo,), timeout=ECHO_TIMEOUT, quiet=ECHO_QUIET, lull=ECHO_LULL)
            if found.name != "echo":
                return False
        found = yield Expect((stands,), timeout=ECHO_TIMEOUT, quiet=ECHO_QUIET, lull=ECHO_LULL)
        if found.name != "stands":
            return False
        yield Send(data)
        ends.append(ends[-1] + size)
        if number < len(pieces) - 1:
            yield Pause(pause)
    while len(ends) > 1:
        found = yield Expect((echo,), timeout=ECHO_TIMEOUT, quiet=ECHO_QUIET, lull=ECHO_LULL)
        if found.name != "echo":
            return False
    if len(text) > 1 and text[-1] == text[-2]:
        # A doubled last character looks right for a moment: its echo comes just behind.
        found = yield Expect((), timeout=ECHO_TIMEOUT, quiet=0.1)
    found = yield Expect((_stands(prompt + text, stale),), timeout=0.0)
    return bool(found.name == "echo")


def _stands(line: str, stale: str) -> Shown:
    return Shown("echo", lambda screen: _stand(screen, line, stale))


def _stand(screen: Screen, line: str, stale: str) -> bool:
    """Whether exactly ``line`` ends at the cursor, and nothing but ``stale`` stands behind it."""
    rest = screen.rest_of_line()
    if screen.before_cursor(len(line)) == line:
        return not rest or stale.endswith(rest)
    # Wine's console leaves the cursor on the last cell of a full row until more comes.
    last = bool(rest) and rest == line[-1:] and screen.cursor[1] == COLUMNS - 1
    return last and screen.before_cursor(len(line) - 1) == line[:-1]


def erase_line(prompt: str, length: int, *, stale: str = "", gone: tuple[Shown, ...] = ()) -> Conversation[None]:
    """Erase up to ``length`` characters, and some that may have been doubled, with backspaces.

    At SAC> Ctrl-C may run what stands there (windows-sac.md 2.4), so backspaces are the only safe eraser; too many of
    them do nothing. Raises ``Untypable`` when the prompt does not stand alone afterwards.
    """
    left = length + length // 4 + 4
    for _ in range(4):
        while left > 0:
            yield Send(BACKSPACE * min(8, left))
            yield Pause(0.01)
            left -= 8
        found = yield Expect((_stands(prompt, stale),), timeout=ECHO_TIMEOUT, quiet=ECHO_QUIET, lull=ECHO_LULL)
        if found.name == "echo":
            # Erasing may still be under way: the prompt must stand when all is quiet.
            yield Expect((), timeout=ECHO_TIMEOUT, quiet=0.1)
            found = yield Expect((_stands(prompt, stale),), timeout=0.0)
            if found.name == "echo":
                return
        yield from _still_there(gone)
        left = length + 8
    raise Untypable("the line could not be cleared")
