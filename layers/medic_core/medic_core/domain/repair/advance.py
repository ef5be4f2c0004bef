"""The brain: what an execution does next. Pure; the state machine, a rehearsal and the tests all ask this.

    event ─▶ hear: what came of what was under way ─▶ the next step, or the end of a phase ─▶ directive

Phases follow one another: approval, steps, verification, finally. A look at a condition is asked for by
`LookForHeartbeats` and answered by `Seen`, so that nothing here reads anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from medic_core.domain.repair.durations import spelled
from medic_core.domain.repair.execution import (
    Around,
    Died,
    Directive,
    DirectiveKind,
    Doing,
    Ending,
    Escalate,
    Event,
    ExecutionStatus,
    LookForHeartbeats,
    Outcome,
    Phase,
    Progress,
    Reported,
    Run,
    Seen,
    StepBegan,
    StepEnded,
    StepStatus,
    Tell,
    Turn,
)
from medic_core.domain.repair.orders import Verdict
from medic_core.domain.repair.playbooks import (
    APPROVAL_TIMEOUT,
    ApprovalMode,
    Ask,
    Check,
    Condition,
    Notify,
    OnFailure,
    Script,
    Step,
    Wait,
    Webhook,
)
from medic_core.domain.repair.walk_approval import Approvals
from medic_core.domain.repair.walk_ending import Next, poll_interval

#: A try of which nobody knows what became of it is sent again so often, where that can do no harm.
MOST_REPEATS = 3
#: What a runner needs besides its step: to start, to answer.
RUNNER_MARGIN = timedelta(seconds=30)
LONGEST_PROBE = timedelta(seconds=30)
LOST = "the state machine lost it"
ALERT_IS = {True: "the alert is over", False: "the alert is not over"}


def advance(run: Run, progress: Progress, event: Event, around: Around) -> Turn:
    """What follows from an event. An execution that is over is told so again."""
    brain = _Brain(run, progress, around)
    following = brain.hear(event)
    return Turn(brain.at, tuple(brain.effects), following)


def _probed(event: Event) -> Seen:
    """What a look over HTTP found. One that nobody answered, or that never came to be, has not found what it wants."""
    match event:
        case Reported(verdict=verdict, output=output, error=error):
            return Seen(verdict is Verdict.DONE, output or error)
        case Died(error=error):
            return Seen(met=False, detail=error)
        case _:
            return Seen(met=False, detail=LOST)


class _Brain(Approvals):
    """Hears an event, and says what is next."""

    # What came of what was under way.

    def hear(self, event: Event) -> Next:
        if self.at.phase is Phase.OVER:
            assert self.at.ending is not None
            return self.last_word(self.at.ending)
        by = self.around.stopped_by
        return self._heard(event) if by is None or self._only_looks else self.stopped(event, by)

    @property
    def _only_looks(self) -> bool:
        """Whether nothing is left but to find out whether it was a cure: that may go on in spite of a kill switch."""
        return self.at.phase is Phase.VERIFICATION and not self.playbook.finally_steps

    def _heard(self, event: Event) -> Next:
        match self.at.doing:
            case Doing.NOTHING:
                return self._begin()
            case Doing.APPROVAL:
                return self.answered(event)
            case Doing.WAIT:
                return self._waited()
            case Doing.PAUSE:
                return self._once_more() if self.is_awake(self.at.until) else self.wait_on()
            case Doing.POLL:
                return self._polled(event)
            case Doing.CALL | Doing.SCRIPT | Doing.PROBE:
                return self._ran(event)

    def _begin(self) -> Next:
        approval = self.playbook.approval
        if approval.mode is ApprovalMode.NONE:
            return self.start_steps()
        return self.ask(None, approval.after or APPROVAL_TIMEOUT)

    def start_steps(self) -> Next:
        deadline = self.now + self.playbook.timeout
        self.move(phase=Phase.STEPS, position=0, deadline=deadline, looked=False, doing=Doing.NOTHING, until=None)
        return self.go_on()

    def _waited(self) -> Next:
        action = self.step.action
        assert isinstance(action, Wait)
        if not self.is_awake(self.at.until):
            return self.wait_on()
        if not self.is_awake(self.step_began + action.duration):
            return self.timed_out()
        return self.completed()

    def _polled(self, event: Event) -> Next:
        if isinstance(event, Seen):
            return self.verified(event) if self.at.phase is Phase.VERIFICATION else self._condition_seen(event)
        if not self.is_awake(self.at.until):
            return self.wait_on()
        if self.at.phase is Phase.VERIFICATION:
            return self.verify()
        return self._look(self.step)

    # Steps.

    def go_on(self) -> Next:
        """Begin the next step that needs the state machine, doing on the way those that do not."""
        while self.at.position < self.end_of_phase:
            if self.is_late:
                return self.timed_out()
            following = self._take(self.step)
            if following is not None:
                return following
        return self.steps_are_over()

    def _take(self, step: Step) -> Next | None:
        """Begin a step. None: it is done already, and the next one comes."""
        index = self.at.position
        if step.only_if is not None and not step.only_if.is_true(self.run.context, self.at.outputs):
            self.effects += [
                StepBegan(index, 1),
                StepEnded(index, 1, StepStatus.SKIPPED, f"not so: {step.only_if.text}"),
            ]
            self.register(StepStatus.SKIPPED, {}, "")
            self.next_step()
            return None
        if step.acts and not self.at.looked and self.at.phase is Phase.STEPS:
            if self.has_recovered:
                return self.recovered_meanwhile(step)
            self.move(looked=True)
        self.move(attempt=1, repeats=0, polls=0, step_began=self.now, doing=Doing.NOTHING)
        return self._try(step)

    def _try(self, step: Step) -> Next | None:
        self.effects.append(StepBegan(self.at.position, self.at.attempt))
        match step.action:
            case Notify():
                self.effects.append(Tell(self.at.position))
                self.note_end(StepStatus.COMPLETED)
                self.next_step()
                return None
            case Wait(duration=duration):
                return self.wait_until(Doing.WAIT, self.now + duration)
            case Ask(timeout=timeout):
                return self.ask(self.at.position, timeout)
            case Condition():
                return self._look(step)
            case Webhook() | Script():
                return self._act(step.action)

    def _act(self, action: Webhook | Script) -> Directive:
        if isinstance(action, Script):
            return self._run(Doing.SCRIPT, DirectiveKind.SCRIPT, action.timeout)
        return self._run(Doing.CALL, DirectiveKind.WEBHOOK, action.timeout)

    def _run(self, doing: Doing, kind: DirectiveKind, timeout: timedelta) -> Directive:
        self.move(doing=doing, until=None)
        if doing is not Doing.PROBE and self.at.acted_at is None and self.at.phase is Phase.STEPS:
            self.move(acted_at=self.now)
        return Directive(kind, seconds=round((timeout + RUNNER_MARGIN).total_seconds()))

    def _once_more(self) -> Next:
        # A pause that the end of the phase cut short has not been waited for, even where the clock is a little fast.
        if self.at.deadline is not None and self.is_awake(self.at.deadline):
            return self.timed_out()
        self.move(attempt=self.at.attempt + 1, repeats=0, polls=0, step_began=self.now, doing=Doing.NOTHING)
        following = self._try(self.step)
        return following if following is not None else self.go_on()

    def _ran(self, event: Event) -> Next:
        if self.at.doing is Doing.PROBE:
            return self._condition_seen(_probed(event))
        match event:
            case Reported(verdict=Verdict.UNKNOWN, output=output, error=error):
                return self._in_doubt(error, output)
            case Reported(verdict=Verdict.DONE, output=output, data=data):
                return self.completed(output, data)
            case Reported(output=output, error=error, data=data):
                return self.failed(error, output, data)
            case Died(error=error, began=began):
                return self._in_doubt(error) if began else self._again_or_failed(error)
            case _:
                return self._in_doubt(LOST)

    def _in_doubt(self, error: str, output: str = "") -> Next:
        if self.step.is_idempotent:
            return self._again_or_failed(error, output)
        self.effects.append(StepEnded(self.at.position, self.at.attempt, StepStatus.UNKNOWN, output, error))
        self.register(StepStatus.UNKNOWN, {}, error, output)
        because = self.in_doubt(error)
        self.effects.append(Escalate(because))
        return self.broken(Ending(ExecutionStatus.FAILED, Outcome.UNKNOWN, because))

    def _again_or_failed(self, error: str, output: str = "") -> Next:
        """The same try again, under the same idempotency key."""
        if self.at.repeats >= MOST_REPEATS:
            return self.failed(error, output)
        if self.is_late:
            return self.timed_out()
        self.move(repeats=self.at.repeats + 1)
        action = self.step.action
        assert isinstance(action, Webhook | Script)
        return self._act(action)

    def completed(self, output: str = "", data: Mapping[str, Any] | None = None) -> Next:
        self.note_end(StepStatus.COMPLETED, output, data=data or {})
        self.next_step()
        return self.go_on()

    def failed(self, error: str, output: str = "", data: Mapping[str, Any] | None = None) -> Next:
        step, attempt = self.step, self.at.attempt
        if attempt < step.retry.attempts:
            self.effects.append(StepEnded(self.at.position, attempt, StepStatus.FAILED, output, error, again=True))
            return self.wait_until(Doing.PAUSE, self.now + step.retry.wait_before(attempt + 1))
        self.note_end(StepStatus.FAILED, output, error, data or {})
        if step.on_failure is OnFailure.CONTINUE:
            self.next_step()
            return self.go_on()
        because = f"step {step.name!r} failed: {error}"
        if step.on_failure is OnFailure.ESCALATE:
            self.effects.append(Escalate(because))
            return self.broken(Ending(ExecutionStatus.FAILED, Outcome.ESCALATED, because))
        return self.broken(Ending(ExecutionStatus.FAILED, Outcome.FAILED, because))

    def broken(self, ending: Ending) -> Next:
        """A step ends it. Of the steps at the end each is done all the same, and the first trouble is what counts."""
        if self.at.phase is not Phase.FINALLY:
            return self.finish(ending)
        before = self.at.ending
        if before is None or before.status is ExecutionStatus.COMPLETED:
            self.move(ending=ending)
        self.next_step()
        return self.go_on()

    def timed_out(self) -> Next:
        because = f"it took longer than {spelled(self.playbook.timeout)}"
        if self.at.phase is Phase.FINALLY:
            self.leave_step("there was no time left")
            return self.end(self.worse(Ending(ExecutionStatus.FAILED, Outcome.TIMED_OUT, "tidying up took too long")))
        self.leave_step(because)
        return self.finish(Ending(ExecutionStatus.FAILED, Outcome.TIMED_OUT, because))

    # Conditions.

    def _look(self, step: Step) -> Next:
        condition = step.action
        assert isinstance(condition, Condition)
        self.move(doing=Doing.POLL, until=None)
        match condition.check:
            case Check.ALERT_RESOLVED:
                return self._condition_seen(Seen(self.around.alert_over, ALERT_IS[self.around.alert_over]))
            case Check.HEARTBEAT_RECEIVED:
                return LookForHeartbeats(
                    self.step_began, condition.min_count, condition.status, condition.service, condition.service_id
                )
            case Check.HTTP_OK:
                return self._run(Doing.PROBE, DirectiveKind.WEBHOOK, min(condition.timeout, LONGEST_PROBE))

    def _condition_seen(self, seen: Seen) -> Next:
        condition = self.step.action
        assert isinstance(condition, Condition)
        if seen.met:
            return self.completed(seen.detail)
        ends = self.step_began + condition.timeout
        if self.now >= ends:
            return self.failed(f"{condition.check} was not so within {spelled(condition.timeout)}", seen.detail)
        if self.is_late:
            return self.timed_out()
        until = min(self.now + poll_interval(self.at.polls, condition.timeout), ends)
        self.move(polls=self.at.polls + 1)
        return self.wait_until(Doing.POLL, until)
