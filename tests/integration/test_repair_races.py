"""Two of them at once: people who edit the same thing, runners of the same step, a trigger and a deletion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import TypeVar

import pytest

from medic_core.adapters import safe_http
from medic_core.errors import MedicError
from medic_core.flows import advance, call_webhook, edit_playbooks, edit_triggers, scripts
from medic_core.flows.advance import Call
from medic_core.store import executions
from medic_core.store.connection import Database, Transaction
from tests.builders import rows, time_passes
from tests.fixtures.repairing import MEANS, SECRETS, Hand, a_playbook, started
from tests.stand_ins import receivers
from tests.stand_ins.receivers import Answer, Receiver

Result = TypeVar("Result")
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"


@pytest.fixture
def remedy() -> Iterator[Receiver]:
    found = receivers.remedy(lambda _: Answer(200, {"done": True}))
    yield found
    found.close()


def by_another(database: Database, call: Callable[[Transaction], object]) -> str:
    """What comes of a change that somebody else makes, over a connection of their own."""
    with closing(Database(database._server)) as own:
        try:
            with own.transaction() as tx:
                call(tx)
        except MedicError as refused:
            return type(refused).__name__
        return "done"


def directive_of_another(database: Database, call: Call) -> str:
    with closing(Database(database._server)) as own:
        return str(advance.advance(own, call, MEANS).directive["kind"])


def until_it_waits(database: Database, other: Future[str]) -> None:
    """Until somebody waits for a lock, or needed none."""
    with closing(Database(database._server)) as own:
        while not other.done() and rows(own, WAITING) == [(0,)]:
            pass


def edit(text: str, version: int | None) -> Callable[[Transaction], object]:
    content = f"name: shared\nsteps: [{{name: {text}, type: wait, duration: 1s}}]"
    return lambda tx: edit_playbooks.change(tx, 1, content, "a test", version)


@pytest.mark.parametrize(("version", "expected"), [(1, "Stale"), (None, "done")])
def test_who_edits_a_playbook_second_hears_so(database: Database, version: int | None, expected: str) -> None:
    a_playbook(database, {"type": "wait", "duration": "1m"})
    with ThreadPoolExecutor(1) as others, database.transaction() as tx:
        edit("first", 1)(tx)
        other = others.submit(by_another, database, edit("second", version))
        until_it_waits(database, other)
        # The first one commits here.
        tx.execute("COMMIT")
        assert other.result() == expected
    assert rows(database, "SELECT max(version) FROM medic.playbook_versions") == [(2 if version else 3,)]


def test_who_edits_a_script_second_edits_what_the_first_has_written(database: Database) -> None:
    first = {"content": "echo one", "interpreter": "bash", "timeout_seconds": 30}
    with database.transaction() as tx:
        script_id = scripts.create(tx, {"name": "restart", **first}, "ann").script_id
    with ThreadPoolExecutor(1) as others:
        with database.transaction() as tx:
            scripts.change(tx, script_id, {"content": "echo two"}, "ann", None)
            edit = {"timeout_seconds": 60}
            other = others.submit(by_another, database, lambda tx: scripts.change(tx, script_id, edit, "bob", None))
            until_it_waits(database, other)
        assert other.result() == "done"
    query = "SELECT version, content, timeout_seconds, created_by FROM medic.script_versions ORDER BY version"
    assert rows(database, query) == [(1, "echo one", 30, "ann"), (2, "echo two", 30, "ann"), (3, "echo two", 60, "bob")]


def test_no_trigger_is_made_for_a_playbook_that_is_being_deleted(database: Database) -> None:
    a_playbook(database, {"type": "wait", "duration": "1m"})
    with ThreadPoolExecutor(1) as others, database.transaction() as tx:
        edit_playbooks.delete(tx, 1, "a test", None)
        make = lambda tx: edit_triggers.create(tx, 1, {"service_pattern": "*"}, "a test")  # noqa: E731
        other = others.submit(by_another, database, make)
        until_it_waits(database, other)
        tx.execute("COMMIT")
        assert other.result() == "NotFound"
    assert rows(database, "SELECT count(*) FROM medic.playbook_triggers") == [(0,)]


@pytest.mark.parametrize(("method", "most"), [("POST", 1), ("PUT", 8)])
def test_runners_of_the_same_step_at_once(database: Database, remedy: Receiver, method: str, most: int) -> None:
    """A POST leaves once, whichever of them is first; what may be repeated carries the same key."""
    host = remedy.url.removeprefix("http://")
    playbook_id = a_playbook(database, {"type": "webhook", "url": f"{remedy.url}/do", "method": method})
    for _ in range(5):
        remedy.received.clear()
        hand = Hand(database, started(database, playbook_id), (host,))
        hand.turn()

        def run(_: int, hand: Hand = hand) -> bool:
            means = call_webhook.Means(safe_http.request, SECRETS, (host,))
            with closing(Database(database._server)) as own:
                return call_webhook.call(own, hand.execution_id, hand.state["engine_name"], hand.state["seq"], means)

        with ThreadPoolExecutor(8) as runners:
            assert Counter(runners.map(run, range(8))) == {True: 8}
        assert 1 <= len(remedy.received) <= most
        assert {one.headers["idempotency-key"] for one in remedy.received} == {f"medic-{hand.execution_id}-0-1"}


def test_a_turn_that_waited_for_a_runner_knows_that_it_had_begun(database: Database, remedy: Receiver) -> None:
    """The state machine gives a POST up at the very moment at which its runner begins: it is not sent again."""
    hand = Hand(database, started(database, a_playbook(database, {"type": "webhook", "url": f"{remedy.url}/do"})))
    hand.turn()
    with ThreadPoolExecutor(1) as others, database.transaction() as tx:
        locked = executions.lock(tx, hand.execution_id)
        assert locked is not None
        executions.mark_sent(tx, hand.execution_id, locked.engine_name, locked.seq)
        call = hand.call(Error="Lambda.Unknown")
        other = others.submit(directive_of_another, database, call)
        until_it_waits(database, other)
        tx.execute("COMMIT")
        assert other.result() == "fail"
    assert hand.outcome() == "unknown"


DELIVERED = """
    INSERT INTO medic.notification_deliveries (notice_id, channel, target_key, status, attempts, because)
    SELECT notice_id, 'slack', 'default:slack', 'success', 1, '' FROM medic.notices WHERE request_id IS NOT NULL
    RETURNING 1
"""


@pytest.mark.parametrize(("is_delivered", "expected"), [(True, "wait"), (False, "fail")])
def test_silence_counts_the_same_where_the_state_machine_has_lost_it(
    database: Database, is_delivered: bool, expected: str
) -> None:
    """Nobody answers in time, and the run that should have said so is gone: the next one finds the time over."""
    hand = Hand(
        database, started(database, a_playbook(database, {"type": "wait", "duration": "1h"}, approval="timeout:10m"))
    )
    assert hand.turn()["kind"] == "approval"
    if is_delivered:
        rows(database, DELIVERED)
    assert hand.turn(Error="Lambda.Unknown")["kind"] == "approval"
    time_passes(database, timedelta(minutes=11))
    assert hand.turn(Error="Lambda.Unknown")["kind"] == expected
