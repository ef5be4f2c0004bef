"""/ui/api-keys: made, edited, rotated, revoked. A key's text is on the page that answers, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import editing, rendering
from dashboard.asked import Form, minute, valid
from dashboard.editing import Edited
from door import Caller, Visitor
from medic_core.adapters import hashing
from medic_core.api.answers import status_of
from medic_core.domain.access.api_keys import Scope
from medic_core.errors import MedicError
from medic_core.flows import keys
from medic_core.flows.keys import Shown
from medic_core.store import api_keys
from medic_core.store.api_keys import ApiKey
from models.api_keys import ChangedApiKey, NewApiKey, Rotation
from models.fields import PathId
from models.pages import id_cursor, read_id_cursor

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/api-keys"
PAGE = 100
SECONDS_AN_HOUR = 3600
#: What each scope is for, as it stands beside its box.
SCOPES = {
    Scope.HEARTBEAT: "send heartbeats, and nothing else",
    Scope.READ: "look at everything",
    Scope.WRITE: "change services, alerts and targets; send heartbeats",
    Scope.ADMIN: "everything, API keys too",
}


@door.page(router, "GET", PATH, needs=Scope.ADMIN)
def listed(caller: Caller) -> Response[str]:
    """API keys in the order of their making, and the form that makes one."""
    return _list(caller, {"scopes": [Scope.READ.value]})


@door.page(router, "POST", PATH, needs=Scope.ADMIN)
def created(caller: Caller) -> Response[str]:
    """Make an API key, and show it."""
    form = Form.of(caller.request)
    try:
        made = _created(form)
    except MedicError as error:
        return _list(caller, _written(form), error)
    return _shown_once(caller, made, "This is the new key")


@door.page(router, "GET", f"{PATH}/<api_key_id>/edit", needs=Scope.ADMIN)
def asked_to_edit(caller: Caller, api_key_id: PathId) -> Response[str]:
    """The form that changes a key."""
    with door.DATABASE.autocommit() as connection:
        key = keys.read(connection, api_key_id)
    values = {"name": key.name, "scopes": key.scopes, "expires_at": minute(key.expires_at)}
    return _editing(caller, key, values, str(key.version))


@door.page(router, "POST", f"{PATH}/<api_key_id>/edit", needs=Scope.ADMIN)
def edited(caller: Caller, api_key_id: PathId) -> Response[str]:
    """Change what a key is called, what it may and when it ends, unless somebody else has since the form was shown."""
    form = Form.of(caller.request)
    with door.DATABASE.autocommit() as connection:
        before = keys.read(connection, api_key_id)
    try:
        sent = _sent(form, before.expires_at)
        if sent["expires_at"] == before.expires_at:
            # It stays, also where it is over by now.
            del sent["expires_at"]
        wanted = valid(ChangedApiKey, sent)
        with door.DATABASE.transaction() as tx:
            key = keys.change(tx, api_key_id, wanted.columns(), editing.version_of(form))
    except MedicError as error:
        return _editing(caller, before, _written(form), form.line("version"), error)
    return rendering.gone_to(PATH, f"{key.name} was changed: it holds from the next request on.")


@door.page(router, "POST", f"{PATH}/<api_key_id>/rotate", needs=Scope.ADMIN)
def rotated(caller: Caller, api_key_id: PathId) -> Response[str]:
    """Give a key a new text, and show it; the old one goes on working for the overlap."""
    form = Form.of(caller.request)
    wanted = valid(Rotation, {"overlap_seconds": (form.whole("hours") or 0) * SECONDS_AN_HOUR})
    with door.DATABASE.transaction() as tx:
        made = keys.rotate(tx, api_key_id, wanted.overlap, None, hashing)
    return _shown_once(caller, made, "This is its new text", wanted.overlap)


@door.page(router, "POST", f"{PATH}/<api_key_id>/revoke", needs=Scope.ADMIN)
def revoked(caller: Caller, api_key_id: PathId) -> Response[str]:
    """End a key for good."""
    with door.DATABASE.transaction() as tx:
        key = keys.revoke(tx, api_key_id, caller.version)
    return rendering.gone_to(PATH, f"{key.name} is revoked: nothing and nobody gets in with it any more.")


def _created(form: Form) -> Shown:
    """Raises BadRequest, Conflict."""
    wanted = valid(NewApiKey, _sent(form))
    with door.DATABASE.transaction() as tx:
        return keys.create(tx, wanted.name, wanted.scopes, wanted.expires_at, wanted.rate_limits, hashing)


def _sent(form: Form, ends: datetime | None = None) -> dict[str, Any]:
    """What the API's models take, unchecked. Raises BadRequest."""
    return {
        "name": form.line("name"),
        "scopes": form.values.get("scopes", []),
        "expires_at": form.moment("expires_at", ends),
    }


def _written(form: Form) -> dict[str, Any]:
    """What was filled in."""
    values = {"name": form.text("name", 500), "expires_at": form.text("expires_at", 50)}
    return {**values, "scopes": form.values.get("scopes", [])}


def _editing(
    caller: Visitor, key: ApiKey, values: Mapping[str, Any], version: str, wrong: MedicError | None = None
) -> Response[str]:
    edited = Edited(key.name, "api_key_fields.html", PATH, "API keys")
    return editing.page(caller, edited, values, version, wrong, scopes=_scopes())


def _scopes() -> dict[str, str]:
    return {scope.value: text for scope, text in SCOPES.items()}


def _list(caller: Visitor, values: dict[str, object], error: MedicError | None = None) -> Response[str]:
    after = read_id_cursor(caller.request.query.get("cursor") or None) or 0
    with door.DATABASE.autocommit() as connection:
        rows = api_keys.read(connection, after=after, limit=PAGE + 1)
    return rendering.page(
        caller,
        "api_keys.html",
        title="API keys",
        status=status_of(error) if error else HTTPStatus.OK,
        wrong=error.message if error else "",
        keys=rows[:PAGE],
        own=caller.key.api_key_id,
        next=id_cursor(rows[PAGE - 1].api_key_id) if len(rows) > PAGE else None,
        scopes=_scopes(),
        values=values,
    )


def _shown_once(caller: Visitor, made: Shown, heading: str, overlap: timedelta | None = None) -> Response[str]:
    return rendering.page(caller, "api_key.html", title=heading, key=made.key, text=made.text, overlap=overlap)
