"""An execution walked event by event. Between two turns it is kept and read again, as in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from medic_core.domain.repair.advance import advance
from medic_core.domain.repair.execution import (
    Around,
    Began,
    Cause,
    Died,
    Directive,
    DirectiveKind,
    Effect,
    Ended,
    Escalate,
    Event,
    LookForHeartbeats,
    Outcome,
    Progress,
    Reported,
    Run,
    StepBegan,
    StepEnded,
    Woke,
    read_progress,
)
from medic_core.domain.repair.expressions import parse
from medic_core.domain.repair.orders import Verdict
from medic_core.domain.repair.playbooks import Action, Playbook, Script, Step, Wait, Webhook

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
CALL = Webhook("https://a.example.com/do")
SCRIPT = Script("restart")
PAUSE = Wait(MINUTE)
DONE = Reported(Verdict.DONE, "it is done", data={"status_code": 200})
FAILED = Reported(Verdict.FAILED, "so it says", "answered 500, not 200")
IN_DOUBT = Reported(Verdict.UNKNOWN, "half of it", "no answer")
DIED = Died("its runner ended without a report", began=True)
NEVER_BEGAN = Died("nobody could begin", began=False)


def a_step(action: Action, name: str = "", only_if: str = "", **more: Any) -> Step:
    return Step(name or type(action).__name__.lower(), action, parse(only_if) if only_if else None, **more)


@dataclass
class Walk:
    """`asked` is what the brain wants now, `effects` all that followed so far, `new` what followed last."""

    run: Run
    now: datetime = NOON
    alert_over: bool = False
    stopped_by: str | None = None
    progress: Progress = field(default_factory=Progress)
    asked: Directive | LookForHeartbeats | None = None
    effects: list[Effect] = field(default_factory=list)
    new: tuple[Effect, ...] = ()

    def hears(self, event: Event, after: timedelta = timedelta(0)) -> Walk:
        self.now += after
        turn = advance(self.run, self.progress, event, Around(self.now, self.stopped_by, self.alert_over))
        self.progress = kept(turn.progress)
        self.asked, self.new = turn.next, turn.effects
        self.effects += turn.effects
        return self

    def sleeps(self) -> Walk:
        """Until the end of the wait that is under way."""
        assert self.directive.kind is DirectiveKind.WAIT
        assert self.directive.until is not None
        return self.hears(Woke(), max(self.directive.until - self.now, timedelta(0)))

    @property
    def directive(self) -> Directive:
        assert isinstance(self.asked, Directive)
        return self.asked

    @property
    def kind(self) -> DirectiveKind:
        return self.directive.kind

    @property
    def waits(self) -> timedelta:
        """How long it waits from now."""
        assert self.kind is DirectiveKind.WAIT
        assert self.directive.until is not None
        return self.directive.until - self.now

    @property
    def outcome(self) -> Outcome | None:
        """Of the last turn, where it ended the execution."""
        return next((one.ending.outcome for one in self.new if isinstance(one, Ended)), None)

    @property
    def because(self) -> str:
        return self.progress.ending.because if self.progress.ending else ""

    @property
    def ended(self) -> list[tuple[int, int, str]]:
        """Tries that are over, and how: index, attempt, status."""
        return [(one.index, one.attempt, one.status.value) for one in self.effects if isinstance(one, StepEnded)]

    @property
    def begun(self) -> list[tuple[int, int]]:
        return [(one.index, one.attempt) for one in self.effects if isinstance(one, StepBegan)]

    @property
    def escalated(self) -> list[str]:
        return [one.because for one in self.effects if isinstance(one, Escalate)]


def kept(progress: Progress) -> Progress:
    """As it comes back from the database: nothing is lost on the way."""
    read = read_progress(json.loads(json.dumps(progress.to_json())), progress.position, progress.attempt)
    assert read == progress
    return read


def begun(
    *steps: Step | Action,
    cause: Cause = Cause.API,
    context: Mapping[str, Any] = {},
    alert_over: bool = False,
    **more: Any,
) -> Walk:
    """An execution of these steps that has begun."""
    named = tuple(one if isinstance(one, Step) else a_step(one, f"step-{at}") for at, one in enumerate(steps))
    return Walk(Run(Playbook("p", named, **more), cause, context), alert_over=alert_over).hears(Began())


def finally_(*steps: Step | Action) -> tuple[Step, ...]:
    return tuple(one if isinstance(one, Step) else a_step(one, f"final-{at}") for at, one in enumerate(steps))
