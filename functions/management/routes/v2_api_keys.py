"""/v2/api-keys: made, listed, changed, rotated, revoked. For admins alone."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

import door
from door import Caller
from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.flows import keys
from medic_core.flows.keys import Shown
from medic_core.store import api_keys
from medic_core.store.api_keys import ApiKey
from models.api_keys import ChangedApiKey, NewApiKey, ReadApiKey, Rotation, ShownApiKey, read_api_key
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page, PathId
from models.pages import id_cursor, page, read_id_cursor

router = Router()  # type: ignore[no-untyped-call]
TAG = "api keys"


@door.route(router, "POST", "/v2/api-keys", needs=Scope.ADMIN, status=HTTPStatus.CREATED, tag=TAG)
def created(wanted: Annotated[NewApiKey, Body()]) -> Response[Envelope[ShownApiKey]]:
    """Make an API key. Its text is in this answer and nowhere else."""
    with door.DATABASE.transaction() as tx:
        made = keys.create(tx, wanted.name, wanted.scopes, wanted.expires_at, wanted.rate_limits, hashing)
    return _shown_once(made, "API key made. Keep it: it cannot be shown again.", HTTPStatus.CREATED)


@door.route(router, "GET", "/v2/api-keys", needs=Scope.ADMIN, tag=TAG)
def listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[ReadApiKey]]]:
    """API keys in the order of their making."""
    with door.DATABASE.autocommit() as connection:
        rows = api_keys.read(connection, after=read_id_cursor(cursor) or 0, limit=limit + 1)
    return door.answer(page(rows, limit, read_api_key, lambda row: id_cursor(row.api_key_id)))


@door.route(router, "GET", "/v2/api-keys/<api_key_id>", needs=Scope.ADMIN, tag=TAG)
def read(api_key_id: PathId) -> Response[Envelope[ReadApiKey]]:
    """One API key."""
    with door.DATABASE.autocommit() as connection:
        return _shown(keys.read(connection, api_key_id))


@door.route(router, "PATCH", "/v2/api-keys/<api_key_id>", needs=Scope.ADMIN, tag=TAG)
def changed(
    caller: Caller, api_key_id: PathId, wanted: Annotated[ChangedApiKey, Body()]
) -> Response[Envelope[ReadApiKey]]:
    """Change a key's name, scopes, limits or end; it holds from the next request on, in every instance."""
    with door.DATABASE.transaction() as tx:
        key = keys.change(tx, api_key_id, wanted.columns(), caller.version)
    return _shown(key, "API key changed.")


@door.route(router, "POST", "/v2/api-keys/<api_key_id>/rotate", needs=Scope.ADMIN, tag=TAG)
def rotated(
    caller: Caller, api_key_id: PathId, wanted: Annotated[Rotation, Body()] = Rotation()
) -> Response[Envelope[ShownApiKey]]:
    """Give a key a new text; the old one goes on working for the overlap."""
    with door.DATABASE.transaction() as tx:
        made = keys.rotate(tx, api_key_id, wanted.overlap, caller.version, hashing)
    return _shown_once(made, "API key rotated. Keep it: it cannot be shown again.", HTTPStatus.OK)


@door.route(router, "POST", "/v2/api-keys/<api_key_id>/revoke", needs=Scope.ADMIN, tag=TAG)
def revoked(caller: Caller, api_key_id: PathId) -> Response[Envelope[ReadApiKey]]:
    """End a key for good, from the next request on, in every instance. It stays listed."""
    with door.DATABASE.transaction() as tx:
        key = keys.revoke(tx, api_key_id, caller.version)
    return _shown(key, "API key revoked.")


@door.route(router, "DELETE", "/v2/api-keys/<api_key_id>", needs=Scope.ADMIN, tag=TAG)
def deleted(caller: Caller, api_key_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete a key: it ends as if revoked, and is not listed any more."""
    with door.DATABASE.transaction() as tx:
        keys.delete(tx, api_key_id, caller.version)
    return door.answer(message="API key deleted.")


def _shown(key: ApiKey, message: str = "") -> Response[Envelope[ReadApiKey]]:
    return door.answer(read_api_key(key), message, version=key.version)


def _shown_once(made: Shown, message: str, status: int) -> Response[Envelope[ShownApiKey]]:
    shown = ShownApiKey(**read_api_key(made.key).model_dump(), api_key=made.text)
    return door.answer(shown, message, status, version=made.key.version)
