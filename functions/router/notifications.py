"""A batch of ids from the queue: each notification planned, each delivery made on its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from channels import CHANNELS
from channels.pagerduty.event import ACTIONS
from medic_core import config, ports, telemetry
from medic_core.adapters.sealing import sealer
from medic_core.adapters.sqs import SqsQueue
from medic_core.adapters.step_functions import StepFunctions
from medic_core.api.events import messages
from medic_core.domain.alerting.alerts import AlertEvent
from medic_core.domain.observing import metrics
from medic_core.domain.observing.metrics import Action
from medic_core.domain.routing import queue_messages
from medic_core.domain.routing.queue_messages import MakeDelivery, PlanNotice, PlanNotification
from medic_core.domain.routing.targets import Channel
from medic_core.flows import engine
from medic_core.flows.consider import Rules, consider_alerts
from medic_core.flows.deliver import Means, Told, make_deliveries
from medic_core.flows.plan_deliveries import Made, plan_notice, plan_notification
from medic_core.flows.relay import relay
from medic_core.flows.tally import Tally
from medic_core.store.connection import Database
from medic_core.store.deliveries import GROUPING_WAIT
from medic_core.telemetry import Metric

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database)
QUEUE = SqsQueue(SETTINGS.notifications_url)
SLOW_QUEUE = SqsQueue(SETTINGS.slow_notifications_url)
MACHINE = StepFunctions(SETTINGS.playbook_machine_arn)
SEALER = sealer(SETTINGS.secrets_key, SETTINGS.former_secrets_keys, SETTINGS.kms_key_id)
RULES = Rules(SETTINGS.breaker_executions, SETTINGS.allowed_webhook_hosts)
LOGGER = telemetry.logger("router")
COUNTS = telemetry.Counts("router")
TALLY = Tally(DATABASE)

#: Who answers within this keeps nobody waiting; who does not is tried again in the slow lane, for longer. Both are
#: less than the lease of a delivery, also for a channel that asks twice.
QUICK_SECONDS = 3.0
PATIENT_SECONDS = 12.0


def _senders(seconds: float) -> Mapping[Channel, ports.Channel]:
    return {channel: make(SETTINGS, seconds) for channel, make in CHANNELS.items()}


SENDERS, PATIENT_SENDERS = _senders(QUICK_SECONDS), _senders(PATIENT_SECONDS)


def quick() -> Means:
    """What first tries are made with. Raises Unavailable where the default channel's secrets cannot be read."""
    return Means(SENDERS, QUEUE, SLOW_QUEUE, SETTINGS.defaults, SETTINGS.group_alerts_from, SETTINGS.base_url)


def patient() -> Means:
    """What is tried again with, where the first try took too long."""
    return replace(quick(), channels=PATIENT_SENDERS, patient=True)


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Plan and deliver a batch. A message that cannot be read or planned fails alone and ends in the dead letters.

    What a receiver does never fails a message: the delivery's own row says when it is tried again.
    """
    failures = []
    at_once: list[int] = []
    slow: list[int] = []
    later: list[int] = []
    nobody = 0
    is_news = False
    for record in messages(event):
        try:
            message = queue_messages.parse(record["body"])
            if isinstance(message, MakeDelivery):
                (slow if message.patient else at_once).append(message.delivery_id)
                continue
            made = _planned(message)
            is_news |= isinstance(message, PlanNotification)
        except Exception:
            LOGGER.exception("message left to the queue", message_id=record["messageId"])
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        at_once += made.now
        later += made.later
        nobody += made.nobody
    told = [_queued(later)]
    told += [
        make_deliveries(DATABASE, dict.fromkeys(at_once), quick()),
        make_deliveries(DATABASE, dict.fromkeys(slow), patient()),
    ]
    _report(told, nobody)
    _count(told)
    if is_news:
        _repair()
    return {"batchItemFailures": failures}


def _repair() -> None:
    """What people are told of may be repaired: now, where the monitor would come to it at its next round.

    People are told first, and whatever goes wrong here is the monitor's to do again.
    """
    try:
        if consider_alerts(DATABASE, RULES).told:
            engine.relay(DATABASE, MACHINE, SEALER)
            relay(DATABASE, QUEUE)
    except Exception:
        LOGGER.exception("repairs wait for the monitor")


def _planned(message: PlanNotification | PlanNotice) -> Made:
    if isinstance(message, PlanNotice):
        return plan_notice(DATABASE, message.notice_id, SETTINGS.defaults)
    return plan_notification(DATABASE, message.alert_event_id, SETTINGS.defaults, SETTINGS.group_alerts_from)


def _queued(delivery_ids: list[int]) -> Told:
    """Those that wait a moment for others of their sweep. What is not queued now the monitor finds."""
    told = Told()
    try:
        if delivery_ids:
            QUEUE.send([queue_messages.delivery(one) for one in delivery_ids], delay=GROUPING_WAIT)
    except Exception as error:
        told.not_queued.append(f"{type(error).__name__}: {error}")
    return told


def _report(told: list[Told], nobody: int) -> None:
    def total(count: Callable[[Told], int]) -> int:
        return sum(count(one) for one in told)

    if nobody:
        LOGGER.error("a notification could be sent to nobody: configure a default channel", notifications=nobody)
    not_queued = [because for one in told for because in one.not_queued]
    if not_queued:
        LOGGER.warning("retries are left to the monitor", because=not_queued)
    COUNTS.write(
        {
            Metric.DELIVERED: total(lambda one: one.delivered),
            Metric.DELIVERIES_POSTPONED: total(lambda one: one.postponed),
            Metric.DELIVERIES_FAILED: total(lambda one: one.failed),
            Metric.NOBODY_TOLD: nobody,
        }
    )


def _count(told: list[Told]) -> None:
    """For /metrics: whom was asked for what, and what came of it."""
    for one in told:
        for (channel, event, answered), times in one.asked.items():
            TALLY.count(metrics.DELIVERIES, times, channel=channel, status=answered)
            if channel is Channel.SLACK:
                TALLY.count(metrics.SLACK, times, status=answered)
            if channel is Channel.PAGERDUTY:
                action = ACTIONS.get(AlertEvent(event), Action.TRIGGER) if event else Action.TRIGGER
                TALLY.count(metrics.PAGERDUTY, times, action=action, status=answered)
    TALLY.write()
