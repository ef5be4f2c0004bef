"""What every route needs: the database, who is asking, and how to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import Response

from medic_core import config
from medic_core.adapters.key_cache import KeyCache
from medic_core.adapters.sqs import SqsQueue
from medic_core.api import answers
from medic_core.api.authentication import authenticate
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import Scope, VerifiedKey
from medic_core.domain.watching.names import is_printable
from medic_core.errors import BadRequest
from medic_core.store.connection import Database

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database_url)
KEYS = KeyCache(SETTINGS.key_cache_secret, SETTINGS.redis_url)
NOTIFICATIONS = SqsQueue(SETTINGS.notifications_url)

Row = TypeVar("Row")
Page = dict[str, bool | int | None]

DEFAULT_LIMIT = 50
MAX_LIMIT = 250
MAX_ACTOR_LENGTH = 255
LARGEST_ID = 2**63 - 1


def response(answer: answers.Answer) -> Response[str]:
    """One of our answers as the resolver wants it."""
    headers: dict[str, Any] = dict(answer["headers"])
    return Response(
        status_code=answer["statusCode"],
        content_type=headers.pop("Content-Type"),
        body=answer["body"],
        headers=headers,
    )


def enveloped(
    message: str, results: object = "", *, success: bool = True, status: int = HTTPStatus.OK
) -> Response[str]:
    """An answer in the envelope."""
    return response(answers.enveloped(message, results, success=success, status=status))


def permitted(event: Mapping[str, Any], scope: Scope) -> tuple[Request, VerifiedKey]:
    """The request and the key behind it. Raises Unauthorized or Forbidden."""
    request = Request.from_event(event)
    return request, authenticate(request.headers, scope, DATABASE, KEYS)


def actor(request: Request, key: VerifiedKey) -> str:
    """Who did it: the X-Actor header where it is a name, else the key's."""
    said = request.headers.get("x-actor", "").strip()
    return said if 0 < len(said) <= MAX_ACTOR_LENGTH and is_printable(said) else key.name


def page(
    request: Request, read: Callable[[int, int], Sequence[Row]], key: Callable[[Row], int]
) -> tuple[list[Row], Page]:
    """A page of a list by the query's `limit` and `cursor`: `read` takes (after, limit), `key` is the next cursor."""
    limit = whole_number(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    rows = read(whole_number(request, "cursor", 0, 0, LARGEST_ID), limit + 1)
    more = len(rows) > limit
    found = list(rows[:limit])
    return found, {"has_more": more, "cursor": key(found[-1]) if more else None}


def whole_number(request: Request, name: str, default: int, smallest: int, largest: int) -> int:
    """A number of the query. Raises BadRequest where it is none, or smaller; a larger one counts as the largest."""
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST_ID)) or int(text) < smallest:
        raise BadRequest(f"{name} must be a whole number of at least {smallest}.")
    return min(int(text), largest)


def flag(request: Request, name: str) -> bool | None:
    """A 0 or 1 of the query; None where it is not asked. Raises BadRequest."""
    text = request.query.get(name)
    if text not in {None, "0", "1"}:
        raise BadRequest(f"{name} must be 0 or 1.")
    return None if text is None else text == "1"


def printable(request: Request, name: str) -> str | None:
    """A text of the query; None where it is not asked. Raises BadRequest for control characters."""
    text = request.query.get(name)
    if text is not None and not is_printable(text):
        raise BadRequest(f"{name} must not contain control characters.")
    return text
