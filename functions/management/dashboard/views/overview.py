"""/ui: what is wrong now, since when and who was told; how much there is; what changed last."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from door import Caller
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.store import overview
from routes.health import LONGEST_WITHOUT_SWEEP

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui"
MOST_WRONG, MOST_CHANGES = 100, 15
#: In the order in which they matter.
STATUSES = ("down", "late", "degraded", "new", "up", "paused")


@door.route(router, "GET", "/", needs=None, limited=Endpoints.PAGE, tag="dashboard", listed=False)
def begun() -> Response[str]:
    """Who comes by the front door is shown in."""
    return rendering.gone_to(PATH)


@door.page(router, "GET", PATH)
def shown(caller: Caller) -> Response[str]:
    """The overview; where nothing is watched yet, what to do first."""
    with door.DATABASE.autocommit() as connection:
        summary = overview.summary(connection, MOST_CHANGES)
        wrong_now = overview.wrong_now(connection, MOST_WRONG) if summary.alerts else []
    if summary.number_of_services == 0:
        return rendering.page(caller, "welcome.html", title="Welcome", values={})
    is_watching = summary.since_sweep is not None and summary.since_sweep <= LONGEST_WITHOUT_SWEEP
    return rendering.page(
        caller,
        "overview.html",
        title=f"{summary.alerts} wrong" if summary.alerts else "All is well",
        summary=summary,
        wrong_now=wrong_now,
        statuses=STATUSES,
        is_watching=is_watching,
    )
