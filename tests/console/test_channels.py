"""The way to a command prompt and back, against the simulator's line in virtual time and against a model login."""

import asyncio
import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.channels import (
    NEXT_CHANNEL,
    Login,
    LoginRefused,
    NoWay,
    close_by_name,
    close_channel,
    find_home,
    log_in,
    open_channel,
    show_channel,
)
from serialfix.console.dialogue import Conversation
from serialfix.console.keyboard import Keyboard, Untypable
from serialfix.console.markers import Markers
from serialfix.console.modes import Mode, read_mode
from serialfix.console.screen import Screen
from serialfix.console.shells import set_prompt
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs, Port, Shown, steady
from serialfix.simulator.line import Line
from serialfix.simulator.registry import REG_DWORD
from serialfix.simulator.sac import Sac
from serialfix.simulator.sac_texts import CMD_AVAILABLE
from serialfix.venues.line import converse
from tests.console.pump import Editor, Pump
from tests.virtual import VirtualLine

T = TypeVar("T")


@dataclass
class World:
    """A simulated VM's line and a client's screen and keyboard, before the client has connected."""

    seed: int = 1
    knobs: Knobs = PRESETS["calm"]
    windows: str = "2022"
    screen: Screen = field(default_factory=Screen)
    keyboard: Keyboard = field(default_factory=Keyboard)

    def __post_init__(self) -> None:
        self.vm = build([], self.windows, self.seed)
        self.line = VirtualLine(Line(self.vm, steady(self.knobs), self.seed, 0.0))
        self.state = self.vm.state()

    @property
    def sac(self) -> Sac:
        assert self.line.line.sac is not None
        return self.line.line.sac

    @property
    def login(self) -> Login:
        return Login(self.vm.user, "", self.vm.password)

    def somebody_types(self, keys: bytes, seconds: float = 5.0) -> None:
        """Keys of somebody who was there before us, and time for what they do."""
        for byte in keys:
            self.line.line.send(bytes([byte]), self.line.now)
            self.line.now += 0.04
        self.line.now += seconds
        self.line.line.receive(self.line.now)

    def somebody_opens(self) -> None:
        """Somebody logs in at a channel."""
        for keys in (b"cmd\r", b"ch -si 1\r", b" ", self.vm.user.encode() + b"\r", b"\r"):
            self.somebody_types(keys)
        self.somebody_types(self.vm.password.encode() + b"\r")

    def talk(self, conversation: Conversation[T]) -> T:
        return asyncio.run(converse(self.line, self.screen, conversation))

    def connect(self) -> None:
        asyncio.run(self.line.open())

    def home(self) -> None:
        self.connect()
        self.talk(find_home(self.keyboard))

    def way_in(self) -> tuple[str, str]:
        """From anywhere to a prompt of our own: the channel and the prompt."""
        self.home()
        name = self.talk(open_channel(self.keyboard))
        self.talk(show_channel(self.keyboard, name))
        self.talk(log_in(self.keyboard, self.login))
        return name, self.talk(set_prompt(self.keyboard, Markers("seed")))

    def typed(self, purpose: str) -> list[object]:
        """The lines that a kind of reader got, by the simulator's own log."""
        return [entry["text"] for entry in self.vm.journal if entry["kind"] == "line" and entry["purpose"] == purpose]

    def at_home(self) -> bool:
        return (self.sac.mode, self.sac.line, read_mode(self.screen)) == ("SAC", [], Mode("sac"))

    def harmless(self) -> bool:
        return self.vm.state() == self.state and not self.vm.power_requests


HARD = {
    **PRESETS,
    "paging": Knobs(paging=True),
    "half typed": Knobs(half_typed=True),
    "orphans": Knobs(orphans=5),
    "no redraw": Knobs(redraw=0),
    "slow": Knobs(baud=9600, round_trip=0.3),
    "pieces": Knobs(chunk=3, gap=0.02, long_gap=0.4, long_gap_rate=0.05),
    "strict cells": Knobs(strict_cells=True, nul_rate=0.05),
}


# --- home --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("knobs", HARD.values(), ids=HARD)
def test_home_is_found_and_nothing_is_run_on_the_way(knobs: Knobs, seed: int) -> None:
    world = World(seed, knobs)
    world.home()
    assert world.at_home()
    assert set(world.typed("sac")) <= {""}
    assert world.harmless()


@pytest.mark.parametrize("events", [0, 1, 2])
@pytest.mark.parametrize("text", ["r", "restar", "restart", "shutdown", "x" * 78])
def test_what_somebody_left_half_typed_is_never_run(text: str, events: int) -> None:
    """Also where an EVENT hid it: then backspaces erase the prompt along with it."""
    world = World()
    world.somebody_types(text.encode())
    for _ in range(events):
        world.sac.event(CMD_AVAILABLE)
    world.home()
    assert world.at_home()
    assert set(world.typed("sac")) <= {""}
    assert world.harmless()


@pytest.mark.parametrize("windows", ["2019", "2022"])
@pytest.mark.parametrize(
    "keys", [b"", b"shutdown /r /t 0", b"more C:\\Windows\\win.ini\r", b"timeout /t 900\r", b"\x1b\t", b"\x1b\t0"]
)
def test_somebodys_prompt_gets_no_key(windows: str, keys: bytes) -> None:
    world = World(windows=windows)
    world.somebody_opens()
    world.somebody_types(keys)
    lines = world.typed("command")
    world.home()
    assert world.at_home()
    assert world.typed("command") == lines
    assert world.sac.channels[1].session is not None
    assert {sent.send.data for sent in world.line.sent if sent.met in ("command", "key")} <= {b"\x1b\t"}
    assert world.harmless()


@pytest.mark.parametrize("keys", [(), (b"bob\r",), (b"bob\r", b"\r"), (b"bob\r", b"\r", b"secre")])
def test_somebodys_login_gets_no_key(keys: Iterable[bytes]) -> None:
    world = World()
    for each in (b"cmd\r", b"ch -si 1\r", b" ", *keys):
        world.somebody_types(each)
    before = [world.typed(purpose) for purpose in ("username", "domain", "password")]
    world.home()
    assert world.at_home()
    assert [world.typed(purpose) for purpose in ("username", "domain", "password")] == before


def test_a_pager_that_somebody_left() -> None:
    world = World(knobs=Knobs(paging=True))
    world.somebody_types(b"t\r")
    assert world.sac._pages
    world.home()
    assert world.at_home()


@pytest.mark.parametrize("blind", [b"\x1b]0;never ended", b"\x1bPq", b"\x1b[5;6r\x1b[?6h", b"\x1b[?1049h"])
def test_what_blinds_the_emulator_is_ended(blind: bytes) -> None:
    world = World()
    world.screen.feed(blind)
    world.home()
    assert world.at_home()


def test_a_bugcheck_is_said_plainly() -> None:
    world = World()
    world.line.line.nmi(0.0)
    world.connect()
    with pytest.raises(NoWay, match="!SAC>") as no_way:
        world.talk(find_home(world.keyboard))
    assert no_way.value.advice


def test_a_line_without_anybody_is_given_up_in_time() -> None:
    world = World()
    world.line.line.power_off(0.0)
    world.somebody_types(b"", 60.0)
    assert world.line.line.phase == "off"
    world.connect()
    with pytest.raises(NoWay, match="No SAC> prompt"):
        world.talk(find_home(world.keyboard))
    assert world.line.now < 60.0 + 120.0


# --- whatever stands there -----------------------------------------------------------------------------------------


def left_alone(world: World, before: dict[str, list[object]]) -> None:
    """By the simulator's own log: no byte but ESC TAB came in a mode that is not SAC's, and nobody got a line."""
    acting = [met for met in world.line.line.met if met.by == "client" and met.byte not in NEXT_CHANNEL]
    assert {met.mode for met in acting} <= {"SAC", "preview", "SAC pager"}
    assert {sent.send.data for sent in world.line.sent if sent.met in ("off", "bugcheck")} <= {NEXT_CHANNEL}
    for purpose, lines in before.items():
        assert world.typed(purpose) == lines, purpose
    assert set(world.typed("sac")[len(before["sac"]) :]) <= {""}


READERS = ("sac", "command", "more", "key", "username", "domain", "password")


def lines_now(world: World) -> dict[str, list[object]]:
    return {purpose: world.typed(purpose) for purpose in READERS}


@pytest.mark.parametrize("windows", ["2019", "2022"])
@pytest.mark.parametrize("preset", ["calm", "real"])
@pytest.mark.parametrize("shown", get_args(Shown))
def test_whatever_somebody_left_shown_home_is_found_past_it(shown: Shown, preset: str, windows: str) -> None:
    for seed in range(1, 4):
        world = World(seed, replace(PRESETS[preset], shown=shown), windows)
        before = lines_now(world)
        world.home()
        assert world.at_home()
        left_alone(world, before)
        assert world.harmless()


SEEN: dict[Port, str] = {
    "blank": "shows nothing and answers nothing",
    "health": "Azure agent's health report",
    "debugger": "kernel debugger",
    "linux": "Linux machine",
    "bugcheck": "!SAC>",
    "boot": "is starting",
}


def test_every_port_is_known() -> None:
    assert {*SEEN, "SAC"} == set(get_args(Port))


@pytest.mark.parametrize("windows", ["2019", "2022"])
@pytest.mark.parametrize("preset", ["calm", "real"])
@pytest.mark.parametrize(("port", "seen"), SEEN.items())
def test_what_is_no_sac_is_named_in_one_sentence(port: Port, seen: str, preset: str, windows: str) -> None:
    for seed in range(1, 7):
        world = World(seed, replace(PRESETS[preset], port=port), windows)
        world.connect()
        before = lines_now(world)
        with pytest.raises(NoWay, match=re.escape(seen)) as no_way:
            world.talk(find_home(world.keyboard))
        assert no_way.value.seen.endswith(".")
        assert no_way.value.advice
        assert no_way.value.final == (port not in ("blank", "boot"))  # those may be otherwise later
        left_alone(world, before)
        assert world.harmless()
        assert world.line.now < (620.0 if port == "boot" else 120.0)


@pytest.mark.parametrize("windows", ["2019", "2022"])
@pytest.mark.parametrize("preset", ["calm", "real"])
@pytest.mark.parametrize("boot", [1, 2])
def test_a_vm_that_boots_is_waited_for(boot: int, preset: str, windows: str) -> None:
    """Also sysprep's double boot, where SAC comes, goes and comes again."""
    for seed in range(1, 6):
        world = World(seed, replace(PRESETS[preset], boot=boot), windows)
        before = lines_now(world)
        world.home()
        assert world.at_home()
        assert world.line.line.sac is not None
        left_alone(world, before)
        assert not world.vm.power_requests


# --- in and out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("windows", ["2016", "2022", "2025"])
@pytest.mark.parametrize("preset", PRESETS)
def test_in_and_out_again(preset: str, windows: str, seed: int) -> None:
    world = World(seed, PRESETS[preset], windows)
    there = sorted(channel.name for channel in world.sac.channels.values())
    name, prompt = world.way_in()
    assert name not in there
    assert world.screen.line_to_cursor() == prompt
    shown = world.sac.channels[world.sac.shown]
    assert (shown.name, world.sac.mode) == (name, "channel")
    world.talk(close_channel(world.keyboard, prompt))
    assert world.at_home()
    assert sorted(channel.name for channel in world.sac.channels.values()) == there

    assert [line for line in world.typed("sac") if line] == ["cmd", f"ch -sn {name}"]
    assert world.typed("username") == [world.vm.user]
    assert world.typed("domain") == [""]
    assert world.typed("password") == [f"<{len(world.vm.password)} characters>"]
    assert [line for line in world.typed("command") if line] == [f"prompt {prompt[:-1]}$g", "exit"]
    assert [entry["allowed"] for entry in world.vm.journal if entry["kind"] == "login"] == [True]
    assert world.harmless()


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("preset", PRESETS)
def test_the_password_goes_to_the_password_prompt_only(preset: str, seed: int) -> None:
    world = World(seed, PRESETS[preset])
    world.way_in()
    secret = [sent for sent in world.line.sent if sent.send.secret is not None]
    assert {sent.met for sent in secret} == {"password"}
    assert b"".join(sent.send.data for sent in secret).endswith(world.vm.password.encode())
    assert world.vm.password.encode() not in world.line.came
    plain = b"".join(sent.send.data for sent in world.line.sent if sent.send.secret is None)
    assert world.vm.password.encode() not in plain


@pytest.mark.parametrize("preset", PRESETS)
def test_a_wrong_password_is_tried_once(preset: str) -> None:
    world = World(2, PRESETS[preset])
    world.home()
    name = world.talk(open_channel(world.keyboard))
    world.talk(show_channel(world.keyboard, name))
    with pytest.raises(LoginRefused):
        world.talk(log_in(world.keyboard, Login(world.vm.user, "", "Wrong-Passw0rd!")))
    assert [entry["allowed"] for entry in world.vm.journal if entry["kind"] == "login"] == [False]
    assert world.typed("command") == []


def test_a_channel_that_is_shown_without_a_redraw_gets_no_login() -> None:
    """Nothing proves then what stands there, so nothing is typed; it is given up in time."""
    world = World(knobs=Knobs(redraw=0))
    with pytest.raises(NoWay, match="asks for no login"):
        world.way_in()
    assert not [sent for sent in world.line.sent if sent.met in ("username", "domain", "password")]
    assert world.line.now < 180.0


def test_a_domain_is_typed() -> None:
    world = World()
    world.home()
    world.talk(show_channel(world.keyboard, world.talk(open_channel(world.keyboard))))
    world.talk(log_in(world.keyboard, Login(world.vm.user, world.vm.name, world.vm.password)))
    assert world.typed("domain") == [world.vm.name]
    assert read_mode(world.screen).kind == "cmd"


def test_a_channel_that_is_logged_in_is_taken_as_it_is() -> None:
    world = World()
    world.somebody_opens()
    world.home()
    world.talk(show_channel(world.keyboard, "Cmd0001"))
    world.talk(log_in(world.keyboard, Login("nobody", "", "nothing")))
    assert read_mode(world.screen).kind == "cmd"
    assert len(world.typed("password")) == 1


@pytest.mark.parametrize("seed", range(1, 9))
def test_events_that_break_in_everywhere(seed: int) -> None:
    """One EVENT every six seconds on average: more often than the whole way takes."""
    world = World(seed, Knobs(event_every=6.0))
    name, prompt = world.way_in()
    world.talk(close_channel(world.keyboard, prompt))
    assert {line for line in world.typed("sac") if line} == {"cmd", f"ch -sn {name}"}
    assert world.harmless()


def test_nine_channels_are_no_way_and_none_is_closed() -> None:
    world = World(knobs=Knobs(orphans=9))
    world.home()
    with pytest.raises(NoWay, match="nine") as no_way:
        world.talk(open_channel(world.keyboard))
    assert "ch -ci" in no_way.value.advice
    assert len(world.sac.channels) == 10


def test_switched_off_command_prompts_are_no_way() -> None:
    world = World()
    world.vm.registry.set(r"HKLM\SYSTEM\CurrentControlSet\Services\sacdrv", "DisableCmdSessions", REG_DWORD, 1)
    world.home()
    with pytest.raises(NoWay, match="switched off"):
        world.talk(open_channel(world.keyboard))


def test_a_helper_that_is_not_ready_yet_is_waited_for() -> None:
    world = World()
    sac = world.sac
    sac.cmd_ready = False

    def ready(at: float) -> None:
        sac.cmd_ready = True
        sac.event(CMD_AVAILABLE)

    world.line.line._later(30.0, ready)
    world.home()
    assert world.talk(open_channel(world.keyboard)) == "Cmd0001"
    assert world.line.now > 30.0
    assert len(sac.channels) == 2


def test_a_helper_that_never_comes_is_no_way() -> None:
    world = World()
    world.sac.cmd_ready = False
    world.home()
    with pytest.raises(NoWay, match="could not open a command prompt"):
        world.talk(open_channel(world.keyboard))
    assert world.line.now < 300.0


@pytest.mark.parametrize("boot", [1, 2])
def test_a_vm_that_boots_is_no_way_or_a_way_but_never_a_mistake(boot: int) -> None:
    for seed in range(1, 5):
        world = World(seed, Knobs(boot=boot, event_delay=20.0))
        with contextlib.suppress(NoWay):
            world.way_in()
        assert set(world.typed("sac")) <= {"", "cmd", "ch -sn Cmd0001"}
        assert not world.vm.power_requests


def test_a_channel_that_is_not_there_is_no_way() -> None:
    world = World()
    world.home()
    with pytest.raises(NoWay, match="Cmd0007"):
        world.talk(show_channel(world.keyboard, "Cmd0007"))


def test_only_the_channel_that_is_named_is_closed() -> None:
    world = World(knobs=Knobs(orphans=2))
    world.home()
    name = world.talk(open_channel(world.keyboard))
    world.talk(close_by_name(world.keyboard, name))
    assert sorted(channel.name for channel in world.sac.channels.values()) == ["Cmd0001", "Cmd0002", "SAC"]
    assert world.at_home()


# --- a login of our own ------------------------------------------------------------------------------------------


def dialogue(plan: Iterable[str] = (), *, stars: bool = True) -> Editor:
    """The login dialogue, and a prompt behind it."""
    after = {"Username: ": "Domain  :", "Domain  :": "Password: ", "Password: ": "C:\\Windows\\system32>"}

    def answer(line: str, editor: Editor) -> Iterable[tuple[float, str]]:
        editor.prompt = after.get(editor.prompt, editor.prompt)
        return ()

    return Editor("Username: ", plan=plan, stars=stars, answer=answer)


PLAN = st.lists(st.sampled_from(["ok"] * 10 + ["lose", "double", "late"]), max_size=120)
WORD = st.text(st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=1, max_size=24)


@settings(max_examples=80, deadline=None)
@given(WORD, WORD | st.just(""), WORD | st.text("ab", min_size=1, max_size=20), PLAN)
def test_what_is_entered_is_the_login_or_nothing(user: str, domain: str, password: str, plan: list[str]) -> None:
    """Of the password only the number of its stars is seen: a lost character and a doubled one would cancel out."""
    editor = dialogue([effect for effect in plan if effect != "double"])
    pump = Pump(editor)
    with contextlib.suppress(NoWay, Untypable):
        pump.run(log_in(Keyboard(), Login(user, domain, password)))
    pump.drain()
    assert len(editor.entered) <= 3
    assert editor.entered[:2] == [user, domain][: len(editor.entered)]
    assert all(len(entered) == len(password) for entered in editor.entered[2:])
    assert all(send.data != b"\r" for _, send in pump.sent if send.secret)


def test_a_prompt_that_echoes_gets_one_character_and_no_enter() -> None:
    editor = dialogue(stars=False)
    pump = Pump(editor)
    with pytest.raises(NoWay, match="could not be typed"):
        pump.run(log_in(Keyboard(), Login("bob", "", "Hunter2-secret")))
    assert editor.entered == ["bob", ""]
    assert {send.data for _, send in pump.sent if send.secret} == {b"H"}
    assert "Hu" not in "\n".join(pump.screen.rows())


def test_no_login_prompt_gets_no_key() -> None:
    pump = Pump(Editor("Please wait"))
    with pytest.raises(NoWay, match="asks for no login"):
        pump.run(log_in(Keyboard(), Login("bob", "", "secret")))
    assert pump.sent == []


def test_a_login_never_shows_its_password() -> None:
    assert "secret" not in repr(Login("bob", "dom", "secret"))
