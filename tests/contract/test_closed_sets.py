"""Closed sets are spelled in the domain and in CHECK constraints: read back, they are the same."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from enum import StrEnum

import pytest

from medic_core import domain, store
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.alerting.alerts import INGEST_SILENT, AlertEvent, AlertStatus, Priority
from medic_core.domain.observing.metrics import Action as PagerDutyAction
from medic_core.domain.observing.metrics import Answered, Kind
from medic_core.domain.repair.approvals import Via
from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.execution import (
    Cause,
    DirectiveKind,
    Doing,
    ExecutionStatus,
    Outcome,
    Phase,
    StepStatus,
)
from medic_core.domain.repair.kill_switches import KillLevel
from medic_core.domain.repair.orders import Interpreter, Verdict
from medic_core.domain.repair.playbooks import ApprovalMode, Check, Method, OnFailure, OnTimeout, StepType
from medic_core.domain.repair.rehearsal import CannedStatus, What
from medic_core.domain.repair.triggers import TriggerMode
from medic_core.domain.routing.messages import NoticeKind
from medic_core.domain.routing.targets import Channel, Mode
from medic_core.domain.routing.working_hours import Period
from medic_core.domain.watching.deadlines import Reason
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.periods import PeriodState
from medic_core.domain.watching.public import Mood, PublicState
from medic_core.domain.watching.runs import RunStatus
from medic_core.domain.watching.schedules import ScheduleKind
from medic_core.domain.watching.signals import SignalKind, Unmatched
from medic_core.domain.watching.snapshots import Action
from medic_core.domain.watching.states import Trouble
from medic_core.store.approvals import ApprovalStatus
from medic_core.store.connection import Database
from medic_core.store.deliveries import Status
from medic_core.store.firings import FiringDecision
from medic_core.store.outbox import Topic
from medic_core.store.repair_batches import BatchStatus
from medic_core.store.service_lists import Sort
from tests.builders import rows

SETS: dict[tuple[str, str], set[str]] = {
    ("services", "priority"): set(Priority),
    ("services", "unmatched_body"): set(Unmatched),
    ("service_state", "health"): set(Health),
    ("service_state", "extension_reasons"): set(Reason),
    ("heartbeat_events", "kind"): set(SignalKind),
    ("late_heartbeats", "kind"): set(SignalKind),
    ("job_runs", "status"): set(RunStatus),
    ("alerts", "kind"): {*Trouble, INGEST_SILENT},
    ("alerts", "status"): set(AlertStatus),
    ("alerts", "priority"): set(Priority),
    ("alert_events", "event"): set(AlertEvent),
    ("outbox", "topic"): set(Topic),
    ("notification_deliveries", "channel"): set(Channel),
    ("notification_deliveries", "status"): set(Status),
    ("notification_targets", "type"): set(Channel),
    ("notification_targets", "period"): set(Period),
    ("notification_targets", "min_priority"): set(Priority),
    ("notices", "kind"): set(NoticeKind),
    ("services", "notification_mode"): set(Mode),
    ("api_keys", "scopes"): set(Scope),
    ("service_snapshots", "action_type"): set(Action),
    ("playbook_versions", "approval_mode"): set(ApprovalMode),
    ("playbook_triggers", "mode"): set(TriggerMode),
    ("playbook_executions", "cause"): set(Cause),
    ("playbook_executions", "status"): set(ExecutionStatus),
    ("playbook_executions", "outcome"): set(Outcome),
    ("playbook_step_results", "step_type"): set(StepType),
    ("playbook_step_results", "status"): set(StepStatus),
    ("approval_requests", "status"): set(ApprovalStatus),
    ("approval_votes", "via"): set(Via),
    ("script_versions", "interpreter"): set(Interpreter),
    ("kill_switches", "level"): set(KillLevel),
    ("repair_batches", "status"): set(BatchStatus),
    ("trigger_firings", "decision"): set(FiringDecision),
    ("remediation_audit_log", "action_type"): set(AuditAction),
}
#: What people choose from in a request or are shown, and what a JSON column is read by.
NOT_OF_A_COLUMN = {Sort, Endpoints, ScheduleKind, CannedStatus, What, PeriodState, PublicState, Mood}
#: The language of playbooks, which their JSON Schema spells (test_playbook_schema.py).
OF_PLAYBOOKS = {OnFailure, OnTimeout, Check, Method}
#: What the brain keeps in `progress` and tells the state machine, and what a runner reports.
OF_EXECUTIONS = {Phase, Doing, DirectiveKind, Verdict}
#: Values of labels, which are texts in a JSON column, and how a metric behaves.
OF_METRICS = {Answered, PagerDutyAction, Kind}
#: The CHECKs that compare a column with a word or a list of them.
CHECKS = r"""
    SELECT t.relname, a.attname, pg_get_constraintdef(c.oid)
      FROM pg_constraint c
      JOIN pg_class t ON t.oid = c.conrelid
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
     WHERE t.relnamespace = 'medic'::regnamespace AND NOT t.relispartition AND c.contype = 'c'
       AND array_length(c.conkey, 1) = 1 AND pg_get_constraintdef(c.oid) ~ '= ''|ARRAY\['
"""


def spelled(database: Database) -> dict[tuple[str, str], set[str]]:
    """What each column may hold, as the database has it."""
    return {(table, column): set(re.findall(r"'([^']*)'", check)) for table, column, check in rows(database, CHECKS)}


def enums() -> Iterator[type[StrEnum]]:
    """The closed sets of the domain and the store."""
    for package in (domain, store):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and issubclass(value, StrEnum) and value is not StrEnum:
                    yield value


def test_every_list_of_words_in_the_schema_is_looked_at(database: Database) -> None:
    assert set(spelled(database)) == set(SETS)


@pytest.mark.parametrize(("table", "column"), list(SETS))
def test_the_database_allows_what_the_domain_knows(database: Database, table: str, column: str) -> None:
    assert spelled(database)[table, column] == SETS[table, column]


def test_every_closed_set_is_looked_at() -> None:
    looked_at = {type(value) for values in SETS.values() for value in values} - {str}
    assert looked_at | NOT_OF_A_COLUMN | OF_PLAYBOOKS | OF_EXECUTIONS | OF_METRICS == set(enums())
