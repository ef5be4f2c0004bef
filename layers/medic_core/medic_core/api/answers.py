"""What we answer: the envelope, and the one table from error to status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from medic_core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    MedicError,
    MethodNotAllowed,
    NotFound,
    Reused,
    Stale,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

Answer = dict[str, Any]

#: The first class that an error is an instance of decides.
STATUSES: tuple[tuple[type[MedicError], HTTPStatus], ...] = (
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (MethodNotAllowed, HTTPStatus.METHOD_NOT_ALLOWED),
    (BadRequest, HTTPStatus.BAD_REQUEST),
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Stale, HTTPStatus.PRECONDITION_FAILED),
    (Reused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Conflict, HTTPStatus.CONFLICT),
    (TooManyRequests, HTTPStatus.TOO_MANY_REQUESTS),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
RETRY_AFTER_SECONDS = 5
EXTRA_HEADERS: dict[type[MedicError], dict[str, str]] = {
    Unauthorized: {"WWW-Authenticate": "Bearer"},
    Unavailable: {"Retry-After": str(RETRY_AFTER_SECONDS)},
}


def status_of(error: MedicError) -> HTTPStatus:
    """The HTTP status that an error becomes."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def headers_of(error: MedicError) -> dict[str, str]:
    """The headers that go out with an error."""
    return {**EXTRA_HEADERS.get(type(error), {}), **error.headers}


def enveloped(
    message: str,
    results: object = "",
    *,
    success: bool = True,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] = {},
) -> Answer:
    """JSON in the envelope that v1 and v2 share."""
    return {
        "statusCode": int(status),
        "headers": {"Content-Type": "application/json", **headers},
        "body": json.dumps({"success": success, "message": message, "results": results}, default=_plain),
    }


def bare(content: Mapping[str, object], status: int = HTTPStatus.OK) -> Answer:
    """JSON without the envelope, as health checks answer."""
    return {
        "statusCode": int(status),
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"},
        "body": json.dumps(content, default=_plain),
    }


def failed(error: MedicError) -> Answer:
    """An error in the envelope."""
    return enveloped(error.message, success=False, status=status_of(error), headers=headers_of(error))


def text(body: str, status: int = HTTPStatus.OK, headers: Mapping[str, str] = {}) -> Answer:
    """Plain text, as ping URLs answer."""
    return {
        "statusCode": int(status),
        "headers": {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", **headers},
        "body": body,
    }


def _plain(value: object) -> str:
    """How values that JSON has no word for are written: times as RFC 3339 UTC."""
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value)


def rfc3339(moment: datetime) -> str:
    """A time as every answer writes it: UTC, with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
