"""What can be stopped from being repaired."""

from __future__ import annotations

from enum import StrEnum


class KillLevel(StrEnum):
    """What a kill switch is about."""

    GLOBAL = "global"
    TEAM = "team"
    SERVICE = "service"
    PLAYBOOK = "playbook"
