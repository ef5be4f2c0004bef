"""/v2/webhooks: told of all that happens to alerts, signed; and the log of what was sent to them."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

import door
from door import Caller, Visitor
from medic_core.domain.access.api_keys import Scope
from medic_core.errors import BadRequest, Conflict, NotFound
from medic_core.flows import manage
from medic_core.flows.redeliver import redeliver
from medic_core.flows.try_target import try_target
from medic_core.store import delivery_lists, maintenance, target_health
from medic_core.store.deliveries import Status
from medic_core.store.delivery_lists import Delivery, Wanted
from medic_core.store.targets import WEBHOOKS, Webhook
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page, PathId, QueryId
from models.pages import id_cursor, page, read_id_cursor
from models.routing import (
    ChangedWebhook,
    NewWebhook,
    ReadDelivery,
    ReadWebhook,
    SecretRotation,
    ShownWebhook,
    read_webhook,
    show_webhook,
)
from routes.v2_targets import NOT_YET, check_url, new_secret, refuse_hidden, test_sent

router = Router()  # type: ignore[no-untyped-call]
TAG = "webhooks"
QueryStatus = Annotated[Status | None, Query()]


@door.route(router, "POST", "/v2/webhooks", needs=Scope.WRITE, status=HTTPStatus.CREATED, tag=TAG)
def created(wanted: Annotated[NewWebhook, Body()]) -> Response[Envelope[ShownWebhook]]:
    """Make a webhook. What signs its messages (Standard Webhooks) is in this answer and nowhere else."""
    return _shown_once(
        webhook_made(wanted), "Webhook made. Keep its secret: it cannot be shown again.", HTTPStatus.CREATED
    )


@door.route(router, "GET", "/v2/webhooks", needs=Scope.READ, tag=TAG)
def listed(
    service_id: QueryId = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Envelope[Page[ReadWebhook]]]:
    """Webhooks, a page at a time. Their secrets are not shown."""
    with door.DATABASE.autocommit() as connection:
        rows = WEBHOOKS.listed(connection, read_id_cursor(cursor) or 0, limit + 1, service_id=service_id)
    return door.answer(page(rows, limit, read_webhook, lambda row: id_cursor(row.webhook_id)))


@door.route(router, "GET", "/v2/webhooks/<webhook_id>", needs=Scope.READ, tag=TAG)
def read(webhook_id: PathId) -> Response[Envelope[ReadWebhook]]:
    """One webhook."""
    with door.DATABASE.autocommit() as connection:
        return _shown(manage.existing(connection, WEBHOOKS, webhook_id))


@door.route(router, "PATCH", "/v2/webhooks/<webhook_id>", needs=Scope.WRITE, tag=TAG)
def changed(
    caller: Caller, webhook_id: PathId, wanted: Annotated[ChangedWebhook, Body()]
) -> Response[Envelope[ReadWebhook]]:
    """Change the fields that are sent. One that Medic disabled is enabled again by `enabled`."""
    return _shown(webhook_changed(webhook_id, wanted, caller.version), "Webhook changed.")


@door.route(router, "DELETE", "/v2/webhooks/<webhook_id>", needs=Scope.WRITE, tag=TAG)
def deleted(caller: Caller, webhook_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete a webhook. What is on its way to it is not delivered."""
    with door.DATABASE.transaction() as tx:
        manage.delete(tx, WEBHOOKS, webhook_id, caller.version)
    return door.answer(message="Webhook deleted.")


@door.route(router, "POST", "/v2/webhooks/<webhook_id>/rotate-secret", needs=Scope.WRITE, tag=TAG)
def secret_rotated(
    caller: Caller, webhook_id: PathId, wanted: Annotated[SecretRotation, Body()] = SecretRotation()
) -> Response[Envelope[ShownWebhook]]:
    """Give a webhook a new secret. Messages carry the former one's signature too, for the overlap."""
    with door.DATABASE.transaction() as tx:
        before = manage.existing(tx, WEBHOOKS, webhook_id)
        until = before.now + timedelta(seconds=wanted.overlap_seconds)
        columns = {"secret": new_secret(), "former_secret": before.secret, "former_secret_until": until}
        webhook = manage.change(tx, WEBHOOKS, webhook_id, columns, caller.version)
    return _shown_once(webhook, "The webhook has a new secret. Keep it: it cannot be shown again.", HTTPStatus.OK)


@door.route(router, "POST", "/v2/webhooks/<webhook_id>/test", needs=Scope.WRITE, tag=TAG, also=NOT_YET)
def tested(caller: Caller, webhook_id: PathId) -> Response[Envelope[ReadDelivery | None]]:
    """Send a test to a webhook, by the way that alerts go, and see what happens."""
    return test_sent(webhook_tried(caller, webhook_id))


@door.route(router, "GET", "/v2/webhooks/<webhook_id>/deliveries", needs=Scope.READ, tag=TAG)
def deliveries_listed(
    webhook_id: PathId, status: QueryStatus = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Envelope[Page[ReadDelivery]]]:
    """What was sent to a webhook, newest first."""
    with door.DATABASE.autocommit() as connection:
        manage.existing(connection, WEBHOOKS, webhook_id)
        wanted = Wanted(webhook_id=webhook_id, status=status)
        rows = delivery_lists.listed(connection, wanted, before=read_id_cursor(cursor), limit=limit + 1)
    return door.answer(deliveries_page(rows, limit))


@door.route(router, "POST", "/v2/webhooks/<webhook_id>/deliveries/<delivery_id>/redeliver", needs=Scope.WRITE, tag=TAG)
def webhook_redelivered(webhook_id: PathId, delivery_id: PathId) -> Response[Envelope[ReadDelivery]]:
    """Send something to a webhook again, under the same `webhook-id`."""
    with door.DATABASE.autocommit() as connection:
        found = delivery_lists.listed(connection, Wanted(delivery_id=delivery_id, webhook_id=webhook_id))
    if not found:
        raise NotFound("This webhook has no delivery with this id.")
    return _redelivered(delivery_id)


@door.route(router, "GET", "/v2/deliveries", needs=Scope.READ, tag="deliveries")
def all_listed(
    alert_id: QueryId = None,
    target_id: QueryId = None,
    webhook_id: QueryId = None,
    status: QueryStatus = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Envelope[Page[ReadDelivery]]]:
    """What was sent to whom and what came of it, newest first."""
    wanted = Wanted(alert_id=alert_id, target_id=target_id, webhook_id=webhook_id, status=status)
    with door.DATABASE.autocommit() as connection:
        rows = delivery_lists.listed(connection, wanted, before=read_id_cursor(cursor), limit=limit + 1)
    return door.answer(deliveries_page(rows, limit))


@door.route(router, "POST", "/v2/deliveries/<delivery_id>/redeliver", needs=Scope.WRITE, tag="deliveries")
def redelivered(delivery_id: PathId) -> Response[Envelope[ReadDelivery]]:
    """Make a finished delivery again, to the target as it is now."""
    return _redelivered(delivery_id)


def _redelivered(delivery_id: int) -> Response[Envelope[ReadDelivery]]:
    found = redeliver(door.DATABASE, door.NOTIFICATIONS, delivery_id)
    return door.answer(ReadDelivery.model_validate(found), "It is on its way again.")


def webhook_made(wanted: NewWebhook) -> Webhook:
    """Make a webhook. Raises BadRequest."""
    check_url(wanted.url)
    with door.DATABASE.transaction() as tx:
        if wanted.service_id is not None and not maintenance.existing_services(tx, [wanted.service_id]):
            raise BadRequest(f"service_id: no service has the id {wanted.service_id}.")
        return manage.create(tx, WEBHOOKS, {**wanted.model_dump(), "secret": new_secret()})


def webhook_changed(webhook_id: int, wanted: ChangedWebhook, version: int | None) -> Webhook:
    """Change what was sent; one that is enabled again counts as well. Raises BadRequest, NotFound, Stale."""
    columns = wanted.model_dump(exclude_unset=True)
    refuse_hidden(columns)
    if "url" in columns:
        check_url(wanted.url)
    if columns.get("enabled"):
        columns["disabled_because"] = None
    with door.DATABASE.transaction() as tx:
        webhook = manage.change(tx, WEBHOOKS, webhook_id, columns, version)
        if columns.get("enabled") or "url" in columns:
            target_health.note_well(tx, f"webhook:{webhook_id}")
    return webhook


def webhook_tried(caller: Visitor, webhook_id: int) -> Delivery | None:
    """Send a webhook a test; None where its first try has not ended yet. Raises NotFound, Conflict."""
    with door.DATABASE.autocommit() as connection:
        webhook = manage.existing(connection, WEBHOOKS, webhook_id)
    if not webhook.enabled:
        raise Conflict("This webhook is disabled: enable it first.")
    return try_target(door.DATABASE, door.NOTIFICATIONS, f"webhook:{webhook_id}", caller.actor)


def deliveries_page(rows: list[Delivery], limit: int) -> Page[ReadDelivery]:
    """A page of the log."""
    return page(rows, limit, ReadDelivery.model_validate, lambda row: id_cursor(row.delivery_id))


def _shown(webhook: Webhook, message: str = "") -> Response[Envelope[ReadWebhook]]:
    return door.answer(read_webhook(webhook), message, version=webhook.version)


def _shown_once(webhook: Webhook, message: str, status: int) -> Response[Envelope[ShownWebhook]]:
    return door.answer(show_webhook(webhook), message, status, version=webhook.version)
