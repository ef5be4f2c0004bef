"""The heartbeat function's routes. It knows no resolver and no models, so they are described here, for readers."""

from __future__ import annotations

from typing import Any

from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.watching.runs import MAX_RUN_ID_LENGTH
from models.fields import LARGEST_ID, PLAIN
from models.signals import PostedHeartbeat

TAG = "heartbeats"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
EXAMPLE_UUID = "6f1d7c1e-5a0b-4d5e-9f57-0c5a4f9b2c11"
RUN_ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_RUN_ID_LENGTH, **PLAIN}
METHODS = {"get": "GET", "head": "HEAD", "post": "POST"}


def _in_path(name: str, description: str, pattern: str, example: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern, "examples": [example]}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _in_query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


#: What no gateway takes for a path of the heartbeat function is refused in the envelope.
NOBODYS = {TEXT: {"schema": {"type": "string"}}, JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
PING_ID = _in_path("ping_id", "The secret part of a service's ping_url", UUID, EXAMPLE_UUID)
PING_KEY = _in_path("ping_key", "The ping key of the service's team", "^[A-Za-z0-9_-]{8,64}$", "k3yk3yk3y")
SLUG = _in_path("slug", "The service's slug", "^[a-z0-9_-]{1,200}$", "nightly-backup")
SAID = _in_path(
    "said",
    "start, fail, log, or a job's exit status: 0 is success, anything up to 255 failure",
    "^(start|fail|log|1?[0-9]{1,2}|2[0-4][0-9]|25[0-5])$",
    "start",
)
#: Two that look the same to a description: a service's own URL with what is said, and a slug's.
SECRET = _in_path(
    "secret", "The secret part of a service's ping_url, or its team's ping key", "^[A-Za-z0-9_-]{8,64}$", EXAMPLE_UUID
)
SAID_OR_SLUG = _in_path(
    "said_or_slug",
    "After a ping_url: start, fail, log or an exit status up to 255. After a ping key: the service's slug",
    "^[a-z0-9_-]{1,200}$",
    "start",
)
RID = _in_query("rid", "Which of several runs this is about: a UUID", {"type": "string", "pattern": UUID})
CREATE = _in_query("create", "1: register a service of that slug where there is none", {"type": "string"})
SERVICE_ID = {
    "name": "service_id",
    "in": "path",
    "required": True,
    "description": "The service's number",
    "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_ID, "examples": [1]},
}
RUN_ID = _in_query("run_id", "Which run this is about, where the body does not say", RUN_ID_SCHEMA)
JOBS = {
    "": ("job_signal", "Say that a service lives; with a run_id, that this run has completed"),
    "/start": ("job_started", "Say that a job's run begins"),
    "/complete": ("job_completed", "Say that a job's run ended well"),
    "/fail": ("job_failed", "Say that a job's run failed"),
}
PINGS = {
    "/ping/{ping_id}": ("", [PING_ID, RID]),
    "/ping/{secret}/{said_or_slug}": ("_said", [SECRET, SAID_OR_SLUG, RID, CREATE]),
    "/ping/{ping_key}/{slug}/{said}": ("_slug_said", [PING_KEY, SLUG, SAID, RID, CREATE]),
}


def paths() -> dict[str, Any]:
    """Path items, without what holds for every route."""
    return {
        "/heartbeat": {"post": _heartbeat()},
        "/v2/heartbeats": {"post": _batch()},
        **{f"/v2/heartbeat/{{service_id}}{suffix}": {"post": _job(*said)} for suffix, said in JOBS.items()},
        **{path: _pings(*described) for path, described in PINGS.items()},
    }


def _keyed(operation: str, summary: str, description: str, body: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "description": description,
        "operationId": f"ingest_{operation}",
        "tags": [TAG],
        "security": [{"ApiKey": [Scope.HEARTBEAT]}, {"Bearer": [Scope.HEARTBEAT]}],
        "x-rate-limit": Endpoints.HEARTBEAT.value,
        "requestBody": body,
        "responses": {
            status: {"description": "Recorded", "content": {JSON: {"schema": {"type": "object"}}}},
            "202": {"description": "Accepted: the database is away", "content": {JSON: {"schema": {"type": "object"}}}},
        },
    }


def _batch() -> dict[str, Any]:
    signals = {
        "type": "array",
        "minItems": 1,
        "maxItems": 500,
        "description": "Each with heartbeat_name or service_id, a status, and a run_id where it is about a run",
        "items": {},
        "examples": [[{"heartbeat_name": "nightly-backup", "status": "UP"}]],
    }
    schema = {
        "type": "object",
        "properties": {"heartbeats": signals},
        "required": ["heartbeats"],
        "additionalProperties": False,
    }
    return _keyed(
        "batch",
        "Send many heartbeats at once",
        "Each is taken or not by itself, and the answer says which. One request of the rate limit.",
        {"required": True, "content": {JSON: {"schema": schema}}},
        "200",
    )


def _job(operation: str, summary: str) -> dict[str, Any]:
    described = _keyed(
        operation,
        summary,
        "The body is the log of the run, kept to 100 kB. Where it is a JSON object, its run_id (1 to 200 characters) "
        "says which run is meant and its exit_status (0 to 255) is kept. Without a run_id, one run is followed.",
        {"content": {"*/*": {}}},
        "201",
    )
    return {**described, "parameters": [SERVICE_ID, RUN_ID]}


def _heartbeat() -> dict[str, Any]:
    answer = {"schema": {"$ref": "#/components/schemas/Done"}}
    return {
        "summary": "Send a heartbeat",
        "description": "While the database is away it is accepted, and recorded later with the time of its receipt.",
        "operationId": "ingest_heartbeat",
        "tags": [TAG],
        "security": [{"ApiKey": [Scope.HEARTBEAT]}, {"Bearer": [Scope.HEARTBEAT]}],
        "x-rate-limit": Endpoints.HEARTBEAT.value,
        "requestBody": {"required": True, "content": {JSON: {"schema": PostedHeartbeat.model_json_schema()}}},
        "responses": {
            "201": {"description": "Recorded", "content": {JSON: answer}},
            "202": {"description": "Accepted: the database is away", "content": {JSON: answer}},
        },
    }


def _pings(name: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {method: _ping(method, name, parameters) for method in METHODS}


def _ping(method: str, name: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    content = {} if method == "head" else {"content": {TEXT: {"schema": {"type": "string"}}}}
    body = {"requestBody": {"description": "Kept to 100 kB", "content": {"*/*": {}}}} if method == "post" else {}
    return {
        "summary": "Say that a service lives, or what its job does",
        "description": "The URL is the secret: no key is asked. Healthchecks' clients can use it as it is.",
        "operationId": f"ingest_ping{name}_{method}",
        "tags": [TAG],
        "security": [],
        "x-rate-limit": Endpoints.HEARTBEAT.value,
        "parameters": parameters,
        **body,
        "responses": {
            "200": {"description": "OK: recorded, or accepted while the database is away", **content},
            "201": {"description": "A service was registered by this ping", **content},
            "400": {"description": "A slug in upper case, an exit status above 255, a rid that is no UUID", **content},
            "404": {"description": "This is nobody's URL", "content": NOBODYS},
            "429": {"description": "Too many pings of this service", **content},
            "503": {"description": "Nothing could take it: try again", **content},
        },
    }
