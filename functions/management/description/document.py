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
`Idempotent-Replayed: true`. A service and an API key have an `ETag`: sent back as `If-Match`, it makes sure that nobody
changed them meanwhile."""
PROBLEM = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
LIMIT_HEADERS = {
    "X-RateLimit-Limit": ("Requests a minute that are admitted", "integer"),
    "X-RateLimit-Remaining": ("How many of them are left", "integer"),
    "X-RateLimit-Reset": ("Unix time, in seconds, at which the next place becomes free", "integer"),
}
RETRY_AFTER = {"Retry-After": ("Seconds to wait before trying again", "integer")}
ETAG = {"ETag": ("The version, to be sent back as If-Match", "string")}
REPLAYED = {"Idempotent-Replayed": ("true where the answer was given before", "string")}
ACTOR = ("X-Actor", "Who does it: up to 255 printable characters")
IF_MATCH = ("If-Match", 'The ETag of an earlier answer, like "v3"; 412 where it has been changed since')
IDEMPOTENCY_KEY = ("Idempotency-Key", "1 to 255 printable ASCII characters: repeating the request does it only once")
WITH_VERSION = ("/v2/services/{service_id}", "/v2/api-keys/{api_key_id}")
#: These answer the same when they have bad news.
WITH_ILLNESS = ("/health", "/health/ready")
CHANGING = {"post", "patch", "delete"}


def document(resolver: ApiGatewayResolver, base_url: str) -> Json:
    """The whole description, as JSON. `base_url` is where the API is reached."""
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
    found["servers"] = [{"url": base_url or "/"}]
    for path, operations in heartbeats.paths().items():
        found["paths"].setdefault(path, {}).update(operations)
    schemas = found["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema()
    schemas["Done"] = Envelope[Nothing].model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return found


def _complete(path: str, method: str, operation: Json) -> None:
    """Add what the entrance asks of and answers to every route like this."""
    operation.setdefault("security", [])
    endpoints = Endpoints(operation["x-rate-limit"])
    operation["x-rate-limit"] = {"kind": endpoints.value, "requests_per_minute": rate_limits.DEFAULTS[endpoints]}
    responses: Json = operation["responses"]
    # The resolver's own answer to what is invalid; ours is a 400. Where 422 is meant, it is said below.
    responses.pop("422", None)
    is_json = not path.startswith("/ping/")
    if is_json:
        _add_problems(path, method, operation, responses)
    takes_key = method == "post" and operation["security"] and path != "/heartbeat"
    for status, response in responses.items():
        headers = {**LIMIT_HEADERS, **(RETRY_AFTER if status in {"429", "503"} else {})}
        if path.startswith(WITH_VERSION) and status in {"200", "201"} and method != "delete":
            headers |= ETAG
        if takes_key and status in {"200", "201"}:
            headers |= REPLAYED
        response["headers"] = {name: _header(*described) for name, described in headers.items()}
    asked = [ACTOR] if takes_key or method in {"patch", "delete"} else []
    asked += [IF_MATCH] if path.startswith(WITH_VERSION) and method in CHANGING else []
    asked += [IDEMPOTENCY_KEY] if takes_key else []
    if asked:
        operation["parameters"] = [*operation.get("parameters", []), *(_header_parameter(*one) for one in asked)]


def _add_problems(path: str, method: str, operation: Json, responses: Json) -> None:
    is_v2_change = method in CHANGING and path.startswith("/v2/")
    can_repeat = method == "post" and operation["security"] and path != "/heartbeat"
    wanted = {
        "400": (True, "Something in the request is wrong; the message names it"),
        "401": (operation["security"], "No valid API key"),
        "403": (operation["security"], "The key lacks the scope"),
        "404": ("{" in path, "There is no such thing"),
        "409": (is_v2_change, "It contradicts what is there already"),
        "412": (is_v2_change and path.startswith(WITH_VERSION), "It was changed since the version of If-Match"),
        "413": ("requestBody" in operation, "The body is too long"),
        "422": (can_repeat, "The Idempotency-Key came with another request before"),
        "429": (True, "Too many requests"),
        "503": (operation["security"], "The database is away; nothing was changed"),
    }
    for status, (is_possible, description) in wanted.items():
        if is_possible:
            responses.setdefault(status, {"description": description}).setdefault("content", PROBLEM)
    if path in WITH_ILLNESS:
        responses["503"] = {**responses["200"], "description": "Something fails that Medic cannot do without"}


def _header(description: str, kind: str) -> Json:
    return {"description": description, "schema": {"type": kind}}


def _header_parameter(name: str, description: str) -> Json:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string"}}
