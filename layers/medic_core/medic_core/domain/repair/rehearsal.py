"""A playbook walked by the very brain of executions, with given results: nothing is sent, and no time passes."""

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
from medic_core.domain.repair.playbooks import Playbook

#: A condition of a day is looked at some 1,440 times; there are 50 steps at most.
MOST_TURNS = 100_000


class CannedStatus(StrEnum):
    """What a step comes to."""

    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"  #: sent, and nobody answered
    NOT_MET = "not_met"  #: what a condition waits for does not come


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
    """Walk to the end. Steps without a result succeed; `recovered` says that the alert is over from the start."""
    stage = _Stage(Run(playbook, cause, context), canned, recovered, approved, began)
    return stage.to_the_end()


@dataclass
class _Stage:
    run: Run
    canned: Mapping[str, Canned]
    recovered: bool
    approved: bool
    began: datetime
    trace: list[Moment] = field(default_factory=list)
    ending: Ending | None = None

    def to_the_end(self) -> Rehearsal:
        now, progress = self.began, Progress()
        event: Event = Began()
        for _ in range(MOST_TURNS):
            turn = advance(self.run, progress, event, Around(now, alert_over=self.recovered))
            progress = turn.progress
            for effect in turn.effects:
                self._note(now, effect)
            if self.ending is not None:
                return Rehearsal(tuple(self.trace), self.ending)
            match turn.next:
                case Directive(kind=DirectiveKind.WAIT, until=datetime() as until):
                    if progress.doing is Doing.WAIT:
                        self._add(now, What.WAITS, self._name(progress.position), f"until {until:%H:%M:%S} UTC")
                    now, event = max(now, until), Woke()
                case Directive(kind=DirectiveKind.APPROVAL):
                    event = Decided(self.approved, "the rehearsal")
                    self._add(now, What.ANSWERED, None, "approved" if self.approved else "rejected")
                case Directive():
                    event = self._reported(progress)
                case _:
                    event = Seen(self._of(progress).status is CannedStatus.COMPLETED, "as it was given")
        raise AssertionError("a playbook without an end")

    def _of(self, progress: Progress) -> Canned:
        if progress.phase is Phase.VERIFICATION:
            return Canned()
        return self.canned.get(self._name(progress.position), Canned())

    def _reported(self, progress: Progress) -> Reported:
        given = self._of(progress)
        verdict = {CannedStatus.COMPLETED: Verdict.DONE, CannedStatus.UNKNOWN: Verdict.UNKNOWN}.get(
            given.status, Verdict.FAILED
        )
        error = given.error or ("" if verdict is Verdict.DONE else f"{given.status} as it was given")
        return Reported(verdict, given.output, error, given.data)

    def _name(self, index: int) -> str:
        return self.run.playbook.all_steps[index].name

    def _add(self, now: datetime, what: What, step: str | None, detail: str = "") -> None:
        self.trace.append(Moment(round((now - self.began).total_seconds(), 3), what, step, detail))

    def _note(self, now: datetime, effect: Effect) -> None:
        match effect:
            case StepBegan(index=index, attempt=attempt):
                self._add(now, What.STEP_BEGAN, self._name(index), f"attempt {attempt}")
            case StepEnded(index=index, status=status, error=error):
                self._add(now, What.STEP_ENDED, self._name(index), f"{status}: {error}" if error else status)
            case AskPeople(index=index):
                self._add(now, What.ASKED, self._name(index) if index is not None else None)
            case AnswerTaken(by=None, reason=reason):
                self._add(now, What.ANSWERED, None, reason)
            case Tell(index=index):
                self._add(now, What.TOLD, self._name(index))
            case Escalate(because=because):
                self._add(now, What.ESCALATED, None, because)
            case Ended(ending=ending):
                self.ending = ending
                self._add(now, What.ENDED, None, f"{ending.status} ({ending.outcome}): {ending.because}")
            case _:
                pass
