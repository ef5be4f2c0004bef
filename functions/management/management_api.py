"""The management API: v1 as its users have it, and v2."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

import door
from medic_core import telemetry
from medic_core.api import answers
from medic_core.errors import MedicError, MethodNotAllowed, NotFound
from routes import health, v1_alerts, v1_heartbeats, v1_services, v2_services, v2_teams

LOGGER = telemetry.logger("management")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

app = APIGatewayHttpResolver(strip_prefixes=[])
for module in (health, v1_heartbeats, v1_services, v1_alerts, v2_services, v2_teams):
    app.include_router(module.router)


@app.exception_handler(MedicError)  # type: ignore[untyped-decorator]
def _failed(error: MedicError) -> Response[str]:
    return door.response(answers.failed(error))


@app.not_found
def _not_found(error: NotFoundError) -> Response[str]:  # noqa: ARG001
    method, path = app.current_event.http_method, app.current_event.path
    allowed = [other for other in METHODS if other != method and _answers(other, path)]
    if not allowed:
        return door.response(answers.failed(NotFound("There is nothing at this path.")))
    answer = answers.failed(MethodNotAllowed(f"This path answers {', '.join(allowed)}, not {method}."))
    answer["headers"]["Allow"] = ", ".join(allowed)
    return door.response(answer)


def _answers(method: str, path: str) -> bool:
    routes = [*app._static_routes, *app._dynamic_routes]  # noqa: SLF001  (no public list of them)
    return any(route.method == method and route.rule.match(path) for route in routes)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A gateway event in, an answer out. What nobody foresaw is logged whole and answered without a word of it."""
    try:
        return app.resolve(event, context)
    except Exception:
        LOGGER.exception("unforeseen", path=event.get("rawPath"))
        failure = "Medic made a mistake; it has been logged."
        return answers.enveloped(failure, success=False, status=HTTPStatus.INTERNAL_SERVER_ERROR)
