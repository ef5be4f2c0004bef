"""/ui/settings: how Medic itself is, what it is set up to do, and the teams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from door import Caller
from medic_core.credentials import SecretText
from medic_core.domain.access.api_keys import Scope
from medic_core.store.teams import TEAMS
from models.health import Health
from models.pages import id_cursor, read_id_cursor
from routes.health import configured, examined

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/settings"
PAGE = 100


@dataclass(frozen=True, slots=True)
class Part:
    """Something that Medic can do where it was set up to."""

    name: str
    is_set_up: bool
    without: str


@door.page(router, "GET", PATH)
def shown(caller: Caller) -> Response[str]:
    """Health, set-up and teams; no secret, and ping keys only for those who may send heartbeats."""
    after = read_id_cursor(caller.request.query.get("cursor") or None) or 0
    health = examined()
    with door.DATABASE.autocommit() as connection:
        teams = TEAMS.listed(connection, after, PAGE + 1)
    since_sweep = health.components.monitor.seconds_since_sweep
    return rendering.page(
        caller,
        "settings.html",
        title="Settings",
        health=health,
        swept_at=None if since_sweep is None else health.timestamp - timedelta(seconds=since_sweep),
        waiting=_waiting(health),
        parts_of_medic=_parts(health),
        settings=door.SETTINGS,
        base_url=door.base_url(caller.request),
        teams=teams[:PAGE],
        shows_ping_keys=caller.key.allows(Scope.HEARTBEAT),
        next=id_cursor(teams[PAGE - 1].team_id) if len(teams) > PAGE else None,
    )


def _waiting(health: Health) -> int | None:
    """How many notifications wait; None where the queue does not say."""
    return door.NOTIFICATIONS.waiting() if health.components.queue.status == "healthy" else None


def _parts(health: Health) -> list[Part]:
    settings, found = door.SETTINGS, health.components
    return [
        Part("Slack as the default channel", found.slack.status == "configured", "alerts do not go there by default"),
        Part("Buttons in Slack", _is_set(settings.slack_signing_secret), "alerts cannot be acknowledged from Slack"),
        Part("PagerDuty as the default channel", found.pagerduty.status == "configured", "only targets call it"),
        Part("A webhook as the default channel", found.webhook.status == "configured", "none is called by default"),
        Part("Its messages are signed", _is_set(settings.webhook_secret), "receivers cannot tell who sent them"),
        Part("Redis", found.redis.status != "not_configured", "each instance counts requests by itself"),
        Part("A spool for heartbeats", bool(settings.spool_url), "they are refused while the database is away"),
        Part("Playbooks", bool(settings.playbook_machine_arn), "none can run"),
        Part("Playbooks started by webhooks", _is_set(settings.trigger_secret), "nobody is taken there"),
        Part(
            "Secrets of playbooks",
            bool(settings.kms_key_id) or _is_set(settings.secrets_key),
            "none can be kept, as nothing seals them",
        ),
    ]


def _is_set(secret: SecretText) -> bool:
    return configured(secret).status == "configured"
