"""A playbook walked by the very brain of executions, with given results: nothing is sent, and no time passes.

brain ─▶ directive ─▶ the clock jumps to the end of a wait; runners, people and conditions answer as they are given
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from medic_core.domain.repair.advance import advance
from medic_core.domain.repair.execution import (
    AnswerTaken,
    Around,
    AskPeople,
    Began,
    Cause,
    Decided,
    Directive,
    DirectiveKind,
    Doing,
    Effect,
    Ended,
    Ending,
    Escalate,
    Event,
    LookForHeartbeats,
    NotAnswered,
    Phase,
    Progress,
    Reported,
    Run,
    Seen,
    StepBegan,
    StepEnded,
    Tell,
    Woke,
)
from medic_core.domain.repair.orders import Verdict
from medic_core.domain.repair.playbooks import Check, Condition, Playbook

#: A condition of a day is looked at some 1,440 times; there are 50 steps at most.
MOST_TURNS = 100_000
#: Of the waits these are shown: looks at a condition would be many, and say nothing.
SHOWN_WAITS = {Doing.WAIT: "", Doing.PAUSE: " for the next try"}


class CannedStatus(StrEnum):
    """What a step comes to."""

    COMPLETED = "completed"  #: of an approval: approved
    FAILED = "failed"  #: of an approval: rejected
    UNKNOWN = "unknown"  #: sent, and nobody answered; of an approval: nobody could be asked
    NOT_MET = "not_met"  #: what a condition waits for does not come; of an approval: nobody answers


class What(StrEnum):
    """What happens."""

    STEP_BEGAN = "step_began"
    STEP_ENDED = "step_ended"
    WAITS = "waits"
    ASKED = "asked"
    ANSWERED = "answered"
    TOLD = "told"
    ESCALATED = "escalated"
    ENDED = "ended"


#: What a runner says of it.
VERDICTS = {CannedStatus.COMPLETED: Verdict.DONE, CannedStatus.UNKNOWN: Verdict.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Canned:
    """The result that a step is given."""

    status: CannedStatus = CannedStatus.COMPLETED
    output: str = ""
    error: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happens, so long after the start."""

    at_seconds: float
    what: What
    step: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What happens, and how it ends."""

    trace: tuple[Moment, ...]
    ending: Ending


def unknown_steps(playbook: Playbook, names: Collection[str]) -> tuple[str, ...]:
    """Names that no step of the playbook has."""
    known = {step.name for step in playbook.all_steps}
    return tuple(sorted(name for name in names if name not in known))


def rehearse(
    playbook: Playbook,
    canned: Mapping[str, Canned],
    context: Mapping[str, Any],
    *,
    cause: Cause = Cause.API,
    recovered: bool = False,
    approved: bool = True,
    began: datetime,
) -> Rehearsal:
    """Walk to the end.

    Steps without a result succeed: conditions are met, approvals are given as `approved` says. `recovered` says that
    the alert is over from the start; otherwise it is over once an `alert_resolved` condition is met.
    """
    stage = _Stage(Run(playbook, cause, context), canned, approved, began, began, is_over=recovered)
    return stage.to_the_end()


@dataclass
class _Stage:
    """Plays everybody but the brain."""

    run: Run
    canned: Mapping[str, Canned]
    approved: bool
    began: datetime
    now: datetime
    is_over: bool
    trace: list[Moment] = field(default_factory=list)
    ending: Ending | None = None

    def to_the_end(self) -> Rehearsal:
        progress = Progress()
        event: Event = Began()
        for _ in range(MOST_TURNS):
            turn = advance(self.run, progress, event, Around(self.now, alert_over=self.is_over))
            progress = turn.progress
            for effect in turn.effects:
                self._note(effect)
            if self.ending is not None:
                return Rehearsal(tuple(self.trace), self.ending)
            event = self._answer(turn.next, progress)
        raise AssertionError("a playbook without an end")

    def _answer(self, asked: Directive | LookForHeartbeats, progress: Progress) -> Event:
        match asked:
            case Directive(kind=DirectiveKind.WAIT, until=until):
                assert until is not None
                return self._slept(until, progress)
            case Directive(kind=DirectiveKind.APPROVAL):
                return self._people(progress)
            case Directive():
                return self._reported(self._of(progress))
            case LookForHeartbeats():
                return Seen(self._of(progress).status is CannedStatus.COMPLETED, "as it was given")

    def _slept(self, until: datetime, progress: Progress) -> Event:
        if progress.doing in SHOWN_WAITS:
            detail = f"until {until:%H:%M:%S} UTC{SHOWN_WAITS[progress.doing]}"
            self._add(What.WAITS, self._name(progress.position), detail)
        self.now = max(self.now, until)
        if progress.doing is Doing.POLL and progress.phase is not Phase.VERIFICATION:
            action = self.run.playbook.all_steps[progress.position].action
            is_asked = isinstance(action, Condition) and action.check is Check.ALERT_RESOLVED
            self.is_over |= is_asked and self._of(progress).status is CannedStatus.COMPLETED
        return Woke()

    def _people(self, progress: Progress) -> Event:
        of_playbook = CannedStatus.COMPLETED if self.approved else CannedStatus.FAILED
        status = of_playbook
        if progress.phase is not Phase.APPROVAL:
            status = self.canned.get(self._name(progress.position), Canned(of_playbook)).status
        if status in {CannedStatus.COMPLETED, CannedStatus.FAILED}:
            return Decided(status is CannedStatus.COMPLETED, "the rehearsal")
        assert progress.until is not None
        self.now = max(self.now, progress.until)
        return NotAnswered(delivered=status is CannedStatus.NOT_MET)

    def _of(self, progress: Progress) -> Canned:
        if progress.phase is Phase.VERIFICATION:
            return Canned()
        return self.canned.get(self._name(progress.position), Canned())

    def _reported(self, given: Canned) -> Reported:
        verdict = VERDICTS.get(given.status, Verdict.FAILED)
        error = given.error or ("" if verdict is Verdict.DONE else f"{given.status}, as it was given")
        return Reported(verdict, given.output, error, given.data)

    def _name(self, index: int) -> str:
        return self.run.playbook.all_steps[index].name

    def _add(self, what: What, step: str | None, detail: str = "") -> None:
        self.trace.append(Moment(round((self.now - self.began).total_seconds(), 3), what, step, detail))

    def _note(self, effect: Effect) -> None:
        match effect:
            case StepBegan(index=index, attempt=attempt):
                self._add(What.STEP_BEGAN, self._name(index), f"attempt {attempt}")
            case StepEnded(index=index, status=status, error=error):
                self._add(What.STEP_ENDED, self._name(index), f"{status}: {error}" if error else status)
            case AskPeople(index=index):
                self._add(What.ASKED, self._asker(index))
            case AnswerTaken(index=index, approved=approved, reason=reason):
                said = "approved" if approved else "rejected"
                self._add(What.ANSWERED, self._asker(index), reason if effect.by is None else said)
            case Tell(index=index):
                self._add(What.TOLD, self._name(index))
            case Escalate(because=because):
                self._add(What.ESCALATED, None, because)
            case Ended(ending=ending):
                self.ending = ending
                self._add(What.ENDED, None, f"{ending.status} ({ending.outcome}): {ending.because}")

    def _asker(self, index: int | None) -> str | None:
        return None if index is None else self._name(index)
