"""Alerts that triggers are asked about, what came of it, and batches that wait for a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from medic_core.domain.repair.triggers import Trigger, TriggerMode
from medic_core.store.connection import Transaction
from medic_core.store.executions import LOCK_SERVICE
from medic_core.store.tables import Table


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """A trigger as it is kept."""

    trigger_id: int
    playbook_id: int
    service_pattern: str
    consecutive_failures: int
    mode: TriggerMode
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime
    now: datetime


TRIGGERS: Final = Table("playbook_triggers", "trigger_id", TriggerRow, fixed=frozenset({"trigger_id", "playbook_id"}))

ENABLED: Final = """
SELECT trigger_id, playbook_id, service_pattern, consecutive_failures, mode
  FROM medic.playbook_triggers WHERE enabled ORDER BY consecutive_failures DESC, trigger_id
"""


def enabled(tx: Transaction) -> list[Trigger]:
    """The triggers that can fire, in the order in which they are asked."""
    rows = tx.execute(ENABLED).fetchall()
    return [Trigger(row[0], row[1], row[2], row[3], TriggerMode(row[4])) for row in rows]


@dataclass(frozen=True, slots=True)
class Unconsidered:
    """An alert that has come to a count at which triggers were not asked yet, with its service."""

    alert_id: int
    kind: str
    considered_failures: int
    consecutive_failures: int
    because: str
    priority: str
    service_id: int
    service_name: str
    heartbeat_name: str
    team: str | None
    team_id: int | None
    run_id: str | None


#: In the order of services: two monitors wait for one another and not in a circle.
CLAIM: Final = """
WITH claimed AS (
    SELECT alert_id FROM medic.alerts
     WHERE resolved_at IS NULL AND told_at IS NOT NULL AND consecutive_failures > considered_failures
     ORDER BY alert_id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), considered AS (
    UPDATE medic.alerts a SET considered_failures = a.consecutive_failures
      FROM claimed, medic.alerts b
     WHERE a.alert_id = claimed.alert_id AND b.alert_id = a.alert_id
    RETURNING a.alert_id, a.kind, b.considered_failures, a.consecutive_failures, a.because, a.priority, a.service_id
)
SELECT c.alert_id, c.kind, c.considered_failures, c.consecutive_failures, c.because, c.priority, c.service_id,
       s.service_name, s.heartbeat_name, t.name AS team, s.team_id,
       (SELECT r.run_id FROM medic.job_runs r WHERE r.service_id = c.service_id ORDER BY r.job_run_id DESC LIMIT 1)
           AS run_id
  FROM considered c LEFT JOIN medic.services s USING (service_id) LEFT JOIN medic.teams t USING (team_id)
 ORDER BY c.service_id, c.alert_id
"""


def claim(tx: Transaction, batch: int) -> tuple[int, list[Unconsidered]]:
    """Alerts to ask triggers about, from now on asked: how many, and those that are about a service."""
    with tx.cursor(row_factory=class_row(Unconsidered)) as cursor:
        found = cursor.execute(CLAIM, {"batch": batch}).fetchall()
    return len(found), [one for one in found if one.service_id is not None and one.service_name is not None]


#: Services that a pattern means, and those of them that failed lately.
FAILING: Final = """
SELECT (SELECT count(*)::int FROM medic.services s WHERE s.active AND lower(s.service_name) ~ %(regex)s) AS services,
       (SELECT count(DISTINCT a.service_id)::int FROM medic.alerts a JOIN medic.services s USING (service_id)
         WHERE a.opened_at > now() - %(window)s::interval AND lower(s.service_name) ~ %(regex)s) AS failing
"""


def failing(tx: Transaction, regex: str, window: timedelta) -> tuple[int, int]:
    """How many services a pattern means, and how many of them failed in the window."""
    row = tx.execute(FAILING, {"regex": regex, "window": window}).fetchone()
    assert row is not None
    return row[0], row[1]


class FiringDecision(StrEnum):
    """What came of a trigger's firing."""

    STARTED = "started"
    BLOCKED = "blocked"
    OBSERVED = "observed"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Firing:
    """A trigger has fired for an alert."""

    alert_id: int
    trigger_id: int
    service_id: int
    consecutive_failures: int
    decision: FiringDecision
    because: str
    execution_id: int | None = None
    batch_id: int | None = None
    plan: Sequence[Mapping[str, Any]] | None = None


ADD: Final = """
INSERT INTO medic.trigger_firings
       (alert_id, trigger_id, service_id, consecutive_failures, decision, because, execution_id, batch_id, plan)
VALUES (%(alert_id)s, %(trigger_id)s, %(service_id)s, %(consecutive_failures)s, %(decision)s, %(because)s,
        %(execution_id)s, %(batch_id)s, %(plan)s)
ON CONFLICT (alert_id, trigger_id) DO NOTHING
RETURNING firing_id
"""


def add(tx: Transaction, firing: Firing) -> int | None:
    """Note a firing; None where this trigger has fired for this alert before."""
    values = {name: getattr(firing, name) for name in Firing.__dataclass_fields__}
    values["plan"] = Jsonb(list(firing.plan)) if firing.plan is not None else None
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(ADD, values).fetchone()


HAS_FIRED: Final = """
SELECT EXISTS (SELECT FROM medic.trigger_firings WHERE alert_id = %(alert_id)s AND trigger_id = %(trigger_id)s)
"""


def has_fired(tx: Transaction, alert_id: int, trigger_id: int) -> bool:
    """Whether a trigger has fired for an alert before."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(HAS_FIRED, {"alert_id": alert_id, "trigger_id": trigger_id}).fetchone())


def lock_services(tx: Transaction, service_ids: Iterable[int]) -> None:
    """Nobody else starts repairs of these. Taken before batches and in one order: nobody waits in a circle."""
    for service_id in sorted(set(service_ids)):
        tx.execute(LOCK_SERVICE, {"service_id": service_id})


@dataclass(frozen=True, slots=True)
class FiringRow:
    """A firing as it is read."""

    firing_id: int
    alert_id: int
    trigger_id: int
    playbook_id: int
    service_id: int | None
    consecutive_failures: int
    decision: FiringDecision
    because: str
    execution_id: int | None
    batch_id: int | None
    plan: list[dict[str, Any]] | None
    fired_at: datetime


LISTED: Final = """
SELECT f.firing_id, f.alert_id, f.trigger_id, t.playbook_id, f.service_id, f.consecutive_failures, f.decision,
       f.because, f.execution_id, f.batch_id, f.plan, f.fired_at
  FROM medic.trigger_firings f JOIN medic.playbook_triggers t USING (trigger_id)
 WHERE (%(trigger_id)s::bigint IS NULL OR f.trigger_id = %(trigger_id)s)
   AND (%(alert_id)s::bigint IS NULL OR f.alert_id = %(alert_id)s)
   AND (%(batch_id)s::bigint IS NULL OR f.batch_id = %(batch_id)s)
   AND (%(decision)s::text IS NULL OR f.decision = %(decision)s)
   AND (%(before)s::bigint IS NULL OR f.firing_id < %(before)s)
 ORDER BY f.firing_id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which firings; None does not filter."""

    trigger_id: int | None = None
    alert_id: int | None = None
    batch_id: int | None = None
    decision: FiringDecision | None = None


def listed(tx: Transaction, wanted: Wanted, before: int | None, limit: int) -> list[FiringRow]:
    """Firings, newest first."""
    values = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    with tx.cursor(row_factory=class_row(FiringRow)) as cursor:
        return cursor.execute(LISTED, {**values, "before": before, "limit": limit}).fetchall()


@dataclass(frozen=True, slots=True)
class Held:
    """A firing that waits for the decision about its batch. `is_over` says that its alert has ended meanwhile."""

    firing_id: int
    alert_id: int
    trigger_id: int
    service_id: int
    consecutive_failures: int
    is_over: bool

    def context(self) -> dict[str, Any]:
        """The variables that its alert gives it."""
        return {
            "ALERT_ID": str(self.alert_id),
            "ALERT_CYCLE": str(self.consecutive_failures),
            "CONSECUTIVE_FAILURES": str(self.consecutive_failures),
            "TRIGGER_ID": str(self.trigger_id),
        }


HELD: Final = """
SELECT f.firing_id, f.alert_id, f.trigger_id, f.service_id, a.consecutive_failures,
       a.resolved_at IS NOT NULL AS is_over
  FROM medic.trigger_firings f JOIN medic.alerts a USING (alert_id)
 WHERE f.batch_id = %(batch_id)s AND f.decision = 'held' AND f.service_id IS NOT NULL
 ORDER BY f.service_id
"""


def held(tx: Transaction, batch_id: int) -> list[Held]:
    """Those of a batch whose services are still there, in the order of services."""
    with tx.cursor(row_factory=class_row(Held)) as cursor:
        return cursor.execute(HELD, {"batch_id": batch_id}).fetchall()
