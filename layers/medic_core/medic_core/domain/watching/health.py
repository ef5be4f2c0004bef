"""What is believed of a service: apart from the rules of `states`, which an ordinary heartbeat needs not load."""

from __future__ import annotations

from enum import StrEnum


class Health(StrEnum):
    """What we believe of a service now."""

    NEW = "new"  #: registered, never heard
    UP = "up"  #: heard in time
    DEGRADED = "degraded"  #: heard in time, and not well by its own words
    DOWN = "down"  #: silent past its deadline, failing, or down by its own words
