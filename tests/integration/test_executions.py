"""Turns of executions on the real store: repeated, at once, interrupted by SIGKILL, lost by the state machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.repair.approvals import Via, Voter
from medic_core.flows import advance, approve, engine
from medic_core.flows.reconcile import LOST_TOO_OFTEN, reconcile
from medic_core.ports import EngineStatus
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes
from tests.fixtures.processes import Processes
from tests.fixtures.receivers import host
from tests.fixtures.repairing import DIED, MEANS, SECRETS, Engine, Hand, a_playbook, started
from tests.stand_ins.receivers import Receiver

MINUTE = timedelta(minutes=1)


def call(remedy: Receiver, **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "url": f"{remedy.url}/do", **more}


def a_hand(database: Database, remedy: Receiver, *steps: dict[str, Any], **more: Any) -> Hand:
    execution_id = started(database, a_playbook(database, *steps, **more))
    return Hand(database, execution_id, (host(remedy),))


def test_a_turn_that_is_asked_for_again_answers_the_same_and_changes_nothing(
    database: Database, remedy: Receiver
) -> None:
    hand = a_hand(database, remedy, call(remedy), {"type": "wait", "duration": "1h"})
    first = hand.call()

    def ask(_: int) -> advance.Advanced:
        own = Database(database._server)
        try:
            return advance.advance(own, first, MEANS)
        finally:
            own.close()

    with ThreadPoolExecutor(8) as brains:
        answers = list(brains.map(ask, range(8)))
    assert [answer.directive for answer in answers] == [answers[0].directive] * 8
    assert hand.steps() == [(0, 1, "running")]
    hand.turn()
    hand.do()
    # Much later, the first call of all: it is sent away, and the execution waits on.
    assert advance.advance(database, first, MEANS).directive["kind"] == "fail"
    assert rows(database, "SELECT status FROM medic.playbook_executions") == [("waiting",)]
    assert rows(database, "SELECT count(*) FROM medic.remediation_audit_log WHERE action_type = 'step_completed'") == [
        (1,)
    ]


@pytest.mark.parametrize(
    ("method", "when", "ends", "requests"),
    [
        ("POST", "before", "unknown", 0),
        ("POST", "after", "unknown", 1),
        ("PUT", "before", "succeeded", 1),
        ("PUT", "after", "succeeded", 2),
    ],
)
def test_a_webhook_step_that_is_killed(
    database: Database,
    database_url: str,
    remedy: Receiver,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    when: str,
    ends: str,
    requests: int,
) -> None:
    """Whether it was killed before or after its request nobody can tell from here: a POST is never sent again."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    hand = a_hand(database, remedy, call(remedy, method=method))
    hand.turn()
    process = processes.start(
        "webhook_step", hand.execution_id, hand.state["engine_name"], hand.state["seq"], host(remedy), when
    )
    assert process.wait(60) == -9, processes.log.read_text()
    hand.turn(**DIED)
    while hand.state["kind"] == "webhook":
        hand.do()
    assert (hand.outcome(), len(remedy.received)) == (ends, requests)
    assert {one.headers["idempotency-key"] for one in remedy.received} <= {f"medic-{hand.execution_id}-0-1"}


def test_a_runner_that_lambda_starts_twice_sends_a_post_once(database: Database, remedy: Receiver) -> None:
    hand = a_hand(database, remedy, call(remedy))
    hand.turn()
    assert (hand.send(), hand.send()) == (True, True)
    hand.turn()
    assert (hand.outcome(), len(remedy.received)) == ("succeeded", 1)
    # And once the execution has gone on, not at all.
    assert hand.send() is False


def test_one_that_was_started_before_it_died_does_not_send_again(database: Database, remedy: Receiver) -> None:
    hand = a_hand(database, remedy, call(remedy))
    hand.turn()
    rows_before = "UPDATE medic.playbook_step_results SET sent_at = now() RETURNING result_id"
    assert rows(database, rows_before) == [(1,)]
    assert hand.send() is True
    hand.turn()
    assert (hand.outcome(), remedy.received) == ("unknown", [])


def test_what_the_state_machine_has_lost_goes_on_in_another_run(database: Database, remedy: Receiver) -> None:
    machine = Engine()
    hand = a_hand(database, remedy, {"type": "wait", "duration": "1h"}, call(remedy))
    assert engine.relay(database, machine, SECRETS).sent == 1
    (given,) = machine.runs.values()
    assert given == {**given, "execution_id": hand.execution_id, "seq": 0, "outcome": {}}
    hand.turn()
    time_passes(database, 3 * MINUTE)
    machine.known[hand.state["engine_name"]] = EngineStatus.RUNNING
    assert reconcile(database, machine).resumed == 0
    time_passes(database, 3 * MINUTE)
    machine.known.clear()
    assert reconcile(database, machine).resumed == 1
    engine.relay(database, machine, SECRETS)
    (_, second) = machine.runs.values()
    # The former run is not listened to any more; the new one waits for what is left of the hour.
    assert hand.turn()["kind"] == "fail"
    again = Hand(database, hand.execution_id, hand.allowed_hosts)
    assert again.state == second
    assert again.turn()["kind"] == "wait"
    again.do()
    again.do()
    assert (again.outcome(), len(remedy.received)) == ("succeeded", 1)
    assert [action for (action,) in rows(database, "SELECT action_type FROM medic.remediation_audit_log")][-4:] == [
        "execution_resumed",
        "step_completed",
        "step_completed",
        "execution_completed",
    ]


def test_one_that_is_lost_in_the_middle_of_a_post_is_unknown(database: Database, remedy: Receiver) -> None:
    machine = Engine()
    hand = a_hand(database, remedy, call(remedy))
    engine.relay(database, machine, SECRETS)
    hand.turn()
    rows(database, "UPDATE medic.playbook_step_results SET sent_at = now() RETURNING 1")
    time_passes(database, 30 * MINUTE)
    assert reconcile(database, machine).resumed == 1
    again = Hand(database, hand.execution_id, hand.allowed_hosts)
    again.turn()
    assert again.outcome() == "unknown"


def test_one_that_is_lost_again_and_again_fails(database: Database, remedy: Receiver) -> None:
    machine = Engine()
    a_hand(database, remedy, {"type": "wait", "duration": "1h"})
    found = []
    for _ in range(6):
        engine.relay(database, machine, SECRETS)
        time_passes(database, 10 * MINUTE)
        found.append(reconcile(database, machine))
    assert [one.resumed for one in found] == [1, 1, 1, 1, 0, 0]
    ended = rows(database, "SELECT status, because FROM medic.playbook_executions")
    assert ended == [("failed", LOST_TOO_OFTEN)]


def test_a_state_machine_that_is_away_begins_later_and_once(database: Database, remedy: Receiver) -> None:
    machine = Engine()
    machine.away = True
    hand = a_hand(database, remedy, call(remedy))
    for _ in range(3):
        with pytest.raises(OSError, match="nobody answers"):
            engine.relay(database, machine, SECRETS)
        time_passes(database, MINUTE * 5)
    machine.away = False
    assert [engine.relay(database, machine, SECRETS).sent for _ in range(2)] == [1, 0]
    assert [given["execution_id"] for given in machine.runs.values()] == [hand.execution_id]
    assert hand.to_the_end() == "succeeded"


def test_an_edit_and_a_deletion_do_not_reach_what_is_under_way(database: Database, remedy: Receiver) -> None:
    from medic_core.flows import edit_playbooks  # noqa: PLC0415

    playbook_id = a_playbook(database, {"type": "wait", "duration": "1h"}, call(remedy))
    hand = Hand(database, started(database, playbook_id), (host(remedy),))
    hand.turn()
    with database.transaction() as tx:
        edit_playbooks.change(tx, playbook_id, "name: x\nsteps: [{name: a, type: wait, duration: 1s}]", "a test", None)
        edit_playbooks.delete(tx, playbook_id, "a test", None)
    hand.do()
    hand.do()
    assert (hand.outcome(), len(remedy.received)) == ("succeeded", 1)
    assert hand.steps() == [(0, 1, "completed"), (1, 1, "completed")]


def test_a_kill_switch_that_is_thrown_meanwhile_stops_it_before_its_next_step(
    database: Database, remedy: Receiver
) -> None:
    levels = {"global": "NULL", "team": "1", "service": "1", "playbook": "1"}
    a_service(database, team="infra")
    playbook_id = a_playbook(database, {"type": "wait", "duration": "1m"}, call(remedy))
    for level, subject in levels.items():
        hand = Hand(database, started(database, playbook_id, 1), (host(remedy),))
        hand.turn()
        thrown = f"INSERT INTO medic.kill_switches (level, subject_id, thrown_by) VALUES ('{level}', {subject}, 'ann')"
        rows(database, f"{thrown} RETURNING 1")
        hand.do()
        assert hand.outcome() == "stopped", level
        rows(database, "DELETE FROM medic.kill_switches RETURNING 1")
    assert remedy.received == []
    said = rows(database, "SELECT because FROM medic.playbook_executions WHERE execution_id = 1")
    assert said == [("kill switch (global), thrown by ann",)]


def test_a_decision_counts_once_and_reaches_the_machine(database: Database, remedy: Receiver) -> None:
    machine = Engine()
    hand = a_hand(database, remedy, call(remedy), approval="required")
    engine.relay(database, machine, SECRETS)
    assert hand.turn()["kind"] == "approval"
    engine.keep_token(database, hand.execution_id, hand.state["engine_name"], "a-task-token", SECRETS)
    stored = rows(database, "SELECT encode(task_token, 'escape') FROM medic.approval_requests")[0][0]
    assert "a-task-token" not in stored

    def decide(number: int) -> str:
        own = Database(database._server)
        try:
            with own.transaction() as tx:
                voter = Voter(f"person-{number}", f"person-{number}", Via.API, f"person-{number}")
                approve.decide(tx, hand.execution_id, voter, "", approved=number % 2 == 0)
        except Exception as error:
            return type(error).__name__
        finally:
            own.close()
        return "decided"

    with ThreadPoolExecutor(10) as people:
        outcomes = sorted(people.map(decide, range(20)))
    assert outcomes == ["Conflict"] * 19 + ["decided"]
    engine.relay(database, machine, SECRETS)
    assert machine.answered == ["a-task-token"]
    decisions = "SELECT count(*) FROM medic.remediation_audit_log WHERE action_type IN ('approved', 'rejected')"
    assert rows(database, decisions) == [(1,)]
    hand.turn()
    (status,) = rows(database, "SELECT status FROM medic.approval_requests")[0]
    assert hand.state["kind"] == ("webhook" if status == "approved" else "fail")


def test_what_has_recovered_meanwhile_is_left_alone(database: Database, remedy: Receiver) -> None:
    from medic_core.flows.consider import Rules, consider_alerts  # noqa: PLC0415
    from medic_core.flows.sweep import sweep  # noqa: PLC0415

    a_service(database, "worker")
    hears(database, "worker")
    playbook_id = a_playbook(database, {"type": "wait", "duration": "1m"}, call(remedy))
    trigger = "INSERT INTO medic.playbook_triggers (playbook_id, service_pattern) VALUES (%(id)s, '*') RETURNING 1"
    rows(database, trigger, id=playbook_id)
    time_passes(database, 2 * MINUTE)
    sweep(database, 0, timedelta(seconds=15))
    assert consider_alerts(database, Rules(5)).started == 1
    hand = Hand(database, 1, (host(remedy),))
    hand.turn()
    hears(database, "worker")
    hand.do()
    assert (hand.outcome(), remedy.received) == ("superseded", [])
