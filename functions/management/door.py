"""What every route needs: the database, who is asking, how a route is declared and how it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.event_handler.request import Request as ResolvedRequest

from medic_core import config, telemetry
from medic_core.adapters.key_cache import KeyCache
from medic_core.adapters.redis_line import RedisLine
from medic_core.adapters.sealing import sealer
from medic_core.adapters.sqs import SqsQueue
from medic_core.adapters.step_functions import StepFunctions
from medic_core.api.authentication import Authenticator
from medic_core.api.limits import Limits
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import Scope, VerifiedKey
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.watching.names import is_printable
from medic_core.errors import BadRequest, Unauthorized
from medic_core.flows import engine
from medic_core.flows.change import By
from medic_core.flows.relay import relay as flows_relay
from medic_core.store.connection import Database
from medic_core.telemetry import Metric

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database)
REDIS = RedisLine(SETTINGS.redis, on_away=lambda: telemetry.count("management", Metric.REDIS_AWAY))
KEYS = Authenticator(DATABASE, KeyCache(SETTINGS.key_cache_secret, REDIS))
LIMITS = Limits.from_settings(SETTINGS, REDIS)
NOTIFICATIONS = SqsQueue(SETTINGS.notifications_url)
MACHINE = StepFunctions(SETTINGS.playbook_machine_arn)
SEALER = sealer(SETTINGS.secrets_key, SETTINGS.former_secrets_keys, SETTINGS.kms_key_id)
LOGGER = telemetry.logger("management")
COUNTS = telemetry.Counts("management")

MAX_ACTOR_LENGTH = 255
SECURITY_SCHEMES = ("ApiKey", "Bearer")
ETAG = re.compile(r'"v([0-9]{1,9})"')
Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking, and what."""

    request: Request
    key: VerifiedKey

    @property
    def actor(self) -> str:
        """Who it is said to be: the X-Actor header where it is a name, else the key's."""
        said = self.request.headers.get("x-actor", "").strip()
        return said if 0 < len(said) <= MAX_ACTOR_LENGTH and is_printable(said) else self.key.name

    @property
    def version(self) -> int | None:
        """The version that If-Match names; None where any will do. Raises BadRequest for what is no ETag of ours."""
        said = self.request.headers.get("if-match", "*").strip()
        if said == "*":
            return None
        match = ETAG.fullmatch(said)
        if match is None:
            raise BadRequest('If-Match must be the ETag of an earlier answer, like "v3", or *.')
        return int(match[1])

    def by(self) -> By:
        """Who changes what version."""
        return By(self.actor, self.version)

    def ping_url(self, ping_id: object) -> str | None:
        """A service's ping URL, for those who may send heartbeats: whoever has it can."""
        return f"{base_url(self.request)}/ping/{ping_id}" if self.key.allows(Scope.HEARTBEAT) else None


def _visitor(request: ResolvedRequest) -> Visitor:
    found: Visitor = request.context["visitor"]
    return found


def _sent(request: ResolvedRequest) -> Request:
    found: Request = request.context["sent"]
    return found


#: A handler's parameter of this type is who is asking.
Caller = Annotated[Visitor, Depends(_visitor)]
#: The request as it came, for those who read the body themselves.
Sent = Annotated[Request, Depends(_sent)]


def base_url(request: Request) -> str:
    """Where people reach this API: as configured, else as it was reached now."""
    return SETTINGS.base_url or request.origin


def key_given(request: Request, text: str) -> VerifiedKey:
    """The key that somebody wrote into a form. Wrong ones count as they do elsewhere.

    Raises Unauthorized, TooManyRequests, Unavailable.
    """
    where = (Endpoints.MANAGEMENT, request.remote_address)
    try:
        return KEYS.checked({"x-api-key": text}, before_hashing=lambda: LIMITS.look_at_address(*where))
    except Unauthorized:
        LIMITS.of_address(*where)
        raise


def relay() -> None:
    """People and the state machine hear of it now, not at the next sweep; what does not leave now leaves then."""
    try:
        flows_relay(DATABASE, NOTIFICATIONS)
        handed = engine.relay(DATABASE, MACHINE, SEALER)
        COUNTS.write({Metric.DECISIONS_REFUSED: handed.refused, Metric.EXECUTIONS_RESUMED: handed.resumed})
    except Exception:
        LOGGER.exception("what was committed waits for the next sweep")


def route(
    router: Router,
    method: str,
    path: str,
    *,
    needs: Scope | None,
    limited: Endpoints = Endpoints.MANAGEMENT,
    status: int = HTTPStatus.OK,
    tag: str,
    listed: bool = True,
    compress: bool = False,
    also: Mapping[int, str] = MappingProxyType({}),
) -> Callable[[Handler], Handler]:
    """Declare a route: whom it answers (`needs` None: everybody), how often, and how it stands in the document.

    The handler's docstring describes it: its first line is the summary. `also` are other statuses of the same answer.
    """

    def register(handler: Handler) -> Handler:
        summary, _, description = (handler.__doc__ or "").strip().partition("\n")
        declared: Handler = router.route(
            rule=path,
            method=method,
            summary=summary.rstrip("."),
            description=" ".join(description.split()) or None,
            tags=[tag],
            operation_id=f"{handler.__module__.rpartition('.')[2]}_{handler.__name__}",
            security=[{scheme: [needs]} for scheme in SECURITY_SCHEMES] if needs else [],
            openapi_extensions={"x-rate-limit": limited.value, "x-also": dict(also)},
            status_code=status,
            include_in_schema=listed,
            compress=compress,
        )(handler)
        return declared

    return register


def page(router: Router, method: str, path: str, *, needs: Scope = Scope.READ) -> Callable[[Handler], Handler]:
    """Declare a page, or what a form on one does: for those who are signed in with a key of that scope."""

    def register(handler: Handler) -> Handler:
        declared: Handler = router.route(
            rule=path,
            method=method,
            openapi_extensions={"x-rate-limit": Endpoints.PAGE.value, "x-session": needs.value},
            include_in_schema=False,
            compress=True,
        )(handler)
        return declared

    return register


def answer(
    results: object = "", message: str = "", status: int = HTTPStatus.OK, *, version: int | None = None
) -> Response[Any]:
    """An answer in the envelope; `version` becomes its ETag."""
    return Response(
        status_code=status,
        content_type="application/json",
        body={"success": True, "message": message, "results": results},
        headers={"ETag": f'"v{version}"'} if version is not None else {},
    )


def bare(content: object, status: int = HTTPStatus.OK) -> Response[Any]:
    """JSON without the envelope, as health checks answer."""
    return Response(status_code=status, content_type="application/json", body=content)
