"""Why is a service in the state that it is in, and what happens next? Told by the rules themselves.

Nothing is decided here: each sentence is what a rule answers when it is asked, about now or about the moment at which
the monitor will ask it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from medic_core.domain.alerting import maintenance, suppression
from medic_core.domain.alerting.alerts import AlertEvent, OpenAlert, Watched, look, open_for
from medic_core.domain.alerting.maintenance import Window
from medic_core.domain.watching import deadlines
from medic_core.domain.watching.deadlines import Reason, Term
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.lengths import spoken
from medic_core.domain.watching.outages import Hold, Shift, Verdict
from medic_core.domain.watching.schedules import EVERY_HOUR, Cron, Interval, Schedule, Unreadable
from medic_core.domain.watching.signals import SignalKind
from medic_core.domain.watching.states import Expectations, Heard, State, Trouble, advance


@dataclass(frozen=True, slots=True)
class RunUnderWay:
    """A run that has not ended, and when it takes too long, None where it does not (any more)."""

    run_id: str
    started_at: datetime
    stale_after: datetime | None
    stale_at: datetime | None


@dataclass(frozen=True, slots=True)
class Open:
    """An open alert, why it was opened, and when the monitor looks at it again, None where it need not."""

    alert: OpenAlert
    because: str
    next_look_at: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a service, read at `now`. `verdict` is what the guards say about a sweep at that time."""

    now: datetime
    service: Watched
    expects: Expectations
    state: State
    troubles: frozenset[Trouble]
    alerts: Sequence[Open]
    runs: Sequence[RunUnderWay]
    accepts: bool
    paused: bool
    verdict: Verdict
    windows: Sequence[Window] = ()

    def service_at(self, at: datetime) -> Watched:
        """The service as the monitor will find it then, as far as maintenance goes."""
        return replace(self.service, maintenance_until=maintenance.until(self.windows, at))


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is so, or will be, and when."""

    at: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class Held:
    """Why nobody would be told now, and until when; None: until somebody changes it, or what causes it ends."""

    because: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class IfHeard:
    """What an UP would change now."""

    health: Health
    ends: tuple[Trouble, ...]
    next_deadline_at: datetime | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to "why?": a sentence, its reasons, the arithmetic, what holds alerts back, what comes next."""

    summary: str
    because: tuple[str, ...]
    deadline_at: datetime | None
    arithmetic: tuple[Line, ...]
    held: tuple[Held, ...]
    next: tuple[Line, ...]
    if_heard_now: IfHeard


def explain(facts: Facts) -> Explanation:
    """Ask the rules. A schedule that cannot be read counts as one of every hour, as it does for the monitor."""
    try:
        deadlines.period(facts.expects.schedule, facts.now)
    except Unreadable as error:
        service = replace(facts.service, schedule=EVERY_HOUR)
        expects = replace(facts.expects, schedule=EVERY_HOUR)
        found = _explained(replace(facts, service=service, expects=expects))
        return replace(found, because=(f"Its schedule {error}.", *found.because))
    return _explained(facts)


def _explained(facts: Facts) -> Explanation:
    return Explanation(
        summary=_summary(facts),
        because=tuple(_reasons(facts)),
        deadline_at=facts.state.alert_after,
        arithmetic=tuple(_arithmetic(facts)),
        held=tuple(_held(facts)),
        next=tuple(sorted(_next(facts), key=lambda line: line.at or facts.now)),
        if_heard_now=_if_heard(facts),
    )


def _summary(facts: Facts) -> str:
    name, state = facts.service.heartbeat_name, facts.state
    if not facts.accepts:
        return f"{name} is inactive: its heartbeats are refused and it is not watched."
    if facts.paused:
        return f"{name} is paused: its heartbeats are taken and it is not watched."
    match state.health:
        case Health.NEW:
            return f"{name} has not been heard since it was registered."
        case Health.DOWN:
            return f"{name} is down."
        case Health.UP | Health.DEGRADED:
            well = "alive" if state.health is Health.UP else "alive, but not well by its own words"
            if state.alert_after is not None and facts.now > state.alert_after - facts.expects.schedule.grace:
                return f"{name} is late: it is past its time and within its grace."
            return f"{name} is {well}."


def _reasons(facts: Facts) -> Iterator[str]:
    state = facts.state
    if state.last_heartbeat_at is not None:
        yield f"Its last sign of life came at {_told(state.last_heartbeat_at, facts)}."
    if state.down_at is not None:
        yield f"It said at {_told(state.down_at, facts)} that it is down."
    if state.failures:
        tolerated = facts.expects.failure_tolerance
        yield f"{state.failures} of its runs failed in a row; an alert opens at {tolerated}."
    for one in facts.alerts:
        yield f"A {one.alert.kind} alert is open: {one.because}."
    for run in facts.runs:
        yield f"Run {run.run_id} is under way since {_told(run.started_at, facts)}."


def _arithmetic(facts: Facts) -> Iterator[Line]:
    """The terms of the deadline, the deciding one last, and what has moved it besides."""
    state, schedule = facts.state, facts.expects.schedule
    yield Line(None, f"Expected {_schedule(schedule)}.")
    found = sorted(deadlines.terms(state.recent, schedule, state.extensions), key=lambda term: term.until)
    for term in found:
        yield Line(term.until, _term(term, facts))
    if state.alert_after is None:
        yield Line(None, _why_not_awaited(facts))
    elif found and state.alert_after != found[-1].until:
        by = spoken(abs(state.alert_after - found[-1].until))
        way = "ahead" if state.alert_after > found[-1].until else "back"
        yield Line(state.alert_after, f"Moved {way} by {by}, because {_why_moved(facts)}.")


def _why_moved(facts: Facts) -> str:
    if facts.service.maintenance_until is not None and facts.state.alert_after == facts.service.maintenance_until:
        return "it passed in maintenance, which ends then"
    return "Medic itself was away, or heard nothing from anyone, or it passed in maintenance that is over"


def _why_not_awaited(facts: Facts) -> str:
    if not facts.service.active:
        return "Nothing is awaited: it is not watched."
    if facts.troubles:
        return "Nothing is awaited: its trouble was found already, and ends when it is heard."
    return "Nothing is awaited: it is only watched once it was heard."


def _schedule(schedule: Schedule) -> str:
    grace = f", and {spoken(schedule.grace)} of grace" if schedule.grace else ""
    if isinstance(schedule, Cron):
        early = spoken(schedule.early_tolerance)
        return f"at each tick of {schedule.expression!r} in {schedule.timezone}, up to {early} early{grace}"
    if schedule.threshold > 1:
        return f"at least {schedule.threshold} times in any {spoken(schedule.every)}{grace}"
    return f"every {spoken(schedule.every)}{grace}"


def _term(term: Term, facts: Facts) -> str:
    since, schedule = _told(term.since, facts), facts.expects.schedule
    grace = f" + {spoken(schedule.grace)} of grace" if schedule.grace else ""
    match term.reason:
        case Reason.STARTED:
            return f"A run started at {since} and may take {spoken(term.until - term.since)}."
        case Reason.FAILED:
            return f"A run failed at {since}, within the tolerance: that was no silence, so the next one is awaited."
        case Reason.BEGAN:
            return f"Its watch began at {since}; the first tick after that is {_tick(term, facts)}{grace}."
        case None:
            if isinstance(schedule, Cron):
                return f"It was heard at {since}; the tick to be heard of next is {_tick(term, facts)}{grace}."
            return f"{_heard(term, schedule, facts.state)} {since} + {spoken(schedule.every)}{grace}."


def _heard(term: Term, schedule: Interval, state: State) -> str:
    if state.last_heartbeat_at is None or term.since > state.last_heartbeat_at:
        return "Its watch began at"
    if schedule.threshold > 1:
        return f"The {schedule.threshold} most recent heartbeats began at"
    return "It was heard at"


def _tick(term: Term, facts: Facts) -> str:
    return _told(term.until - facts.expects.schedule.grace, facts)


def _held(facts: Facts) -> Iterator[Held]:
    for reason in suppression.all_suppressed(facts.service.circumstances(facts.now)):
        yield Held(reason.because, reason.until)
    match facts.verdict:
        case Hold(because=because):
            yield Held(f"no silence is judged now: {because}", None)
        case Shift(because=because, by=by):
            yield Held(f"deadlines in that time move ahead by {spoken(by)}: {because}", None)
        case _:
            pass


def _next(facts: Facts) -> Iterator[Line]:
    state, service = facts.state, facts.service
    if state.alert_after is not None and service.active:
        trouble = Trouble.NEVER_REPORTED if state.health is Health.NEW else Trouble.MISSED_HEARTBEAT
        at = max(state.alert_after, facts.now)
        put_off = facts.service_at(at).maintenance_until
        if put_off is not None:
            yield Line(
                at, f"It is in maintenance then: if it is not heard, it is waited for until {_told(put_off, facts)}."
            )
            at = put_off
        how = _silently(trouble, at, facts.service_at(at))
        yield Line(at, f"If it is not heard until then, a {trouble} alert opens{how}.")
    for one in facts.alerts:
        yield from _of_alert(one, facts)
    for run in facts.runs:
        if run.stale_after is not None and service.active:
            how = _silently(Trouble.STALE_RUN, run.stale_after, facts.service_at(run.stale_after))
            yield Line(run.stale_after, f"If run {run.run_id} has not ended by then, a stale_run alert opens{how}.")
        elif run.stale_at is not None:
            yield Line(None, f"The stale_run alert ends with run {run.run_id}, or when somebody resolves it.")
    if service.steadiness.is_flapping(facts.now):
        until = service.steadiness.flapping_until
        yield Line(until, "If it neither goes down nor comes back until then, it is stable, and what was held is told.")


def _silently(trouble: Trouble, at: datetime, service: Watched) -> str:
    return "" if open_for(trouble, "", at, at, service).told else ", of which nobody is told then"


def _of_alert(one: Open, facts: Facts) -> Iterator[Line]:
    """What the monitor will do when it looks next, and when it is to remind."""
    alert, kind, now = one.alert, one.alert.kind, facts.now
    if one.next_look_at is None:
        yield Line(None, f"Nobody is told of the {kind} alert again before it ends.")
        return
    moments = {one.next_look_at} | ({alert.remind_at} if alert.remind_at is not None else set())
    for at in sorted(max(moment, now) for moment in moments):
        found = look(alert, at, facts.service_at(at))
        if found.event is AlertEvent.REMINDED:
            yield Line(at, f"People are reminded of the {kind} alert.")
        elif found.event is not None:
            yield Line(at, f"People are told of the {kind} alert, which was held back.")
        elif found.consecutive_failures > alert.consecutive_failures:
            yield Line(at, f"The {kind} alert counts {found.consecutive_failures} missed periods.")


def _if_heard(facts: Facts) -> IfHeard:
    step = advance(facts.state, Heard(SignalKind.UP, facts.now), facts.now, facts.troubles, facts.expects)
    ends = tuple(sorted(step.ends & facts.troubles))
    return IfHeard(step.state.health, ends, step.state.alert_after)


def _told(moment: datetime, facts: Facts) -> str:
    """A time in the service's own zone."""
    schedule = facts.expects.schedule
    zone = schedule.timezone if isinstance(schedule, Cron) else "UTC"
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} {zone}"
