"""What the router's queue carries: ids, nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanNotification:
    """Plan and make the deliveries of an alert event."""

    alert_event_id: int


@dataclass(frozen=True, slots=True)
class PlanNotice:
    """Plan and make the deliveries of a notice."""

    notice_id: int


@dataclass(frozen=True, slots=True)
class MakeDelivery:
    """Try one delivery (again); patiently where its target answers slowly."""

    delivery_id: int
    patient: bool = False


def notification(alert_event_id: int) -> str:
    return json.dumps({"notification": alert_event_id})


def notice(notice_id: int) -> str:
    return json.dumps({"notice": notice_id})


def delivery(delivery_id: int, *, patient: bool = False) -> str:
    return json.dumps({"delivery": delivery_id} | ({"patient": True} if patient else {}))


def parse(text: str) -> PlanNotification | PlanNotice | MakeDelivery:
    """Read a message. Raises ValueError for one that is not ours."""
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("not a message for the router: nested too deeply") from error
    match found:
        case {"notification": alert_event_id} if _is_id(alert_event_id):
            return PlanNotification(alert_event_id)
        case {"notice": notice_id} if _is_id(notice_id):
            return PlanNotice(notice_id)
        case {"delivery": delivery_id} if _is_id(delivery_id):
            return MakeDelivery(delivery_id, patient=found.get("patient") is True)
        case _:
            raise ValueError(f"not a message for the router: {text[:200]}")


def _is_id(value: object) -> bool:
    """JSON's `true` is an `int` to Python, and no id."""
    return type(value) is int and 0 < value < 2**63
