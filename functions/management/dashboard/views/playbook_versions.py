"""/ui/playbooks/{id}/versions: every save of a playbook, and what changed from one to another."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import diffs, rendering
from dashboard.asked import asked_id
from door import Caller
from medic_core.errors import BadRequest, NotFound
from medic_core.store import playbooks
from medic_core.store.connection import Transaction
from models.fields import PathId
from models.pages import id_cursor, read_id_cursor
from routes.v2_playbooks import HIGHEST_VERSION, PathVersion, difference, existing_version

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/playbooks/<playbook_id>"
PAGE = 50
NO_PLAYBOOK = "No playbook has this id."


@door.page(router, "GET", f"{PATH}/versions")
def listed(caller: Caller, playbook_id: PathId) -> Response[str]:
    """The versions, newest first, a page at a time; also of a playbook that was deleted: executions ran them."""
    before = read_id_cursor(caller.request.query.get("cursor") or None)
    with door.DATABASE.autocommit() as connection:
        rows = playbooks.versions(connection, playbook_id, before, PAGE + 1)
    if not rows and before is None:
        raise NotFound(NO_PLAYBOOK)
    return rendering.page(
        caller,
        "playbook_versions.html",
        title=f"Versions of playbook {playbook_id}",
        playbook_id=playbook_id,
        versions=rows[:PAGE],
        next=id_cursor(rows[PAGE - 1].version) if len(rows) > PAGE else None,
    )


@door.page(router, "GET", f"{PATH}/versions/<version>")
def shown(caller: Caller, playbook_id: PathId, version: PathVersion) -> Response[str]:
    """One version."""
    with door.DATABASE.autocommit() as connection:
        found = existing_version(connection, playbook_id, version)
    return rendering.page(
        caller,
        "playbook_version.html",
        title=f"Playbook {playbook_id}, version {version}",
        playbook_id=playbook_id,
        version=found,
    )


@door.page(router, "GET", f"{PATH}/diff")
def compared(caller: Caller, playbook_id: PathId) -> Response[str]:
    """What changed between two versions; where they are not said, between the newest and the one before it."""
    query = caller.request.query
    with door.DATABASE.autocommit() as connection:
        to_version = asked_version(query, "to_version") or _newest(connection, playbook_id)
        from_version = asked_version(query, "from_version") or max(1, to_version - 1)
        found = difference(connection, playbook_id, from_version, to_version)
    return rendering.page(
        caller,
        "playbook_diff.html",
        title=f"Playbook {playbook_id}: from version {from_version} to {to_version}",
        playbook_id=playbook_id,
        from_version=from_version,
        to_version=to_version,
        difference=diffs.marked(found.diff),
    )


def _newest(tx: Transaction, playbook_id: int) -> int:
    """Also of a playbook that was deleted. Raises NotFound."""
    found = playbooks.versions(tx, playbook_id, None, 1)
    if not found:
        raise NotFound(NO_PLAYBOOK)
    return found[0].version


def asked_version(query: Mapping[str, str], name: str) -> int | None:
    """A version that a query names; None where it names none. Raises BadRequest for what no version can be."""
    found = asked_id(query, name)
    if found is not None and not 1 <= found <= HIGHEST_VERSION:
        raise BadRequest(f"{name}: must be a number from 1 to {HIGHEST_VERSION}.")
    return found
