"""What we believe of a service, and how a signal changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from medic_core.domain.watching import deadlines
from medic_core.domain.watching.schedules import Interval
from medic_core.domain.watching.signals import ALIVE, SignalKind


class Health(StrEnum):
    """What we believe of a service now."""

    NEW = "new"  #: registered, never heard
    UP = "up"  #: heard in time
    DEGRADED = "degraded"  #: heard in time, and not well by its own words
    DOWN = "down"  #: silent past its deadline, failing, or down by its own words


class Trouble(StrEnum):
    """What can be wrong with a service. At most one open alert of each."""

    MISSED_HEARTBEAT = "missed_heartbeat"
    NEVER_REPORTED = "never_reported"
    REPORTED_DOWN = "reported_down"
    JOB_FAILED = "job_failed"


@dataclass(frozen=True, slots=True)
class Extension:
    """A run under way, or one that failed within the tolerance, is no silence: it was heard at `since`.

    The deadline is not before `until`, as long as no sign of life is newer than `since`.
    """

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class State:
    """What is kept of a service between two signals.

    `recent` are the last `threshold` signs of life, newest first. `alert_after` is the deadline, None while
    there is nothing to wait for: the trouble has been found already. `down_at` and `failures` are what was
    heard against it since. `degraded` is what its newest sign of life said, `extensions` what runs that started
    or failed since have added to the deadline.
    """

    health: Health
    recent: tuple[datetime, ...]
    last_heartbeat_at: datetime | None = None
    alert_after: datetime | None = None
    down_at: datetime | None = None
    failures: int = 0
    degraded: bool = False
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a service's configuration says about judging it."""

    schedule: Interval
    failure_tolerance: int = 1
    max_duration: timedelta | None = None
    alert_when_never_reported: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """A signal as it matters here. `failures` counts the failed runs since the last sign of life, with this one."""

    kind: SignalKind
    at: datetime
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """A signal's consequences: the new state, the troubles it starts and those it ends, and why."""

    state: State
    opens: Trouble | None = None
    ends: frozenset[Trouble] = frozenset()
    because: str = ""


def registered(at: datetime, expects: Expectations) -> State:
    """The state of a service that begins to be watched at `at` and has not been heard."""
    recent = deadlines.window_from(at, expects.schedule)
    alert_after = deadlines.deadline(recent, expects.schedule) if expects.alert_when_never_reported else None
    return State(Health.NEW, recent, alert_after=alert_after)


def watched_again(state: State, at: datetime, expects: Expectations) -> State:
    """The state after its schedule changed or it was activated: the watch begins anew, what was heard stays known."""
    if state.last_heartbeat_at is None:
        return registered(at, expects)
    recent = deadlines.window_from(at, expects.schedule)
    return State(
        health=Health.DEGRADED if state.degraded else Health.UP,
        recent=recent,
        last_heartbeat_at=state.last_heartbeat_at,
        alert_after=_not_before(deadlines.deadline(recent, expects.schedule), state.extensions),
        degraded=state.degraded,
        extensions=state.extensions,
    )


def still_in_trouble(state: State, expects: Expectations) -> State:
    """The state of a service with open alerts after its schedule changed: it waits to be heard, as before."""
    padding = (state.recent[-1],) * expects.schedule.threshold
    return replace(state, recent=(*state.recent, *padding)[: expects.schedule.threshold], alert_after=None)


def advance(
    state: State, heard: Heard, now: datetime, troubles: frozenset[Trouble], expects: Expectations
) -> Transition:
    """What a signal changes. `troubles` are the open ones; `now` decides whether a late sign of life came in time.

    Signals may come late: then `heard.at` lies before what is known already, and the result is the one that
    the ordered sequence would have left.
    """
    match heard.kind:
        case SignalKind.UP | SignalKind.COMPLETED | SignalKind.DEGRADED:
            return _alive(state, heard, now, troubles, expects)
        case SignalKind.DOWN:
            return _down(state, heard)
        case SignalKind.FAILED:
            return _failed(state, heard, troubles, expects)
        case SignalKind.STARTED:
            return _started(state, heard, expects)
        case SignalKind.LOG | SignalKind.IGNORED:
            return Transition(state)


def _alive(
    state: State, heard: Heard, now: datetime, troubles: frozenset[Trouble], expects: Expectations
) -> Transition:
    recent = _recent_with(state, heard.at, troubles, expects)
    deadline = deadlines.deadline(recent, expects.schedule)
    last = max(heard.at, state.last_heartbeat_at or heard.at)
    still_down = state.down_at is not None and state.down_at > heard.at
    kept = {
        Trouble.MISSED_HEARTBEAT: deadline <= now,
        Trouble.NEVER_REPORTED: False,
        Trouble.REPORTED_DOWN: still_down,
        Trouble.JOB_FAILED: heard.failures >= expects.failure_tolerance,
    }
    ends = frozenset(trouble for trouble in troubles if not kept[trouble])
    remaining = troubles - ends
    degraded = heard.kind is SignalKind.DEGRADED if heard.at == last else state.degraded
    extensions = tuple(one for one in state.extensions if one.since > last)
    new = State(
        health=Health.DOWN if remaining else Health.DEGRADED if degraded else Health.UP,
        recent=recent,
        last_heartbeat_at=last,
        alert_after=None if remaining else _not_before(deadline, extensions),
        down_at=state.down_at if still_down else None,
        failures=heard.failures,
        degraded=degraded,
        extensions=extensions,
    )
    return Transition(new, ends=ends, because=f"reported {heard.kind}")


def _recent_with(
    state: State, at: datetime, troubles: frozenset[Trouble], expects: Expectations
) -> tuple[datetime, ...]:
    """A service that is heard at last starts its window anew: it cannot have been too slow before it began."""
    if Trouble.NEVER_REPORTED in troubles:
        return deadlines.window_from(at, expects.schedule)
    return deadlines.remembered(state.recent, at, expects.schedule)


def _down(state: State, heard: Heard) -> Transition:
    if state.last_heartbeat_at is not None and heard.at < state.last_heartbeat_at:
        return Transition(state)
    down_at = max(heard.at, state.down_at or heard.at)
    new = replace(state, health=Health.DOWN, alert_after=None, down_at=down_at)
    return Transition(new, opens=Trouble.REPORTED_DOWN, because="reported DOWN itself")


def _failed(state: State, heard: Heard, troubles: frozenset[Trouble], expects: Expectations) -> Transition:
    if state.last_heartbeat_at is not None and heard.at < state.last_heartbeat_at:
        return Transition(state)
    extended = _extended(state, heard.at, heard.at + expects.schedule.silence_allowed)
    new = replace(state, failures=heard.failures, extensions=extended)
    if heard.failures >= expects.failure_tolerance:
        because = f"{heard.failures} failed runs in a row" if heard.failures > 1 else "the run failed"
        return Transition(replace(new, health=Health.DOWN, alert_after=None), opens=Trouble.JOB_FAILED, because=because)
    if troubles:
        return Transition(new)
    health = Health.UP if state.health is Health.NEW else state.health
    deadline = state.alert_after or deadlines.deadline(state.recent, expects.schedule)
    return Transition(replace(new, health=health, alert_after=_not_before(deadline, extended)))


def _started(state: State, heard: Heard, expects: Expectations) -> Transition:
    if state.last_heartbeat_at is not None and heard.at < state.last_heartbeat_at:
        return Transition(state)
    allowed = expects.max_duration if expects.max_duration is not None else expects.schedule.grace
    extended = _extended(state, heard.at, heard.at + allowed)
    alert_after = None if state.alert_after is None else _not_before(state.alert_after, extended)
    return Transition(replace(state, alert_after=alert_after, extensions=extended))


def _extended(state: State, since: datetime, until: datetime) -> tuple[Extension, ...]:
    """The extensions with one more; what a newer one outlasts is forgotten, so that few remain."""
    new = Extension(since, until)
    known = [one for one in state.extensions if one.since > since or one.until > until]
    if any(one.since >= since and one.until >= until for one in known):
        return tuple(known)
    return tuple(sorted((*known, new), key=lambda one: one.since))


def _not_before(deadline: datetime, extensions: tuple[Extension, ...]) -> datetime:
    return max([deadline, *(one.until for one in extensions)])


def is_sign_of_life(kind: SignalKind) -> bool:
    """Whether a signal of this kind advances the deadline and ends troubles."""
    return kind in ALIVE
