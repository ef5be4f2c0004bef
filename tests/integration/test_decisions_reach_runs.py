"""Decisions and the runs that wait for them: refused, repeated, interrupted by SIGKILL, lost with the whole engine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from medic_core.adapters.sealing import Sealer, sealer
from medic_core.flows import approve, engine
from medic_core.flows.engine import Handed
from medic_core.flows.reconcile import Reconciled, look_at_all, reconcile
from medic_core.ports import EngineStatus
from medic_core.store import approvals
from medic_core.store.connection import Database
from tests.builders import at_once, rows, time_passes
from tests.fixtures.approving import asking, person, status_of
from tests.fixtures.processes import Processes
from tests.fixtures.repairing import ORDERS_KEY, SECRETS, Engine, Hand, a_playbook, started

MINUTE = timedelta(minutes=1)
TOKENS = "SELECT token_answered_at IS NOT NULL, token_refused_at IS NOT NULL FROM medic.approval_requests"


class Living(Engine):
    """One that knows what it has begun, until it `loses_all`."""

    def start(self, name: str, given: Mapping[str, Any]) -> None:
        super().start(name, given)
        self.known[name] = EngineStatus.RUNNING

    def loses_all(self) -> None:
        """It was started again, and has forgotten whatever it ran."""
        self.known.clear()
        self.refuses.add("token-1")


def waits(database: Database, machine: Living, token: str = "token-1") -> Hand:
    """An execution that waits for an approval in a run that the machine knows."""
    hand = asking(database)
    engine.relay(database, machine, SECRETS)
    engine.keep_token(database, hand.execution_id, hand.state["engine_name"], token, SECRETS)
    time_passes(database, MINUTE)
    return hand


def decides(database: Database, *, approved: bool = True) -> None:
    with database.transaction() as tx:
        approve.decide(tx, 1, person("ann"), "", approved=approved)


def relayed(database: Database, machine: Living, opens: Sealer = SECRETS) -> Handed:
    return engine.relay(database, machine, opens)


def sweeps(database: Database, machine: Living) -> Reconciled:
    """What the monitor does in a round."""
    relayed(database, machine)
    found = reconcile(database, machine)
    relayed(database, machine)
    return found


def audited(database: Database) -> Counter[str]:
    return Counter(action for (action,) in rows(database, "SELECT action_type FROM medic.remediation_audit_log"))


def goes_on(database: Database, former: Hand) -> None:
    """Another run was begun, hears the decision and goes on; the former one is sent away."""
    again = Hand(database, former.execution_id)
    assert again.state["engine_name"] != former.state["engine_name"]
    assert again.turn()["kind"] == "wait"
    assert former.turn(Error="Lambda.Unknown")["kind"] == "fail"


# What the state machine says to a token.


def test_one_that_is_taken_is_noted_and_the_run_goes_on(database: Database) -> None:
    machine = Living()
    hand = waits(database, machine)
    decides(database)
    assert relayed(database, machine) == Handed(sent=1)
    assert (machine.answered, rows(database, TOKENS)) == (["token-1"], [(True, False)])
    assert hand.turn()["kind"] == "wait"


def test_one_that_is_refused_goes_on_in_another_run_at_once_and_once(database: Database) -> None:
    machine = Living()
    hand = waits(database, machine)
    machine.loses_all()
    decides(database)
    assert relayed(database, machine) == Handed(sent=2, refused=1, resumed=1)
    assert rows(database, TOKENS) == [(False, True)]
    assert audited(database)["decision_refused"] == audited(database)["execution_resumed"] == 1
    (refused,) = rows(
        database, "SELECT actor, details FROM medic.remediation_audit_log WHERE action_type = 'decision_refused'"
    )
    assert refused == (None, {"request_id": 1, "because": "the state machine did not wait for it any more"})
    goes_on(database, hand)
    assert sweeps(database, machine) == Reconciled()
    assert len(machine.runs) == 2


def test_eight_at_once_have_it_go_on_once(database: Database) -> None:
    machine = Living()
    hand = waits(database, machine)
    machine.loses_all()
    decides(database)
    at_once(database, [lambda own: sweeps(own, machine)] * 24)
    assert audited(database)["decision_refused"] == audited(database)["execution_resumed"] == 1
    assert len(machine.runs) == 2
    goes_on(database, hand)


def test_a_rejection_that_is_refused_ends_the_execution(database: Database) -> None:
    machine = Living()
    waits(database, machine)
    machine.loses_all()
    decides(database, approved=False)
    relayed(database, machine)
    again = Hand(database, 1)
    assert again.turn()["kind"] == "fail"
    assert again.outcome() == "rejected"


def test_a_repetition_after_it_was_taken_changes_nothing(database: Database) -> None:
    """The answer arrived, and whoever handed it over died before the outbox heard so."""
    machine = Living()
    hand = waits(database, machine)
    decides(database)
    relayed(database, machine)
    rows(database, "UPDATE medic.outbox SET done_at = NULL, leave_at = now() WHERE topic = 'decision' RETURNING 1")
    assert relayed(database, machine) == Handed(sent=1)
    assert machine.answered == ["token-1"]
    assert (audited(database)["decision_refused"], rows(database, TOKENS)) == (0, [(True, False)])
    assert hand.turn()["kind"] == "wait"


@pytest.mark.parametrize("gone_on", [True, False])
def test_a_repetition_whose_answer_nobody_noted_changes_nothing(database: Database, gone_on: bool) -> None:
    """Likewise, before anything was noted; the run has come back meanwhile, or does so soon."""
    machine = Living()
    hand = waits(database, machine)
    decides(database)
    machine.answered.append("token-1")
    if gone_on:
        hand.turn()
    assert relayed(database, machine) == Handed(sent=1, refused=not gone_on)
    assert audited(database)["execution_resumed"] == 0
    assert gone_on or hand.turn()["kind"] == "wait"
    assert sweeps(database, machine).resumed == 0


def test_one_that_is_refused_and_never_comes_back_is_overdue_soon(database: Database) -> None:
    """The engine says that it runs, and all the same does not take the decision."""
    machine = Living()
    hand = waits(database, machine)
    machine.refuses.add("token-1")
    decides(database)
    assert relayed(database, machine) == Handed(sent=1, refused=1)
    assert sweeps(database, machine).resumed == 0
    time_passes(database, timedelta(seconds=31))
    assert sweeps(database, machine).resumed == 1
    assert machine.stopped == [hand.state["engine_name"]]
    goes_on(database, hand)


def test_a_token_that_no_key_opens_blocks_nothing(database: Database) -> None:
    machine = Living()
    hand = waits(database, machine)
    decides(database)
    other = started(database, a_playbook(database, {"type": "wait", "duration": "1m"}))
    assert relayed(database, machine, sealer(ORDERS_KEY, (), "")) == Handed(sent=3, refused=1, resumed=1)
    assert (machine.answered, machine.stopped) == ([], [hand.state["engine_name"]])
    assert other in [given["execution_id"] for given in machine.runs.values()]
    goes_on(database, hand)
    assert rows(database, "SELECT count(*) FROM medic.outbox WHERE topic = 'decision' AND done_at IS NULL") == [(0,)]


def test_a_token_that_arrives_while_a_decision_is_handed_over_is_answered_too(database: Database) -> None:
    machine = Living()
    hand = waits(database, machine)
    decides(database)
    answer = machine.answer

    def another_comes(task_token: str, given: dict[str, object]) -> bool:
        if task_token == "token-1":
            with closing(Database(database._server)) as own:
                engine.keep_token(own, hand.execution_id, hand.state["engine_name"], "token-2", SECRETS)
        return answer(task_token, given)

    machine.answer = another_comes  # type: ignore[assignment]
    relayed(database, machine)
    assert machine.answered == ["token-1", "token-2"]


def test_what_a_former_run_waited_with_is_not_asked_with_any_more(database: Database) -> None:
    machine = Living()
    waits(database, machine)
    machine.loses_all()
    time_passes(database, 3 * MINUTE)
    assert sweeps(database, machine).resumed == 1
    decides(database)
    assert relayed(database, machine) == Handed(sent=1)
    assert Hand(database, 1).turn()["kind"] == "wait"


# Who starts anew asks for all.


def test_who_starts_anew_finds_all_that_were_lost_with_the_engine(database: Database) -> None:
    machine = Living()
    playbook_id = a_playbook(database, {"type": "wait", "duration": "1h"})
    hands = [Hand(database, started(database, playbook_id)) for _ in range(120)]
    relayed(database, machine)
    for hand in hands:
        hand.turn()
    rows(database, "UPDATE medic.outbox SET done_at = now() - interval '1 minute' RETURNING 1")
    assert sweeps(database, machine) == Reconciled()
    machine.loses_all()
    look_at_all(database)
    assert sweeps(database, machine).resumed == 120
    assert len(machine.runs) == 240
    # They were begun a moment ago: who is asked now need not know of them yet.
    rows(database, "UPDATE medic.outbox SET done_at = now() RETURNING 1")
    machine.loses_all()
    look_at_all(database)
    assert sweeps(database, machine) == Reconciled(looked=120)


def test_what_waits_for_days_outlives_any_number_of_restarts(database: Database) -> None:
    machine = Living()
    waits(database, machine)
    for number in range(8):
        machine.loses_all()
        look_at_all(database)
        assert sweeps(database, machine).resumed == 1
        again = Hand(database, 1)
        assert again.turn()["kind"] == "approval"
        engine.keep_token(database, 1, again.state["engine_name"], f"token-{number + 2}", SECRETS)
        time_passes(database, MINUTE)
    decides(database)
    assert relayed(database, machine) == Handed(sent=1)
    assert again.turn()["kind"] == "wait"


def test_eight_who_start_anew_at_once_resume_each_once(database: Database) -> None:
    machine = Living()
    playbook_id = a_playbook(database, {"type": "wait", "duration": "1h"})
    for _ in range(40):
        started(database, playbook_id)
    relayed(database, machine)
    time_passes(database, MINUTE)
    machine.loses_all()

    def begins(own: Database) -> int:
        look_at_all(own)
        return sweeps(own, machine).resumed

    assert sum(at_once(database, [begins] * 8)) == 40
    assert Counter(audited(database))["execution_resumed"] == 40
    assert len(machine.runs) == 80


def test_one_whose_start_was_never_handed_over_is_not_lost(database: Database) -> None:
    machine = Living()
    hand = Hand(database, started(database, a_playbook(database, {"type": "wait", "duration": "1h"})))
    # Leased by somebody who died with it.
    rows(database, "UPDATE medic.outbox SET leave_at = now() + interval '15 minutes' RETURNING 1")
    look_at_all(database)
    assert sweeps(database, machine) == Reconciled(looked=1, hastened=1)
    assert list(machine.runs) == [hand.state["engine_name"]]
    assert (machine.asked, audited(database)["execution_resumed"]) == ([], 0)
    # Handed over a second ago, it may not be known yet; once it should be, it is asked for again.
    machine.known.clear()
    look_at_all(database)
    assert [sweeps(database, machine) for _ in range(2)] == [Reconciled(looked=1), Reconciled()]
    time_passes(database, timedelta(seconds=15))
    assert sweeps(database, machine) == Reconciled(looked=1, resumed=1)


def test_one_that_was_stopped_a_moment_after_it_began_goes_on_at_once(database: Database) -> None:
    machine = Living()
    hand = Hand(database, started(database, a_playbook(database, {"type": "wait", "duration": "1h"})))
    relayed(database, machine)
    hand.turn()
    machine.known[hand.state["engine_name"]] = EngineStatus.ENDED
    look_at_all(database)
    assert sweeps(database, machine).resumed == 1


# Killed on the way (P25).

WAITS = ("before vote", "after vote", "before answer", "after answer")
LOST = (*WAITS, "before status", "after status", "before start", "after start")


@pytest.mark.parametrize(("how", "where"), [*(("waits", one) for one in WAITS), *(("lost", one) for one in LOST)])
def test_killed_between_vote_and_answer_run_and_approval_agree_after_two_rounds(
    database: Database,
    database_url: str,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    how: str,
    where: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    machine, diary = Living(), tmp_path / "diary"
    hand = waits(database, machine)
    if how == "lost":
        machine.loses_all()
    process = processes.start("decision", hand.execution_id, diary, how, where)
    assert process.wait(60) == -9, processes.log.read_text()
    done = [json.loads(line) for line in diary.read_text().splitlines()] if diary.exists() else []
    machine.answered += [token for what, token in done if what == "answer" and how == "waits"]
    begun = {name for what, name in done if what == "start"}
    machine.known |= dict.fromkeys(begun, EngineStatus.RUNNING)
    if machine.answered:
        assert hand.turn()["kind"] == "wait"
    if where == "before vote":
        assert nobody_waits_unlisted(database)
        assert status_of(database) == "pending"
        decides(database)
    for _ in range(2):
        time_passes(database, MINUTE, swept=True)
        sweeps(database, machine)
        assert nobody_waits_unlisted(database)
    assert status_of(database) == "approved"
    assert audited(database)["approved"] == 1
    assert audited(database)["execution_resumed"] == audited(database)["decision_refused"] == (how == "lost")
    assert rows(database, "SELECT count(*) FROM medic.outbox WHERE topic <> 'notice' AND done_at IS NULL") == [(0,)]
    if how == "lost":
        current = rows(database, "SELECT engine_name FROM medic.playbook_executions")[0][0]
        assert (set(machine.runs) | begun) == {hand.state["engine_name"], current}
        goes_on(database, hand)
    else:
        assert machine.answered == ["token-1"]
        assert hand.state["kind"] == "wait" or hand.turn()["kind"] == "wait"


def nobody_waits_unlisted(database: Database) -> bool:
    """Whether each execution that waits for people is listed, or was decided and is about to hear so."""
    waiting = "SELECT execution_id FROM medic.playbook_executions WHERE progress->>'doing' = 'approval'"
    with database.transaction() as tx:
        listed = {one.execution_id for one in approvals.pending(tx, 0, 100)}
        for (execution_id,) in tx.execute(waiting).fetchall():
            newest = approvals.newest(tx, execution_id)
            assert newest is not None
            assert execution_id in listed or newest.status != "pending"
    return True
