"""Plays a playbook: asks, records, emits. The only loop over steps, and the only place from which a VM is changed.

It knows venues only by the Protocols below. Every answer is kept until a change empties the store, so checks that ask
the same thing ask the VM once. Every Change goes: before-value, approval, record flushed to disk, command, check; a
change whose outcome is unknown is decided by its check and never made again (design: "Changes").
"""

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from serialfix import events
from serialfix.errors import Bug, SerialfixError
from serialfix.steps import (
    Ahead,
    Change,
    Check,
    Choose,
    Command,
    Do,
    Done,
    Finding,
    Look,
    NewName,
    Note,
    NoUndo,
    Outcome,
    Output,
    OutsideLook,
    Playbook,
    Probe,
    Query,
    Step,
    Unknown,
    Unreadable,
    Verdict,
    Verified,
    Wait,
    growing,
)

CHECK_FIRST, CHECK_EVERY = 0.25, 2.0
"""Seconds from a look at a change that has not come true yet to the next: at first, and at most."""


@dataclass(frozen=True, slots=True)
class Request:
    """One query as a venue is asked it. ``most``: bytes; ``timeout``: seconds for this one."""

    query: Query
    most: int
    timeout: float


class Venue(Protocol):
    """A place where questions can be asked."""

    async def ask(self, requests: Sequence[Request]) -> Sequence[Output | Unknown]:
        """One answer, or why there is none, for each request. Raises SerialfixError when the place itself is gone."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no to a proposal. ``by``: who or what decided. ``quit``: end the run here."""

    approved: bool
    by: str
    note: str = ""
    quit: bool = False


class Approver(Protocol):
    """Says yes or no to changes, and picks among choices."""

    async def decide(self, proposal: events.Proposed) -> Decision:
        """May these changes be made?"""

    async def choose(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        """One of ``choices``, and who chose."""


class Recorder(Protocol):
    """Where events go."""

    def emit(self, event: events.Event) -> None:
        """Record and show an event."""

    def flush(self) -> None:
        """Return when everything so far is on disk."""


class Interrupted(Exception):
    """The engineer wants to stop; everything that was begun is finished."""


Where = Literal["console", "outside"]


@dataclass(frozen=True, slots=True)
class Played:
    """How a run ended: the verdict, and the changes as they were left."""

    verdict: Verdict
    changes: tuple["ChangeRecord", ...]


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """One change of the session. ``checked``: whether it held when it was looked at; None: not looked at.

    ``temporary``: it only helped a check, and repairs nothing.
    """

    check: str
    name: str
    risk: str
    proven: str
    approved: bool
    done: bool
    checked: bool | None
    temporary: bool = False

    @property
    def repairs(self) -> bool:
        """Whether it was made, and stays."""
        return self.done and not self.temporary


class Engine:
    """Plays one playbook once. ``sleep``: how time passes for it. Set ``stopping`` to end at the next safe point."""

    def __init__(
        self,
        *,
        venues: Mapping[Where, Venue],
        approver: Approver,
        recorder: Recorder,
        mode: Literal["diagnose", "repair"],
        flags: frozenset[str] = frozenset(),
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._venues = venues
        self._approver = approver
        self._recorder = recorder
        self._mode = mode
        self._flags = flags
        self._sleep = sleep
        self._kept: dict[Query, Output | Unknown] = {}
        self._tells: dict[Query, str] = {}
        self._ahead: tuple[Probe[Any], ...] = ()
        self._check = ""
        self._temporary: list[tuple[Change[Any], Any]] = []
        self.changes: list[ChangeRecord] = []
        self.findings: dict[str, Finding] = {}
        self.stopping = False
        self.changing = False

    async def play(
        self, playbook: Playbook, only: Sequence[str] = (), first: Generator[Step, Any, None] | None = None
    ) -> Played:
        """Run its checks (or ``only`` those named) and its verification. Raises SerialfixError, Interrupted.

        ``first``: steps that come before all checks and are no part of what is judged.
        """
        checks = [check for check in playbook.checks if not only or check.name in only]
        lost: SerialfixError | None = None
        if first is not None:
            try:
                await self._run(first)
            except SerialfixError as error:
                lost = error
        self._ahead = tuple(probe for check in checks for probe in check.first)
        for check in checks:
            try:
                if lost is not None:
                    raise lost
                self._found(await self._run_check(check))
            except SerialfixError as error:
                lost = error
                self._found(_unknown(check, error.what, error.advice))
        verified: Verified = "no"
        if lost is None:
            symptoms: tuple[Finding, ...]
            try:
                symptoms, verified = await self._verify(playbook)
            except SerialfixError as error:
                lost = error
                symptoms = (_unverified(playbook, error.what, error.advice),)
            for symptom in symptoms:
                if not only or symptom.check in only:
                    self._found(symptom)
        verdict = judge(tuple(self.findings.values()), playbook.symptoms, verified, reached=lost is None)
        self._recorder.emit(events.Ended(verdict.outcome, verdict.verified, verdict.sign_in, verdict.findings))
        return Played(verdict, tuple(self.changes))

    async def _verify(self, playbook: Playbook) -> tuple[tuple[Finding, ...], Verified]:
        self._check = playbook.symptoms[0]
        made = any(change.repairs for change in self.changes)
        try:
            findings, verified = await self._run(playbook.verify(made))
        except (SerialfixError, Interrupted, Bug):
            raise
        except Exception as error:
            reason = f"the verification itself failed, which is a bug of serialfix: {error!r}"
            return (_unverified(playbook, reason),), "no"
        return findings, verified

    async def _run_check(self, check: Check) -> Finding:
        self._recorder.emit(events.CheckStarted(check.name, check.title))
        self._check = check.name
        try:
            finding: Finding = await self._run(check.run())
        except (SerialfixError, Interrupted, Bug):
            raise
        except Exception as error:  # a check that crashes is a finding, not the end of the run
            finding = _unknown(check, f"the check itself failed, which is a bug of serialfix: {error!r}")
        finally:
            await self._end_temporary()
        return finding

    def _found(self, finding: Finding) -> None:
        """Keep a finding. ``fixed`` is derived: ok now, and this session made a change for it, or saw it broken."""
        before = self.findings.get(finding.check)
        for_it = any(change.repairs and change.check == finding.check for change in self.changes)
        seen_broken = before is not None and before.status == "fault" and any(each.repairs for each in self.changes)
        if finding.status == "ok" and (for_it or seen_broken):
            finding = replace(finding, status="fixed")
        if finding != before:
            self.findings[finding.check] = finding
            self._recorder.emit(events.FindingMade(finding))

    async def _run(self, generator: Generator[Step, Any, Any]) -> Any:
        answer: Any = None
        try:
            while True:
                if self.stopping:
                    raise Interrupted
                step = generator.send(answer)
                answer = await self._take(step)
        except StopIteration as end:
            return end.value
        finally:
            generator.close()

    async def _take(self, step: Step) -> Any:
        match step:
            case Look(probe, fresh):
                return await self._look(probe, fresh=fresh)
            case Ahead(probes, fresh):
                for probe in probes if fresh else ():
                    self._kept.pop(probe.query, None)
                await self._fetch(probes)
                return None
            case Do():
                return await self._do(step)
            case Choose(question, choices, unattended):
                choice, by = await self._approver.choose(question, choices, unattended)
                self._recorder.emit(events.Chosen(question, choice, by))
                return choice
            case Note(text):
                self._recorder.emit(events.Noted(text))
                return None
            case Wait(seconds, why):
                self._recorder.emit(events.Waited(seconds, why))
                await self._sleep(seconds)
                return None
        raise Bug(f"a playbook yielded {step!r}, which is no step")

    # --- asking -------------------------------------------------------------------------------------------------

    async def _look(self, probe: Probe[Any], *, fresh: bool = False) -> Any:
        if fresh:
            self._kept.pop(probe.query, None)
        if probe.query not in self._kept:
            where = _where(probe.query)
            # The questions that the chosen checks begin with go along, as far as they go to the same place.
            along = [other for other in self._ahead if _where(other.query) == where]
            self._ahead = tuple(other for other in self._ahead if _where(other.query) != where)
            await self._fetch((probe, *along))
        value = self._parse(probe, self._kept[probe.query])
        # An answer that several probes read is told once, by the one that was seen to ask.
        tells = self._tells.get(probe.query) == probe.name
        if tells and not isinstance(value, Unknown) and (learnt := probe.say(value)):
            del self._tells[probe.query]
            self._recorder.emit(events.Learnt(probe.name, learnt))
        return value

    async def _fetch(self, probes: Sequence[Probe[Any]]) -> None:
        """Ask those whose answer is not kept, each place once."""
        wanted: dict[Query, Probe[Any]] = {}
        for probe in probes:
            if probe.query not in self._kept:
                wanted.setdefault(probe.query, probe)
        for where in dict.fromkeys(_where(query) for query in wanted):
            await self._ask(where, tuple(probe for query, probe in wanted.items() if _where(query) == where))

    async def _ask(self, where: Where, probes: Sequence[Probe[Any]]) -> None:
        for probe in probes:
            if probe.query.effect != "read":
                raise Bug(f"the probe {probe.name} would change something")
            self._recorder.emit(events.Asked(probe.name, probe.title, probe.why, question_of(probe.query)))
        answers = await self._venues[where].ask([Request(probe.query, probe.most, probe.timeout) for probe in probes])
        for probe, answer in zip(probes, answers, strict=True):
            self._keep(probe, answer)

    def _keep(self, probe: Probe[Any], answer: Output | Unknown) -> None:
        self._kept[probe.query] = answer
        self._tells[probe.query] = probe.name
        if isinstance(answer, Output):
            self._recorder.emit(
                events.Answered(probe.name, answer.text, answer.exit_code, answer.proof, answer.partial)
            )
        else:
            self._recorder.emit(events.NotAnswered(probe.name, answer.reason))

    def _parse(self, probe: Probe[Any], answer: Output | Unknown) -> Any:
        if isinstance(answer, Unknown):
            return answer
        if probe.exact and answer.proof == "screen":
            reason = "it could only be read off the screen, without a checksum, and each of its characters counts here"
            self._recorder.emit(events.NotAnswered(probe.name, reason))
            return Unknown(reason)
        try:
            return probe.parse(answer)
        except Unreadable as error:
            self._recorder.emit(events.NotAnswered(probe.name, str(error)))
            return Unknown(str(error))

    # --- changing -----------------------------------------------------------------------------------------------

    async def _do(self, step: Do) -> Done:
        befores: list[Any] = []
        for change in step.changes:
            if change.flag and change.flag not in self._flags and self._mode != "diagnose":
                return Done("declined", f"needs {change.flag}")
        impacts = [probe for change in step.changes for probe in change.impact]
        await self._fetch([*(change.before for change in step.changes), *impacts])
        for change in step.changes:
            before = await self._look(change.before)
            if isinstance(before, Unknown):
                return Done("failed", f"{change.title}: what is there now could not be read ({before.reason})")
            befores.append(before)
        impact = {probe.name: await self._look(probe) for change in step.changes for probe in change.impact}
        proposal = events.Proposed(
            step.title,
            step.finding,
            tuple(_proposed(change, before, impact) for change, before in zip(step.changes, befores, strict=True)),
        )
        self._recorder.emit(proposal)
        decision = await self._approver.decide(proposal)
        self._recorder.emit(events.Decided(decision.approved, decision.by, decision.note))
        if not decision.approved:
            self.changes += [_record(self._check, change, approved=False) for change in step.changes]
            if decision.quit:
                raise Interrupted
            # Whoever only diagnoses has refused nothing: the fault stays a fault.
            return Done("failed", "nothing was changed") if self._mode == "diagnose" else Done("declined")
        self.changing = True
        self._kept.clear()  # deciding takes time: what was seen before it is old
        try:
            return await self._make(step.changes)
        finally:
            self.changing = False

    async def _make(self, changes: Sequence[Change[Any]]) -> Done:
        made: list[tuple[Change[Any], Any]] = []
        await self._fetch([change.before for change in changes])
        for number, change in enumerate(changes):
            before = await self._look(change.before)
            if change.temporary and not isinstance(before, Unknown):
                # Kept before it is made: what was made half, or lost on the way, is removed as well.
                self._temporary.append((change, before))
            following = changes[number + 1] if number + 1 < len(changes) else None
            done, why = await self._make_one(change, before, following)
            if not done:
                self.changes += [_record(self._check, other, approved=True) for other in changes[number + 1 :]]
                await self._put_back(made)
                return Done("failed", f"{change.title}: {why}")
            made.append((change, before))
        return Done("made")

    async def _put_back(self, made: Sequence[tuple[Change[Any], Any]]) -> None:
        """Undo what only made room for changes that were not made in the end, last first."""
        for change, before in reversed(made):
            if change.put_back:
                await self._undo_now(change, before)

    async def _end_temporary(self) -> None:
        """Undo what was needed only for the check that ends here, last first. Raises nothing for a lost console."""
        made, self._temporary = self._temporary, []
        if not made:
            return
        self.changing = True
        lost = False
        try:
            for change, before in reversed(made):
                try:
                    if not lost:
                        await self._undo_now(change, before)
                except SerialfixError:
                    lost = True  # the next question meets the loss as well, and is told of it
                if lost:
                    commands = () if isinstance(change.undo, NoUndo) else change.undo(before)
                    self._recorder.emit(events.PutBack(change.name, "; ".join(each.text for each in commands), None))
        finally:
            self.changing = False

    async def _undo_now(self, change: Change[Any], before: Any) -> None:
        """Undo a change of this session if it still stands.

        What is temporary is undone as soon as it is not as before, or can't be read: it may have been made half.
        """
        if isinstance(change.undo, NoUndo):
            return
        now = await self._look(change.before, fresh=True)
        holds = not isinstance(now, Unknown) and change.check(now)
        if change.check(before) or not (holds or (change.temporary and now != before)):
            return
        for command in change.undo(before):
            why = "it undoes a change of this session"
            shown = now.reason if isinstance(now, Unknown) else change.show(now)
            self._recorder.emit(events.ChangeStarted(f"put back:{change.name}", shown, command.text, (), why))
            self._recorder.flush()
            self._kept.clear()
            await self._venues["console"].ask([Request(command, 16 * 1024, 60.0)])
            now = await self._settled(change, _not(change.check))
            back = None if isinstance(now, Unknown) else not change.check(now)
            self._recorder.emit(events.PutBack(change.name, command.text, back))

    async def _make_one(self, change: Change[Any], before: Any, following: Change[Any] | None) -> tuple[bool, str]:
        """Make a change and check it. ``following``: the one behind it, whose object is looked at along the way."""
        if isinstance(before, Unknown):
            self.changes.append(_record(self._check, change, approved=True))
            return False, f"what is there now could not be read ({before.reason})"
        if change.check(before):
            self._recorder.emit(events.ChangeSkipped(change.name))
            self.changes.append(_record(self._check, change, approved=True, checked=True))
            return True, ""
        undo, no_undo = _undo(change, before)
        self._recorder.emit(events.ChangeStarted(change.name, change.show(before), change.do.text, undo, no_undo))
        self._recorder.flush()
        try:
            now = await self._send_and_check(change, following)
            holds = None if isinstance(now, Unknown) else change.check(now)
            shown = now.reason if isinstance(now, Unknown) else change.show(now)
        except BaseException:
            # Lost in between: whether it was made is not known, and only a look can tell.
            self.changes.append(_record(self._check, change, approved=True, done=True))
            raise
        self._recorder.emit(events.ChangeChecked(change.name, holds, shown))
        self.changes.append(_record(self._check, change, approved=True, done=holds is not False, checked=holds))
        if holds:
            return True, ""
        return False, f"afterwards it was {shown}"

    async def _send_and_check(self, change: Change[Any], following: Change[Any] | None) -> Any:
        self._kept.clear()
        probes = [change.before] if following is None else [change.before, following.before]
        along = [
            probe
            for number, probe in enumerate(probes)
            if _where(probe.query) == "console" and probe.query not in [other.query for other in probes[:number]]
        ]
        # Sent together, since a console carries them in one exchange; what comes back is read in this order.
        requests = [Request(change.do, 16 * 1024, 60.0)]
        requests += [Request(probe.query, probe.most, probe.timeout) for probe in along]
        answer, *looks = await self._venues["console"].ask(requests)
        if isinstance(answer, Output):
            self._recorder.emit(events.ChangeDone(change.name, answer.text, answer.exit_code))
        else:
            self._recorder.emit(events.ChangeDone(change.name, answer.reason, None))
        for probe, look in zip(along, looks, strict=True):
            self._recorder.emit(events.Asked(probe.name, probe.title, probe.why, question_of(probe.query)))
            self._keep(probe, look)
        return await self._settled(change, change.check)

    async def _settled(self, change: Change[Any], wanted: Callable[[Any], bool]) -> Any:
        """The object when it is as ``wanted``, or when the change's time to settle is over."""
        now = await self._look(change.before)
        for pause in growing(change.settle, CHECK_EVERY, CHECK_FIRST):
            if not isinstance(now, Unknown) and wanted(now):
                break
            await self._sleep(pause)
            self._kept.clear()  # what was looked at along the way is old by now
            now = await self._look(change.before, fresh=True)
        return now


def judge(findings: tuple[Finding, ...], symptoms: tuple[str, ...], verified: Verified, *, reached: bool) -> Verdict:
    """The outcome, the first that applies (design: "Outcomes"). ``reached``: the console could be used.

    Of the ``symptoms``, the most trusted first, the first that could be seen decides.
    """
    status = {finding.check: finding.status for finding in findings}
    looks = [status.pop(symptom) for symptom in symptoms if symptom in status]
    seen = next((look for look in looks if look != "unknown"), "unknown" if looks else "ok")
    causes = set(status.values())
    outcome: Outcome
    if not reached:
        outcome = "unreachable"
    elif causes & {"fault", "unknown"} or seen == "unknown":
        outcome = "faults_left"
    elif seen == "fault" and not causes & {"declined", "fixed"}:
        outcome = "unexplained"
    elif "declined" in causes:
        outcome = "declined"
    elif seen == "fault":
        outcome = "faults_left"
    else:
        outcome = "fixed" if "fixed" in causes else "healthy"
    return Verdict(outcome, verified, "not tested", findings)


def question_of(query: Query) -> str:
    """A query as text for people."""
    match query:
        case Command(text=text):
            return text
        case OutsideLook(port=0):
            return "a connection to the RDP port, as a client makes it"
        case OutsideLook(port=port):
            return f"a connection to Remote Desktop's port (inside the VM {port}), as a client makes it"
        case NewName(purpose=purpose):
            return f"a new name for {purpose}"


def _where(query: Query) -> Where:
    return "outside" if isinstance(query, OutsideLook) else "console"


def _proposed(change: Change[Any], before: Any, impact: Mapping[str, Any]) -> events.ProposedChange:
    undo, no_undo = _undo(change, before)
    return events.ProposedChange(
        name=change.name,
        title=change.title,
        why=change.why,
        risk=change.risk,
        proven=change.proven,
        before=change.show(before),
        after=change.after,
        command=change.do.text,
        undo=undo,
        no_undo=no_undo,
        impact=tuple(_impact(probe, impact[probe.name]) for probe in change.impact),
        flag=change.flag,
        temporary=change.temporary,
    )


def _impact(probe: Probe[str], answer: str | Unknown) -> str:
    return f"{probe.title}: could not be read ({answer.reason})" if isinstance(answer, Unknown) else answer


def _undo(change: Change[Any], before: Any) -> tuple[tuple[str, ...], str]:
    if isinstance(change.undo, NoUndo):
        return (), change.undo.why
    return tuple(command.text for command in change.undo(before)), ""


def _record(
    check: str, change: Change[Any], *, approved: bool, done: bool = False, checked: bool | None = None
) -> ChangeRecord:
    return ChangeRecord(check, change.name, change.risk, change.proven, approved, done, checked, change.temporary)


def _unknown(check: Check, reason: str, advice: str = "") -> Finding:
    return Finding(check.name, "unknown", f"{check.title}: could not be found out", (reason,), advice, check.docs)


def _unverified(playbook: Playbook, reason: str, advice: str = "") -> Finding:
    return Finding(playbook.symptoms[0], "unknown", "It could not be verified", (reason,), advice)


def _not(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: not check(value)
