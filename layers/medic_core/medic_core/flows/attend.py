"""A person attends to an alert: looks after it, puts it off, declares it over."""

from __future__ import annotations

from datetime import datetime, timedelta

from medic_core.errors import BadRequest, Conflict, NotFound
from medic_core.flows.change import watch_anew
from medic_core.store import alert_attention, alert_lists, alerts, connection, service_states, settling
from medic_core.store.alert_lists import AlertRow, EventRow, Wanted
from medic_core.store.connection import Transaction

LONGEST_SNOOZE = timedelta(days=30)
NO_ALERT = "No alert has this id."


def acknowledge(tx: Transaction, alert_id: int, actor: str, note: str = "") -> AlertRow:
    """Nobody is reminded of it any more. The first who acknowledges is the one who did.

    Raises NotFound, Conflict for one that is over.
    """
    _open(tx, alert_id)
    alert_attention.acknowledge(tx, alert_id, actor, note or "acknowledged")
    return _open(tx, alert_id)


def snooze(tx: Transaction, alert_id: int, until: datetime, actor: str, note: str = "") -> AlertRow:
    """Nobody is reminded of it before `until`; if it is still open then, people hear of it.

    Raises NotFound, Conflict for one that is over, BadRequest for a time that is, or that lies far away.
    """
    _open(tx, alert_id)
    now = connection.now(tx)
    if not now < until <= now + LONGEST_SNOOZE:
        raise BadRequest(f"until must lie in the future, at most {LONGEST_SNOOZE.days} days from now.")
    alert_attention.snooze(tx, alert_id, until, actor, note or f"snoozed until {until:%Y-%m-%d %H:%M:%S} UTC")
    return _open(tx, alert_id)


def resolve(tx: Transaction, alert_id: int, actor: str, note: str = "") -> AlertRow:
    """It is over because a person says so. Its service is watched from now on as if it had just been heard.

    So one that stays silent makes a new alert. Raises NotFound, Conflict for one that is over.
    """
    service_id = read(tx, alert_id).service_id
    if service_id is not None:
        settling.lock(tx, service_id)
    alert = _open(tx, alert_id)
    alerts.resolve(tx, alert.service_id, [alert.kind], note or "resolved by hand", actor)
    if alert.service_id is not None:
        service_states.forget_troubles(tx, alert.service_id, [alert.kind])
        after = settling.lock(tx, alert.service_id)
        if after is not None and after.service.active:
            watch_anew(tx, after)
    return read(tx, alert_id)


def read(tx: Transaction, alert_id: int) -> AlertRow:
    """The alert. Raises NotFound."""
    found = alert_lists.listed(tx, Wanted(alert_id=alert_id))
    if not found:
        raise NotFound(NO_ALERT)
    return found[0]


def read_with_events(tx: Transaction, alert_id: int, most_events: int) -> tuple[AlertRow, list[EventRow]]:
    """The alert, and what happened to it, in order. Raises NotFound."""
    found = alert_lists.with_events(tx, alert_id, most_events)
    if found is None:
        raise NotFound(NO_ALERT)
    return found


def _open(tx: Transaction, alert_id: int) -> AlertRow:
    alert = read(tx, alert_id)
    if alert.resolved_at is not None:
        raise Conflict("This alert is over already.")
    return alert
