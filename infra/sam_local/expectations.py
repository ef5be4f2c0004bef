"""What each function must answer to its recorded event, in the order in which they are invoked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medic_core.adapters.sealing import sealer
from medic_core.domain.repair.orders import ScriptReport, Verdict

ROOT = Path(__file__).parents[2]
#: Whom the recorded heartbeats are of. It is registered by an event made of the recorded one.
SERVICE = {"heartbeat_name": "nightly-backup", "service_name": "Nightly backup", "alert_interval": 1}
LONGEST_SHOWN = 300
Answer = Any


@dataclass(frozen=True)
class Expectation:
    """A function, the event that it is invoked with, and what its answer must be."""

    function: str
    event: str
    promise: str
    holds: Callable[[Answer], bool]
    change: Callable[[dict[str, Any]], dict[str, Any]] = dict


def migrations() -> list[str]:
    """What a fresh database is brought up by."""
    files = (ROOT / "migrations").glob("*.sql")
    return sorted(file.stem for file in files if not file.stem.endswith(".rollback"))


def registering(event: dict[str, Any]) -> dict[str, Any]:
    """The recorded request to the management API, made into one that registers."""
    http = {**event["requestContext"]["http"], "method": "POST", "path": "/service"}
    context = {**event["requestContext"], "http": http}
    return {
        **event,
        "rawPath": "/service",
        "rawQueryString": "",
        "requestContext": context,
        "body": json.dumps(SERVICE),
    }


def script_ran(answer: Answer) -> bool:
    """The report opens with the key of the example, and says what the script wrote."""
    example = json.loads((ROOT / "env.json.example").read_text())
    context = {"purpose": "script-report", "execution": "1", "seq": "1"}
    sealed = base64.b64decode(answer["report"])
    report = ScriptReport.from_bytes(sealer(example["Parameters"]["MEDIC_ORDERS_KEY"], (), "").open(sealed, context))
    return (report.verdict, report.output) == (Verdict.DONE, "hello nightly-backup\n")


def _status(wanted: int) -> Callable[[Answer], bool]:
    return lambda answer: bool(answer["statusCode"] == wanted)


def _equals(wanted: Answer) -> Callable[[Answer], bool]:
    return lambda answer: bool(answer == wanted)


NO_FAILURES: Answer = {"batchItemFailures": []}

EXPECTATIONS = (
    Expectation("MigrateFunction", "migrate", "applies every migration", lambda got: got["applied"] == migrations()),
    Expectation("MigrateFunction", "migrate", "finds nothing left to do", _equals({"applied": []})),
    Expectation("ManagementFunction", "management_api", "registers a service (201)", _status(201), registering),
    Expectation("ManagementFunction", "management_api", "lists alerts (200)", _status(200)),
    Expectation("HeartbeatFunction", "heartbeat", "takes a heartbeat (201)", _status(201)),
    Expectation("ReplayFunction", "replay", "replays one of the spool", _equals(NO_FAILURES)),
    Expectation("MonitorFunction", "tick", "sweeps", lambda got: got["held"] == ""),
    Expectation("HousekeepingFunction", "housekeeping", "keeps house", lambda got: got["partitions_dropped"] == 0),
    Expectation("RouterFunction", "notifications", "takes a message", _equals(NO_FAILURES)),
    Expectation("AdvanceFunction", "advance", "knows no such execution", lambda got: got["kind"] == "fail"),
    Expectation("WebhookStepFunction", "webhook_step", "calls nobody for it", _equals({"reported": False})),
    Expectation("ScriptStepFunction", "script_step", "runs the sealed script", script_ran),
    Expectation("AskApprovalFunction", "ask_approval", "keeps no token of it", _equals({})),
    Expectation("MarkFailedFunction", "mark_failed", "marks nothing", _equals({})),
)


def verdict(expectation: Expectation, answer: Answer) -> str | None:
    """What is wrong with an answer, None where it is right."""
    try:
        is_right = expectation.holds(answer)
    except (LookupError, TypeError, ValueError):
        # It lacks what was asked of it: a function that failed answers with its error.
        is_right = False
    return None if is_right else f"answered {json.dumps(answer)[:LONGEST_SHOWN]}"
