"""The way in: which route is meant, whether the caller may, whether it was asked before. Then its own handler."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import Route

import counting
import dashboard
import door
import pages
from dashboard import rendering, sessions
from dashboard.asked import Form
from dashboard.views import sign_in
from door import Visitor
from medic_core import telemetry
from medic_core.api import answers
from medic_core.api.answers import Answer
from medic_core.api.authentication import permitted
from medic_core.api.limits import Admission
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.observing import metrics
from medic_core.errors import (
    BadRequest,
    Forbidden,
    MedicError,
    MethodNotAllowed,
    NotFound,
    Reused,
    Unauthorized,
    Unavailable,
)
from medic_core.store import idempotency_keys

MAX_IDEMPOTENCY_KEY_LENGTH = 255
#: A playbook or a script of 64 KiB, however its JSON escapes it.
LONGEST_BODY = 262_144
#: Of what a log says of a database that is away.
REASON_LIMIT = 300
#: Of an answer: in the first one, and in none that repeats it.
SHOWN_ONCE = ("api_key", "secret")
HEARTBEATS = {"/heartbeat": {"POST"}, "/v2/heartbeat": {"POST"}, "/ping/": {"GET", "HEAD", "POST"}}
#: What people look at: what goes wrong there is told on a page too.
APPROVALS = "/approvals/"
#: Answers are never pages of anybody else's, nor worth keeping.
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def enter(app: APIGatewayHttpResolver, event: dict[str, Any], context: Any) -> Answer:
    """Answer an event: find its route, let the caller in or not, and say how many requests are left."""
    request = Request.from_event(event)
    failed = failing(request.path)
    try:
        found = route_of(app, request)
        admission, visitor = _admit(request, found)
    except MedicError as error:
        return _with_headers(_turned_away(request, error, failed), request)
    try:
        answer = _answer(app, event, context, found, visitor)
    except MedicError as error:
        _count(error)
        answer = failed(error)
    return _with_headers(admission.stamped(answer, failed), request)


def failing(path: str) -> Callable[[MedicError], Answer]:
    """How what goes wrong at a path is answered."""
    if path.startswith(APPROVALS):
        return pages.failed_answer
    return rendering.failed if dashboard.shows(path) else answers.failed


def route_of(app: APIGatewayHttpResolver, request: Request) -> Route:
    """The route that a request means. Raises NotFound, MethodNotAllowed."""
    # There is no public list of them. A path that is spelled out is that path, and not a name in another.
    spelled_out, with_names = app._static_routes, app._dynamic_routes  # noqa: SLF001
    matching = [route for route in spelled_out if route.rule.match(request.path)]
    matching = matching or [route for route in with_names if route.rule.match(request.path)]
    for route in matching:
        if route.method == request.method:
            return route
    elsewhere = _of_the_heartbeat_function(request.path)
    methods = {route.method for route in matching} | elsewhere
    if not methods or request.method in elsewhere:
        raise NotFound("There is nothing at this path.")
    allowed = ", ".join(sorted(methods))
    raise MethodNotAllowed(f"This path answers {allowed}, not {request.method}.", {"Allow": allowed})


def _of_the_heartbeat_function(path: str) -> set[str]:
    """The methods that never come here, because the gateway takes them elsewhere."""
    return next((methods for start, methods in HEARTBEATS.items() if path.startswith(start)), set())


def _admit(request: Request, route: Route) -> tuple[Admission, Visitor | None]:
    """Count the request: against its key, else against where it comes from. Raises Unauthorized, TooManyRequests."""
    endpoints = _endpoints(route)
    if _scope(route) is None:
        return door.LIMITS.of_address(endpoints, request.remote_address), None
    if _is_of_session(route):
        key = sessions.key_of(request)
        admission = door.LIMITS.of_key(endpoints, key)
        door.KEYS.note_session(key)
        return admission, Visitor(request, key)
    look = lambda: door.LIMITS.look_at_address(endpoints, request.remote_address)  # noqa: E731
    key = door.KEYS.checked(request.headers, before_hashing=look)
    admission = door.LIMITS.of_key(endpoints, key)
    door.KEYS.note_use(request.headers, key)
    return admission, Visitor(request, key)


def _turned_away(request: Request, error: MedicError, failed: Callable[[MedicError], Answer]) -> Answer:
    """Who has no valid key, or asks for what is not there, is counted against where they come from."""
    is_looking = isinstance(error, Unauthorized) and request.method == "GET" and dashboard.shows(request.path)
    # Whoever opens the dashboard has no session yet, and has not failed at anything.
    if not is_looking or sessions.has_cookie(request):
        _count(error)
    if not isinstance(error, Unauthorized | NotFound | MethodNotAllowed):
        return failed(error)
    try:
        admission = door.LIMITS.of_address(Endpoints.MANAGEMENT, request.remote_address)
    except MedicError as refusal:
        return failed(refusal)
    return admission.stamped(sign_in.asked(request) if is_looking else failed(error), failed)


def _answer(
    app: APIGatewayHttpResolver, event: dict[str, Any], context: Any, route: Route, visitor: Visitor | None
) -> Answer:
    scope = _scope(route)
    if visitor is not None and scope is not None:
        permitted(visitor.key, scope)
    request = Request.from_event(event)
    if _is_of_session(route) and request.method == "POST":
        sessions.check_form(request, Form.of(request).text("form"))
    resolution = _Resolution(app, _readable(event, request, route), context, visitor, request)
    if visitor is None or request.method == "GET":
        return resolution.run()
    is_repeatable = request.method == "POST" and not _is_of_session(route)
    key = request.headers.get("idempotency-key") if is_repeatable else None
    answer = resolution.run() if key is None else _once(resolution, visitor, key)
    if _is_success(answer):
        door.relay()
    return answer


def _scope(route: Route) -> Scope | None:
    """What the route's own declaration says it needs."""
    if _is_of_session(route):
        return Scope((route.openapi_extensions or {})["x-session"])
    return Scope(next(iter(route.security[0].values()))[0]) if route.security else None


def _is_of_session(route: Route) -> bool:
    """Whether it is for those who have signed in, not for those who send a key."""
    return "x-session" in (route.openapi_extensions or {})


def _endpoints(route: Route) -> Endpoints:
    return Endpoints((route.openapi_extensions or {})["x-rate-limit"])


def _readable(event: Mapping[str, Any], request: Request, route: Route) -> dict[str, Any]:
    """The event as the resolver takes it: JSON whatever the content type says. Raises BadRequest, TooLarge."""
    if request.path.startswith("/v2/"):
        known = {field.alias for field in route.dependant.query_params}
        unknown = sorted(set(request.query) - known)
        if unknown:
            raise BadRequest(f"{unknown[0][:100]!r} is no parameter of this path.")
    headers = {**request.headers, "content-type": "application/json"}
    event = {**event, "headers": headers, "queryStringParameters": _joined(event.get("rawQueryString") or "")}
    if not route.dependant.body_params:
        return {**event, "body": None, "isBase64Encoded": False}
    is_needed = any(field.required for field in route.dependant.body_params)
    # Written anew: what was read here is what the resolver reads, whatever it was encoded in.
    sent = request.json_object(LONGEST_BODY) if request.body or is_needed else {}
    return {**event, "body": json.dumps(sent), "isBase64Encoded": False}


def _joined(query: str) -> dict[str, str]:
    """Parameters as a gateway gives them: what was said several times with commas between."""
    said: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        said.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in said.items()}


@dataclass(frozen=True, slots=True)
class _Resolution:
    """The route's handler, about to be called."""

    app: APIGatewayHttpResolver
    event: dict[str, Any]
    context: Any
    visitor: Visitor | None
    sent: Request

    def run(self) -> Answer:
        self.app.append_context(visitor=self.visitor, sent=self.sent)  # type: ignore[no-untyped-call]
        answer = self.app.resolve(self.event, self.context)
        return {**answer, "body": answer["body"] or ""}


class _Undone(Exception):
    """An answer that says that nothing was done: neither is it kept."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__()


def _once(resolution: _Resolution, visitor: Visitor, key: str) -> Answer:
    """Do what a request asks once, however often it comes: what it changes and its answer are kept together."""
    if not (0 < len(key) <= MAX_IDEMPOTENCY_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise BadRequest(f"Idempotency-Key must be 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} printable ASCII characters.")
    request, api_key_id = visitor.request, visitor.key.api_key_id
    asked = repr((request.method, request.path, sorted(request.query.items()), request.body))
    digest = hashlib.sha256(asked.encode()).digest()
    try:
        with door.DATABASE.transaction() as tx:
            before = idempotency_keys.claim(tx, api_key_id, key, digest)
            if before is not None and before.request_digest != digest:
                raise Reused
            if before is not None:
                return {**before.response, "headers": {**before.response["headers"], "Idempotent-Replayed": "true"}}
            answer = resolution.run()
            if not _is_success(answer):
                raise _Undone(answer)
            idempotency_keys.keep(tx, api_key_id, key, _without_secrets(answer))
    except _Undone as undone:
        return undone.answer
    return answer


def _without_secrets(answer: Answer) -> Answer:
    """An answer as it may be kept: what is shown once is not shown again."""
    content = json.loads(answer["body"])
    results = content["results"]
    shown = [name for name in SHOWN_ONCE if isinstance(results, dict) and results.get(name)]
    if not shown:
        return answer
    results |= dict.fromkeys(shown)
    content["message"] += " (What is secret was shown when it was made; rotate it to get another.)"
    return {**answer, "body": json.dumps(content)}


def _is_success(answer: Answer) -> bool:
    """A form on a page is answered with the way to another page."""
    return HTTPStatus.OK <= int(answer["statusCode"]) < HTTPStatus.BAD_REQUEST


def _count(error: MedicError) -> None:
    if isinstance(error, Unavailable) and error.__cause__ is not None:
        # The client hears that it may try again; who is called at night wants to know why.
        door.LOGGER.warning("unavailable", because=str(error.__cause__)[:REASON_LIMIT])
    if isinstance(error, Unauthorized | Forbidden):
        telemetry.count("management", telemetry.Metric.AUTHENTICATION_FAILURES, reason=error.reason)
        counting.TALLY.count(metrics.AUTH_FAILURES, reason=error.reason)


def _with_headers(answer: Answer, request: Request) -> Answer:
    """What every answer has; and no cookie that was given over HTTPS goes anywhere without it."""
    answer["headers"] = {**HEADERS, **answer["headers"]}
    cookie = answer["headers"].get("Set-Cookie", "")
    if cookie and "; Secure" not in cookie and door.base_url(request).startswith("https://"):
        answer["headers"]["Set-Cookie"] = f"{cookie}; Secure"
    return answer
