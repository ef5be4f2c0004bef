"""A deadline passes: alerts open for silence, and open alerts are looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from medic_core.domain.alerting.alerts import INGEST_SILENT, Opening, Priority, Watched, look, open_for
from medic_core.domain.alerting.reminders import interval_before
from medic_core.domain.watching import outages
from medic_core.domain.watching.outages import Gap, Hold, Proceed, Restart, Shift, Situation, Verdict
from medic_core.domain.watching.states import Health, Trouble
from medic_core.store import alerts, heartbeat_events, monitor_state, service_states
from medic_core.store.connection import Database, Transaction
from medic_core.store.monitor_state import MonitorState
from medic_core.store.service_states import Due

BATCH = 500
#: What is usual is measured over this long before a gap.
USUAL_OVER = timedelta(minutes=10)
#: How often people are reminded that nothing is heard from anyone, before backoff.
INGEST_PERIOD = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did. `held` says why silence was not judged, empty where it was."""

    due: int = 0
    opened: int = 0
    looked: int = 0
    told: int = 0
    held: str = ""
    shifted: int = 0


def sweep(database: Database, spooled: int, cadence: timedelta, batch: int = BATCH) -> Swept:
    """Open alerts for all whose deadline has passed, and do what is due on open alerts.

    1. Ask whether we were away ourselves (`outages`); hold, or move deadlines, if so.
    2. Claim what is due in batches; each commits state, alerts, history and outbox together.
    3. Look at open alerts: missed periods, reminders, ends of mutes.
    4. Note that we were there: a sweep that held back is no gap.

    `spooled` is how many heartbeats wait in the spool. Any number of sweeps may run at once.
    """
    with database.transaction() as tx:
        began, verdict, shifted = _judge_ourselves(tx, spooled, cadence)
    due = opened = 0
    held = verdict.because if isinstance(verdict, Hold) else ""
    while not held:
        with database.transaction() as tx:
            claimed = service_states.claim_due(tx, began, batch)
            opened += _open_for_silence(tx, claimed, began)
        due += len(claimed)
        if len(claimed) < batch:
            break
    looked, told = _look_at_open(database, began, batch)
    with database.transaction() as tx:
        monitor_state.note_sweep(tx, began)
    return Swept(due, opened, looked, told, held, shifted)


def _judge_ourselves(tx: Transaction, spooled: int, cadence: timedelta) -> tuple[datetime, Verdict, int]:
    known = monitor_state.lock(tx)
    monitor_state.note_spool(tx, waiting=spooled > 0)
    situation = _situation(tx, known, spooled, cadence)
    verdict = outages.judge(situation)
    # Heartbeats of the gap may be in the spool: it is judged when they are in.
    waits = situation.gap if isinstance(verdict, Hold) and spooled else None
    if waits is not None:
        monitor_state.note_gap(tx, waits.start, waits.start + waits.length)
    elif known.gap_start is not None:
        monitor_state.note_gap(tx, None, None)
    return known.now, verdict, _act_on(tx, verdict, known.now)


def _situation(tx: Transaction, known: MonitorState, spooled: int, cadence: timedelta) -> Situation:
    count = service_states.count_due(tx, known.now)
    silent_since = alerts.opened_at(tx, INGEST_SILENT)
    everyone_matters = silent_since is not None or count.due >= outages.MASS
    return Situation(
        now=known.now,
        spooled=spooled,
        spool_waiting_since=known.spool_waiting_since,
        gap=_gap(tx, known, cadence),
        due=count.due,
        others=count.others,
        heard_at=heartbeat_events.newest(tx) if everyone_matters else None,
        due_heard_at=count.due_heard_at,
        silent_since=silent_since,
    )


def _gap(tx: Transaction, known: MonitorState, cadence: timedelta) -> Gap | None:
    start, end = known.gap_start, known.gap_end
    if known.last_sweep_at is not None and outages.is_gap(known.last_sweep_at, known.now, cadence):
        start, end = start or known.last_sweep_at, known.now
    if start is None or end is None:
        return None
    length = end - start
    usual = heartbeat_events.count(tx, start - USUAL_OVER, start) * (length / USUAL_OVER)
    enough = int(usual) + 1
    return Gap(start, length, heartbeat_events.count(tx, start, end, enough), usual)


def _act_on(tx: Transaction, verdict: Verdict, now: datetime) -> int:
    """Do what a guard asks; returns how many deadlines moved."""
    match verdict:
        case Hold(because=because, silence_began=True):
            alerts.open_all(tx, [_ingest_silent(because, now)])
        case Proceed(silence_over=True):
            alerts.resolve(tx, None, [INGEST_SILENT], "heartbeats are heard again", actor=None)
        case Restart(because=because):
            alerts.resolve(tx, None, [INGEST_SILENT], because, actor=None)
            return service_states.restart(tx, now)
        case Shift(since=since, by=by):
            return service_states.shift(tx, since, by)
        case _:
            pass
    return 0


def _ingest_silent(because: str, now: datetime) -> Opening:
    remind_at = now + interval_before(0, INGEST_PERIOD, None)
    return Opening(
        service_id=None,
        heartbeat_name="ingest",
        kind=INGEST_SILENT,
        priority=Priority.P1,
        because=because,
        overdue_since=now,
        consecutive_failures=1,
        told=True,
        remind_at=remind_at,
        next_look_at=remind_at,
    )


def _open_for_silence(tx: Transaction, claimed: list[Due], now: datetime) -> int:
    """Open the alerts of claimed services and note their trouble; inactive ones are only no longer waited for."""
    silent = [due for due in claimed if due.active]
    unwatched = [due.service_id for due in claimed if not due.active]
    if unwatched:
        service_states.unwatch(tx, unwatched)
    if not silent:
        return 0
    openings = [_opening(due, now) for due in silent]
    service_states.mark_silent(
        tx, [(due.service_id, opening.kind) for due, opening in zip(silent, openings, strict=True)]
    )
    return alerts.open_all(tx, openings)


def _opening(due: Due, now: datetime) -> Opening:
    service = Watched(
        service_id=due.service_id,
        heartbeat_name=due.heartbeat_name,
        priority=Priority(due.priority),
        every=due.every,
        reminder_interval=due.reminder_interval,
        active=due.active,
        muted_until=due.muted_until,
    )
    trouble = Trouble.NEVER_REPORTED if due.health == Health.NEW else Trouble.MISSED_HEARTBEAT
    return open_for(trouble, _why(due), due.alert_after, now, service)


def _why(due: Due) -> str:
    limit = f"{due.alert_after:%Y-%m-%d %H:%M:%S} UTC"
    if due.last_heartbeat_at is None:
        return f"nothing was heard since its registration; expected by {limit}"
    expected = f"{due.threshold} heartbeats" if due.threshold > 1 else "a heartbeat"
    return f"last heard at {due.last_heartbeat_at:%Y-%m-%d %H:%M:%S} UTC; {expected} expected by {limit}"


def _look_at_open(database: Database, now: datetime, batch: int) -> tuple[int, int]:
    looked = told = 0
    while True:
        with database.transaction() as tx:
            claimed = alerts.claim_looks(tx, now, batch, of_medic=INGEST_PERIOD)
            looks = [look(alert, now, service) for alert, service in claimed]
            told += alerts.save_looks(tx, looks) if looks else 0
        looked += len(claimed)
        if len(claimed) < batch:
            return looked, told
