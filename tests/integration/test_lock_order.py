"""Who decides about a batch and who considers alerts wait for one another, and never in a circle."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import edit_triggers, executions_by_people
from medic_core.flows.consider import Rules, consider_alerts
from medic_core.store import firings
from medic_core.store.connection import Database, Transaction
from tests.builders import a_service, hears, rows
from tests.fixtures.repairing import a_playbook

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def by_another(database: Database, call: Callable[[Transaction], int]) -> int:
    with closing(Database(database._server)) as own, own.transaction() as tx:
        return call(tx)


def until_one_waits(database: Database) -> None:
    with closing(Database(database._server)) as own:
        while rows(own, WAITING) == [(0,)]:
            pass


def approve(tx: Transaction) -> int:
    return executions_by_people.decide_batch(tx, 1, "ann", 5, approved=True)


def test_an_approval_takes_services_before_its_batch(database: Database) -> None:
    for number in range(7):
        a_service(database, f"worker-{number}")
        hears(database, f"worker-{number}", SignalKind.FAILED)
    playbook_id = a_playbook(database, {"type": "wait", "duration": "1h"})
    with database.transaction() as tx:
        edit_triggers.create(tx, playbook_id, {"service_pattern": "*", "consecutive_failures": 1}, "a test")
    assert consider_alerts(database, Rules(5)).held == 7
    with ThreadPoolExecutor(1) as person:
        with database.transaction() as tx:
            # As a monitor does: the service first, and then its batch, which nobody who waits for it may hold.
            firings.lock_services(tx, [1])
            approving = person.submit(by_another, database, approve)
            until_one_waits(database)
            tx.execute("SELECT FROM medic.repair_batches FOR UPDATE NOWAIT")
        assert approving.result() == 7
