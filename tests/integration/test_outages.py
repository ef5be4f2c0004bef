"""Promise 4: no mass false alarm after Medic's own outage, and no real one lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, a_signal, away, hears, rows, time_passes
from tests.fixtures.functions import ADMIN_KEY, Functions, key_header

CADENCE = timedelta(seconds=15)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def opened(database: Database) -> list[str]:
    query = "SELECT heartbeat_name FROM medic.alerts WHERE resolved_at IS NULL ORDER BY alert_id"
    return [name for (name,) in rows(database, query)]


def some_services(database: Database, count: int, **wanted: int) -> list[str]:
    names = [f"job-{number}" for number in range(count)]
    for name in names:
        a_service(database, name, **wanted)
    return names


def all_heard(database: Database, names: list[str]) -> None:
    for name in names:
        hears(database, name)


def test_a_spool_that_is_not_empty_holds_alerts_back_for_15_minutes_at_most(database: Database) -> None:
    a_service(database)
    hears(database)
    time_passes(database, 61 * SECOND)
    held = sweep(database, 7, CADENCE)
    assert (held.opened, held.held) == (0, "7 heartbeats wait in the spool")
    time_passes(database, 14 * MINUTE)
    assert sweep(database, 7, CADENCE).opened == 0
    time_passes(database, 61 * SECOND)
    assert sweep(database, 7, CADENCE).opened == 1


def test_holding_back_is_no_gap(database: Database) -> None:
    a_service(database, every_seconds=840)
    hears(database)
    sweep(database, 1, CADENCE)
    for _ in range(90):
        time_passes(database, 10 * SECOND, swept=False)
        held = sweep(database, 1, CADENCE)
        assert held.shifted == 0
    assert held.opened == 1


def test_a_gap_is_judged_when_the_spool_has_been_drained(database: Database) -> None:
    names = some_services(database, 20)
    all_heard(database, names)
    sweep(database, 0, CADENCE)
    time_passes(database, 10 * MINUTE, swept=False)
    assert sweep(database, 3, CADENCE).held == "3 heartbeats wait in the spool"
    time_passes(database, 10 * SECOND, swept=False)
    after = sweep(database, 0, CADENCE)
    assert (after.opened, after.shifted) == (0, 20)
    assert rows(database, "SELECT gap_start, gap_end FROM medic.monitor_state") == [(None, None)]


def test_a_drained_spool_lets_alerts_go_and_the_next_one_counts_anew(database: Database) -> None:
    a_service(database)
    hears(database)
    time_passes(database, 61 * SECOND)
    sweep(database, 1, CADENCE)
    assert sweep(database, 0, CADENCE).opened == 1
    assert rows(database, "SELECT spool_waiting_since FROM medic.monitor_state") == [(None,)]


def test_deadlines_of_an_outage_of_everything_move_ahead_by_its_length(database: Database) -> None:
    names = some_services(database, 20, grace_period_seconds=60)
    all_heard(database, names)
    sweep(database, 0, CADENCE)
    time_passes(database, 10 * MINUTE, swept=False)
    after = sweep(database, 0, CADENCE)
    assert (after.opened, after.shifted) == (0, 20)
    all_heard(database, names[5:])
    time_passes(database, 2 * MINUTE)
    all_heard(database, names[5:])
    sweep(database, 0, CADENCE)
    assert sorted(opened(database)) == sorted(names[:5])


def test_heartbeats_that_came_meanwhile_prove_that_only_the_monitor_was_away(database: Database) -> None:
    names = some_services(database, 20)
    all_heard(database, names)
    sweep(database, 0, CADENCE)
    for _ in range(10):
        all_heard(database, names[5:])
        time_passes(database, MINUTE, swept=False)
        all_heard(database, names[5:])
    after = sweep(database, 0, CADENCE)
    assert (after.shifted, after.opened) == (0, 5)
    assert sorted(opened(database)) == sorted(names[:5])


def test_deadlines_before_the_outage_are_not_forgiven(database: Database) -> None:
    names = some_services(database, 12)
    all_heard(database, names)
    time_passes(database, 61 * SECOND)
    hears(database, names[0])
    with database.transaction() as tx:
        tx.execute("UPDATE medic.monitor_state SET last_sweep_at = now()")
    time_passes(database, 10 * MINUTE, swept=False)
    after = sweep(database, 0, CADENCE)
    assert (after.shifted, after.opened) == (1, 11)


def test_when_everyone_falls_silent_one_alert_says_so_and_the_rest_wait(database: Database) -> None:
    names = some_services(database, 12)
    all_heard(database, names)
    time_passes(database, 61 * SECOND)
    assert sweep(database, 0, CADENCE).held.startswith("12 services fell silent at once")
    assert sweep(database, 0, CADENCE).held == "nothing is heard from anyone"
    assert opened(database) == ["ingest"]
    hears(database, names[0])
    restarted = sweep(database, 0, CADENCE)
    assert (restarted.opened, restarted.shifted, opened(database)) == (0, 11, [])
    all_heard(database, names[3:])
    time_passes(database, 50 * SECOND)
    all_heard(database, names[3:])
    time_passes(database, 11 * SECOND)
    sweep(database, 0, CADENCE)
    assert sorted(opened(database)) == sorted(names[:3])


def test_after_five_minutes_of_it_all_are_told(database: Database) -> None:
    names = some_services(database, 10)
    all_heard(database, names)
    time_passes(database, 61 * SECOND)
    sweep(database, 0, CADENCE)
    time_passes(database, 4 * MINUTE)
    assert sweep(database, 0, CADENCE).opened == 0
    time_passes(database, 61 * SECOND)
    assert sweep(database, 0, CADENCE).opened == 10
    all_heard(database, names)
    sweep(database, 0, CADENCE)
    assert opened(database) == []


def test_nine_services_or_a_minority_are_their_own_trouble(database: Database) -> None:
    names = some_services(database, 9)
    all_heard(database, names)
    time_passes(database, 61 * SECOND)
    assert sweep(database, 0, CADENCE).opened == 9


def test_someone_heard_since_proves_that_the_way_in_is_open(database: Database) -> None:
    names = some_services(database, 12)
    all_heard(database, names)
    time_passes(database, 61 * SECOND)
    a_service(database, "another")
    hears(database, "another")
    assert sweep(database, 0, CADENCE).opened == 12


def test_a_replayed_heartbeat_counts_with_its_own_time(database: Database) -> None:
    from medic_core.flows.settle import replay_signal  # noqa: PLC0415
    from medic_core.store.connection import now  # noqa: PLC0415

    a_service(database)
    hears(database)
    time_passes(database, 100 * SECOND)
    with database.transaction() as tx:
        moment = now(tx)
    replay_signal(database, a_signal(received_at=moment - 45 * SECOND))
    assert sweep(database, 0, CADENCE).due == 0
    time_passes(database, 16 * SECOND)
    assert sweep(database, 0, CADENCE).opened == 1


class TestManyServicesAndFewThatAreReallyDead:
    """300 of them, a minute and a minute of grace each; five die while Medic has an outage of its own."""

    COUNT, DEAD = 300, 5
    OPENED = "SELECT kind, event, count(*) FROM medic.alert_events JOIN medic.alerts USING (alert_id) GROUP BY 1, 2"

    @pytest.fixture
    def names(self, functions: Functions, database: Database) -> list[str]:
        names = some_services(database, self.COUNT, grace_period_seconds=60)
        self.all_heard(functions, names)
        sweep(database, 0, CADENCE)
        return names

    @staticmethod
    def all_heard(functions: Functions, names: list[str]) -> None:
        """In batches, as a collector sends them."""
        for first in range(0, len(names), 50):
            some = names[first : first + 50]
            body = {"heartbeats": [{"heartbeat_name": name, "status": "UP"} for name in some]}
            reply = functions.http("ingest", "POST", "/v2/heartbeats", body, **key_header(ADMIN_KEY))
            assert reply.json["results"]["failed"] == 0

    def test_nothing_comes_in_while_the_monitor_is_well(
        self, names: list[str], functions: Functions, database: Database
    ) -> None:
        sweeps = []
        for _ in range(22):
            time_passes(database, 15 * SECOND)
            sweeps.append(sweep(database, 0, CADENCE))
        assert sum(one.opened for one in sweeps) == 0
        self.all_heard(functions, names[self.DEAD :])
        over = sweep(database, 0, CADENCE)
        waited = 0
        while not (found := opened(database)):
            waited += 15
            time_passes(database, 15 * SECOND)
            if waited % 60 == 0:
                self.all_heard(functions, names[self.DEAD :])
            sweep(database, 0, CADENCE)
        print(
            f"\n{len(sweeps)} sweeps over 5 minutes 30 without a heartbeat: {over.shifted} deadlines moved;"
            f" {len(found)} alerts {waited} s after it, {len(set(found) - set(names[: self.DEAD]))} of them false"
        )
        assert sorted(found) == names[: self.DEAD]
        assert waited <= 180
        assert sorted(rows(database, self.OPENED)) == [
            ("ingest_silent", "opened", 1),
            ("ingest_silent", "resolved", 1),
            ("missed_heartbeat", "opened", self.DEAD),
        ]

    def test_they_come_in_and_wait_in_the_spool(
        self, names: list[str], functions: Functions, database: Database
    ) -> None:
        time_passes(database, 10 * MINUTE, swept=False)
        with away(functions.module("ingest").DATABASE):
            self.all_heard(functions, names[self.DEAD :])
        spool = functions.module("tick").SPOOL
        held = sweep(database, spool.waiting(), CADENCE)
        while functions.replay_spool():
            pass
        after = sweep(database, spool.waiting(), CADENCE)
        found = opened(database)
        print(f"\n10 minutes without the database: held because {held.held}; then {after.opened} alerts, 0 false")
        assert (held.opened, held.held) == (0, f"{self.COUNT - self.DEAD} heartbeats wait in the spool")
        assert (after.held, sorted(found)) == ("", names[: self.DEAD])
        assert sorted(rows(database, self.OPENED)) == [("missed_heartbeat", "opened", self.DEAD)]
