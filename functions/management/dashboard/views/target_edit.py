"""One target or webhook is edited. What is secret of it is never shown: what stays empty stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import editing, rendering
from dashboard.asked import Form, valid
from dashboard.editing import Edited
from dashboard.views.targets import CHOICES, PATH, headers, when, written
from door import Caller, Visitor
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.routing.targets import Channel
from medic_core.errors import MedicError
from medic_core.flows import manage
from medic_core.store.targets import ADDRESS, TARGETS, WEBHOOKS, NotificationTarget, Webhook
from models.fields import PathId
from models.routing import ChangedTarget, ChangedWebhook, read_webhook, shown_config
from routes.v2_targets import target_changed
from routes.v2_webhooks import webhook_changed

router = Router()  # type: ignore[no-untyped-call]
TARGET, WEBHOOK = f"{PATH}/<target_id>/edit", "/ui/webhooks/<webhook_id>/edit"
LONGEST_ADDRESS = 2048
CHANGED = "Changed. Send it a test, to see that it is reached."


@door.page(router, "GET", TARGET, needs=Scope.WRITE)
def asked_to_edit_target(caller: Caller, target_id: PathId) -> Response[str]:
    """The form that changes a target."""
    target = _target(target_id)
    values = {"priority": target.priority, "period": target.period, "min_priority": target.min_priority}
    if Channel(target.type) is Channel.SLACK:
        values["address"] = target.config[ADDRESS[Channel.SLACK]]
    return _target_page(caller, target, values, str(target.version))


@door.page(router, "POST", TARGET, needs=Scope.WRITE)
def target_edited(caller: Caller, target_id: PathId) -> Response[str]:
    """Change a target, unless somebody else has since the form was shown."""
    form, before = Form.of(caller.request), _target(target_id)
    try:
        sent = when(form)
        config = _config(before, form)
        if config != before.config:
            sent["config"] = config
        target_changed(caller, target_id, valid(ChangedTarget, sent), editing.version_of(form))
    except MedicError as error:
        return _target_page(caller, before, written(form), form.line("version"), error)
    return rendering.gone_to(PATH, CHANGED)


@door.page(router, "GET", WEBHOOK, needs=Scope.WRITE)
def asked_to_edit_webhook(caller: Caller, webhook_id: PathId) -> Response[str]:
    """The form that changes a webhook."""
    webhook = _webhook(webhook_id)
    return _webhook_page(caller, webhook, {}, str(webhook.version))


@door.page(router, "POST", WEBHOOK, needs=Scope.WRITE)
def webhook_edited(caller: Caller, webhook_id: PathId) -> Response[str]:
    """Change a webhook, unless somebody else has since the form was shown."""
    form, before = Form.of(caller.request), _webhook(webhook_id)
    try:
        wanted = {"url": form.line("url", LONGEST_ADDRESS) or before.url, "headers": _headers(before.headers, form)}
        sent = {name: value for name, value in wanted.items() if value != getattr(before, name)}
        webhook_changed(webhook_id, valid(ChangedWebhook, sent), editing.version_of(form))
    except MedicError as error:
        return _webhook_page(caller, before, written(form), form.line("version"), error)
    return rendering.gone_to(PATH, CHANGED)


def _target(target_id: int) -> NotificationTarget:
    with door.DATABASE.autocommit() as connection:
        return manage.existing(connection, TARGETS, target_id)


def _webhook(webhook_id: int) -> Webhook:
    with door.DATABASE.autocommit() as connection:
        return manage.existing(connection, WEBHOOKS, webhook_id)


def _config(before: NotificationTarget, form: Form) -> dict[str, Any]:
    """A target's config as it shall be. Raises BadRequest."""
    channel, address = Channel(before.type), form.line("address", LONGEST_ADDRESS)
    config = before.config | ({ADDRESS[channel]: address} if address else {})
    if channel is Channel.WEBHOOK:
        config["headers"] = _headers(before.config.get("headers") or {}, form)
    return config


def _headers(before: Mapping[str, str], form: Form) -> dict[str, str]:
    """Those that were written, none where that was ticked, else those that there are. Raises BadRequest."""
    return headers(form) or ({} if form.ticked("no_headers") else dict(before))


def _target_page(
    caller: Visitor,
    target: NotificationTarget,
    values: Mapping[str, Any],
    version: str,
    wrong: MedicError | None = None,
) -> Response[str]:
    edited = Edited(f"target:{target.target_id}", "target_fields.html", PATH, "Targets")
    shown = shown_config(target.type, target.config)
    return editing.page(caller, edited, values, version, wrong, target=target, shown=shown, **CHOICES)


def _webhook_page(
    caller: Visitor, webhook: Webhook, values: Mapping[str, Any], version: str, wrong: MedicError | None = None
) -> Response[str]:
    edited = Edited(f"webhook:{webhook.webhook_id}", "webhook_fields.html", PATH, "Targets")
    return editing.page(caller, edited, values, version, wrong, shown=read_webhook(webhook))
