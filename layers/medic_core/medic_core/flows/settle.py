"""A signal changes something: a state, a run, alerts, and what people hear of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from medic_core.domain.alerting.alerts import open_for
from medic_core.domain.watching.runs import RunStatus
from medic_core.domain.watching.signals import BySlug, Signal, SignalKind, Taken, filtered
from medic_core.domain.watching.states import Heard, Trouble, advance, is_sign_of_life
from medic_core.errors import NotFound
from medic_core.flows import change
from medic_core.flows.register import register_for_slug
from medic_core.store import alerts, api_keys, job_runs, service_states, services, settling
from medic_core.store.connection import Database, Transaction
from medic_core.store.settling import Locked


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
    """1. Lock the service. 2. Filter and pair runs. 3. Decide. 4. Write the consequences. 5. Open what is new."""
    locked = settling.lock(tx, service_id)
    if locked is None:
        raise NotFound("No service is registered under that name.")
    at = min(signal.received_at or locked.now, locked.now)
    spooled = signal.received_at is not None
    if spooled and (not locked.accepts or settling.is_known(tx, service_id, signal, at)):
        return Taken(service_id)
    kind = filtered(signal.kind, signal.method, signal.body, locked.wanted) if signal.is_ping else signal.kind
    if locked.paused and locked.resume_on_heartbeat and kind not in {SignalKind.LOG, SignalKind.IGNORED}:
        locked = _resumed(tx, locked)
    signal, unnamed_run, counts = _paired(tx, locked, replace(signal, kind=kind), at)
    if not counts:
        return _kept_only(tx, locked, signal, at, locked.unnamed_run)
    if locked.paused:
        return _kept_only(tx, locked, signal, at, unnamed_run)
    heard = Heard(signal.kind, at, _failures(tx, locked, signal.kind, at))
    step = advance(locked.state, heard, locked.now, locked.troubles, locked.expects)
    opens = {step.opens} if step.opens else set()
    troubles = (locked.troubles - step.ends) | opens
    written = settling.settle(tx, service_id, signal, at, step.state, troubles, unnamed_run, step.ends, step.because)
    told = written.told
    if written.recorded and step.opens and step.opens not in locked.troubles:
        told += _open(tx, locked, step.opens, step.because, at, heard.failures)
    elif Trouble.JOB_FAILED in troubles and heard.failures != locked.state.failures:
        alerts.count_job_failures(tx, service_id, heard.failures)
    return Taken(service_id, told=told)


def _paired(tx: Transaction, locked: Locked, signal: Signal, at: datetime) -> tuple[Signal, str | None, bool]:
    """Pair it with its run: (the signal as it is kept, the unnamed run under way, whether it changes anything)."""
    service_id, unnamed = locked.service.service_id, locked.unnamed_run
    if signal.kind is SignalKind.STARTED:
        return _run_started(tx, locked, signal, at)
    if signal.kind is SignalKind.UP and signal.is_ping and (unnamed or signal.run_id):
        signal = replace(signal, kind=SignalKind.COMPLETED)
    if signal.kind not in {SignalKind.COMPLETED, SignalKind.FAILED}:
        return signal, unnamed, True
    named = signal.run_id is not None
    run_id = signal.run_id or unnamed or str(signal.signal_id)
    ended = job_runs.end(tx, service_id, run_id, at, RunStatus(signal.kind), signal.exit_status, named=named)
    return replace(signal, run_id=run_id), unnamed if named else None, ended is not None


def _run_started(tx: Transaction, locked: Locked, signal: Signal, at: datetime) -> tuple[Signal, str | None, bool]:
    service_id, unnamed = locked.service.service_id, locked.unnamed_run
    if signal.run_id is not None:
        job_runs.start(tx, service_id, signal.run_id, at, named=True)
        return signal, unnamed, True
    heard_since = locked.state.last_heartbeat_at
    if heard_since is not None and at < heard_since:
        return signal, unnamed, False
    if unnamed is not None:
        job_runs.restart(tx, service_id, unnamed, at)
        return replace(signal, run_id=unnamed), unnamed, True
    run_id = str(signal.signal_id)
    job_runs.start(tx, service_id, run_id, at, named=False)
    return replace(signal, run_id=run_id), run_id, True


def _kept_only(tx: Transaction, locked: Locked, signal: Signal, at: datetime, unnamed_run: str | None) -> Taken:
    """A repetition, a straggler, a word of a paused service: kept for the reader, changing only when it was heard."""
    service_id, state = locked.service.service_id, locked.state
    if locked.paused and is_sign_of_life(signal.kind):
        state = replace(state, last_heartbeat_at=max(at, state.last_heartbeat_at or at))
    settling.settle(tx, service_id, signal, at, state, locked.troubles, unnamed_run, frozenset(), "")
    return Taken(service_id)


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


def _open(tx: Transaction, locked: Locked, trouble: Trouble, because: str, at: datetime, failures: int) -> int:
    opening = open_for(trouble, because, at, locked.now, locked.service, max(1, failures))
    alerts.open_all(tx, [opening])
    return int(opening.told)
