"""The management API: v1 as its users have it, and v2."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

import counting
import entrance
from dashboard import views
from medic_core import telemetry
from medic_core.api import answers
from medic_core.api.request import Request
from medic_core.domain.observing import redaction
from medic_core.errors import BadRequest, MedicError, NotAnEvent
from models.reading import problems
from routes import ALL

LOGGER = telemetry.logger("management")

app = APIGatewayHttpResolver(
    enable_validation=True, response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR, strip_prefixes=[]
)
for router in (*ALL, *views.ROUTERS):
    app.include_router(router)


@app.exception_handler(MedicError)  # type: ignore[untyped-decorator]
def _failed(error: MedicError) -> Response[str]:
    return _response(entrance.failing(app.current_event.path)(error))


@app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
def _invalid(error: RequestValidationError) -> Response[str]:
    return _response(entrance.failing(app.current_event.path)(BadRequest(problems(error.errors()))))


def _response(answer: answers.Answer) -> Response[str]:
    headers: dict[str, Any] = dict(answer["headers"])
    return Response(
        status_code=answer["statusCode"], content_type=headers.pop("Content-Type"), body=answer["body"], headers=headers
    )


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: Any) -> answers.Answer:
    """A gateway event in, an answer out. What nobody foresaw is logged whole and answered without a word of it."""
    began = time.perf_counter()
    try:
        answer = entrance.enter(app, event, context)
    except NotAnEvent:
        raise
    except Exception:
        path = event.get("rawPath") or ""
        # Whatever writes the record: paths of approvals and pings are secrets.
        LOGGER.exception("unforeseen", path=redaction.without_secrets(path))
        answer = entrance.failing(path)(MedicError("Medic made a mistake; it has been logged."))
    _count(event, answer, time.perf_counter() - began)
    return answer


def _count(event: dict[str, Any], answer: answers.Answer, seconds: float) -> None:
    """Counting keeps nobody from being answered."""
    try:
        request = Request.from_event(event)
        try:
            path = entrance.route_of(app, request).openapi_path
        except MedicError:
            path = counting.NO_PATH
        counting.answered(request.method, path, answer["statusCode"], seconds)
    except Exception:
        LOGGER.exception("a request was not counted")
