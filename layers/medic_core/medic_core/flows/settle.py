"""A signal changes something: a state, a run, alerts, and what people hear of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from medic_core.domain.alerting import flapping
from medic_core.domain.alerting.alerts import flapping_began, open_for
from medic_core.domain.alerting.flapping import Steadiness
from medic_core.domain.watching import deadlines
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.runs import RunsHeard, RunStatus
from medic_core.domain.watching.signals import ById, BySlug, Signal, SignalKind, Taken, Whom, filtered
from medic_core.domain.watching.states import (
    OF_RUNS,
    Heard,
    State,
    Trouble,
    advance,
    is_sign_of_life,
)
from medic_core.errors import NotFound
from medic_core.flows import change
from medic_core.flows.register import register_for_slug
from medic_core.store import (
    alerts,
    api_keys,
    counting,
    job_runs,
    recording,
    schedules,
    service_states,
    services,
    settling,
)
from medic_core.store.connection import Database, Transaction
from medic_core.store.recording import Recorded
from medic_core.store.settling import Change, Locked

INACTIVE = "This service is inactive: activate it before sending heartbeats."


@dataclass(frozen=True, slots=True)
class Paired:
    """A signal with the run that it is about, as it is kept.

    `unnamed_run` is the run under way that was started without an id. A repetition or a straggler of a run that had
    ended does not `count`. `runs` is what is known of the service's runs now, `duration` that of the one that ended.
    """

    signal: Signal
    unnamed_run: str | None
    counts: bool = True
    runs: RunsHeard | None = None
    duration: timedelta | None = None


def nobody(whom: Whom) -> str:
    """What a client hears who means a service that is not there."""
    return "No service has this id." if isinstance(whom, ById) else "No service is registered under that name."


def advance_by_tick(database: Database, found: Recorded, signal: Signal, ordinary: Health) -> Taken | None:
    """An ordinary sign of life of a service with a cron schedule: its next deadline, in one more statement.

    None where it has an interval, or where the signal changes more than times.
    """
    if found.cron_expression is None or (signal.is_ping and found.inspects_pings):
        return None
    assert found.service_id is not None
    assert found.heartbeat_name is not None
    schedule = schedules.read(found._asdict())
    deadline = deadlines.expected_after(found.now, schedule)
    cron = schedules.as_text(schedule)
    assert cron is not None
    with database.autocommit() as connection:
        is_recorded = recording.advance(connection, found.service_id, signal, ordinary, cron, found.now, deadline)
    if not is_recorded:
        return None
    unreadable = deadlines.why_unreadable(schedule)
    return Taken(found.service_id, found.heartbeat_name, signal.kind, unreadable=unreadable)


def create_and_settle(database: Database, whom: BySlug, signal: Signal) -> Taken:
    """Register the service that a slug URL with `?create=1` means, and take its first signal with it."""
    with database.transaction() as tx:
        service_id = register_for_slug(tx, whom)
        if service_id is None:
            raise NotFound("not found")
        taken = _settle(tx, service_id, signal)
    return replace(taken, created=True)


def settle_signal(database: Database, service_id: int, signal: Signal) -> Taken:
    """Record a signal with all that it changes, in one transaction."""
    with database.transaction() as tx:
        return _settle(tx, service_id, signal)


def settle_together(database: Database, sent: Sequence[tuple[int, Signal]]) -> list[Taken | NotFound]:
    """Record signals of different services with all that they change, in one transaction; each may miss its service."""
    with database.transaction() as tx:
        locked = settling.lock_all(tx, [service_id for service_id, _ in sent])
        return [
            _settle_locked(tx, locked[service_id], signal) if service_id in locked else NotFound(nobody(signal.whom))
            for service_id, signal in sent
        ]


def replay_signal(database: Database, signal: Signal, key_id: str | None = None) -> Taken | None:
    """Record a signal that waited in the spool, with its own time, exactly once in effect.

    None where nobody is meant by it any more, its service is inactive, or its key had ended when it was received:
    that could not be asked while the database was away.
    """
    with database.transaction() as tx:
        if key_id is not None:
            stored = api_keys.find(tx, key_id, signal.received_at)
            if stored is None or stored.refusal is not None:
                return None
        service_id = services.find(tx, signal.whom)
        if service_id is None and isinstance(signal.whom, BySlug) and signal.whom.create:
            service_id = register_for_slug(tx, signal.whom)
        return _settle(tx, service_id, signal) if service_id is not None else None


def _settle(tx: Transaction, service_id: int, signal: Signal) -> Taken:
    locked = settling.lock(tx, service_id)
    if locked is None:
        raise NotFound(nobody(signal.whom))
    return _settle_locked(tx, locked, signal)


def _settle_locked(tx: Transaction, locked: Locked, signal: Signal) -> Taken:
    """1. Filter and pair runs. 2. Decide. 3. Write the consequences. 4. Open what is new."""
    service_id = locked.service.service_id
    at = min(signal.received_at or locked.now, locked.now)
    spooled = signal.received_at is not None
    if spooled and (not locked.accepts or settling.is_known(tx, service_id, signal, at)):
        return Taken(service_id, locked.service.heartbeat_name, signal.kind)
    kind = filtered(signal.kind, signal.method, signal.body, locked.wanted) if signal.is_ping else signal.kind
    if locked.paused and locked.resume_on_heartbeat and kind not in {SignalKind.LOG, SignalKind.IGNORED}:
        locked = _resumed(tx, locked)
    paired = _paired(tx, locked, replace(signal, kind=kind), at)
    told = _decide(tx, locked, paired, at) if paired.counts and not locked.paused else _keep(tx, locked, paired, at)
    if spooled:
        counting.add_late(tx, service_id, paired.signal.kind, at)
    return Taken(
        service_id,
        locked.service.heartbeat_name,
        paired.signal.kind,
        paired.signal.run_id,
        paired.duration,
        locked.expects.max_duration,
        told=told,
        unreadable=deadlines.why_unreadable(locked.expects.schedule),
    )


def _decide(tx: Transaction, locked: Locked, paired: Paired, at: datetime) -> int:
    """Change what the signal changes; returns how many notifications that makes."""
    kind, service_id = paired.signal.kind, locked.service.service_id
    heard = Heard(kind, at, _failures(tx, locked, kind, at), paired.runs)
    step = advance(locked.state, heard, locked.now, locked.troubles, locked.expects)
    ends = step.ends & locked.troubles
    # A recovery ends the mute, so what opens with it is told.
    muted_until = None if ends and step.state.health is not Health.DOWN else locked.service.muted_until
    service = replace(locked.service, steadiness=_steadiness(locked, step.state), muted_until=muted_until)
    troubles = (locked.troubles - ends) | {found.trouble for found in step.opens}
    written = settling.settle(
        tx,
        locked,
        paired.signal,
        at,
        Change(step.state, troubles, paired.unnamed_run, service.steadiness, ends, step.because),
    )
    if not written.recorded:
        return written.told
    _count(tx, locked, heard, troubles)
    new = [found for found in step.opens if found.trouble not in locked.troubles]
    openings = [open_for(one.trouble, one.because, at, locked.now, service, max(1, heard.failures)) for one in new]
    if openings:
        alerts.open_all(tx, openings)
    told = written.told + sum(opening.told for opening in openings)
    why = flapping_began(locked.service, service, locked.now)
    return told + (alerts.tell_flapping(tx, {service_id: why}) if why else 0)


def _steadiness(locked: Locked, after: State) -> Steadiness:
    known = locked.service.steadiness
    if (locked.state.health is Health.DOWN) is (after.health is Health.DOWN):
        return known
    return flapping.changed(known, locked.now, locked.service.flap_limit)


def _count(tx: Transaction, locked: Locked, heard: Heard, troubles: frozenset[Trouble]) -> None:
    """Open alerts say how many runs are meant."""
    service_id = locked.service.service_id
    if Trouble.JOB_FAILED in troubles & locked.troubles and heard.failures != locked.state.failures:
        alerts.count_failures(tx, service_id, Trouble.JOB_FAILED, heard.failures)
    if Trouble.STALE_RUN in troubles and heard.runs is not None:
        alerts.count_failures(tx, service_id, Trouble.STALE_RUN, heard.runs.stale)


def _paired(tx: Transaction, locked: Locked, signal: Signal, at: datetime) -> Paired:
    """Pair a signal with its run."""
    unnamed = locked.unnamed_run
    if signal.kind is SignalKind.STARTED:
        return _run_started(tx, locked, signal, at)
    if signal.kind is SignalKind.UP and ((signal.is_ping and unnamed) or signal.run_id):
        signal = replace(signal, kind=SignalKind.COMPLETED)
    if signal.kind is SignalKind.LOG:
        return Paired(replace(signal, run_id=signal.run_id or unnamed), unnamed)
    if signal.kind not in {SignalKind.COMPLETED, SignalKind.FAILED}:
        return Paired(signal, unnamed)
    return _run_ended(tx, locked, signal, at)


def _run_ended(tx: Transaction, locked: Locked, signal: Signal, at: datetime) -> Paired:
    service_id, unnamed, named = locked.service.service_id, locked.unnamed_run, signal.run_id is not None
    run_id = signal.run_id or unnamed or str(signal.signal_id)
    duration_ms = job_runs.end(tx, service_id, run_id, at, RunStatus(signal.kind), signal.exit_status, named=named)
    return Paired(
        replace(signal, run_id=run_id),
        unnamed if named else None,
        counts=duration_ms is not None,
        runs=_runs(tx, locked, run_id) if duration_ms is not None else None,
        duration=timedelta(milliseconds=duration_ms) if duration_ms is not None else None,
    )


def _run_started(tx: Transaction, locked: Locked, signal: Signal, at: datetime) -> Paired:
    service_id, unnamed = locked.service.service_id, locked.unnamed_run
    limit = locked.expects.max_duration if locked.service.active else None
    if signal.run_id is not None:
        job_runs.start(tx, service_id, signal.run_id, at, limit, named=True)
        return Paired(signal, unnamed, runs=_runs(tx, locked, signal.run_id))
    heard_since = locked.state.last_heartbeat_at
    if heard_since is not None and at < heard_since:
        return Paired(signal, unnamed, counts=False)
    if unnamed is not None:
        job_runs.restart(tx, service_id, unnamed, at, limit)
        return Paired(replace(signal, run_id=unnamed), unnamed, runs=_runs(tx, locked, unnamed))
    run_id = str(signal.signal_id)
    job_runs.start(tx, service_id, run_id, at, limit, named=False)
    return Paired(replace(signal, run_id=run_id), run_id)


def _runs(tx: Transaction, locked: Locked, run_id: str) -> RunsHeard | None:
    """Asked only where an answer could matter."""
    matters = locked.expects.max_duration is not None or locked.troubles & OF_RUNS
    return job_runs.heard(tx, locked.service.service_id, run_id) if matters else None


def _keep(tx: Transaction, locked: Locked, paired: Paired, at: datetime) -> int:
    """A repetition, a straggler, a word of a paused service: kept for the reader, changing only when it was heard."""
    state = locked.state
    if locked.paused and is_sign_of_life(paired.signal.kind):
        state = replace(state, last_heartbeat_at=max(at, state.last_heartbeat_at or at))
    change = Change(state, locked.troubles, paired.unnamed_run, locked.service.steadiness)
    return settling.settle(tx, locked, paired.signal, at, change).told


def _resumed(tx: Transaction, locked: Locked) -> Locked:
    """It is heard again, and was to be watched again then."""
    service_id = locked.service.service_id
    services.update(tx, service_id, change.resume())
    service_states.mark_paused(tx, service_id, paused=False)
    after = settling.lock(tx, service_id)
    assert after is not None
    change.watch_anew(tx, after)
    watched = settling.lock(tx, service_id)
    assert watched is not None
    return watched


def _failures(tx: Transaction, locked: Locked, kind: SignalKind, at: datetime) -> int:
    """Failed runs since the last sign of life, this signal included. Counted from history only if it came late."""
    state = locked.state
    if kind is SignalKind.FAILED:
        return state.failures + 1
    if not is_sign_of_life(kind):
        return state.failures
    if state.failures == 0:
        return 0
    last_alive = max(at, state.last_heartbeat_at or at)
    return settling.count_failures(tx, locked.service.service_id, last_alive)
