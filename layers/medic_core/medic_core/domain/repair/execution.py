"""An execution: where it stands, what can happen to it, and what follows. Values, and their form in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from medic_core.domain.repair.orders import Verdict
from medic_core.domain.repair.playbooks import Playbook


class ExecutionStatus(StrEnum):
    """Where in its life an execution is."""

    PENDING_APPROVAL = "pending_approval"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})


class Outcome(StrEnum):
    """How it ended."""

    SUCCEEDED = "succeeded"  #: all steps are done; nobody asked for a proof
    CURED = "cured"  #: and the service was heard again
    UNVERIFIED = "unverified"  #: and the service was not heard again in time
    SUPERSEDED = "superseded"  #: the service had recovered by itself: nothing was done
    FAILED = "failed"
    ESCALATED = "escalated"  #: it failed, and people were told that the repair did not help
    UNKNOWN = "unknown"  #: a step may have had its effect; people were told
    TIMED_OUT = "timed_out"
    REJECTED = "rejected"
    EXPIRED = "expired"  #: nobody answered
    CANCELLED = "cancelled"
    STOPPED = "stopped"  #: by a kill switch


class Cause(StrEnum):
    """What started it."""

    ALERT = "alert"
    API = "api"
    WEBHOOK = "webhook"


class StepStatus(StrEnum):
    """What is known of one try of a step."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """The parts of an execution, in their order."""

    APPROVAL = "approval"
    STEPS = "steps"
    VERIFICATION = "verification"
    FINALLY = "finally"
    OVER = "over"


class Doing(StrEnum):
    """What the state machine was last told to do."""

    NOTHING = "nothing"
    APPROVAL = "approval"
    WAIT = "wait"  #: a wait step
    PAUSE = "pause"  #: before a further attempt
    POLL = "poll"  #: before looking at a condition again
    CALL = "call"  #: a webhook
    PROBE = "probe"  #: of an http_ok condition
    SCRIPT = "script"


WAITING = frozenset({Doing.WAIT, Doing.PAUSE, Doing.POLL})
IN_A_RUNNER = frozenset({Doing.CALL, Doing.PROBE, Doing.SCRIPT})


# What happens to an execution.


@dataclass(frozen=True, slots=True)
class Began:
    """The state machine runs."""


@dataclass(frozen=True, slots=True)
class Woke:
    """A wait is over."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Somebody approved or rejected."""

    approved: bool
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """An approval's time is over. `delivered` says whether the question had really reached somebody."""

    delivered: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """A runner says what came of a step. `data` is what later steps can use of it."""

    verdict: Verdict
    output: str = ""
    error: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Died:
    """A runner ended without a report. `began` says whether the step may have had its effect."""

    error: str
    began: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a condition found."""

    met: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """The state machine had lost it, and another run goes on with it."""


Event = Began | Woke | Decided | NotAnswered | Reported | Died | Seen | Lost


@dataclass(frozen=True, slots=True)
class Run:
    """What is executed, why, and with which variables."""

    playbook: Playbook
    cause: Cause
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Around:
    """What matters besides the event. `stopped_by` is a kill switch, `alert_over` whether its alert is resolved."""

    now: datetime
    stopped_by: str | None = None
    alert_over: bool = False


# What follows.


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ends."""

    status: ExecutionStatus
    outcome: Outcome
    because: str


@dataclass(frozen=True, slots=True)
class StepBegan:
    """A try of a step begins."""

    index: int
    attempt: int


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A try of a step is over. `again` says that another one follows."""

    index: int
    attempt: int
    status: StepStatus
    output: str = ""
    error: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    """A notify step."""

    index: int


@dataclass(frozen=True, slots=True)
class AskPeople:
    """An approval is asked for: by the step, or (None) by the playbook as a whole."""

    index: int | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerTaken:
    """What became of an approval. `by` None: nobody; it was the time."""

    index: int | None
    approved: bool
    by: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """People must hear that the repair did not help."""

    because: str


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over."""

    ending: Ending


Effect = StepBegan | StepEnded | Tell | AskPeople | AnswerTaken | Escalate | Ended


class DirectiveKind(StrEnum):
    """What the state machine can be told; the Choice in infra/playbook.asl.json goes by these."""

    WAIT = "wait"
    WEBHOOK = "webhook"
    SCRIPT = "script"
    APPROVAL = "approval"
    SUCCEED = "succeed"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Directive:
    """What the state machine does next. `until` belongs to a wait, `seconds` are the patience with a task."""

    kind: DirectiveKind
    until: datetime | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class LookForHeartbeats:
    """The brain wants to know whether a service was heard.

    The one with the heartbeat name `service`; without it the execution's own, or where that has none, `service_id`.
    """

    since: datetime
    min_count: int = 1
    status: str | None = None
    service: str | None = None
    service_id: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an execution stands.

    `position` is the index of the step among all steps, `attempt` the number of its try, `repeats` how often that try
    was sent again because nobody could say what had become of it. `until` ends the wait that is under way, `deadline`
    the phase. `looked` says that the service was found to be still down since the last approval.
    """

    phase: Phase = Phase.APPROVAL
    position: int = 0
    attempt: int = 1
    repeats: int = 0
    doing: Doing = Doing.NOTHING
    until: datetime | None = None
    deadline: datetime | None = None
    step_began: datetime | None = None
    polls: int = 0
    acted_at: datetime | None = None
    looked: bool = False
    outputs: Mapping[str, Any] = field(default_factory=dict)
    ending: Ending | None = None

    @property
    def status(self) -> ExecutionStatus:
        """How it is shown while it is not over."""
        if self.doing is Doing.APPROVAL:
            return ExecutionStatus.PENDING_APPROVAL
        return ExecutionStatus.WAITING if self.doing in WAITING else ExecutionStatus.RUNNING

    def to_json(self) -> dict[str, Any]:
        """As it is kept. `position` and `attempt` have columns of their own."""
        moments = {name: getattr(self, name) for name in MOMENTS}
        return {
            "phase": self.phase,
            "repeats": self.repeats,
            "doing": self.doing,
            "polls": self.polls,
            "looked": self.looked,
            "outputs": dict(self.outputs),
            **{name: moment.isoformat() for name, moment in moments.items() if moment is not None},
            **({"ending": [self.ending.status, self.ending.outcome, self.ending.because]} if self.ending else {}),
        }


MOMENTS = ("until", "deadline", "step_began", "acted_at")


def read_progress(kept: Mapping[str, Any], position: int, attempt: int) -> Progress:
    """As it was kept."""
    ending = kept.get("ending")

    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(kept[name]) if name in kept else None

    return Progress(
        phase=Phase(kept["phase"]),
        position=position,
        attempt=attempt,
        repeats=kept["repeats"],
        doing=Doing(kept["doing"]),
        polls=kept["polls"],
        looked=kept["looked"],
        outputs=kept["outputs"],
        ending=Ending(ExecutionStatus(ending[0]), Outcome(ending[1]), ending[2]) if ending else None,
        until=moment("until"),
        deadline=moment("deadline"),
        step_began=moment("step_began"),
        acted_at=moment("acted_at"),
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """What the brain makes of an event: where the execution stands, what follows, and what is next."""

    progress: Progress
    effects: tuple[Effect, ...]
    next: Directive | LookForHeartbeats
