"""One document: the resolver's routes, the heartbeat function's, and what every route answers besides."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver
from aws_lambda_powertools.event_handler.openapi.models import APIKey, APIKeyIn, HTTPBearer

import medic_core
from description import heartbeats
from medic_core.domain.access import rate_limits
from medic_core.domain.access.rate_limits import Endpoints
from models.fields import Envelope, Nothing, Problem

Json = dict[str, Any]

ABOUT = """Medic watches things that must keep happening: services, workers and cron jobs send heartbeats, and when they
stop, the right people hear of it.

Every answer but a health check's and a ping's is `{"success", "message", "results"}`. Lists have `limit` and `cursor`.
Requests carry an API key as `X-API-Key` or `Authorization: Bearer`; the scope that each needs stands with it (`write`
implies `heartbeat`, `admin` all). `X-Actor` names who acts, else the key's name does.

A POST with an `Idempotency-Key` is done once in 24 hours however often it is sent; the same answer comes back, with
`Idempotent-Replayed: true`. What can be changed has an `ETag`: sent back as `If-Match`, it makes sure that nobody
changed them meanwhile."""
#: In the order in which the page shows them.
TAGS = {
    "heartbeats": "What services send",
    "services": "What is watched",
    "alerts": "What is wrong, and who looks after it",
    "snapshots": "What services were before they were changed",
    "api keys": "Who may do what",
    "teams": "Who owns services",
    "schedules": "Working hours",
    "targets": "Who is told of alerts, and when",
    "webhooks": "Programs that are told, and what was sent to them",
    "deliveries": "What was sent to whom, and what came of it",
    "status pages": "What everybody may see: opened for a service by its `status_page`",
    "maintenance": "Times in which silence is expected",
    "slack": "Buttons in messages",
    "playbooks": "What repairs a service, step by step",
    "triggers": "Which alerts start which playbook, and what came of it",
    "executions": "What playbooks do and did, and what people decide about them",
    "scripts": "What script steps may run",
    "secrets": "What steps need and nobody is shown",
    "kill switches": "What is not to be repaired",
    "audit log": "What repairs did, and who had them do it",
    "v1": "As users of v1 know it: intervals in minutes, flags 0 or 1",
    "health": "Is Medic itself well?",
    "docs": "This description",
}
HEADERS = {
    "X-RateLimit-Limit": ("Requests a minute that are admitted", "integer"),
    "X-RateLimit-Remaining": ("How many of them are left", "integer"),
    "X-RateLimit-Reset": ("Unix time, in seconds, at which the next place becomes free", "integer"),
    "Retry-After": ("Seconds to wait before trying again", "integer"),
    "ETag": ("The version, to be sent back as If-Match", "string"),
    "Idempotent-Replayed": ("true where the answer was given before", "string"),
}
LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
PROBLEMS = {
    "400": "Something in the request is wrong; the message names it",
    "401": "No valid API key",
    "403": "The key lacks the scope",
    "404": "There is no such thing",
    "409": "It contradicts what is there already",
    "412": "It was changed since the version that If-Match names",
    "413": "The body is too long",
    "422": "The Idempotency-Key came with another request before",
    "429": "Too many requests",
    "503": "The database is away; nothing was changed",
}
#: These are sent with a wait.
WITH_RETRY_AFTER = {"429", "503"}
ACTOR: tuple[str, str, Json] = ("X-Actor", "Who does it: up to 255 printable characters", {})
IF_MATCH = (
    "If-Match",
    'The ETag of an earlier answer, like "v3"; 412 where it has been changed since',
    {"pattern": r'^("v[0-9]{1,9}"|\*)$'},
)
IDEMPOTENCY_KEY = (
    "Idempotency-Key",
    "Repeating the request does it only once",
    {"pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
)
WITH_VERSION = (
    "/v2/services/{service_id}",
    "/v2/api-keys/{api_key_id}",
    "/v2/teams/{team_id}",
    "/v2/schedules/{schedule_id}",
    "/v2/targets/{target_id}",
    "/v2/webhooks/{webhook_id}",
    "/v2/maintenance-windows/{window_id}",
    "/v2/playbooks/{playbook_id}",
    "/v2/scripts/{script_id}",
)
#: These change nothing that has a version.
WITHOUT_VERSION = (
    *("/silence", "/test", "/redeliver"),
    *("/execute", "/versions", "/versions/{version}", "/diff", "/stats", "/match", "/triggers"),
)
#: Signed instead of keyed, and a form instead of JSON.
SIGNED = "/v2/slack/interactions"
#: Opened by a secret of its own.
TRIGGERED = "/v2/webhooks/playbooks/{playbook_id}/trigger"
SECRET: tuple[str, str, Json] = ("X-Webhook-Secret", "What MEDIC_TRIGGER_SECRET is set to", {})
#: Also answered as a table.
TABLE = "/v2/audit-logs"
FORM: Json = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["payload"],
                "properties": {"payload": {"type": "string", "description": "JSON, as Slack sends it"}},
            }
        }
    },
}
#: Prometheus reads these, as text.
NUMBERS, NUMBERS_TYPE = "/metrics", "text/plain"
#: Open to everybody, and drawn.
PUBLIC = "/status/"
PICTURES, PICTURES_TYPE = ("/status/{page}/badge.svg", "/status/{page}/{service}/badge.svg"), "image/svg+xml"
#: These answer the same when they have bad news.
WITH_ILLNESS = ("/health", "/health/ready")
CHANGING = {"post", "put", "patch", "delete"}


def document(resolver: ApiGatewayResolver) -> Json:
    """The whole description, as JSON."""
    found: Json = resolver.get_openapi_schema(
        title="Medic",
        version=medic_core.__version__,
        description=ABOUT,
        security_schemes={
            "ApiKey": APIKey.model_validate(
                {"name": "X-API-Key", "in": APIKeyIn.header, "description": "mdk_<id>_<secret>"}
            ),
            "Bearer": HTTPBearer(description="The same key as a bearer token"),
        },
    ).model_dump(mode="json", by_alias=True, exclude_none=True)
    found["servers"] = [{"url": "/"}]
    found["tags"] = [{"name": name, "description": about} for name, about in TAGS.items()]
    for path, operations in heartbeats.paths().items():
        found["paths"].setdefault(path, {}).update(operations)
    found["paths"][SIGNED]["post"]["requestBody"] = FORM
    content = found["paths"][TABLE]["get"]["responses"]["200"]["content"]
    as_json, as_text = content["application/json"]["schema"]["anyOf"]
    found["paths"][TABLE]["get"]["responses"]["200"]["content"] = {
        "application/json": {"schema": as_json},
        "text/csv": {"schema": as_text},
    }
    numbers = found["paths"][NUMBERS]["get"]["responses"]["200"]["content"]
    numbers[NUMBERS_TYPE] = numbers.pop("application/json")
    for path in PICTURES:
        picture = found["paths"][path]["get"]["responses"]["200"]["content"]
        picture[PICTURES_TYPE] = picture.pop("application/json")
    found["paths"] = dict(sorted(found["paths"].items()))
    components = found["components"]
    components["headers"] = {name: _described(*header) for name, header in HEADERS.items()}
    components["responses"] = {status: _problem(status, description) for status, description in PROBLEMS.items()}
    components["schemas"] |= {"Problem": Problem.model_json_schema(), "Done": Envelope[Nothing].model_json_schema()}
    for name in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return found


def _complete(path: str, method: str, operation: Json) -> None:
    """Add what the entrance asks of and answers to every route like this."""
    operation.setdefault("security", [])
    endpoints = Endpoints(operation["x-rate-limit"])
    operation["x-rate-limit"] = {"kind": endpoints.value, "requests_per_minute": rate_limits.DEFAULTS[endpoints]}
    can_repeat = method == "post" and operation["security"] and operation["tags"] != [heartbeats.TAG]
    has_version = path.startswith(WITH_VERSION) and not path.endswith(WITHOUT_VERSION)
    responses: Json = operation["responses"]
    # The resolver's own answers to what is invalid: ours is a 400. Where 422 is meant, it is said below.
    for status in ("422", "500"):
        responses.pop(status, None)
    for status, description in operation.pop("x-also", {}).items():
        responses[str(status)] = {**next(iter(responses.values())), "description": description}
    # No content is no JSON either.
    responses.get("204", {}).pop("content", None)
    headers = [*LIMIT_HEADERS, *(["Idempotent-Replayed"] if can_repeat else [])]
    headers += ["ETag"] if has_version and method != "delete" else []
    for status, response in responses.items():
        response["headers"] = _headers(headers + (["Retry-After"] if status in WITH_RETRY_AFTER else []))
    if not path.startswith("/ping/"):
        for status in _problems(path, method, operation, can_repeat=can_repeat, has_version=has_version):
            responses[status] = {"$ref": f"#/components/responses/{status}"}
    if path in WITH_ILLNESS:
        responses["503"] = {**responses["200"], "description": "Something fails that Medic cannot do without"}
    asked = [ACTOR] if can_repeat or method in {"put", "patch", "delete"} else []
    asked += [SECRET] if path == TRIGGERED else []
    asked += [IF_MATCH] if has_version and method in CHANGING else []
    asked += [IDEMPOTENCY_KEY] if can_repeat else []
    if asked:
        operation["parameters"] = [*operation.get("parameters", []), *(_parameter(*one) for one in asked)]


def _problems(path: str, method: str, operation: Json, *, can_repeat: bool, has_version: bool) -> list[str]:
    """The problems that a route like this can answer."""
    is_change = method in CHANGING and path.startswith("/v2/") and path != SIGNED
    possible = {
        "400": True,
        "401": operation["security"] or path == TRIGGERED,
        "403": operation["security"] or path == SIGNED,
        "404": "{" in path or (path == "/heartbeat" and method == "post"),
        "409": is_change,
        "412": is_change and has_version,
        "413": "requestBody" in operation,
        "422": can_repeat,
        "429": True,
        "503": operation["security"] or path in {SIGNED, TRIGGERED} or path.startswith(PUBLIC),
    }
    return [status for status, is_possible in possible.items() if is_possible]


def _problem(status: str, description: str) -> Json:
    headers = [*LIMIT_HEADERS, *(["Retry-After"] if status in WITH_RETRY_AFTER else [])]
    return {
        "description": description,
        "headers": _headers(headers),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _headers(names: list[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _described(description: str, kind: str) -> Json:
    return {"description": description, "schema": {"type": kind}}


def _parameter(name: str, description: str, limits: Json) -> Json:
    schema = {"type": "string", **limits}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}
