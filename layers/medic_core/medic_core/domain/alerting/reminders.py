"""When people are told again of what is still so."""

from __future__ import annotations

from datetime import timedelta

SHORTEST_DEFAULT = timedelta(minutes=5)
LONGEST = timedelta(hours=24)
#: Past this many doublings every interval has reached the longest.
MOST_DOUBLINGS = 20


def interval_before(sent: int, every: timedelta, chosen: timedelta | None) -> timedelta:
    """How long to wait for the reminder that follows `sent` earlier ones.

    The service's own interval, else one expected period but never under 5 minutes; doubled each time up to 24 h.
    """
    first = chosen if chosen is not None else max(every, SHORTEST_DEFAULT)
    return min(first * (1 << min(sent, MOST_DOUBLINGS)), LONGEST)
