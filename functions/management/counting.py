"""What this instance has answered, for /metrics and for CloudWatch."""

from __future__ import annotations

from http import HTTPStatus

import door
from medic_core.domain.observing import metrics
from medic_core.flows.tally import Tally
from medic_core.telemetry import Metric

TALLY = Tally(door.DATABASE)
#: A path that is nobody's: strangers think up as many as they like.
NO_PATH = "(none)"
#: Likewise of a method.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_METHOD = "(other)"


def answered(method: str, path: str, status: int, seconds: float) -> None:
    """Note a request and how long it took; `path` is as the route declares it."""
    method = method if method in METHODS else NO_METHOD
    TALLY.count(metrics.REQUESTS, method=method, path=path, status=str(status))
    TALLY.observe(metrics.REQUEST_TIME, seconds, method=method)
    failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    door.COUNTS.write({Metric.REQUESTS: 1, Metric.REQUESTS_FAILED: failed}, {Metric.REQUEST_LATENCY: seconds * 1000})
    # Who waited for a database that is away does not wait for it once more.
    if not failed:
        TALLY.write_if_due()
