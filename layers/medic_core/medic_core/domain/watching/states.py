"""What we believe of a service, and how a signal changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from medic_core.domain.watching import deadlines
from medic_core.domain.watching.deadlines import Extension, Reason
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.runs import RunsHeard
from medic_core.domain.watching.schedules import Schedule
from medic_core.domain.watching.signals import ALIVE, SignalKind


class Trouble(StrEnum):
    """What can be wrong with a service. At most one open alert of each."""

    MISSED_HEARTBEAT = "missed_heartbeat"
    NEVER_REPORTED = "never_reported"
    REPORTED_DOWN = "reported_down"
    JOB_FAILED = "job_failed"
    DURATION_EXCEEDED = "duration_exceeded"
    STALE_RUN = "stale_run"


#: A run that takes too long is worth an alert; the service that runs it lives.
OF_RUNS = frozenset({Trouble.DURATION_EXCEEDED, Trouble.STALE_RUN})


@dataclass(frozen=True, slots=True)
class State:
    """What is kept of a service between two signals.

    `recent` are the last signs of life that the schedule counts, newest first. `alert_after` is the deadline, None
    while there is nothing to wait for: the trouble has been found already. `down_at` and `failures` are what was
    heard against it since. `degraded` is what its newest sign of life said, `extensions` what has added to the
    deadline since.
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

    schedule: Schedule
    failure_tolerance: int = 1
    max_duration: timedelta | None = None
    alert_when_never_reported: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """A signal as it matters here. `failures` counts the failed runs since the last sign of life, with this one.

    `runs` is what is known of the service's runs with it, None where it says nothing of any.
    """

    kind: SignalKind
    at: datetime
    failures: int = 0
    runs: RunsHeard | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A trouble, and why it is one."""

    trouble: Trouble
    because: str


@dataclass(frozen=True, slots=True)
class Transition:
    """A signal's consequences: the new state, the troubles it starts and those it ends, and why."""

    state: State
    opens: tuple[Found, ...] = ()
    ends: frozenset[Trouble] = frozenset()
    because: str = ""


def registered(at: datetime, expects: Expectations) -> State:
    """The state of a service that begins to be watched at `at` and has not been heard."""
    recent = deadlines.window_from(at, expects.schedule)
    extensions = deadlines.beginning(at, expects.schedule)
    alert_after = deadlines.deadline(recent, expects.schedule, extensions)
    return State(
        Health.NEW,
        recent,
        alert_after=alert_after if expects.alert_when_never_reported else None,
        extensions=extensions,
    )


def watched_again(state: State, at: datetime, expects: Expectations) -> State:
    """The state after its schedule changed or it was activated: the watch begins anew, what was heard stays known."""
    if state.last_heartbeat_at is None:
        return registered(at, expects)
    recent = deadlines.window_from(at, expects.schedule)
    runs = tuple(one for one in state.extensions if one.reason is not Reason.BEGAN)
    extensions = (*runs, *deadlines.beginning(at, expects.schedule))
    return State(
        health=Health.DEGRADED if state.degraded else Health.UP,
        recent=recent,
        last_heartbeat_at=state.last_heartbeat_at,
        alert_after=deadlines.deadline(recent, expects.schedule, extensions),
        degraded=state.degraded,
        extensions=extensions,
    )


def still_in_trouble(state: State, at: datetime, expects: Expectations) -> State:
    """The state of a service that is down after its schedule changed: it waits to be heard, as before."""
    recent = state.recent
    for one in deadlines.window_from(recent[-1] if recent else at, expects.schedule):
        recent = deadlines.remembered(recent, one, expects.schedule)
    return replace(state, recent=recent, alert_after=None)


def advance(
    state: State, heard: Heard, now: datetime, troubles: frozenset[Trouble], expects: Expectations
) -> Transition:
    """What a signal changes. `troubles` are the open ones; `now` decides whether a late sign of life came in time.

    Signals may come late: then `heard.at` lies before what is known already, and the result is the one that
    the ordered sequence would have left.
    """
    step = _by_kind(state, heard, now, troubles - OF_RUNS, expects)
    return _with_runs(step, heard.runs, expects) if heard.runs is not None else step


def _by_kind(
    state: State, heard: Heard, now: datetime, troubles: frozenset[Trouble], expects: Expectations
) -> Transition:
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


def _with_runs(step: Transition, runs: RunsHeard, expects: Expectations) -> Transition:
    """What the durations say: too long opens, within the limit ends. Neither makes a service down or up."""
    ends, opens = set(step.ends), list(step.opens)
    if not runs.stale:
        ends.add(Trouble.STALE_RUN)
    if runs.is_latest and runs.duration is not None:
        if expects.max_duration is not None and runs.duration > expects.max_duration:
            opens.append(Found(Trouble.DURATION_EXCEEDED, runs.too_long(expects.max_duration)))
        else:
            ends.add(Trouble.DURATION_EXCEEDED)
    return replace(step, opens=tuple(opens), ends=frozenset(ends))


def _alive(
    state: State, heard: Heard, now: datetime, troubles: frozenset[Trouble], expects: Expectations
) -> Transition:
    recent = _recent_with(state, heard.at, troubles, expects)
    last = max(heard.at, state.last_heartbeat_at or heard.at)
    extensions = deadlines.in_force(state.extensions, last)
    # A silence is ended by heartbeats alone: what has extended the deadline since does not show that they came in time.
    is_silent = deadlines.deadline(recent, expects.schedule) <= now
    still_down = state.down_at is not None and state.down_at > heard.at
    kept = {
        Trouble.MISSED_HEARTBEAT: is_silent,
        Trouble.NEVER_REPORTED: False,
        Trouble.REPORTED_DOWN: still_down,
        Trouble.JOB_FAILED: heard.failures >= expects.failure_tolerance,
    }
    ends = frozenset(trouble for trouble in troubles if not kept[trouble])
    remaining = troubles - ends
    degraded = heard.kind is SignalKind.DEGRADED if heard.at == last else state.degraded
    new = State(
        health=Health.DOWN if remaining else Health.DEGRADED if degraded else Health.UP,
        recent=recent,
        last_heartbeat_at=last,
        alert_after=None if remaining else deadlines.deadline(recent, expects.schedule, extensions),
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
    begun = deadlines.window_from(at, expects.schedule) if Trouble.NEVER_REPORTED in troubles else ()
    return begun or deadlines.remembered(state.recent, at, expects.schedule)


def _down(state: State, heard: Heard) -> Transition:
    if state.last_heartbeat_at is not None and heard.at < state.last_heartbeat_at:
        return Transition(state)
    down_at = max(heard.at, state.down_at or heard.at)
    new = replace(state, health=Health.DOWN, alert_after=None, down_at=down_at)
    return Transition(new, (Found(Trouble.REPORTED_DOWN, "reported DOWN itself"),))


def _failed(state: State, heard: Heard, troubles: frozenset[Trouble], expects: Expectations) -> Transition:
    if state.last_heartbeat_at is not None and heard.at < state.last_heartbeat_at:
        return Transition(state)
    until = deadlines.expected_after(heard.at, expects.schedule)
    extended = _extended(state, Extension(heard.at, until, Reason.FAILED))
    new = replace(state, failures=heard.failures, extensions=extended)
    if heard.failures >= expects.failure_tolerance:
        because = f"{heard.failures} failed runs in a row" if heard.failures > 1 else "the run failed"
        found = Found(Trouble.JOB_FAILED, because)
        return Transition(replace(new, health=Health.DOWN, alert_after=None), (found,))
    if troubles:
        return Transition(new)
    health = Health.UP if state.health is Health.NEW else state.health
    return Transition(replace(new, health=health, alert_after=_extended_deadline(new, expects)))


def _started(state: State, heard: Heard, expects: Expectations) -> Transition:
    if state.last_heartbeat_at is not None and heard.at < state.last_heartbeat_at:
        return Transition(state)
    allowed = expects.max_duration if expects.max_duration is not None else expects.schedule.grace
    new = replace(state, extensions=_extended(state, Extension(heard.at, heard.at + allowed, Reason.STARTED)))
    if state.alert_after is None:
        return Transition(new)
    return Transition(replace(new, alert_after=_extended_deadline(new, expects)))


def _extended_deadline(state: State, expects: Expectations) -> datetime:
    """The deadline with its extensions; one that was moved ahead for another reason is not moved back."""
    deadline = deadlines.deadline(state.recent, expects.schedule, state.extensions)
    return max(deadline, state.alert_after) if state.alert_after is not None else deadline


def _extended(state: State, new: Extension) -> tuple[Extension, ...]:
    """The extensions with one more; what a newer one outlasts is forgotten, so that few remain.

    A watch that began stands beside them: the next edit ends it, and runs outlive that.
    """
    began = [one for one in state.extensions if one.reason is Reason.BEGAN]
    runs = [one for one in state.extensions if one.reason is not Reason.BEGAN]
    runs = [one for one in runs if one.since > new.since or one.until > new.until]
    if not any(one.since >= new.since and one.until >= new.until for one in runs):
        runs.append(new)
    return tuple(sorted((*began, *runs), key=lambda one: one.since))


def is_sign_of_life(kind: SignalKind) -> bool:
    """Whether a signal of this kind advances the deadline and ends troubles."""
    return kind in ALIVE
