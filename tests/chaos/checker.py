"""Whether the promises were kept. It knows what users sent and were told, what receivers received, and the database.

It shares no code with what it checks, and knows nothing of what was broken.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.chaos.journal import Entry, entries

Row = dict[str, Any]
#: What is heard as a sign of life.
LIFE = {"UP", "COMPLETED"}
NEVER = float("inf")
#: What somebody with a key hears who need not wait for the spool.
RECORDED = 201
#: What Medic calls silence.
SILENT = {"missed_heartbeat", "never_reported"}
TOLD = {"opened", "resolved"}
ENDS = {"execution_completed", "execution_failed", "execution_cancelled"}
#: How a step of an execution can end, and what the audit log calls that.
STEP_ENDS = {
    "completed": "step_completed",
    "failed": "step_failed",
    "skipped": "step_skipped",
    "unknown": "step_unknown",
}


@dataclass(frozen=True)
class Terms:
    """What was agreed, in seconds: how long a service may be silent; how long after that it must have been missed, and
    how long where the silence still lasts; how far clocks may be wrong."""

    allowed: float
    owed_after: float
    owed_at_the_end: float
    skew: float = 0.0


@dataclass
class Verdict:
    """What was found wrong, and how much was looked at."""

    wrong: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)


def check(folder: Path, database_url: str, terms: Terms) -> Verdict:
    """What journals acknowledge before the database is looked at is there; what is there, they have sent after it."""
    acknowledged = {entry["marker"] for entry in _sent(folder) if 200 <= entry["status"] < 300}
    acts = list(entries(folder, "operator"))
    received = {name: list(entries(folder, f"received-{name}")) for name in ("slack", "pagerduty", "webhook", "remedy")}
    rows = read(database_url)
    sent = [{**entry, "acknowledged": entry["marker"] in acknowledged} for entry in _sent(folder)]
    asked = sum("asked" in entry for entry in entries(folder, "operator"))
    verdict = Verdict()
    for name, wrong in (
        ("heartbeats", _heartbeats(sent, rows, verdict.figures)),
        ("silences", _silences(sent, rows, terms, verdict.figures)),
        ("alerts", _alerts(sent, rows, verdict.figures)),
        ("tellings", _tellings(rows, received, verdict.figures)),
        ("repairs", _repairs(acts, asked, rows, received["remedy"], verdict.figures)),
        ("audit", _audit(acts, rows, verdict.figures)),
    ):
        verdict.wrong += [f"{name}: {one}" for one in wrong]
    return verdict


def read(database_url: str) -> dict[str, list[Row]]:
    """What the database says, all at one moment."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return {name: connection.execute(query).fetchall() for name, query in QUERIES.items()}


#: Moments as seconds since 1970, as the journals have them.
QUERIES = {
    "events": """
        SELECT s.heartbeat_name AS service, e.kind, convert_from(e.body, 'UTF8') AS body,
               extract(epoch FROM e.received_at)::float8 AS at
          FROM medic.heartbeat_events e JOIN medic.services s USING (service_id)
    """,
    "states": """
        SELECT s.heartbeat_name AS service, st.health, extract(epoch FROM st.last_heartbeat_at)::float8 AS heard_at
          FROM medic.service_state st JOIN medic.services s USING (service_id)
    """,
    "alerts": """
        SELECT alert_id, heartbeat_name AS service, kind, extract(epoch FROM opened_at)::float8 AS opened_at,
               extract(epoch FROM resolved_at)::float8 AS resolved_at
          FROM medic.alerts WHERE service_id IS NOT NULL ORDER BY opened_at, alert_id
    """,
    "alert_events": "SELECT alert_event_id, alert_id, event FROM medic.alert_events ORDER BY alert_event_id",
    "executions": "SELECT execution_id, alert_id, trigger_id, cause, status, outcome FROM medic.playbook_executions",
    "steps": """
        SELECT execution_id, step_index, attempt, step_name, step_type, status FROM medic.playbook_step_results
    """,
    "approvals": "SELECT execution_id, status FROM medic.approval_requests",
    "audit": """
        SELECT execution_id, action_type, (details->>'step_index')::int AS step_index
          FROM medic.remediation_audit_log WHERE execution_id IS NOT NULL ORDER BY log_id
    """,
    "outbox": "SELECT topic, subject_id FROM medic.outbox WHERE done_at IS NULL",
    "deliveries": """
        SELECT d.alert_event_id, d.target_key, d.channel, d.status, e.event
          FROM medic.notification_deliveries d LEFT JOIN medic.alert_events e USING (alert_event_id)
    """,
}


def _by(rows: Iterable[Row], *names: str) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)].append(row)
    return found


def _sent(folder: Path) -> list[Entry]:
    """Each attempt with what came of it. One that was not answered, or not yet, has the status 0 and ends never."""
    found: dict[str, Entry] = {}
    for entry in entries(folder, "client-"):
        found.setdefault(entry["marker"], {"status": 0, "answered": NEVER}).update(entry)
    return list(found.values())


def _heartbeats(sent: Sequence[Entry], rows: dict[str, list[Row]], figures: Counter[str]) -> Iterator[str]:
    """Each that was acknowledged is there once; nothing is there twice, nor what nobody sent."""
    figures["heartbeats sent"] = len(sent)
    figures["heartbeats acknowledged"] = sum(entry["acknowledged"] for entry in sent)
    figures["heartbeats put off by Medic"] = sum(entry["status"] in {202, 429, 503} for entry in sent)
    of_service = _by(rows["events"], "service")
    last = {row["service"]: row["heard_at"] for row in rows["states"]}
    for service, attempts in _by(sent, "service").items():
        stored = of_service[service]
        if all(row["body"] for row in stored):
            yield from _marked(service, attempts, stored)
        else:
            least, most = sum(entry["acknowledged"] for entry in attempts), len(attempts)
            if not least <= len(stored) <= most:
                yield f"{service}: {least} acknowledged of {most} sent, {len(stored)} recorded"
        heard = max((row["at"] for row in stored if row["kind"] in LIFE), default=None)
        if heard is not None and abs(heard - (last[service] or 0)) > 0.001:
            yield f"{service}: was heard at {heard}, and its state says {last[service]}"


def _marked(service: str, attempts: Sequence[Entry], stored: Sequence[Row]) -> Iterator[str]:
    found = Counter((json.loads(row["body"])["marker"], row["kind"]) for row in stored)
    tried = {(entry["marker"], entry["kind"]) for entry in attempts}
    for entry in attempts:
        if entry["acknowledged"] and not found[entry["marker"], entry["kind"]]:
            yield f"{service}: {entry['marker']} was acknowledged with {entry['status']} and is lost"
    yield from (f"{service}: {marker} is recorded {count} times" for (marker, _), count in found.items() if count > 1)
    yield from (f"{service}: {marker} ({kind}) was never sent" for marker, kind in found if (marker, kind) not in tried)


def _silences(sent: Sequence[Entry], rows: dict[str, list[Row]], terms: Terms, figures: Counter[str]) -> Iterator[str]:
    """A service that said nothing for long was missed; one that was heard was not."""
    missed = _by((row for row in rows["alerts"] if row["kind"] in SILENT), "service")
    end = max(entry["answered"] for entry in sent if entry["answered"] != NEVER)
    for service, attempts in _by(sent, "service").items():
        lives = sorted((entry for entry in attempts if entry["kind"] in LIFE), key=lambda entry: float(entry["sent"]))
        for before, after in zip(lives, [*lives[1:], None], strict=True):
            until = after["sent"] if after is not None else end
            owed_after = terms.owed_after if after is not None else terms.owed_at_the_end
            if until - before["answered"] <= terms.allowed + owed_after:
                continue
            figures["silences"] += 1
            if not any(_is_open(alert, before["answered"], until) for alert in missed[service]):
                yield f"{service}: silent for {until - before['answered']:.0f} s, and no alert"
        for alert in missed[service]:
            figures["alerts for silence"] += 1
            # Whatever the moment between sending and answer was that counted, the deadline was after the alert.
            since = alert["opened_at"] - terms.allowed + terms.skew
            heard = [one for one in lives if one["acknowledged"] and one["sent"] > since]
            if any(one["answered"] < alert["opened_at"] for one in heard):
                yield f"{service}: alert {alert['alert_id']} at {alert['opened_at']:.1f} although it was heard"


def _is_open(alert: Row, since: float, until: float) -> bool:
    """At some moment in between."""
    return alert["opened_at"] <= until and (alert["resolved_at"] is None or alert["resolved_at"] > since)


def _alerts(sent: Sequence[Entry], rows: dict[str, list[Row]], figures: Counter[str]) -> Iterator[str]:
    """One alert for one trouble, over when the trouble is; one for each thing that a service said of itself."""
    figures["alerts"] = len(rows["alerts"])
    of_service = _by(sent, "service")
    for (service, kind), alerts in _by(rows["alerts"], "service", "kind").items():
        signs = [entry for entry in of_service[service] if entry["kind"] in LIFE]
        for first, second in pairwise(alerts):
            if not any(first["opened_at"] < sign["answered"] and sign["sent"] < second["opened_at"] for sign in signs):
                yield f"{service}: {first['alert_id']} and {second['alert_id']} are both {kind}, of one trouble"
        last = alerts[-1]
        is_heard = any(sign["acknowledged"] and sign["sent"] > last["opened_at"] for sign in signs)
        if last["resolved_at"] is None and is_heard:
            yield f"{service}: alert {last['alert_id']} ({kind}) is open although it was heard since"
    yield from _said_to_be_down(of_service, _by(rows["alerts"], "service", "kind"))


def _said_to_be_down(of_service: dict[str, list[Entry]], alerts: dict[Any, list[Row]]) -> Iterator[str]:
    for service, attempts in of_service.items():
        downs, told = [one for one in attempts if one["kind"] == "DOWN"], alerts[service, "reported_down"]
        # One that waited in the spool undoes nothing of what was heard since.
        if any(one["status"] == RECORDED for one in downs) and not told:
            yield f"{service}: said that it was down, and no alert"
        for alert in told:
            if not any(one["sent"] < alert["opened_at"] for one in downs):
                yield f"{service}: alert {alert['alert_id']} although it never said that it was down"


def _tellings(rows: dict[str, list[Row]], received: dict[str, list[Entry]], figures: Counter[str]) -> Iterator[str]:
    """Every target heard of every beginning and end, at least once and under one id, and in that order."""
    yield from (f"{row['topic']} {row['subject_id']} waits in the outbox" for row in rows["outbox"])
    yield from (
        f"delivery of {row['alert_event_id']} to {row['target_key']} is {row['status']}"
        for row in rows["deliveries"]
        if row["status"] != "success" and not (row["status"] == "skipped" and _may_be_skipped(row))
    )
    figures["messages received"] = sum(map(len, received.values()))
    service_of = {row["alert_id"]: row["service"] for row in rows["alerts"]}
    yield from _webhooks(rows, received["webhook"], service_of, figures)
    yield from _incidents(rows, received["pagerduty"])
    said = " ".join(str(entry["content"]) for entry in received["slack"])
    for event in rows["alert_events"]:
        service = service_of.get(event["alert_id"])
        if service is not None and event["event"] == "opened" and service not in said:
            yield f"Slack never heard of {service}"


def _may_be_skipped(delivery: Row) -> bool:
    """A question that was decided before it was told; an end that would close the incident of a newer alert."""
    return delivery["alert_event_id"] is None or (
        delivery["channel"] == "pagerduty" and delivery["event"] == "resolved"
    )


def _webhooks(
    rows: dict[str, list[Row]], received: Sequence[Entry], service_of: dict[int, str], figures: Counter[str]
) -> Iterator[str]:
    heard: dict[tuple[int, str], list[Entry]] = defaultdict(list)
    for entry in received:
        what, event = entry["content"]["type"].split(".")
        if what == "alert" and event in TOLD:
            heard[entry["content"]["data"]["alert_id"], event].append(entry)
    for row in rows["alert_events"]:
        if row["event"] in TOLD and row["alert_id"] in service_of and not heard[row["alert_id"], row["event"]]:
            yield f"the webhook never heard that alert {row['alert_id']} was {row['event']}"
    for (alert_id, event), them in list(heard.items()):
        ids = {entry["key"] for entry in them}
        figures["repeated messages"] += max(0, len(them) - 1)
        if len(ids) > 1:
            yield f"the webhook heard that alert {alert_id} was {event} under {len(ids)} ids"
        opened = heard[alert_id, "opened"] if event == "resolved" else []
        if opened and them and them[0]["at"] < opened[0]["at"]:
            yield f"the webhook heard of the end of alert {alert_id} before its beginning"


def _incidents(rows: dict[str, list[Row]], received: Sequence[Entry]) -> Iterator[str]:
    """A service has one incident at a time, under one key: open while an alert of it is."""
    said: dict[str, list[str]] = defaultdict(list)
    for entry in received:
        said[entry["content"]["dedup_key"]].append(entry["content"]["event_action"])
    opened = {row["alert_id"] for row in rows["alert_events"] if row["event"] == "opened"}
    for service, alerts in _by((row for row in rows["alerts"] if row["alert_id"] in opened), "service").items():
        mine = [key for key in said if key.endswith(f"-{service}")]
        if len(mine) > 1:
            yield f"PagerDuty heard of {service} under {len(mine)} keys: {mine}"
        actions = said[mine[0]] if mine else []
        if actions.count("trigger") < len(alerts):
            yield f"PagerDuty heard of {actions.count('trigger')} of {len(alerts)} alerts of {service}"
        last = "resolve" if all(alert["resolved_at"] for alert in alerts) else "trigger"
        if actions[-1:] != [last]:
            yield f"the last that PagerDuty heard of {service} is no {last}: {actions}"


def _repairs(
    acts: Sequence[Entry], asked: int, rows: dict[str, list[Row]], received: Sequence[Entry], figures: Counter[str]
) -> Iterator[str]:
    """Each that was acknowledged is there and ended; what may not be repeated was done once."""
    executions = {row["execution_id"]: row for row in rows["executions"]}
    figures["executions"] = len(executions)
    figures["steps in doubt"] = sum(row["status"] == "unknown" for row in rows["steps"])
    started = Counter(entry["started"] for entry in acts if "started" in entry)
    yield from (f"execution {one} was acknowledged and is lost" for one in started if one not in executions)
    yield from (f"execution {one} was started under {count} keys" for one, count in started.items() if count > 1)
    by_hand = sum(row["cause"] == "api" for row in executions.values())
    if by_hand > asked:
        yield f"{by_hand} executions were started by hand, and {asked} asked for"
    for row in executions.values():
        if row["outcome"] is None:
            yield f"execution {row['execution_id']} is still {row['status']}"
    for (alert_id, trigger_id), them in _by(rows["executions"], "alert_id", "trigger_id").items():
        if alert_id is not None and len(them) > 1:
            yield f"alert {alert_id} started {len(them)} executions of trigger {trigger_id}"
    yield from _calls(rows, received, figures)


def _calls(rows: dict[str, list[Row]], received: Sequence[Entry], figures: Counter[str]) -> Iterator[str]:
    calls = Counter(entry["key"] for entry in received)
    figures["calls of repairs"] = sum(calls.values())
    #: `note` is a PUT, the only one that may be repeated.
    for key, count in calls.items():
        _, execution_id, step_index, attempt = key.split("-")
        steps = [
            row
            for row in rows["steps"]
            if (row["execution_id"], row["step_index"], row["attempt"])
            == (int(execution_id), int(step_index), int(attempt))
        ]
        if not steps:
            yield f"{key} was called, and no step says so"
        elif count > 1 and steps[0]["step_name"] != "note":
            yield f"{key} was called {count} times, and may not be repeated"
    for row in rows["steps"]:
        key = f"medic-{row['execution_id']}-{row['step_index']}-{row['attempt']}"
        if row["step_type"] == "webhook" and row["status"] == "completed" and not calls[key]:
            yield f"{key} is said to be completed, and was never called"


def _audit(acts: Sequence[Entry], rows: dict[str, list[Row]], figures: Counter[str]) -> Iterator[str]:
    """The log of each execution begins, tells of each of its steps once, and ends as it did."""
    figures["audit entries"] = len(rows["audit"])
    logs, steps = _by(rows["audit"], "execution_id"), _by(rows["steps"], "execution_id")
    for execution in rows["executions"]:
        execution_id = execution["execution_id"]
        log = [row["action_type"] for row in logs[execution_id]]
        if log[:1] != ["execution_started"] or log.count("execution_started") > 1:
            yield f"execution {execution_id} has no beginning, or several: {log}"
        ends = [action for action in log if action in ENDS]
        wanted = [f"execution_{execution['status']}"] if execution["outcome"] else []
        if ends != wanted:
            yield f"execution {execution_id} is {execution['status']}, and its log says {ends}"
        found = Counter((row["action_type"], row["step_index"]) for row in logs[execution_id])
        for step in steps[execution_id]:
            action = STEP_ENDS.get(step["status"])
            if action is not None and found[action, step["step_index"]] < 1:
                yield f"execution {execution_id} does not say that step {step['step_index']} is {step['status']}"
        doubled = [key for key, count in found.items() if count > 1 and key[0] in STEP_ENDS.values()]
        yield from (f"execution {execution_id} says twice that step {index} {action}" for action, index in doubled)
    approved = {entry["approved"] for entry in acts if "approved" in entry}
    for execution_id in approved:
        if [row["action_type"] for row in logs[execution_id]].count("approved") != 1:
            yield f"execution {execution_id} was approved, and its log does not say so once"
