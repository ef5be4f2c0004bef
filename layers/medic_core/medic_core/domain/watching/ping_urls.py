"""What a ping URL means. The family is Healthchecks', so that its clients work unchanged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from medic_core.domain.watching.names import SLUG
from medic_core.domain.watching.signals import ByPingId, BySlug, SignalKind, Whom
from medic_core.errors import BadRequest, NotFound

#: The one spelling of a UUID that is taken: lower case, hyphens, nothing around it.
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PING_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
EXIT_STATUS = re.compile(r"[0-9]{1,10}")
MAX_EXIT_STATUS = 255

KINDS = {"start": SignalKind.STARTED, "fail": SignalKind.FAILED, "log": SignalKind.LOG}


@dataclass(frozen=True, slots=True)
class Ping:
    """Whom a ping means and what it says."""

    whom: Whom
    kind: SignalKind
    run_id: str | None = None
    exit_status: int | None = None


def parse(path: str, query: Mapping[str, str]) -> Ping:
    """Read the path after `/ping/` and the query.

    Raises NotFound for what cannot be anyone's URL, BadRequest for a slug in upper case, an exit status
    above 255 or a `rid` that is no UUID.
    """
    whom, said = _whom(path.removesuffix("/").split("/"), create=query.get("create") == "1")
    kind, exit_status = _said(said)
    return Ping(whom, kind, _run_id(query.get("rid")), exit_status)


def _whom(segments: list[str], *, create: bool) -> tuple[Whom, str]:
    if "" in segments:
        raise NotFound("not found")
    if CANONICAL_UUID.fullmatch(segments[0]):
        if len(segments) > 2:
            raise NotFound("not found")
        return ByPingId(UUID(segments[0])), "".join(segments[1:])
    if not 2 <= len(segments) <= 3 or not PING_KEY.fullmatch(segments[0]):
        raise NotFound("not found")
    if not SLUG.fullmatch(segments[1]):
        if SLUG.fullmatch(segments[1].lower()):
            raise BadRequest("invalid url format")
        raise NotFound("not found")
    return BySlug(segments[0], segments[1], create), "".join(segments[2:])


def _said(suffix: str) -> tuple[SignalKind, int | None]:
    if not suffix:
        return SignalKind.UP, None
    if suffix in KINDS:
        return KINDS[suffix], None
    if not EXIT_STATUS.fullmatch(suffix):
        raise NotFound("not found")
    exit_status = int(suffix)
    if exit_status > MAX_EXIT_STATUS:
        raise BadRequest("invalid url format")
    return (SignalKind.FAILED if exit_status else SignalKind.UP), exit_status


def _run_id(rid: str | None) -> str | None:
    if rid is None:
        return None
    if not CANONICAL_UUID.fullmatch(rid.lower()):
        raise BadRequest("invalid uuid format")
    return rid.lower()
