"""What can go wrong, as one small tree. The docstring of a class is its default message.

MedicError
├── BadRequest      the client must change what it sends
│   ├── TooLarge
│   └── MethodNotAllowed
├── Unauthorized    who is asking?
├── Forbidden       we know, and it may not
├── NotFound
├── Conflict
│   ├── Stale       it was changed since the client read it
│   └── Reused      an idempotency key came with another request
├── TooManyRequests
└── Unavailable     try again; nothing was done

`api.answers` turns each into one HTTP answer, and nowhere else. What no client can have caused stands outside:
`NotAnEvent`.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc
from types import MappingProxyType


class NotAnEvent(ValueError):
    """A function was invoked with what it cannot take. Nobody waits for an answer that it could give: it rises."""


class MedicError(Exception):
    """Something went wrong. `headers` go out with the answer."""

    def __init__(self, message: str = "", headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.message = message or cleandoc(type(self).__doc__ or "")
        self.headers = headers
        super().__init__(self.message)


class BadRequest(MedicError):
    """The request cannot be understood."""


class TooLarge(BadRequest):
    """The body is too large."""


class MethodNotAllowed(BadRequest):
    """This path does not answer that method."""


class Unauthorized(MedicError):
    """A valid API key is needed, as X-API-Key or as Authorization: Bearer."""

    def __init__(self, message: str = "", reason: str = "missing_key") -> None:
        super().__init__(message)
        self.reason = reason


class Forbidden(MedicError):
    """This API key may not do that."""

    reason = "insufficient_scope"


class NotFound(MedicError):
    """There is no such thing."""


class Conflict(MedicError):
    """That contradicts what is there already."""


class Stale(Conflict):
    """It has been changed since you read it: read it again."""


class Reused(Conflict):
    """This Idempotency-Key came with another request before. Use a new one for a new request."""


class TooManyRequests(MedicError):
    """Too many requests: wait as long as Retry-After says."""


class Unavailable(MedicError):
    """Medic cannot reach its database. Nothing was changed; try again in a few seconds."""
