"""Pages of playbooks: listed, written with what is wrong said at once, compared, tried, run, deleted."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import pytest

from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.flows import edit_playbooks, edit_triggers
from medic_core.store.connection import Database
from tests.builders import a_service, rows, watch_statements
from tests.fixtures.approving import text_of
from tests.fixtures.dashboard import Dashboard, signed_in
from tests.fixtures.functions import Functions, Reply
from tests.fixtures.repairing import Hand, a_playbook, started

REST = {"type": "wait", "duration": "1m"}
CALL = {"type": "webhook", "url": "https://example.com/${SERVICE_NAME}/${REGION}"}
VALID = "name: restart\nsteps:\n  - {name: rest, type: wait, duration: 1m}\n"
LONGER = VALID.replace("1m", "2m")
WITH_SECRET = (
    "name: secretive\nsteps:\n  - name: call\n    type: webhook\n    url: https://example.com/\n"
    '    headers: {Authorization: "${secrets.TOKEN}"}\n'
)
HOSTILE = '</textarea><script>alert("x")</script>'


def area_of(reply: Reply) -> str:
    """What the editor holds, as a browser reads it: without the line end that begins it."""
    found = reply.body.partition("<textarea id=")[2].partition(">")[2].partition("</textarea>")[0]
    return unescape(found).removeprefix("\n")


def saved(dashboard: Dashboard, text: str = VALID) -> int:
    reply = dashboard.post("/ui/playbooks", yaml_content=text)
    assert reply.status == 303, text_of(reply)
    return int(reply.headers["Location"].rpartition("/")[2])


def versions(database: Database, playbook_id: int = 1) -> list[tuple[Any, ...]]:
    query = (
        "SELECT version, yaml_content, created_by FROM medic.playbook_versions WHERE playbook_id = %(id)s ORDER BY 1"
    )
    return rows(database, query, id=playbook_id)


# Listed.


def test_the_list_says_who_saved_each_what_starts_it_and_how_it_has_done(
    dashboard: Dashboard, database: Database
) -> None:
    assert "No playbook is written yet" in dashboard.get("/ui/playbooks").body
    service_id = a_service(database)
    zeta, alpha = (a_playbook(database, REST, name=name, description=f"{name}!") for name in ("zeta", "Alpha"))
    with database.transaction() as tx:
        edit_triggers.create(tx, alpha, {"service_pattern": "web-*", "consecutive_failures": 3}, "a test")
    hand = Hand(database, started(database, zeta, service_id))
    assert hand.to_the_end() == "succeeded"
    heard = watch_statements(dashboard.functions.module("door").DATABASE)
    reply = dashboard.get("/ui/playbooks")
    said = text_of(reply)
    assert said.index("Alpha!") < said.index("zeta!")
    assert "web-* after 3 failures" in said
    assert "people only" in said
    assert "1 run" in said
    assert "no runs" in said
    assert "by a test" in said
    assert len([one for one in heard if "playbook" in one]) <= 1
    assert f'href="/ui/playbooks/{alpha}"' in reply.body


def test_the_list_is_paged_by_name(dashboard: Dashboard, database: Database) -> None:
    with database.transaction() as tx:
        for number in range(51):
            edit_playbooks.create(tx, VALID.replace("restart", f"p-{number:02}"), "a test")
    first = dashboard.get("/ui/playbooks")
    assert "p-49" in first.body
    assert "p-50" not in first.body
    second = dashboard.get("/ui/playbooks?cursor=50")
    assert "p-50" in second.body
    assert "p-49" not in second.body
    assert dashboard.get("/ui/playbooks?cursor=x").status == 400


# Written.


def test_a_new_one_begins_with_an_example_that_can_be_saved(dashboard: Dashboard, database: Database) -> None:
    reply = dashboard.get("/ui/playbooks/new")
    playbook_id = saved(dashboard, area_of(reply))
    assert dashboard.said == "Saved as version 1."
    shown = dashboard.get(f"/ui/playbooks/{playbook_id}")
    assert "<h1>restart-worker</h1>" in shown.body
    assert area_of(shown) == area_of(reply) == versions(database)[0][1]


def test_what_is_wrong_is_said_by_line_and_nothing_that_was_written_is_lost(dashboard: Dashboard) -> None:
    wrong = VALID.replace("duration: 1m", "duration: soon") + "colour: red\n" + f"# {HOSTILE}\n"
    reply = dashboard.post("/ui/playbooks", yaml_content=wrong)
    assert reply.status == 400
    assert "It was not saved" in reply.body
    assert "2 things are to be corrected" in text_of(reply)
    assert "Line 3 , step rest, duration" in text_of(reply)
    assert area_of(reply) == wrong
    assert HOSTILE not in reply.body


@pytest.mark.parametrize("text", ["", "x" * 70_000, "name: \x00"], ids=["nothing", "too much", "not text"])
def test_what_can_be_no_playbook_is_refused(dashboard: Dashboard, text: str) -> None:
    assert dashboard.post("/ui/playbooks", yaml_content=text).status == 400


def test_it_is_checked_while_it_is_written(dashboard: Dashboard) -> None:
    dashboard.get("/ui/playbooks/new")
    page = dashboard.post("/ui/playbooks/check", yaml_content=VALID, playbook_id="", version="")
    assert "It is valid." in page.body
    assert area_of(page) == VALID
    assert "<textarea" in page.body
    fragment = dashboard.post_live("/ui/playbooks/check", yaml_content=VALID)
    assert text_of(fragment) == "It is valid."
    fragment = dashboard.post_live("/ui/playbooks/check", yaml_content=f"name: x\n{HOSTILE}")
    assert "<html" not in fragment.body
    assert "data-line" in fragment.body
    assert HOSTILE not in fragment.body


def test_a_check_of_a_playbook_that_is_there_keeps_which_version_was_read(dashboard: Dashboard) -> None:
    playbook_id = saved(dashboard)
    page = dashboard.post("/ui/playbooks/check", yaml_content=LONGER, playbook_id=playbook_id, version=1)
    assert f'action="/ui/playbooks/{playbook_id}"' in page.body
    assert 'name="version" value="1"' in page.body


def test_a_name_that_is_taken_is_said(dashboard: Dashboard) -> None:
    saved(dashboard)
    reply = dashboard.post("/ui/playbooks", yaml_content=LONGER)
    assert (reply.status, area_of(reply)) == (409, LONGER)
    assert "another playbook has it already" in reply.body


def test_each_save_is_a_version_and_the_same_again_is_none(dashboard: Dashboard, database: Database) -> None:
    playbook_id = saved(dashboard)
    path = f"/ui/playbooks/{playbook_id}"
    assert dashboard.post(path, yaml_content=LONGER.replace("\n", "\r\n"), version=1).status == 303
    assert dashboard.said == "Saved as version 2."
    assert dashboard.post(path, yaml_content=LONGER, version=2).status == 303
    assert dashboard.said == "Nothing had changed."
    assert [(number, text) for number, text, _ in versions(database)] == [(1, VALID), (2, LONGER)]
    assert dashboard.post(path, yaml_content=VALID).status == 400
    assert dashboard.post("/ui/playbooks/9", yaml_content=VALID, version=1).status == 404


def test_who_comes_late_is_shown_what_changed_and_can_save_all_the_same(
    dashboard: Dashboard, database: Database
) -> None:
    path = f"/ui/playbooks/{saved(dashboard)}"
    with database.transaction() as tx:
        edit_playbooks.change(tx, 1, LONGER, "ann", None)
    mine = VALID.replace("1m", "3m")
    reply = dashboard.post(path, yaml_content=mine, version=1)
    assert (reply.status, area_of(reply)) == (412, mine)
    assert "ann has saved version 2 meanwhile" in reply.body
    assert '<span class="removed">-  - {name: rest, type: wait, duration: 2m}</span>' in reply.body
    assert '<span class="added">+  - {name: rest, type: wait, duration: 3m}</span>' in reply.body
    assert 'name="version" value="2"' in reply.body
    assert dashboard.post(path, yaml_content=mine, version=2).status == 303
    assert [text for _, text, _ in versions(database)] == [VALID, LONGER, mine]


def test_one_that_uses_secrets_is_saved_by_admins_alone(
    functions: Functions, dashboard: Dashboard, database: Database
) -> None:
    writer = signed_in(functions, database, "ann", Scope.READ, Scope.WRITE)
    reply = writer.post("/ui/playbooks", yaml_content=WITH_SECRET)
    assert (reply.status, area_of(reply)) == (403, WITH_SECRET)
    assert versions(database) == []
    playbook_id = saved(dashboard, WITH_SECRET)
    shown = writer.get(f"/ui/playbooks/{playbook_id}")
    assert "an admin key is needed to save it" in shown.body
    assert writer.post(f"/ui/playbooks/{playbook_id}", yaml_content=f"{WITH_SECRET}#", version=1).status == 403


# Compared, and deleted.


def test_versions_are_listed_shown_and_compared(dashboard: Dashboard) -> None:
    path = f"/ui/playbooks/{saved(dashboard)}"
    for version, text in enumerate((LONGER, LONGER + f"# {HOSTILE}\n"), 1):
        dashboard.post(path, yaml_content=text, version=version)
    listed = text_of(dashboard.get(f"{path}/versions"))
    assert listed.index("Version 3") < listed.index("Version 1")
    one = dashboard.get(f"{path}/versions/3")
    assert HOSTILE not in one.body
    assert "&lt;script&gt;" in one.body
    diff = dashboard.get(f"{path}/diff?from_version=1&to_version=3")
    assert '<span class="removed">-  - {name: rest, type: wait, duration: 1m}</span>' in diff.body
    assert '<span class="added">+  - {name: rest, type: wait, duration: 2m}</span>' in diff.body
    assert HOSTILE not in diff.body
    assert "Nothing: they are the same." in dashboard.get(f"{path}/diff?from_version=2&to_version=2").body
    assert "From version 1 to 2" in dashboard.get(f"{path}/diff?to_version=2").body
    assert "From version 2 to 3" in dashboard.get(f"{path}/diff").body
    older = dashboard.get(f"{path}?from_version=1")
    assert area_of(older) == VALID
    assert 'name="version" value="3"' in older.body
    for bad, status in (("diff?to_version=9", 404), ("diff?to_version=0", 400), ("versions/9", 404)):
        assert dashboard.get(f"{path}/{bad}").status == status, bad
    assert dashboard.get("/ui/playbooks/9/versions").status == 404
    assert dashboard.get(f"{path}?from_version=x").status == 400


def test_it_is_deleted_if_its_name_is_written_and_its_versions_stay(dashboard: Dashboard) -> None:
    path = f"/ui/playbooks/{saved(dashboard)}"
    assert dashboard.post(f"{path}/delete", name="other", version=1).status == 400
    assert dashboard.post(f"{path}/delete", name="restart", version=7).status == 412
    assert dashboard.post(f"{path}/delete", name="Restart", version=1).status == 303
    assert dashboard.get(path).status == 404
    assert "Version 1" in dashboard.get(f"{path}/versions").body


# What starts it.


def test_a_trigger_is_added_turned_off_and_on_and_deleted(dashboard: Dashboard, database: Database) -> None:
    path = f"/ui/playbooks/{saved(dashboard)}"
    assert "no alert starts it by itself" in dashboard.get(path).body
    fields = {"service_pattern": "web-*", "consecutive_failures": "3", "mode": "observe"}
    assert dashboard.post(f"{path}/triggers", **fields).status == 303
    query = "SELECT service_pattern, consecutive_failures, mode, enabled FROM medic.playbook_triggers"
    assert rows(database, query) == [("web-*", 3, "observe", True)]
    shown = dashboard.get(path)
    assert "web-* after 3 failures observes only" in text_of(shown)
    assert f"{path}/triggers/1/turn-off" in shown.body
    assert dashboard.post(f"{path}/triggers/1/turn-off").status == 303
    assert rows(database, query)[0][3] is False
    assert f"{path}/triggers/1/turn-on" in dashboard.get(path).body
    assert dashboard.post(f"{path}/triggers/1/turn-on").status == 303
    assert rows(database, query)[0][3] is True
    assert dashboard.post(f"{path}/triggers/1/delete").status == 303
    assert rows(database, query) == []
    for action, status in (("turn-on", 404), ("delete", 404), ("turn-round", 400)):
        assert dashboard.post(f"{path}/triggers/1/{action}").status == status, action


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("service_pattern", ""),
        ("service_pattern", "x" * 201),
        ("consecutive_failures", "many"),
        ("consecutive_failures", "1001"),
        ("mode", "guess"),
    ],
)
def test_what_can_be_no_trigger_is_said(dashboard: Dashboard, database: Database, field: str, value: str) -> None:
    path = f"/ui/playbooks/{saved(dashboard)}/triggers"
    fields = {"service_pattern": "web-*", "consecutive_failures": "1", "mode": "run"} | {field: value}
    reply = dashboard.post(path, **fields)
    assert reply.status == 400
    assert f"{field}: " in text_of(reply)
    assert rows(database, "SELECT FROM medic.playbook_triggers") == []


# Run.


def test_a_dry_run_shows_each_step_and_how_it_would_go(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "web")
    playbook_id = a_playbook(database, CALL, REST, name="restart")
    path = f"/ui/playbooks/{playbook_id}"
    assert 'value="web"' in dashboard.get(f"{path}/run?service=web").body
    reply = dashboard.post(f"{path}/plan", service="WEB", variables="\nREGION = eu\n")
    assert reply.status == 200
    assert "https://example.com/web/eu" in reply.body
    assert "Nothing is in its way" in reply.body
    assert "How it would go" in reply.body
    assert "Waits : step-1" in text_of(reply)
    assert "REGION = eu" in reply.body
    missing = dashboard.post(f"{path}/plan", service="web", variables="")
    assert "This would be in its way" in missing.body
    assert "REGION" in text_of(missing)
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(0,)]


def test_it_is_run_and_watched(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "web")
    playbook_id = a_playbook(database, REST, name="restart")
    reply = dashboard.post(f"/ui/playbooks/{playbook_id}/run", service="web", variables="REGION=eu")
    assert reply.headers["Location"] == "/ui/executions/1"
    query = "SELECT started_by, cause, context->>'REGION', context->>'SERVICE_NAME' FROM medic.playbook_executions"
    assert rows(database, query) == [("admin testadmin", "api", "eu", "web")]
    again = dashboard.post(f"/ui/playbooks/{playbook_id}/run", service="web", variables="REGION=us")
    assert again.status == 409
    assert "is under way" in again.body
    assert "REGION=us" in again.body


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"service": "nobody"}, "none is registered"),
        ({"variables": "NOTHING"}, "line 1 must be like NAME=value"),
        ({"variables": "A=1\nA=2"}, "A is given twice"),
        ({"variables": "a b=1"}, "is no name"),
        ({"variables": "\n".join(f"N{n}=1" for n in range(51))}, "variables: "),
    ],
)
def test_what_cannot_be_run_is_said_and_kept(
    dashboard: Dashboard, database: Database, fields: dict[str, str], said: str
) -> None:
    playbook_id = a_playbook(database, REST)
    for action in ("run", "plan"):
        reply = dashboard.post(f"/ui/playbooks/{playbook_id}/{action}", **fields)
        assert reply.status == 400
        assert said in text_of(reply)
        assert all(value in unescape(reply.body) for value in fields.values())


def test_runs_count_as_they_do_in_the_api(functions: Functions, database: Database) -> None:
    writer = signed_in(functions, database, "ann", Scope.READ, Scope.WRITE, limits={Endpoints.EXECUTION: 1})
    path = f"/ui/playbooks/{a_playbook(database, REST)}"
    assert writer.post(f"{path}/plan").status == 200
    refused = writer.post(f"{path}/run", variables="A=1")
    assert refused.status == 429
    assert "Try again in" in refused.body
    assert "A=1" in refused.body
    assert writer.get(f"{path}/run").status == 200


# Scopes.


def test_who_may_only_look_sees_no_button_and_can_press_none(functions: Functions, database: Database) -> None:
    playbook_id = a_playbook(database, REST, name="restart")
    reader = signed_in(functions, database, "ann", Scope.READ)
    path = f"/ui/playbooks/{playbook_id}"
    for page in ("/ui/playbooks", path, f"{path}/versions", f"{path}/versions/1"):
        body = reader.get(page).body
        assert body.count("<button") == 1, page
        assert not [one for one in ("<textarea", "/run", "/new", "from_version=") if one in body], page
    assert json.loads(unescape(reader.get(path).body.partition("<pre")[2].partition(">")[2].partition("</pre>")[0]))
    for target in ("/ui/playbooks/new", f"{path}/run"):
        assert reader.get(target).status == 403
    for target in ("/ui/playbooks", "/ui/playbooks/check", path, f"{path}/delete", f"{path}/run", f"{path}/plan",
                   f"{path}/triggers", f"{path}/triggers/1/turn-off", f"{path}/triggers/1/delete"):  # fmt: skip
        assert reader.post(target, yaml_content=VALID, version=1, name="restart").status == 403, target
    assert len(versions(database)) == 1


def test_what_is_not_there_is_said_on_a_page(dashboard: Dashboard) -> None:
    for path in ("/ui/playbooks/9", "/ui/playbooks/9/run", "/ui/playbooks/9/versions/1"):
        assert dashboard.get(path).status == 404, path
    assert dashboard.get("/ui/playbooks/x").status == 400
    assert dashboard.post("/ui/playbooks/9/run").status == 404
