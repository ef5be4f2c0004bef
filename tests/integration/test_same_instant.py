"""A heartbeat in the same instant as the sweep that would open the alert, or as the edit that moves the deadline.

Thousands of trials on connections of their own: whichever comes first, row, alerts and what people hear agree.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest

from medic_core.domain.watching import deadlines
from medic_core.domain.watching.schedules import Cron
from medic_core.domain.watching.signals import ById, Signal, SignalKind
from medic_core.flows import change
from medic_core.flows.change import By
from medic_core.flows.record import record_signal
from medic_core.flows.sweep import sweep
from medic_core.store import batches
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows

MINUTE = timedelta(minutes=1)
SERVICES, ROUNDS = 50, 40
#: All were heard an hour ago; their deadlines pass one after the other, in the order of their ids, and all have passed.
FALL_DUE = """
UPDATE medic.service_state st
   SET last_heartbeat_at = now() - interval '1 hour', recent_heartbeats = ARRAY[now() - interval '1 hour'],
       alert_after = now() - interval '1 minute' + st.service_id * interval '1 millisecond'
  FROM medic.services s WHERE s.service_id = st.service_id AND s.heartbeat_name LIKE 'due-%%'
"""
CONTRADICTIONS = """
SELECT s.heartbeat_name, st.health, st.troubles, a.kind
  FROM medic.services s JOIN medic.service_state st USING (service_id)
  LEFT JOIN medic.alerts a ON a.service_id = s.service_id AND a.resolved_at IS NULL
 WHERE st.health <> 'up' OR st.troubles <> '{}' OR a.kind IS NOT NULL OR st.alert_after <= now() OR NOT st.settled
"""
UNHEARD_OF = """
SELECT e.event, count(*) FROM medic.alert_events e LEFT JOIN medic.outbox o ON o.subject_id = e.alert_event_id
 WHERE o.outbox_id IS NULL GROUP BY e.event
"""


def at_once(*jobs: Callable[[], None]) -> None:
    """Run them from the same instant on; what one raises is raised here."""
    barrier, failures = Barrier(len(jobs)), list[BaseException]()

    def run(job: Callable[[], None]) -> None:
        barrier.wait()
        try:
            job()
        except BaseException as failure:
            failures.append(failure)

    threads = [Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.fixture
def others(database_url: str) -> Any:
    """Connections besides the test's own."""
    made = [Database(database_url) for _ in range(3)]
    yield made
    for one in made:
        one.close()


SCHEDULES: list[dict[str, Any]] = [
    {},
    {"every_seconds": None, "cron_expression": "* * * * *", "timezone": "Europe/London"},
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["interval", "cron"])
def test_either_the_alert_never_opens_or_it_opens_and_resolves(
    database: Database, others: list[Database], schedule: dict[str, Any]
) -> None:
    dice = random.Random(4)
    ids = [
        a_service(database, f"due-{number}", grace_period_seconds=3600, flapping_max_changes=None, **schedule)
        for number in range(SERVICES)
    ]
    a_service(database, "heard")
    for service_id in ids:
        record_signal(database, Signal(uuid4(), ById(service_id), SignalKind.UP), None)

    def heartbeats() -> None:
        start = dice.randrange(SERVICES)
        for service_id in ids[start:] + ids[:start]:
            record_signal(others[0], Signal(uuid4(), ById(service_id), SignalKind.UP), None)

    for number in range(ROUNDS):
        with database.transaction() as tx:
            tx.execute(FALL_DUE)
            tx.execute("UPDATE medic.monitor_state SET last_sweep_at = now()")
        # Somebody is heard: it is not the silence of everyone.
        hears(database, "heard")
        at_once(
            heartbeats,
            lambda: sweep(others[1], 0, MINUTE, batch=3) and None,
            lambda: sweep(others[2], 0, MINUTE, batch=7) and None,
        )
        assert rows(database, CONTRADICTIONS) == [], number
    assert rows(database, UNHEARD_OF) == []
    ((opened, resolved),) = rows(database, "SELECT count(*), count(resolved_at) FROM medic.alerts")
    # Both happened: the trials were ones.
    assert 0 < opened < SERVICES * ROUNDS
    assert opened == resolved
    heard = rows(database, "SELECT count(*) FROM medic.heartbeat_events WHERE service_id = ANY(%(ids)s)", ids=ids)
    assert heard == [(SERVICES * (ROUNDS + 1),)]


def test_a_batch_and_another_in_the_other_order_do_not_wait_in_a_circle(
    database: Database, others: list[Database]
) -> None:
    ids = [a_service(database, f"due-{number}") for number in range(SERVICES)]
    for service_id in ids:
        record_signal(database, Signal(uuid4(), ById(service_id), SignalKind.UP), None)

    def sends(one: Database, order: list[int]) -> Callable[[], None]:
        def send() -> None:
            for _ in range(ROUNDS):
                signals = {n: Signal(uuid4(), ById(service_id), SignalKind.UP) for n, service_id in enumerate(order)}
                with one.autocommit() as connection:
                    batches.record(connection, signals, None)

        return send

    orders = (ids, ids[::-1], random.Random(1).sample(ids, SERVICES))
    at_once(*(sends(one, order) for one, order in zip(others, orders, strict=True)))
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(SERVICES * (3 * ROUNDS + 1),)]


def test_a_heartbeat_never_shortens_a_window_that_was_just_made_longer(
    database: Database, others: list[Database]
) -> None:
    service_id = a_service(database)
    hears(database)
    dice = random.Random(3)

    def heartbeat() -> None:
        time.sleep(dice.uniform(0, 0.003))
        record_signal(others[0], Signal(uuid4(), ById(service_id), SignalKind.UP), None)

    def edits(threshold: int) -> Callable[[], None]:
        def edit() -> None:
            with others[1].transaction() as tx:
                change.change(tx, service_id, {"threshold": threshold}, By("a person"))

        return edit

    for number in range(600):
        threshold = 1 + 2 * (number % 2 == 0)
        at_once(heartbeat, edits(threshold))
        query = "SELECT cardinality(recent_heartbeats), alert_after IS NOT NULL FROM medic.service_state"
        assert rows(database, query) == [(threshold, True)], number


def test_a_heartbeat_never_brings_an_old_schedule_back(database: Database, others: list[Database]) -> None:
    old = {"cron_expression": "0 2 * * *", "timezone": "Europe/London"}
    new = {"cron_expression": "30 14 * * *", "timezone": "Asia/Kathmandu"}
    service_id = a_service(database, every_seconds=None, **old)
    hears(database)
    dice = random.Random(2)

    def heartbeat() -> None:
        # One alone: a second one would mend what the first has spoilt.
        time.sleep(dice.uniform(0, 0.003))
        record_signal(others[0], Signal(uuid4(), ById(service_id), SignalKind.UP), None)

    def edits(schedule: dict[str, Any]) -> Callable[[], None]:
        def edit() -> None:
            with others[1].transaction() as tx:
                change.change(tx, service_id, schedule, By("a person"))

        return edit

    query = "SELECT alert_after, recent_heartbeats, extensions FROM medic.service_state"
    for number in range(600):
        schedule = (new, old)[number % 2]
        at_once(heartbeat, edits(schedule))
        ((alert_after, recent, extensions),) = rows(database, query)
        cron = Cron(schedule["cron_expression"], schedule["timezone"])
        heard = [deadlines.expected_after(recent[0], cron)] if recent else []
        assert alert_after == max([*heard, *extensions[1::2]]), number
        assert alert_after in {deadlines.next_tick(moment, cron) for moment in (*recent, *extensions[::2])} | set(heard)
