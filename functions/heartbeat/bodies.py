"""What clients send, read into signals. By hand: a model library would cost more than all the rest of a heartbeat."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from medic_core.api.request import Request
from medic_core.domain.watching.names import name_key, valid_name
from medic_core.domain.watching.ping_urls import MAX_EXIT_STATUS
from medic_core.domain.watching.runs import valid_run_id
from medic_core.domain.watching.signals import BODY_LIMIT, REPORTABLE, ById, ByName, Signal, SignalKind, Whom
from medic_core.errors import BadRequest, NotFound

MOST_IN_A_BATCH = 500
#: Of a batch: each of its signals may have a long name and a long run id.
BATCH_LIMIT = 1_000_000
LARGEST_ID = 2**63 - 1
USER_AGENT_LIMIT = 200
JOB_PATH = re.compile(r"/v2/heartbeat/([0-9]{1,19})(?:/(start|complete|fail))?/?")
SAID = {"start": SignalKind.STARTED, "complete": SignalKind.COMPLETED, "fail": SignalKind.FAILED}
OF_AN_ITEM = frozenset({"heartbeat_name", "service_id", "status", "run_id"})


def heartbeat(request: Request) -> Signal:
    """`POST /heartbeat`: a name and a status. Raises BadRequest that names the field."""
    body = request.json_object()
    for field in ("heartbeat_name", "status"):
        if field not in body:
            raise BadRequest(f"{field} is required.")
    return signal(request, ByName(name_key(valid_name(body["heartbeat_name"]))), _status(body["status"]))


def job_signal(request: Request) -> Signal:
    """`POST /v2/heartbeat/{service_id}[/start|/complete|/fail]`: the body is the run's log, and may be JSON.

    Where it is a JSON object, its `run_id`, `exit_status` and (without a suffix) `status` count; anything else in it
    does not. Raises NotFound for what is nobody's path, BadRequest that names the field.
    """
    match = JOB_PATH.fullmatch(request.path)
    if match is None or not 0 < int(match[1]) <= LARGEST_ID:
        raise NotFound("No service has this id.")
    said = _tolerant(request.body)
    run_id = valid_run_id(said.get("run_id", request.query.get("run_id")))
    exit_status = _exit_status(said.get("exit_status"))
    kind = SAID[match[2]] if match[2] else _plainly(said, exit_status)
    return signal(request, ById(int(match[1])), kind, run_id, exit_status, body=request.body)


def batch(request: Request) -> list[Signal | BadRequest]:
    """`POST /v2/heartbeats`: each signal, or what is wrong with it. Raises BadRequest where it is no batch at all."""
    body = request.json_object(BATCH_LIMIT)
    unknown = sorted(set(body) - {"heartbeats"})
    if unknown:
        raise BadRequest(f"{unknown[0][:100]!r} is not a field of a batch: send heartbeats.")
    items = body.get("heartbeats")
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_IN_A_BATCH:
        raise BadRequest(f"heartbeats must be a list of 1 to {MOST_IN_A_BATCH} signals.")
    return [_item_or_problem(request, item) for item in items]


def _item_or_problem(request: Request, item: object) -> Signal | BadRequest:
    try:
        return _item(request, item)
    except BadRequest as problem:
        return problem


def _item(request: Request, item: object) -> Signal:
    if not isinstance(item, dict):
        raise BadRequest("A signal must be a JSON object.")
    unknown = sorted(set(item) - OF_AN_ITEM)
    if unknown:
        raise BadRequest(f"{unknown[0][:100]!r} is not a field of a signal.")
    if ("heartbeat_name" in item) == ("service_id" in item):
        raise BadRequest("Send either heartbeat_name or service_id.")
    if "status" not in item:
        raise BadRequest("status is required.")
    return signal(request, _whom(item), _status(item["status"]), valid_run_id(item.get("run_id")))


def _whom(item: Mapping[str, Any]) -> Whom:
    if "heartbeat_name" in item:
        return ByName(name_key(valid_name(item["heartbeat_name"])))
    service_id = item["service_id"]
    if type(service_id) is not int or not 0 < service_id <= LARGEST_ID:
        raise BadRequest("service_id must be a positive whole number.")
    return ById(service_id)


def _plainly(said: Mapping[str, Any], exit_status: int | None) -> SignalKind:
    if "status" in said:
        return _status(said["status"])
    if exit_status is not None:
        return SignalKind.FAILED if exit_status else SignalKind.COMPLETED
    return SignalKind.UP


def _status(status: object) -> SignalKind:
    if not isinstance(status, str) or status not in REPORTABLE:
        raise BadRequest(f"status must be one of {', '.join(sorted(REPORTABLE))}.")
    return SignalKind(status)


def _exit_status(status: object) -> int | None:
    if status is not None and (type(status) is not int or not 0 <= status <= MAX_EXIT_STATUS):
        raise BadRequest(f"exit_status must be a whole number from 0 to {MAX_EXIT_STATUS}.")
    return status


def _tolerant(body: bytes) -> dict[str, Any]:
    """A JSON object as it was sent; nothing where the body is a log, broken JSON or something else."""
    try:
        found = json.loads(body[:BODY_LIMIT])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def signal(
    request: Request,
    whom: Whom,
    kind: SignalKind,
    run_id: str | None = None,
    exit_status: int | None = None,
    *,
    body: bytes = b"",
    is_ping: bool = False,
) -> Signal:
    """What was said, with what the gateway knows of who said it."""
    agent = request.headers.get("user-agent", "")[:USER_AGENT_LIMIT]
    return Signal(
        signal_id=uuid4(),
        whom=whom,
        kind=kind,
        is_ping=is_ping,
        run_id=run_id,
        exit_status=exit_status,
        method=request.method,
        body=body[:BODY_LIMIT],
        remote_address=request.remote_address,
        user_agent=agent if agent.isprintable() else "",
    )
