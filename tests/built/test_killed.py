"""A turn of an execution is killed at the function's timeout, in the middle of what it writes."""

from __future__ import annotations

from typing import Any

import psycopg

from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows
from tests.built.driving import Start
from tests.built.test_bad_events import content
from tests.fixtures.repairing import a_playbook, started

#: Written last, when the execution has already moved on in the same transaction.
WRITTEN_LAST = "LOCK TABLE medic.remediation_audit_log IN EXCLUSIVE MODE"
RUN = "SELECT engine_name FROM medic.playbook_executions WHERE execution_id = %(id)s"


def test_a_turn_that_was_killed_is_taken_whole_by_the_next_invocation(start: Start, database: Database) -> None:
    service_id = a_service(database)
    hears(database)
    execution_id = started(database, a_playbook(database, {"type": "approval", "message": "Restart it?"}), service_id)
    ((engine_name,),) = rows(database, RUN, id=execution_id)
    event: dict[str, Any] = {"execution_id": execution_id, "engine_name": engine_name, "seq": 0, "outcome": {}}
    before = content(database)
    function = start("AdvanceFunction", AWS_LAMBDA_FUNCTION_TIMEOUT="8")
    with database.autocommit() as connection:
        place = connection.info
        holder = psycopg.connect(host=place.host, port=place.port, dbname=place.dbname, user=place.user)
    with holder:
        holder.execute(WRITTEN_LAST)
        assert "timed out" in str(function.invoke(event).payload)
        assert content(database) == before
    directive = function.invoke(event).payload
    assert (directive["kind"], directive["seq"]) == ("approval", 1)
    assert function.invoke(event).payload == directive
    assert len(function.init_milliseconds) == 2
    asked = "SELECT count(*) FROM medic.approval_requests WHERE execution_id = %(id)s"
    assert rows(database, asked, id=execution_id) == [(1,)]
