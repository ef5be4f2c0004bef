"""A notification reaches its targets, each on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import timedelta

from medic_core import ports
from medic_core.domain.alerting.alerts import AlertEvent
from medic_core.domain.observing.metrics import Answered
from medic_core.domain.routing import queue_messages
from medic_core.domain.routing.messages import Group, Message, Notice, Notification, Question
from medic_core.domain.routing.retries import (
    LONGEST_WAIT,
    LONGEST_WAIT_IN_A_CHAIN,
    MOST_ATTEMPTS,
    Answer,
    Delivered,
    GaveUp,
    Outcome,
    Try,
    TryAgain,
    outcome,
)
from medic_core.domain.routing.targets import Channel, Defaults, Target
from medic_core.flows import ask_people, target_troubles
from medic_core.flows.ask_people import Needless, Ready, TooEarly
from medic_core.flows.plan_deliveries import FOLLOW_UPS
from medic_core.store import alerts, approvals, deliveries, notices, target_health, targets
from medic_core.store.connection import Database, Transaction
from medic_core.store.deliveries import Claimed, Said

#: Longer than any sending may take; a router that died leaves its deliveries after this.
LEASE = timedelta(seconds=30)
#: So many targets may hang without keeping another one waiting.
AT_ONCE = 64
KEPT_OF_ANSWER = 4096
#: A message that lists alerts goes to a target this often at most, and lists so many at most.
GROUPED_EVERY = timedelta(minutes=1)
MOST_IN_A_GROUP = 1000
NO_WAIT = timedelta(0)
#: How long the end of an approval waits for its question, which is on its way.
FOR_THE_QUESTION = timedelta(seconds=2)
STOPPED = "given up: the router was stopped each time it tried"
GONE = "this target is gone or disabled by now"


@dataclass(frozen=True, slots=True)
class Means:
    """What deliveries are made with. `patient` senders wait long for an answer: those that are slow go there."""

    channels: Mapping[Channel, ports.Channel]
    queue: ports.Queue
    slow_queue: ports.Queue
    defaults: Defaults
    group_from: int
    base_url: str = ""
    patient: bool = False


@dataclass(slots=True)
class Told:
    """What became of some deliveries."""

    delivered: int = 0
    postponed: int = 0
    failed: int = 0
    #: Why retries could not be queued; they start a little later.
    not_queued: list[str] = field(default_factory=list)
    #: Whom was asked for what (an alert's event, empty for a notice), and what came of it: each request once.
    asked: Counter[tuple[Channel, str, Answered]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Work:
    """A delivery that is ours, what it says and where it goes; `others` share its message."""

    claimed: Claimed
    message: Message
    target: Target
    delivery_ids: tuple[int, ...]
    alert_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HandOver:
    """Deliveries that are not to be made here and now: another time, or in the slow lane."""

    delivery_ids: tuple[int, ...]
    wait: timedelta = NO_WAIT
    to_slow_lane: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A delivery that ended without being tried, and those that waited for it."""

    following: list[int]


def make_deliveries(database: Database, delivery_ids: Iterable[int], means: Means) -> Told:
    """Make these deliveries side by side: a slow or broken target delays no other.

    Each is claimed and settled in a transaction of its own, and no transaction is open while a target thinks.
    One that is finished lets the next notification of the same alert to the same target follow.
    """
    with ThreadPoolExecutor(AT_ONCE) as senders:
        in_hand = _InHand(database, means, senders)
        for delivery_id in delivery_ids:
            in_hand.begin(delivery_id)
        in_hand.finish()
    return in_hand.told


@dataclass(frozen=True, slots=True)
class _InHand:
    """The deliveries that are under way."""

    database: Database
    means: Means
    senders: ThreadPoolExecutor
    under_way: dict[Future[Answer], Work] = field(default_factory=dict)
    told: Told = field(default_factory=Told)

    def begin(self, delivery_id: int) -> None:
        match _claim(self.database, delivery_id, self.means, self.told):
            case Work() as work:
                channel = self.means.channels[work.target.channel]
                self.under_way[self.senders.submit(_send, channel, work)] = work
            case HandOver() as what:
                _hand_over(self.means, what, self.told)
            case Ended(following=following):
                for one in following:
                    self.begin(one)
            case None:
                pass

    def finish(self) -> None:
        while self.under_way:
            finished, _ = wait(self.under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                work = self.under_way.pop(future)
                for following in _settle(self.database, self.means, work, future.result(), self.told):
                    self.begin(following)


def _send(channel: ports.Channel, work: Work) -> Answer:
    """Whatever a channel raises is this delivery's failure, and no other's."""
    try:
        return channel(work.message, work.target, work.claimed.thread)
    except Exception as error:  # noqa: BLE001
        return Answer(None, error=type(error).__name__)


def _claim(database: Database, delivery_id: int, means: Means, told: Told) -> Work | HandOver | Ended | None:
    with database.transaction() as tx:
        claimed = deliveries.claim(tx, delivery_id, LEASE)
        if claimed is None:
            return None
        postponed = _postponed(tx, claimed, means)
        if postponed is not None:
            return postponed
        message = _message(tx, claimed)
        target = targets.find(tx, claimed.target_key, means.defaults)
        if message is None or target is None or claimed.attempts - claimed.throttled > MOST_ATTEMPTS:
            told.failed += 1
            gone = message is None or target is None
            return _given_up(tx, claimed, GONE if gone else STOPPED)
        if isinstance(message, Notice) and message.question is not None:
            return _about_approval(tx, claimed, message, message.question, target, means)
        needless = _needless(tx, claimed, message)
        if needless:
            deliveries.skip(tx, delivery_id, needless)
            return Ended(_waited_for(tx, claimed))
        return _work(tx, claimed, message, target, means)


def _postponed(tx: Transaction, claimed: Claimed, means: Means) -> HandOver | Ended | None:
    """A target that asked to be left alone is; one that answered too slowly is tried apart from the others."""
    if claimed.throttled_until is not None and claimed.throttled_until > claimed.now:
        wait_for = min(claimed.throttled_until - claimed.now, LONGEST_WAIT)
        if claimed.chain_position is not None and wait_for > LONGEST_WAIT_IN_A_CHAIN:
            return _given_up(tx, claimed, "it asked to be left alone for longer than the next target is kept waiting")
        deliveries.release(tx, claimed.delivery_id, wait_for)
        return HandOver((claimed.delivery_id,), wait_for)
    if claimed.is_slow and not means.patient:
        deliveries.release(tx, claimed.delivery_id, NO_WAIT)
        return HandOver((claimed.delivery_id,), to_slow_lane=True)
    return None


def _message(tx: Transaction, claimed: Claimed) -> Message | None:
    if claimed.notice_id is not None:
        found = notices.read(tx, claimed.notice_id)
        if found is None or found.request_id is None:
            return found.notice if found else None
        return replace(found.notice, question=approvals.question(tx, found.request_id))
    assert claimed.alert_event_id is not None
    told = alerts.notification(tx, claimed.alert_event_id)
    return told[0] if told else None


def _about_approval(
    tx: Transaction, claimed: Claimed, notice: Notice, question: Question, target: Target, means: Means
) -> Work | HandOver | Ended:
    match ask_people.prepared(tx, claimed, notice, question, means.base_url):
        case Ready(notice=ready, thread=thread):
            return Work(replace(claimed, thread=thread), ready, target, (claimed.delivery_id,), ())
        case Needless(because=because):
            deliveries.skip(tx, claimed.delivery_id, because)
            return Ended([])
        case TooEarly():
            deliveries.release(tx, claimed.delivery_id, FOR_THE_QUESTION)
            return HandOver((claimed.delivery_id,), FOR_THE_QUESTION)


def _given_up(tx: Transaction, claimed: Claimed, because: str) -> Ended:
    deliveries.fail(tx, [claimed.delivery_id], Said(error=because))
    if claimed.chain_position is not None and claimed.alert_event_id is not None:
        deliveries.next_in_chain(tx, claimed.alert_event_id)
    return Ended(_waited_for(tx, claimed))


def _waited_for(tx: Transaction, claimed: Claimed) -> list[int]:
    alert_ids = [claimed.alert_id] if claimed.alert_id is not None else []
    return deliveries.next_waiting(tx, alert_ids, None if claimed.chain_position is not None else claimed.target_key)


def _needless(tx: Transaction, claimed: Claimed, message: Message) -> str:
    """Why a delivery need not be made after all, if so."""
    if not isinstance(message, Notification) or message.event not in FOLLOW_UPS:
        return ""
    if not claimed.was_told:
        return "it was never reached with the beginning of this"
    ends_incident = message.event is AlertEvent.RESOLVED and claimed.channel == Channel.PAGERDUTY
    if ends_incident and deliveries.another_is_open(tx, message.alert_id, claimed.target_key):
        return "another alert of this service is open: its incident goes on"
    return ""


def _work(tx: Transaction, claimed: Claimed, message: Message, target: Target, means: Means) -> Work | HandOver:
    alert_ids = (claimed.alert_id,) if claimed.alert_id is not None else ()
    alone = Work(claimed, message, target, (claimed.delivery_id,), alert_ids)
    if claimed.group_at is None or deliveries.group_size(tx, claimed, means.group_from) + 1 < means.group_from:
        return alone
    if not target_health.may_group(tx, claimed.target_key, GROUPED_EVERY):
        deliveries.release(tx, claimed.delivery_id, GROUPED_EVERY)
        return HandOver((claimed.delivery_id,), GROUPED_EVERY)
    others = deliveries.claim_group(tx, claimed, LEASE, MOST_IN_A_GROUP)
    notifications = alerts.notifications(tx, [alone.claimed.alert_event_id or 0, *(event for _, event, _ in others)])
    return Work(
        claimed,
        Group(tuple(notifications)),
        target,
        (claimed.delivery_id, *(delivery for delivery, _, _ in others)),
        (*alert_ids, *(alert for _, _, alert in others)),
    )


def _settle(database: Database, means: Means, work: Work, answer: Answer, told: Told) -> list[int]:
    """Write what came of a delivery; returns those that waited for it."""
    claimed = work.claimed
    this = Try(claimed.attempts - claimed.throttled, claimed.age, claimed.chain_position is not None)
    decided = outcome(answer, this)
    body = "" if _is_about_approval(work.message) else _kept(answer.body)
    said = Said(answer.status, body, None if isinstance(decided, Delivered) else decided.because)
    in_a_chain = claimed.chain_position is not None and claimed.alert_event_id is not None
    told.asked[work.target.channel, _event(work.message), _answered(answer, decided)] += 1
    with database.transaction() as tx:
        match decided:
            case Delivered():
                deliveries.succeed(tx, work.delivery_ids, said, answer.receipt)
                told.delivered += len(work.delivery_ids)
                if in_a_chain:
                    deliveries.end_chain(tx, claimed.alert_event_id or 0)
                if claimed.is_failing:
                    target_health.note_well(tx, claimed.target_key)
            case TryAgain(wait=delay):
                deliveries.postpone(tx, work.delivery_ids, delay, said, is_throttled=answer.is_throttled)
                told.postponed += len(work.delivery_ids)
            case GaveUp():
                deliveries.fail(tx, work.delivery_ids, said)
                told.failed += len(work.delivery_ids)
                if in_a_chain:
                    deliveries.next_in_chain(tx, claimed.alert_event_id or 0)
        target_troubles.note(tx, work.target, answer, decided)
        following = deliveries.next_waiting(tx, work.alert_ids, None if in_a_chain else claimed.target_key)
    if isinstance(decided, TryAgain):
        _hand_over(means, HandOver(work.delivery_ids, decided.wait, to_slow_lane=answer.timed_out), told)
        return []
    return following


def _event(message: Message) -> str:
    return message.event.value if isinstance(message, Notification) else ""


def _answered(answer: Answer, decided: Outcome) -> Answered:
    if isinstance(decided, Delivered):
        return Answered.SUCCESS
    if answer.status is None:
        return Answered.NO_ANSWER
    return Answered.THROTTLED if answer.is_throttled else Answered.FAILED


def _is_about_approval(message: Message) -> bool:
    """Whether it holds, or follows, a link that is kept nowhere: who answers may repeat it."""
    return isinstance(message, Notice) and message.question is not None


def _kept(body: str) -> str:
    return body.replace("\0", "").encode()[:KEPT_OF_ANSWER].decode(errors="ignore")


def _hand_over(means: Means, what: HandOver, told: Told) -> None:
    """A queue that does not take it must not stop the others from being settled: the monitor finds what is due."""
    queue = means.slow_queue if what.to_slow_lane else means.queue
    try:
        messages = [queue_messages.delivery(one, patient=what.to_slow_lane) for one in what.delivery_ids]
        queue.send(messages, delay=what.wait)
    except Exception as error:  # noqa: BLE001
        told.not_queued.append(f"{type(error).__name__}: {error}")
