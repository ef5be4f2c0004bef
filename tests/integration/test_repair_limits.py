"""What repairs must never do: act in a rehearsal, for what has recovered, past a kill switch, twice, or for ever."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from medic_core.domain.repair.execution import Cause
from medic_core.flows import approve, engine
from medic_core.flows.consider import Considered, Rules, consider_alerts
from medic_core.flows.reconcile import reconcile
from medic_core.flows.sweep import sweep
from medic_core.ports import EngineStatus
from medic_core.store.connection import Database
from tests.builders import a_service, at_once, hears, rows, time_passes
from tests.conftest import ROOT
from tests.fixtures.approving import person
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import host
from tests.fixtures.repairing import SECRETS, Engine, Hand, a_playbook, started
from tests.stand_ins.receivers import Answer, Receiver

MINUTE = timedelta(minutes=1)
CADENCE = timedelta(seconds=15)
EXAMPLES = sorted((ROOT / "examples" / "playbooks").glob("*.yaml"))
SECRET_NAMES = ("LB_TOKEN", "FLEET_TOKEN", "JOBS_TOKEN")
SCRIPT_NAMES = ("restart-workers", "disk-usage", "clear-caches", "remove-old-logs")
#: What is done leaves one of these behind.
TRACES = """
    SELECT (SELECT count(*) FROM medic.playbook_executions), (SELECT count(*) FROM medic.playbook_step_results),
           (SELECT count(*) FROM medic.approval_requests), (SELECT count(*) FROM medic.outbox WHERE topic = 'start'),
           (SELECT count(*) FROM medic.secrets WHERE last_used_at IS NOT NULL),
           (SELECT count(*) FROM medic.remediation_audit_log WHERE action_type = 'secret_used')
"""


def falls_silent(database: Database, name: str = "worker") -> int:
    """A service that was heard, and is missed now. Its id."""
    service_id = a_service(database, name)
    hears(database, name)
    time_passes(database, 61 * timedelta(seconds=1))
    assert sweep(database, 0, CADENCE).opened == 1
    return service_id


def triggered(database: Database, playbook_id: int, **more: Any) -> None:
    columns = {"playbook_id": playbook_id, "service_pattern": "*", "consecutive_failures": 1, **more}
    names, values = ", ".join(columns), ", ".join(f"%({name})s" for name in columns)
    rows(database, f"INSERT INTO medic.playbook_triggers ({names}) VALUES ({values}) RETURNING 1", **columns)


class TestNothingIsDoneToSeeWhatWouldBe:
    def test_by_a_dry_run_by_a_rehearsal_and_by_a_trigger_that_only_observes(
        self, functions: Functions, database: Database, remedy: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every example, with everything in place that it would need to act."""
        monkeypatch.setenv("MEDIC_ALLOWED_WEBHOOK_HOSTS", host(remedy))
        for name in SECRET_NAMES:
            assert functions.api("PUT", f"/v2/secrets/{name}", {"value": "hunter2-hunter2"}).status in {200, 201}
        for name in SCRIPT_NAMES:
            assert functions.api("POST", "/v2/scripts", {"name": name, "content": "true"}).status == 201
        steps = 0
        for path in EXAMPLES:
            text = path.read_text()
            for place in ("lb", "fleet", "jobs", "deploy"):
                text = text.replace(f"https://{place}.example.com", remedy.url)
            made = functions.api("POST", "/v2/playbooks", {"yaml_content": text}).json["results"]
            triggered(database, made["playbook_id"], mode="observe", service_pattern=f"{path.stem}-*")
            service_id = falls_silent(database, f"{path.stem}-1")
            body = {"service_id": service_id, "dry_run": True, "variables": {"CONSECUTIVE_FAILURES": "3"}}
            planned = functions.api("POST", f"/v2/playbooks/{made['playbook_id']}/execute", body).json["results"]
            rehearsed = functions.api("POST", f"/v2/playbooks/{made['playbook_id']}/test", {"alert": True})
            assert (planned["problems"], rehearsed.status) == ([], 200)
            assert len(planned["plan"]) == text.count("\n  - name: ")
            steps += len(planned["plan"])
        tick = functions.module("tick")
        tick._repair()
        observed = "SELECT jsonb_array_length(plan) FROM medic.trigger_firings WHERE decision = 'observed'"
        assert sum(count for (count,) in rows(database, observed)) == steps
        print(f"\n{len(EXAMPLES)} playbooks, {steps} steps planned: {len(remedy.received)} requests")
        assert rows(database, TRACES) == [(0,) * 6]
        assert remedy.received == []


class TestOnce:
    def test_an_alert_starts_one_execution_however_often_the_monitor_comes_by(self, database: Database) -> None:
        triggered(database, a_playbook(database, {"type": "wait", "duration": "1s"}))
        falls_silent(database)
        found = at_once(database, [lambda own: consider_alerts(own, Rules(5))] * 20, workers=20)
        for _ in range(50):
            time_passes(database, MINUTE)
            sweep(database, 0, CADENCE)
            found.append(consider_alerts(database, Rules(5)))
        ended = "UPDATE medic.playbook_executions SET status = 'completed', outcome = 'succeeded', completed_at = now()"
        rows(database, f"{ended}, next_look_at = NULL RETURNING 1")
        time_passes(database, MINUTE)
        sweep(database, 0, CADENCE)
        found.append(consider_alerts(database, Rules(5)))
        executions = rows(database, "SELECT count(*) FROM medic.playbook_executions")
        firings = rows(database, "SELECT count(*) FROM medic.trigger_firings")
        considered = sum(one.alerts for one in found)
        print(f"\n20 monitors at once and 51 more sweeps, {considered} counts considered: {executions[0][0]} execution")
        assert considered > 50
        assert executions == firings == [(1,)]


class TestWhoHasRecoveredIsLeftAlone:
    def test_between_the_question_and_its_answer(self, database: Database, remedy: Receiver) -> None:
        call = {"type": "webhook", "url": f"{remedy.url}/do"}
        triggered(database, a_playbook(database, call, approval="required"))
        falls_silent(database)
        assert consider_alerts(database, Rules(5)).started == 1
        hand = Hand(database, 1, (host(remedy),))
        assert hand.turn()["kind"] == "approval"
        hears(database, "worker")
        with database.transaction() as tx:
            assert str(approve.decide(tx, 1, person("ann"), "go", approved=True)) == "Approved."
        hand.turn()
        print(f"\napproved after the recovery: {hand.outcome()}, {len(remedy.received)} requests")
        assert (hand.outcome(), remedy.received, hand.steps()) == ("superseded", [], [])


class TestAKillSwitch:
    @pytest.mark.parametrize(("level", "subject"), [("global", None), ("team", 1), ("service", 1), ("playbook", 1)])
    def test_thrown_in_the_middle_lets_what_is_under_way_end_and_nothing_begin(
        self, functions: Functions, database: Database, remedy: Receiver, level: str, subject: int | None
    ) -> None:
        a_service(database, "worker", team="infra")
        playbook_id = a_playbook(database, *[{"type": "webhook", "url": f"{remedy.url}/{n}"} for n in range(10)])
        hand = Hand(database, started(database, playbook_id, 1), (host(remedy),))
        hand.turn()
        for _ in range(4):
            hand.do()
        # The fifth is on its way.
        about = {} if subject is None else {"subject_id": subject}
        body = {"level": level, "reason": "it makes things worse", **about}
        assert functions.api("POST", "/v2/kill-switches", body, x_actor="ann").status == 201
        hand.do()
        print(f"\n{level}: {len(remedy.received)} of 10 steps, {hand.outcome()}")
        assert (hand.outcome(), len(remedy.received)) == ("stopped", 5)
        refused = functions.api("POST", f"/v2/playbooks/{playbook_id}/execute", {"service_id": 1})
        assert (refused.status, "thrown by ann" in refused.json["message"]) == (409, True)
        triggered(database, playbook_id)
        hears(database, "worker")
        time_passes(database, 61 * timedelta(seconds=1))
        sweep(database, 0, CADENCE)
        assert consider_alerts(database, Rules(5)) == Considered(alerts=1, blocked=1)
        audited = "SELECT actor FROM medic.remediation_audit_log WHERE action_type = 'kill_switch_thrown'"
        assert rows(database, audited) == [("ann",)]


class TestHugeAnswers:
    def test_are_kept_as_their_beginning_and_do_not_come_near_the_state_machine(
        self, database: Database, remedy: Receiver
    ) -> None:
        remedy.usual = lambda _: Answer(200, {"said": "x" * 5_000_000})
        call = {"type": "webhook", "url": f"{remedy.url}/do", "register": "first"}
        again = {**call, "register": "second", "body": {"it": "${first.body}"}}
        hand = Hand(database, started(database, a_playbook(database, call, again)), (host(remedy),))
        assert hand.to_the_end() == "succeeded"
        longest = "SELECT max(length(output::text)), max(length(s::text)) FROM medic.playbook_step_results s"
        ((output, row),) = rows(database, longest)
        ((execution,),) = rows(database, "SELECT length(e::text) FROM medic.playbook_executions e")
        states = [len(json.dumps(state)) for state in hand.directives]
        print(f"\nanswers of 5 MB: {row} characters kept of each, states of {max(states)} bytes at most")
        assert output <= 8192
        assert execution < 64 * 1024
        assert max(states) < 1024
        assert len(remedy.received[1].body) < 8192


ENDED = {"execution_completed", "execution_failed", "execution_cancelled"}
NOTED = "SELECT execution_id, action_type, count(*) FROM medic.remediation_audit_log GROUP BY 1, 2"
TAKEN = "SELECT execution_id, status, count(*) FROM medic.playbook_step_results GROUP BY 1, 2"
OF_STEPS = {"completed": "step_completed", "failed": "step_failed", "skipped": "step_skipped"}


class TestTheAuditLog:
    def test_has_an_entry_for_each_change_and_none_without_it(self, database: Database, remedy: Receiver) -> None:
        call = {"type": "webhook", "url": f"{remedy.url}/do"}
        tidy = {"finally": [{"name": "tidy", "type": "notify", "message": "done"}]}
        lives = [
            ([call, {"type": "wait", "duration": "1m", "if": "1 == 2"}], tidy),
            ([{**call, "success_codes": [500]}, call], tidy),
            ([{"type": "wait", "duration": "1m"}, call], {}),
        ]
        for steps, more in lives:
            Hand(database, started(database, a_playbook(database, *steps, **more)), (host(remedy),)).to_the_end()
        asking = Hand(database, started(database, a_playbook(database, call, approval="required")))
        asking.turn()
        with database.transaction() as tx:
            approve.decide(tx, asking.execution_id, person("ann"), "not now", approved=False)
        asking.turn()
        entries = {(execution_id, action): number for execution_id, action, number in rows(database, NOTED)}
        for execution_id, status, number in rows(database, TAKEN):
            assert entries[execution_id, OF_STEPS[status]] == number
        for execution_id in range(1, len(lives) + 2):
            assert entries[execution_id, "execution_started"] == 1
            assert sum(entries.get((execution_id, action), 0) for action in ENDED) == 1
        assert entries[asking.execution_id, "approval_requested"] == entries[asking.execution_id, "rejected"] == 1
        print(f"\n{len(lives) + 1} executions: {sum(entries.values())} entries, as many as there were changes")

    def test_what_cannot_be_noted_is_not_done(self, database: Database, remedy: Receiver) -> None:
        call = {"type": "webhook", "url": f"{remedy.url}/do"}
        hand = Hand(database, started(database, a_playbook(database, call, call)), (host(remedy),))
        hand.turn()
        hand.send()
        before = rows(database, "SELECT * FROM medic.playbook_executions")
        rename = "ALTER TABLE medic.{} RENAME TO {}"
        with database.autocommit() as connection:
            connection.execute(rename.format("remediation_audit_log", "gone"))
            with pytest.raises(psycopg.errors.UndefinedTable):
                hand.turn()
            connection.execute(rename.format("gone", "remediation_audit_log"))
        assert rows(database, "SELECT * FROM medic.playbook_executions") == before
        assert hand.to_the_end() == "succeeded"
        assert len(remedy.received) == 2


TELL_OF_IT = {"execution_failed", "execution_escalated", "approval_decided"}
#: After which the monitor takes it that a run that should have come back does not.
LATEST_MINUTES = 10
WITHIN = {"timeout": "15m"}
ASKS = {"type": "approval", "message": "may I?", "timeout": "5m"}
#: A directive, and the playbook that comes to it first.
DIRECTIVES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "wait": ({"type": "wait", "duration": "5m"}, WITHIN),
    "webhook": ({"type": "webhook", "url": "https://a.example.com", "timeout": "1m"}, WITHIN),
    "script": ({"type": "script", "script": "restart-workers", "timeout": "1m"}, WITHIN),
    "condition": ({"type": "condition", "check": "heartbeat_received", "timeout": "5m"}, WITHIN),
    "approval": (ASKS, WITHIN),
    "approval of the whole": ({"type": "wait", "duration": "1m"}, {**WITHIN, "approval": "required"}),
}
PROGRESS = "SELECT status IN ('completed', 'failed', 'cancelled'), outcome FROM medic.playbook_executions"


class TestItEnds:
    @pytest.mark.parametrize("what", DIRECTIVES)
    def test_where_neither_a_worker_nor_the_state_machine_ever_comes_back(
        self, functions: Functions, database: Database, what: str
    ) -> None:
        step, more = DIRECTIVES[what]
        assert functions.api("POST", "/v2/scripts", {"name": "restart-workers", "content": "true"}).status == 201
        a_service(database, "worker")
        execution_id = started(database, a_playbook(database, step, **more), 1, Cause.API)
        machine = Engine()
        engine.relay(database, machine, SECRETS)
        Hand(database, execution_id).turn()
        minutes = 0
        while not rows(database, PROGRESS)[0][0]:
            time_passes(database, MINUTE)
            minutes += 1
            assert minutes < 24 * 60
            machine.known = dict.fromkeys(machine.runs, EngineStatus.RUNNING)
            found = reconcile(database, machine)
            if found.resumed:
                engine.relay(database, machine, SECRETS)
                Hand(database, execution_id).turn()
        ((_, outcome),) = rows(database, PROGRESS)
        told = [kind for (kind,) in rows(database, "SELECT kind FROM medic.notices ORDER BY notice_id")]
        print(f"\n{what} that nobody answers: {outcome} after {minutes} minutes, {len(machine.runs)} runs")
        # A wait needs nobody: who takes the execution up again finds that its time has come.
        assert outcome == "succeeded" if what == "wait" else TELL_OF_IT & set(told)
        assert minutes <= (60 if what == "approval of the whole" else 15) + LATEST_MINUTES
