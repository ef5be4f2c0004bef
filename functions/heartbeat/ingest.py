"""POST /heartbeat and the ping URLs: the hot path.

Imports and does only what a heartbeat must: what it loads is compared with a list by a contract test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from uuid import uuid4

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
from medic_core.domain.watching.names import name_key, valid_name
from medic_core.domain.watching.ping_urls import Ping
from medic_core.domain.watching.signals import BODY_LIMIT, REPORTABLE, ByName, Signal, SignalKind, Taken, Whom
from medic_core.errors import BadRequest, Forbidden, MedicError, NotFound, TooManyRequests, Unauthorized, Unavailable
from medic_core.flows.record import KeyChanged, record_signal
from medic_core.store.connection import Database

SETTINGS = config.from_environment()
#: A client waits: a database that does not answer in this time is one that is away.
DATABASE = Database(SETTINGS.database_url, patience=timedelta(seconds=2.5))
REDIS = RedisLine(SETTINGS.redis_url, on_away=lambda: _count("REDIS_AWAY"))
KEYS = Authenticator(DATABASE, KeyCache(SETTINGS.key_cache_secret, REDIS))
LIMITS = Limits.from_settings(SETTINGS, REDIS)
SPOOL = SqsSpool(SqsQueue(SETTINGS.spool_url))
NOTIFICATIONS = SqsQueue(SETTINGS.notifications_url)

PING_HEADERS = {"Access-Control-Allow-Origin": "*", "Ping-Body-Limit": str(BODY_LIMIT)}
USER_AGENT_LIMIT = 200


def handler(event: dict[str, Any], context: object) -> answers.Answer:  # noqa: ARG001
    """A gateway event in, an answer out."""
    request = Request.from_event(event)
    if request.path.startswith("/ping/"):
        return _ping(request)
    return _heartbeat(request)


def _heartbeat(request: Request) -> answers.Answer:
    try:
        key = KEYS.remembered(request.headers, before_hashing=lambda: _look_at(request))
        admission = LIMITS.of_key(Endpoints.HEARTBEAT, key)
    except Unauthorized as error:
        return _stranger(request, error)
    except MedicError as error:
        return answers.failed(error)
    return admission.stamped(_answer_to(request, key))


def _answer_to(request: Request, key: VerifiedKey) -> answers.Answer:
    try:
        permitted(key, Scope.HEARTBEAT)
        taken = _take_with(request, _read_heartbeat(request), key)
    except MedicError as error:
        _count_refusal(error)
        return answers.failed(error)
    KEYS.note_use(request.headers, key, is_recorded=taken is not None)
    if taken is None:
        message = "Heartbeat accepted: it will be recorded with the time of its receipt."
        return answers.enveloped(message, status=HTTPStatus.ACCEPTED)
    return answers.enveloped("Heartbeat Posted Successfully.", status=HTTPStatus.CREATED)


def _take_with(request: Request, signal: Signal, key: VerifiedKey) -> Taken | None:
    """Record the signal; a key that was changed since it was remembered is looked at once more."""
    try:
        return _take(request, signal, key)
    except KeyChanged:
        key = KEYS.checked(request.headers, before_hashing=lambda: _look_at(request))
        return _take(request, signal, permitted(key, Scope.HEARTBEAT))


def _look_at(request: Request) -> None:
    """An address that has tried too many keys that were not valid may not try another: each costs a slow hash."""
    LIMITS.look_at_address(Endpoints.HEARTBEAT, request.remote_address)


def _stranger(request: Request, error: Unauthorized) -> answers.Answer:
    """A request without a valid key is counted against where it comes from."""
    _count_refusal(error)
    try:
        admission = LIMITS.of_address(Endpoints.HEARTBEAT, request.remote_address)
    except TooManyRequests as refusal:
        return answers.failed(refusal)
    return admission.stamped(answers.failed(error))


def _read_heartbeat(request: Request) -> Signal:
    body = request.json_object()
    for field in ("heartbeat_name", "status"):
        if field not in body:
            raise BadRequest(f"{field} is required.")
    name, status = valid_name(body["heartbeat_name"]), body["status"]
    if not isinstance(status, str) or status not in REPORTABLE:
        raise BadRequest(f"status must be one of {', '.join(sorted(REPORTABLE))}.")
    return _signal(request, ByName(name_key(name)), SignalKind(status))


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
        taken = _take(request, _signal(request, ping.whom, ping.kind, ping), key=None)
    except MedicError as error:
        return _unheard(request, error)
    if taken is not None and taken.created:
        return _pong(request, "Created", HTTPStatus.CREATED)
    return _pong(request, "OK", HTTPStatus.OK)


def _unheard(request: Request, error: MedicError) -> answers.Answer:
    message = "not found" if isinstance(error, NotFound) else error.message
    return _pong(request, message, answers.status_of(error), error.headers)


def _pong(
    request: Request, body: str, status: HTTPStatus, headers: Mapping[str, str] = MappingProxyType({})
) -> answers.Answer:
    return answers.text("" if request.method == "HEAD" else body, status, {**PING_HEADERS, **headers})


def _signal(request: Request, whom: Whom, kind: SignalKind, ping: Ping | None = None) -> Signal:
    """What was said, with what the gateway knows of who said it."""
    agent = request.headers.get("user-agent", "")[:USER_AGENT_LIMIT]
    return Signal(
        signal_id=uuid4(),
        whom=whom,
        kind=kind,
        is_ping=ping is not None,
        run_id=ping.run_id if ping else None,
        exit_status=ping.exit_status if ping else None,
        method=request.method,
        body=request.body[:BODY_LIMIT] if ping else b"",
        remote_address=request.remote_address,
        user_agent=agent if agent.isprintable() else "",
    )


def _take(request: Request, signal: Signal, key: VerifiedKey | None) -> Taken | None:
    """Record the signal; where the database is away, spool it with its time of receipt and return None."""
    try:
        taken = record_signal(DATABASE, signal, key)
    except Unavailable:
        SPOOL.keep(replace(signal, received_at=request.received_at), key.key_id if key else None)
        _count("SPOOLED")
        return None
    if taken.told:
        _relay()
    return taken


def _count(metric: str, **dimensions: str) -> None:
    # Nothing is counted on an ordinary day: what is, pays for the library that counts.
    from medic_core import telemetry  # noqa: PLC0415

    telemetry.count("heartbeat", telemetry.Metric[metric], **dimensions)


def _count_refusal(error: MedicError) -> None:
    if isinstance(error, Unauthorized | Forbidden):
        _count("AUTHENTICATION_FAILURES", reason=error.reason)


def _relay() -> None:
    """People hear of a recovery now, not at the next sweep; what does not leave now leaves then."""
    # Only a change of state comes here.
    from medic_core import telemetry  # noqa: PLC0415
    from medic_core.flows.relay import relay  # noqa: PLC0415

    try:
        relay(DATABASE, NOTIFICATIONS)
    except Exception:
        telemetry.logger("heartbeat").exception("notifications wait for the next sweep")
