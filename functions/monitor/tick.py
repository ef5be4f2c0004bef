"""Each minute: sweep until nothing is due, hand notifications on; several times where the cadence is shorter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from medic_core import config, telemetry
from medic_core.adapters.sealing import sealer
from medic_core.adapters.sqs import SqsQueue
from medic_core.adapters.step_functions import StepFunctions
from medic_core.domain.observing import metrics
from medic_core.errors import Unavailable
from medic_core.flows import engine
from medic_core.flows.consider import Rules, consider_alerts
from medic_core.flows.count_up import count_up
from medic_core.flows.expire_batches import expire_batches
from medic_core.flows.reconcile import Reconciled, look_at_all, reconcile
from medic_core.flows.relay import relay, relay_forgotten
from medic_core.flows.remind_approvals import remind_approvals, tell_what_waits
from medic_core.flows.sweep import Swept, sweep
from medic_core.flows.tally import Tally
from medic_core.store.connection import Database
from medic_core.telemetry import Metric

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database)
SPOOL = SqsQueue(SETTINGS.spool_url)
NOTIFICATIONS = SqsQueue(SETTINGS.notifications_url)
MACHINE = StepFunctions(SETTINGS.playbook_machine_arn)
SEALER = sealer(SETTINGS.secrets_key, SETTINGS.former_secrets_keys, SETTINGS.kms_key_id)
RULES = Rules(SETTINGS.breaker_executions, SETTINGS.allowed_webhook_hosts)
LOGGER = telemetry.logger("monitor")
COUNTS = telemetry.Counts("monitor")
TALLY = Tally(DATABASE)
ASKED_FOR_ALL = threading.Event()

#: The schedule's own cadence: one invocation fills it with sweeps.
INVOKED_EVERY = timedelta(minutes=1)


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Sweep at the cadence until the next invocation's turn. Overlapping invocations are harmless."""
    cadence = SETTINGS.sweep_every
    rounds = max(1, int(INVOKED_EVERY / cadence))
    began = time.monotonic()
    swept = Swept()
    for number in range(rounds):
        _wait_until(began + number * cadence.total_seconds())
        swept = _round(min(cadence, INVOKED_EVERY))
    return asdict(swept)


def _round(cadence: timedelta) -> Swept:
    """One sweep and its notifications. A database that is away ends the round, not the invocation."""
    try:
        swept, seconds = _timed_sweep(cadence)
        relay(DATABASE, NOTIFICATIONS)
        _beside(_repair)
        _beside(_ask_again)
        relay(DATABASE, NOTIFICATIONS)
        relay_forgotten(DATABASE, NOTIFICATIONS)
    except Unavailable:
        LOGGER.exception("no sweep: the database is away")
        return Swept(held="the database is away")
    if swept != Swept():
        LOGGER.info("swept", **asdict(swept))
    COUNTS.write(
        {
            Metric.SERVICES_DUE: swept.due,
            Metric.ALERTS_OPENED: swept.opened,
            Metric.SWEEPS_HELD: bool(swept.held),
            Metric.SWEEPS_COMPLETED: 1,
        },
        {Metric.DEADLINE_LAG: swept.lag_seconds, Metric.SWEEP_DURATION: seconds * 1000},
    )
    _count()
    return swept


def _timed_sweep(cadence: timedelta) -> tuple[Swept, float]:
    began = time.monotonic()
    swept = sweep(DATABASE, _spooled(), cadence)
    seconds = time.monotonic() - began
    TALLY.observe(metrics.CYCLES, seconds)
    TALLY.count(metrics.CHECKED, swept.due + swept.looked)
    return swept, seconds


def _count() -> None:
    """For /metrics: what this sweep did, and what has happened since the last one."""
    try:
        TALLY.write()
        count_up(DATABASE)
    except Exception:
        LOGGER.exception("what happened is added up at the next sweep")


def _beside(work: Callable[[], None]) -> None:
    """Trouble with it keeps nobody from being told."""
    try:
        work()
    except Unavailable:
        raise
    except Exception:
        LOGGER.exception("left to the next sweep", work=work.__name__)


def _repair() -> None:
    """Start what alerts call for, and look after what is under way."""
    considered = consider_alerts(DATABASE, RULES)
    handed = engine.relay(DATABASE, MACHINE, SEALER)
    found = _reconciled()
    if found.to_start:
        engine.relay(DATABASE, MACHINE, SEALER)
    resumed = handed.resumed + found.resumed
    if considered.told or handed.refused or resumed or found.failed:
        LOGGER.info("repaired", **asdict(considered), refused=handed.refused, resumed=resumed, failed=found.failed)
    COUNTS.write(
        {
            Metric.EXECUTIONS_STARTED: considered.started,
            Metric.EXECUTIONS_BLOCKED: considered.blocked + considered.held,
            Metric.EXECUTIONS_RESUMED: resumed,
            Metric.DECISIONS_REFUSED: handed.refused,
        }
    )


def _reconciled() -> Reconciled:
    """The first time of this process, all executions are asked for, until the state machine has answered."""
    if not ASKED_FOR_ALL.is_set():
        look_at_all(DATABASE)
    found = reconcile(DATABASE, MACHINE)
    ASKED_FOR_ALL.set()
    return found


def _ask_again() -> None:
    """Remind people of what waits for their decision, and end what they left for too long."""
    with DATABASE.transaction() as tx:
        expired = expire_batches(tx)
    reminded = remind_approvals(DATABASE)
    tell_what_waits(DATABASE)
    if expired or reminded:
        LOGGER.info("asked again", reminded=reminded, batches_expired=expired)
    COUNTS.write({Metric.APPROVALS_REMINDED: reminded})


def _spooled() -> int:
    """How many heartbeats wait. Where nobody can say, none: a missed alert is worse than an early one."""
    try:
        return SPOOL.waiting()
    except Exception:
        LOGGER.exception("the spool cannot be counted")
        return 0


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
