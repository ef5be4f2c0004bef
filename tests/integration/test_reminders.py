"""People hear again of what waits for them: of approvals in their time, of all together, of batches that are over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.routing.targets import Defaults
from medic_core.flows import approve
from medic_core.flows.expire_batches import expire_batches
from medic_core.flows.plan_deliveries import plan_notice
from medic_core.flows.remind_approvals import remind_approvals, tell_what_waits
from medic_core.store import repair_batches
from medic_core.store.connection import Database
from tests.builders import a_service, at_once, rows, time_passes
from tests.fixtures.approving import person
from tests.fixtures.repairing import Hand, a_playbook, started

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
REMINDERS = "SELECT heading, because, request_id FROM medic.notices WHERE kind = 'approval_reminder' ORDER BY notice_id"
DIGESTS = "SELECT heading, because FROM medic.notices WHERE kind = 'approvals_waiting' ORDER BY notice_id"
STATE = "SELECT reminders, remind_at IS NULL FROM medic.approval_requests ORDER BY request_id"


def asks(database: Database, minutes: int = 100, service_id: int | None = None, **more: Any) -> Hand:
    """An execution whose approval waits for so long."""
    step = {"type": "approval", "message": "may I restart it?", "timeout": f"{minutes}m", **more}
    hand = Hand(database, started(database, a_playbook(database, step), service_id))
    assert hand.turn()["kind"] == "approval"
    return hand


def reminded(database: Database) -> int:
    return len(rows(database, "SELECT FROM medic.remediation_audit_log WHERE action_type = 'approval_reminded'"))


@contextmanager
def killed(database: Database) -> Iterator[None]:
    """Whoever works dies before its transaction ends."""
    with suppress(RuntimeError), database.transaction():
        yield
        raise RuntimeError


# Of one approval.


def test_people_are_reminded_at_half_and_at_four_fifths_of_its_life(database: Database) -> None:
    asks(database, 100, a_service(database, team="infra"), approvers=["ann", "bob"], approvers_required=2)
    with database.transaction() as tx:
        approve.decide(tx, 1, person("ann"), "", approved=True)
    time_passes(database, 49 * MINUTE)
    assert remind_approvals(database) == 0
    time_passes(database, MINUTE)
    assert [remind_approvals(database) for _ in range(2)] == [1, 0]
    time_passes(database, 30 * MINUTE)
    assert [remind_approvals(database) for _ in range(2)] == [1, 0]
    time_passes(database, 19 * MINUTE)
    assert remind_approvals(database) == 0
    first, second = rows(database, REMINDERS)
    assert re.fullmatch(
        r"Still waiting: may Medic repair nightly-backup\? Playbook 'playbook-\w+', execution 1", first[0]
    )
    assert re.match(r"may I restart it\? 1 of 2 have agreed\. Left to decide: (49|50) min", first[1])
    assert re.match(r"may I restart it\? 1 of 2 have agreed\. Left to decide: (19|20) min", second[1])
    assert (first[2], second[2], rows(database, STATE)) == (1, 1, [(2, True)])
    told = "SELECT actor, execution_id, playbook_id, service_id, details FROM medic.remediation_audit_log"
    (_, entry) = rows(database, f"{told} WHERE action_type = 'approval_reminded' ORDER BY log_id")
    assert entry[:4] == (None, 1, 1, 1)
    assert {name: entry[4][name] for name in ("request_id", "reminder", "agreed", "approvers_required")} == {
        "request_id": 1,
        "reminder": 2,
        "agreed": 1,
        "approvers_required": 2,
    }


def test_the_reminder_goes_to_the_team_and_the_default_channel(database: Database) -> None:
    service_id = a_service(database, team="infra")
    rows(database, "UPDATE medic.teams SET slack_channel_id = 'C2' RETURNING 1")
    asks(database, 100, service_id)
    time_passes(database, 51 * MINUTE)
    remind_approvals(database)
    ((notice_id,),) = rows(database, "SELECT notice_id FROM medic.notices WHERE kind = 'approval_reminder'")
    assert len(plan_notice(database, notice_id, Defaults("C1")).now) == 2


@pytest.mark.parametrize(("late", "reminders"), [(79, 1), (81, 2)])
def test_one_that_is_late_reminds_once_for_all_that_is_behind_it(database: Database, late: int, reminders: int) -> None:
    asks(database)
    time_passes(database, late * MINUTE)
    assert [remind_approvals(database) for _ in range(2)] == [1, 0]
    assert rows(database, STATE) == [(reminders, reminders == 2)]


def test_what_is_over_or_decided_reminds_of_nothing(database: Database) -> None:
    asks(database)
    asks(database)
    with database.transaction() as tx:
        approve.decide(tx, 2, person("ann"), "", approved=True)
    time_passes(database, 101 * MINUTE)
    assert remind_approvals(database) == 0
    assert rows(database, REMINDERS) == []


def test_eight_monitors_remind_of_each_once(database: Database) -> None:
    for _ in range(60):
        asks(database)
    time_passes(database, 55 * MINUTE)
    assert sum(at_once(database, [lambda own: remind_approvals(own, batch=7)] * 8)) == 60
    assert len(rows(database, REMINDERS)) == reminded(database) == 60
    assert rows(
        database,
        "SELECT count(*) FROM medic.outbox o JOIN medic.notices n ON n.notice_id = o.subject_id"
        " WHERE o.topic = 'notice' AND n.kind = 'approval_reminder'",
    ) == [(60,)]


def test_who_is_killed_while_reminding_leaves_it_to_the_next(database: Database) -> None:
    asks(database)
    time_passes(database, 55 * MINUTE)
    with killed(database):
        assert remind_approvals(database) == 1
    assert (rows(database, REMINDERS), reminded(database), rows(database, STATE)) == ([], 0, [(0, False)])
    assert remind_approvals(database) == 1
    assert len(rows(database, REMINDERS)) == reminded(database) == 1


def test_a_vote_is_let_in_while_somebody_reminds(database: Database) -> None:
    asks(database, approvers_required=2)
    time_passes(database, 55 * MINUTE)

    def votes(own: Database) -> None:
        with own.transaction() as tx:
            tx.execute("SET LOCAL lock_timeout = '2s'")
            approve.decide(tx, 1, person("ann"), "", approved=True)

    with database.transaction():
        assert remind_approvals(database) == 1
        at_once(database, [votes], workers=1)
    assert len(rows(database, REMINDERS)) == 1


# Of all together.


def test_all_that_wait_are_told_together_once_an_hour(database: Database) -> None:
    asks(database, 6 * 60, a_service(database, "worker"))
    assert not tell_what_waits(database)
    time_passes(database, 40 * MINUTE)
    assert not tell_what_waits(database)
    asks(database, 6 * 60)
    assert [tell_what_waits(database) for _ in range(2)] == [True, False]
    ((heading, because),) = rows(database, DIGESTS)
    assert heading.startswith("2 approvals wait, the first for 40 min")
    first, second = because.splitlines()
    assert " for worker, since " in first
    assert first.endswith("(execution 1)")
    assert " for no service, since " in second
    time_passes(database, 59 * MINUTE)
    assert not tell_what_waits(database)
    time_passes(database, MINUTE)
    assert tell_what_waits(database)
    with database.transaction() as tx:
        approve.decide(tx, 1, person("ann"), "", approved=True)
    time_passes(database, 2 * HOUR)
    assert not tell_what_waits(database)


def test_nobody_hears_again_of_what_was_asked_just_now_or_is_over(database: Database) -> None:
    for _ in range(3):
        asks(database, 60)
    time_passes(database, 29 * MINUTE)
    assert not tell_what_waits(database)
    time_passes(database, 32 * MINUTE)
    assert not tell_what_waits(database)


def test_eight_monitors_tell_of_all_once(database: Database) -> None:
    for _ in range(25):
        asks(database)
    time_passes(database, 35 * MINUTE)
    assert sorted(at_once(database, [tell_what_waits] * 24)) == [False] * 23 + [True]
    ((heading, because),) = rows(database, DIGESTS)
    assert heading.startswith("25 approvals wait")
    assert len(because.splitlines()) == 21
    assert because.endswith("… and 5 more")
    with killed(database):
        time_passes(database, HOUR)
        assert tell_what_waits(database)
    assert len(rows(database, DIGESTS)) == 1


# Of batches.

BATCHES = "SELECT batch_id, status FROM medic.repair_batches ORDER BY batch_id"
ENDED = (
    "SELECT playbook_id, details FROM medic.remediation_audit_log WHERE action_type = 'batch_expired' ORDER BY log_id"
)


def batches(database: Database, *hours: int) -> None:
    """Batches that are decided about within so many hours, each of a trigger of its own."""
    playbook_id = a_playbook(database, {"type": "wait", "duration": "1s"})
    trigger = """
        INSERT INTO medic.playbook_triggers (playbook_id, service_pattern) VALUES (%(id)s, '*') RETURNING trigger_id
    """
    with database.transaction() as tx:
        for number in hours:
            (trigger_id,) = tx.execute(trigger, {"id": playbook_id}).fetchone() or (0,)
            repair_batches.open_for(tx, trigger_id, "many at once", timedelta(hours=number))


def expires(database: Database) -> int:
    with database.transaction() as tx:
        return expire_batches(tx)


def test_batches_that_nobody_decided_in_time_end_and_people_hear_so(database: Database) -> None:
    batches(database, 1, 3)
    time_passes(database, 2 * HOUR)
    assert [expires(database) for _ in range(2)] == [1, 0]
    assert rows(database, BATCHES) == [(1, "expired"), (2, "pending")]
    assert rows(database, ENDED) == [(1, {"batch_id": 1, "trigger_id": 1, "services": 0})]
    ((heading,),) = rows(database, "SELECT heading FROM medic.notices WHERE kind = 'execution_blocked'")
    assert heading == "Nobody decided about batch 1: its repairs by trigger 1 do not start"


def test_eight_monitors_end_each_batch_once(database: Database) -> None:
    batches(database, *[1] * 30)
    time_passes(database, 2 * HOUR)
    assert sum(at_once(database, [expires] * 8)) == 30
    assert len(rows(database, ENDED)) == 30
    assert rows(database, "SELECT count(*) FROM medic.notices WHERE kind = 'execution_blocked'") == [(30,)]


def test_who_opens_a_batch_while_the_monitor_ends_the_former_one_waits_for_it(database: Database) -> None:
    batches(database, 1)
    time_passes(database, 2 * HOUR)

    def opens(own: Database) -> tuple[int, bool]:
        with own.transaction() as tx:
            assert expire_batches(tx, 1) == 0
            return repair_batches.open_for(tx, 1, "many again", HOUR)

    with ThreadPoolExecutor(1) as others, database.transaction() as tx:
        assert expire_batches(tx) == 1
        other = others.submit(lambda: at_once(database, [opens]))
        while rows(database, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]:
            assert not other.done()
        tx.execute("COMMIT")
        assert other.result() == [(2, True)]
    assert rows(database, BATCHES) == [(1, "expired"), (2, "pending")]
