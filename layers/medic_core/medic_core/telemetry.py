"""How Medic is seen from outside: one logger and one set of metrics per function, and the names of all metrics."""

from __future__ import annotations

from enum import StrEnum

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Medic"


class Metric(StrEnum):
    """What is counted or measured."""

    SPOOLED = "HeartbeatsSpooled"
    SPOOL_REPLAYED = "HeartbeatsReplayed"
    SPOOL_POISON = "SpoolPoison"
    SERVICES_DUE = "ServicesDue"
    ALERTS_OPENED = "AlertsOpened"
    SWEEPS_HELD = "SweepsHeld"
    SWEEPS_COMPLETED = "SweepsCompleted"
    DEADLINE_LAG = "DeadlineLag"  #: in seconds
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


def logger(function: str) -> Logger:
    """The function's logger: JSON lines."""
    return Logger(service=f"medic-{function}")


class Counts:
    """Metrics of one invocation, written as one EMF line."""

    def __init__(self, function: str) -> None:
        self._metrics = Metrics(namespace=NAMESPACE, service=f"medic-{function}")

    def write(self, counts: dict[Metric, float]) -> None:
        """Write those that are not zero."""
        for name, value in counts.items():
            if value:
                self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
        if any(counts.values()):
            self._metrics.flush_metrics()


def count(function: str, metric: Metric, **dimensions: str) -> None:
    """Write one count, by these dimensions, as an EMF line of its own."""
    with single_metric(name=metric, unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as counted:
        counted.add_dimension("service", f"medic-{function}")
        for name, value in dimensions.items():
            counted.add_dimension(name, value)
