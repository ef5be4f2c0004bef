"""What the gateway hands us, as a value."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from medic_core.errors import BadRequest, NotAnEvent, TooLarge

#: More than any of our JSON bodies needs.
JSON_LIMIT = 65_536
WANTED = "This is no event of an HTTP API (payload 2.0)"
NOT_AN_EVENT_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Request:
    """An API Gateway HTTP API event (payload 2.0): the gateway has decoded the path."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    remote_address: str
    received_at: datetime
    origin: str
    raw_query: str = ""

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Request:
        """Raises NotAnEvent for what no HTTP API sends."""
        try:
            return cls._from_event(event)
        except KeyError as missing:
            raise NotAnEvent(f"{WANTED}: {missing} is missing.") from None
        except (TypeError, AttributeError, ValueError, OverflowError) as error:
            raise NotAnEvent(f"{WANTED}: {error}"[:NOT_AN_EVENT_LIMIT]) from None

    @classmethod
    def _from_event(cls, event: Mapping[str, Any]) -> Request:
        context = event["requestContext"]
        http, domain = context["http"], context.get("domainName")
        text, query = event.get("body") or "", _text(event.get("rawQueryString") or "")
        cookies = event.get("cookies")
        # The gateway lowers their names; `sam local start-api`, which plays it, does not.
        headers = {name.lower(): _text(value) for name, value in (event.get("headers") or {}).items()}
        return cls(
            method=_text(http["method"]),
            path=_text(event["rawPath"]),
            # The gateway takes cookies out of the headers.
            headers={**headers, "cookie": _text("; ".join(cookies))} if cookies else headers,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            body=b64decode(text) if event.get("isBase64Encoded") else text.encode("utf-8", "surrogatepass"),
            remote_address=_text(http["sourceIp"]),
            received_at=datetime.fromtimestamp(context["timeEpoch"] / 1000, UTC),
            # The gateway's own name or one that it was given, not what a client says.
            origin=f"https://{_text(domain)}" if domain else "",
            raw_query=query,
        )

    def json_object(self, limit: int = JSON_LIMIT) -> dict[str, Any]:
        """The body as a JSON object of at most `limit` bytes. Raises BadRequest or TooLarge."""
        if len(self.body) > limit:
            raise TooLarge(f"The body must not be longer than {limit} bytes.")
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body must be a JSON object.") from error
        if not isinstance(found, dict):
            raise BadRequest("The body must be a JSON object.")
        return found


def _text(value: str) -> str:
    """What is compared, hashed and stored later on: no half of a surrogate pair, which has no bytes."""
    value.encode()
    return value
