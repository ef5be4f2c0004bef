"""What /metrics shows: names, labels and what each number means. Declared here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: A name that is not shown by itself, because there are too many of its kind.
OTHERS = "(others)"
#: So many services, the oldest, have series of their own.
NAMED_SERVICES = 1000
#: Likewise in the series of executions, which multiply with playbooks; and how many playbooks and teams do.
NAMED_IN_EXECUTIONS, NAMED_PLAYBOOKS, NAMED_TEAMS = 200, 100, 200
#: Up to so many services a scrape counts itself, and of heartbeats that were not added up yet the first so many.
COUNTED_AT_ONCE, SEEN_AT_ONCE = 10_000, 10_000


class Kind(StrEnum):
    """How a number behaves."""

    COUNTER = "counter"  #: only rises
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric. `always` are the series that are shown before anything of theirs has happened."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()
    always: tuple[Labels, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def sum_name(self) -> str:
        """What the sum of a histogram is counted under."""
        return f"{self.name}_sum"


HEARTBEATS = Family(
    "medic_heartbeats_total",
    Kind.COUNTER,
    f"Heartbeats recorded, by service and status (also LOG and IGNORED). The {NAMED_SERVICES} oldest services are "
    f"named, the rest is {OTHERS}. A service's series end with it.",
    ("heartbeat_name", "status"),
)
REGISTERED = Family(
    "medic_registered_services",
    Kind.GAUGE,
    f"Services there are. Exact up to {COUNTED_AT_ONCE}; of more, as the monitor found within the last 5 minutes.",
)
ACTIVE = Family(
    "medic_active_services",
    Kind.GAUGE,
    f"Services that are watched: active and not paused. Exact up to {COUNTED_AT_ONCE}; of more, as the monitor found "
    "within the last 5 minutes.",
)
ALERTS = Family(
    "medic_alerts_total",
    Kind.COUNTER,
    "Alerts opened, by priority and by the team that owned the service then (empty: none). "
    f"The {NAMED_TEAMS} oldest teams are named, the rest is {OTHERS}.",
    ("priority", "team"),
)
ALERTS_ACTIVE = Family("medic_alerts_active", Kind.GAUGE, "Alerts that are not resolved, acknowledged ones included.")
ALERTS_RESOLVED = Family("medic_alerts_resolved_total", Kind.COUNTER, "Alerts resolved, by whatever ended them.")
CYCLES = Family(
    "medic_worker_cycle_duration_seconds",
    Kind.HISTOGRAM,
    "Time that a sweep of the monitor took, held ones included.",
    bounds=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
CHECKED = Family(
    "medic_worker_services_checked_total",
    Kind.COUNTER,
    "Services and open alerts that sweeps looked at because their time had come: what is not due is not touched.",
)
AUTH_FAILURES = Family(
    "medic_auth_failures_total",
    Kind.COUNTER,
    "Requests refused for their key or scope, by reason. Each instance writes its count every few seconds while it is "
    "called, so the last seconds of one that ends are missing.",
    ("reason",),
    tuple(
        {"reason": one}
        for one in (
            "missing_key",
            "invalid_key",
            "expired_key",
            "revoked_key",
            "insufficient_scope",
            "webhook_secret",
        )
    ),
)


class Answered(StrEnum):
    """What came of a request to a receiver of notifications."""

    SUCCESS = "success"
    THROTTLED = "throttled"  #: asked to slow down
    FAILED = "failed"  #: refused
    NO_ANSWER = "no_answer"


class Action(StrEnum):
    """What PagerDuty is asked for."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


PAGERDUTY = Family(
    "medic_pagerduty_requests_total",
    Kind.COUNTER,
    "Attempts to tell PagerDuty, retries included, by action and by what came of them.",
    ("action", "status"),
    tuple({"action": action.value, "status": status.value} for action in Action for status in Answered),
)
SLACK = Family(
    "medic_slack_requests_total",
    Kind.COUNTER,
    "Attempts to tell Slack, retries included, by what came of them.",
    ("status",),
    tuple({"status": status.value} for status in Answered),
)
DELIVERIES = Family(
    "medic_delivery_attempts_total",
    Kind.COUNTER,
    "Attempts to tell a target of any kind, retries included, by channel and by what came of them.",
    ("channel", "status"),
)
HEALTH = Family(
    "medic_health_status",
    Kind.GAUGE,
    "Whether a part of Medic is well, as /health says: 1 well, 0 not. Parts that are not configured are left out.",
    ("component",),
)
DURATION_ALERTS = Family(
    "medic_duration_alerts_total",
    Kind.COUNTER,
    "Alerts opened because a run took too long (exceeded) or is taking too long (stale).",
    ("alert_type",),
    ({"alert_type": "exceeded"}, {"alert_type": "stale"}),
)
STALE_JOBS = Family("medic_stale_jobs_current", Kind.GAUGE, "Runs under way that have been found to take too long.")
BREAKER_TRIPS = Family(
    "medic_circuit_breaker_trips_total",
    Kind.COUNTER,
    "Repairs that an alert called for and the circuit breaker stopped, by service. "
    f"The {NAMED_SERVICES} oldest services are named, the rest is {OTHERS}.",
    ("service_id",),
)
BREAKERS_OPEN = Family(
    "medic_circuit_breaker_open",
    Kind.GAUGE,
    "Services of which no repair starts by itself now, because of those of the last hour.",
)
EXECUTIONS = Family(
    "medic_playbook_executions_total",
    Kind.COUNTER,
    f"Executions of playbooks that ended, by how. The {NAMED_PLAYBOOKS} oldest playbooks and the {NAMED_IN_EXECUTIONS} "
    f"oldest services are named, the rest is {OTHERS}; service_name is empty where there is none.",
    ("playbook", "status", "service_name"),
)
EXECUTION_TIME = Family(
    "medic_playbook_execution_duration_seconds",
    Kind.HISTOGRAM,
    "Time from the start of an execution to its end, waiting for people included.",
    ("playbook", "service_name"),
    bounds=(5, 30, 120, 600, 1800, 7200),
)
PENDING_APPROVAL = Family(
    "medic_playbook_executions_pending_approval", Kind.GAUGE, "Executions that wait for people to decide."
)
BUILD = Family(
    "medic_build_info",
    Kind.GAUGE,
    "Always 1: the version that answers, its Python, and the newest migration of the database.",
    ("version", "python_version", "migration"),
)
REQUESTS = Family(
    "medic_http_requests_total",
    Kind.COUNTER,
    "Requests that the management API answered, by method, path as it is described, and status. Heartbeats are "
    "medic_heartbeats_total. Written like medic_auth_failures_total, with the same gap.",
    ("method", "path", "status"),
)
REQUEST_TIME = Family(
    "medic_http_request_duration_seconds",
    Kind.HISTOGRAM,
    "Time that the management function took to answer, by method; the gateway's own is not in it. Written like "
    "medic_auth_failures_total, with the same gap.",
    ("method",),
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
DEADLINE_LAG = Family(
    "medic_deadline_lag_seconds",
    Kind.GAUGE,
    "How long the service that has been due longest waits for a sweep; 0 when nothing is due.",
)
LAST_SWEEP = Family(
    "medic_last_sweep_timestamp_seconds", Kind.GAUGE, "Unix time of the last sweep; absent before the first."
)
SPOOL_WAITING = Family(
    "medic_spool_waiting_seconds",
    Kind.GAUGE,
    "For how long the spool of heartbeats has not been empty, as sweeps saw it; 0 when it is.",
)
OUTBOX_WAITING = Family(
    "medic_outbox_waiting", Kind.GAUGE, "What was committed and has not been taken over by its receiver yet."
)
OUTBOX_AGE = Family(
    "medic_outbox_oldest_seconds",
    Kind.GAUGE,
    "How long the oldest of what waits in the outbox is overdue; 0 when none is.",
)
DELIVERIES_WAITING = Family(
    "medic_deliveries_waiting", Kind.GAUGE, "Deliveries of notifications that are due or will be tried again."
)
COUNTED_UNTIL = Family(
    "medic_counted_until_timestamp_seconds",
    Kind.GAUGE,
    "Unix time up to which history was added up. What came later is counted anew by each scrape, of heartbeats the "
    f"first {SEEN_AT_ONCE}: with more than that, medic_heartbeats_total is as old as this.",
)

#: In the order in which they are shown.
FAMILIES = (
    HEARTBEATS,
    REGISTERED,
    ACTIVE,
    ALERTS,
    ALERTS_ACTIVE,
    ALERTS_RESOLVED,
    DURATION_ALERTS,
    STALE_JOBS,
    CYCLES,
    CHECKED,
    LAST_SWEEP,
    DEADLINE_LAG,
    SPOOL_WAITING,
    OUTBOX_WAITING,
    OUTBOX_AGE,
    DELIVERIES,
    DELIVERIES_WAITING,
    SLACK,
    PAGERDUTY,
    EXECUTIONS,
    EXECUTION_TIME,
    PENDING_APPROVAL,
    BREAKER_TRIPS,
    BREAKERS_OPEN,
    AUTH_FAILURES,
    REQUESTS,
    REQUEST_TIME,
    HEALTH,
    BUILD,
    COUNTED_UNTIL,
)


def bucket(family: Family, value: float) -> str:
    """The smallest bound of a histogram that a value does not exceed, as its label is written."""
    return next((f"{bound:g}" for bound in family.bounds if value <= bound), "+Inf")
