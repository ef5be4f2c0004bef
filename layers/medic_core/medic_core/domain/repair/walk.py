"""One turn of an execution, as the brain makes it: where it stands moves, what follows is gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from medic_core.domain.repair.execution import (
    Around,
    Cause,
    Directive,
    DirectiveKind,
    Doing,
    Effect,
    Phase,
    Progress,
    Run,
    StepEnded,
    StepStatus,
)
from medic_core.domain.repair.playbooks import Step

#: Two clocks need not agree better for a wait to be over.
CLOCKS_AGREE_WITHIN = timedelta(seconds=1)


class Walk:
    """`at` is where the execution stands, `effects` is what follows from the turn so far."""

    def __init__(self, run: Run, progress: Progress, around: Around) -> None:
        self.run = run
        self.playbook = run.playbook
        self.at = progress
        self.now = around.now
        self.around = around
        self.effects: list[Effect] = []

    @property
    def step(self) -> Step:
        return self.playbook.all_steps[self.at.position]

    @property
    def step_began(self) -> datetime:
        assert self.at.step_began is not None
        return self.at.step_began

    @property
    def end_of_phase(self) -> int:
        return len(self.playbook.all_steps if self.at.phase is Phase.FINALLY else self.playbook.steps)

    @property
    def has_recovered(self) -> bool:
        return self.run.cause is Cause.ALERT and self.around.alert_over

    @property
    def is_late(self) -> bool:
        return self.at.deadline is not None and self.now >= self.at.deadline

    def is_awake(self, until: datetime | None) -> bool:
        """Whether a wait is over, also where the state machine's clock is a little fast."""
        return until is None or self.now >= until - CLOCKS_AGREE_WITHIN

    def move(self, **changes: Any) -> None:
        self.at = replace(self.at, **changes)

    def next_step(self) -> None:
        self.move(position=self.at.position + 1, attempt=1, doing=Doing.NOTHING, until=None)

    def wait_until(self, doing: Doing, until: datetime) -> Directive:
        """Wait, but not past the end of the phase."""
        self.move(doing=doing, until=min(until, self.at.deadline or until))
        return self.wait_on()

    def wait_on(self) -> Directive:
        return Directive(DirectiveKind.WAIT, until=self.at.until)

    def note_end(
        self, status: StepStatus, output: str = "", error: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """The step that is under way has ended."""
        self.effects.append(StepEnded(self.at.position, self.at.attempt, status, output, error))
        self.register(status, data or {}, error, output)

    def leave_step(self, because: str) -> None:
        """A step that is under way is not waited for any more. Between two tries none is: the last one has ended."""
        if self.at.phase not in {Phase.STEPS, Phase.FINALLY} or self.at.doing is Doing.NOTHING:
            return
        if self.at.doing is Doing.PAUSE:
            self.register(StepStatus.FAILED, {}, because)
        else:
            self.note_end(StepStatus.FAILED, error=because)

    def register(self, status: StepStatus, data: Mapping[str, Any], error: str, output: str = "") -> None:
        """Keep the step's outcome for later ones, under the name that it gives: each has status, error and output.

        The output is what a script printed, what a webhook was answered (`body`), and of other steps what they say.
        """
        if self.step.register is not None:
            known = {"output": data.get("body", output), **data, "status": status.value, "error": error}
            self.move(outputs={**self.at.outputs, self.step.register: known})

    def in_doubt(self, error: str) -> str:
        """What people are told of a step that may have had its effect."""
        return f"nobody can tell whether step {self.step.name!r} had its effect: {error}"
