"""A service as v1 writes it: flags are 0 or 1, intervals are minutes. Unknown fields are ignored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.watching.names import is_printable, slug_of, valid_name
from medic_core.domain.watching.schedules import LONGEST_INTERVAL, MAX_THRESHOLD
from medic_core.errors import BadRequest
from medic_core.store.services import Configuration, Service
from models.status import status_of

DEFAULT_TEAM = "site-reliability"
MAX_RUNBOOK_LENGTH = 2000
MOST_MINUTES = int(LONGEST_INTERVAL.total_seconds()) // 60


@dataclass(frozen=True, slots=True)
class Registration:
    """What POST /service asks for."""

    heartbeat_name: str
    service_name: str
    alert_interval: int
    threshold: int
    team: str
    priority: str
    runbook: str

    def configuration(self, team_id: int) -> Configuration:
        """The service to register."""
        return Configuration(
            heartbeat_name=self.heartbeat_name,
            service_name=self.service_name,
            slug=slug_of(self.heartbeat_name),
            team_id=team_id,
            priority=self.priority,
            runbook=self.runbook,
            every_seconds=self.alert_interval * 60,
            threshold=self.threshold,
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """What POST /service/{name} asks for: columns as they are, and what takes more than a column."""

    columns: dict[str, Any] = field(default_factory=dict)
    team: str | None = None
    muted: bool | None = None
    down: bool | None = None


def registration(body: dict[str, Any]) -> Registration:
    """Read a registration. Raises BadRequest that names the field."""
    for name in ("heartbeat_name", "service_name", "alert_interval"):
        if name not in body:
            raise BadRequest(f"{name} is required.")
    name = valid_name(body["heartbeat_name"])
    if "environment" in body:
        name = valid_name(f"{valid_name(body['environment'], 'environment')}-{name}")
    return Registration(
        heartbeat_name=name,
        service_name=valid_name(body["service_name"], "service_name"),
        alert_interval=_minutes(body["alert_interval"]),
        threshold=_threshold(body.get("threshold", 1)),
        team=valid_name(body.get("team", DEFAULT_TEAM), "team"),
        priority=_priority(body.get("priority", Priority.P3)),
        runbook=_runbook(body.get("runbook", "")),
    )


def changes(body: dict[str, Any]) -> Changes:
    """Read an update. Raises BadRequest that names the field."""
    return Changes(
        columns={column: read(body[name]) for name, (column, read) in COLUMNS.items() if name in body},
        team=valid_name(body["team"], "team") if "team" in body else None,
        muted=_flag(body["muted"], "muted") if "muted" in body else None,
        down=_flag(body["down"], "down") if "down" in body else None,
    )


def row(service: Service, base_url: str) -> dict[str, object]:
    """A service as v1 lists it: the ancestor's columns first, then what v2 knows."""
    minutes = service.every_seconds / 60
    return {
        "service_id": service.service_id,
        "heartbeat_name": service.heartbeat_name,
        "service_name": service.service_name,
        "active": int(service.active),
        "alert_interval": int(minutes) if minutes.is_integer() else round(minutes, 4),
        "threshold": service.threshold,
        "team": service.team,
        "priority": service.priority,
        "muted": int(service.is_muted),
        "down": int(service.health == "down"),
        "runbook": service.runbook,
        "date_added": service.created_at,
        "date_modified": service.updated_at,
        "date_muted": service.muted_at,
        "team_id": service.team_id,
        "grace_period_seconds": service.grace_period_seconds,
        "max_duration_ms": service.max_duration_ms,
        "status": status_of(service),
        "muted_until": service.muted_until,
        "last_heartbeat_at": service.last_heartbeat_at,
        "next_deadline_at": service.alert_after,
        "ping_url": f"{base_url}/ping/{service.ping_id}",
    }


def _minutes(value: object) -> int:
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    if not is_whole or not 1 <= value <= MOST_MINUTES:  # type: ignore[operator]
        raise BadRequest(f"alert_interval must be a whole number of minutes from 1 to {MOST_MINUTES}.")
    return int(value)  # type: ignore[call-overload, no-any-return]


def _threshold(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_THRESHOLD:
        raise BadRequest(f"threshold must be a whole number from 1 to {MAX_THRESHOLD}.")
    return value


def _priority(value: object) -> str:
    if not isinstance(value, str) or value.lower() not in set(Priority):
        raise BadRequest(f"priority must be one of {', '.join(Priority)}.")
    return value.lower()


def _runbook(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_RUNBOOK_LENGTH or not is_printable(value):
        raise BadRequest(f"runbook must be a line of at most {MAX_RUNBOOK_LENGTH} characters.")
    return value.strip()


def _flag(value: object, name: str) -> bool:
    if value not in (0, 1) or isinstance(value, float):
        raise BadRequest(f"{name} must be 0 or 1.")
    return bool(value)


#: How each field of an update becomes a column.
COLUMNS: dict[str, tuple[str, Callable[[object], object]]] = {
    "service_name": ("service_name", lambda value: valid_name(value, "service_name")),
    "alert_interval": ("every_seconds", lambda value: _minutes(value) * 60),
    "threshold": ("threshold", _threshold),
    "priority": ("priority", _priority),
    "runbook": ("runbook", _runbook),
    "active": ("active", lambda value: _flag(value, "active")),
}
