"""Approval requests: asked for, decided once, or over by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from psycopg.rows import class_row, scalar_row

from medic_core.store.connection import Transaction


class ApprovalStatus(StrEnum):
    """What became of a request."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  #: its execution ended otherwise


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and whether it had reached somebody."""

    request_id: int
    execution_id: int
    step_index: int | None
    approvers: list[str]
    message: str
    requested_at: datetime
    expires_at: datetime
    status: ApprovalStatus
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    delivered: bool


ADD: Final = """
INSERT INTO medic.approval_requests (execution_id, step_index, approvers, message, expires_at, notice_id)
VALUES (%(execution_id)s, %(step_index)s, %(approvers)s, %(message)s, %(expires_at)s, %(notice_id)s)
"""


def add(
    tx: Transaction,
    execution_id: int,
    step_index: int | None,
    approvers: Sequence[str],
    message: str,
    expires_at: datetime,
    notice_id: int,
) -> None:
    """Write a request; who is asked hears of it by the notice."""
    tx.execute(
        ADD,
        {
            "execution_id": execution_id,
            "step_index": step_index,
            "approvers": list(approvers),
            "message": message,
            "expires_at": expires_at,
            "notice_id": notice_id,
        },
    )


NEWEST: Final = """
SELECT a.request_id, a.execution_id, a.step_index, a.approvers, a.message, a.requested_at, a.expires_at, a.status,
       a.decided_by, a.decided_at, a.reason,
       EXISTS (SELECT FROM medic.notification_deliveries d
                WHERE d.notice_id = a.notice_id AND d.status = 'success') AS delivered
  FROM medic.approval_requests a WHERE a.execution_id = %(execution_id)s ORDER BY a.request_id DESC LIMIT 1
"""


def newest(tx: Transaction, execution_id: int) -> Request | None:
    """The last request of an execution."""
    with tx.cursor(row_factory=class_row(Request)) as cursor:
        found = cursor.execute(NEWEST, {"execution_id": execution_id}).fetchone()
    return replace(found, status=ApprovalStatus(found.status)) if found is not None else None


KEEP_TOKEN: Final = "UPDATE medic.approval_requests SET task_token = %(token)s WHERE request_id = %(request_id)s"


def keep_token(tx: Transaction, request_id: int, token: bytes) -> None:
    """Keep what lets the state machine go on."""
    tx.execute(KEEP_TOKEN, {"request_id": request_id, "token": token})


TOKEN: Final = "SELECT task_token, execution_id FROM medic.approval_requests WHERE request_id = %(request_id)s"


def token(tx: Transaction, request_id: int) -> tuple[bytes | None, int] | None:
    """A request's sealed token, None where the state machine has not come to wait yet; and its execution."""
    return tx.execute(TOKEN, {"request_id": request_id}).fetchone()


#: One decision, whoever is faster: the row is pending and in time, or nothing is changed.
DECIDE: Final = """
UPDATE medic.approval_requests
   SET status = %(status)s, decided_by = %(decided_by)s, decided_at = now(), reason = %(reason)s
 WHERE execution_id = %(execution_id)s AND status = 'pending' AND expires_at > now()
RETURNING request_id
"""


def decide(tx: Transaction, execution_id: int, status: ApprovalStatus, decided_by: str, reason: str) -> int | None:
    """Take a decision; the request that it is about, None where there is none to decide (any more)."""
    values = {"execution_id": execution_id, "status": status, "decided_by": decided_by, "reason": reason}
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(DECIDE, values).fetchone()


END: Final = """
UPDATE medic.approval_requests
   SET status = %(status)s, decided_at = now(), reason = %(reason)s
 WHERE execution_id = %(execution_id)s AND status = 'pending'
RETURNING request_id
"""


def end(tx: Transaction, execution_id: int, status: ApprovalStatus, reason: str) -> bool:
    """It is over without anybody's decision; whether it was pending."""
    values = {"execution_id": execution_id, "status": status, "reason": reason}
    return tx.execute(END, values).fetchone() is not None


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits, with what it is about."""

    request_id: int
    execution_id: int
    playbook_id: int
    playbook_name: str
    heartbeat_name: str | None
    message: str
    approvers: list[str]
    requested_at: datetime
    expires_at: datetime


PENDING: Final = """
SELECT a.request_id, a.execution_id, e.playbook_id, p.name AS playbook_name, s.heartbeat_name, a.message, a.approvers,
       a.requested_at, a.expires_at
  FROM medic.approval_requests a JOIN medic.playbook_executions e USING (execution_id)
  JOIN medic.playbooks p USING (playbook_id) LEFT JOIN medic.services s USING (service_id)
 WHERE a.status = 'pending' AND a.request_id > %(after)s ORDER BY a.request_id LIMIT %(limit)s
"""


def pending(tx: Transaction, after: int, limit: int) -> list[Pending]:
    """Requests that wait, oldest first."""
    with tx.cursor(row_factory=class_row(Pending)) as cursor:
        return cursor.execute(PENDING, {"after": after, "limit": limit}).fetchall()
