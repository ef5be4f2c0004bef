"""Of an approval nobody hears the end before the beginning, and a link is made only by the delivery that is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from medic_core.domain.routing.messages import Question
from medic_core.flows.deliver import LEASE, make_deliveries
from medic_core.flows.plan_deliveries import plan_notice
from medic_core.store import approvals, deliveries
from medic_core.store.approvals import ApprovalStatus
from medic_core.store.connection import Database
from medic_core.store.deliveries import Said
from tests.builders import rows, time_passes
from tests.fixtures.approving import asking, status_of
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.routing import SECOND, later, relayed
from tests.integration.test_approval_messages import decides, statuses

RECEIPT = "C0123456789/1790000000.000042"


def planned(functions: Functions, database: Database, kind: str) -> None:
    """Write the deliveries of the one notice of this kind, and make none."""
    ((notice_id,),) = rows(database, "SELECT notice_id FROM medic.notices WHERE kind = %(kind)s", kind=kind)
    plan_notice(database, notice_id, functions.module("notifications").SETTINGS.defaults)


def of_slack(database: Database, kind: str = "approval_requested") -> int:
    """The delivery to Slack of the one notice of this kind."""
    query = "SELECT delivery_id FROM medic.notification_deliveries JOIN medic.notices USING (notice_id)"
    ((found,),) = rows(database, f"{query} WHERE channel = 'slack' AND kind = '{kind}'")
    return int(found)


def asked_for(database: Database) -> None:
    """An approval is asked for; that its execution has started was told before."""
    asking(database)
    rows(database, "DELETE FROM medic.notices WHERE kind = 'execution_started' RETURNING 1")


def being_sent(functions: Functions, database: Database) -> int:
    """A router is just sending the question to Slack; the delivery."""
    asked_for(database)
    planned(functions, database, "approval_requested")
    delivery_id = of_slack(database)
    with database.transaction() as tx:
        assert deliveries.claim(tx, delivery_id, LEASE) is not None
    return delivery_id


def links(database: Database) -> list[str]:
    return [holder for (holder,) in rows(database, "SELECT holder FROM medic.approval_links ORDER BY holder")]


def test_the_end_waits_while_the_question_is_being_sent(
    told: Receivers, functions: Functions, database: Database
) -> None:
    question = being_sent(functions, database)
    decides(database)
    relayed(functions)
    end = of_slack(database, "approval_decided")
    for _ in range(3):
        time_passes(database, 3 * SECOND)
        make_deliveries(database, [end], functions.module("notifications").quick())
    assert told.slack.received == []
    assert statuses(database, "approval_decided")[0] == ("default:slack", "pending", None)
    with database.transaction() as tx:
        deliveries.succeed(tx, [question], Said(200), RECEIPT)
    time_passes(database, 3 * SECOND)
    make_deliveries(database, [end], functions.module("notifications").quick())
    edited, reply = told.slack.received
    assert (edited.path, edited.content["ts"]) == ("/api/chat.update", "1790000000.000042")
    assert (reply.content["channel"], reply.content["thread_ts"]) == ("C0123456789", "1790000000.000042")
    assert statuses(database, "approval_decided")[0] == ("default:slack", "success", None)
    tries = "SELECT attempts FROM medic.notification_deliveries WHERE channel = 'slack' ORDER BY delivery_id"
    assert rows(database, tries) == [(1,), (1,)]


def test_the_end_does_not_wait_for_a_router_that_has_died(
    told: Receivers, functions: Functions, database: Database
) -> None:
    being_sent(functions, database)
    decides(database)
    relayed(functions)
    later(functions, database, LEASE + SECOND)
    assert told.slack.received == []
    assert [status for _, status, _ in statuses(database, "approval_decided")] == ["skipped", "skipped"]


def meanwhile(database_url: str, does: Callable[[Database], None]) -> threading.Thread:
    """Does something over a connection of its own."""

    def run() -> None:
        own = Database(database_url)
        does(own)
        own.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_who_decides_while_the_question_is_taken_up_decides_after_it(database: Database, database_url: str) -> None:
    """So that the delivery of the end finds that of the question under way."""
    asking(database)
    with database.transaction() as tx:
        question = approvals.question(tx, 1)
        deciding = meanwhile(database_url, decides)
        deciding.join(0.5)
        assert deciding.is_alive()
    deciding.join()
    assert question is not None
    assert question.is_open
    assert status_of(database) == "approved"


def test_who_takes_the_question_up_while_somebody_decides_sees_the_decision(
    database: Database, database_url: str
) -> None:
    asking(database)
    seen: list[Question | None] = []

    def take_up(own: Database) -> None:
        with own.transaction() as tx:
            seen.append(approvals.question(tx, 1))

    with database.transaction() as tx:
        approvals.decide(tx, 1, ApprovalStatus.APPROVED, "ann", "")
        taking = meanwhile(database_url, take_up)
        taking.join(0.5)
        assert seen == []
    taking.join()
    assert [(one.is_open, one.approved) for one in seen if one is not None] == [(False, True)]


def test_in_the_slow_lane_the_link_is_made_there(told: Receivers, functions: Functions, database: Database) -> None:
    query = (
        "INSERT INTO medic.target_health (target_key, slow_until) VALUES ('default:webhook', now() + interval '1 h')"
    )
    rows(database, f"{query} RETURNING 1")
    asked_for(database)
    functions.module("tick").relay(database, functions.module("tick").NOTIFICATIONS)
    while functions._route(functions.notifications):
        pass
    assert links(database) == ["default:slack"]
    assert told.webhook.received == []
    while functions._route(functions.slow):
        pass
    assert links(database) == ["default:slack", "default:webhook"]
    assert [one.content["type"] for one in told.webhook.received] == ["notice.approval_requested"]


@pytest.mark.parametrize("trouble", ["throttled", "gone"])
def test_what_is_not_sent_now_has_no_link(
    told: Receivers, functions: Functions, database: Database, trouble: str
) -> None:
    asked_for(database)
    planned(functions, database, "approval_requested")
    if trouble == "throttled":
        health = "INSERT INTO medic.target_health (target_key, throttled_until) VALUES ('default:slack', now() + '1 h')"
        rows(database, f"{health} RETURNING 1")
    else:
        gone = "UPDATE medic.notification_deliveries SET target_key = 'target:99' WHERE channel = 'slack'"
        rows(database, f"{gone} RETURNING 1")
    later(functions, database, 31 * SECOND)
    assert told.slack.received == []
    assert links(database) == ["default:webhook"]


def test_who_was_not_asked_does_not_hear_of_the_end(told: Receivers, functions: Functions, database: Database) -> None:
    """Nor is it a failure that nobody does."""
    asked_for(database)
    decides(database)
    planned(functions, database, "approval_decided")
    relayed(functions)
    assert statuses(database, "approval_decided") == []
    assert {status for _, status, _ in statuses(database, "approval_requested")} == {"skipped"}
    assert told.slack.received == told.webhook.received == []


def test_made_again_a_question_has_a_link_of_its_own_or_none_once_it_is_decided(
    told: Receivers, functions: Functions, database: Database
) -> None:
    asked_for(database)
    relayed(functions)
    again = f"/v2/deliveries/{of_slack(database)}/redeliver"
    assert functions.api("POST", again).status in {200, 202}
    relayed(functions)
    assert len(links(database)) == 3
    decides(database)
    relayed(functions)
    assert functions.api("POST", again).status in {200, 202}
    relayed(functions)
    assert len(links(database)) == 3
    assert "skipped" in {status for _, status, _ in statuses(database, "approval_requested")}
