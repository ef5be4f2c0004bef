"""Why a service is in the state that it is in: everything that the rules look at, handed to them once more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from medic_core.domain.alerting.explanations import Explanation, Facts, RunUnderWay, explain
from medic_core.domain.watching import outages
from medic_core.domain.watching.runs import RunStatus
from medic_core.errors import NotFound
from medic_core.flows import ourselves
from medic_core.store import alerts, heartbeat_events, job_runs, maintenance, monitor_state, settling
from medic_core.store.connection import Transaction
from medic_core.store.heartbeat_events import ServiceHeartbeat

MOST_SIGNALS = 10
MOST_RUNS = 20


@dataclass(frozen=True, slots=True)
class Explained:
    """The explanation, the facts that it is of, and what was heard last, newest first."""

    explanation: Explanation
    facts: Facts
    signals: list[ServiceHeartbeat]


def explain_service(
    tx: Transaction, service_id: int, cadence: timedelta, most_signals: int = MOST_SIGNALS
) -> Explained:
    """Explain a service; `cadence` is the monitor's. Raises NotFound."""
    found = settling.look(tx, service_id)
    if found is None:
        raise NotFound("No service has this id.")
    known = monitor_state.read(tx)
    # How many wait in the spool is the monitor's to ask; it has noted since when some do.
    situation = ourselves.situation(tx, known, int(known.spool_waiting_since is not None), cadence)
    running = job_runs.of_service(tx, service_id, statuses=[RunStatus.STARTED], limit=MOST_RUNS)
    facts = Facts(
        now=found.now,
        service=found.service,
        expects=found.expects,
        state=found.state,
        troubles=found.troubles,
        alerts=alerts.open_of_service(tx, service_id),
        runs=[RunUnderWay(run.run_id, run.started_at, run.stale_after, run.stale_at) for run in running],
        accepts=found.accepts,
        paused=found.paused,
        verdict=outages.judge(situation),
        windows=maintenance.of_service(tx, service_id),
    )
    signals = heartbeat_events.of_service(tx, service_id, None, None, most_signals)
    return Explained(explain(facts), facts, signals)
