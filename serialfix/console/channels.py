"""The way from wherever the console is to a command prompt of our own, and back to the SAC prompt.

What SAC says and wants: windows-sac.md 1.3 to 1.8, 2.4 and 6. Rules kept here: the mode is proven before each key; the
home sequence (ESC TAB, 0, one key) forces a redraw, so no cell older than the connection is trusted; the one key that a
preview swallows is a backspace, the only key that is harmless at every prompt it could reach by mistake.
"""

from dataclasses import dataclass

from serialfix.console import states
from serialfix.console.dialogue import TIMEOUT, Conversation, Expect, Pause, Say, Send, Shown
from serialfix.console.expect import Pattern
from serialfix.console.header import see_header
from serialfix.console.keyboard import BACKSPACE, ENTER, Keyboard, Untypable, erase_line, type_line
from serialfix.console.modes import IN_WORDS, Kind, Mode, read_mode
from serialfix.console.screen import Screen
from serialfix.console.states import State

NEXT_CHANNEL = b"\x1b\t"
SAC_CHANNEL = b"0"
SAC_PROMPT = "SAC>"
SAC_LINE = 78  # characters that SAC keeps of a line (windows-sac.md 2.4)

REPLAY_QUIET = 0.3  # what comes later of a replay is told from an answer by the echo of what was typed
LOGIN_QUIET = 0.3
LOGIN_SILENT = 6.0  # seconds of silence after which the login dialogue, which takes no time, will not go on
HOME_TRIES = 3
HOME_WAIT = 5.0  # seconds between two tries of a VM that shows no SAC
ERASE = 24  # backspaces for a few letters: some of equal keys are lost, and an EVENT may hide what is left
PAGES = 50  # that somebody may have left unread in SAC's pager
FINAL_STATES = ("bugcheck", "health report", "kernel debugger", "linux")
QUIET = 0.6  # seconds of silence after which a redraw is over; gaps of 0.32 s inside an answer were seen (2.5)
SWITCH_TIMEOUT = 10.0
CHANNEL_TIMEOUT = 30.0
LOGIN_TIMEOUT = 60.0

_CREATED = Pattern(
    "created", r"A new channel has been created\.[^\r\n]{0,60}[\r\n]{1,4}Channel: (\w{1,64})[\r\n]", width=200
)
_NOT_YET = Pattern("not yet", r"Command Prompt channels has not yet", width=60)
_HANGS = Pattern("hangs", r"Command Prompt channels has timed out", width=60)
_DISABLED = Pattern("disabled", r"Launching of Command Prompt channels is disabled", width=60)
_FULL = Pattern("full", r"The maximum number of channels has been reached", width=60)
_FAILED = Pattern("failed", r"The SAC Command Console session failed to be created", width=70)
_AVAILABLE = Pattern("available", r"EVENT: The CMD command is now available", width=60)
_NO_CHANNEL = Pattern("no channel", r"Could not find a channel with that name", width=60)
_REFUSED = Pattern("refused", r"Unable to authenticate", width=40)


class NoWay(Exception):
    """The console can't be brought where it has to be. ``seen`` is one sentence, ``advice`` what to do.

    ``final``: it will not be otherwise when it is tried again.
    """

    def __init__(self, seen: str, advice: str, *, final: bool = False) -> None:
        super().__init__(seen)
        self.seen = seen
        self.advice = advice
        self.final = final


class ChannelGone(NoWay):
    """The channel does not exist any more."""


class AllTaken(NoWay):
    """There is no room for another channel."""

    def __init__(self) -> None:
        super().__init__(
            "All nine command prompt channels of this console are taken.",
            "Somebody else's channel has to be closed by hand: ch lists them, ch -ci N closes one.",
            final=True,
        )


class LoginAgain(NoWay):
    """Windows asks for user name and password again, without a word that it refused them."""


class LoginRefused(Exception):
    """Windows did not take the user name and password."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in at the channel. ``domain`` empty: a local account. ``password`` never shows in a repr."""

    user: str
    domain: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, {self.domain!r}, <password>)"


def find_home(keyboard: Keyboard, *, connected: bool = True, patience: float = 1.0) -> Conversation[None]:
    """From any mode of the running OS to an empty ``SAC>``, proven by what is typed there and taken back. Raises NoWay.

    ``connected``: the line was opened just now, so the gateway replays old output first. ``patience``: how many times
    as long as usual to wait for a VM that is starting or shows nothing.
    """
    if connected:
        yield Expect((), timeout=3.0, quiet=REPLAY_QUIET)
    waited, told, tries = 0.0, "", 0
    while True:
        yield from _unstick()
        state = yield from _state()
        tries += 1
        if state.name != "starting" and (yield from _go_home(keyboard)):
            return
        state = yield from _state()
        if waited >= state.wait * patience and tries >= HOME_TRIES:
            raise NoWay(state.sentence, state.advice, final=state.name in FINAL_STATES)
        if state.wait and state.name != told and tries >= HOME_TRIES:
            told = state.name
            yield Say(f"{state.sentence} Waiting for SAC's prompt, up to {state.wait * patience / 60:.0f} minutes.")
        if state.name == "starting" or tries >= HOME_TRIES:
            # While it starts keys may act on the boot manager (windows-sac.md 6.17).
            yield Expect((_mode("sac"),), timeout=HOME_WAIT)
            waited += HOME_WAIT


def _go_home(keyboard: Keyboard) -> Conversation[bool]:
    """One try of the way home: SAC's own channel is previewed, shown, and its line emptied."""
    yield Send(NEXT_CHANNEL)
    found = yield Expect((_preview(),), timeout=SWITCH_TIMEOUT, quiet=2.0)
    if found.name != "preview":
        return False  # the next key would be typed into whatever stands there
    yield Send(SAC_CHANNEL)
    previewed = yield Expect((_preview("SAC"),), timeout=SWITCH_TIMEOUT, quiet=2.0)
    if previewed.name != "preview":
        return False
    yield Send(BACKSPACE)
    found = yield Expect((_mode("sac"), _mode("sac pager")), timeout=SWITCH_TIMEOUT, quiet=2.0)
    if found.name == "sac pager":
        mode = yield from _settled_mode()
        for _ in range(PAGES):
            if mode.kind != "sac pager":
                break
            yield Send(ENTER)
            mode = yield from _settled_mode()
    if (yield from _proven_empty(keyboard)):
        return True
    # Somebody who erased a half-typed line that an EVENT hid erased the prompt along with it, and a channel may be
    # shown without a redraw (windows-sac.md 7): then the header that was seen tells where we are.
    mode = yield from _settled_mode()
    unseen = mode.kind == "unknown" or mode == Mode("preview", name="SAC")
    return bool((mode.kind == "sac" or unseen) and (yield from _empty_line()) and (yield from _fresh_prompt()))


def _proven_empty(keyboard: Keyboard) -> Conversation[bool]:
    """In SAC's own channel: an empty prompt, by the echo of letters that are typed behind it and taken back.

    Output comes in its order, so an echo proves that all which was drawn before has come, whatever it looked like in
    passing; silence would take longer and prove less. No Enter is pressed: somebody may have left ``restart`` there,
    hidden by an EVENT (windows-sac.md 6.4).
    """
    for _ in range((SAC_LINE + SAC_LINE // 4) // 8 + 1):
        yield Send(BACKSPACE * 8)
        yield Pause(0.01)
    letters = keyboard.probe()
    yield Send(letters.encode())
    behind = Shown("prompt", lambda screen: screen.line_to_cursor() == SAC_PROMPT + letters)
    # Where text was hidden the prompt was erased along with it.
    alone = Shown("alone", lambda screen: screen.line_to_cursor() == letters)
    found = yield Expect((behind, alone), timeout=2 * SWITCH_TIMEOUT, quiet=2.0, lull=1.0)
    for _ in range(ERASE // 8):
        yield Send(BACKSPACE * 8)
        yield Pause(0.01)
    if found.name not in ("prompt", "alone"):
        return False
    if found.name == "alone":
        yield Expect((Shown("gone", lambda screen: not screen.line_to_cursor()),), timeout=5.0, quiet=1.0)
        yield Send(ENTER)
    found = yield Expect((_empty_prompt(),), timeout=SWITCH_TIMEOUT, quiet=2.0, lull=1.0)
    return bool(found.name == "prompt")


def _state() -> Conversation[State]:
    seen: list[State] = []

    def read(screen: Screen) -> bool:
        seen[:] = [states.seen(screen)]
        return True

    yield Expect((Shown("state", read),), timeout=0.0)
    return seen[0]


def open_channel(keyboard: Keyboard) -> Conversation[str]:
    """At an empty ``SAC>``: create a cmd channel; its name. Raises NoWay."""
    for _ in range(6):
        yield from _type_at_sac(keyboard, "cmd")
        yield Send(ENTER)
        found = yield Expect(stream=(_CREATED, _NOT_YET, _HANGS, _DISABLED, _FULL, _FAILED), timeout=CHANNEL_TIMEOUT)
        if found.name == "created":
            name: str = found.groups[0]
            yield Expect((_empty_prompt(),), timeout=SWITCH_TIMEOUT)
            return name
        if found.name == "full":
            raise AllTaken
        if found.name == "disabled":
            raise NoWay(
                "Command prompts are switched off on this console (Services\\sacdrv\\DisableCmdSessions).",
                "Repair the VM with Run Command or offline.",
                final=True,
            )
        # The service that launches command prompts is not ready: wait for its EVENT, then ask again ourselves.
        yield Expect(stream=(_AVAILABLE,), timeout=20.0)
        yield from _settle_at_sac()
    raise NoWay(
        "SAC could not open a command prompt: its service does not answer.",
        "The VM may still be starting. If it goes on, sacsvr is disabled or hung: restart the VM or repair it offline.",
    )


def show_channel(keyboard: Keyboard, name: str) -> Conversation[str]:
    """At an empty ``SAC>``: switch to the channel ``name`` and show it; its GUID, "" if unreadable. Raises NoWay."""
    yield from _type_at_sac(keyboard, f"ch -sn {name}")
    yield Send(ENTER)
    found = yield Expect((_preview(name),), stream=(_NO_CHANNEL,), timeout=SWITCH_TIMEOUT)
    if found.name == _NO_CHANNEL.name:
        yield from _settle_at_sac()
        raise ChannelGone(
            f"The channel {name} is gone: somebody closed it, or the VM restarted.", "A new one is opened."
        )
    if found is TIMEOUT:
        raise NoWay(f"SAC did not switch to the channel {name}.", "Run the command again.")
    header = yield from see_header()
    yield Send(BACKSPACE)
    return header.guid if header is not None and header.name.lower() == name.lower() else ""


def log_in(keyboard: Keyboard, login: Login, *own: str) -> Conversation[None]:
    """At the login dialogue of a shown channel: to its command prompt. Raises LoginRefused, NoWay, Untypable.

    ``own``: prompts of ours, one of which stands behind the login of a channel that was locked. The password is typed
    only while the cursor stands at ``Password:``, and entered only when as many stars stand there as it has characters.
    """
    for _ in range(3):
        yield Expect((_mode("username"), _mode("cmd"), *_left()), timeout=LOGIN_TIMEOUT / 3, quiet=LOGIN_SILENT)
        # Showing a channel draws its screen: what stands at the cursor in passing is not where it belongs.
        mode = yield from _settled_mode(LOGIN_QUIET)
        # The preview stands until the key that left it has come there and the screen has come back.
        if mode.kind in ("username", "cmd", "sac"):
            break
    if mode.kind == "cmd":
        return
    if mode.kind != "username":
        raise NoWay(
            f"The channel asks for no login; the console shows {IN_WORDS[mode.kind]}.", "Run the command again."
        )
    yield from _answer(keyboard, "username", "Username: ", login.user)
    yield from _answer(keyboard, "domain", "Domain  :", login.domain)
    found = yield Expect((_mode("password"), *_left()), timeout=LOGIN_TIMEOUT)
    if found.name != "password":
        raise NoWay("The login dialogue did not come to its password.", "Run the command again.")
    yield from _type_password(keyboard, login.password)
    yield Send(ENTER)
    stands = Shown("cmd", lambda screen: read_mode(screen).kind == "cmd" or screen.line_to_cursor() in own)
    watched = (stands, _mode("username"), *_left())
    found = yield Expect(watched, stream=(_REFUSED,), timeout=LOGIN_TIMEOUT)
    if found.name == _REFUSED.name:
        raise LoginRefused
    if found is TIMEOUT:
        raise NoWay("After the password nothing came within a minute.", "Run the command again.")
    if found.name != "cmd":
        # Behind the login of a locked channel stands whatever ran there, drawn over the dialogue.
        found = yield Expect((), stream=(_REFUSED,), timeout=20.0, quiet=QUIET)
        if found.name == _REFUSED.name:
            raise LoginRefused
        mode = yield from _settled_mode(0.05)
        if mode.kind == "username":
            raise LoginAgain("The login dialogue began again, and did not say why.", "Run the command again.")
        if mode.kind != "cmd" and (not own or mode.kind in ("sac", "preview")):
            raise NoWay("After the password no command prompt came.", "Run the command again.")


def _answer(keyboard: Keyboard, kind: Kind, prompt: str, text: str) -> Conversation[None]:
    """Answer one question of the login dialogue. Raises NoWay, Untypable.

    Some versions show a blank behind the colon and some do not (windows-sac.md 1.8): what stands there is the prompt.
    """
    forms = (prompt.rstrip(), f"{prompt.rstrip()} ")
    alone = Shown("alone", lambda screen: screen.line_to_cursor() in forms)
    for attempt in range(4):
        found = yield Expect((alone, *_left()), timeout=LOGIN_TIMEOUT, quiet=LOGIN_SILENT, lull=2.0)
        if found.name == "alone":
            yield Expect((), timeout=5.0, quiet=0.05)
            shown: list[str] = []

            def at(screen: Screen, shown: list[str] = shown) -> bool:
                shown[:] = [screen.line_to_cursor(), screen.rest_of_line()]
                return True

            yield Expect((Shown("line", at),), timeout=0.0)
            if shown[0] not in forms:
                continue  # it was seen in passing
            try:
                if text:
                    yield from type_line(keyboard, shown[0], text, stale=shown[1], gone=_left())
            except Untypable:
                if attempt == 3:
                    raise
                continue
            yield Send(ENTER)
            return
        mode = yield from _settled_mode()
        if mode.kind in ("sac", "preview"):
            break
        if mode.kind == kind and mode.typed.strip():
            yield from erase_line(prompt, len(mode.typed))
    raise NoWay(f"The login dialogue did not come to its {kind}.", "Run the command again.")


def _type_password(keyboard: Keyboard, password: str) -> Conversation[None]:
    for _ in range(6):
        for typed, character in enumerate(password, start=1):
            found = yield Expect((_mode("password"),), timeout=5.0, lull=1.0)
            if found.name != "password":
                break
            yield Send(character.encode(), secret="password")  # noqa: S106  # a name, not a password
            equal = password[typed : typed + 1] == character
            yield Pause(keyboard.pace.equal if equal else keyboard.pace.gap)
            if typed == 1:
                # One star first: a prompt that echoes is not a password prompt, and gets no more than this character.
                found = yield Expect((_stars(1),), timeout=5.0, lull=1.0)
                if found.name != "stars":
                    break
        found = yield Expect((_stars(len(password)),), timeout=5.0, lull=1.0)
        if found.name == "stars":
            yield Expect((), timeout=5.0, quiet=0.15)
            found = yield Expect((_stars(len(password)),), timeout=0.0)
            if found.name == "stars":
                return
        keyboard.was_damaged()
        for _ in range(len(password) + 8):
            yield Send(BACKSPACE)
            yield Pause(0.02)
        found = yield Expect((_stars(0), *_left()), timeout=5.0, quiet=1.0)
        if found.name != "stars" and (yield from _settled_mode()).kind != "password":
            break
    raise NoWay(
        "The password could not be typed: the number of stars never equalled its length.",
        "The line may be too bad, or this is not a password prompt. Nothing was entered.",
    )


def _type_at_sac(keyboard: Keyboard, text: str) -> Conversation[None]:
    """Type ``text`` at an empty ``SAC>``, without Enter. Raises NoWay, Untypable.

    An EVENT that breaks in hides what is typed so far and leaves it in the buffer (windows-sac.md 6.4); then the line
    can't be read back, nor cleared where it is.
    """
    for _ in range(3):
        try:
            yield from type_line(keyboard, SAC_PROMPT, text)
        except Untypable:
            yield from find_home(keyboard, connected=False)
        else:
            return
    raise Untypable(f"{text!r} could not be typed at the SAC prompt")


def close_channel(keyboard: Keyboard, prompt: str) -> Conversation[None]:
    """At our own command prompt: ``exit``, and back to ``SAC>``. Raises NoWay, Untypable."""
    yield Expect((), timeout=1.0, quiet=0.02)  # nobody read what came since the last conversation
    stands = Shown("prompt", lambda screen: screen.line_to_cursor() == prompt)
    found = yield Expect((stands,), timeout=SWITCH_TIMEOUT)
    if found is TIMEOUT:
        raise NoWay("Our command prompt is gone.", "Somebody closed its channel, or it asks for a login again.")
    yield from type_line(keyboard, prompt, "exit")
    yield Send(ENTER)
    found = yield Expect((_preview("SAC"), _mode("sac")), timeout=SWITCH_TIMEOUT)
    if found.name == "preview":
        yield Send(BACKSPACE)
        found = yield Expect((_mode("sac"),), timeout=SWITCH_TIMEOUT)
    if found is TIMEOUT:
        raise NoWay("After exit the SAC prompt did not come back.", "The channel is closed when the VM restarts.")
    yield from _settled_mode()


def close_by_name(keyboard: Keyboard, name: str) -> Conversation[None]:
    """At an empty ``SAC>``: close the channel ``name``, which we opened. Raises NoWay, Untypable."""
    yield from _type_at_sac(keyboard, f"ch -cn {name}")
    yield Send(ENTER)
    yield from _settle_at_sac()


def _empty_line() -> Conversation[bool]:
    """In the SAC channel: erase what stands in its line, seen or hidden by an EVENT; is it proven empty?

    The prompt stands alone after as many backspaces as a line can hold, or they erased it along with hidden text: then
    a backspace that gives no echo proves that there is nothing left to erase (windows-sac.md 2.4 and 6.4). Enter is
    pressed only after such a proof: what somebody left half typed may be ``restart``.
    """
    try:
        yield from erase_line(SAC_PROMPT, SAC_LINE)
    except Untypable:
        for _ in range(5):
            yield Send(BACKSPACE)
            found = yield Expect((), timeout=1.0, lull=0.5)
            if found is TIMEOUT:
                return True
        return False
    return True


def _fresh_prompt() -> Conversation[bool]:
    """Enter at an empty ``SAC>`` gives a new one: a live console, not an old picture of it."""
    before: list[int] = []

    def row(screen: Screen) -> bool:
        before[:] = [screen.cursor[0]]
        return True

    yield Expect((Shown("row", row),), timeout=0.0)
    yield Send(ENTER)

    def fresh(screen: Screen) -> bool:
        return screen.cursor[0] > before[0] and screen.line_to_cursor() == SAC_PROMPT

    found = yield Expect((Shown("fresh", fresh),), timeout=10.0)
    yield from _settled_mode()
    return found is not TIMEOUT


def _unstick() -> Conversation[None]:
    """What was shown before may have blinded the emulator, by a sequence without an end or by margins."""

    def reset(screen: Screen) -> bool:
        screen.unstick()
        return True

    yield Expect((Shown("reset", reset),), timeout=0.0)


def _settle_at_sac() -> Conversation[None]:
    mode = yield from _settled_mode()
    for _ in range(3):
        if mode.kind == "sac pager":
            yield Send(ENTER)
            mode = yield from _settled_mode()
    if mode.kind == "sac" and mode.typed:
        yield from erase_line(SAC_PROMPT, len(mode.typed))
    if mode.kind != "sac":
        raise NoWay(f"The SAC prompt is gone; the console shows {IN_WORDS[mode.kind]}.", "Run the command again.")


def _settled_mode(quiet: float = QUIET) -> Conversation[Mode]:
    """The mode when the line has been quiet for a while: a redraw passes through every mode."""
    yield Expect((), timeout=20.0, quiet=quiet)
    seen: list[Mode] = []

    def read(screen: Screen) -> bool:
        seen[:] = [read_mode(screen)]
        return True

    yield Expect((Shown("mode", read),), timeout=0.0)
    return seen[0]


def _mode(kind: Kind) -> Shown:
    return Shown(kind, lambda screen: read_mode(screen).kind == kind)


def _left() -> tuple[Shown, ...]:
    """What shows that a channel is not shown any more."""
    return _mode("preview"), _mode("sac")


def _empty_prompt() -> Shown:
    return Shown("prompt", lambda screen: screen.line_to_cursor() == SAC_PROMPT)


def _stars(count: int) -> Shown:
    def stars(screen: Screen) -> bool:
        mode = read_mode(screen)
        return mode.kind == "password" and len(mode.typed) == count

    return Shown("stars", stars)


def _preview(name: str = "") -> Shown:
    def previews(screen: Screen) -> bool:
        mode = read_mode(screen)
        return mode.kind == "preview" and (not name or mode.name.lower() == name.lower())

    return Shown("preview", previews)
