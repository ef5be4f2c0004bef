"""Why a service is in the state that it is in: everything that the rules look at, handed to them once more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from medic_core.domain.alerting.explanations import Explanation, Facts, explain
from medic_core.domain.watching import outages
from medic_core.errors import NotFound
from medic_core.flows import ourselves
from medic_core.store import facts
from medic_core.store.connection import Transaction
from medic_core.store.heartbeat_events import ServiceHeartbeat
from medic_core.store.services import Service

MOST_SIGNALS = 10
MOST_RUNS = 20


@dataclass(frozen=True, slots=True)
class Explained:
    """A service, its explanation, and what was heard last, newest first."""

    service: Service
    explanation: Explanation
    signals: list[ServiceHeartbeat]


def explain_service(
    tx: Transaction, service_id: int, cadence: timedelta, most_signals: int = MOST_SIGNALS
) -> Explained:
    """Explain a service; `cadence` is the monitor's. Raises NotFound."""
    known = facts.of_service(tx, service_id, MOST_RUNS, most_signals)
    if known is None:
        raise NotFound("No service has this id.")
    # How many wait in the spool is the monitor's to ask; it has noted since when some do.
    spooled = int(known.monitor.spool_waiting_since is not None)
    belief = known.belief
    explanation = explain(
        Facts(
            now=belief.now,
            service=belief.service,
            expects=belief.expects,
            state=belief.state,
            troubles=belief.troubles,
            alerts=known.alerts,
            runs=known.runs,
            accepts=belief.accepts,
            paused=belief.paused,
            verdict=outages.judge(ourselves.situation(tx, known.monitor, spooled, cadence)),
            windows=known.windows,
        )
    )
    return Explained(known.service, explanation, known.signals)
