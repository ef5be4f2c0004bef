"""Services as people look for them: filtered, sorted, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from medic_core.domain.watching.names import name_key
from medic_core.store.connection import Transaction
from medic_core.store.services import COLUMNS, Service


class Sort(StrEnum):
    """What services can be listed by."""

    SERVICE_ID = "service_id"
    NAME = "heartbeat_name"
    PRIORITY = "priority"
    STATUS = "status"
    CREATED_AT = "created_at"
    LAST_HEARTBEAT_AT = "last_heartbeat_at"
    NEXT_DEADLINE_AT = "next_deadline_at"


#: The expression of each sort with its type. Those never heard come first, those not waited for last.
SORTED_BY: Final = {
    Sort.SERVICE_ID: ("s.service_id", "bigint"),
    Sort.NAME: ("s.name_key", "text"),
    Sort.PRIORITY: ("s.priority", "text"),
    Sort.STATUS: ("status.status", "text"),
    Sort.CREATED_AT: ("s.created_at", "timestamptz"),
    Sort.LAST_HEARTBEAT_AT: ("COALESCE(st.last_heartbeat_at, '-infinity')", "timestamptz"),
    Sort.NEXT_DEADLINE_AT: ("COALESCE(st.alert_after, 'infinity')", "timestamptz"),
}
#: Few of many are asked for twice: as they are known, and by the columns that an index knows them by.
#: A page begins after (value, id) of the last one, so that it costs the same however far it lies.
LISTED: Final = (
    COLUMNS  # noqa: S608 - constants
    + """
 WHERE (%(name_like)s::text IS NULL OR s.name_key LIKE %(name_like)s)
   AND (%(statuses)s::text[] IS NULL OR status.status = ANY(%(statuses)s))
   AND (%(team_id)s::bigint IS NULL OR s.team_id = %(team_id)s)
   AND (%(team_key)s::text IS NULL
        OR s.team_id = (SELECT named.team_id FROM medic.teams named WHERE named.name_key = %(team_key)s))
   AND (%(tags)s::text[] IS NULL OR s.tags @> %(tags)s)
   AND (%(priorities)s::text[] IS NULL OR s.priority = ANY(%(priorities)s))
   AND (%(active)s::boolean IS NULL OR (status.status <> 'paused') = %(active)s)
   AND ((%(active)s IS DISTINCT FROM false AND %(statuses)s IS DISTINCT FROM ARRAY['paused'])
        OR NOT s.active OR s.paused_at IS NOT NULL)
   AND (%(statuses)s IS NULL OR %(statuses)s && ARRAY['up', 'late', 'paused'] OR st.health <> 'up')
   AND (%(muted)s IS DISTINCT FROM true OR s.muted_until IS NOT NULL)
   AND (%(muted)s::boolean IS NULL OR (COALESCE(s.muted_until, '-infinity') > now()) = %(muted)s)
   AND (%(after_id)s::bigint IS NULL
        OR ({value}, s.service_id) {beyond} (%(after_value)s::text::{type}, %(after_id)s))
 ORDER BY {value} {direction}, s.service_id {direction}
 LIMIT %(limit)s
"""
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which services are listed; None does not filter. `name_like` is a LIKE pattern of name keys."""

    name_like: str | None = None
    statuses: list[str] | None = None
    team_id: int | None = None
    team_key: str | None = None
    tags: list[str] | None = None
    priorities: list[str] | None = None
    active: bool | None = None
    muted: bool | None = None


def listing(sort: Sort, *, descending: bool) -> sql.Composed:
    """The statement that lists services in an order."""
    value, kind = SORTED_BY[sort]
    return sql.SQL(LISTED).format(
        value=sql.SQL(value),
        type=sql.SQL(kind),
        direction=sql.SQL("DESC" if descending else "ASC"),
        beyond=sql.SQL("<" if descending else ">"),
    )


def listed(
    tx: Transaction, wanted: Wanted, sort: Sort, *, descending: bool, after: tuple[str, int] | None, limit: int
) -> list[Service]:
    """Services in an order, from the one after (sort value, service_id). Raises ValueError for one of another type."""
    values: dict[str, Any] = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    values |= {"after_value": after[0] if after else None, "after_id": after[1] if after else None, "limit": limit}
    try:
        with tx.cursor(row_factory=class_row(Service)) as cursor:
            return cursor.execute(listing(sort, descending=descending), values).fetchall()
    except psycopg.DataError as error:
        raise ValueError(f"not a value of {sort}") from error


def sort_value(service: Service, sort: Sort) -> str:
    """What `listed` goes on after."""
    match sort:
        case Sort.NAME:
            return name_key(service.heartbeat_name)
        case Sort.LAST_HEARTBEAT_AT:
            return str(service.last_heartbeat_at or "-infinity")
        case Sort.NEXT_DEADLINE_AT:
            return str(service.alert_after or "infinity")
        case _:
            return str(getattr(service, sort))
