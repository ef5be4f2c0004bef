"""How Medic does, in numbers that Prometheus reads."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import counting
import door
import medic_core
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.observing import metrics
from medic_core.domain.observing.exposition import CONTENT_TYPE, Sample, render
from medic_core.domain.observing.metrics import Family
from medic_core.domain.repair.guards import BREAKER_WINDOW
from medic_core.flows.read_metrics import read_metrics
from medic_core.store.gauges import Gauges
from models.health import Components
from routes.health import components_of

router = Router()  # type: ignore[no-untyped-call]
TAG = "health"
WELL = {"healthy": 1.0, "degraded": 1.0, "not_yet": 1.0, "unhealthy": 0.0}


#: Who can reach an open one reads names of services: the operator's to decide.
NEEDS = None if door.SETTINGS.open_metrics else Scope.READ


@door.route(router, "GET", "/metrics", needs=NEEDS, limited=Endpoints.METRICS, tag=TAG, compress=True)
def shown() -> Response[str]:
    """Numbers for Prometheus, in its text format 0.0.4.

    They are the database's, not this process's: whichever instance answers, they are the same.
    """
    counting.TALLY.write()
    gauges, counters = read_metrics(door.DATABASE, door.SETTINGS.breaker_executions, BREAKER_WINDOW)
    samples = [*counters, *_standing(gauges), *_well(components_of(gauges.health))]
    body = render(metrics.FAMILIES, samples)
    return Response(status_code=200, content_type=CONTENT_TYPE, body=body)


def _standing(gauges: Gauges) -> Iterator[Sample]:
    found: dict[Family, float] = {
        metrics.REGISTERED: gauges.registered_services,
        metrics.ACTIVE: gauges.active_services,
        metrics.ALERTS_ACTIVE: gauges.alerts_active,
        metrics.STALE_JOBS: gauges.stale_jobs,
        metrics.PENDING_APPROVAL: gauges.pending_approval,
        metrics.BREAKERS_OPEN: gauges.breakers_open,
        metrics.DEADLINE_LAG: gauges.deadline_lag.total_seconds(),
        metrics.OUTBOX_WAITING: gauges.outbox_waiting,
        metrics.OUTBOX_AGE: gauges.outbox_age.total_seconds(),
        metrics.DELIVERIES_WAITING: gauges.deliveries_waiting,
        metrics.SPOOL_WAITING: gauges.spool_waiting.total_seconds(),
        metrics.COUNTED_UNTIL: gauges.counted_until.timestamp(),
    }
    if gauges.last_sweep_at is not None:
        found[metrics.LAST_SWEEP] = gauges.last_sweep_at.timestamp()
    yield from (Sample(family.name, {}, value) for family, value in found.items())
    about = {
        "version": medic_core.__version__,
        "python_version": platform.python_version(),
        "migration": gauges.newest_migration or "",
    }
    yield Sample(metrics.BUILD.name, about, 1)


def _well(components: Components) -> Iterator[Sample]:
    for name in Components.model_fields:
        status = getattr(components, name).status
        if status in WELL:
            yield Sample(metrics.HEALTH.name, {"component": name}, WELL[status])
