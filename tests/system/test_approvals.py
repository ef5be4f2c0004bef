"""People decide, over HTTP, while the state machine really waits on its token."""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
import urllib3

from medic_core.adapters.sealing import sealer
from medic_core.flows.sealed import token_context
from tests.fixtures.approving import Browser, text_of
from tests.fixtures.functions import ADMIN_KEY, Reply
from tests.fixtures.receivers import Receivers
from tests.fixtures.routing import SIGNING_SECRET
from tests.fixtures.slack import Slack
from tests.system.conftest import PATIENCE_SECONDS, Medic, until
from tests.system.repairs import Repairs

LINK = re.compile(r"http://127\.0\.0\.1:\d+/approvals/([A-Za-z0-9_-]{43})")
REST = {"name": "rest", "type": "wait", "duration": "1s"}
APPROVALS, DECIDERS = 100, 10


class OverHttp:
    """The running system, as a browser and as Slack reach it."""

    def __init__(self, medic: Medic) -> None:
        self.url = f"http://127.0.0.1:{medic.port}"
        self.pool = urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS, maxsize=32)

    def api(self, method: str, target: str, body: Any = None, key: str | None = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.pool.request(
            method, self.url + target, body=body, headers={**named, **({"X-API-Key": key} if key else {})}
        )
        return Reply(response.status, dict(response.headers), response.data.decode())


@pytest.fixture
def repairs(start_medic: Callable[..., Medic], standing_in: Receivers) -> Iterator[Repairs]:
    limits = {f"RATE_LIMIT_{name}_REQUESTS": "1000000" for name in ("EXECUTION", "PAGE", "HEALTH")}
    found = Repairs(start_medic(**standing_in.environment, **limits, SLACK_SIGNING_SECRET=SIGNING_SECRET))
    yield found
    found.close()


def playbook(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": f"playbook-{uuid4().hex[:8]}", "steps": list(steps or [REST]), **more}


def asking(repairs: Repairs, *steps: dict[str, Any], **more: Any) -> int:
    """An execution that asks."""
    content = playbook(*steps, **more) if steps else playbook(approval="required", **more)
    execution_id = repairs.execute(repairs.playbook(content))
    repairs.until_it(execution_id, lambda execution: execution["status"] == "pending_approval")
    return execution_id


def url_of(repairs: Repairs, execution_id: int) -> str:
    return str(repairs.execution(execution_id)["approval"]["url"])


def a_key(repairs: Repairs, name: str) -> str:
    made = repairs.asked("POST", "/v2/api-keys", {"name": name, "scopes": ["read", "write"]})
    return str(made["api_key"])


def webhook_about(standing_in: Receivers, kind: str, execution_id: int) -> dict[str, Any]:
    """What the default channel's webhook was told of an approval."""

    def found() -> dict[str, Any] | None:
        for one in standing_in.webhook.received:
            approval = one.content["data"].get("approval", {})
            if one.content["type"] == f"notice.{kind}" and approval["execution_id"] == execution_id:
                return dict(approval)
        return None

    approval: dict[str, Any] | None = until(found)
    assert approval is not None
    return approval


def slack_blocks(standing_in: Receivers, path: str, *words: str) -> list[dict[str, Any]]:
    """The blocks of the message to Slack that says all that."""

    def found() -> list[dict[str, Any]] | None:
        for one in standing_in.slack.received:
            if one.path == path and all(word in json.dumps(one.content.get("blocks")) for word in words):
                return [json.loads(block) if isinstance(block, str) else block for block in one.content["blocks"]]
        return None

    blocks: list[dict[str, Any]] | None = until(found)
    assert blocks is not None, [(one.path, one.content) for one in standing_in.slack.received][-5:]
    return blocks


def test_every_way_to_decide(repairs: Repairs, standing_in: Receivers) -> None:
    http = OverHttp(repairs.medic)
    # Approves itself after a minute; the others decide meanwhile.
    by_itself = asking_by_itself(repairs)
    over_the_api(repairs)
    by_the_link_that_a_key_is_given(repairs, http)
    by_the_link_of_a_message(repairs, http, standing_in)
    in_slack(repairs, http, standing_in)
    several_must_agree(repairs, http)
    steps_that_ask(repairs)
    execution = repairs.end_of(by_itself)
    assert (execution["status"], execution["approval"]["status"]) == ("completed", "approved")
    assert execution["approval"]["decided_by"] is None
    assert "nobody answered in time" in execution["approval"]["reason"]
    assert repairs.asked("GET", "/v2/approvals")["items"] == []
    no_token_is_seen_anywhere(repairs)


def asking_by_itself(repairs: Repairs) -> int:
    execution_id = repairs.execute(repairs.playbook(playbook(approval="timeout:1m")))
    repairs.until_it(execution_id, lambda execution: execution["status"] == "pending_approval")
    return execution_id


def over_the_api(repairs: Repairs) -> None:
    execution_id = asking(repairs)
    pending = [one["execution_id"] for one in repairs.asked("GET", "/v2/approvals")["items"]]
    assert execution_id in pending
    repairs.asked("POST", f"/v2/executions/{execution_id}/approve", {"reason": "go"})
    assert repairs.end_of(execution_id)["status"] == "completed"
    again = repairs.medic.ask("POST", f"/v2/executions/{execution_id}/reject", {})
    assert (again.status, again.json["message"][:24]) == (409, "Decided already: approve")
    rejected = asking(repairs)
    repairs.asked("POST", f"/v2/executions/{rejected}/reject", {"reason": "not now"})
    execution = repairs.end_of(rejected)
    assert (execution["status"], execution["outcome"]) == ("cancelled", "rejected")


def by_the_link_that_a_key_is_given(repairs: Repairs, http: OverHttp) -> None:
    execution_id = asking(repairs)
    browser = Browser(http, url_of(repairs, execution_id).rpartition("/")[2])
    for method in ("GET", "HEAD", "OPTIONS") * 5:
        browser.opens(method)
    assert repairs.execution(execution_id)["status"] == "pending_approval"
    browser.opens()
    reply = browser.sends("approve", reason="looks right")
    assert (reply.status, text_of(reply)[:8]) == (200, "Approved")
    execution = repairs.end_of(execution_id)
    assert (execution["status"], execution["approval"]["reason"]) == ("completed", "looks right")
    assert browser.sends("reject").status == 409
    assert browser.opens().status == 410


def by_the_link_of_a_message(repairs: Repairs, http: OverHttp, standing_in: Receivers) -> None:
    execution_id = asking(repairs)
    told = webhook_about(standing_in, "approval_requested", execution_id)
    browser = Browser(http, str(told["url"]).rpartition("/")[2])
    assert browser.sends("approve", code="").status == 403
    assert repairs.execution(execution_id)["status"] == "pending_approval"
    assert browser.sends("reject", code=told["code"], name="Ann").status == 200
    execution = repairs.end_of(execution_id)
    assert (execution["outcome"], execution["approval"]["decided_by"]) == ("rejected", "Ann (link)")
    assert webhook_about(standing_in, "approval_decided", execution_id)["approved"] is False


def in_slack(repairs: Repairs, http: OverHttp, standing_in: Receivers) -> None:
    content = playbook(approval="required", approvers=["U0AAAAAAA"])
    execution_id = repairs.execute(repairs.playbook(content))
    repairs.until_it(execution_id, lambda execution: execution["status"] == "pending_approval")
    blocks = slack_blocks(standing_in, "/api/chat.postMessage", content["name"], "open_approval")
    approve = next(block for block in blocks if block["type"] == "actions")["elements"][0]
    slack = Slack(http, f"{standing_in.slack.url}/answers")
    assert slack.presses("approve", approve["value"], user="U0BBBBBBB").status == 200
    assert until(lambda: [one for one in standing_in.slack.received if one.path == "/answers"])
    assert repairs.execution(execution_id)["status"] == "pending_approval"
    body, at = slack.body("approve", approve["value"]), int(time.time())
    assert [slack.sends(body, at=at).status for _ in range(5)] == [200, 409, 409, 409, 409]
    execution = repairs.end_of(execution_id)
    assert (execution["status"], execution["approval"]["decided_by"]) == ("completed", "u0aaaaaaa (Slack)")
    edited = slack_blocks(standing_in, "/api/chat.update", content["name"])
    assert [block["type"] for block in edited if block["type"] == "actions"] == []
    assert "Approved by u0aaaaaaa (Slack)" in json.dumps(edited)


def several_must_agree(repairs: Repairs, http: OverHttp) -> None:
    anns, bobs = a_key(repairs, "ann"), a_key(repairs, "bob")
    execution_id = asking(repairs, approvers=["ann", "bob", "U0AAAAAAA"], approvers_required=2, four_eyes=True)

    def votes(key: str, how: str = "approve") -> Reply:
        return http.api("POST", f"/v2/executions/{execution_id}/{how}", "{}", key)

    assert votes(ADMIN_KEY).status == 403
    assert votes(anns).json["message"] == "Your approval counts: 1 of 2."
    assert votes(anns).status == 409
    assert repairs.execution(execution_id)["approval"]["agreed"] == 1
    url = json.loads(http.api("GET", f"/v2/executions/{execution_id}", None, bobs).body)["results"]["approval"]["url"]
    assert Browser(http, url.rpartition("/")[2]).sends().status == 200
    execution = repairs.end_of(execution_id)
    assert (execution["status"], execution["approval"]["decided_by"]) == ("completed", "ann, bob")


def steps_that_ask(repairs: Repairs) -> None:
    def ask(on_timeout: str) -> dict[str, Any]:
        return {"name": "ask", "type": "approval", "message": "may I?", "timeout": "3s", "on_timeout": on_timeout}

    begun = {one: repairs.execute(repairs.playbook(playbook(ask(one), REST))) for one in ("approve", "reject", "fail")}
    ends = {one: repairs.end_of(execution_id) for one, execution_id in begun.items()}
    assert {one: (end["status"], end["outcome"]) for one, end in ends.items()} == {
        "approve": ("completed", "succeeded"),
        "reject": ("cancelled", "expired"),
        "fail": ("failed", "failed"),
    }


def no_token_is_seen_anywhere(repairs: Repairs) -> None:
    """Neither what is in a link nor what lets the state machine go on: not in the log, nor in a run's history."""
    said = repairs.medic.output.read_text() + "".join(path.read_text() for path in repairs.medic.data.glob("*.log"))
    histories = json.dumps(repairs.histories(), default=str)
    links = set(LINK.findall(json.dumps([url_of(repairs, asking(repairs))])))
    key = (repairs.medic.data / "secrets-key").read_text()
    with closing(repairs.database()) as database:
        query = "SELECT request_id, task_token FROM medic.approval_requests WHERE task_token IS NOT NULL"
        kept, opener = database.execute(query).fetchall(), sealer(key, (), "")
        tokens = {opener.open(bytes(sealed), token_context(number)).decode() for number, sealed in kept}
        everything = "".join(str(row) for row in database.execute("SELECT t::text FROM medic.approval_requests t"))
    assert len(tokens) > 5
    for token in tokens | links:
        assert token not in said
        assert token not in everything
    assert [link for link in links if link in histories] == []
    assert [token for token in tokens if token in histories] == []
    assert base64.b64encode(next(iter(tokens)).encode()).decode() not in histories


def test_a_thousand_decisions_about_a_hundred_approvals_are_a_hundred(repairs: Repairs) -> None:
    """Ten people decide about each at the same instant, some by the API and some by its link."""
    http = OverHttp(repairs.medic)
    playbook_id = repairs.playbook(playbook(approval="required"))
    ids = [repairs.execute(playbook_id) for _ in range(APPROVALS)]
    assert until(lambda: len(repairs.executions(status="pending_approval")) == APPROVALS, 600)
    browsers = {}
    for number in ids:
        browsers[number] = Browser(http, url_of(repairs, number).rpartition("/")[2])
        browsers[number].opens()

    def decide(number: int, decider: int) -> tuple[int, str, int]:
        decision = "approve" if decider % 2 else "reject"
        if decider < 5:
            return number, decision, browsers[number].sends(decision).status
        return number, decision, http.api("POST", f"/v2/executions/{number}/{decision}", "{}", ADMIN_KEY).status

    work = [(number, decider) for number in ids for decider in range(DECIDERS)]
    with ThreadPoolExecutor(DECIDERS) as people:
        found = list(people.map(lambda one: decide(*one), work))
    assert Counter(status for _, _, status in found) == {200: APPROVALS, 409: APPROVALS * (DECIDERS - 1)}
    decided = {number: decision for number, decision, status in found if status == 200}
    assert len(decided) == APPROVALS
    ends = {number: repairs.end_of(number)["status"] for number in ids}
    assert ends == {number: "completed" if decided[number] == "approve" else "cancelled" for number in ids}
