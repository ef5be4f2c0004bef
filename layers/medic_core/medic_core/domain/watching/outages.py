"""When Medic itself was away: nobody wants a hundred pages because the monitor had an outage.

Three guards, asked in this order before a sweep may open alerts for silence. Each answer carries its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Heartbeats that wait in the spool hold alerts back for this long at most.
SPOOL_HOLD = timedelta(minutes=15)
#: A sweep is overdue, and its gap suspicious, after this many cadences.
GAP_CADENCES = 3
#: Heartbeats at this share of the usual rate prove that only the monitor was away.
USUAL_SHARE = 0.5
#: Fewer services than this falling due at once are nobody's outage but their own.
MASS = 10
#: Silence of everyone holds alerts back for this long at most.
SILENCE_HOLD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without a sweep, the heartbeats recorded in it, and those usual for its length."""

    start: datetime
    length: timedelta
    heartbeats: int
    usual: float


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known before a sweep.

    `due` services have passed their deadline and `others` (counted up to `due` + 1) reported lately and have
    not. `heard_at` is the newest signal of anyone, `due_heard_at` the newest of those that are due.
    """

    now: datetime
    spooled: int = 0
    spool_waiting_since: datetime | None = None
    gap: Gap | None = None
    due: int = 0
    others: int = 0
    heard_at: datetime | None = None
    due_heard_at: datetime | None = None
    silent_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Proceed:
    """Nothing is wrong with us: open what is due. `silence_over` ends an `ingest_silent` alert."""

    silence_over: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Open nothing now. `silence_began` asks for the one `ingest_silent` alert."""

    because: str
    silence_began: bool = False


@dataclass(frozen=True, slots=True)
class Shift:
    """We were away, and so were the heartbeats: deadlines that fell within `by` after `since` move ahead by it."""

    since: datetime
    by: timedelta
    because: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Everyone was silent and someone is heard again: the others get one full interval to follow."""

    because: str


Verdict = Proceed | Hold | Shift | Restart


def is_gap(last_sweep_at: datetime | None, now: datetime, cadence: timedelta) -> bool:
    """Whether the last completed sweep is suspiciously long ago. A first sweep follows no gap."""
    return last_sweep_at is not None and now - last_sweep_at > GAP_CADENCES * cadence


def judge(situation: Situation) -> Verdict:
    """Whether this sweep may open alerts for silence: the first guard that objects decides."""
    for guard in (_spool, _sweep_gap, _known_silence, _mass_silence):
        verdict = guard(situation)
        if verdict is not None:
            return verdict
    return Proceed()


def _spool(situation: Situation) -> Verdict | None:
    if not situation.spooled:
        return None
    since = situation.spool_waiting_since or situation.now
    if situation.now - since >= SPOOL_HOLD:
        return None
    return Hold(f"{situation.spooled} heartbeats wait in the spool")


def _sweep_gap(situation: Situation) -> Verdict | None:
    gap = situation.gap
    if gap is None or (gap.heartbeats > 0 and gap.heartbeats >= USUAL_SHARE * gap.usual):
        return None
    seconds = round(gap.length.total_seconds())
    because = f"no sweep for {seconds} s, in which {gap.heartbeats} heartbeats came where {gap.usual:.0f} are usual"
    return Shift(gap.start, gap.length, because)


def _known_silence(situation: Situation) -> Verdict | None:
    since = situation.silent_since
    if since is None:
        return None
    held_until = since + SILENCE_HOLD
    if situation.heard_at is not None and situation.heard_at > since:
        in_time = situation.heard_at <= held_until
        return Restart("heard again after a silence of everyone") if in_time else Proceed(silence_over=True)
    if situation.now < held_until:
        return Hold("nothing is heard from anyone")
    return Proceed()


def _mass_silence(situation: Situation) -> Verdict | None:
    if situation.silent_since is not None or situation.due < MASS or situation.others > situation.due:
        return None
    if situation.heard_at and situation.due_heard_at and situation.heard_at > situation.due_heard_at:
        return None
    return Hold(f"{situation.due} services fell silent at once and nothing is heard from anyone", silence_began=True)
