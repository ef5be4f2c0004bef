"""Executions of playbooks: the row that the brain moves, and the results of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row, scalar_row
from psycopg.types.json import Jsonb

from medic_core.domain.repair.execution import (
    Cause,
    Directive,
    Ending,
    ExecutionStatus,
    Progress,
    StepStatus,
    read_progress,
)
from medic_core.domain.repair.playbooks import StepType
from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class New:
    """An execution to begin. `engine_name` is what the state machine will call it."""

    playbook_id: int
    version: int
    service_id: int | None
    alert_id: int | None
    trigger_id: int | None
    cause: Cause
    started_by: str
    context: Mapping[str, Any]
    scripts: Mapping[str, int]
    engine_name: str
    started_with: str | None = None
    traceparent: str | None = None


#: How long the state machine may take to begin.
BEGINS_WITHIN: Final = timedelta(minutes=2)
ADD: Final = """
INSERT INTO medic.playbook_executions
       (playbook_id, version, service_id, alert_id, trigger_id, cause, started_by, started_with, status, context,
        scripts, progress, engine_name, expected_by, next_look_at, traceparent)
VALUES (%(playbook_id)s, %(version)s, %(service_id)s, %(alert_id)s, %(trigger_id)s, %(cause)s, %(started_by)s,
        %(started_with)s, 'running', %(context)s, %(scripts)s, %(progress)s, %(engine_name)s, now() + %(begins_within)s,
        now() + %(begins_within)s, %(traceparent)s)
RETURNING execution_id
"""


def add(tx: Transaction, new: New) -> int | None:
    """Write an execution that is about to begin; None where one of this playbook for this service is under way."""
    values = {
        "playbook_id": new.playbook_id,
        "version": new.version,
        "service_id": new.service_id,
        "alert_id": new.alert_id,
        "trigger_id": new.trigger_id,
        "cause": new.cause,
        "started_by": new.started_by,
        "started_with": new.started_with,
        "context": Jsonb(dict(new.context)),
        "scripts": Jsonb(dict(new.scripts)),
        "progress": Jsonb(Progress().to_json()),
        "engine_name": new.engine_name,
        "begins_within": BEGINS_WITHIN,
        "traceparent": new.traceparent,
    }
    try:
        with tx.transaction(), tx.cursor(row_factory=scalar_row) as cursor:
            found = cursor.execute(ADD, values).fetchone()
    except UniqueViolation:
        return None
    assert isinstance(found, int)
    return found


#: By itself: who has waited for another's turn, or for a runner, sees what those wrote only in a further statement.
LOCK: Final = "SELECT FROM medic.playbook_executions WHERE execution_id = %(execution_id)s FOR UPDATE"
READ: Final = """
SELECT e.execution_id, e.playbook_id, e.version, e.service_id, e.alert_id, e.trigger_id, e.cause, e.status, e.context,
       e.scripts, e.current_step, e.attempt, e.progress, e.seq, e.directive, e.engine_name, e.engine_runs,
       e.expected_by, e.started_by, e.started_with, e.traceparent, e.created_at, a.opened_at AS alert_opened_at,
       now() AS now, v.sha256, s.heartbeat_name, s.team_id,
       a.alert_id IS NULL OR a.resolved_at IS NOT NULL AS alert_over, r.sent_at,
       CASE WHEN (r.reported->>'seq')::int = e.seq THEN r.reported END AS reported,
       (SELECT concat('kill switch (', k.level, '), thrown by ', k.thrown_by,
                      CASE WHEN k.reason <> '' THEN ': ' || k.reason END)
          FROM medic.kill_switches k
         WHERE k.level = 'global' OR (k.level = 'playbook' AND k.subject_id = e.playbook_id)
            OR (k.level = 'service' AND k.subject_id = e.service_id) OR (k.level = 'team' AND k.subject_id = s.team_id)
         ORDER BY k.kill_switch_id LIMIT 1) AS stopped_by
  FROM medic.playbook_executions e
  JOIN medic.playbook_versions v USING (playbook_id, version)
  LEFT JOIN medic.services s USING (service_id)
  LEFT JOIN medic.alerts a USING (alert_id)
  LEFT JOIN medic.playbook_step_results r
    ON r.execution_id = e.execution_id AND r.step_index = e.current_step AND r.attempt = e.attempt
 WHERE e.execution_id = %(execution_id)s
"""


@dataclass(frozen=True, slots=True)
class Locked:
    """An execution that nobody else moves until the transaction ends, with what matters around it."""

    now: datetime
    execution_id: int
    playbook_id: int
    version: int
    sha256: str
    service_id: int | None
    heartbeat_name: str | None
    team_id: int | None
    alert_id: int | None
    trigger_id: int | None
    cause: Cause
    started_by: str
    started_with: str | None
    traceparent: str | None
    created_at: datetime
    alert_opened_at: datetime | None
    status: ExecutionStatus
    context: Mapping[str, Any]
    scripts: Mapping[str, int]
    progress: Progress
    seq: int
    directive: Mapping[str, Any] | None
    engine_name: str
    engine_runs: int
    expected_by: datetime | None
    alert_over: bool
    stopped_by: str | None
    sent_at: datetime | None
    reported: Mapping[str, Any] | None

    @property
    def is_over(self) -> bool:
        return self.status in {ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}


def lock(tx: Transaction, execution_id: int) -> Locked | None:
    """Lock an execution and read it; None where there is none."""
    tx.execute(LOCK, {"execution_id": execution_id})
    with tx.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(READ, {"execution_id": execution_id}).fetchone()
    return _locked(row) if row is not None else None


def _locked(row: dict[str, Any]) -> Locked:
    same = {name: row[name] for name in Locked.__dataclass_fields__ if name in row}
    return Locked(
        **{
            **same,
            "cause": Cause(row["cause"]),
            "status": ExecutionStatus(row["status"]),
            "context": {**row["context"], "EXECUTION_ID": str(row["execution_id"])},
            "progress": read_progress(row["progress"], row["current_step"], row["attempt"]),
        }
    )


#: A run that comes back was not lost: losses are counted from here on.
SAVE: Final = """
UPDATE medic.playbook_executions
   SET status = %(status)s, outcome = %(outcome)s, because = %(because)s, current_step = %(position)s,
       attempt = %(attempt)s, progress = %(progress)s, seq = %(seq)s, directive = %(directive)s,
       engine_runs = 1, expected_by = %(expected_by)s, next_look_at = LEAST(%(expected_by)s, now() + %(look_every)s),
       started_at = COALESCE(started_at, CASE WHEN %(status)s <> 'pending_approval' THEN now() END),
       completed_at = CASE WHEN %(outcome)s::text IS NOT NULL THEN now() END
 WHERE execution_id = %(execution_id)s
"""
#: The state machine is asked for an execution at least so often, whatever it waits for.
LOOK_EVERY: Final = timedelta(minutes=2)


def save(
    tx: Transaction,
    execution_id: int,
    progress: Progress,
    seq: int,
    directive: Mapping[str, Any],
    expected_by: datetime | None,
    ending: Ending | None,
) -> None:
    """Write where an execution stands. `expected_by` is when the state machine should be back; None when it is over."""
    tx.execute(
        SAVE,
        {
            "execution_id": execution_id,
            "status": ending.status if ending else progress.status,
            "outcome": ending.outcome if ending else None,
            "because": ending.because if ending else "",
            "position": progress.position,
            "attempt": progress.attempt,
            "progress": Jsonb(progress.to_json()),
            "seq": seq,
            "directive": Jsonb(dict(directive)),
            "expected_by": expected_by if ending is None else None,
            "look_every": LOOK_EVERY if ending is None else None,
        },
    )


@dataclass(frozen=True, slots=True)
class StepRow:
    """One try of a step, as this turn leaves it."""

    index: int
    attempt: int
    name: str
    type: StepType
    status: StepStatus
    output: str
    error: str
    is_over: bool


WRITE_STEPS: Final = """
INSERT INTO medic.playbook_step_results AS r
       (execution_id, step_index, attempt, step_name, step_type, status, output, error_message, started_at,
        completed_at)
SELECT %(execution_id)s, w.step_index, w.attempt, w.step_name, w.step_type, w.status, NULLIF(w.output, ''),
       NULLIF(w.error, ''), now(), CASE WHEN w.is_over THEN now() END
  FROM unnest(%(indexes)s::int[], %(attempts)s::int[], %(names)s::text[], %(types)s::text[], %(statuses)s::text[],
              %(outputs)s::text[], %(errors)s::text[], %(overs)s::boolean[])
       AS w (step_index, attempt, step_name, step_type, status, output, error, is_over)
ON CONFLICT (execution_id, step_index, attempt) DO UPDATE
   SET status = EXCLUDED.status, output = EXCLUDED.output, error_message = EXCLUDED.error_message,
       completed_at = EXCLUDED.completed_at
"""


def write_steps(tx: Transaction, execution_id: int, steps: Sequence[StepRow]) -> None:
    """Write what a turn makes of tries of steps."""
    if not steps:
        return
    tx.execute(
        WRITE_STEPS,
        {
            "execution_id": execution_id,
            "indexes": [one.index for one in steps],
            "attempts": [one.attempt for one in steps],
            "names": [one.name for one in steps],
            "types": [one.type for one in steps],
            "statuses": [one.status for one in steps],
            "outputs": [one.output for one in steps],
            "errors": [one.error for one in steps],
            "overs": [one.is_over for one in steps],
        },
    )


ABANDON_STEPS: Final = """
UPDATE medic.playbook_step_results
   SET status = CASE WHEN sent_at IS NOT NULL AND step_type IN ('webhook', 'script') THEN 'unknown' ELSE 'failed' END,
       error_message = %(because)s, completed_at = now()
 WHERE execution_id = %(execution_id)s AND completed_at IS NULL
"""


def abandon_steps(tx: Transaction, execution_id: int, because: str) -> None:
    """Nobody waits any more for what is under way."""
    tx.execute(ABANDON_STEPS, {"execution_id": execution_id, "because": because})


#: Only of the turn that is under way, and not of an execution that is over: it would act behind people's backs.
MARK_SENT: Final = """
UPDATE medic.playbook_step_results r SET sent_at = COALESCE(r.sent_at, now())
  FROM medic.playbook_executions e
 WHERE e.execution_id = %(execution_id)s AND e.seq = %(seq)s AND e.engine_name = %(engine_name)s
   AND e.completed_at IS NULL AND r.execution_id = e.execution_id AND r.step_index = e.current_step
   AND r.attempt = e.attempt
RETURNING r.result_id
"""


def mark_sent(tx: Transaction, execution_id: int, engine_name: str, seq: int) -> int | None:
    """Note that a step may have its effect from now on; its result's id, None where it must not be done (any more)."""
    values = {"execution_id": execution_id, "engine_name": engine_name, "seq": seq}
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(MARK_SENT, values).fetchone()


REPORT: Final = "UPDATE medic.playbook_step_results SET reported = %(reported)s WHERE result_id = %(result_id)s"


def report(tx: Transaction, result_id: int, seq: int, reported: Mapping[str, Any]) -> None:
    """What a runner found in a turn, kept before the state machine hears of it."""
    tx.execute(REPORT, {"result_id": result_id, "reported": Jsonb({**reported, "seq": seq})})


HEARD: Final = """
SELECT count(*)::int FROM medic.heartbeat_events
 WHERE received_at >= %(since)s AND kind = ANY(%(kinds)s::text[])
   AND service_id = CASE WHEN %(name_key)s::text IS NULL THEN %(service_id)s::bigint
                         ELSE (SELECT service_id FROM medic.services WHERE name_key = %(name_key)s) END
"""


def heard(tx: Transaction, since: datetime, kinds: Sequence[str], service_id: int | None, name_key: str | None) -> int:
    """How many heartbeats of these kinds came since then, from a service by its name or else by its id."""
    values = {"since": since, "kinds": list(kinds), "service_id": service_id, "name_key": name_key}
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(HEARD, values).fetchone()
    assert isinstance(found, int)
    return found


#: Counted behind the service's lock, so that of many at once exactly as many start as may.
LOCK_SERVICE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('repair of service ' || %(service_id)s::text, 0))"
RECENT: Final = """
SELECT count(*)::int AS recent,
       count(*) FILTER (WHERE completed_at IS NULL AND playbook_id = %(playbook_id)s)::int AS active
  FROM medic.playbook_executions
 WHERE service_id = %(service_id)s AND (created_at > now() - %(window)s::interval OR completed_at IS NULL)
"""


def recent(tx: Transaction, service_id: int, playbook_id: int, window: timedelta) -> tuple[int, int]:
    """Executions of a service in the window, and those of this playbook that are under way; nobody else starts one."""
    tx.execute(LOCK_SERVICE, {"service_id": service_id})
    values = {"service_id": service_id, "playbook_id": playbook_id, "window": window}
    row = tx.execute(RECENT, values).fetchone()
    assert row is not None
    return row[0], row[1]


STOPPED_BY: Final = """
SELECT concat('kill switch (', k.level, '), thrown by ', k.thrown_by,
              CASE WHEN k.reason <> '' THEN ': ' || k.reason END)
  FROM medic.kill_switches k
 WHERE k.level = 'global' OR (k.level = 'playbook' AND k.subject_id = %(playbook_id)s)
    OR (k.level = 'service' AND k.subject_id = %(service_id)s)
    OR (k.level = 'team' AND k.subject_id = (SELECT team_id FROM medic.services WHERE service_id = %(service_id)s))
 ORDER BY k.kill_switch_id LIMIT 1
"""


def stopped_by(tx: Transaction, playbook_id: int, service_id: int | None) -> str | None:
    """The kill switch that keeps a playbook from running for a service, in words."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(STOPPED_BY, {"playbook_id": playbook_id, "service_id": service_id}).fetchone()


def directive_to_json(directive: Directive) -> dict[str, Any]:
    """A directive as the state machine reads it: whole seconds, RFC 3339."""
    return {
        "kind": directive.kind.value,
        **({"until": f"{directive.until:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"} if directive.until else {}),
        **({"timeout_seconds": directive.seconds} if directive.seconds else {}),
    }
