"""/status/{page}: how services do that were made public, for everybody, and as badges for pages elsewhere."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path as InPath

import door
from dashboard import badges, charts, rendering
from door import Sent
from medic_core.api.request import Request
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.watching.periods import PERIODS, Outage, Slot, availability, period_of, slots
from medic_core.domain.watching.public import (
    HEADLINES,
    STATUS_PAGE,
    WORDS,
    PublicState,
    address_of,
    since,
    verdict,
)
from medic_core.errors import NotFound
from medic_core.store import outage_history, status_pages
from medic_core.store.status_pages import OnPage
from models.status_pages import ReadBadge, ShieldsBadge

router = Router()  # type: ignore[no-untyped-call]
TAG = "status pages"
PATH, OF_SERVICE = "/status/<page>", "/status/<page>/<service>"
#: Ninety marks each: the page stays small.
MOST_ROWS = 100
LONGEST_NUMBER = 6
NO_PAGE = "There is no status page of this name."
#: What is new is seen a little later, and a crowd that looks during an outage asks us once.
KEPT = {"Cache-Control": "public, max-age=15", "Vary": "X-Fragment, Accept-Encoding"}
#: Shown on pages of others, by their scripts too.
SHARED = {
    "Cache-Control": "public, max-age=30",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Content-Security-Policy": "default-src 'none'",
    "X-Robots-Tag": "noindex, nofollow",
}
PICTURE_TYPE = "image/svg+xml"
Page = Annotated[str, InPath(description="The name of the page, as services have it in `status_page`")]
Named = Annotated[str, InPath(description="The service's name on the page: lower case, with hyphens between its words")]


@dataclass(frozen=True, slots=True)
class Row:
    """A service on the page."""

    name: str
    state: PublicState
    since: datetime | None
    until: datetime | None
    bar: list[Slot]
    period: timedelta
    availability: str | None
    watched_for: timedelta | None
    registered_at: datetime


@door.route(router, "GET", PATH, needs=None, limited=Endpoints.PAGE, tag=TAG, listed=False, compress=True)
def shown(sent: Sent, page: Page) -> Response[str]:
    """How the services of a page do."""
    first = _first(sent)
    with door.DATABASE.autocommit() as connection:
        rows, counts = status_pages.on_page(connection, _word(page), first, MOST_ROWS)
        _check(counts)
        periods = {one.service_id: period_of(one.schedule, one.now) for one in rows}
        outages = outage_history.outages(
            connection, {one.service_id: _since(one, periods[one.service_id]) for one in rows}
        )
    said, total = verdict(counts), counts.total()
    return rendering.open_page(
        "status.html",
        headers=KEPT,
        request=sent,
        title=f"{HEADLINES[said.mood]}: {page}",
        page=page,
        mood=said.mood,
        headline=HEADLINES[said.mood],
        words=WORDS,
        label=charts.label,
        counts=[(state, counts[state]) for state in PublicState if counts[state]],
        rows=[_row(one, periods[one.service_id], outages[one.service_id]) for one in rows],
        first=first,
        total=total,
        next=first + MOST_ROWS if first + MOST_ROWS < total else None,
    )


def _word(page: str) -> str:
    """Raises NotFound for what can be no page."""
    if not STATUS_PAGE.fullmatch(page):
        raise NotFound(NO_PAGE)
    return page


def _check(counts: Counter[PublicState]) -> None:
    """Raises NotFound: of a page that nobody has, and of one that is empty by now."""
    if not counts:
        raise NotFound(NO_PAGE)


def _first(sent: Request) -> int:
    """From which service on the page is looked at."""
    said = sent.query.get("from", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) <= LONGEST_NUMBER else 0


def _since(one: OnPage, period: timedelta) -> datetime:
    return max(one.created_at, one.now - PERIODS * period)


def _row(one: OnPage, period: timedelta, outages: Sequence[Outage]) -> Row:
    began = _since(one, period)
    return Row(
        one.service_name,
        one.state,
        since(one.state, one.opened_at, one.due_at, outages),
        one.maintenance_until if one.state is PublicState.MAINTENANCE else None,
        slots(period, one.now, one.created_at, outages),
        period,
        _percent(availability(one.now, began, outages)),
        None if began == one.created_at else PERIODS * period,
        one.created_at,
    )


def _percent(share: float | None) -> str | None:
    """Never rounded up: 100 means that there was nothing at all."""
    return None if share is None else f"{math.floor(share * 10_000) / 100:.2f}"


@door.route(router, "GET", f"{PATH}/badge.svg", needs=None, limited=Endpoints.PAGE, tag=TAG)
def badge(sent: Sent, page: Page) -> Response[str]:
    """A page's badge, as a picture."""
    return _drawn(sent, *_of_page(page))


@door.route(router, "GET", f"{PATH}/badge.json", needs=None, limited=Endpoints.PAGE, tag=TAG)
def badge_content(page: Page) -> Response[ReadBadge]:
    """What a page's badge says."""
    return _content(*_of_page(page))


@door.route(router, "GET", f"{PATH}/shields.json", needs=None, limited=Endpoints.PAGE, tag=TAG)
def badge_for_shields(page: Page) -> Response[ShieldsBadge]:
    """A page's badge for shields.io's endpoint."""
    return _for_shields(*_of_page(page))


@door.route(router, "GET", f"{OF_SERVICE}/badge.svg", needs=None, limited=Endpoints.PAGE, tag=TAG)
def service_badge(sent: Sent, page: Page, service: Named) -> Response[str]:
    """A service's badge, as a picture."""
    return _drawn(sent, *_of_service(page, service))


@door.route(router, "GET", f"{OF_SERVICE}/badge.json", needs=None, limited=Endpoints.PAGE, tag=TAG)
def service_badge_content(page: Page, service: Named) -> Response[ReadBadge]:
    """What a service's badge says."""
    return _content(*_of_service(page, service))


@door.route(router, "GET", f"{OF_SERVICE}/shields.json", needs=None, limited=Endpoints.PAGE, tag=TAG)
def service_badge_for_shields(page: Page, service: Named) -> Response[ShieldsBadge]:
    """A service's badge for shields.io's endpoint."""
    return _for_shields(*_of_service(page, service))


def _of_page(page: str) -> tuple[str, Counter[PublicState]]:
    """Whom a badge is about, and how they do. Raises NotFound."""
    with door.DATABASE.autocommit() as connection:
        counts = status_pages.states(connection, _word(page))
    _check(counts)
    return page, counts


def _of_service(page: str, service: str) -> tuple[str, Counter[PublicState]]:
    """Services of the same name share a badge: it never says that all is well while one of them is down."""
    with door.DATABASE.autocommit() as connection:
        by_name = status_pages.states_by_name(connection, _word(page))
    found = {name: counts for name, counts in by_name.items() if address_of(name) == service}
    if not found:
        raise NotFound("No service of this name is on a status page of this name.")
    return min(found), sum(found.values(), Counter())


def _drawn(sent: Request, label: str, counts: Counter[PublicState]) -> Response[str]:
    """The picture, or that it has not changed."""
    picture = badges.drawn(label, verdict(counts))
    headers = {**SHARED, "ETag": f'"{hashlib.sha256(picture.encode()).hexdigest()[:32]}"'}
    if sent.headers.get("if-none-match") == headers["ETag"]:
        return Response(HTTPStatus.NOT_MODIFIED, PICTURE_TYPE, "", headers=headers)
    return Response(HTTPStatus.OK, PICTURE_TYPE, picture, headers=headers)


def _content(label: str, counts: Counter[PublicState]) -> Response[ReadBadge]:
    said = verdict(counts)
    content = ReadBadge(label=label, state=said.state, message=said.message, services=counts.total())
    return Response(HTTPStatus.OK, "application/json", content, headers=dict(SHARED))


def _for_shields(label: str, counts: Counter[PublicState]) -> Response[ShieldsBadge]:
    said = verdict(counts)
    content = ShieldsBadge(label=label, message=said.message, color=badges.COLORS[said.state])
    return Response(HTTPStatus.OK, "application/json", content, headers=dict(SHARED))
