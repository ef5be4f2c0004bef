"""A playbook as it is walked: frozen values. `language` reads them from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from medic_core.domain.repair.expressions import Expression

#: A step's default patience, and the longest that anything may be given.
WEBHOOK_TIMEOUT = timedelta(seconds=30)
SCRIPT_TIMEOUT = timedelta(seconds=60)
CONDITION_TIMEOUT = timedelta(minutes=5)
APPROVAL_TIMEOUT = timedelta(hours=1)
LONGEST_WEBHOOK = timedelta(minutes=2)
LONGEST_SCRIPT = timedelta(minutes=14)
LONGEST_CONDITION = timedelta(hours=24)
LONGEST_WAIT = timedelta(days=7)
#: The whole of it: reckoned from the first step, waiting for people included.
PLAYBOOK_TIMEOUT = timedelta(hours=2)
LONGEST_PLAYBOOK = timedelta(days=7)
#: How long an execution that an alert started waits for the heartbeat that proves it a cure.
VERIFY_WITHIN = timedelta(minutes=5)
SUCCESS_CODES = (200, 201, 202)
HTTP_OK_CODES = (200,)
#: An attempt waits no longer for its turn.
LONGEST_DELAY = timedelta(hours=1)
MOST_STEPS = 50
MOST_ATTEMPTS = 10
HIGHEST_BACKOFF = 10
MOST_HEARTBEATS = 1000
MOST_APPROVERS = 20
MOST_HEADERS = 50
LONGEST_MESSAGE = 3000
LONGEST_REGISTER = 60


class StepType(StrEnum):
    """What a step can be."""

    WEBHOOK = "webhook"
    SCRIPT = "script"
    WAIT = "wait"
    CONDITION = "condition"
    NOTIFY = "notify"
    APPROVAL = "approval"


class OnFailure(StrEnum):
    """What becomes of the playbook when a step fails."""

    FAIL = "fail"  #: it fails
    CONTINUE = "continue"  #: it goes on
    ESCALATE = "escalate"  #: it fails, and people are told that a repair did not help


class ApprovalMode(StrEnum):
    """Whether somebody must agree before the first step."""

    NONE = "none"
    REQUIRED = "required"
    TIMEOUT = "timeout"  #: it approves itself when nobody has answered in time


class OnTimeout(StrEnum):
    """What an approval step does when nobody has answered in time."""

    APPROVE = "approve"
    REJECT = "reject"
    FAIL = "fail"


class Check(StrEnum):
    """What a condition can wait for."""

    HEARTBEAT_RECEIVED = "heartbeat_received"
    HTTP_OK = "http_ok"
    ALERT_RESOLVED = "alert_resolved"


class Method(StrEnum):
    """How a webhook is called."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who may agree. `names` are of keys, or Slack user ids; empty: whoever may approve at all.

    `required` of them must agree, each for themselves. With `four_eyes` whoever asked for the execution is not among
    them.
    """

    names: tuple[str, ...] = ()
    required: int = 1
    four_eyes: bool = False


#: Asked twice these do what they do asked once (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset({Method.GET, Method.PUT, Method.DELETE})


@dataclass(frozen=True, slots=True)
class Webhook:
    """Call a URL. `body` is sent as JSON; None sends none. `idempotent` says that calling twice does no harm."""

    url: str
    method: Method = Method.POST
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    success_codes: tuple[int, ...] = SUCCESS_CODES
    timeout: timedelta = WEBHOOK_TIMEOUT
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """Run a registered script by its name. `idempotent` says that running twice does no harm."""

    script: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: timedelta = SCRIPT_TIMEOUT
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    duration: timedelta


@dataclass(frozen=True, slots=True)
class Condition:
    """Wait until something is so, at most `timeout`.

    `heartbeat_received`: `min_count` heartbeats (of `status`, where one is named) since the step began, of the
    service with the heartbeat name `service`, or else the execution's own, or else the one with `service_id`.
    `http_ok`: a GET of `url` is answered with one of `success_codes`. `alert_resolved`: the execution's alert is over.
    """

    check: Check
    timeout: timedelta = CONDITION_TIMEOUT
    min_count: int = 1
    status: str | None = None
    service: str | None = None
    service_id: int | None = None
    url: str | None = None
    success_codes: tuple[int, ...] = HTTP_OK_CODES


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the service's team and the default channel."""

    message: str
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Wait for people to agree."""

    message: str = ""
    approvers: Approvers = Approvers()
    timeout: timedelta = APPROVAL_TIMEOUT
    on_timeout: OnTimeout = OnTimeout.FAIL


Action = Webhook | Script | Wait | Condition | Notify | Ask

TYPES: Mapping[type[Any], StepType] = {
    Webhook: StepType.WEBHOOK,
    Script: StepType.SCRIPT,
    Wait: StepType.WAIT,
    Condition: StepType.CONDITION,
    Notify: StepType.NOTIFY,
    Ask: StepType.APPROVAL,
}


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried altogether, and how long it is waited before each further try."""

    attempts: int = 1
    delay: timedelta = timedelta(seconds=5)
    backoff: float = 2.0

    def wait_before(self, attempt: int) -> timedelta:
        """Before the `attempt`-th try (2 is the first that is waited for), an hour at most."""
        return min(self.delay * self.backoff ** (attempt - 2), LONGEST_DELAY)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `only_if` decides whether it is done at all; `register` names its outcome for later steps."""

    name: str
    action: Action
    only_if: Expression | None = None
    on_failure: OnFailure = OnFailure.FAIL
    retry: Retry = Retry()
    register: str | None = None

    @property
    def type(self) -> StepType:
        """What it is."""
        return TYPES[type(self.action)]

    @property
    def acts(self) -> bool:
        """Whether it changes something outside."""
        return isinstance(self.action, Webhook | Script)

    @property
    def is_idempotent(self) -> bool:
        """Whether doing it twice does no harm."""
        match self.action:
            case Webhook(method=method, idempotent=idempotent):
                return idempotent or method in IDEMPOTENT
            case Script(idempotent=idempotent):
                return idempotent
            case _:
                return True


@dataclass(frozen=True, slots=True)
class Approval:
    """Whether somebody must agree before the first step. `after` is when silence counts as consent (`timeout:Xm`)."""

    mode: ApprovalMode = ApprovalMode.NONE
    after: timedelta | None = None
    approvers: Approvers = Approvers()

    def __str__(self) -> str:
        if self.after is None:
            return self.mode
        return f"{self.mode}:{self.after // timedelta(minutes=1)}m"


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook. `finally_steps` run at the end, however it ends but by cancelling. `verify` None: no proof asked."""

    name: str
    steps: tuple[Step, ...]
    description: str = ""
    approval: Approval = Approval()
    version: int = 1
    finally_steps: tuple[Step, ...] = ()
    timeout: timedelta = PLAYBOOK_TIMEOUT
    verify: timedelta | None = VERIFY_WITHIN
    #: Names of the secrets that it uses, and of the scripts.
    secrets: frozenset[str] = frozenset()
    scripts: frozenset[str] = frozenset()

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """In the order of their indexes: those of `finally` come last."""
        return self.steps + self.finally_steps
