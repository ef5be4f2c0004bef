"""Pages of executions: found, watched step by step, decided about, cancelled; and repairs stopped and let go again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import edit_triggers
from medic_core.flows.consider import Rules, consider_alerts
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from models.triggers import NewTrigger
from tests.builders import a_service, hears, rows
from tests.fixtures.approving import asking, status_of, text_of
from tests.fixtures.dashboard import Dashboard, signed_in
from tests.fixtures.functions import Functions
from tests.fixtures.repairing import Hand, a_playbook, started

REST = {"type": "wait", "duration": "1m"}
REFUSED = {"type": "webhook", "url": "http://127.0.0.1:1/", "retry": {"attempts": 2, "delay": "1s"}}
HOSTILE = "<script>alert('x')</script>"


def switches(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "SELECT level, subject_id, reason, thrown_by FROM medic.kill_switches ORDER BY 1")


# Found.


def test_they_are_found_by_status_playbook_and_service(dashboard: Dashboard, database: Database) -> None:
    assert "No playbook has run yet" in dashboard.get("/ui/executions").body
    web, worker = (a_service(database, name) for name in ("web", "worker"))
    restart, clean = (a_playbook(database, REST, name=name) for name in ("restart", "clean-up"))
    for playbook_id, service_id in ((restart, web), (restart, worker), (clean, web)):
        started(database, playbook_id, service_id)
    asking(database, worker, name="careful")

    def found(query: str) -> list[int]:
        body = dashboard.get(f"/ui/executions?{query}").body
        return [number for number in range(9, 0, -1) if f'"/ui/executions/{number}"' in body]

    assert found("") == [4, 3, 2, 1]
    assert found("status=pending_approval") == [4]
    assert found("status=&playbook=REST&service=") == [2, 1]
    assert found("service=w*r") == [4, 2]
    assert found(f"playbook_id={clean}") == [3]
    assert found(f"service_id={web}&playbook=restart") == [1]
    assert found("playbook=nothing") == found("alert_id=1") == []
    assert "There is no such execution" in dashboard.get("/ui/executions?playbook=%25").body
    for query in ("status=lost", "playbook_id=x", "cursor=x", "playbook=%00"):
        assert dashboard.get(f"/ui/executions?{query}").status == 400, query


def test_the_list_is_paged(dashboard: Dashboard, database: Database) -> None:
    playbook_id = a_playbook(database, REST)
    for _ in range(51):
        started(database, playbook_id)
    first = dashboard.get(f"/ui/executions?playbook_id={playbook_id}").body
    assert '"/ui/executions/2"' in first
    assert '"/ui/executions/1"' not in first
    assert f'href="/ui/executions?playbook_id={playbook_id}&amp;cursor=2"' in first
    assert '"/ui/executions/1"' in dashboard.get(f"/ui/executions?playbook_id={playbook_id}&cursor=2").body


# Watched.


def test_each_step_is_shown_with_its_tries_and_those_that_are_to_come(dashboard: Dashboard, database: Database) -> None:
    service_id = a_service(database)
    playbook_id = a_playbook(database, REFUSED, REST, **{"finally": [REST | {"name": "tidy"}]})
    hand = Hand(database, started(database, playbook_id, service_id))
    assert 'data-live="3"' in dashboard.get("/ui/executions/1").body
    hand.turn()
    hand.do()
    before = dashboard.live("/ui/executions/1")
    said = text_of(before)
    assert "step-0 Webhook" in said
    assert said.count("To come") == 2
    assert "at the end, whatever happens" in said
    assert dashboard.live("/ui/executions/1", before.headers["ETag"]).status == 304
    while hand.state["kind"] not in {"succeed", "fail"}:
        hand.do()
    page = dashboard.get("/ui/executions/1")
    said = text_of(page)
    assert "Try 1: failed" in said
    assert "Try 2: failed" in said
    assert "Not done" in said
    assert "data-live" not in page.body
    assert "/cancel" not in page.body
    for link in (f"/ui/services/{service_id}", "/ui/playbooks/1/versions/1", "/ui/audit-log?execution_id=1"):
        assert f'href="{link}"' in page.body, link


def test_what_steps_said_is_shortened_and_nothing_of_it_runs(dashboard: Dashboard, database: Database) -> None:
    hand = Hand(database, started(database, a_playbook(database, REST)))
    hand.turn()
    with database.transaction() as tx:
        values = {"output": f"{HOSTILE}\n" + "x" * 500, "error": HOSTILE}
        tx.execute("UPDATE medic.playbook_step_results SET output = %(output)s, error_message = %(error)s", values)
    body = dashboard.get("/ui/executions/1").body
    assert HOSTILE not in body
    summary = body.partition("<summary><code>")[2].partition("</code>")[0]
    assert summary == "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"
    assert "x" * 500 in body


def test_what_is_not_there_is_said(dashboard: Dashboard) -> None:
    assert dashboard.get("/ui/executions/1").status == 404
    for action in ("approve", "reject", "cancel"):
        assert dashboard.post(f"/ui/executions/1/{action}").status == 404


# Decided about.


def test_it_is_approved_with_a_reason(dashboard: Dashboard, database: Database) -> None:
    asking(database, a_service(database))
    page = text_of(dashboard.get("/ui/executions/1"))
    assert "0 of 1 approval" in page
    assert "What would follow" in page
    assert dashboard.post("/ui/executions/1/approve", reason="looks right").status == 303
    assert dashboard.said == "Approved."
    assert status_of(database) == "approved"
    page = text_of(dashboard.get("/ui/executions/1"))
    assert "Approved by admin testadmin by key: looks right" in page
    again = dashboard.post("/ui/executions/1/reject")
    assert again.status == 409
    assert "Decided already: approved by admin testadmin" in again.body


def test_it_is_rejected(dashboard: Dashboard, database: Database) -> None:
    asking(database)
    assert dashboard.post("/ui/executions/1/reject", reason=HOSTILE).status == 303
    assert status_of(database) == "rejected"
    body = dashboard.get("/ui/executions/1").body
    assert HOSTILE not in body
    assert "Rejected" in body


def test_several_must_agree_and_only_those_who_were_asked(
    functions: Functions, dashboard: Dashboard, database: Database
) -> None:
    asking(database, approvers=["ann", "bob"], approvers_required=2)
    refused = dashboard.post("/ui/executions/1/approve")
    assert refused.status == 403
    assert "Only ann, bob may decide about this." in refused.body
    assert "Only ann, bob may decide about this." in dashboard.get("/ui/executions/1").body
    ann, bob = (signed_in(functions, database, name, Scope.READ, Scope.WRITE) for name in ("ann", "bob"))
    assert ann.post("/ui/executions/1/approve", reason="fine").status == 303
    assert ann.said == "Your approval counts: 1 of 2."
    assert "ann has voted already" in ann.post("/ui/executions/1/approve").body
    page = text_of(bob.get("/ui/executions/1"))
    assert "1 of 2 approvals" in page
    assert "Approved by ann" in page
    assert bob.post("/ui/executions/1/approve").status == 303
    assert status_of(database) == "approved"


def test_it_is_cancelled_with_a_note(dashboard: Dashboard, database: Database) -> None:
    Hand(database, started(database, a_playbook(database, REST))).turn()
    assert dashboard.post("/ui/executions/1/cancel", reason="wrong one").status == 303
    assert "cancelled by admin testadmin: wrong one" in dashboard.get("/ui/executions/1").body
    again = dashboard.post("/ui/executions/1/cancel")
    assert again.status == 409
    assert "is over already" in again.body


@pytest.mark.parametrize("reason", ["x" * 1001, "a\x07b"])
def test_reasons_that_cannot_be_kept_are_refused(dashboard: Dashboard, database: Database, reason: str) -> None:
    asking(database)
    for action in ("approve", "reject", "cancel"):
        assert dashboard.post(f"/ui/executions/1/{action}", reason=reason).status == 400
    assert status_of(database) == "pending"


# Stopped.


def test_repairs_are_stopped_and_let_go_again(dashboard: Dashboard, database: Database) -> None:
    service_id, playbook_id = a_service(database, "Web", team="infra"), a_playbook(database, REST, name="restart")
    for level, name in (("global", ""), ("team", "INFRA"), ("service", "web"), ("playbook", "restart")):
        assert dashboard.post("/ui/kill-switches", level=level, name=name, reason=f"no {level}").status == 303
        assert dashboard.said.startswith("Repairs are stopped")
    by = "admin testadmin"
    assert switches(database) == [
        ("global", None, "no global", by),
        ("playbook", playbook_id, "no playbook", by),
        ("service", service_id, "no service", by),
        ("team", 1, "no team", by),
    ]
    said = text_of(dashboard.get("/ui/executions"))
    assert "All repairs are stopped since" in said
    assert f"by {by} : no global" in said.replace(f"{by}:", f"{by} :")
    assert "Repairs of the team infra are stopped" in said
    assert "Repairs of the service Web are stopped" in said
    assert "Repairs by the playbook restart are stopped" in said
    assert dashboard.post(f"/ui/playbooks/{playbook_id}/run").status == 409
    dashboard.post("/ui/kill-switches", level="global", name="", reason="")
    assert dashboard.said == "They were stopped already."
    for number in range(1, 5):
        assert dashboard.post(f"/ui/kill-switches/{number}/release").status == 303
    assert switches(database) == []
    assert "are stopped" not in dashboard.get("/ui/executions").body
    assert dashboard.post("/ui/kill-switches/1/release").status == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"level": "service"}, "say which service"),
        ({"level": "team", "name": "nobody"}, "no team has the name"),
        ({"level": "world"}, "level: must be one of"),
        ({}, "level: must be one of"),
        ({"level": "global", "reason": "x" * 1001}, "reason: "),
    ],
)
def test_what_cannot_be_stopped_is_said(
    dashboard: Dashboard, database: Database, fields: dict[str, str], said: str
) -> None:
    reply = dashboard.post("/ui/kill-switches", **fields)
    assert reply.status == 400
    assert said in text_of(reply)
    assert switches(database) == []


# Held.


@pytest.fixture
def held(database: Database) -> None:
    """Six of six services have failed at once: their repairs wait as one batch."""
    playbook_id = a_playbook(database, REST, name="restart")
    with database.transaction() as tx:
        edit_triggers.create(
            tx, playbook_id, NewTrigger.model_validate({"service_pattern": "worker-*"}).columns(), "ann"
        )
    for number in range(6):
        a_service(database, f"worker-{number}")
        hears(database, f"worker-{number}", SignalKind.DOWN)
    sweep(database, 0, timedelta(seconds=15))
    assert consider_alerts(database, Rules(5)).held == 6


@pytest.mark.usefixtures("held")
def test_a_batch_that_was_held_is_approved_where_executions_are(dashboard: Dashboard, database: Database) -> None:
    said = text_of(dashboard.live("/ui/executions"))
    assert "6 repairs by the playbook restart wait for a decision" in said
    hears(database, "worker-3")
    assert dashboard.post("/ui/repair-batches/1/approve").status == 303
    assert dashboard.said == "Approved: 5 of its repairs have started."
    assert "wait for a decision" not in text_of(dashboard.get("/ui/executions"))
    decided = rows(database, "SELECT status, decided_by FROM medic.repair_batches")
    assert decided == [("approved", "admin testadmin")]
    again = dashboard.post("/ui/repair-batches/1/reject")
    assert again.status == 409
    assert "this batch is approved" in again.body
    assert dashboard.post("/ui/repair-batches/9/approve").status == 404


@pytest.mark.usefixtures("held")
def test_a_batch_is_rejected_but_by_nobody_who_only_looks(
    functions: Functions, dashboard: Dashboard, database: Database
) -> None:
    reader = signed_in(functions, database, "eve", Scope.READ)
    body = reader.get("/ui/executions").body
    assert "wait for a decision" in body
    assert "/ui/repair-batches/" not in body
    assert reader.post("/ui/repair-batches/1/approve").status == 403
    assert dashboard.post("/ui/repair-batches/1/reject").status == 303
    assert dashboard.said == "Rejected: none of its repairs starts."
    assert "No playbook has run yet" in dashboard.get("/ui/executions").body


@pytest.mark.usefixtures("held")
def test_a_batch_whose_time_is_over_waits_no_more(dashboard: Dashboard, database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("UPDATE medic.repair_batches SET expires_at = now()")
    assert "wait for a decision" not in dashboard.get("/ui/executions").body


# Scopes.


def test_who_may_only_look_sees_no_button_and_can_press_none(
    functions: Functions, dashboard: Dashboard, database: Database
) -> None:
    asking(database)
    dashboard.post("/ui/kill-switches", level="global")
    reader = signed_in(functions, database, "eve", Scope.READ)
    for page, buttons in (("/ui/executions", 2), ("/ui/executions/1", 1)):
        body = reader.get(page).body
        assert body.count("<button") == buttons, page
        assert 'method="post"' not in body.replace('method="post" action="/ui/sign-out"', "")
    assert "All repairs are stopped" in reader.get("/ui/executions").body
    actions = (
        "executions/1/approve",
        "executions/1/reject",
        "executions/1/cancel",
        "kill-switches",
        "kill-switches/1/release",
    )
    for action in actions:
        assert reader.post(f"/ui/{action}", level="global").status == 403, action
    assert (status_of(database), len(switches(database))) == ("pending", 1)
