"""/v2/secrets: written, listed, never read."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.errors import BadRequest
from medic_core.flows import secrets as flows
from medic_core.store import secrets
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page
from models.pages import id_cursor, page, read_id_cursor
from models.secrets import NewSecret, PathName, ReadSecret, Reencrypted

router = Router()  # type: ignore[no-untyped-call]
TAG = "secrets"
#: What is no text: neither a header nor an environment variable can hold it.
UNFIT = re.compile("[\x00\ud800-\udfff]")


@door.route(
    router,
    "PUT",
    "/v2/secrets/<name>",
    needs=Scope.ADMIN,
    status=HTTPStatus.CREATED,
    tag=TAG,
    also={HTTPStatus.OK: "It had been there before"},
)
def put(caller: Caller, name: PathName, wanted: Annotated[NewSecret, Body()]) -> Response[Envelope[ReadSecret]]:
    """Keep a secret, or give one another value. Playbooks use it as `${secrets.NAME}`."""
    value = wanted.value.get_secret_value()
    if UNFIT.search(value):
        raise BadRequest("value: must not contain NUL or unpaired surrogates.")
    with door.DATABASE.transaction() as tx:
        row, is_new = flows.put(tx, door.SEALER, name, value, wanted.description, caller.actor)
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return door.answer(ReadSecret.model_validate(row), "Secret kept." if is_new else "Secret replaced.", status)


@door.route(router, "GET", "/v2/secrets", needs=Scope.READ, tag=TAG)
def listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[ReadSecret]]]:
    """What secrets there are, a page at a time."""
    with door.DATABASE.autocommit() as connection:
        rows = secrets.listed(connection, read_id_cursor(cursor) or 0, limit + 1)
    return door.answer(page(rows, limit, ReadSecret.model_validate, lambda row: id_cursor(row.secret_id)))


@door.route(router, "GET", "/v2/secrets/<name>", needs=Scope.READ, tag=TAG)
def read(name: PathName) -> Response[Envelope[ReadSecret]]:
    """What is known of one secret."""
    with door.DATABASE.autocommit() as connection:
        return door.answer(ReadSecret.model_validate(flows.existing(connection, name)))


@door.route(router, "DELETE", "/v2/secrets/<name>", needs=Scope.ADMIN, tag=TAG)
def deleted(caller: Caller, name: PathName) -> Response[Envelope[Nothing]]:
    """Forget a secret. Steps that use it fail from then on."""
    with door.DATABASE.transaction() as tx:
        flows.delete(tx, name, caller.actor)
    return door.answer(message="Secret deleted.")


@door.route(router, "POST", "/v2/secrets/re-encrypt", needs=Scope.ADMIN, tag=TAG)
def reencrypted(caller: Caller) -> Response[Envelope[Reencrypted]]:
    """Seal anew what is not sealed under the newest key. Safe to repeat; the former key can go when it says 0 twice."""
    done, unreadable = flows.reencrypt(door.DATABASE, door.SEALER, caller.actor)
    return door.answer(Reencrypted(sealed_anew=done, cannot_be_opened=unreadable), f"{done} sealed anew.")
