"""Who is told: teams, working hours, targets, webhooks, and what became of what they were sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing import redaction
from medic_core.domain.routing.headers import LONGEST_VALUE, MOST, valid_headers
from medic_core.domain.routing.targets import Channel, Mode
from medic_core.domain.routing.working_hours import (
    Period,
)
from medic_core.store.deliveries import Status
from medic_core.store.targets import NotificationTarget, Webhook
from models.fields import FromRow, Id, Strict, Text, checked, unsent, word_of

MAX_URL_LENGTH = 2048
SlackChannel = Annotated[
    Text,
    Field(min_length=1, max_length=80, pattern=r"^[^\s,]+$", description="A channel's id", examples=["C0123456789"]),
]


def _headers(headers: dict[str, str]) -> dict[str, str]:
    return dict(checked(lambda: valid_headers(headers)))


Url = Annotated[Text, Field(min_length=1, max_length=MAX_URL_LENGTH, examples=["https://example.com/hooks/medic"])]
Headers = Annotated[
    dict[str, Annotated[str, Field(max_length=LONGEST_VALUE)]],
    Field(max_length=MOST, description="Sent along with each message; never shown again"),
    AfterValidator(_headers),
]


class SlackConfig(Strict):
    """A channel of the operator's workspace."""

    channel_id: SlackChannel


class PagerDutyConfig(Strict):
    """An integration of a PagerDuty service."""

    service_key: Annotated[
        str,
        Field(
            min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$", description="An Events API v2 integration key"
        ),
    ]


class WebhookConfig(Strict):
    """A receiver of Standard Webhooks."""

    url: Url
    headers: Headers = {}


class AppriseConfig(Strict):
    """Whatever Apprise reaches: e-mail, Teams, Discord, Telegram, SNS and many more. For admins alone."""

    url: Annotated[
        Text, Field(min_length=1, max_length=MAX_URL_LENGTH, examples=["mailto://user:password@example.com"])
    ]


CONFIGS: dict[Channel, type[Strict]] = {
    Channel.SLACK: SlackConfig,
    Channel.PAGERDUTY: PagerDutyConfig,
    Channel.WEBHOOK: WebhookConfig,
    Channel.APPRISE: AppriseConfig,
}
Urgency = Annotated[Priority, word_of(Priority), Field(description="Only alerts as urgent as this or more; null: all")]
When = Annotated[Period, word_of(Period), Field(description="When it is told, by its service's working hours")]
Place = Annotated[int, Field(ge=0, le=1000, description="Lower numbers are told first")]


class _NewTarget(Strict):
    service_id: Id | None = Field(default=None, description="The service whose alerts it is told of; this or team_id")
    team_id: Id | None = Field(
        default=None, description="The team of whose services, where those have none of their own"
    )
    priority: Place = 0
    period: When = Period.ALWAYS
    min_priority: Urgency | None = None
    enabled: bool = True

    @model_validator(mode="after")
    def _one_owner(self) -> _NewTarget:
        if (self.service_id is None) == (self.team_id is None):
            raise ValueError("send either service_id or team_id")
        return self


class NewSlackTarget(_NewTarget):
    """A Slack channel to tell."""

    type: Literal["slack"]
    config: SlackConfig


class NewPagerDutyTarget(_NewTarget):
    """A PagerDuty service to tell."""

    type: Literal["pagerduty"]
    config: PagerDutyConfig


class NewWebhookTarget(_NewTarget):
    """A webhook to tell."""

    type: Literal["webhook"]
    config: WebhookConfig


class NewAppriseTarget(_NewTarget):
    """Anything else to tell."""

    type: Literal["apprise"]
    config: AppriseConfig


NewTarget = Annotated[
    NewSlackTarget | NewPagerDutyTarget | NewWebhookTarget | NewAppriseTarget, Field(discriminator="type")
]


class ChangedTarget(Strict):
    """What may be changed of a target. A config is sent whole."""

    config: dict[str, Any] = unsent()
    priority: Place = unsent()
    period: When = unsent()
    min_priority: Urgency | None = None
    enabled: bool = unsent()


class ReadTarget(BaseModel):
    """A target. What of its config is secret is not shown."""

    target_id: int
    service_id: int | None
    team_id: int | None
    type: Channel
    config: dict[str, Any] = Field(description="Without its secrets", examples=[{"channel_id": "C0123456789"}])
    priority: int
    period: Period
    min_priority: Priority | None
    enabled: bool
    created_at: datetime
    updated_at: datetime


class ShownTarget(ReadTarget):
    """A target and what signs its messages: the only time that this is shown."""

    secret: str | None = Field(description="Of a webhook: keep it, nobody can show it again")


def read_target(row: NotificationTarget) -> ReadTarget:
    """The answer for a target."""
    return ReadTarget.model_validate({**_fields(row, ReadTarget), "config": shown_config(row.type, row.config)})


def show_target(row: NotificationTarget) -> ShownTarget:
    """The answer for a new one."""
    return ShownTarget(**read_target(row).model_dump(), secret=row.secret)


def shown_config(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without its secrets."""
    match Channel(kind):
        case Channel.SLACK:
            return dict(config)
        case Channel.PAGERDUTY:
            return {"service_key": redaction.shown_key(config["service_key"])}
        case Channel.WEBHOOK:
            return {"url": redaction.shown_url(config["url"]), "headers": shown_headers(config.get("headers") or {})}
        case Channel.APPRISE:
            return {"url": redaction.shown_scheme(config["url"])}


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their names."""
    return dict.fromkeys(headers, redaction.HIDDEN)


class NewWebhook(Strict):
    """A webhook to make: told of all that happens to one service's alerts, or to every service's."""

    service_id: Id | None = Field(default=None, description="null: of every service")
    url: Url
    headers: Headers = {}
    enabled: bool = True


class ChangedWebhook(Strict):
    """What may be changed of a webhook."""

    url: Url = unsent()
    headers: Headers = unsent()
    enabled: bool = unsent()


class ReadWebhook(BaseModel):
    """A webhook. Its headers' values and what of its URL seems secret are not shown."""

    webhook_id: int
    service_id: int | None
    url: str
    headers: dict[str, str]
    enabled: bool
    disabled_because: str | None = Field(description="Why Medic disabled it, where it did")
    former_secret_until: datetime | None = Field(
        description="Until when messages carry the former secret's signature too"
    )
    created_at: datetime
    updated_at: datetime


class ShownWebhook(ReadWebhook):
    """A webhook and what signs its messages: the only time that this is shown."""

    secret: str | None = Field(description="Keep it: nobody can show it again")


def read_webhook(row: Webhook) -> ReadWebhook:
    """The answer for a webhook."""
    shown = {"url": redaction.shown_url(row.url), "headers": shown_headers(row.headers)}
    return ReadWebhook.model_validate({**_fields(row, ReadWebhook), **shown})


def show_webhook(row: Webhook) -> ShownWebhook:
    """The answer for a new one, or for a new secret."""
    return ShownWebhook(**read_webhook(row).model_dump(), secret=row.secret)


class SecretRotation(Strict):
    """How a webhook gets a new secret."""

    overlap_seconds: int = Field(
        default=86_400, ge=0, le=604_800, description="How long messages carry the former secret's signature too"
    )


class ReadDelivery(FromRow):
    """One sending of one thing to one target: how it stands, and what was answered last."""

    delivery_id: int
    alert_id: int | None
    alert_event_id: int | None
    notice_id: int | None
    event: str = Field(description="What is told", examples=["opened"])
    target_key: str = Field(examples=["target:1"])
    target_id: int | None
    webhook_id: int | None
    channel: Channel | None = Field(description="null where nobody could be told")
    because: str = Field(description="Why this target")
    status: Status
    attempts: int
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    response_code: int | None
    response_body: str | None = Field(description="The first 4,096 bytes")
    error: str | None
    created_at: datetime


class RouteTarget(BaseModel):
    """A target of a route."""

    target_key: str
    channel: Channel
    target_id: int | None
    webhook_id: int | None
    because: str = Field(description="Why it is told, or why not")


class RoutePreview(BaseModel):
    """Who would be told of an alert of a service, in which order, and why not the others."""

    service_id: int
    at: datetime
    priority: Priority
    mode: Mode
    period: Period
    period_until: datetime | None
    told: list[RouteTarget] = Field(description="In order; with notify_until_success the next only if one fails")
    passed_over: list[RouteTarget]


def _fields(row: object, model: type[BaseModel]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in model.model_fields if hasattr(row, name)}
