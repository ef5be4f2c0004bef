"""The form that describes a service: from what was filled in to what the API takes, and back."""

from __future__ import annotations

from typing import Any

from dashboard.asked import Form
from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.watching.schedules import DEFAULT_EARLY_TOLERANCE, Cron
from medic_core.errors import BadRequest
from medic_core.store.services import Service

#: Largest first: a length is shown in the largest unit that it is a whole number of.
UNITS = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
LONGEST_RUNBOOK = 2000


def written(form: Form) -> dict[str, str]:
    """What was filled in, for the form to be shown again."""
    return {name: form.text(name, LONGEST_RUNBOOK) for name in form.values}


def configuration(form: Form) -> dict[str, Any]:
    """What the API's models take, unchecked. Raises BadRequest."""
    return {
        "schedule": _schedule(form),
        "grace_period_seconds": _seconds(form, "grace", "grace_unit") or 0,
        "priority": form.line("priority") or Priority.P3.value,
        "runbook": form.line("runbook", LONGEST_RUNBOOK),
        "tags": form.line("tags").split(),
    }


def team(form: Form) -> str | None:
    """The team's name, None for no team."""
    return form.line("team") or None


def values_of(service: Service) -> dict[str, str]:
    """A service as the form has it."""
    schedule = service.schedule
    grace, grace_unit = _in_units(service.grace_period_seconds)
    found = {
        "service_name": service.service_name,
        "grace": grace,
        "grace_unit": grace_unit,
        "priority": service.priority,
        "team": service.team or "",
        "runbook": service.runbook,
        "tags": " ".join(service.tags),
    }
    if isinstance(schedule, Cron):
        early = str(int(schedule.early_tolerance.total_seconds()))
        by_cron = {"expression": schedule.expression, "timezone": schedule.timezone, "early_tolerance": early}
        return found | by_cron | {"every": ""}
    every, unit = _in_units(int(schedule.every.total_seconds()))
    return found | {"every": every, "unit": unit, "threshold": str(schedule.threshold)}


def _schedule(form: Form) -> dict[str, Any]:
    if form.line("expression"):
        early = form.whole("early_tolerance")
        return {
            "kind": "cron",
            "expression": form.line("expression"),
            "timezone": form.line("timezone") or "UTC",
            "early_tolerance_seconds": int(DEFAULT_EARLY_TOLERANCE.total_seconds()) if early is None else early,
        }
    every = _seconds(form, "every", "unit")
    if not every:
        raise BadRequest("Say how often it must be heard: a number and a unit, or a cron expression.")
    return {"kind": "interval", "every_seconds": every, "threshold": form.whole("threshold") or 1}


def _seconds(form: Form, name: str, unit_name: str) -> int | None:
    number, unit = form.whole(name), form.line(unit_name) or "minutes"
    if unit not in UNITS:
        raise BadRequest(f"{unit_name}: must be one of {', '.join(UNITS)}.")
    return None if number is None else number * UNITS[unit]


def _in_units(seconds: int) -> tuple[str, str]:
    if seconds == 0:
        return "0", "minutes"
    unit, length = next((unit, length) for unit, length in UNITS.items() if seconds % length == 0)
    return str(seconds // length), unit
