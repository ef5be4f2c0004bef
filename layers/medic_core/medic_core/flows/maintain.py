"""Maintenance windows: made and changed by people, begun and ended by the monitor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from medic_core.domain.alerting.maintenance import Occurrence, Window, occurrence_from, valid
from medic_core.domain.routing.messages import NoticeKind
from medic_core.domain.watching import deadlines
from medic_core.domain.watching.lengths import spoken
from medic_core.domain.watching.names import name_key
from medic_core.domain.watching.schedules import Unreadable
from medic_core.errors import BadRequest, Conflict, NotFound, Stale
from medic_core.store import connection, maintenance, notices, services, settling
from medic_core.store.connection import Database, Transaction
from medic_core.store.maintenance import WINDOWS, MaintenanceWindow

LONGEST_SILENCE = timedelta(days=30)
OF_THE_TIME = frozenset({"start_time", "end_time", "recurrence", "timezone"})
SERVICES_AT_ONCE = 500


def create(tx: Transaction, values: Mapping[str, Any], actor: str) -> MaintenanceWindow:
    """Make a window. Raises BadRequest where it is none, Conflict where its name is taken."""
    window = valid(_window(values))
    _refuse_unknown_services(tx, values)
    first = occurrence_from(window, connection.now(tx))
    if first is None:
        raise BadRequest("end_time: the window is over already.")
    times = {"next_start": first.start, "next_end": first.end}
    window_id = WINDOWS.add(tx, {**values, **times, "name_key": name_key(values["name"]), "created_by": actor})
    if window_id is None:
        raise Conflict("name: another window has this name.")
    return read(tx, window_id)


def silence(tx: Transaction, service_id: int, length: timedelta, reason: str, actor: str) -> MaintenanceWindow:
    """Make a window for one service from now on. Raises NotFound, BadRequest."""
    found = services.read(tx, service_id=service_id)
    if not found:
        raise NotFound("No service has this id.")
    if not timedelta(0) < length <= LONGEST_SILENCE:
        raise BadRequest(
            f"minutes must be at most {LONGEST_SILENCE // timedelta(minutes=1)}: {LONGEST_SILENCE.days} days."
        )
    now = connection.now(tx)
    name = f"{found[0].heartbeat_name[:120]} silenced at {now:%Y-%m-%d %H:%M:%S.%f} UTC"
    wanted = {"name": name, "start_time": now, "end_time": now + length, "service_ids": [service_id], "reason": reason}
    return create(tx, {"recurrence": None, "timezone": "UTC", "tags": [], "notify": False, **wanted}, actor)


def change(tx: Transaction, window_id: int, changes: Mapping[str, Any], version: int | None) -> MaintenanceWindow:
    """Change a window. What waited for its end is looked at anew. Raises NotFound, Stale, BadRequest, Conflict."""
    before = _locked(tx, window_id, version)
    if not changes:
        return before
    window = valid(_window({**_fields(before), **changes}))
    _refuse_unknown_services(tx, changes)
    columns = dict(changes)
    if "name" in changes:
        columns["name_key"] = name_key(changes["name"])
    next_time = occurrence_from(window, before.now)
    is_on = next_time is not None and next_time.holds(before.now)
    columns["next_start"], columns["next_end"] = (next_time.start, next_time.end) if next_time else (None, None)
    columns["began_at"] = before.began_at if is_on else None
    if not WINDOWS.update(tx, window_id, columns):
        raise Conflict("name: another window has this name.")
    _release(tx, before)
    return read(tx, window_id)


def delete(tx: Transaction, window_id: int, version: int | None) -> None:
    """Remove a window; what waited for its end is looked at anew. Raises NotFound, Stale."""
    before = _locked(tx, window_id, version)
    WINDOWS.delete(tx, window_id)
    _release(tx, before)


def read(tx: Transaction, window_id: int) -> MaintenanceWindow:
    """The window. Raises NotFound."""
    found = WINDOWS.read(tx, window_id)
    if found is None:
        raise NotFound("No maintenance window has this id.")
    return found


def turn_windows(database: Database, batch: int) -> None:
    """Note which windows have begun and ended, tell it where that is wanted, and put off what falls due in them.

    Any number of monitors may do it at once: each window turns once.
    """
    with database.transaction() as tx:
        now = connection.now(tx)
        for window in maintenance.claim_turns(tx, now):
            _turn(tx, window, now)
    deferred = batch
    while deferred == batch:
        with database.transaction() as tx:
            deferred = maintenance.defer(tx, now, batch)


def _turn(tx: Transaction, window: MaintenanceWindow, now: datetime) -> None:
    assert window.next_end is not None
    began_at = window.began_at
    if window.next_end <= now:
        if began_at is not None:
            _tell(tx, window, NoticeKind.MAINTENANCE_ENDED, f"Maintenance is over: {window.name}", _lasted(window))
        began_at = None
    following = _following(tx, window, now)
    if following is not None and following.holds(now) and began_at is None:
        began_at = now
        heading = f"Maintenance has begun: {window.name}"
        _tell(
            tx, window, NoticeKind.MAINTENANCE_STARTED, heading, f"It lasts until {following.end:%Y-%m-%d %H:%M} UTC."
        )
    maintenance.turn(tx, window.window_id, following, began_at)


def _following(tx: Transaction, window: MaintenanceWindow, now: datetime) -> Occurrence | None:
    """The time that is under way or next. One that cannot be read is over, and told: no sweep stops at it."""
    assert window.next_start is not None
    assert window.next_end is not None
    try:
        return occurrence_from(window.window, now)
    except Unreadable as error:
        if now < window.next_end:
            return Occurrence(window.next_start, window.next_end)
        heading = f"Maintenance does not come again: {window.name}"
        notices.add(tx, NoticeKind.MAINTENANCE_ENDED, heading, f"Its recurrence {error}.")
        return None


def _lasted(window: MaintenanceWindow) -> str:
    return f"It lasted {spoken(window.window.length)}. What is silent still is told now."


def _tell(tx: Transaction, window: MaintenanceWindow, kind: NoticeKind, heading: str, because: str) -> None:
    if window.notify:
        teams = maintenance.teams_of(tx, window.service_ids, window.tags)
        reason = f" {window.reason}" if window.reason else ""
        notices.add(tx, kind, heading, because + reason, team_ids=teams)


def _locked(tx: Transaction, window_id: int, version: int | None) -> MaintenanceWindow:
    found = WINDOWS.read(tx, window_id, lock=True)
    if found is None:
        raise NotFound("No maintenance window has this id.")
    if version is not None and version != found.version:
        raise Stale
    return found


def _release(tx: Transaction, before: MaintenanceWindow) -> None:
    """A window is not what it was: who waits for the end that it had is waited for as without it.

    The next sweep puts off again what is still in maintenance.
    """
    after = 0
    while found := maintenance.held_by(tx, before, after, SERVICES_AT_ONCE):
        known = [one for service_id in found if (one := settling.lock(tx, service_id)) is not None]
        natural = {
            one.service.service_id: deadlines.deadline(one.state.recent, one.expects.schedule, one.state.extensions)
            for one in known
            if one.state.recent or one.state.extensions
        }
        maintenance.await_again(tx, natural)
        after = found[-1]
    maintenance.look_soon(tx, before)


def _window(values: Mapping[str, Any]) -> Window:
    return Window(values["start_time"], values["end_time"], values["recurrence"], values["timezone"])


def _fields(window: MaintenanceWindow) -> dict[str, Any]:
    return {name: getattr(window, name) for name in OF_THE_TIME}


def _refuse_unknown_services(tx: Transaction, values: Mapping[str, Any]) -> None:
    """A window for a service that is not there would be for none; and an empty list means all."""
    wanted = values.get("service_ids") or []
    missing = sorted(set(wanted) - maintenance.existing_services(tx, wanted))
    if missing:
        raise BadRequest(f"service_ids: no service has the id {missing[0]}.")
