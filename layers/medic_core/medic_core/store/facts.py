"""Everything that the rules look at of one service, read at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from medic_core.domain.alerting.alerts import AlertStatus, OpenAlert
from medic_core.domain.alerting.explanations import Open, RunUnderWay
from medic_core.domain.alerting.maintenance import Window
from medic_core.store import services, settling, watched
from medic_core.store.connection import Transaction
from medic_core.store.gathering import gathered
from medic_core.store.heartbeat_events import ServiceHeartbeat
from medic_core.store.monitor_state import MonitorState
from medic_core.store.services import Service
from medic_core.store.settling import Locked

#: Runs and signals newest first. Columns that a service and its belief both have are the same.
FACTS: Final = (
    settling.COLUMNS  # noqa: S608 - constants
    + ", "
    + services.FIELDS
    + """, m.last_sweep_at, m.spool_waiting_since, m.gap_start, m.gap_end,
       ARRAY(SELECT ROW(a.because, a.next_look_at, a.status, a.alert_id, a.kind, a.overdue_since,
                        a.consecutive_failures, a.counted_until, a.told_at, a.reminders, a.remind_at)
               FROM medic.alerts a
              WHERE a.service_id = s.service_id AND a.resolved_at IS NULL ORDER BY a.alert_id) AS alerts,
       ARRAY(SELECT ROW(r.run_id, r.started_at, r.stale_after, r.stale_at) FROM medic.job_runs r
              WHERE r.service_id = s.service_id AND r.status = 'STARTED'
              ORDER BY r.job_run_id DESC LIMIT %(most_runs)s) AS runs,
       ARRAY(SELECT ROW(w.start_time, w.end_time, w.recurrence, w.timezone) FROM medic.maintenance_windows w
              WHERE w.next_end > now() AND """
    + watched.FOR_SERVICE
    + """ ORDER BY w.window_id) AS windows,
       ARRAY(SELECT ROW(e.heartbeat_id, e.kind, e.received_at, e.run_id, e.exit_status, e.remote_address, e.user_agent)
               FROM medic.heartbeat_events e WHERE e.service_id = s.service_id
              ORDER BY e.received_at DESC, e.heartbeat_id DESC LIMIT %(most_signals)s) AS signals
"""
    + services.TABLES
    + ", medic.monitor_state m WHERE s.service_id = %(service_id)s"
)


@dataclass(frozen=True, slots=True)
class Known:
    """A service, what is believed of it (not locked), what goes on about it, and what the monitor remembers."""

    service: Service
    belief: Locked
    monitor: MonitorState
    alerts: list[Open]
    runs: list[RunUnderWay]
    windows: list[Window]
    signals: list[ServiceHeartbeat]


def of_service(tx: Transaction, service_id: int, most_runs: int, most_signals: int) -> Known | None:
    """All of it; None where there is no such service."""
    found = gathered(tx, FACTS, service_id=service_id, most_runs=most_runs, most_signals=most_signals)
    if found is None:
        return None
    return Known(
        service=Service(**{name: found[name] for name in Service.__dataclass_fields__}),
        belief=settling.read(found),
        monitor=MonitorState(**{name: found[name] for name in MonitorState.__dataclass_fields__}),
        alerts=[_open(*one) for one in found["alerts"]],
        runs=[RunUnderWay(*one) for one in found["runs"]],
        windows=[Window(*one) for one in found["windows"]],
        signals=[ServiceHeartbeat(*one) for one in found["signals"]],
    )


def _open(because: str, next_look_at: datetime | None, status: str, alert_id: int, kind: str, *more: Any) -> Open:
    return Open(OpenAlert(alert_id, kind, AlertStatus(status), *more), because, next_look_at)
