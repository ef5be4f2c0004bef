"""Targets, webhooks and what was sent to them, on the dashboard."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.signals import SignalKind
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows
from tests.fixtures.dashboard import Dashboard, signed_in
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.routing import relayed
from tests.integration.test_webhooks import routing
from tests.stand_ins.receivers import Answer, Receiver

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{40,}")
ABROAD = "https://hooks.example.com/medic?token=hidden"


@pytest.fixture
def dashboard(others: list[Receiver], functions: Functions) -> Dashboard:
    """Signed in as an admin, where the receivers may be called."""
    found = Dashboard(functions)
    assert found.sign_in().status == 303
    return found


def targets(database: Database) -> list[tuple[Any, ...]]:
    columns = "service_id, team_id, type, config, priority, period, min_priority"
    return rows(database, f"SELECT {columns} FROM medic.notification_targets ORDER BY target_id")


def test_a_service_is_given_a_target_by_its_name(dashboard: Dashboard, database: Database) -> None:
    service_id = a_service(database, "nightly")
    sent = {"type": "slack", "address": "C1", "service": "Nightly", "period": "after_hours", "min_priority": "p2"}
    reply = dashboard.post("/ui/targets", **sent, priority="3")
    assert (reply.status, reply.headers["Location"]) == (303, "/ui/targets")
    assert targets(database) == [(service_id, None, "slack", {"channel_id": "C1"}, 3, "after_hours", "p2")]
    page = dashboard.get("/ui/targets").body
    for text in ("target:1", "Channel id: C1", "After hours", "P2 and more urgent", "place 3", ">Enabled<"):
        assert text in page


def test_a_team_is_given_a_webhook_whose_secret_is_shown_once(
    dashboard: Dashboard, database: Database, others: list[Receiver]
) -> None:
    a_service(database, "nightly", team="Payments")
    sent = {"type": "webhook", "address": f"{others[0].url}/hook", "team": "payments"}
    page = dashboard.post("/ui/targets", **sent, headers="X-Api-Key: hidden\n\nX-Other: too")
    assert (page.status, page.headers["Cache-Control"]) == (200, "no-store")
    ((kept,),) = rows(database, "SELECT secret FROM medic.notification_targets")
    assert SECRET.findall(page.body) == [kept]
    listed = dashboard.get("/ui/targets").body
    assert "X-Api-Key" in listed
    assert "hidden<" not in listed
    assert kept not in listed
    assert targets(database)[0][3]["headers"] == {"X-Api-Key": "hidden", "X-Other": "too"}


def test_pagerduty_keys_are_listed_without_what_is_secret_of_them(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "nightly")
    assert dashboard.post("/ui/targets", type="pagerduty", address="R" * 32, service="nightly").status == 303
    assert "R" * 32 not in dashboard.get("/ui/targets").body


@pytest.mark.parametrize(
    ("wrong", "status", "message"),
    [
        ({"address": "C1", "service": "nightly"}, 400, "type: say how it is reached"),
        ({"type": "pigeon", "address": "C1", "service": "nightly"}, 400, "type: must be one of"),
        ({"type": "slack", "address": "", "service": "nightly"}, 400, "config.channel_id"),
        ({"type": "slack", "address": "C1"}, 400, "Write the name of a service or that of a team"),
        ({"type": "slack", "address": "C1", "service": "nightly", "team": "Payments"}, 400, "Write the name"),
        ({"type": "slack", "address": "C1", "service": "nobody"}, 400, "no service has the heartbeat name 'nobody'"),
        ({"type": "slack", "address": "C1", "team": "nobody"}, 400, "there is no team 'nobody'"),
        ({"type": "slack", "address": "C1", "service": "nightly", "period": "never"}, 400, "period: must be one of"),
        ({"type": "slack", "address": "C1", "service": "nightly", "priority": "-1"}, 400, "priority: must be a whole"),
        ({"type": "webhook", "address": "http://10.0.0.1/", "service": "nightly"}, 400, "config.url:"),
        (
            {"type": "webhook", "address": ABROAD, "service": "nightly", "headers": "X"},
            400,
            "headers: write one a line",
        ),
    ],
)
def test_a_target_that_cannot_be_is_asked_for_again(
    dashboard: Dashboard, database: Database, wrong: dict[str, str], status: int, message: str
) -> None:
    a_service(database, "nightly", team="Payments")
    page = dashboard.post("/ui/targets", **wrong)
    assert page.status == status
    assert message in html.unescape(page.body)
    assert f'name="address" value="{wrong["address"]}"' in page.body
    assert targets(database) == []


def test_a_webhook_for_every_event_is_made_and_its_secret_shown_once(
    dashboard: Dashboard, database: Database, others: list[Receiver]
) -> None:
    service_id = a_service(database, "nightly")
    everywhere = dashboard.post("/ui/targets/webhooks", url=f"{others[0].url}/a")
    of_one = dashboard.post("/ui/targets/webhooks", url=f"{others[0].url}/b", service="nightly")
    kept = rows(database, "SELECT service_id, secret FROM medic.webhooks ORDER BY webhook_id")
    assert [one for one, _ in kept] == [None, service_id]
    assert [SECRET.findall(page.body) for page in (everywhere, of_one)] == [[secret] for _, secret in kept]
    page = dashboard.get("/ui/targets").body
    assert "Every service" in page
    assert all(secret not in page for _, secret in kept)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"url": ""}, "url:"),
        ({"url": "http://169.254.169.254/latest"}, "url:"),
        ({"url": ABROAD, "service": "nobody"}, "service: no service has"),
        ({"url": ABROAD, "headers": "Host: evil"}, "headers"),
    ],
)
def test_a_webhook_that_cannot_be_is_asked_for_again(
    dashboard: Dashboard, database: Database, wrong: dict[str, str], message: str
) -> None:
    page = dashboard.post("/ui/targets/webhooks", **wrong)
    assert page.status == 400
    assert message in html.unescape(page.body)
    assert f'value="{wrong["url"]}"' in page.body
    assert rows(database, "SELECT 1 FROM medic.webhooks") == []


def test_a_test_is_sent_and_what_came_of_it_is_said_and_logged(
    dashboard: Dashboard, functions: Functions, database: Database, others: list[Receiver]
) -> None:
    a_service(database, "nightly")
    dashboard.post("/ui/targets", type="webhook", address=f"{others[0].url}/hook", service="nightly")
    dashboard.post("/ui/targets/webhooks", url=f"{others[1].url}/hook")
    others[1].answers = [Answer(403, {"error": "no"})]
    with routing(functions):
        assert dashboard.post("/ui/targets/target/1/test").status == 303
        assert dashboard.said == "The test arrived."
        dashboard.post("/ui/targets/webhook/1/test")
        assert dashboard.said == "The test did not arrive: answered 403."
    log = dashboard.live("/ui/targets").body
    assert log.index("answered 403") < log.index("target:1")
    assert "target:1" not in dashboard.live("/ui/targets?status=failed").body
    assert dashboard.get("/ui/targets?status=lost").status == 400


@pytest.mark.parametrize("kind", ["target", "webhook"])
def test_each_is_disabled_enabled_and_deleted(
    dashboard: Dashboard, database: Database, others: list[Receiver], kind: str
) -> None:
    a_service(database, "nightly")
    dashboard.post("/ui/targets", type="slack", address="C1", service="nightly")
    dashboard.post("/ui/targets/webhooks", url=f"{others[0].url}/hook")
    path = f"/ui/targets/{kind}/1"
    dashboard.post(f"{path}/disable")
    page = dashboard.get("/ui/targets").body
    assert f'"{path}/test"' not in page
    assert f'"{path}/enable"' in page
    assert dashboard.post(f"{path}/test").status == 409
    dashboard.post(f"{path}/enable")
    assert f'"{path}/test"' in dashboard.get("/ui/targets").body
    assert dashboard.post(f"{path}/paint").status == 400
    dashboard.post(f"{path}/delete")
    assert f'"{path}/' not in dashboard.get("/ui/targets").body
    for action in ("test", "enable", "disable", "delete"):
        assert dashboard.post(f"{path}/{action}").status == 404


def test_there_are_no_other_kinds(dashboard: Dashboard) -> None:
    assert dashboard.post("/ui/targets/pigeon/1/test").status == 404


def test_a_webhook_that_medic_disabled_says_why_and_is_well_when_it_is_enabled(
    dashboard: Dashboard, database: Database, others: list[Receiver]
) -> None:
    dashboard.post("/ui/targets/webhooks", url=f"{others[0].url}/hook")
    with database.transaction() as tx:
        tx.execute("UPDATE medic.webhooks SET enabled = false, disabled_because = 'answered 410'")
        tx.execute("INSERT INTO medic.target_health (target_key, failing_since) VALUES ('webhook:1', now())")
    assert "answered 410" in dashboard.get("/ui/targets").body
    dashboard.post("/ui/targets/webhook/1/enable")
    page = dashboard.get("/ui/targets").body
    assert "answered 410" not in page
    assert "Failing" not in page


def test_what_failed_is_sent_again(
    dashboard: Dashboard, functions: Functions, database: Database, others: list[Receiver], told: Receivers
) -> None:
    a_service(database, "nightly")
    dashboard.post("/ui/targets", type="webhook", address=f"{others[0].url}/hook", service="nightly")
    others[0].answers = [Answer(403)]
    hears(database, "nightly", SignalKind.DOWN)
    relayed(functions)
    ((number,),) = rows(database, "SELECT delivery_id FROM medic.notification_deliveries WHERE status = 'failed'")
    assert f'"/ui/deliveries/{number}/redeliver"' in dashboard.get("/ui/targets").body
    reply = dashboard.post(f"/ui/deliveries/{number}/redeliver")
    assert (reply.status, dashboard.said) == (303, "It is on its way to target:1 again.")
    assert dashboard.post(f"/ui/deliveries/{number}/redeliver").status == 409
    assert dashboard.post("/ui/deliveries/99/redeliver").status == 404
    relayed(functions)
    assert len(others[0].received) == 2


def test_many_targets_are_paged_over_both_kinds(dashboard: Dashboard, database: Database) -> None:
    service_id = a_service(database, "nightly")
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO medic.notification_targets (service_id, type, config)"
            """ SELECT %(id)s, 'slack', '{"channel_id": "C1"}' FROM generate_series(1, 60)""",
            {"id": service_id},
        )
        tx.execute("INSERT INTO medic.webhooks (url, secret) VALUES ('https://example.com/', 'whsec_x')")
    first = dashboard.get("/ui/targets").body
    (onward,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = dashboard.get(html.unescape(onward)).body
    assert (first.count("target:"), second.count("target:"), second.count("webhook:")) == (40, 20, 1)
    of_one = dashboard.get(f"/ui/targets?service_id={service_id + 1}").body
    assert "target:" not in of_one
    assert dashboard.get("/ui/targets?cursor=x").status == 400


def test_those_who_only_read_see_no_buttons_and_no_secrets(
    dashboard: Dashboard, functions: Functions, database: Database
) -> None:
    a_service(database, "nightly")
    dashboard.post("/ui/targets", type="slack", address="C1", service="nightly")
    reader = signed_in(functions, database, "reader", Scope.READ)
    page = reader.get("/ui/targets").body
    assert "target:1" in page
    assert page.count('method="post"') == 1
    for path in (
        "/ui/targets",
        "/ui/targets/webhooks",
        "/ui/deliveries/1/redeliver",
        *(f"/ui/targets/target/1/{action}" for action in ("test", "enable", "disable", "delete")),
    ):
        assert reader.post(path).status == 403


def test_apprise_is_for_admins(dashboard: Dashboard, functions: Functions, database: Database) -> None:
    a_service(database, "nightly")
    writer = signed_in(functions, database, "writer", Scope.READ, Scope.WRITE)
    sent = {"type": "apprise", "address": "mailto://user:S3cret@example.com", "service": "nightly"}
    assert 'value="apprise"' not in writer.get("/ui/targets").body
    assert writer.post("/ui/targets", **sent).status == 403
    assert dashboard.post("/ui/targets", **sent).status == 303
    assert "S3cret" not in dashboard.get("/ui/targets").body
