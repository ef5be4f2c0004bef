"""The monitor's ticks: doubled, late, left out, over thousands of services, and with some that cannot be judged."""

from __future__ import annotations

import time
import tracemalloc
from datetime import timedelta

from medic_core.flows.sweep import Swept, sweep
from medic_core.store.connection import Database
from tests.builders import a_service, at_once, hears, now_of, rows, time_passes, watch_statements
from tests.fixtures.clock import Clock
from tests.fixtures.dashboard import Dashboard
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.routing import MINUTE, SECOND, later, relayed

CADENCE = timedelta(seconds=60)
OPENED = "SELECT heartbeat_name FROM medic.alerts WHERE kind <> 'ingest_silent' AND resolved_at IS NULL ORDER BY 1"
COUNTED = "SELECT count(*), count(DISTINCT service_id), sum(consecutive_failures) FROM medic.alerts"
TOLD = "SELECT count(*), count(DISTINCT subject_id) FROM medic.outbox WHERE topic = 'notification'"

OF_MARS = """
    SELECT because, told_at IS NOT NULL, next_look_at - now() FROM medic.alerts WHERE heartbeat_name = 'of-mars'
"""
CANNOT_BE_READ = "its schedule '* * * * *' in 'Mars/Olympus' cannot be read: No time zone found with key Mars/Olympus"


def many(database: Database, count: int, *, silent: bool) -> None:
    """So many services that were all heard, and whose deadline has passed if they are silent. One is never due."""
    made = """
        INSERT INTO medic.services (heartbeat_name, name_key, service_name, slug, ping_id, priority, every_seconds)
        SELECT 'job-' || n, 'job-' || n, 'Job', 'job-' || n, gen_random_uuid(), 'p3', 60
          FROM generate_series(1, %(count)s) AS n
    """
    state = """
        INSERT INTO medic.service_state (service_id, health, last_heartbeat_at, recent_heartbeats, silence_allowed,
                                         alert_after)
        SELECT service_id, 'up', at, ARRAY[at], interval '1 minute', at + interval '1 minute'
          FROM medic.services, (SELECT now() - make_interval(secs => %(ago)s) AS at) AS heard
    """
    with database.transaction() as tx:
        tx.execute(made, {"count": count})
        tx.execute(state, {"ago": 70 if silent else 0})
    a_service(database, "lively", every_seconds=86_400)
    hears(database, "lively")


def loses_its_zone(database: Database, table: str, name: str) -> None:
    """What was a zone when it was saved is none any more to the Python that runs now."""
    column = "heartbeat_name" if table == "services" else "name"
    with database.transaction() as tx:
        tx.execute(f"UPDATE medic.{table} SET timezone = 'Mars/Olympus' WHERE {column} = %(name)s", {"name": name})


class TestTicksThatAreDoubledLateOrLeftOut:
    """EventBridge hands a tick on at least once and may be late."""

    def test_three_at_once_two_left_out_and_a_late_one_are_as_one_each(self, clock: Clock) -> None:
        database = clock.database
        many(database, 300, silent=True)
        first = at_once(database, [lambda own: sweep(own, 0, CADENCE, batch=20)] * 3)
        assert sum(one.opened for one in first) == 300
        assert rows(database, COUNTED) == [(300, 300, 300)]
        # Two that are left out are no gap: nothing is moved, and what fell silent meanwhile is found.
        a_service(database, "later")
        hears(database, "later")
        hears(database, "lively")
        time_passes(database, 2.5 * MINUTE, swept=False)
        assert at_once(database, [lambda own: sweep(own, 0, CADENCE).opened] * 3).count(1) == 1
        # One that is late by five minutes counts the periods that were missed, once.
        hears(database, "lively")
        time_passes(database, 5 * MINUTE, swept=False)
        hears(database, "lively")
        at_once(database, [lambda own: sweep(own, 0, CADENCE)] * 3)
        alerts, services, missed = rows(database, COUNTED)[0]
        print(f"\n{alerts} alerts of {services} services after 9 sweeps at 3 times, {missed} missed periods")
        assert (alerts, services) == (301, 301)
        assert missed == 300 * 8 + 7
        assert rows(database, TOLD)[0][0] == rows(database, TOLD)[0][1]

    def test_one_that_comes_back_after_a_quarter_of_an_hour_tells_of_each_silence_once(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        """Heartbeats went on coming in: only the monitor was away."""
        many(database, 60, silent=False)
        sweep(database, 0, CADENCE)
        gone = [f"job-{number}" for number in range(1, 21)]
        for _ in range(15):
            time_passes(database, MINUTE, swept=False)
            for number in range(21, 61):
                hears(database, f"job-{number}")
        hears(database, "lively")
        found = sweep(database, 0, CADENCE)
        relayed(functions)
        later(functions, database, 2 * MINUTE)
        assert (found.opened, found.shifted, rows(database, OPENED)) == (20, 0, [(name,) for name in sorted(gone)])
        incidents = [one.content["dedup_key"] for one in told.pagerduty.received]
        hooks = [one.headers["webhook-id"] for one in told.webhook.received]
        said = str([one.content for one in told.slack.received])
        print(
            f"\n15 minutes without a sweep: {len(incidents)} incidents, {len(hooks)} webhooks,"
            f" {len(told.slack.received)} Slack messages; lag {found.lag_seconds:.0f} s"
        )
        assert sorted(incidents) == sorted(f"medic-{name}" for name in gone)
        assert len(set(hooks)) == len(hooks) == 20
        assert [name for name in gone if name not in said] == []
        assert found.lag_seconds > 13 * 60


class TestOneThatCannotBeJudgedKeepsNobodyWaiting:
    def test_a_schedule_that_cannot_be_read_is_told_of_and_looked_at_every_hour(self, database: Database) -> None:
        cron = {"every_seconds": None, "cron_expression": "* * * * *", "timezone": "Europe/Berlin"}
        many(database, 499, silent=True)
        a_service(database, "of-mars", **cron)
        hears(database, "of-mars")
        loses_its_zone(database, "services", "of-mars")
        time_passes(database, 3 * MINUTE)
        hears(database, "lively")
        swept = sweep(database, 0, CADENCE)
        assert (swept.opened, swept.held) == (500, "")
        ((because, is_told, looked_at_in),) = rows(database, OF_MARS)
        print(f"\n{swept.opened} of 500 judged in one sweep; of the one that cannot be read: {because}")
        assert because.endswith(CANNOT_BE_READ)
        assert is_told
        assert 50 * MINUTE < looked_at_in <= 60 * MINUTE
        time_passes(database, 61 * MINUTE)
        hears(database, "lively")
        assert sweep(database, 0, CADENCE).looked == 500

    def test_it_can_be_seen_and_mended(self, functions: Functions, database: Database) -> None:
        cron = {"kind": "cron", "expression": "* * * * *", "timezone": "Europe/Berlin"}
        for name in ("of-mars", "of-earth"):
            made = functions.api("POST", "/v2/services", {"heartbeat_name": name, "schedule": cron})
            assert made.status == 201
        loses_its_zone(database, "services", "of-mars")
        shown = Dashboard(functions)
        assert shown.sign_in().status == 303
        for page in ("/ui", "/ui/services", "/ui/calendar", "/ui/services/1/edit", "/ui/services/1"):
            assert (page, shown.get(page).status) == (page, 200)
        for path in ("/service", "/v2/services", "/v2/services/1"):
            reply = functions.api("GET", path)
            assert (path, reply.status, "of-mars" in reply.body) == (path, 200, True)
        because = functions.api("GET", "/v2/services/1/explain").json["results"]["explanation"]["because"]
        assert because[0].startswith("Its schedule '* * * * *' in 'Mars/Olympus' cannot be read")
        assert functions.heartbeat({"heartbeat_name": "of-earth", "status": "UP"}).status == 201
        assert functions.api("PATCH", "/v2/services/1", {"schedule": cron}).status == 200
        assert functions.heartbeat({"heartbeat_name": "of-mars", "status": "UP"}).status == 201

    def test_a_window_that_cannot_be_read_ends_and_says_so(self, functions: Functions, database: Database) -> None:
        a_service(database)
        hears(database)
        start = now_of(database) - timedelta(hours=60)
        for name in ("of-mars", "of-earth"):
            body = {
                "name": name,
                "start_time": start.isoformat(),
                "end_time": (start + MINUTE).isoformat(),
                "recurrence": f"{start.minute} {start.hour} * * *",
                "service_ids": [1],
            }
            assert functions.api("POST", "/v2/maintenance-windows", body).status == 201
        loses_its_zone(database, "maintenance_windows", "of-mars")
        time_passes(database, timedelta(days=1))
        hears(database)
        time_passes(database, 2 * MINUTE)
        assert sweep(database, 0, CADENCE).opened == 1
        following = "SELECT name, next_start > now() FROM medic.maintenance_windows ORDER BY name"
        assert rows(database, following) == [("of-earth", True), ("of-mars", None)]
        ((heading, because),) = rows(database, "SELECT heading, because FROM medic.notices")
        assert heading == "Maintenance does not come again: of-mars"
        assert "Mars/Olympus" in because


class TestTheWorkOfATick:
    def test_it_grows_with_those_that_are_due_by_batches_and_takes_little_memory(self, database: Database) -> None:
        heard = watch_statements(database)
        sweep(database, 0, CADENCE)
        with_none = len(heard)
        many(database, 5000, silent=False)
        quiet, statements, *_ = self.measured(database, heard)
        assert (quiet.due, statements) == (0, with_none)
        time_passes(database, 70 * SECOND)
        hears(database, "lively")
        busy, more, seconds, mebibytes = self.measured(database, heard)
        print(
            f"\n5,000 services: {statements} statements with none due, {more} with all of them,"
            f" {seconds:.1f} s and {mebibytes:.0f} MiB while memory is traced"
        )
        assert (busy.due, busy.opened, busy.held) == (5000, 5000, "")
        batches = 5000 // 500 + 1
        assert more - statements <= batches * 8
        assert mebibytes < 50

    @staticmethod
    def measured(database: Database, heard: list[str]) -> tuple[Swept, int, float, float]:
        heard.clear()
        tracemalloc.start()
        began = time.monotonic()
        swept = sweep(database, 0, CADENCE)
        seconds, (_, most) = time.monotonic() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return swept, len(heard), seconds, most / 2**20
