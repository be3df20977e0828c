"""The console as a venue: asks commands in a channel of its own, over a serial line (``line.py``)."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from serialfix.console import folder, powershell, slices
from serialfix.console.channels import (
    AllTaken,
    ChannelGone,
    Login,
    LoginAgain,
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
from serialfix.console.keyboard import MOST_TYPED, Keyboard, Untypable
from serialfix.console.markers import Markers
from serialfix.console.screen import Screen
from serialfix.console.shells import NoAnswer, ShellLost, come_back, enter, interrupt, set_prompt, type_command
from serialfix.console.slices import Shell
from serialfix.errors import Bug, ConnectionLost, VmError
from serialfix.steps import Command, NewName, Output, Query, Unknown
from serialfix.venues.housekeeping import Housekeeping
from serialfix.venues.line import Line, converse

T = TypeVar("T")

CONNECTS = 60
"""How often the way to one question's answer may be lost before the run is given up. On a line on which something
happens every few seconds it takes many tries, and each of them may be the one; on a good one none is lost."""

DEAD = 6
"""How often in a row a connection may end before the SAC prompt is reached; then the line is taken for dead."""

DOUBTS = 1
"""How often a login that begins again without a word is tried once more, before it was ever taken: whoever types a
wrong password again and again locks the account."""

FOLDERS = 2
"""How often making a folder has to fail, in as many shells, until answers are read off the screen instead."""

LEAVES = 5
"""How often the console is tried to be left as it was found."""


class _Request(Protocol):
    @property
    def query(self) -> Query: ...
    @property
    def most(self) -> int: ...
    @property
    def timeout(self) -> float: ...


class SerialVenue:
    """Asks commands in a cmd channel of its own, and in a PowerShell started from it where a question wants that.

    One shell stands at a time; the other is opened or left when a question needs it. ``progress`` is told, in plain
    words, what happens; ``keep`` what is made on the VM, and takes away what earlier sessions left.
    """

    def __init__(
        self,
        line: Line,
        login: Login,
        nonce: str,
        progress: Callable[[str], None],
        keep: Housekeeping | None = None,
    ) -> None:
        self._line = line
        self._login = login
        self._progress = progress
        self._keep = keep or Housekeeping()
        self._screen = Screen()
        self._keyboard = Keyboard(nonce)
        self._markers = Markers(nonce)
        self._connected = False
        self._channel = ""
        self._prompt = ""  # of our cmd, while it or a PowerShell started from it stands at the cursor
        self._own: tuple[str, ...] = ()  # the prompts that our channel had when we last saw it: cmd's, PowerShell's
        self._cmd: Shell | None = None  # our cmd, where answers can be read exactly in it
        self._before: Shell | None = None  # it, while we do not know whether we come back to it
        self._power: Shell | None = None  # the PowerShell that stands at the cursor
        self._language: powershell.Language = "FullLanguage"
        self._folders: list[str] = []
        self._failed = 0
        self._dead = 0
        self._number = 0  # of the channel that was opened last
        self._unnamed = False  # whether one may be ours whose name we never read
        self._made = ""  # the folder that this session uses, also from the shell that follows one that is gone
        self._locked = False  # our channel asks for its login again, where we stood
        self._doubts = 0  # how often a login began again without a word; known to be right once it was taken
        self._no_folder = False
        self._entered = False
        self._spoilt = False  # our channel is not to be used any more: another one is needed
        self._stopped = False

    async def ask(self, requests: Sequence[_Request]) -> Sequence[Output | Unknown]:
        """Run the commands in their order, as many as a line holds in one exchange.

        Raises VmError and ConnectionLost when the console can't be had.
        """
        answers: list[Output | Unknown] = []
        while len(answers) < len(requests):
            several = self._together(requests[len(answers) :])
            answers += await self._ask(several)
        return answers

    def _together(self, requests: Sequence[_Request]) -> Sequence[_Request]:
        """The first of ``requests``, and those that may go with it on one line."""
        count, size = 1, 0
        for request in requests:
            command = request.query
            if not isinstance(command, Command) or command.shell != "cmd" or self._no_folder:
                break
            size += len(command.text) + 8
            if count > folder.CMD.together or size > MOST_TYPED - 200:
                break
            count += 1
        return requests[: max(1, count - 1)]

    async def leave(self) -> None:
        """Leave it as it was found: remove our folders, close our channel, then the line.

        Raises VmError when something is left, saying what, and how it is removed by hand.
        """
        left: list[str] = []
        advice: list[str] = []
        known = self._connected
        try:
            if self._connected and (self._channel or self._folders):
                self._progress("Leaving the VM as it was: closing our command prompt.")
                await self._leave_as_found()
        except (NoWay, Untypable, ShellLost, ConnectionLost, VmError) as problem:
            if self._channel:
                left.append(f"the command prompt {self._channel} ({problem})")
                advice.append(f"at the SAC prompt: ch -cn {self._channel}")
        finally:
            self._connected = False
            await self._line.close()
        if not known and self._channel:
            left.append(f"the command prompt {self._channel}")
            advice.append(f"at the SAC prompt: ch -cn {self._channel}")
        if self._unnamed:
            left.append("perhaps a command prompt, since the line was lost while it was opened")
            advice.append("at the SAC prompt: ch lists them, ch -cn NAME closes one that nobody uses")
        for path in self._folders:
            left.append(f"the folder {path}, with what was read")
            advice.append(f"at a command prompt: rd /s /q {path}")
        if left:
            raise VmError(
                f"Left on the VM: {'; '.join(left)}.",
                why="The line or the shell was lost, or the VM restarted.",
                advice="Nobody is harmed by it, and the next run on this machine takes it away. By hand it goes with, "
                f"{'; '.join(advice)}.",
            )

    async def _leave_as_found(self) -> None:
        """Raises what the last of several tries met."""
        for attempt in range(1, LEAVES + 1):
            try:
                await self._leave_channel()
            except (NoWay, Untypable, ShellLost, ConnectionLost) as problem:
                final = isinstance(problem, NoWay) and problem.final
                lost = isinstance(problem, ConnectionLost)
                if attempt == LEAVES or final:
                    raise
                self._forget()
                self._connected = self._connected and not lost
                self._progress(f"{str(problem).rstrip('.')}. Finding the way back, to leave the VM as it was.")
            else:
                return

    @property
    def left(self) -> tuple[str, ...]:
        """What of ours is on the VM now."""
        channel = (f"the command prompt {self._channel}",) if self._channel else ()
        return (*channel, *(f"the folder {path}" for path in self._folders))

    def abandon(self) -> None:
        """What stands at our prompt is not known any more: stop it before leaving."""
        self._stopped = True

    async def _leave_channel(self) -> None:
        if self._prompt and self._stopped:
            self._stopped = False
            try:
                await self._stop()
            except ShellLost:
                self._forget()
        if self._folders and not self._prompt:
            await self._reach_shell()
        try:
            await self._leave_powershell()
        except (ShellLost, Untypable):
            # It goes away with its channel; the folders are removed from another.
            self._forget()
            if self._folders:
                await self._reach_shell()
                await self._leave_powershell()
        if self._prompt:
            for path in tuple(self._folders):
                if await self._talk(folder.remove(self._keyboard, self._markers, self._prompt, path)):
                    self._folders.remove(path)
                    self._keep.folder_removed(path)
            await self._talk(close_channel(self._keyboard, self._prompt))
        elif self._channel:
            await self._go_home()
            await self._talk(close_by_name(self._keyboard, self._channel))
        self._keep.closed(self._channel)
        self._channel = ""
        self._forget()

    async def _stop(self) -> None:
        """Ctrl-C in the shell that stands. Raises ShellLost."""
        if self._power is None:
            await self._talk(interrupt(self._prompt))
            return
        try:
            await self._talk(interrupt(self._power.prompt, home=self._prompt))
        except ShellLost as problem:
            if problem.found != "cmd":
                raise
            self._power = None

    def _forget(self) -> None:
        """Nothing is known any more of what stands at the cursor."""
        self._before = self._cmd or self._before
        self._prompt, self._cmd, self._power = "", None, None

    async def _ask(self, requests: Sequence[_Request]) -> list[Output | Unknown]:
        """One exchange, repeated until it has an answer; a write is entered once at most."""
        if isinstance(requests[0].query, NewName):
            return [Output(self._markers.draw(12), None, "ours")]
        commands: list[Command] = []
        for request in requests:
            if not isinstance(request.query, Command):
                raise Bug(f"the console can't be asked {request.query!r}")
            commands.append(request.query)
        writes = any(command.effect == "write" for command in commands)
        hung = hung_in_power = 0
        for attempt in range(1, CONNECTS + 1):
            self._entered = reached = False
            try:
                await self._reach_shell()
                reached = True
                await self._switch_to(commands[0])
                return list(await self._exchange(commands, requests))
            except NoAnswer as problem:
                if len(requests) > 1:
                    return await self._one_by_one(requests, str(problem))
                return [Unknown(str(problem))]
            except (ShellLost, ConnectionLost, Untypable, NoWay) as problem:
                self._dead += isinstance(problem, ConnectionLost)
                self._locked = isinstance(problem, ShellLost) and problem.found == "username"
                ended = isinstance(problem, ShellLost) and problem.found == "cmd"
                if ended:  # PowerShell's; our cmd prompt stands there
                    self._power, self._own = None, (self._prompt,)
                else:
                    self._forget()
                self._connected = self._connected and not isinstance(problem, ConnectionLost)
                if self._entered and writes:
                    # Never made again: whether it was made is seen by looking, not by repeating.
                    why = f"the console was lost after the command was entered ({problem})"
                    return await self._one_by_one(requests, why)
                if ended:
                    return [Unknown("PowerShell ended while it was asked")]
                silent = isinstance(problem, ShellLost) and problem.found == "unknown"
                hung = hung + 1 if silent else 0
                hung_in_power += silent and reached
                if hung_in_power > 1 and commands[0].shell == "powershell":
                    return [Unknown("PowerShell does not answer any more")]
                # A second time: whatever stands there, another channel will not have it.
                self._spoilt = self._spoilt or hung > 1
                if attempt == CONNECTS and isinstance(problem, Untypable):
                    return [Unknown(f"the line is too bad to type on: {problem}")] * len(requests)
                if attempt == CONNECTS or self._dead >= DEAD or (isinstance(problem, NoWay) and problem.final):
                    raise _as_error(problem) from None
                self._progress(f"{str(problem).rstrip('.')}. Finding the way back.")
        raise Bug("unreachable")

    async def _one_by_one(self, requests: Sequence[_Request], why: str) -> list[Output | Unknown]:
        """What was entered together and has no answer: each question is asked again alone, no write is made again."""
        found: list[Output | Unknown] = []
        for request in requests:
            write = isinstance(request.query, Command) and request.query.effect == "write"
            found += [Unknown(why)] if write else await self._ask([request])
        return found

    async def _exchange(self, commands: Sequence[Command], requests: Sequence[_Request]) -> Sequence[Output]:
        if self._power is None and self._cmd is None and not self._no_folder:
            await self._make_folder()
        shell = self._power or self._cmd
        if shell is None:
            return [await self._framed(*each) for each in zip(commands, requests, strict=True)]
        keyboard, markers = self._keyboard, self._markers
        asked = [slices.Asked(command.text, command.exact or command.effect == "write") for command in commands]
        typed = await self._talk(slices.type_question(keyboard, markers, shell, asked))
        self._entered = True
        most, timeout = sum(each.most for each in requests), sum(each.timeout for each in requests)
        return await self._talk(slices.answers(keyboard, markers, shell, typed, most=most, timeout=timeout))

    async def _framed(self, command: Command, request: _Request) -> Output:
        """Without a folder: read off the screen, without a checksum."""
        exact = command.exact or command.effect == "write"
        framed, row = await self._talk(
            type_command(self._keyboard, self._markers, self._prompt, command.text, exact=exact)
        )
        self._entered = True
        return await self._talk(enter(self._prompt, framed, row, most=request.most, timeout=request.timeout))

    async def _make_folder(self) -> None:
        keyboard, markers = self._keyboard, self._markers
        if self._made and self._before is not None:
            prepared = folder.prepare(keyboard, markers, self._prompt, self._made, known=self._before)
            self._cmd = await self._talk(prepared)
            if self._cmd is not None:
                return
            self._made = ""
        path = folder.new_folder(self._markers)
        self._keep.folder_made(path)
        self._folders.append(path)  # before it is made: whatever comes between, it is removed at the end
        self._cmd = await self._talk(folder.prepare(self._keyboard, self._markers, self._prompt, path))
        if self._cmd is not None:
            self._made = path
            self._progress(f"Answers are kept in {path} on the VM until we leave.")
            return
        self._failed += 1
        if self._failed < FOLDERS:
            raise ShellLost("unknown")  # it may be the shell; another one tells
        self._no_folder = True
        self._progress("No folder could be made on the VM: answers are read off the screen, without a checksum.")
        if await self._talk(folder.remove(self._keyboard, self._markers, self._prompt, path)):
            self._folders.remove(path)
            self._keep.folder_removed(path)

    async def _switch_to(self, command: Command) -> None:
        """From our cmd prompt to PowerShell, or back. Raises NoPowerShell, ShellLost, Untypable."""
        if command.shell == "cmd":
            await self._leave_powershell()
        elif self._power is None:
            self._progress("Starting PowerShell.")
            power, language = await self._talk(powershell.start(self._keyboard, self._markers, self._prompt))
            if self._cmd is not None and self._cmd.way != "stream":
                power.way = power.dialect.ways[-1]  # it is the same console
            self._power, self._own = power, (self._prompt, power.prompt)
            if language != self._language:
                self._language = language
                self._progress(
                    f"PowerShell runs in {language}: its answers are read off the screen, without a checksum."
                )

    async def _leave_powershell(self) -> None:
        if self._power is not None:
            self._progress("Leaving PowerShell.")
            await self._talk(powershell.leave(self._keyboard, self._power))
            self._power, self._own = None, (self._prompt,)

    async def _talk(self, conversation: Conversation[T]) -> T:
        return await converse(self._line, self._screen, conversation, self._progress)

    async def _reach_shell(self) -> None:
        """From wherever we are to a shell whose prompt is ours. Raises ConnectionLost, NoWay, Untypable, VmError."""
        if not self._prompt and not (self._locked and await self._unlock()):
            await self._find_shell()

    async def _unlock(self) -> bool:
        """Our channel asks for its login where our prompt stood a moment ago: log in there, if that can be done."""
        self._locked = False
        self._progress(f"The channel asks for its login again: logging in as {self._login.user}.")
        try:
            await self._talk(log_in(self._keyboard, self._login, *self._own))
            return await self._come_back()
        except LoginRefused:
            raise self._refused() from None
        except (NoWay, Untypable):
            return False

    async def _find_shell(self) -> None:
        try:
            await self._go_home()
            if self._channel and self._spoilt:
                await self._drop_channel()
            await self._keep.clean(self._talk, self._keyboard)
            self._folders += self._keep.take_folders()
            if not self._channel:
                self._progress("Opening a command prompt channel.")
                self._channel = await self._open_channel()
                self._keep.opened(self._channel)
            self._progress(f"Switching to the channel {self._channel}.")
            self._keep.seen(self._channel, await self._talk(show_channel(self._keyboard, self._channel)))
            if await self._come_back():
                return
            self._progress(f"Logging in as {self._login.user}.")
            await self._log_in()
            self._doubts = -CONNECTS  # it was taken: asked again, it is the console's doing
            self._keep.logged_in(self._channel, self._login.user)
            if await self._come_back():  # the channel was locked: our shell stands behind its login
                return
            self._prompt = await self._talk(set_prompt(self._keyboard, self._markers))
            self._own = (self._prompt,)
            self._progress("At a command prompt of our own.")
        except ChannelGone:
            self._keep.closed(self._channel)
            self._channel, self._own = "", ()
            raise
        except LoginRefused:
            raise self._refused() from None
        except LoginAgain:
            self._doubts += 1
            if self._doubts > DOUBTS:
                raise self._refused() from None
            raise

    def _refused(self) -> VmError:
        tried = "twice, since the first time nothing was said" if self._doubts > 0 else "once only"
        return VmError(
            f"Windows refused the user name or the password of {self._login.user!r}.",
            why="A wrong password, a disabled or locked account, or a domain account while no domain controller "
            "is reached.",
            advice=f"Check them and run the command again. It was tried {tried}, so that nobody is locked out.",
        )

    async def _go_home(self) -> None:
        """To an empty SAC prompt, over a new connection where there is none. Raises NoWay, ConnectionLost."""
        fresh = not self._connected
        if fresh:
            await self._line.open()
            self._connected = True
        self._progress("Finding the SAC prompt.")
        await self._talk(find_home(self._keyboard, connected=fresh))
        self._dead = 0

    async def _open_channel(self) -> str:
        """Open a channel of ours, where all are taken in the place of one that may be closed. Raises NoWay."""
        try:
            name = await self._talk(open_channel(self._keyboard))
        except AllTaken:
            if not await self._keep.make_room(self._talk, self._keyboard):
                raise
            name = await self._talk(open_channel(self._keyboard))
        except ConnectionLost:
            self._unnamed = True  # it may have been made, and nobody read its name
            raise
        number = int("".join(filter(str.isdigit, name)) or 0)
        # Names count up, so one that follows the last one we know of says that none was made in between.
        self._unnamed = self._unnamed and number != self._number + 1
        self._number = number
        return name

    async def _come_back(self) -> bool:
        """Whether a shell that we left without a word stands in the shown channel, at its prompt."""
        if not self._own:
            return False
        back = await self._talk(come_back(*self._own))
        if not back:
            return False
        self._prompt = self._own[0]
        if self._before is not None and self._before.prompt == self._prompt:
            self._cmd = self._before  # the same shell: what was defined in it still is
        if back == self._prompt:
            self._own = (self._prompt,)
            self._progress("Back at our command prompt.")
        else:
            self._power = Shell(powershell.POWERSHELL, back, home=self._prompt)
            self._progress("Back at our PowerShell.")
        return True

    async def _log_in(self) -> None:
        """Log in. A channel that does not begin to ask for that hangs, or was left half way; it is closed.

        Raises NoWay, LoginRefused, Untypable.
        """
        try:
            await self._talk(log_in(self._keyboard, self._login, *self._own))
        except (NoWay, Untypable):
            await self._go_home()
            await self._drop_channel()
            raise

    async def _drop_channel(self) -> None:
        """At SAC>: close our channel. What it leaves behind is removed from the next one. Raises NoWay, Untypable."""
        self._progress(f"The channel {self._channel} can't be used any more: closing it.")
        await self._talk(close_by_name(self._keyboard, self._channel))
        self._keep.closed(self._channel)
        self._channel, self._own, self._spoilt = "", (), False


def _as_error(problem: ShellLost | ConnectionLost | NoWay | Untypable) -> VmError:
    match problem:
        case ConnectionLost():
            return problem
        case NoWay():
            return VmError(problem.seen, advice=problem.advice)
        case Untypable():
            return VmError(
                f"The serial line is too bad to type on: {problem}.",
                advice="Run the command again; if it stays so, repair the disk offline.",
            )
    return VmError(
        f"The command prompt on the VM was lost and did not come back ({problem}).",
        why="Somebody closed the channel, or Windows is shutting down.",
        advice="Run the command again.",
    )
