"""Whether people agree: asked before the first step, or by a step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from medic_core.domain.repair.execution import (
    AnswerTaken,
    AskPeople,
    Decided,
    Directive,
    DirectiveKind,
    Doing,
    Ending,
    Escalate,
    Event,
    ExecutionStatus,
    NotAnswered,
    Outcome,
    Phase,
)
from medic_core.domain.repair.playbooks import ApprovalMode, Ask, OnTimeout
from medic_core.domain.repair.walk_ending import Endings, Next

SILENCE_COUNTS = "approved by itself: somebody was asked, and nobody answered in time"
NOBODY_ASKED = "nobody could be asked, so nobody's silence counts as consent"


class Approvals(Endings):
    """Asks, and takes the answer."""

    @abstractmethod
    def start_steps(self) -> Next:
        """The first step."""

    @abstractmethod
    def completed(self, output: str = "", data: Mapping[str, Any] | None = None) -> Next:
        """The step under way is done."""

    @abstractmethod
    def failed(self, error: str, output: str = "", data: Mapping[str, Any] | None = None) -> Next:
        """The step under way has failed."""

    @abstractmethod
    def broken(self, ending: Ending) -> Next:
        """The step under way ends it all."""

    @abstractmethod
    def timed_out(self) -> Next:
        """There is no time left for any of it."""

    def ask(self, index: int | None, within: timedelta) -> Directive:
        expires_at = self.now + within
        if index is not None and self.at.deadline is not None:
            expires_at = min(expires_at, self.at.deadline)
        self.move(doing=Doing.APPROVAL, until=expires_at)
        self.effects.append(AskPeople(index, expires_at))
        return self._await_answer()

    def _await_answer(self) -> Directive:
        assert self.at.until is not None
        seconds = max(1, round((self.at.until - self.now).total_seconds()))
        return Directive(DirectiveKind.APPROVAL, seconds=seconds)

    def answered(self, event: Event) -> Next:
        match event:
            case Decided(approved=approved, by=by, reason=reason):
                return self._approved(by, reason) if approved else self._rejected(by, reason)
            case NotAnswered(delivered=delivered):
                return self._nobody_answered(delivered=delivered)
            case _ if self.is_awake(self.at.until):
                return self._nobody_answered(delivered=False)
            case _:
                return self._await_answer()

    def _approved(self, by: str | None, reason: str) -> Next:
        self.effects.append(AnswerTaken(self._asked_by, approved=True, by=by, reason=reason))
        if self.at.phase is Phase.APPROVAL:
            return self.start_steps()
        # What was true before people thought about it need not be true now.
        self.move(looked=False)
        return self.completed(f"approved by {by}" if by else reason)

    def _rejected(self, by: str | None, reason: str) -> Next:
        self.effects.append(AnswerTaken(self._asked_by, approved=False, by=by, reason=reason))
        because = f"rejected by {by}" if by else reason
        outcome = Outcome.REJECTED if by else Outcome.EXPIRED
        self.leave_step(because)
        return self.broken(
            Ending(ExecutionStatus.CANCELLED, outcome, because + (f": {reason}" if by and reason else ""))
        )

    def _nobody_answered(self, *, delivered: bool) -> Next:
        if self.at.phase is Phase.APPROVAL:
            return self._nobody_answered_for_all(delivered=delivered)
        action = self.step.action
        assert isinstance(action, Ask)
        assert self.at.until is not None
        if self.at.until < self.step_began + action.timeout:
            # The time of the whole is over: what the step would do with its own does not matter any more.
            self._silence_taken("no time was left for an answer")
            return self.timed_out()
        match action.on_timeout:
            case OnTimeout.APPROVE if delivered:
                return self._approved(None, SILENCE_COUNTS)
            case OnTimeout.APPROVE:
                self._silence_taken(NOBODY_ASKED)
                return self.failed(NOBODY_ASKED)
            case OnTimeout.REJECT:
                return self._rejected(None, "nobody answered in time")
            case OnTimeout.FAIL:
                self._silence_taken("nobody answered in time")
                return self.failed("nobody answered in time")

    def _silence_taken(self, reason: str) -> None:
        self.effects.append(AnswerTaken(self._asked_by, approved=False, by=None, reason=reason))

    def _nobody_answered_for_all(self, *, delivered: bool) -> Next:
        """Silence is consent only where a `timeout:Xm` says so, somebody was really asked, and it is still needed."""
        if self.playbook.approval.mode is ApprovalMode.TIMEOUT and not self.has_recovered:
            if delivered:
                return self._approved(None, SILENCE_COUNTS)
            because = NOBODY_ASKED
        elif self.has_recovered:
            because = "nobody answered, and the service has recovered"
        else:
            because = "nobody answered in time"
        if not self.has_recovered:
            self.effects.append(Escalate(because))
        return self._rejected(None, because)

    @property
    def _asked_by(self) -> int | None:
        return None if self.at.phase is Phase.APPROVAL else self.at.position
