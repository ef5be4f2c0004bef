"""/v2/playbooks: written, checked, compared, deleted. Each save is a version of its own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

import door
from door import Caller, Visitor
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair import language
from medic_core.domain.repair.schema import SCHEMA
from medic_core.errors import Forbidden, NotFound
from medic_core.flows import edit_playbooks
from medic_core.store import playbooks
from medic_core.store.connection import Transaction
from medic_core.store.playbooks import PlaybookRow, VersionRow
from models.fields import DEFAULT_LIMIT, LARGEST_ID, Cursor, Envelope, Limit, Nothing, Page, PathId
from models.pages import id_cursor, page, read_id_cursor
from models.playbooks import (
    Content,
    Difference,
    ReadPlaybook,
    ReadProblem,
    ReadStats,
    ReadVersion,
    Validation,
    read_playbook,
    read_stats,
    read_version,
)

router = Router()  # type: ignore[no-untyped-call]
TAG = "playbooks"
HIGHEST_VERSION = 2**31 - 1
NO_VERSION = "This playbook has no such version."
PathVersion = Annotated[int, Path(ge=1, le=HIGHEST_VERSION)]
QueryVersion = Annotated[int | None, Query(ge=1, le=HIGHEST_VERSION)]


@door.route(router, "GET", "/v2/playbooks/schema", needs=Scope.READ, tag=TAG)
def schema() -> Response[Envelope[dict[str, Any]]]:
    """The JSON Schema of playbooks, for editors."""
    return door.answer(SCHEMA)


@door.route(router, "POST", "/v2/playbooks/validate", needs=Scope.READ, tag=TAG)
def validated(wanted: Annotated[Content, Body()]) -> Response[Envelope[Validation]]:
    """Everything that is wrong with a playbook, each with its line. Nothing is kept."""
    problems = [
        ReadProblem(message=one.message, line=one.line, step=one.step, field=one.field, text=str(one))
        for one in language.problems(wanted.yaml_content)
    ]
    return door.answer(Validation(valid=not problems, problems=problems))


@door.route(router, "POST", "/v2/playbooks", needs=Scope.WRITE, status=HTTPStatus.CREATED, tag=TAG)
def created(caller: Caller, wanted: Annotated[Content, Body()]) -> Response[Envelope[ReadPlaybook]]:
    """Save a new playbook. One that runs scripts or uses secrets asks for `admin`."""
    return _shown(saved(caller, wanted), "Playbook saved.", HTTPStatus.CREATED)


@door.route(router, "GET", "/v2/playbooks", needs=Scope.READ, tag=TAG)
def listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[ReadPlaybook]]]:
    """Playbooks with their newest versions, a page at a time."""
    with door.DATABASE.autocommit() as connection:
        rows = playbooks.listed(connection, read_id_cursor(cursor) or 0, limit + 1)
    return door.answer(page(rows, limit, read_playbook, lambda row: id_cursor(row.playbook_id)))


@door.route(router, "GET", "/v2/playbooks/<playbook_id>", needs=Scope.READ, tag=TAG)
def read(playbook_id: PathId) -> Response[Envelope[ReadPlaybook]]:
    """One playbook with its newest version."""
    with door.DATABASE.autocommit() as connection:
        return _shown(edit_playbooks.existing(connection, playbook_id))


@door.route(router, "PUT", "/v2/playbooks/<playbook_id>", needs=Scope.WRITE, tag=TAG)
def changed(
    caller: Caller, playbook_id: PathId, wanted: Annotated[Content, Body()]
) -> Response[Envelope[ReadPlaybook]]:
    """Save a further version. What is under way goes on by the version that it began with."""
    return _shown(saved(caller, wanted, playbook_id, caller.version), "Playbook saved.")


@door.route(router, "DELETE", "/v2/playbooks/<playbook_id>", needs=Scope.WRITE, tag=TAG)
def deleted(caller: Caller, playbook_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete a playbook and its triggers. What is under way goes on."""
    with door.DATABASE.transaction() as tx:
        edit_playbooks.delete(tx, playbook_id, caller.actor, caller.version)
    return door.answer(message="Playbook deleted.")


@door.route(router, "GET", "/v2/playbooks/<playbook_id>/versions", needs=Scope.READ, tag=TAG)
def versions_listed(
    playbook_id: PathId, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Envelope[Page[ReadVersion]]]:
    """A playbook's versions, newest first."""
    with door.DATABASE.autocommit() as connection:
        edit_playbooks.existing(connection, playbook_id)
        before = min(read_id_cursor(cursor) or LARGEST_ID, LARGEST_ID)
        rows = playbooks.versions(connection, playbook_id, before, limit + 1)
    return door.answer(page(rows, limit, read_version, lambda row: id_cursor(row.version)))


@door.route(router, "GET", "/v2/playbooks/<playbook_id>/versions/<version>", needs=Scope.READ, tag=TAG)
def version_read(playbook_id: PathId, version: PathVersion) -> Response[Envelope[ReadVersion]]:
    """One version, also of a playbook that was deleted: executions ran it."""
    with door.DATABASE.autocommit() as connection:
        return door.answer(read_version(existing_version(connection, playbook_id, version)))


@door.route(router, "GET", "/v2/playbooks/<playbook_id>/diff", needs=Scope.READ, tag=TAG)
def compared(
    playbook_id: PathId, from_version: QueryVersion = None, to_version: QueryVersion = None
) -> Response[Envelope[Difference]]:
    """What changed between two versions; without more, with the last one."""
    with door.DATABASE.autocommit() as connection:
        newest = edit_playbooks.existing(connection, playbook_id).version
        to_version = to_version or newest
        from_version = from_version or max(1, to_version - 1)
        return door.answer(difference(connection, playbook_id, from_version, to_version))


@door.route(router, "GET", "/v2/playbooks/<playbook_id>/stats", needs=Scope.READ, tag=TAG)
def stats(playbook_id: PathId, days: Annotated[int, Query(ge=1, le=365)] = 30) -> Response[Envelope[ReadStats]]:
    """How often a playbook ran, and how often it helped."""
    with door.DATABASE.autocommit() as connection:
        edit_playbooks.existing(connection, playbook_id)
        found = playbooks.stats(connection, playbook_id, days)
    return door.answer(read_stats(found, days))


def saved(caller: Visitor, wanted: Content, playbook_id: int | None = None, version: int | None = None) -> PlaybookRow:
    """Save a new playbook, or a further version of one. Raises BadRequest, Conflict, Stale, NotFound, Forbidden."""
    with door.DATABASE.transaction() as tx:
        if playbook_id is None:
            row = edit_playbooks.create(tx, wanted.yaml_content, caller.actor)
        else:
            row = edit_playbooks.change(tx, playbook_id, wanted.yaml_content, caller.actor, version)
        _check_scope(caller, row)
    return row


def difference(tx: Transaction, playbook_id: int, from_version: int, to_version: int) -> Difference:
    """What changed from one version to another, also of a playbook that was deleted. Raises NotFound."""
    found = playbooks.read_versions(tx, playbook_id, from_version, to_version)
    if not {from_version, to_version} <= set(found):
        raise NotFound(NO_VERSION)
    names = (f"version {from_version}", f"version {to_version}")
    diff = edit_playbooks.difference(found[from_version].yaml_content, found[to_version].yaml_content, names)
    return Difference(from_version=from_version, to_version=to_version, diff=diff)


def existing_version(tx: Transaction, playbook_id: int, version: int) -> VersionRow:
    """One version, also of a playbook that was deleted. Raises NotFound."""
    found = playbooks.read_version(tx, playbook_id, version)
    if found is None:
        raise NotFound(NO_VERSION)
    return found


def _check_scope(caller: Visitor, row: PlaybookRow) -> None:
    """Whoever could write such a playbook could read every secret: send it to themselves."""
    if (row.scripts or row.secrets) and not caller.key.allows(Scope.ADMIN):
        raise Forbidden("A playbook that runs scripts or uses secrets is saved with an admin key.")


def _shown(row: PlaybookRow, message: str = "", status: int = HTTPStatus.OK) -> Response[Envelope[ReadPlaybook]]:
    return door.answer(read_playbook(row), message, status, version=row.version)
