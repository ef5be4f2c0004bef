"""How an execution ends: proof, tidying up, the last word."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta

from medic_core.domain.repair.durations import spelled
from medic_core.domain.repair.execution import (
    IN_A_RUNNER,
    Cause,
    Died,
    Directive,
    DirectiveKind,
    Doing,
    Ended,
    Ending,
    Escalate,
    Event,
    ExecutionStatus,
    LookForHeartbeats,
    Outcome,
    Phase,
    Reported,
    Seen,
    StepStatus,
)
from medic_core.domain.repair.orders import Verdict
from medic_core.domain.repair.playbooks import Step
from medic_core.domain.repair.walk import Walk

#: What is tidied up at the end has this long, whatever time the steps took.
FINALLY_WITHIN = timedelta(minutes=30)
#: A condition is looked at after 5 s, then ever less often, at least once a minute: a day is some 1,440 looks.
FIRST_POLL, SLOWEST_POLL, POLL_GROWTH = timedelta(seconds=5), timedelta(seconds=60), 1.3

STOPPED = "it was stopped"

Next = Directive | LookForHeartbeats


def poll_interval(polls: int, timeout: timedelta) -> timedelta:
    """How long until a condition is looked at again, after so many looks."""
    grown = FIRST_POLL * POLL_GROWTH ** min(polls, 20)
    return min(max(grown, timeout / 500), SLOWEST_POLL)


class Endings(Walk, ABC):
    """What comes after the steps."""

    @abstractmethod
    def go_on(self) -> Next:
        """The next step of the phase."""

    def steps_are_over(self) -> Next:
        if self.at.phase is Phase.FINALLY:
            assert self.at.ending is not None
            return self.end(self.at.ending)
        wants_proof = (
            self.run.cause is Cause.ALERT and self.playbook.verify is not None and self.at.acted_at is not None
        )
        if not wants_proof:
            return self.finish(Ending(ExecutionStatus.COMPLETED, Outcome.SUCCEEDED, "all steps are done"))
        assert self.playbook.verify is not None
        self.move(
            phase=Phase.VERIFICATION, doing=Doing.POLL, polls=0, deadline=self.now + self.playbook.verify, until=None
        )
        return self.verify()

    def verify(self) -> Next:
        if self.has_recovered:
            return self.verified(Seen(met=True))
        assert self.at.acted_at is not None
        return LookForHeartbeats(self.at.acted_at)

    def verified(self, seen: Seen) -> Next:
        if seen.met:
            return self.finish(Ending(ExecutionStatus.COMPLETED, Outcome.CURED, "the service was heard again"))
        assert self.at.deadline is not None
        assert self.playbook.verify is not None
        if self.now >= self.at.deadline:
            because = f"the service was not heard again within {spelled(self.playbook.verify)}"
            return self.finish(Ending(ExecutionStatus.COMPLETED, Outcome.UNVERIFIED, because))
        until = self.now + poll_interval(self.at.polls, self.playbook.verify)
        self.move(polls=self.at.polls + 1)
        return self.wait_until(Doing.POLL, until)

    def recovered_meanwhile(self, step: Step) -> Next:
        if self.at.acted_at is not None:
            because = f"the service has recovered: step {step.name!r} is not needed"
            return self.finish(Ending(ExecutionStatus.COMPLETED, Outcome.CURED, because))
        because = "the service had recovered by itself: nothing was done"
        return self.finish(Ending(ExecutionStatus.COMPLETED, Outcome.SUPERSEDED, because))

    def stopped(self, event: Event, by: str) -> Next:
        """A kill switch. What is under way is noted, and nothing more is done."""
        if self.at.doing in IN_A_RUNNER:
            self._note_what_came(event)
        else:
            self.leave_step(STOPPED)
        return self.end(self.worse(Ending(ExecutionStatus.CANCELLED, Outcome.STOPPED, by)))

    def _note_what_came(self, event: Event) -> None:
        """Of a look nobody has to wonder what became; of a call and a script it is noted where nobody can tell."""
        match event:
            case Reported(verdict=Verdict.DONE, output=output, data=data):
                self.note_end(StepStatus.COMPLETED, output, data=data)
            case _ if self.at.doing is Doing.PROBE:
                self.leave_step(STOPPED)
            case Reported(verdict=Verdict.FAILED, output=output, error=error, data=data):
                self.note_end(StepStatus.FAILED, output, error, data)
            case Died(error=error, began=False):
                self.note_end(StepStatus.FAILED, error=error)
            case Reported(output=output, error=error):
                self._note_doubt(error, output)
            case Died(error=error):
                self._note_doubt(error)
            case _:
                self._note_doubt(STOPPED)

    def _note_doubt(self, error: str, output: str = "") -> None:
        """Stopped or not, people must hear that something may have been done."""
        self.note_end(StepStatus.UNKNOWN, output, error)
        self.effects.append(Escalate(self.in_doubt(error)))

    def finish(self, ending: Ending) -> Next:
        """No more steps; those of `finally` come now, where anything was begun."""
        tidies = self.at.phase in {Phase.STEPS, Phase.VERIFICATION} and ending.outcome is not Outcome.SUPERSEDED
        if not tidies or not self.playbook.finally_steps:
            return self.end(ending)
        self.move(
            phase=Phase.FINALLY,
            position=len(self.playbook.steps),
            deadline=self.now + FINALLY_WITHIN,
            doing=Doing.NOTHING,
            ending=ending,
        )
        return self.go_on()

    def end(self, ending: Ending) -> Directive:
        self.move(doing=Doing.NOTHING, until=None, ending=ending, phase=Phase.OVER)
        self.effects.append(Ended(ending))
        return self.last_word(ending)

    def last_word(self, ending: Ending) -> Directive:
        succeeded = ending.status is ExecutionStatus.COMPLETED
        return Directive(DirectiveKind.SUCCEED if succeeded else DirectiveKind.FAIL)

    def worse(self, ending: Ending) -> Ending:
        before = self.at.ending
        return before if before is not None and before.status is not ExecutionStatus.COMPLETED else ending
