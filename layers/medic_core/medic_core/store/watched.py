"""What judging a service and telling of it needs to know, as several statements select it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from medic_core.domain.alerting.alerts import Priority, Watched
from medic_core.domain.alerting.flapping import FlapLimit, Steadiness
from medic_core.store import schedules

#: Of `maintenance_windows w` and `services s`: whether the window is for the service.
FOR_SERVICE: Final = """
    (w.service_ids = '{}' AND w.tags = '{}' OR s.service_id = ANY(w.service_ids) OR w.tags && s.tags)
"""
#: Of `services s` and `service_state st`. More columns and FROM follow.
SELECT: Final = (
    """
SELECT s.service_id, s.heartbeat_name, s.priority, s.active, s.paused_at IS NOT NULL AS paused, s.muted_until,
       s.reminder_interval_seconds, s.every_seconds, s.threshold, s.grace_period_seconds, s.cron_expression, s.timezone,
       s.early_tolerance_seconds, s.flapping_max_changes, s.flapping_window_seconds, st.health_changes,
       st.flapping_until, (
           SELECT max(w.next_end) FROM medic.maintenance_windows w
            WHERE w.next_start <= now() AND w.next_end > now() AND """  # noqa: S608 - constants
    + FOR_SERVICE
    + ") AS maintenance_until"
)


def read(row: Mapping[str, Any]) -> Watched:
    """The service of a row that begins with these columns."""
    reminders, most = row["reminder_interval_seconds"], row["flapping_max_changes"]
    return Watched(
        service_id=row["service_id"],
        heartbeat_name=row["heartbeat_name"],
        priority=Priority(row["priority"]),
        schedule=schedules.read(row),
        reminder_interval=timedelta(seconds=reminders) if reminders is not None else None,
        active=row["active"] and not row["paused"],
        muted_until=row["muted_until"],
        steadiness=Steadiness(tuple(row["health_changes"]), row["flapping_until"]),
        flap_limit=FlapLimit(most, timedelta(seconds=row["flapping_window_seconds"])) if most is not None else None,
        maintenance_until=row["maintenance_until"],
    )
