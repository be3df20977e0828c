"""The face of a plain terminal: what happens, as lines, in the order in which it happens.

``story`` is pure: an event in, styled lines out; the same lines are shown live, by ``serialfix play`` and on stderr
beside ``--output json``.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeAlias

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from serialfix import events
from serialfix.approval import highest
from serialfix.engine import Approver
from serialfix.steps import Finding
from serialfix.tui.safe import safe, safe_lines

Asker: TypeAlias = Callable[[str, str], Awaitable[tuple[str, str] | None]]

MARKS = {
    "ok": ("✓", "green", "OK"),
    "fixed": ("✓", "bold green", "FIXED"),
    "fault": ("✗", "bold red", "FAULT"),
    "declined": ("–", "yellow", "DECLINED"),
    "unknown": ("?", "bold yellow", "UNKNOWN"),
}
RISK_STYLES = {"low": "green", "medium": "yellow", "high": "bold red"}
PROVEN = {
    "documented": "documented by Microsoft",
    "measured": "measured by others on real VMs",
    "derived": "derived from documents, not measured",
    "common knowledge": "common knowledge, no source",
}
LONGEST = 240
"""Characters of a question or a value that are shown."""
UNPROVEN = "serialfix has never made this change on a real VM"

OUTCOMES = {
    "healthy": "Healthy: no fault was found, and nothing was changed.",
    "fixed": "Fixed: Remote Desktop works again.",
    "faults_left": "Faults are left: something is still wrong, or could not be found out.",
    "unexplained": "Unexplained: no fault was found, and Remote Desktop still fails.",
    "declined": "Declined: the fault is known; the change was not approved, and nothing was changed.",
    "needs_offline": "The VM can't be repaired over its console; its disk has to be repaired offline.",
    "unreachable": "The VM's console could not be reached.",
    "interrupted": "Interrupted.",
}


def story(event: events.Event, *, again: bool = False) -> Iterator[Text]:
    """The lines that tell an event. Events that say nothing to a person give none.

    ``again``: the question was asked before, so it need not be explained once more.
    """
    match event:
        case events.SessionStarted(mode=mode, vm=vm, user=user):
            yield Text.assemble(("serialfix ", "bold"), f"{mode} · {safe(vm)} · logs in as {safe(user)}")
        case events.VmSeen(facts=facts):
            known = (facts.get("os_name"), facts.get("size"), facts.get("location"), facts.get("power"))
            yield _dim(f"  {safe(str(facts.get('name')))}: {', '.join(safe(str(item)) for item in known if item)}")
        case events.Progress(text=text):
            yield _dim(f"  … {safe(text)}")
        case events.Disconnected(ours=False, code=code, reason=reason):
            yield Text(
                f"  ! The serial connection was lost (code {code}{', ' + safe(reason) if reason else ''}).", "yellow"
            )
        case events.Displaced(again=again_, by=by):
            said = "connecting again, which disconnects them" if again_ else "not connecting again"
            yield Text(f"  Somebody else seems to be on the console: {said} (by {safe(by)}).", "yellow")
        case events.LeftEarlier(channels=channels, folders=folders, changes=changes):
            yield Text("  Earlier sessions on this machine left on this VM:", "yellow")
            for channel in channels:
                signed_in = f", logged in as {safe(channel.user)}" if channel.user else ""
                yield Text(f"    the command prompt {safe(channel.name)}{signed_in}", "yellow")
            for path in folders:
                yield Text(f"    the folder {safe(path)}", "yellow")
            for change in changes:
                yield Text(f"    the temporary change {safe(change.name)}: {_short(change.command)}", "yellow")
        case events.CheckStarted(title=title):
            yield Text()
            yield Text(f"▸ {safe(title)}", "bold")
        case events.Asked(title=title) if again:
            yield _dim(f"  ? {safe(title)}")
        case events.Asked(title=title, why=why, question=question):
            yield Text.assemble("  ", ("? ", "cyan"), safe(title), (f" — {safe(why)}", "dim"))
            yield _dim(f"      {_short(question)}")
        case events.Learnt(text=text):
            yield Text(f"      = {safe(text)}")
        case events.NotAnswered(reason=reason):
            yield Text(f"      no answer: {safe(reason)}", "yellow")
        case events.Noted(text=text):
            yield Text(f"  {safe(text)}")
        case events.FindingMade(finding=finding):
            yield from finding_lines(finding)
        case events.Proposed():
            yield from proposal_lines(event)
        case events.Decided(approved=approved, by=by, note=note):
            said = "approved" if approved else "not approved"
            because = f" ({safe(note)})" if note else ""
            yield Text(f"  {said} by {safe(by)}{because}", "bold" if approved else "yellow")
        case events.ChangeStarted(name=name, command=command):
            yield Text.assemble("  ", ("→ ", "magenta"), safe(command))
        case events.ChangeSkipped(name=name):
            yield _dim(f"  · {safe(name)}: as wanted already, nothing done")
        case events.ChangeChecked(holds=holds, now=now):
            mark, style = ("✓", "green") if holds else ("✗", "red") if holds is False else ("?", "yellow")
            yield Text(f"      {mark} checked: now {_short(now)}", style)
        case events.PutBack(command=command, back=back):
            said = "put back" if back else "NOT put back" if back is False else "put back, not seen"
            yield Text(f"  ← {safe(command)}: {said}", "yellow")
        case events.Waited(seconds=seconds, why=why):
            yield _dim(f"  … waiting {seconds:g} s: {safe(why)}")
        case events.Chosen(choice=choice, by=by):
            yield Text(f"  chosen by {safe(by)}: {safe(choice)}")
        case events.Stopped(reason=reason):
            yield Text(f"  Stopped: {safe(reason)}", "yellow")
        case events.Ended(outcome=outcome, verified=verified):
            yield Text()
            yield Text(OUTCOMES[outcome], "bold")
            yield _dim(_how(verified))
            for finding in event.findings:
                mark, style, word = MARKS[finding.status]
                yield Text.assemble("  ", (f"{mark} {word:<9}", style), safe(finding.title))


def finding_lines(finding: Finding) -> Iterator[Text]:
    """A finding with its evidence."""
    mark, style, word = MARKS[finding.status]
    yield Text.assemble("  ", (f"{mark} {word}  ", style), (safe(finding.title), "bold"))
    for line in finding.evidence:
        yield _dim(f"      {safe(line)}")
    if finding.advice and finding.status != "ok":
        yield Text(f"      → {safe(finding.advice)}")


def proposal_lines(proposal: events.Proposed, *, details: bool = True) -> Iterator[Text]:
    """A proposal: what, why, evidence, impact, risk, how well proven, the exact commands; with ``details`` the undo."""
    risk = highest(proposal)
    yield Text()
    yield Text.assemble((f"  Proposed: {safe(proposal.title)}", "bold"), "   risk: ", (risk, RISK_STYLES[risk]))
    yield Text(f"    because: {safe(proposal.finding.title)}")
    for line in proposal.finding.evidence:
        yield _dim(f"      {safe(line)}")
    impact = dict.fromkeys(line for change in proposal.changes for line in change.impact)
    yield Text(f"    impact now: {'; '.join(safe(line) for line in impact) or 'none'}")
    for number, change in enumerate(proposal.changes, start=1):
        yield Text.assemble(
            f"    {number}. {safe(change.title)}   {_short(change.before)} → {_short(change.after)}   ",
            (change.risk, RISK_STYLES[change.risk]),
        )
        yield _dim(f"       {safe(change.command)}")
        if details:
            yield from _detail_lines(change)
    yield Text(f"    proven: {_proven(proposal)}.")
    if not details:
        kept = [str(number) for number, change in enumerate(proposal.changes, start=1) if not change.no_undo]
        yield Text(f"    undo: {'recorded for ' + ', '.join(kept) if kept else 'none'}; [d] shows all of it")


def _detail_lines(change: events.ProposedChange) -> Iterator[Text]:
    if change.why:
        yield _dim(f"         why   {safe(change.why)}")
    for line in change.undo:
        yield _dim(f"         undo  {safe(line)}")
    if change.no_undo:
        yield _dim(f"         undo  none: {safe(change.no_undo)}")
    if change.temporary:
        yield _dim("         it is taken back by itself when this check is over")


def _proven(proposal: events.Proposed) -> str:
    kinds = dict.fromkeys(change.proven for change in proposal.changes)
    return f"{', '.join(PROVEN.get(kind, safe(kind)) for kind in kinds)}; {UNPROVEN}"


def why_lines(proposal: events.Proposed) -> Iterator[Text]:
    """The reasons of a proposal, for who asks why."""
    yield Text(f"    {safe(proposal.finding.title)}", "bold")
    if proposal.finding.advice:
        yield Text(f"    {safe(proposal.finding.advice)}")
    for change in proposal.changes:
        if change.why:
            yield Text(f"    {safe(change.title)}: {safe(change.why)}")
    if proposal.finding.docs:
        yield _dim(f"    {safe(proposal.finding.docs)}")


def error_lines(what: str, why: str, advice: str) -> Iterator[Text]:
    """An error as what happened, why it is likely, what to try."""
    first, *rest = safe_lines(what)
    yield Text.assemble(("Error: ", "bold red"), first)
    for line in rest:
        yield Text(f"       {line}")
    for label, text in (("Why:   ", why), ("Try:   ", advice)):
        for number, line in enumerate(safe_lines(text) if text else []):
            yield Text.assemble((label if number == 0 else " " * 7, "bold"), line)


class PlainFace:
    """Prints the story. Nobody is asked anything unless somebody attends. ``vm``: the VM's name, once it is known."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._person: Approver | None = None
        self._asker: Asker | None = None
        self._asked: set[str] = set()
        self.vm = "the VM"

    def attend(self, person: Approver, asker: Asker) -> None:
        """From now on ``person`` can be asked for approval, and ``asker`` for a login."""
        self._person, self._asker = person, asker

    @property
    def person(self) -> Approver | None:
        """Who can be asked; None: nobody."""
        return self._person

    def show(self, event: events.Event) -> None:
        """Print an event's lines."""
        if isinstance(event, events.SessionStarted):
            self.vm = event.vm
        again = isinstance(event, events.Asked) and event.question in self._asked
        if isinstance(event, events.Asked):
            self._asked.add(event.question)
        if isinstance(event, events.Proposed) and self._person is not None:
            self.tell(proposal_lines(event, details=False))
        else:
            self.tell(story(event, again=again))

    def tell(self, lines: Iterable[Text]) -> None:
        """Print lines; on a terminal a line that is too long goes on under its own beginning."""
        for line in lines:
            if not self._console.is_terminal or not line.plain.strip():
                self._console.print(line, soft_wrap=True, highlight=False)
                continue
            indent = len(line.plain) - len(line.plain.lstrip(" "))
            self._console.print(Padding(line[indent:], (0, 0, 0, indent), expand=False), highlight=False)

    async def ask_login(self, vm: str, user: str) -> tuple[str, str] | None:
        """Ask for what is missing of the login."""
        return await self._asker(vm, user) if self._asker is not None else None


def _short(text: str) -> str:
    """Harmless, and cut where it is long; the whole stands in the recording, and a command in its proposal."""
    if len(text) <= LONGEST:
        return safe(text)
    return f"{safe(text[:LONGEST])} … ({len(text)} characters)"


def _dim(text: str) -> Text:
    return Text(text, "dim")


def _how(verified: str) -> str:
    return {
        "outside": "  Seen from outside: the RDP port was looked at as a client does. A sign-in was not tried.",
        "inside only": "  Seen inside the VM only; from outside it could not be looked at.",
        "no": "  Not verified from outside.",
    }[verified]
