"""Notices: what there is to tell besides alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg.rows import dict_row, scalar_row

from medic_core.domain.routing.messages import Notice, NoticeKind
from medic_core.store.connection import Transaction

ADD: Final = """
WITH added AS (
    INSERT INTO medic.notices (kind, heading, because, at, team_ids, only_target_key, not_target_key, request_id)
    VALUES (%(kind)s, %(heading)s, %(because)s, now(), %(team_ids)s, %(only)s, %(besides)s, %(request_id)s)
    RETURNING notice_id
), told AS (
    INSERT INTO medic.outbox (topic, subject_id) SELECT 'notice', notice_id FROM added
)
SELECT notice_id FROM added
"""


def add(
    tx: Transaction,
    kind: NoticeKind,
    heading: str,
    because: str,
    *,
    team_ids: Sequence[int] = (),
    only: str | None = None,
    besides: str | None = None,
    request_id: int | None = None,
) -> int:
    """Write a notice that is to be told: on the default channel and to these teams, or to one target `only`.

    One about a target is told all `besides` that target. `request_id` is the approval that it is about.
    """
    values: dict[str, Any] = {
        "kind": kind,
        "heading": heading,
        "because": because,
        "team_ids": list(team_ids),
        "only": only,
        "besides": besides,
        "request_id": request_id,
    }
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(ADD, values).fetchone()
    assert isinstance(found, int)
    return found


READ: Final = """
SELECT notice_id, kind, heading, because, at, team_ids, only_target_key AS only, not_target_key AS besides, request_id
  FROM medic.notices WHERE notice_id = %(notice_id)s
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A notice, the teams that it is for, the target that alone hears of it, the one that does not, its approval."""

    notice: Notice
    team_ids: list[int]
    only: str | None
    besides: str | None
    request_id: int | None


def read(tx: Transaction, notice_id: int) -> Kept | None:
    """A notice and who is to hear of it."""
    with tx.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(READ, {"notice_id": notice_id}).fetchone()
    if row is None:
        return None
    notice = Notice(row["notice_id"], NoticeKind(row["kind"]), row["heading"], row["because"], row["at"])
    return Kept(notice, row["team_ids"], row["only"], row["besides"], row["request_id"])


FORGET: Final = """
DELETE FROM medic.notices WHERE notice_id IN (
    SELECT notice_id FROM medic.notices n
     WHERE at < now() - %(days)s * interval '1 day'
       AND NOT EXISTS (SELECT FROM medic.notification_deliveries d WHERE d.notice_id = n.notice_id) LIMIT 10000
)
"""


def forget(tx: Transaction, days: int) -> int:
    """Remove old notices whose deliveries are gone; returns how many, 10,000 at most."""
    return tx.execute(FORGET, {"days": days}).rowcount
