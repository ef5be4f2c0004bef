"""A batch of ids from the queue: each notification planned, each delivery made on its own."""

from __future__ import annotations

from typing import Any

from channels import CHANNELS
from medic_core import config, telemetry
from medic_core.adapters.sqs import SqsQueue
from medic_core.domain.routing import queue_messages
from medic_core.domain.routing.queue_messages import MakeDelivery, PlanNotification
from medic_core.domain.routing.targets import Defaults
from medic_core.flows.deliver import make_deliveries, plan_notification
from medic_core.store.connection import Database
from medic_core.telemetry import Metric

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database_url)
QUEUE = SqsQueue(SETTINGS.notifications_url)
DEFAULTS = Defaults(SETTINGS.slack_channel_id, SETTINGS.pagerduty_routing_key, SETTINGS.webhook_url)
SENDERS = {channel: make(SETTINGS) for channel, make in CHANNELS.items()}
LOGGER = telemetry.logger("router")
COUNTS = telemetry.Counts("router")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Plan and deliver a batch. A message that cannot be read or planned fails alone and ends in the dead letters.

    What a receiver does never fails a message: the delivery's own row says when it is tried again.
    """
    failures, delivery_ids, nobody = [], [], 0
    for record in event["Records"]:
        try:
            ids, lonely = _deliveries_of(queue_messages.parse(record["body"]))
        except Exception:
            LOGGER.exception("message left to the queue", message_id=record["messageId"])
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        delivery_ids += ids
        nobody += lonely
    told = make_deliveries(DATABASE, dict.fromkeys(delivery_ids), SENDERS, QUEUE, DEFAULTS)
    if nobody:
        LOGGER.error("a notification could be sent to nobody: configure a default channel", notifications=nobody)
    if told.not_queued:
        LOGGER.warning("retries are left to the monitor", because=told.not_queued)
    COUNTS.write(
        {
            Metric.DELIVERED: told.delivered,
            Metric.DELIVERIES_POSTPONED: told.postponed,
            Metric.DELIVERIES_FAILED: told.failed,
            Metric.NOBODY_TOLD: nobody,
        }
    )
    return {"batchItemFailures": failures}


def _deliveries_of(message: PlanNotification | MakeDelivery) -> tuple[list[int], bool]:
    if isinstance(message, MakeDelivery):
        return [message.delivery_id], False
    return plan_notification(DATABASE, message.alert_event_id, DEFAULTS)
