"""Promise 8: duplicate, late and reordered signals leave the same end state as the ordered ones."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from medic_core.domain.watching.names import name_key
from medic_core.domain.watching.signals import ByName, Signal, SignalKind
from medic_core.flows.settle import replay_signal
from medic_core.store.connection import Database, now
from tests.builders import a_service, rows

LONG_AGO = timedelta(hours=1)
REPORTED = (SignalKind.UP, SignalKind.DOWN, SignalKind.DEGRADED, SignalKind.FAILED, SignalKind.LOG)
PAIRED = (SignalKind.STARTED, SignalKind.COMPLETED, SignalKind.FAILED)

reports = st.tuples(st.sampled_from(REPORTED), st.none())
#: A run is heard of at most once in each way: its start, and one end.
paired = st.tuples(st.sampled_from(PAIRED), st.sampled_from(("run-1", "run-2")))
histories = st.lists(st.one_of(reports, paired), min_size=1, max_size=8).filter(
    lambda history: all(one_end(history, run) for run in ("run-1", "run-2"))
)


def one_end(history: list[tuple[SignalKind, str | None]], run: str) -> bool:
    kinds = [kind for kind, run_id in history if run_id == run]
    ends = [index for index, kind in enumerate(kinds) if kind is not SignalKind.STARTED]
    return len(ends) <= 1 and kinds.count(SignalKind.STARTED) <= 1 and (not ends or ends == [len(kinds) - 1])


def heard(database: Database, name: str, history: list[tuple[SignalKind, str | None]], order: list[int]) -> None:
    """Let a service hear signals of fixed times in some order."""
    with database.transaction() as tx:
        base: datetime = (now(tx) - LONG_AGO).replace(microsecond=0)
        tx.execute(
            "UPDATE medic.service_state SET recent_heartbeats = ARRAY[%(at)s::timestamptz],"
            " alert_after = %(at)s + silence_allowed"
            " WHERE service_id = (SELECT service_id FROM medic.services WHERE heartbeat_name = %(name)s)",
            {"at": base - LONG_AGO, "name": name},
        )
    for index in order:
        kind, run_id = history[index]
        identity = uuid5(NAMESPACE_URL, f"{name}/{index}")
        at = base + timedelta(minutes=index)
        replay_signal(database, Signal(identity, ByName(name_key(name)), kind, run_id=run_id, received_at=at))


def end_state(database: Database, name: str) -> Any:
    query = """
        SELECT st.health, st.last_heartbeat_at - min.at, st.alert_after - min.at, st.consecutive_failures,
               st.troubles, st.settled,
               ARRAY(SELECT kind FROM medic.alerts a WHERE a.service_id = st.service_id AND resolved_at IS NULL
                      ORDER BY kind),
               ARRAY(SELECT (CASE WHEN named THEN run_id END, status, duration_ms, started_at - min.at)::text
                       FROM medic.job_runs r WHERE r.service_id = st.service_id ORDER BY started_at, run_id),
               (SELECT count(*) FROM medic.heartbeat_events e WHERE e.service_id = st.service_id)
          FROM medic.service_state st JOIN medic.services s USING (service_id),
               LATERAL (SELECT min(received_at) AS at FROM medic.heartbeat_events e
                         WHERE e.service_id = st.service_id) AS min
         WHERE s.heartbeat_name = %(name)s
    """
    return rows(database, query, name=name)


@pytest.mark.parametrize(("tolerance", "limit"), [(1, None), (2, None), (2, 90_000)])
def test_any_order_and_repetition_ends_the_same(database: Database, tolerance: int, limit: int | None) -> None:
    made = iter(range(1_000_000))

    @settings(
        max_examples=120,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(history=histories, seed=st.integers(0, 2**32))
    def holds(history: list[tuple[SignalKind, str | None]], seed: int) -> None:
        number = next(made)
        dice = random.Random(seed)
        ordered = list(range(len(history)))
        shuffled = [*ordered, *dice.choices(ordered, k=3)]
        dice.shuffle(shuffled)
        for name, order in ((f"ordered-{number}", ordered), (f"shuffled-{number}", shuffled)):
            # Longer than the test: no deadline passes meanwhile.
            a_service(database, name, every_seconds=86_400, failure_tolerance=tolerance, max_duration_ms=limit)
            heard(database, name, history, order)
        assert end_state(database, f"shuffled-{number}") == end_state(database, f"ordered-{number}"), (
            history,
            shuffled,
        )

    holds()
