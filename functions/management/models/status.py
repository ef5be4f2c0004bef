"""A service's status, as people read it."""

from __future__ import annotations

from datetime import timedelta

from medic_core.store.services import Service


def status_of(service: Service) -> str:
    """new, up, degraded, down; `late` past its interval but within its grace; `paused` when inactive."""
    if not service.active:
        return "paused"
    grace = timedelta(seconds=service.grace_period_seconds)
    if service.health in {"up", "degraded"} and service.alert_after and service.now > service.alert_after - grace:
        return "late"
    return service.health
