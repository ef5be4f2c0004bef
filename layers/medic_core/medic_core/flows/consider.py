"""Alerts are considered: does a trigger call for a playbook, and does a guard stand in its way?

The count up to which an alert was considered stands in its row, so each count is considered once, whoever raised it:
the monitor at another missed period, a heartbeat that says FAILED. Any number of monitors and routers may do so at
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from medic_core.domain.repair import guards, rendering, triggers
from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.execution import Cause
from medic_core.domain.repair.guards import BATCH_EXPIRES_AFTER, BRAKE_WINDOW, Blocked, Hold, Start
from medic_core.domain.repair.language import InvalidPlaybook
from medic_core.domain.repair.triggers import Trigger, TriggerMode
from medic_core.domain.repair.variables import Values
from medic_core.domain.routing.messages import NoticeKind
from medic_core.flows import parsed_playbooks, start_repair
from medic_core.flows.expire_batches import expire_batches
from medic_core.flows.start_repair import Wanted
from medic_core.store import audit_log, firings, notices, playbooks, repair_batches
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Database, Transaction
from medic_core.store.firings import Firing, FiringDecision, Unconsidered
from medic_core.store.playbooks import PlaybookRow

BATCH = 100


@dataclass(slots=True)
class Considered:
    """What came of alerts that were considered."""

    alerts: int = 0
    started: int = 0
    blocked: int = 0
    held: int = 0
    observed: int = 0

    @property
    def told(self) -> int:
        """Whether there is something to hand on."""
        return self.started + self.blocked + self.held


@dataclass(frozen=True, slots=True)
class Rules:
    """What the guards go by, and which hosts a planned step may call."""

    breaker_executions: int
    allowed_hosts: tuple[str, ...] = ()


def consider_alerts(database: Database, rules: Rules, batch: int = BATCH) -> Considered:
    """Ask triggers about every alert that has come to a new count; start, hold, block or note what they call for."""
    found = Considered()
    while True:
        with database.transaction() as tx:
            claimed = _consider_some(tx, rules, batch, found)
        if claimed < batch:
            return found


def _consider_some(tx: Transaction, rules: Rules, batch: int, found: Considered) -> int:
    claimed, alerts = firings.claim(tx, batch)
    found.alerts += claimed
    enabled = firings.enabled(tx) if alerts else []
    around = _Around(tx, rules)
    called = [(trigger, alert) for alert in alerts if (trigger := _called_for(tx, enabled, alert)) is not None]
    # Services first, then batches by their triggers: two monitors wait for one another and not in a circle.
    firings.lock_services(tx, [alert.service_id for _, alert in called])
    for trigger, alert in sorted(called, key=lambda one: one[0].trigger_id):
        _fire(around, trigger, alert, found)
    return claimed


def _called_for(tx: Transaction, enabled: Sequence[Trigger], alert: Unconsidered) -> Trigger | None:
    trigger = triggers.fires(enabled, alert.service_name, alert.considered_failures, alert.consecutive_failures)
    has_fired = trigger is not None and firings.has_fired(tx, alert.alert_id, trigger.trigger_id)
    return None if has_fired else trigger


@dataclass(frozen=True, slots=True)
class _Around:
    """What several alerts of one batch look at, read once."""

    tx: Transaction
    rules: Rules
    playbooks: dict[int, PlaybookRow | None] = field(default_factory=dict)
    failing: dict[int, tuple[int, int]] = field(default_factory=dict)

    def playbook(self, playbook_id: int) -> PlaybookRow | None:
        if playbook_id not in self.playbooks:
            self.playbooks[playbook_id] = playbooks.read(self.tx, playbook_id)
        return self.playbooks[playbook_id]

    def mass(self, trigger: Trigger) -> tuple[int, int]:
        if trigger.trigger_id not in self.failing:
            regex = triggers.as_regex(trigger.service_pattern)
            self.failing[trigger.trigger_id] = firings.failing(self.tx, regex, BRAKE_WINDOW)
        return self.failing[trigger.trigger_id]


def _fire(around: _Around, trigger: Trigger, alert: Unconsidered, found: Considered) -> None:
    playbook = around.playbook(trigger.playbook_id)
    if playbook is None:
        return
    if trigger.mode is TriggerMode.OBSERVE:
        _observe(around, trigger, alert, playbook)
        found.observed += 1
        return
    before = start_repair.situation(around.tx, trigger.playbook_id, alert.service_id, around.rules.breaker_executions)
    services, failing = around.mass(trigger)
    match guards.decide(replace(before, failing=failing, services=services)):
        case Start():
            started = _start(around.tx, trigger, alert, playbook)
            found.started += started
            found.blocked += not started
        case Hold(because=because):
            _hold(around.tx, trigger, alert, because)
            found.held += 1
        case Blocked(because=because):
            _block(around.tx, trigger, alert, playbook, because)
            found.blocked += 1


def context_of(alert: Unconsidered, trigger: Trigger) -> dict[str, Any]:
    """The variables of an execution that an alert starts."""
    return {
        "SERVICE_ID": str(alert.service_id),
        "SERVICE_NAME": alert.service_name,
        "HEARTBEAT_NAME": alert.heartbeat_name,
        "ALERT_ID": str(alert.alert_id),
        "ALERT_CYCLE": str(alert.consecutive_failures),
        "CONSECUTIVE_FAILURES": str(alert.consecutive_failures),
        "TRIGGER_ID": str(trigger.trigger_id),
        "PRIORITY": alert.priority,
        "TEAM": alert.team or "",
        **({"RUN_ID": alert.run_id} if alert.run_id else {}),
    }


def _start(tx: Transaction, trigger: Trigger, alert: Unconsidered, playbook: PlaybookRow) -> bool:
    by = f"trigger {trigger.trigger_id} for alert {alert.alert_id}: {alert.because}"
    wanted = Wanted(
        playbook,
        Cause.ALERT,
        by[:500],
        context_of(alert, trigger),
        alert.service_id,
        alert.team_id,
        alert.alert_id,
        trigger.trigger_id,
    )
    execution_id = start_repair.begin(tx, wanted)
    if execution_id is None:
        _block(tx, trigger, alert, playbook, "an execution of this playbook for this service is under way")
        return False
    _note(tx, trigger, alert, FiringDecision.STARTED, "nothing was in the way", execution_id=execution_id)
    return True


def _block(tx: Transaction, trigger: Trigger, alert: Unconsidered, playbook: PlaybookRow, because: str) -> None:
    _note(tx, trigger, alert, FiringDecision.BLOCKED, because)
    _audit(tx, AuditAction.EXECUTION_BLOCKED, trigger, alert, because)
    heading = f"{alert.heartbeat_name} is not repaired: playbook {playbook.name!r} was kept from starting"
    teams = [alert.team_id] if alert.team_id is not None else []
    notices.add(tx, NoticeKind.EXECUTION_BLOCKED, heading[:500], because, team_ids=teams)


def _hold(tx: Transaction, trigger: Trigger, alert: Unconsidered, because: str) -> None:
    # One whose time is over is none: nobody could decide about it any more.
    expire_batches(tx, trigger.trigger_id)
    batch_id, is_new = repair_batches.open_for(tx, trigger.trigger_id, because, BATCH_EXPIRES_AFTER)
    _note(tx, trigger, alert, FiringDecision.HELD, because, batch_id=batch_id)
    _audit(tx, AuditAction.EXECUTION_HELD, trigger, alert, because)
    if is_new:
        details = {"batch_id": batch_id, "trigger_id": trigger.trigger_id, "because": because}
        audit_log.add(tx, [Entry(AuditAction.BATCH_HELD, None, None, trigger.playbook_id, None, details)])
        heading = f"Many services fail at once: repairs by trigger {trigger.trigger_id} wait (batch {batch_id})"
        notices.add(tx, NoticeKind.EXECUTION_HELD, heading, because)


def _observe(around: _Around, trigger: Trigger, alert: Unconsidered, playbook: PlaybookRow) -> None:
    """Note what it would do. One that cannot be read any more keeps nobody else's repair waiting."""
    context = {
        **context_of(alert, trigger),
        "PLAYBOOK_ID": str(playbook.playbook_id),
        "PLAYBOOK_NAME": playbook.name,
    }
    because = "the trigger only observes"
    shown: list[dict[str, Any]] = []
    try:
        parsed = parsed_playbooks.parsed(playbook.yaml_content)
        planned = rendering.plan(parsed, Values(context, {}, None), around.rules.allowed_hosts)
        shown = [asdict(step) for step in planned]
    except InvalidPlaybook as error:
        because = f"the playbook cannot be read: {error}"[:500]
    _note(around.tx, trigger, alert, FiringDecision.OBSERVED, because, plan=shown)
    _audit(around.tx, AuditAction.EXECUTION_OBSERVED, trigger, alert, because)


def _note(
    tx: Transaction,
    trigger: Trigger,
    alert: Unconsidered,
    decision: FiringDecision,
    because: str,
    *,
    execution_id: int | None = None,
    batch_id: int | None = None,
    plan: Sequence[dict[str, Any]] | None = None,
) -> None:
    firing = Firing(
        alert_id=alert.alert_id,
        trigger_id=trigger.trigger_id,
        service_id=alert.service_id,
        consecutive_failures=alert.consecutive_failures,
        decision=decision,
        because=because,
        execution_id=execution_id,
        batch_id=batch_id,
        plan=plan,
    )
    firings.add(tx, firing)


def _audit(tx: Transaction, action: AuditAction, trigger: Trigger, alert: Unconsidered, because: str) -> None:
    details = {"alert_id": alert.alert_id, "trigger_id": trigger.trigger_id, "because": because}
    audit_log.add(tx, [Entry(action, None, None, trigger.playbook_id, alert.service_id, details)])
