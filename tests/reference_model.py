"""What should become of one service, kept as plainly as can be: lists of what happened, and counting.

Written from the rules of DESIGN alone; it shares no code with Medic. Ticks are cronsim's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OF_RUNS = {"duration_exceeded", "stale_run"}
EARLY = timedelta(seconds=60)


@dataclass(frozen=True)
class Schedule:
    """Every so often, at least so many times; or, with an expression, at its ticks."""

    every: timedelta = MINUTE
    threshold: int = 1
    grace: timedelta = timedelta(0)
    expression: str = ""
    timezone: str = "UTC"

    def ticks(self, after: datetime, count: int) -> list[datetime]:
        source = CronSim(self.expression, after.astimezone(ZoneInfo(self.timezone)))
        return [next(source).astimezone(UTC) for _ in range(count)]

    def period(self, at: datetime) -> timedelta:
        if not self.expression:
            return self.every
        first, second = self.ticks(at, 2)
        return second - first

    def allows(self, beat: datetime) -> datetime:
        """Until when silence is fine after the heartbeat that counts."""
        if not self.expression:
            return beat + self.every + self.grace
        before, following = None, []
        for tick in CronSim(self.expression, (beat - 2 * DAY).astimezone(ZoneInfo(self.timezone))):
            if tick <= beat:
                before = tick.astimezone(UTC)
            else:
                following.append(tick.astimezone(UTC))
            if len(following) == 2:
                break
        tolerance = EARLY if before is None else min(EARLY, (following[0] - before) / 2)
        return following[1 if following[0] - beat <= tolerance else 0] + self.grace


@dataclass
class Alert:
    kind: str
    told: bool
    remind_at: datetime | None = None
    sent: int = 0
    held_end: bool = False
    open: bool = True


@dataclass
class Model:
    """One service."""

    schedule: Schedule
    now: datetime
    tolerance: int
    max_duration: timedelta | None
    flaps_after: int | None
    flap_window: timedelta
    health: str = "new"
    last: datetime | None = None
    degraded: bool = False
    failures: int = 0
    paused: bool = False
    muted_until: datetime | None = None
    beats: list[datetime] = field(default_factory=list)
    extensions: list[tuple[datetime, datetime, bool]] = field(default_factory=list)
    deadline: datetime | None = None
    alerts: list[Alert] = field(default_factory=list)
    started: dict[str, tuple[datetime, bool]] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    latest: tuple[datetime, timedelta] = (datetime.min.replace(tzinfo=UTC), timedelta(0))
    flips: list[datetime] = field(default_factory=list)
    flapping_until: datetime | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)
    windows: list[tuple[datetime, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._registered()

    @property
    def troubles(self) -> set[str]:
        return {alert.kind for alert in self.alerts if alert.open}

    def _registered(self) -> None:
        self.health, self.failures, self.extensions = "new", 0, []
        self._begin()

    def _begin(self) -> None:
        self.beats = [] if self.schedule.expression else [self.now] * self.schedule.threshold
        if self.schedule.expression:
            first = self.schedule.ticks(self.now, 1)[0] + self.schedule.grace
            self.extensions = [*self.extensions, (self.now, first, True)]
        self.deadline = self._limit()

    def _silence(self) -> datetime:
        """By the heartbeats alone."""
        return self.schedule.allows(sorted(self.beats, reverse=True)[: self.schedule.threshold][-1])

    def _limit(self) -> datetime:
        beats = [self._silence()] if self.beats else []
        return max([*beats, *(until for _, until, _ in self.extensions)])

    def is_flapping(self) -> bool:
        return self.flapping_until is not None and self.now < self.flapping_until

    def maintained_until(self) -> datetime | None:
        return max((end for start, end in self.windows if start <= self.now < end), default=None)

    def _quiet(self) -> bool:
        return (self.muted_until is not None and self.now < self.muted_until) or self.maintained_until() is not None

    def _held(self) -> bool:
        return self.paused or self._quiet() or self.is_flapping()

    def _becomes(self, health: str) -> bool:
        """Change the health; whether that made it flap, as far as people are to hear of it."""
        changed = (self.health == "down") != (health == "down")
        self.health = health
        if not changed or self.flaps_after is None:
            return False
        was = self.is_flapping()
        self.flips.append(self.now)
        lately = [flip for flip in self.flips if self.now - flip <= self.flap_window]
        if was or len(lately) > self.flaps_after:
            self.flapping_until = self.now + self.flap_window
        return self.is_flapping() and not was

    def _wait(self, sent: int) -> timedelta:
        return min(max(self.schedule.period(self.now), 5 * MINUTE) * 2 ** min(sent, 20), DAY)

    def _opens(self, kind: str) -> None:
        if kind in self.troubles:
            return
        told = not self._held()
        self.alerts.append(Alert(kind, told, self.now + self._wait(0) if told else None))
        if told:
            self.notes.append(("opened", kind))

    def _ends(self, kinds: set[str], *, by_hand: bool = False) -> bool:
        ended = [alert for alert in self.alerts if alert.open and alert.kind in kinds]
        for alert in ended:
            alert.open = False
            if alert.told and self.is_flapping() and not by_hand:
                alert.held_end = True
            elif alert.told:
                self.notes.append(("resolved", alert.kind))
        return bool(ended)

    def _tells_flapping(self) -> None:
        if self._quiet():
            return
        newest = self.alerts[-1]
        newest.told, newest.held_end = True, not newest.open
        self.notes.append(("flapping", newest.kind))

    # What happens.

    def hears(self, kind: str, run: str | None = None, at: datetime | None = None) -> None:
        at = at or self.now
        was_deadline, counts, run_ends, run_opens = self.deadline, True, set(), set()
        if kind == "STARTED":
            run_ends = self._run_begins(run or "unnamed", at)
        elif kind in {"COMPLETED", "FAILED"}:
            counts, run_ends, run_opens = self._run_ends(kind, run or "unnamed", at)
        if self.paused or not counts:
            if kind in {"UP", "DEGRADED", "COMPLETED"} and self.paused:
                self.last = max(at, self.last or at)
                self.extensions = []
            return
        ends, opens, health = self._changes(kind, at, was_deadline)
        begins = self._becomes(health)
        ended = self._ends(ends | run_ends)
        if ended and health != "down":
            self.muted_until = None
        for one in sorted(opens) + sorted(run_opens):
            self._opens(one)
        if begins:
            self._tells_flapping()

    def _changes(self, kind: str, at: datetime, was_deadline: datetime | None) -> tuple[set[str], set[str], str]:
        down = self.troubles - OF_RUNS
        if kind in {"UP", "DEGRADED", "COMPLETED"}:
            return self._lives(kind, at, down)
        if kind == "DOWN":
            self.deadline = None
            return set(), {"reported_down"}, "down"
        if kind == "STARTED":
            allowed = self.max_duration if self.max_duration is not None else self.schedule.grace
            self.extensions.append((at, at + allowed, False))
            if was_deadline is not None:
                self.deadline = max(was_deadline, self._limit())
            return set(), set(), self.health
        self.failures += 1
        self.extensions.append((at, self.schedule.allows(at), False))
        if self.failures >= self.tolerance:
            self.deadline = None
            return set(), {"job_failed"}, "down"
        if down:
            return set(), set(), self.health
        self.deadline = max(self._limit(), was_deadline or at)
        return set(), set(), "up" if self.health == "new" else self.health

    def _lives(self, kind: str, at: datetime, down: set[str]) -> tuple[set[str], set[str], str]:
        if "never_reported" in down and not self.schedule.expression:
            self.beats = [at] * self.schedule.threshold
        else:
            self.beats.append(at)
        self.last, self.degraded, self.failures, self.extensions = at, kind == "DEGRADED", 0, []
        remains = down & {"missed_heartbeat"} if self._silence() <= self.now else set()
        self.deadline = None if remains else self._limit()
        return down - remains, set(), "down" if remains else "degraded" if self.degraded else "up"

    def _run_begins(self, run: str, at: datetime) -> set[str]:
        self.started[run] = (at, not self.paused)
        self.stale.discard(run)
        return set() if self.stale else {"stale_run"}

    def _run_ends(self, kind: str, run: str, at: datetime) -> tuple[bool, set[str], set[str]]:
        began, _ = self.started.pop(run, (at, True))
        self.stale.discard(run)
        ends = set() if self.stale else {"stale_run"}
        if kind == "FAILED" or self.max_duration is None:
            return True, ends, set()
        latest, self.latest = self.latest, max(self.latest, (at, at - began))
        if at < latest[0]:
            return True, ends, set()
        too_long = self.latest[1] > self.max_duration
        return True, ends | (set() if too_long else {"duration_exceeded"}), {"duration_exceeded"} if too_long else set()

    def window_is_removed(self, which: int) -> None:
        _, end = self.windows.pop(which)
        if self.deadline is not None and self.deadline == end:
            self.deadline = min(self.deadline, self._limit())

    def sweeps(self) -> None:
        put_off = self.maintained_until()
        if self.deadline is not None and self.deadline <= self.now and put_off is not None:
            self.deadline = put_off
        if self.deadline is not None and self.deadline <= self.now:
            self.deadline = None
            kind = "never_reported" if self.health == "new" else "missed_heartbeat"
            begins = self._becomes("down") if self.health != "new" else False
            self._opens(kind)
            if begins:
                self._tells_flapping()
        for run, (began, watched) in self.started.items():
            if self.max_duration is not None and watched and not self.paused and self.now - began > self.max_duration:
                self.started[run] = (began, False)
                self.stale.add(run)
                self._opens("stale_run")
        self._calms_down()
        for alert in self.alerts:
            self._looks(alert)

    def _calms_down(self) -> None:
        if self.flapping_until is None or self.flapping_until > self.now:
            return
        self.flapping_until = None
        for alert in self.alerts:
            if alert.held_end and self.health != "down":
                self.notes.append(("resolved", alert.kind))
            alert.held_end = False
            if alert.open and alert.told:
                alert.remind_at = self.now

    def _looks(self, alert: Alert) -> None:
        if not alert.open or self._held():
            return
        if not alert.told:
            self.notes.append(("unmuted", alert.kind))
            alert.told, alert.remind_at = True, self.now + self._wait(alert.sent)
        elif alert.remind_at is not None and alert.remind_at <= self.now:
            self.notes.append(("reminded", alert.kind))
            alert.sent += 1
            alert.remind_at = self.now + self._wait(alert.sent)

    def pauses(self) -> None:
        if self.paused:
            return
        self._ends(self.troubles, by_hand=True)
        self.paused, self.deadline = True, None
        self.started = {run: (began, False) for run, (began, _) in self.started.items()}

    def resumes(self) -> None:
        if self.paused:
            self.paused = False
            self._watched_anew()

    def has_schedule(self, schedule: Schedule) -> None:
        known = sorted(self.beats, reverse=True)[: self.schedule.threshold]
        self.schedule = schedule
        if self.paused:
            return
        if self.troubles - OF_RUNS:
            self.beats = known + [known[-1] if known else self.now] * schedule.threshold
            return
        self._watched_anew()

    def _watched_anew(self) -> None:
        if self.last is None:
            self._registered()
            return
        self.failures = 0
        self.health = "degraded" if self.degraded else "up"
        self.extensions = [one for one in self.extensions if not one[2]]
        self._begin()
