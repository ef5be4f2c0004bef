"""What was a service before it was changed? Kept before each change that could hurt, so that it can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """The change before which a snapshot is kept."""

    DEACTIVATE = "deactivate"
    ACTIVATE = "activate"
    MUTE = "mute"
    UNMUTE = "unmute"
    PRIORITY_CHANGE = "priority_change"
    TEAM_CHANGE = "team_change"
    EDIT = "edit"
    BULK_EDIT = "bulk_edit"
    DELETE = "delete"
    RESTORE = "restore"


def action_of(changes: Mapping[str, Any]) -> Action:
    """What a change of these columns is called; of several, the one that could hurt most."""
    if "active" in changes or "paused_at" in changes:
        stops = changes.get("active") is False or changes.get("paused_at") is not None
        return Action.DEACTIVATE if stops else Action.ACTIVATE
    if "muted_until" in changes:
        return Action.UNMUTE if changes["muted_until"] is None else Action.MUTE
    if "priority" in changes:
        return Action.PRIORITY_CHANGE
    return Action.TEAM_CHANGE if "team_id" in changes else Action.EDIT
