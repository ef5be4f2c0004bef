"""Who is told of what was committed: a notification or a notice becomes deliveries, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medic_core.domain.alerting.alerts import AlertEvent, Priority
from medic_core.domain.routing.messages import INCIDENTS, NoticeKind, Notification
from medic_core.domain.routing.route import PassedOver, Planned, route
from medic_core.domain.routing.targets import Channel, Defaults, Target
from medic_core.store import alerts, deliveries, notices, outbox, question_deliveries, targets
from medic_core.store.connection import Database, Transaction
from medic_core.store.deliveries import Subject
from medic_core.store.outbox import Topic

NOBODY_CONFIGURED = "nobody can be told: no default channel is configured"
#: These are news to those who know of the alert, and to nobody else.
FOLLOW_UPS = frozenset({AlertEvent.ACKNOWLEDGED, AlertEvent.SNOOZED, AlertEvent.RESOLVED})


@dataclass(frozen=True, slots=True)
class Made:
    """New deliveries: to make now, and a moment later; and whether nobody could be told."""

    now: Sequence[int] = ()
    later: Sequence[int] = ()
    nobody: bool = False


def plan_notification(database: Database, alert_event_id: int, defaults: Defaults, group_from: int) -> Made:
    """Write the deliveries of a notification, once, and before them those of earlier ones of the same alert.

    The outbox row is done in the same transaction: from here on the deliveries look after themselves. Where at least
    `group_from` alerts were opened together, their messages wait a moment for one another.
    """
    with database.transaction() as tx:
        in_order = [*outbox.waiting_before(tx, alert_event_id), alert_event_id]
        made = [_plan(tx, one, defaults, group_from) for one in in_order]
    return Made(
        [number for one in made for number in one.now],
        [number for one in made for number in one.later],
        any(one.nobody for one in made),
    )


def _plan(tx: Transaction, alert_event_id: int, defaults: Defaults, group_from: int) -> Made:
    outbox.done(tx, Topic.NOTIFICATION, alert_event_id)
    found = alerts.notification(tx, alert_event_id)
    if found is None:
        return Made()
    notification, together = found
    is_one_of_many = notification.event is AlertEvent.OPENED and together.count >= group_from
    subject = Subject(alert_event_id, notification.alert_id, group_at=together.swept_at if is_one_of_many else None)
    if notification.event in FOLLOW_UPS:
        return _add(tx, subject, _who_know_of_it(tx, notification, defaults), ())
    reachable = targets.reachable(tx, notification.service_id, defaults)
    assert reachable is not None
    # A repair that did not help is as urgent as can be, whatever the alert was.
    urgency = Priority.P1 if notification.event is AlertEvent.ESCALATED else notification.priority
    found_route = route(reachable, urgency, notification.at)
    skipped = [one for one in found_route.passed_over if one.is_disabled]
    if not found_route.planned:
        deliveries.add_nobody(tx, subject, NOBODY_CONFIGURED)
        return Made(nobody=True)
    return _add(tx, subject, found_route.planned, skipped)


def _who_know_of_it(tx: Transaction, notification: Notification, defaults: Defaults) -> list[Planned]:
    known = (targets.find(tx, key, defaults) for key in deliveries.told_of(tx, notification.alert_id))
    return [Planned(target, "it was told of this alert") for target in known if target is not None]


def _who_were_asked(tx: Transaction, request_id: int, defaults: Defaults) -> list[Planned]:
    known = (targets.find(tx, key, defaults) for key in question_deliveries.asked_targets(tx, request_id))
    return [Planned(target, "it was asked") for target in known if target is not None]


def plan_notice(database: Database, notice_id: int, defaults: Defaults) -> Made:
    """Write the deliveries of a notice, once: to the default channel and the teams that it is for, or to one target.

    PagerDuty hears of incidents only, and few notices are one. How an approval ended concerns those who were asked.
    """
    with database.transaction() as tx:
        outbox.done(tx, Topic.NOTICE, notice_id)
        found = notices.read(tx, notice_id)
        if found is None:
            return Made()
        if found.notice.kind is NoticeKind.APPROVAL_DECIDED and found.request_id is not None:
            return _add(tx, Subject(notice_id=notice_id), _who_were_asked(tx, found.request_id, defaults), ())
        if found.only is not None:
            target = targets.find(tx, found.only, defaults)
            planned = [Planned(target, "it is being tested")] if target else []
        else:
            is_incident = found.notice.kind in INCIDENTS
            told: list[Target] = [
                one for one in defaults.targets() if is_incident or one.channel is not Channel.PAGERDUTY
            ]
            told += targets.team_channels(tx, found.team_ids)
            planned = [Planned(one, "notices go here") for one in told if one.key != found.besides]
        subject = Subject(notice_id=notice_id)
        if not planned:
            deliveries.add_nobody(tx, subject, NOBODY_CONFIGURED)
            return Made(nobody=True)
        return _add(tx, subject, planned, ())


def _add(tx: Transaction, subject: Subject, planned: Sequence[Planned], skipped: Sequence[PassedOver]) -> Made:
    now, later = deliveries.add_all(tx, subject, planned, skipped)
    return Made(now, later)
