"""What repairs leave behind is kept for its time, and then away."""

from __future__ import annotations

from datetime import timedelta

from medic_core.flows.housekeep import EXECUTION_DAYS, housekeep
from medic_core.store.connection import Database
from tests.builders import rows, time_passes
from tests.fixtures.repairing import Hand, a_playbook, started

KEPT = """
SELECT (SELECT array_agg(execution_id ORDER BY execution_id) FROM medic.playbook_executions),
       (SELECT count(*) FROM medic.playbook_step_results)
"""


def test_executions_that_have_ended_are_forgotten_in_time_with_their_steps(database: Database) -> None:
    playbook_id = a_playbook(database, {"type": "wait", "duration": "1s"})
    assert Hand(database, started(database, playbook_id)).to_the_end() == "succeeded"
    waiting = started(database, a_playbook(database, {"type": "wait", "duration": "1s"}, approval="required"))
    time_passes(database, timedelta(days=EXECUTION_DAYS - 1))
    housekeep(database)
    assert rows(database, KEPT) == [([1, waiting], 1)]
    time_passes(database, timedelta(days=2))
    assert housekeep(database).rows_forgotten > 0
    assert rows(database, KEPT) == [([waiting], 0)]
    assert rows(database, "SELECT count(*) FROM medic.playbook_versions") == [(2,)]
