"""Notification targets and webhooks: what people gave services and teams, and all who could be told of a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing.route import Reachable
from medic_core.domain.routing.targets import Channel, ConfiguredTarget, Defaults, Mode, Target
from medic_core.domain.routing.working_hours import Period, WorkingHours, read_ranges
from medic_core.store.connection import Transaction
from medic_core.store.tables import Table


@dataclass(frozen=True, slots=True)
class NotificationTarget:
    """A target as it is kept; its `config` and `secret` are not for everybody."""

    target_id: int
    service_id: int | None
    team_id: int | None
    type: str
    config: dict[str, Any]
    secret: str | None
    priority: int
    period: str
    min_priority: str | None
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as it is kept; its headers and secrets are not for everybody."""

    webhook_id: int
    service_id: int | None
    url: str
    headers: dict[str, str]
    secret: str
    former_secret: str | None
    former_secret_until: datetime | None
    enabled: bool
    disabled_because: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    now: datetime


TARGETS: Final = Table(
    "notification_targets",
    "target_id",
    NotificationTarget,
    fixed=frozenset({"target_id", "service_id", "team_id", "type"}),
)
WEBHOOKS: Final = Table("webhooks", "webhook_id", Webhook, fixed=frozenset({"webhook_id", "service_id"}))

#: Where each type of target keeps what it is reached by.
ADDRESS: Final = {
    Channel.SLACK: "channel_id",
    Channel.PAGERDUTY: "service_key",
    Channel.WEBHOOK: "url",
    Channel.APPRISE: "url",
}
#: Of Medic itself there are only the webhooks that are for all. Targets also where they are disabled: a delivery says
#: that it was skipped.
ROUTING: Final = """
SELECT s.service_id, s.notification_mode, s.team_id, t.slack_channel_id, h.timezone, h.hours, h.holidays,
       ARRAY(SELECT to_jsonb(one) FROM (
                 SELECT target_id, service_id, team_id, type, config, secret, priority, period, min_priority, enabled
                   FROM medic.notification_targets
                  WHERE service_id = s.service_id OR team_id = s.team_id) AS one
              ORDER BY one.target_id) AS targets,
       ARRAY(SELECT to_jsonb(one) FROM (
                 SELECT webhook_id, url, headers, secret,
                        CASE WHEN former_secret_until > now() THEN former_secret END AS former_secret
                   FROM medic.webhooks
                  WHERE enabled AND (service_id IS NULL OR service_id = s.service_id)) AS one
              ORDER BY one.webhook_id) AS webhooks
  FROM (SELECT %(service_id)s::bigint AS service_id) AS wanted
  LEFT JOIN medic.services s USING (service_id)
  LEFT JOIN medic.teams t USING (team_id)
  LEFT JOIN medic.schedules h ON h.schedule_id = s.working_hours_id
"""


def reachable(tx: Transaction, service_id: int | None, defaults: Defaults) -> Reachable | None:
    """All who could be told of a service; of Medic itself where it is None. None for a service that is not there."""
    with tx.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(ROUTING, {"service_id": service_id}).fetchone()
    assert found is not None
    if found["service_id"] != service_id:
        return None
    mode = found["notification_mode"]
    return Reachable(
        of_service=tuple(_configured(row) for row in found["targets"] if row["service_id"] is not None),
        of_team=tuple(_configured(row) for row in found["targets"] if row["team_id"] is not None),
        team_channel=_team_channel(found["team_id"], found["slack_channel_id"]),
        defaults=defaults,
        webhooks=tuple(_webhook(row) for row in found["webhooks"]),
        hours=_hours(found),
        mode=Mode(mode) if mode is not None else Mode.NOTIFY_ALL,
    )


def _hours(service: Mapping[str, Any]) -> WorkingHours | None:
    if service["hours"] is None:
        return None
    return WorkingHours(service["timezone"], read_ranges(service["hours"]), tuple(service["holidays"]))


def _team_channel(team_id: int | None, channel_id: str | None) -> Target | None:
    return Target(f"team:{team_id}", Channel.SLACK, channel_id) if channel_id else None


def _configured(row: Mapping[str, Any]) -> ConfiguredTarget:
    least = row["min_priority"]
    return ConfiguredTarget(
        _target(row), row["priority"], Period(row["period"]), Priority(least) if least else None, row["enabled"]
    )


def _target(row: Mapping[str, Any]) -> Target:
    channel = Channel(row["type"])
    return Target(
        key=f"target:{row['target_id']}",
        channel=channel,
        address=row["config"][ADDRESS[channel]],
        headers=row["config"].get("headers") or {},
        secrets=(row["secret"],) if row["secret"] else (),
        target_id=row["target_id"],
    )


def _webhook(row: Mapping[str, Any]) -> Target:
    secrets = tuple(secret for secret in (row["secret"], row["former_secret"]) if secret)
    key = f"webhook:{row['webhook_id']}"
    return Target(key, Channel.WEBHOOK, row["url"], row["headers"], secrets, webhook_id=row["webhook_id"])


ONE_TARGET: Final = """
SELECT target_id, service_id, team_id, type, config, secret, priority, period, min_priority, enabled
  FROM medic.notification_targets WHERE target_id = %(number)s AND enabled
"""
ONE_WEBHOOK: Final = """
SELECT webhook_id, url, headers, secret, CASE WHEN former_secret_until > now() THEN former_secret END AS former_secret
  FROM medic.webhooks WHERE webhook_id = %(number)s AND enabled
"""
ONE_TEAM: Final = "SELECT slack_channel_id FROM medic.teams WHERE team_id = %(number)s"


def find(tx: Transaction, key: str, defaults: Defaults) -> Target | None:
    """The target of a planned delivery, as it is now; None where it is gone or disabled."""
    kind, _, number = key.partition(":")
    if kind == "default":
        return next((target for target in defaults.targets() if target.key == key), None)
    statement, read = {
        "target": (ONE_TARGET, _target),
        "webhook": (ONE_WEBHOOK, _webhook),
        "team": (ONE_TEAM, lambda row: _team_channel(int(number), row["slack_channel_id"])),
    }[kind]
    with tx.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(statement, {"number": int(number)}).fetchone()
    return read(row) if row else None


TEAM_CHANNELS: Final = """
SELECT team_id, slack_channel_id FROM medic.teams
 WHERE team_id = ANY(%(team_ids)s::bigint[]) AND slack_channel_id IS NOT NULL ORDER BY team_id
"""


def team_channels(tx: Transaction, team_ids: Sequence[int]) -> list[Target]:
    """The Slack channels of these teams, as far as they have one."""
    rows = tx.execute(TEAM_CHANNELS, {"team_ids": list(team_ids)}).fetchall()
    return [Target(f"team:{team_id}", Channel.SLACK, channel_id) for team_id, channel_id in rows]


DISABLE: Final = """
UPDATE medic.webhooks SET enabled = false, disabled_because = %(because)s, updated_at = now(), version = version + 1
 WHERE webhook_id = %(webhook_id)s AND enabled
"""


def disable_webhook(tx: Transaction, webhook_id: int, because: str) -> bool:
    """Tell a webhook nothing any more; False where that is so already."""
    return tx.execute(DISABLE, {"webhook_id": webhook_id, "because": because}).rowcount == 1
