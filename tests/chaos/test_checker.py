"""The checker itself: it must find what is planted into what a run left, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.checker import RECORDED, Terms, check
from tests.chaos.conftest import World
from tests.chaos.journal import Entry, entries
from tests.chaos.run import TERMS

pytestmark = pytest.mark.xdist_group("chaos")


def found(world: World, finding: str, terms: Terms = TERMS) -> bool:
    wrong = check(world.folder, world.database_url, terms).wrong
    assert any(re.match(finding, one) for one in wrong), wrong
    return True


def test_the_checker_has_nothing_to_say_about_a_copy(world: World) -> None:
    assert check(world.folder, world.database_url, TERMS).wrong == []


FROM_STEADY = "FROM medic.heartbeat_events e JOIN medic.services s USING (service_id) WHERE heartbeat_name = 'steady-0'"
ONE_EVENT = f"(SELECT e.signal_id {FROM_STEADY} ORDER BY e.received_at DESC LIMIT 1 OFFSET 3)"
OF_EVENT = "service_id, received_at, kind, run_id, exit_status, body, remote_address, user_agent"
OF_ALERT = (
    "service_id, heartbeat_name, kind, status, priority, because, overdue_since, opened_at, resolved_at, counted_until"
)
ENDED = "(SELECT min(execution_id) FROM medic.playbook_executions WHERE completed_at IS NOT NULL)"
AUDIT = "medic.remediation_audit_log"

#: What the database itself would have refused.
LOOSENED = (
    "DROP INDEX medic.alerts_one_open_idx, medic.playbook_executions_one_active_idx",
    "ALTER TABLE medic.notification_deliveries DROP CONSTRAINT IF EXISTS notification_deliveries_check",
)
IN_DATABASE = {
    "an event that was dropped": (
        f"DELETE FROM medic.heartbeat_events WHERE signal_id = {ONE_EVENT}",
        r"heartbeats: steady-0: steady-0/\d+ was acknowledged with 200 and is lost",
    ),
    "an event that was doubled": (
        f"INSERT INTO medic.heartbeat_events (signal_id, {OF_EVENT}) SELECT gen_random_uuid(), {OF_EVENT}"
        f" FROM medic.heartbeat_events WHERE signal_id = {ONE_EVENT}",
        "heartbeats: steady-0: .* is recorded 2 times",
    ),
    "an event that nobody sent": (
        f'UPDATE medic.heartbeat_events SET body = \'{{"marker": "x"}}\' WHERE signal_id = {ONE_EVENT}',
        r"heartbeats: steady-0: x \(UP\) was never sent",
    ),
    "a heartbeat by name that was dropped": (
        "DELETE FROM medic.heartbeat_events e USING medic.services s"
        " WHERE s.service_id = e.service_id AND heartbeat_name = 'keyed-1' AND kind = 'UP'",
        r"heartbeats: keyed-1: keyed-1/\d+ was acknowledged with 20\d and is lost",
    ),
    "a time that went back": (
        "UPDATE medic.service_state st SET last_heartbeat_at = last_heartbeat_at - interval '1 second'"
        " FROM medic.services s WHERE s.service_id = st.service_id AND heartbeat_name = 'steady-0'",
        "heartbeats: steady-0: was heard at .*, and its state says",
    ),
    "an alert without a silence": (
        f"INSERT INTO medic.alerts ({OF_ALERT}) SELECT service_id, 'steady-0', 'missed_heartbeat', 'resolved', 'p3',"
        f" '', now(), at, at, at FROM (SELECT s.service_id, max(received_at) AS at {FROM_STEADY} GROUP BY 1) AS steady",
        r"silences: steady-0: alert \d+ at [\d.]+ although it was heard",
    ),
    "two alerts of one silence": (
        f"INSERT INTO medic.alerts ({OF_ALERT}) SELECT service_id, heartbeat_name, kind, status, priority, because,"
        " overdue_since, opened_at + interval '1 millisecond', resolved_at, counted_until"
        " FROM medic.alerts WHERE kind = 'missed_heartbeat' AND heartbeat_name LIKE 'mortal-%'",
        r"alerts: mortal-\d: \d+ and \d+ are both missed_heartbeat, of one trouble",
    ),
    "an alert that is never over": (
        "UPDATE medic.alerts SET status = 'open', resolved_at = NULL WHERE alert_id ="
        " (SELECT max(alert_id) FROM medic.alerts WHERE heartbeat_name LIKE 'curable-%' AND kind = 'missed_heartbeat')",
        r"alerts: curable-\d: alert \d+ \(missed_heartbeat\) is open although it was heard since",
    ),
    "somebody who is said to be down, and never said so": (
        "UPDATE medic.alerts SET heartbeat_name = 'steady-3' WHERE kind = 'reported_down'",
        r"alerts: steady-3: alert \d+ although it never said that it was down",
    ),
    "a message that waits for ever": (
        "UPDATE medic.outbox SET done_at = NULL WHERE outbox_id = (SELECT min(outbox_id) FROM medic.outbox)",
        r"tellings: \w+ \d+ waits in the outbox",
    ),
    "a delivery that was given up": (
        "UPDATE medic.notification_deliveries SET status = 'failed'"
        " WHERE delivery_id = (SELECT min(delivery_id) FROM medic.notification_deliveries)",
        r"tellings: delivery of \w+ to default:\w+ is failed",
    ),
    "an execution that was lost": (
        f"DELETE FROM medic.playbook_executions WHERE execution_id = {ENDED} AND cause = 'api'",
        r"repairs: execution \d+ was acknowledged and is lost",
    ),
    "an execution that nobody asked for": (
        "UPDATE medic.playbook_executions SET cause = 'api' WHERE cause = 'alert'",
        r"repairs: \d+ executions were started by hand, and \d+ asked for",
    ),
    "an execution that does not end": (
        "UPDATE medic.playbook_executions SET status = 'running', outcome = NULL, completed_at = NULL,"
        f" next_look_at = now() WHERE execution_id = {ENDED}",
        r"repairs: execution \d+ is still running",
    ),
    "an alert that was cured twice": (
        "UPDATE medic.playbook_executions SET (alert_id, trigger_id) = (SELECT alert_id, trigger_id FROM"
        f" medic.playbook_executions WHERE alert_id IS NOT NULL LIMIT 1) WHERE execution_id = {ENDED}",
        r"repairs: alert \d+ started 2 executions of trigger \d+",
    ),
    "a step that the log does not know": (
        f"DELETE FROM {AUDIT} WHERE log_id = (SELECT min(log_id) FROM {AUDIT} WHERE action_type = 'step_completed')",
        r"audit: execution \d+ does not say that step \d+ is completed",
    ),
    "a step that the log tells twice": (
        f"INSERT INTO {AUDIT} (execution_id, action_type, details) SELECT execution_id, action_type, details"
        f" FROM {AUDIT} WHERE log_id = (SELECT min(log_id) FROM {AUDIT} WHERE action_type = 'step_completed')",
        r"audit: execution \d+ says twice that step \d+ step_completed",
    ),
    "a log without a beginning": (
        f"DELETE FROM {AUDIT} WHERE action_type = 'execution_started' AND execution_id = {ENDED}",
        r"audit: execution \d+ has no beginning, or several",
    ),
    "a log without an end": (
        f"DELETE FROM {AUDIT} WHERE action_type = 'execution_completed' AND execution_id = (SELECT min(execution_id)"
        f" FROM {AUDIT} WHERE action_type = 'execution_completed')",
        r"audit: execution \d+ is completed, and its log says \[\]",
    ),
    "an approval that the log does not know": (
        f"DELETE FROM {AUDIT} WHERE action_type = 'approved'",
        r"audit: execution \d+ was approved, and its log does not say so once",
    ),
}


@pytest.mark.parametrize("planted", IN_DATABASE)
def test_what_is_planted_into_the_database_is_found(world: World, planted: str) -> None:
    query, finding = IN_DATABASE[planted]
    world.execute(*LOOSENED, query)
    assert found(world, finding)


def test_a_silence_without_an_alert_is_found(world: World) -> None:
    """By terms that owe one to the service that was silent for longest, and to nobody else."""
    answered = [one for one in entries(world.folder, "client-") if "answered" in one]
    last = {one["marker"].partition("/")[0]: float(one["answered"]) for one in answered}
    since, longest = min((at, name) for name, at in last.items() if name.startswith("mortal-"))
    terms = replace(TERMS, owed_at_the_end=max(last.values()) - since - TERMS.allowed - 1.0)
    assert check(world.folder, world.database_url, terms).wrong == []
    world.execute(f"DELETE FROM medic.alerts WHERE heartbeat_name = '{longest}'")
    assert found(world, rf"silences: {longest}: silent for \d+ s, and no alert", terms)


def is_opening(entry: Entry) -> bool:
    return bool(entry["content"].get("type") == "alert.opened")


def is_end(entry: Entry) -> bool:
    return bool(entry["content"].get("type") == "alert.resolved")


def is_resolve(entry: Entry) -> bool:
    return bool(entry["content"]["event_action"] == "resolve")


def is_act(entry: Entry) -> bool:
    return bool(entry["path"] == "/act")


def without(fits: Callable[[Entry], bool]) -> Callable[[list[Entry]], list[Entry]]:
    """One of them was never received."""

    def edit(them: list[Entry]) -> list[Entry]:
        them.remove(next(one for one in them if fits(one)))
        return them

    return edit


def again(fits: Callable[[Entry], bool], **changed: object) -> Callable[[list[Entry]], list[Entry]]:
    """One of them was received once more."""

    def edit(them: list[Entry]) -> list[Entry]:
        return [*them, {**next(one for one in them if fits(one)), **changed}]

    return edit


def ends_first(them: list[Entry]) -> list[Entry]:
    return [{**one, "at": 0.0} if is_end(one) else one for one in them]


def said_down(them: list[Entry]) -> list[Entry]:
    """One that was always well said that it was not, and was told that this is recorded."""
    marker = next(one["marker"] for one in them if one.get("service", "").startswith("steady-"))
    down, told = {"kind": "DOWN"}, {"status": RECORDED}
    return [{**one, **(down if "kind" in one else told)} if one.get("marker") == marker else one for one in them]


IN_JOURNALS: dict[str, tuple[str, Callable[[list[Entry]], list[Entry]], str]] = {
    "somebody who said that he was down, and was not heard": (
        "client-0",
        said_down,
        r"alerts: steady-\d: said that it was down, and no alert",
    ),
    "a webhook that was lost": (
        "received-webhook",
        without(is_opening),
        r"tellings: the webhook never heard that alert \d+ was opened",
    ),
    "a webhook under a second id": (
        "received-webhook",
        again(is_opening, key="evt_0"),
        r"tellings: the webhook heard that alert \d+ was opened under 2 ids",
    ),
    "an end before its beginning": (
        "received-webhook",
        ends_first,
        r"tellings: the webhook heard of the end of alert \d+ before its beginning",
    ),
    "a PagerDuty that heard nothing": (
        "received-pagerduty",
        lambda _: [],
        r"tellings: PagerDuty heard of 0 of \d+ alerts of [\w-]+",
    ),
    "an incident that stays open": (
        "received-pagerduty",
        lambda them: [one for one in them if not is_resolve(one)],
        r"tellings: the last that PagerDuty heard of [\w-]+ is no resolve",
    ),
    "a Slack that heard nothing": ("received-slack", lambda _: [], r"tellings: Slack never heard of [\w-]+"),
    "a repair that was done twice": (
        "received-remedy",
        again(is_act),
        r"repairs: medic-\d+-\d+-1 was called 2 times, and may not be repeated",
    ),
    "a repair that was never done": (
        "received-remedy",
        without(is_act),
        r"repairs: medic-\d+-\d+-1 is said to be completed, and was never called",
    ),
    "a repair that nobody ordered": (
        "received-remedy",
        again(is_act, key="medic-999999-0-1"),
        "repairs: medic-999999-0-1 was called, and no step says so",
    ),
    "an acknowledged execution that is not there": (
        "operator",
        lambda them: [*them, {"started": 999_999, "key": "x"}],
        "repairs: execution 999999 was acknowledged and is lost",
    ),
    "one execution for two requests": (
        "operator",
        again(lambda one: "started" in one, key="x"),
        r"repairs: execution \d+ was started under 2 keys",
    ),
}


@pytest.mark.parametrize("planted", IN_JOURNALS)
def test_what_is_planted_into_a_journal_is_found(world: World, planted: str) -> None:
    journal, edit, finding = IN_JOURNALS[planted]
    world.rewrite(journal, edit)
    assert found(world, finding)
