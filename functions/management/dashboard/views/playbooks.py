"""/ui/playbooks: listed with how they have done; written, checked while they are, saved as versions, deleted."""

from __future__ import annotations

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import diffs, rendering
from dashboard.asked import Form, valid
from dashboard.views.playbook_versions import asked_version
from door import Caller, Visitor
from medic_core.api.answers import status_of
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair import language
from medic_core.domain.watching.names import name_key
from medic_core.errors import BadRequest, MedicError, NotFound, Stale
from medic_core.flows import edit_playbooks
from medic_core.store import playbook_lists
from models.fields import PathId
from models.pages import id_cursor, read_id_cursor
from models.playbooks import Content
from routes.v2_playbooks import existing_version, saved

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/playbooks"
PAGE, DAYS = 50, 30
EXAMPLE = """\
# What Medic does, one step after the other. Lines like this one are for people.
name: restart-worker
description: Restart the worker, and see that it is heard again

# "required" asks somebody first; "none" asks nobody.
approval: required

steps:
  - name: restart
    type: webhook
    url: https://deploy.example.com/api/restart
    method: POST
    body:
      service: ${SERVICE_NAME}

  - name: is-it-back
    type: condition
    check: heartbeat_received
    timeout: 5m
    on_failure: escalate
"""


@door.page(router, "GET", PATH)
def listed(caller: Caller) -> Response[str]:
    """Playbooks by name, a page at a time."""
    after = read_id_cursor(caller.request.query.get("cursor") or None)
    with door.DATABASE.autocommit() as connection:
        rows = playbook_lists.listed(connection, DAYS, after=after, limit=PAGE + 1)
    return rendering.page(
        caller,
        "playbooks.html",
        title="Playbooks",
        playbooks=rows[:PAGE],
        days=DAYS,
        next=id_cursor(rows[PAGE - 1].playbook_id) if len(rows) > PAGE else None,
    )


@door.page(router, "GET", f"{PATH}/new", needs=Scope.WRITE)
def asked_for_new(caller: Caller) -> Response[str]:
    """The editor with an example."""
    return _editor(caller, None, EXAMPLE)


@door.page(router, "GET", f"{PATH}/<playbook_id>")
def shown(caller: Caller, playbook_id: PathId) -> Response[str]:
    """A playbook: how it has done, what starts it, and the editor, with an older version's text if that is asked."""
    older = asked_version(caller.request.query, "from_version")
    with door.DATABASE.autocommit() as connection:
        row = edit_playbooks.existing(connection, playbook_id)
        found = playbook_lists.listed(connection, DAYS, playbook_id=playbook_id)
        text = existing_version(connection, playbook_id, older).yaml_content if older else row.yaml_content
    if not found:
        raise NotFound("No playbook has this id.")
    return rendering.page(
        caller,
        "playbook.html",
        title=row.name,
        playbook=row,
        listed=found[0],
        days=DAYS,
        older=older,
        playbook_id=playbook_id,
        version=row.version,
        text=text,
        problems=[],
        difference=[],
    )


@door.page(router, "POST", f"{PATH}/check", needs=Scope.WRITE)
def checked(caller: Caller) -> Response[str]:
    """Say what is wrong with what is written, and show it again. The script asks for what is wrong alone."""
    form = Form.of(caller.request)
    return _editor(caller, form.whole("playbook_id"), form.text("yaml_content"), form.whole("version"), is_checked=True)


@door.page(router, "POST", PATH, needs=Scope.WRITE)
def created(caller: Caller) -> Response[str]:
    """Save a new playbook."""
    return _saved(caller, None)


@door.page(router, "POST", f"{PATH}/<playbook_id>", needs=Scope.WRITE)
def changed(caller: Caller, playbook_id: PathId) -> Response[str]:
    """Save a further version, unless somebody else has meanwhile."""
    return _saved(caller, playbook_id)


@door.page(router, "POST", f"{PATH}/<playbook_id>/delete", needs=Scope.WRITE)
def deleted(caller: Caller, playbook_id: PathId) -> Response[str]:
    """Delete a playbook, if its name was written to say that it is meant."""
    form = Form.of(caller.request)
    with door.DATABASE.transaction() as tx:
        row = edit_playbooks.existing(tx, playbook_id)
        if name_key(form.line("name")) != name_key(row.name):
            raise BadRequest(f"To delete it, write its name: {row.name}.")
        edit_playbooks.delete(tx, playbook_id, caller.actor, form.whole("version"))
    return rendering.gone_to(PATH, f"{row.name} was deleted, with its triggers. What is under way goes on.")


def _saved(caller: Visitor, playbook_id: int | None) -> Response[str]:
    form = Form.of(caller.request)
    text, version = form.text("yaml_content"), form.whole("version")
    if playbook_id is not None and version is None:
        raise BadRequest("version: the one that was read must come along.")
    try:
        row = saved(caller, _content(text), playbook_id, version)
    except Stale as error:
        assert playbook_id is not None
        return _stale(caller, playbook_id, text, error)
    except MedicError as error:
        return _editor(caller, playbook_id, text, version, error)
    said = f"Saved as version {row.version}." if row.version != version else "Nothing had changed."
    return rendering.gone_to(f"{PATH}/{row.playbook_id}", said)


def _content(text: str) -> Content:
    """Raises BadRequest."""
    return valid(Content, {"yaml_content": text})


def _editor(
    caller: Visitor,
    playbook_id: int | None,
    text: str,
    version: int | None = None,
    error: MedicError | None = None,
    *,
    is_checked: bool = False,
) -> Response[str]:
    found = language.problems(text) if is_checked or error is not None else ()
    is_listed = isinstance(error, BadRequest) and found
    wrong = "It was not saved: see below what is to be corrected." if is_listed else error.message if error else ""
    return rendering.page(
        caller,
        "playbook_edit.html",
        title="New playbook" if playbook_id is None else "Edit a playbook",
        status=status_of(error) if error is not None else HTTPStatus.OK,
        wrong=wrong,
        playbook_id=playbook_id,
        version=version,
        text=text,
        problems=found,
        is_checked=is_checked,
        difference=[],
    )


def _stale(caller: Visitor, playbook_id: int, text: str, error: Stale) -> Response[str]:
    """What was written is kept, and what saving it now would undo is shown."""
    with door.DATABASE.autocommit() as connection:
        newest = edit_playbooks.existing(connection, playbook_id)
    names = (f"version {newest.version}", "what you wrote")
    difference = edit_playbooks.difference(newest.yaml_content, text, names)
    return rendering.page(
        caller,
        "playbook_edit.html",
        title="Edit a playbook",
        status=status_of(error),
        wrong=f"It was not saved: {newest.created_by} has saved version {newest.version} meanwhile. What you wrote is "
        "kept below. Take over what matters of theirs; saving now makes yours the newest version.",
        playbook_id=playbook_id,
        version=newest.version,
        text=text,
        problems=language.problems(text),
        is_checked=False,
        difference=diffs.marked(difference),
    )
