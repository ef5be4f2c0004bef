"""A deadline passes: alerts open for silence, and open alerts are looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from medic_core.domain.alerting import flapping
from medic_core.domain.alerting.alerts import INGEST_SILENT, Opening, Priority, flapping_began, look, open_for
from medic_core.domain.alerting.reminders import interval_before
from medic_core.domain.watching import outages
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.lengths import spoken
from medic_core.domain.watching.outages import Hold, Proceed, Restart, Shift, Verdict
from medic_core.domain.watching.schedules import Interval
from medic_core.domain.watching.states import Trouble
from medic_core.flows import maintain, ourselves
from medic_core.store import alerts, job_runs, monitor_state, service_states, sweeping
from medic_core.store.alerts import Together
from medic_core.store.connection import Database, Transaction
from medic_core.store.job_runs import StaleRun
from medic_core.store.sweeping import Due, Silent, WithStaleRuns

BATCH = 500
#: How often people are reminded that nothing is heard from anyone, before backoff.
INGEST_PERIOD = timedelta(minutes=15)
OF_MEDIC = Interval(INGEST_PERIOD)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did. `held` says why silence was not judged, empty where it was.

    `lag_seconds` is how long the one that had been due longest was due when it was claimed.
    """

    due: int = 0
    opened: int = 0
    looked: int = 0
    told: int = 0
    held: str = ""
    shifted: int = 0
    lag_seconds: float = field(default=0.0, compare=False)


def sweep(database: Database, spooled: int, cadence: timedelta, batch: int = BATCH) -> Swept:
    """Open alerts for all whose deadline has passed, and do what is due on open alerts.

    1. Turn maintenance windows whose time has come or gone; put off what falls due in one.
    2. Ask whether we were away ourselves (`outages`); hold, or move deadlines, if so.
    3. Claim what is due in batches; each commits state, alerts, history and outbox together.
    4. Find runs that take too long, and services that have stopped flapping.
    5. Look at open alerts: missed periods, reminders, ends of mutes.
    6. Note that we were there: a sweep that held back is no gap.

    `spooled` is how many heartbeats wait in the spool. Any number of sweeps may run at once.
    """
    maintain.turn_windows(database, batch)
    with database.transaction() as tx:
        began, verdict, shifted = _judge_ourselves(tx, spooled, cadence)
    due = opened = 0
    lag = timedelta(0)
    held = verdict.because if isinstance(verdict, Hold) else ""
    while not held:
        with database.transaction() as tx:
            claimed = sweeping.claim_due(tx, began, batch)
            due += len(claimed)
            lag = max(lag, *(began - one.alert_after for one in claimed), timedelta(0))
            opened += _open_for_silence(tx, claimed, Together(began, due))
        if len(claimed) < batch:
            break
    opened += _find_stale_runs(database, began, batch) if not held else 0
    _calm_down(database, began, batch)
    looked, told = _look_at_open(database, began, batch)
    with database.transaction() as tx:
        monitor_state.note_sweep(tx, began)
    return Swept(due, opened, looked, told, held, shifted, lag.total_seconds())


def _judge_ourselves(tx: Transaction, spooled: int, cadence: timedelta) -> tuple[datetime, Verdict, int]:
    known = monitor_state.lock(tx)
    monitor_state.note_spool(tx, waiting=spooled > 0)
    situation = ourselves.situation(tx, known, spooled, cadence)
    verdict = outages.judge(situation)
    # Heartbeats of the gap may be in the spool: it is judged when they are in.
    waits = situation.gap if isinstance(verdict, Hold) and spooled else None
    if waits is not None:
        monitor_state.note_gap(tx, waits.start, waits.start + waits.length)
    elif known.gap_start is not None:
        monitor_state.note_gap(tx, None, None)
    return known.now, verdict, _act_on(tx, verdict, known.now)


def _act_on(tx: Transaction, verdict: Verdict, now: datetime) -> int:
    """Do what a guard asks; returns how many deadlines moved."""
    match verdict:
        case Hold(because=because, silence_began=True):
            alerts.open_all(tx, [_ingest_silent(because, now)])
        case Proceed(silence_over=True):
            alerts.resolve(tx, None, [INGEST_SILENT], "heartbeats are heard again", actor=None)
        case Restart(because=because):
            alerts.resolve(tx, None, [INGEST_SILENT], because, actor=None)
            return sweeping.restart(tx, now)
        case Shift(since=since, by=by):
            return sweeping.shift(tx, since, by)
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
        counted_until=now,
        told=True,
        remind_at=remind_at,
        next_look_at=remind_at,
    )


def _open_for_silence(tx: Transaction, claimed: list[Due], together: Together) -> int:
    """Open the alerts of claimed services and note their trouble.

    Inactive ones are only no longer waited for, and those in maintenance are waited for until its end.
    """
    now = together.swept_at
    assert now is not None
    in_maintenance = {
        due.service.service_id: due.service.maintenance_until
        for due in claimed
        if due.service.active and due.service.maintenance_until is not None and due.service.in_maintenance(now)
    }
    if in_maintenance:
        sweeping.put_off(tx, in_maintenance)
        claimed = [due for due in claimed if due.service.service_id not in in_maintenance]
    unwatched = [due.service.service_id for due in claimed if not due.service.active]
    if unwatched:
        service_states.unwatch(tx, unwatched)
    silent = [_fell_silent(due, now) for due in claimed if due.service.active]
    if not silent:
        return 0
    sweeping.mark_silent(tx, [one.mark for one in silent])
    opened = alerts.open_all(tx, [one.opening for one in silent], together)
    alerts.tell_flapping(tx, {one.mark.service_id: one.flapping for one in silent if one.flapping})
    return opened


@dataclass(frozen=True, slots=True)
class FellSilent:
    """What follows from a service's silence: what is noted of it, its alert, and what is told if it flaps."""

    mark: Silent
    opening: Opening
    flapping: str | None


def _fell_silent(due: Due, now: datetime) -> FellSilent:
    before, trouble = due.service, Trouble.MISSED_HEARTBEAT
    after = replace(before, steadiness=flapping.changed(before.steadiness, now, before.flap_limit))
    if due.health is Health.NEW:
        after, trouble = before, Trouble.NEVER_REPORTED
    return FellSilent(
        Silent(before.service_id, trouble, after.steadiness.flapping_until),
        open_for(trouble, _why(due), due.alert_after, now, after),
        flapping_began(before, after, now),
    )


def _why(due: Due) -> str:
    limit = f"{due.alert_after:%Y-%m-%d %H:%M:%S} UTC"
    if due.last_heartbeat_at is None:
        return f"nothing was heard since its registration; expected by {limit}"
    threshold = due.service.schedule.threshold if isinstance(due.service.schedule, Interval) else 1
    expected = f"{threshold} heartbeats" if threshold > 1 else "a heartbeat"
    return f"last heard at {due.last_heartbeat_at:%Y-%m-%d %H:%M:%S} UTC; {expected} expected by {limit}"


def _find_stale_runs(database: Database, now: datetime, batch: int) -> int:
    """Open alerts for runs that take too long, once per run; returns how many were opened."""
    opened = 0
    while True:
        with database.transaction() as tx:
            claimed = sweeping.claim_stale(tx, now, batch)
            opened += _open_for_stale_runs(tx, claimed, now) if claimed else 0
        if not claimed:
            return opened


def _open_for_stale_runs(tx: Transaction, claimed: list[WithStaleRuns], now: datetime) -> int:
    found: dict[int, list[StaleRun]] = {}
    for run in job_runs.find_stale(tx, [one.service.service_id for one in claimed], now):
        found.setdefault(run.service_id, []).append(run)
    of = {one.service.service_id: one for one in claimed if one.service.active}
    new = {
        service_id: runs
        for service_id, runs in found.items()
        if service_id in of and Trouble.STALE_RUN not in of[service_id].troubles
    }
    for service_id, runs in found.items():
        if service_id in of and service_id not in new:
            alerts.count_failures(tx, service_id, Trouble.STALE_RUN, runs[0].known + len(runs))
    if not new:
        return 0
    sweeping.add_trouble(tx, list(new), Trouble.STALE_RUN)
    return alerts.open_all(
        tx,
        [
            open_for(Trouble.STALE_RUN, _why_stale(runs, now), now, now, of[service_id].service, len(runs))
            for service_id, runs in new.items()
        ],
    )


def _why_stale(runs: Sequence[StaleRun], now: datetime) -> str:
    """Why runs under way are a trouble: the oldest of them."""
    oldest = runs[0]
    name = f"run {oldest.run_id}" if oldest.named else "a run"
    return f"{name} is under way for {spoken(now - oldest.started_at)}, since {oldest.started_at:%Y-%m-%d %H:%M:%S} UTC"


def _calm_down(database: Database, now: datetime, batch: int) -> None:
    """Tell what was held of services that have stopped flapping."""
    while True:
        with database.transaction() as tx:
            steady = sweeping.claim_steady(tx, now, batch)
            if steady:
                alerts.tell_held(tx, steady, [one for one, health in steady.items() if health is not Health.DOWN])
        if len(steady) < batch:
            return


def _look_at_open(database: Database, now: datetime, batch: int) -> tuple[int, int]:
    looked = told = 0
    while True:
        with database.transaction() as tx:
            claimed = alerts.claim_looks(tx, now, batch, OF_MEDIC)
            looks = [look(alert, now, service) for alert, service in claimed]
            told += alerts.save_looks(tx, looks) if looks else 0
        looked += len(claimed)
        if len(claimed) < batch:
            return looked, told
