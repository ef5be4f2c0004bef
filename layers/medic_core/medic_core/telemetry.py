"""How Medic is seen from outside: one logger and one set of metrics per function, and the names of all metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from medic_core.domain.observing import correlation, redaction

#: Where POWERTOOLS_METRICS_NAMESPACE names no other: several stacks can share an account.
NAMESPACE = "Medic"
Answer = TypeVar("Answer")


class Metric(StrEnum):
    """What is counted or measured."""

    SPOOLED = "HeartbeatsSpooled"
    SPOOL_REPLAYED = "HeartbeatsReplayed"
    SPOOL_POISON = "SpoolPoison"
    SERVICES_DUE = "ServicesDue"
    ALERTS_OPENED = "AlertsOpened"
    SWEEPS_HELD = "SweepsHeld"
    SWEEPS_COMPLETED = "SweepsCompleted"  #: held ones too: the monitor was there
    SWEEP_DURATION = "SweepDuration"
    DEADLINE_LAG = "DeadlineLag"  #: how long the latest of a sweep had been due; 0 where nothing was
    DELIVERED = "NotificationsDelivered"
    DELIVERIES_POSTPONED = "NotificationsPostponed"
    DELIVERIES_FAILED = "NotificationsFailed"
    NOBODY_TOLD = "NotificationsToNobody"
    AUTHENTICATION_FAILURES = "AuthenticationFailures"  #: by reason
    REDIS_AWAY = "RedisAway"
    EXECUTIONS_STARTED = "ExecutionsStarted"
    EXECUTIONS_BLOCKED = "ExecutionsBlocked"
    EXECUTIONS_ENDED = "ExecutionsEnded"
    EXECUTIONS_RESUMED = "ExecutionsResumed"  #: the state machine had lost them
    DECISIONS_REFUSED = "DecisionsRefused"  #: the state machine did not wait for them any more
    APPROVALS_REMINDED = "ApprovalsReminded"
    REQUESTS = "Requests"  #: answered by the management API
    REQUESTS_FAILED = "RequestsFailed"  #: of them, with a status of 500 or more
    REQUEST_LATENCY = "RequestLatency"


#: All others are counts.
UNITS = {
    Metric.DEADLINE_LAG: MetricUnit.Seconds,
    Metric.SWEEP_DURATION: MetricUnit.Milliseconds,
    Metric.REQUEST_LATENCY: MetricUnit.Milliseconds,
}


def logger(function: str) -> Logger:
    """The function's logger: JSON lines without secrets."""
    return Logger(service=f"medic-{function}", json_serializer=_line)


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(redaction.shown(record), separators=(",", ":"))


class Seldom:
    """What many requests would have a function log: an environment writes one line of each message a second.

    What is the matter is told, how often it is so is counted elsewhere, and an outage is no log bill.
    """

    SECONDS = 1.0

    def __init__(self, function: str) -> None:
        self._logger = logger(function)
        self._said_at: dict[str, float] = {}

    def warning(self, message: str, **keys: Any) -> None:
        """Write it, unless the same was written a moment ago."""
        if self._is_due(message):
            self._logger.warning(message, stacklevel=3, **keys)

    def error(self, message: str, **keys: Any) -> None:
        """Likewise, of what an operator has to look at."""
        if self._is_due(message):
            self._logger.error(message, stacklevel=3, **keys)

    def _is_due(self, message: str) -> bool:
        now = time.monotonic()
        if now - self._said_at.get(message, -self.SECONDS) < self.SECONDS:
            return False
        self._said_at[message] = now
        return True


Handler = Callable[[dict[str, Any], Any], Answer]


def logged(log: Logger) -> Callable[[Handler[Answer]], Handler[Answer]]:
    """Around a handler: its log lines say which event they are about, and what rises from it is logged.

    The runtime logs what rises once more, by itself: so secrets are taken out of its very text.
    """

    def around(handler: Handler[Answer]) -> Handler[Answer]:
        @wraps(handler)
        def answering(event: dict[str, Any], context: Any) -> Answer:
            with log.append_context_keys(**_keys(event, context)):
                try:
                    return handler(event, context)
                except Exception as error:
                    log.exception("unforeseen")
                    hide(error)
                    raise

        return answering

    return around


def unforeseen(function: str, event: dict[str, Any], context: Any, error: Exception) -> None:
    """Log what is about to rise, as `logged` does: for a function that cannot pay for it beforehand."""
    log = logger(function)
    with log.append_context_keys(**_keys(event, context)):
        log.error("unforeseen", exc_info=error)
    hide(error)


def hide(error: BaseException) -> None:
    """Take secrets out of an exception's text, whose kind stays: the state machine knows errors by it."""
    error.args = tuple(redaction.without_secrets(one) if isinstance(one, str) else one for one in error.args)


def _keys(event: object, context: object) -> dict[str, Any]:
    request_id = getattr(context, "aws_request_id", None)
    return {**({"function_request_id": request_id} if request_id else {}), **correlation.of_event(event)}


class Counts:
    """Metrics of one invocation, written as one EMF line."""

    def __init__(self, function: str) -> None:
        self._metrics = Metrics(service=f"medic-{function}")
        self._metrics.namespace = self._metrics.namespace or NAMESPACE

    def write(self, counts: Mapping[Metric, float], measured: Mapping[Metric, float] | None = None) -> None:
        """Write the counts that are not zero, and all that was measured."""
        found = {name: value for name, value in counts.items() if value} | dict(measured or {})
        for name, value in found.items():
            self._metrics.add_metric(name=name, unit=UNITS.get(name, MetricUnit.Count), value=value)
        if found:
            self._metrics.flush_metrics()


def count(function: str, metric: Metric, **dimensions: str) -> None:
    """Write one count, by these dimensions, as an EMF line of its own."""
    namespace = Metrics().namespace or NAMESPACE
    with single_metric(name=metric, unit=MetricUnit.Count, value=1, namespace=namespace) as counted:
        counted.add_dimension("service", f"medic-{function}")
        for name, value in dimensions.items():
            counted.add_dimension(name, value)
