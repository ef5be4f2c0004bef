"""Approval requests: asked for, decided once, or over by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from psycopg.rows import class_row, dict_row, scalar_row

from medic_core.domain.repair.approvals import Rules, Voter
from medic_core.domain.routing.messages import Question
from medic_core.store.connection import Transaction
from medic_core.store.gathering import gathered


class ApprovalStatus(StrEnum):
    """What became of a request."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  #: its execution ended otherwise


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's word."""

    approved: bool
    shown: str
    via: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """A request, the votes in their order, and whether it has reached somebody. `now` is when this was read."""

    request_id: int
    execution_id: int
    step_index: int | None
    approvers: list[str]
    approvers_required: int
    not_by: list[str]
    steps: list[str]
    message: str
    requested_at: datetime
    expires_at: datetime
    status: ApprovalStatus
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    votes: list[Vote]
    delivered: bool
    now: datetime

    @property
    def agreed(self) -> int:
        """How many have."""
        return sum(vote.approved for vote in self.votes)

    @property
    def is_open(self) -> bool:
        """Whether it can still be decided."""
        return self.status is ApprovalStatus.PENDING and self.now < self.expires_at

    @property
    def rules(self) -> Rules:
        """Who may decide."""
        return Rules(tuple(self.approvers), self.approvers_required, tuple(self.not_by))


@dataclass(frozen=True, slots=True)
class New:
    """A request to write. `steps` say what would follow, a line each; `remind_at` is when people hear of it again."""

    execution_id: int
    step_index: int | None
    rules: Rules
    message: str
    steps: Sequence[str]
    expires_at: datetime
    remind_at: datetime | None


ADD: Final = """
INSERT INTO medic.approval_requests
       (execution_id, step_index, approvers, approvers_required, not_by, message, steps, expires_at, remind_at)
VALUES (%(execution_id)s, %(step_index)s, %(approvers)s, %(required)s, %(not_by)s, %(message)s, %(steps)s,
        %(expires_at)s, %(remind_at)s)
RETURNING request_id
"""


def add(tx: Transaction, new: New) -> int:
    """Write a request; its id. Who is asked hears of it by a notice that names it."""
    values = {
        "execution_id": new.execution_id,
        "step_index": new.step_index,
        "approvers": list(new.rules.approvers),
        "required": new.rules.required,
        "not_by": list(new.rules.not_by),
        "message": new.message,
        "steps": list(new.steps),
        "expires_at": new.expires_at,
        "remind_at": new.remind_at,
    }
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(ADD, values).fetchone()
    assert isinstance(found, int)
    return found


#: The clock and not the transaction's beginning: who waited for a lock is told what is so now.
READ: Final = """
SELECT a.request_id, a.execution_id, a.step_index, a.approvers, a.approvers_required, a.not_by, a.steps, a.message,
       a.requested_at, a.expires_at, a.status, a.decided_by, a.decided_at, a.reason, clock_timestamp() AS now,
       ARRAY(SELECT ROW(v.approved, v.shown, v.via, v.reason, v.at)
               FROM medic.approval_votes v WHERE v.request_id = a.request_id ORDER BY v.at, v.voter) AS votes,
       EXISTS (SELECT FROM medic.notices n JOIN medic.notification_deliveries d USING (notice_id)
                WHERE n.request_id = a.request_id AND n.kind IN ('approval_requested', 'approval_reminder')
                  AND d.status = 'success') AS delivered
  FROM medic.approval_requests a
 WHERE (%(request_id)s::bigint IS NULL OR a.request_id = %(request_id)s)
   AND (%(execution_id)s::bigint IS NULL OR a.execution_id = %(execution_id)s)
 ORDER BY a.request_id DESC LIMIT 1
"""


def newest(tx: Transaction, execution_id: int) -> Request | None:
    """The last request of an execution."""
    return _read(tx, None, execution_id)


def read(tx: Transaction, request_id: int) -> Request | None:
    """A request."""
    return _read(tx, request_id, None)


def _read(tx: Transaction, request_id: int | None, execution_id: int | None) -> Request | None:
    found = gathered(tx, READ, request_id=request_id, execution_id=execution_id)
    if found is None:
        return None
    votes = [Vote(*one) for one in found["votes"]]
    return Request(**{**found, "status": ApprovalStatus(found["status"]), "votes": votes})


#: Locked until the delivery that reads it is committed as taken: whoever ends the request meanwhile ends it afterwards,
#: and then it shows that somebody was being asked.
QUESTION: Final = """
SELECT a.request_id, a.execution_id, p.name AS playbook_name, e.version, s.heartbeat_name, e.started_by AS asked_by,
       a.steps, a.approvers, a.approvers_required, a.not_by, a.expires_at,
       a.status = 'pending' AND a.expires_at > now() AS is_open,
       CASE a.status WHEN 'approved' THEN true WHEN 'rejected' THEN false END AS approved
  FROM medic.approval_requests a JOIN medic.playbook_executions e USING (execution_id)
  JOIN medic.playbooks p USING (playbook_id) LEFT JOIN medic.services s USING (service_id)
 WHERE a.request_id = %(request_id)s
   FOR SHARE OF a
"""


def question(tx: Transaction, request_id: int) -> Question | None:
    """A request as messages speak of it, without a link yet. It stays so until the transaction ends."""
    with tx.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(QUESTION, {"request_id": request_id}).fetchone()
    if row is None:
        return None
    rules = Rules(tuple(row["approvers"]), row["approvers_required"], tuple(row.pop("not_by")))
    told = {"steps": tuple(row["steps"]), "approvers": rules.approvers, "wants_identity": rules.wants_identity}
    return Question(**{**row, **told})


#: Whoever rejects after having agreed has changed their mind; the other way round they have not.
VOTE: Final = """
INSERT INTO medic.approval_votes AS v (request_id, voter, approved, shown, via, reason)
VALUES (%(request_id)s, %(voter)s, %(approved)s, %(shown)s, %(via)s, %(reason)s)
ON CONFLICT (request_id, voter) DO UPDATE
   SET approved = false, shown = EXCLUDED.shown, via = EXCLUDED.via, reason = EXCLUDED.reason, at = now()
 WHERE v.approved AND NOT EXCLUDED.approved
RETURNING (SELECT count(*)::int FROM medic.approval_votes o
            WHERE o.request_id = %(request_id)s AND o.approved AND o.voter <> %(voter)s) + %(approved)s::int
"""


def vote(tx: Transaction, request_id: int, voter: Voter, reason: str, *, approved: bool) -> int | None:
    """Keep a vote; how many have agreed then, None where this voter has voted before."""
    values = {
        "request_id": request_id,
        "voter": voter.key,
        "approved": approved,
        "shown": voter.shown,
        "via": voter.via,
        "reason": reason,
    }
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(VOTE, values).fetchone()


#: One decision, whoever is faster: the row is pending and in time, or nothing is changed.
DECIDE: Final = """
UPDATE medic.approval_requests
   SET status = %(status)s, decided_by = %(decided_by)s, decided_at = now(), reason = %(reason)s, remind_at = NULL
 WHERE request_id = %(request_id)s AND status = 'pending' AND expires_at > clock_timestamp()
RETURNING request_id
"""


def decide(tx: Transaction, request_id: int, status: ApprovalStatus, decided_by: str, reason: str) -> bool:
    """Take a decision; False where there is none to take (any more)."""
    values = {"request_id": request_id, "status": status, "decided_by": decided_by, "reason": reason}
    return tx.execute(DECIDE, values).fetchone() is not None


END: Final = """
UPDATE medic.approval_requests
   SET status = %(status)s, decided_at = now(), reason = %(reason)s, remind_at = NULL
 WHERE execution_id = %(execution_id)s AND status = 'pending'
RETURNING request_id
"""


def end(tx: Transaction, execution_id: int, status: ApprovalStatus, reason: str) -> int | None:
    """It is over without anybody's decision; the request, None where none was pending."""
    values = {"execution_id": execution_id, "status": status, "reason": reason}
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(END, values).fetchone()


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
    approvers_required: int
    agreed: int
    requested_at: datetime
    expires_at: datetime


PENDING: Final = """
SELECT a.request_id, a.execution_id, e.playbook_id, p.name AS playbook_name, s.heartbeat_name, a.message, a.approvers,
       a.approvers_required, a.requested_at, a.expires_at,
       (SELECT count(*)::int FROM medic.approval_votes v WHERE v.request_id = a.request_id AND v.approved) AS agreed
  FROM medic.approval_requests a JOIN medic.playbook_executions e USING (execution_id)
  JOIN medic.playbooks p USING (playbook_id) LEFT JOIN medic.services s USING (service_id)
 WHERE a.status = 'pending' AND a.request_id > %(after)s ORDER BY a.request_id LIMIT %(limit)s
"""


def pending(tx: Transaction, after: int, limit: int) -> list[Pending]:
    """Requests that wait, oldest first."""
    with tx.cursor(row_factory=class_row(Pending)) as cursor:
        return cursor.execute(PENDING, {"after": after, "limit": limit}).fetchall()
