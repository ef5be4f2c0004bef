"""POST /heartbeat, the ping URLs, job signals and batches: the hot path.

Imports and does only what a heartbeat must: what it loads is compared with a list by a contract test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import bodies
from medic_core import config
from medic_core.adapters.key_cache import KeyCache
from medic_core.adapters.redis_line import RedisLine
from medic_core.adapters.spool import SqsSpool
from medic_core.adapters.sqs import SqsQueue
from medic_core.api import answers
from medic_core.api.authentication import Authenticator, permitted
from medic_core.api.limits import Limits
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import Scope, VerifiedKey
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.watching import ping_urls
from medic_core.domain.watching.ping_urls import Ping
from medic_core.domain.watching.signals import BODY_LIMIT, SCHEDULE_UNREADABLE, Signal, Taken
from medic_core.errors import Forbidden, MedicError, NotFound, TooManyRequests, Unauthorized, Unavailable
from medic_core.flows.record import KeyChanged, record_signal
from medic_core.store.connection import Database

if TYPE_CHECKING:
    from medic_core.flows.tally import Tally
    from medic_core.telemetry import Seldom

SETTINGS = config.from_environment()
#: A client waits: a database that does not answer in this time is one that is away.
DATABASE = Database(SETTINGS.database, patience=timedelta(seconds=2.5))
REDIS = RedisLine(SETTINGS.redis, on_away=lambda: _count("REDIS_AWAY"))
KEYS = Authenticator(DATABASE, KeyCache(SETTINGS.key_cache_secret, REDIS))
LIMITS = Limits.from_settings(SETTINGS, REDIS)
SPOOL = SqsSpool(SqsQueue(SETTINGS.spool_url))
NOTIFICATIONS = SqsQueue(SETTINGS.notifications_url)

PING_HEADERS = {"Access-Control-Allow-Origin": "*", "Ping-Body-Limit": str(BODY_LIMIT)}
ACCEPTED = "Heartbeat accepted: it will be recorded with the time of its receipt."
MILLISECOND = timedelta(milliseconds=1)


def handler(event: dict[str, Any], context: object) -> answers.Answer:
    """A gateway event in, an answer out. What nobody foresaw is logged and rises without its secrets."""
    try:
        return _answered(event)
    except Exception as error:
        from medic_core import telemetry  # noqa: PLC0415

        telemetry.unforeseen("heartbeat", event, context, error)
        raise


def _answered(event: dict[str, Any]) -> answers.Answer:
    request = Request.from_event(event)
    if request.path.startswith("/ping/"):
        return _ping(request)
    if request.path == "/heartbeat":
        return _with_key(request, _heartbeat)
    return _with_key(request, _batch if request.path.rstrip("/") == "/v2/heartbeats" else _job_signal)


Answering = Callable[[Request, VerifiedKey], answers.Answer]


def _with_key(request: Request, answering: Answering) -> answers.Answer:
    try:
        key = KEYS.remembered(request.headers, before_hashing=lambda: _look_at(request))
        admission = LIMITS.of_key(Endpoints.HEARTBEAT, key)
    except Unauthorized as error:
        return _stranger(request, error)
    except MedicError as error:
        _note_refusal(error)
        return answers.failed(error)
    return admission.stamped(_answer_to(request, key, answering))


def _answer_to(request: Request, key: VerifiedKey, answering: Answering) -> answers.Answer:
    try:
        permitted(key, Scope.HEARTBEAT)
        answer = _answer_with(request, key, answering)
    except MedicError as error:
        _note_refusal(error)
        return answers.failed(error)
    KEYS.note_use(request.headers, key, is_recorded=answer["statusCode"] != HTTPStatus.ACCEPTED)
    return answer


def _answer_with(request: Request, key: VerifiedKey, answering: Answering) -> answers.Answer:
    """A key that was changed since it was remembered is looked at once more."""
    try:
        return answering(request, key)
    except KeyChanged:
        key = KEYS.checked(request.headers, before_hashing=lambda: _look_at(request))
        return answering(request, permitted(key, Scope.HEARTBEAT))


def _heartbeat(request: Request, key: VerifiedKey) -> answers.Answer:
    if _take(request, bodies.heartbeat(request), key) is None:
        return answers.enveloped(ACCEPTED, status=HTTPStatus.ACCEPTED)
    return answers.enveloped("Heartbeat Posted Successfully.", status=HTTPStatus.CREATED)


def _job_signal(request: Request, key: VerifiedKey) -> answers.Answer:
    signal = bodies.job_signal(request)
    taken = _take(request, signal, key)
    if taken is None:
        return answers.enveloped(ACCEPTED, status=HTTPStatus.ACCEPTED)
    return answers.enveloped("Signal recorded.", _told(taken), status=HTTPStatus.CREATED)


def _told(taken: Taken) -> dict[str, object]:
    """What a client hears of a signal and the run that it was about."""
    results: dict[str, object] = {
        "service_id": taken.service_id,
        "heartbeat_name": taken.heartbeat_name,
        "status": taken.kind,
        "run_id": taken.run_id,
    }
    if taken.duration is not None:
        results["duration_ms"] = taken.duration // MILLISECOND
    if taken.duration is not None and taken.limit is not None and taken.duration > taken.limit:
        results["duration_alert"] = {
            "alert_type": "exceeded",
            "max_duration_ms": taken.limit // MILLISECOND,
            "exceeded_by_ms": (taken.duration - taken.limit) // MILLISECOND,
        }
    return results


def _batch(request: Request, key: VerifiedKey) -> answers.Answer:
    # A batch is rarer than the single heartbeats that pay for what is loaded.
    from medic_core.flows.record_many import Spooled, record_many  # noqa: PLC0415

    def spool(signals: list[Signal], because: Unavailable) -> None:
        _spool(request, signals, key, because)

    outcomes = record_many(DATABASE, bodies.batch(request), key, spool)
    _follow_up([outcome for outcome in outcomes if isinstance(outcome, Taken)])
    items = [_item(index, outcome) for index, outcome in enumerate(outcomes)]
    succeeded = sum(not isinstance(outcome, MedicError) for outcome in outcomes)
    results = {"items": items, "succeeded": succeeded, "failed": len(items) - succeeded}
    status = HTTPStatus.ACCEPTED if Spooled.SPOOLED in outcomes else HTTPStatus.OK
    return answers.enveloped(f"{succeeded} of {len(items)} signals taken.", results, status=status)


def _item(index: int, outcome: Taken | MedicError | object) -> dict[str, object]:
    if isinstance(outcome, Taken):
        return {"index": index, "success": True, "message": "", **_told(outcome)}
    if isinstance(outcome, MedicError):
        return {"index": index, "success": False, "message": outcome.message}
    return {"index": index, "success": True, "message": ACCEPTED}


def _look_at(request: Request) -> None:
    """An address that has tried too many keys that were not valid may not try another: each costs a slow hash."""
    LIMITS.look_at_address(Endpoints.HEARTBEAT, request.remote_address)


def _stranger(request: Request, error: Unauthorized) -> answers.Answer:
    """A request without a valid key is counted against where it comes from."""
    _note_refusal(error)
    try:
        admission = LIMITS.of_address(Endpoints.HEARTBEAT, request.remote_address)
    except TooManyRequests as refusal:
        return answers.failed(refusal)
    return admission.stamped(answers.failed(error))


def _ping(request: Request) -> answers.Answer:
    try:
        try:
            ping = ping_urls.parse(request.path.removeprefix("/ping/"), request.query)
        except MedicError as error:
            return LIMITS.of_address(Endpoints.HEARTBEAT, request.remote_address).stamped(_unheard(request, error))
        return LIMITS.of_ping(ping.whom).stamped(_pong_to(request, ping))
    except TooManyRequests as refusal:
        return _unheard(request, refusal)


def _pong_to(request: Request, ping: Ping) -> answers.Answer:
    try:
        said = (ping.kind, ping.run_id, ping.exit_status)
        signal = bodies.signal(request, ping.whom, *said, body=request.body, is_ping=True)
        taken = _take(request, signal, key=None)
    except MedicError as error:
        return _unheard(request, error)
    if taken is not None and taken.created:
        return _pong(request, "Created", HTTPStatus.CREATED)
    return _pong(request, "OK", HTTPStatus.OK)


def _unheard(request: Request, error: MedicError) -> answers.Answer:
    _note_refusal(error)
    message = "not found" if isinstance(error, NotFound) else error.message
    return _pong(request, message, answers.status_of(error), error.headers)


def _pong(
    request: Request, body: str, status: HTTPStatus, headers: Mapping[str, str] = MappingProxyType({})
) -> answers.Answer:
    return answers.text("" if request.method == "HEAD" else body, status, {**PING_HEADERS, **headers})


def _take(request: Request, signal: Signal, key: VerifiedKey | None) -> Taken | None:
    """Record the signal; where the database is away, spool it with its time of receipt and return None."""
    try:
        taken = record_signal(DATABASE, signal, key)
    except Unavailable as error:
        _spool(request, [signal], key, error)
        return None
    _follow_up([taken])
    return taken


def _spool(request: Request, signals: list[Signal], key: VerifiedKey | None, because: Unavailable) -> None:
    """Keep signals until the database is back. Raises Unavailable where they cannot be kept."""
    _say_why("heartbeats go to the spool", because)
    SPOOL.keep([replace(one, received_at=request.received_at) for one in signals], key.key_id if key else None)
    _count("SPOOLED")


def _say_why(what: str, error: Unavailable) -> None:
    # Likewise only while the database is away.
    from medic_core.store.causes import cause_of  # noqa: PLC0415

    if cause := cause_of(error):
        _seldom().error(f"{what}: {cause}")


def _follow_up(recorded: list[Taken]) -> None:
    """People hear of what changed now, operators of what was recorded against a schedule that cannot be read."""
    if any(taken.told for taken in recorded):
        _relay()
    for taken in recorded:
        if taken.unreadable:
            _seldom().warning(SCHEDULE_UNREADABLE, heartbeat_name=taken.heartbeat_name, because=taken.unreadable)


def _count(metric: str, **dimensions: str) -> None:
    # Nothing is counted on an ordinary day: what is, pays for the library that counts.
    from medic_core import telemetry  # noqa: PLC0415

    telemetry.count("heartbeat", telemetry.Metric[metric], **dimensions)


def _note_refusal(error: MedicError) -> None:
    if isinstance(error, Unavailable):
        _say_why("heartbeats are answered 503", error)
    if not isinstance(error, Unauthorized | Forbidden):
        return
    # Likewise only where somebody is refused.
    from medic_core.domain.observing import metrics  # noqa: PLC0415

    _count("AUTHENTICATION_FAILURES", reason=error.reason)
    tally = _tally()
    tally.count(metrics.AUTH_FAILURES, reason=error.reason)
    tally.write_if_due()


@cache
def _tally() -> Tally:
    from medic_core.flows.tally import Tally  # noqa: PLC0415

    return Tally(DATABASE)


@cache
def _seldom() -> Seldom:
    # Nor is there anything to say.
    from medic_core.telemetry import Seldom  # noqa: PLC0415

    return Seldom("heartbeat")


def _relay() -> None:
    """People hear of a recovery now, not at the next sweep; what does not leave now leaves then."""
    # Only a change of state comes here.
    from medic_core import telemetry  # noqa: PLC0415
    from medic_core.flows.relay import relay  # noqa: PLC0415

    try:
        relay(DATABASE, NOTIFICATIONS)
    except Exception:
        telemetry.logger("heartbeat").exception("notifications wait for the next sweep")
