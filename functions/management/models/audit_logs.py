"""The audit log, as it is read and as a spreadsheet takes it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, JsonValue

from medic_core.api.answers import rfc3339
from medic_core.domain.repair.audit import AuditAction
from medic_core.store.audit_log import LogRow

COLUMNS = ("log_id", "execution_id", "playbook_id", "service_id", "action_type", "actor", "timestamp", "details")
#: A cell that begins so, whatever space stands before it, is a formula to spreadsheets.
FORMULAS = ("=", "+", "-", "@")
SPACE = ("\t", "\r", "\n")


class ReadEntry(BaseModel):
    """Something that happened."""

    log_id: int
    execution_id: int | None
    playbook_id: int | None
    service_id: int | None
    action_type: AuditAction
    details: dict[str, JsonValue]
    actor: str | None
    timestamp: datetime


def read_entry(row: LogRow) -> ReadEntry:
    """A row as it is shown."""
    return ReadEntry(
        log_id=row.log_id,
        execution_id=row.execution_id,
        playbook_id=row.playbook_id,
        service_id=row.service_id,
        action_type=AuditAction(row.action_type),
        details=row.details,
        actor=row.actor,
        timestamp=row.at,
    )


def as_csv(rows: Sequence[LogRow]) -> str:
    """The rows as a table, which no spreadsheet computes."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for row in rows:
        ids = (row.log_id, row.execution_id, row.playbook_id, row.service_id)
        cells = (row.action_type, row.actor or "", rfc3339(row.at), json.dumps(row.details))
        table.writerow([*ids, *(_defused(cell) for cell in cells)])
    return text.getvalue()


def _defused(cell: str) -> str:
    return f"'{cell}" if cell.startswith(SPACE) or cell.lstrip().startswith(FORMULAS) else cell
