"""/ui/targets: who is told and how, tried with a test; and the log of what was sent."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from pydantic import TypeAdapter, ValidationError

import door
from dashboard import rendering
from dashboard.asked import Form, asked_id, chosen, valid
from dashboard.named import services_named, team_named
from door import Caller, Visitor
from medic_core.api.answers import status_of
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing.targets import Channel
from medic_core.domain.routing.working_hours import Period
from medic_core.errors import BadRequest, MedicError
from medic_core.flows.redeliver import redeliver
from medic_core.store import delivery_lists, target_lists
from medic_core.store.deliveries import Status
from medic_core.store.targets import ADDRESS
from models.fields import PathId
from models.pages import read_sort_cursor, sort_cursor
from models.reading import problems
from models.routing import NewTarget, NewWebhook, shown_config
from routes.v2_targets import target_made
from routes.v2_webhooks import webhook_made

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/targets"
PAGE, MOST_DELIVERIES = 40, 30
SORT = "targets"
TARGET: TypeAdapter[NewTarget] = TypeAdapter(NewTarget)
#: What each channel is reached by, as people are asked for it.
ADDRESSES = {
    Channel.SLACK: "a channel's id, like C0123456789",
    Channel.PAGERDUTY: "an Events API v2 integration key",
    Channel.WEBHOOK: "a URL, which is sent signed messages",
    Channel.APPRISE: "an Apprise URL, like mailto://user:password@example.com (for admins alone)",
}
#: What can be chosen of a target.
CHOICES: dict[str, Any] = {
    "channels": {channel.value: text for channel, text in ADDRESSES.items()},
    "periods": [one.value for one in Period],
    "priorities": [one.value for one in Priority],
}
#: Deliveries that are over, and can be made again.
FINISHED = (Status.SUCCESS, Status.FAILED, Status.SKIPPED)


@door.page(router, "GET", PATH)
def listed(caller: Caller) -> Response[str]:
    """Targets and webhooks, a page at a time; what was sent last; and the forms that add more."""
    return _list(caller, {})


@door.page(router, "POST", PATH, needs=Scope.WRITE)
def added(caller: Caller) -> Response[str]:
    """Give a service or a team a target; a webhook's secret is on the page that answers."""
    form = Form.of(caller.request)
    try:
        made = target_made(caller, _target(form))
    except MedicError as error:
        return _list(caller, {"target": written(form)}, error)
    if made.secret is None:
        return rendering.gone_to(PATH, "The target is there. Send it a test, to see that it is reached.")
    return _secret_shown(caller, made.secret)


@door.page(router, "POST", f"{PATH}/webhooks", needs=Scope.WRITE)
def webhook_added(caller: Caller) -> Response[str]:
    """Make a webhook, and show its secret."""
    form = Form.of(caller.request)
    try:
        made = webhook_made(_webhook(form))
    except MedicError as error:
        return _list(caller, {"webhook": written(form)}, error)
    return _secret_shown(caller, made.secret)


@door.page(router, "POST", "/ui/deliveries/<delivery_id>/redeliver", needs=Scope.WRITE)
def redelivered(delivery_id: PathId) -> Response[str]:
    """Make a finished delivery again, to the target as it is now."""
    again = redeliver(door.DATABASE, door.NOTIFICATIONS, delivery_id)
    return rendering.gone_to(f"{PATH}#deliveries", f"It is on its way to {again.target_key} again.")


def _list(caller: Visitor, values: dict[str, Any], error: MedicError | None = None) -> Response[str]:
    query = caller.request.query
    service_id, team_id = asked_id(query, "service_id"), asked_id(query, "team_id")
    status, after = chosen(query, "status", Status), read_sort_cursor(query.get("cursor") or None, SORT)
    with door.DATABASE.autocommit() as connection:
        rows = target_lists.listed(connection, service_id, team_id, after, PAGE + 1)
        wanted = delivery_lists.Wanted(status=status.value if status else None)
        deliveries = delivery_lists.listed(connection, wanted, limit=MOST_DELIVERIES)
    found = rows[:PAGE]
    return rendering.page(
        caller,
        "targets.html",
        title="Targets",
        path=PATH,
        status=status_of(error) if error else HTTPStatus.OK,
        wrong=error.message if error else "",
        targets=found,
        shown={one.key: shown_config(one.channel, one.config) for one in found},
        next=sort_cursor(SORT, found[-1].kind, found[-1].number) if len(rows) > PAGE else None,
        deliveries=deliveries,
        finished=FINISHED,
        statuses=[one.value for one in Status],
        **CHOICES,
        values={"target": {}, "webhook": {}, **values},
    )


def _target(form: Form) -> NewTarget:
    """Raises BadRequest."""
    channel = chosen({"type": form.line("type")}, "type", Channel)
    if channel is None:
        raise BadRequest("type: say how it is reached.")
    config: dict[str, Any] = {ADDRESS[channel]: form.line("address", 2048)}
    if channel is Channel.WEBHOOK:
        config["headers"] = headers(form)
    sent = {
        "type": channel.value,
        "config": config,
        **when(form),
        **_owner(form),
    }
    try:
        return TARGET.validate_python(sent)
    except ValidationError as error:
        raise BadRequest(problems([{**one, "loc": one["loc"][1:]} for one in error.errors()])) from error


def when(form: Form) -> dict[str, Any]:
    """When it is told, as the API has it, unchecked. Raises BadRequest."""
    return {
        "priority": form.whole("priority") or 0,
        "period": form.line("period") or Period.ALWAYS.value,
        "min_priority": form.line("min_priority") or None,
    }


def _owner(form: Form) -> dict[str, int]:
    service, team = form.line("service"), form.line("team")
    if bool(service) == bool(team):
        raise BadRequest("Write the name of a service or that of a team, whose alerts it is told of.")
    with door.DATABASE.autocommit() as connection:
        if team:
            return {"team_id": team_named(connection, team)}
        return {"service_id": services_named(connection, [service])[0]}


def _webhook(form: Form) -> NewWebhook:
    """Raises BadRequest."""
    sent: dict[str, Any] = {"url": form.line("url", 2048), "headers": headers(form)}
    service = form.line("service")
    if service:
        with door.DATABASE.autocommit() as connection:
            sent["service_id"] = services_named(connection, [service])[0]
    return valid(NewWebhook, sent)


def headers(form: Form) -> dict[str, str]:
    """A header a line. Raises BadRequest."""
    found: dict[str, str] = {}
    for line in form.lines("headers"):
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest("headers: write one a line, like Authorization: Bearer abc.")
        found[name.strip()] = value.strip()
    return found


def written(form: Form) -> dict[str, str]:
    """What was filled in, but for what is secret of it."""
    return {name: form.text(name, 2048) for name in form.values if name != "headers"}


def _secret_shown(caller: Visitor, secret: str) -> Response[str]:
    return rendering.page(caller, "target_secret.html", title="Its signing secret", secret=secret)
