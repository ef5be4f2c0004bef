"""/metrics: each number changes when the thing happens, and by as much; nothing is counted twice or lost."""

from __future__ import annotations

import gzip
from base64 import b64decode
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.observing.metrics import OTHERS
from medic_core.domain.repair.execution import Cause
from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import edit_triggers, keys
from medic_core.flows.consider import Rules, consider_alerts
from medic_core.flows.count_up import count_up
from medic_core.flows.housekeep import SERIES_DAYS, housekeep
from medic_core.flows.settle import replay_signal
from medic_core.store import counting
from medic_core.store.connection import Database, Transaction
from tests.builders import a_service, a_signal, at_once, away, hears, now_of, rows, time_passes, watch_statements
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.repairing import Hand, a_playbook, started
from tests.fixtures.routing import falls_silent, later, relayed
from tests.fixtures.scraping import Scrape, scraped
from tests.stand_ins.receivers import Answer

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
UP = {"heartbeat_name": "nightly-backup", "status": "UP"}


def ticks(functions: Functions) -> dict[str, Any]:
    found: dict[str, Any] = functions.module("tick").handler({}, None)
    return found


def heard(scrape: Scrape, name: str = "nightly-backup", status: str = "UP") -> float | None:
    return scrape.value("medic_heartbeats_total", heartbeat_name=name, status=status)


def a_key(database: Database, *scopes: Scope) -> str:
    with database.transaction() as tx:
        return keys.create(tx, "-".join(scopes), set(scopes), None, {}, hashing).text


class TestHeartbeats:
    def test_each_is_counted_at_once_by_its_status_and_stays_counted(
        self, functions: Functions, database: Database
    ) -> None:
        a_service(database)
        for status in ("UP", "UP", "DOWN", "DEGRADED", "STARTED", "COMPLETED", "FAILED"):
            assert functions.heartbeat({"heartbeat_name": "nightly-backup", "status": status}).status == 201
        expected = {"UP": 2, "DOWN": 1, "DEGRADED": 1, "STARTED": 1, "COMPLETED": 1, "FAILED": 1}
        for _ in range(3):
            found = {labels["status"]: n for labels, n in scraped(functions).series("medic_heartbeats_total")}
            assert found == expected
            time_passes(database, 2 * MINUTE)
            assert count_up(database) == 1
        assert rows(database, "SELECT sum(value) FROM medic.counters WHERE name = 'medic_heartbeats_total'") == [(7,)]
        functions.heartbeat(UP)
        assert heard(scraped(functions)) == 3

    def test_a_log_and_a_batch_are_counted_too(self, functions: Functions, database: Database) -> None:
        a_service(database)
        batch = {"heartbeats": [UP, UP, {"service_id": 1, "status": "COMPLETED"}]}
        assert functions.http("ingest", "POST", "/v2/heartbeats", batch, x_api_key=a_key(database, Scope.HEARTBEAT))
        ((ping_id,),) = rows(database, "SELECT ping_id FROM medic.services")
        functions.ping(f"{ping_id}/log", "POST", "said")
        found = scraped(functions)
        assert [heard(found, status=one) for one in ("UP", "COMPLETED", "LOG")] == [2, 1, 1]

    def test_a_deleted_service_leaves_with_its_series(self, functions: Functions, database: Database) -> None:
        for name in ("stays", "goes"):
            a_service(database, name)
            hears(database, name)
        time_passes(database, 2 * MINUTE)
        count_up(database)
        hears(database, "goes")
        assert functions.api("DELETE", "/v2/services/2").status in {200, 204}
        found = scraped(functions)
        assert (heard(found, "stays"), heard(found, "goes")) == (1, None)
        housekeep(database)
        assert rows(database, "SELECT service_id FROM medic.counters WHERE service_id IS NOT NULL") == [(1,)]

    def test_a_thousand_services_are_named_and_the_rest_is_one_series(
        self, functions: Functions, database: Database
    ) -> None:
        with database.transaction() as tx:
            tx.execute(
                "INSERT INTO medic.services (heartbeat_name, name_key, service_name, slug, ping_id, priority,"
                " every_seconds) SELECT 's' || n, 's' || n, 's' || n, 's' || n, gen_random_uuid(), 'p3', 60"
                " FROM generate_series(1, 1010) AS n"
            )
            tx.execute(
                "INSERT INTO medic.heartbeat_events (service_id, received_at, signal_id, kind)"
                " SELECT service_id, now(), gen_random_uuid(), 'UP' FROM medic.services, generate_series(1, 3)"
            )
        for _ in range(2):
            found = scraped(functions)
            assert len(found.series("medic_heartbeats_total")) == 1001
            assert (heard(found, "s1000"), heard(found, "s1001"), heard(found, OTHERS)) == (3, None, 30)
            time_passes(database, 2 * MINUTE)
            count_up(database)

    def test_a_thousand_and_one_more_than_a_scrape_looks_at_are_there_once_they_are_added_up(
        self, functions: Functions, database: Database
    ) -> None:
        a_service(database)
        with database.transaction() as tx:
            tx.execute(
                "INSERT INTO medic.heartbeat_events (service_id, received_at, signal_id, kind)"
                " SELECT 1, now() - n * interval '1 millisecond', gen_random_uuid(), 'UP'"
                " FROM generate_series(1, 11001) AS n"
            )
            tx.execute("UPDATE medic.counted SET counted_until = now() - interval '1 hour'")
        assert heard(scraped(functions)) == 10_000
        time_passes(database, 2 * MINUTE)
        assert count_up(database, most=3000) == 4
        assert heard(scraped(functions)) == 11_001


class TestAddingUp:
    def test_what_may_not_be_committed_yet_is_not_added_up(self, database: Database) -> None:
        a_service(database)
        # What was there before, which depends on when the template of this database was made.
        count_up(database)
        hears(database)
        assert rows(database, "SELECT count(*) FROM medic.counters") == [(0,)]
        time_passes(database, timedelta(seconds=30))
        count_up(database)
        assert rows(database, "SELECT count(*) FROM medic.counters") == [(0,)]
        time_passes(database, timedelta(seconds=31))
        count_up(database)
        assert rows(database, "SELECT value FROM medic.counters") == [(1,)]

    def test_what_a_transaction_under_way_has_written_is_waited_for(self, database: Database) -> None:
        a_service(database)
        with closing(Database(database._server)) as other, other.transaction() as slow:
            (began,) = slow.execute("SELECT now()").fetchone() or (None,)
            slow.execute("UPDATE medic.services SET runbook = 'x'")
            hears(database, kind=SignalKind.LOG)
            with database.transaction() as tx:
                known = counting.lock(tx, timedelta(0))
            assert known is not None
            assert known.latest == began < known.now
        with database.transaction() as tx:
            known = counting.lock(tx, timedelta(0))
        assert known is not None
        assert known.latest == known.now

    def test_eight_at_once_add_up_everything_once(self, database: Database) -> None:
        a_service(database)
        with database.transaction() as tx:
            tx.execute(
                "INSERT INTO medic.heartbeat_events (service_id, received_at, signal_id, kind)"
                " SELECT 1, now() - n * interval '1 second', gen_random_uuid(), 'UP' FROM generate_series(60, 659) AS n"
            )
            tx.execute("UPDATE medic.counted SET counted_until = now() - interval '1 hour'")
        counting_up: list[Callable[[Database], int]] = [lambda own: count_up(own, most=7, steps=100)] * 8
        at_once(database, counting_up)
        count_up(database, most=7, steps=100)
        assert rows(database, "SELECT value FROM medic.counters") == [(600,)]

    def test_who_dies_while_counting_has_counted_nothing(self, database: Database) -> None:
        a_service(database)
        hears(database)
        time_passes(database, 2 * MINUTE)

        def dies(tx: Transaction) -> None:
            known = counting.lock(tx)
            assert known is not None
            counting.count_up(tx, known.counted_until, known.now)
            raise InterruptedError

        with pytest.raises(InterruptedError), database.transaction() as tx:
            dies(tx)
        assert count_up(database) == 1
        assert rows(database, "SELECT value FROM medic.counters") == [(1,)]

    @pytest.mark.parametrize("added_up", [True, False])
    def test_a_heartbeat_that_was_spooled_is_counted_once_whenever_it_comes(
        self, functions: Functions, database: Database, added_up: bool
    ) -> None:
        a_service(database)
        spooled = a_signal(received_at=now_of(database) - (3 * MINUTE if added_up else timedelta(seconds=1)))
        time_passes(database, timedelta(0))
        with database.transaction() as tx:
            tx.execute("UPDATE medic.counted SET counted_until = now() - interval '1 minute'")
        for _ in range(2):
            assert replay_signal(database, spooled) is not None
        assert rows(database, "SELECT count(*) FROM medic.late_heartbeats") == [(int(added_up),)]
        assert heard(scraped(functions)) == 1
        time_passes(database, 2 * MINUTE)
        count_up(database)
        assert heard(scraped(functions)) == 1
        assert rows(database, "SELECT count(*) FROM medic.late_heartbeats") == [(0,)]

    def test_a_scrape_between_which_others_add_up_counts_nothing_twice(self, database: Database) -> None:
        a_service(database)
        hears(database)
        time_passes(database, 2 * MINUTE)
        ((before,),) = rows(database, "SELECT counted_until FROM medic.counted")
        count_up(database)
        ((after,),) = rows(database, "SELECT counted_until FROM medic.counted")
        with database.autocommit() as connection:
            assert counting.read(connection, before) is None
            found = counting.read(connection, after)
        assert found is not None
        assert [one.value for one in found] == [1]

    def test_series_that_do_not_rise_any_more_make_room(self, database: Database) -> None:
        a_service(database)
        hears(database)
        time_passes(database, 2 * MINUTE)
        count_up(database)
        time_passes(database, SERIES_DAYS * DAY - MINUTE)
        housekeep(database)
        assert rows(database, "SELECT count(*) FROM medic.counters") == [(1,)]
        time_passes(database, 2 * MINUTE)
        housekeep(database)
        assert rows(database, "SELECT count(*) FROM medic.counters") == [(0,)]


class TestServices:
    def test_registered_and_active_ones(self, functions: Functions, database: Database) -> None:
        def found() -> tuple[float | None, float | None]:
            scrape = scraped(functions)
            return scrape.value("medic_registered_services"), scrape.value("medic_active_services")

        assert found() == (0, 0)
        for name in ("a", "b", "c"):
            a_service(database, name)
        assert found() == (3, 3)
        functions.api("POST", "/v2/services/1/pause", {})
        functions.api("POST", "/service/b", {"active": 0})
        assert found() == (3, 1)
        functions.api("DELETE", "/v2/services/3")
        assert found() == (2, 0)

    def test_of_many_the_monitor_knows(self, functions: Functions, database: Database) -> None:
        a_service(database)
        time_passes(database, 2 * MINUTE)
        count_up(database)
        with database.transaction() as tx:
            tx.execute("UPDATE medic.counted SET registered_services = 1000000, active_services = 999999")
            tx.execute(
                "INSERT INTO medic.services (heartbeat_name, name_key, service_name, slug, ping_id, priority,"
                " every_seconds) SELECT 's' || n, 's' || n, 's' || n, 's' || n, gen_random_uuid(), 'p3', 60"
                " FROM generate_series(1, 10000) AS n"
            )
        scrape = scraped(functions)
        assert scrape.value("medic_registered_services") == 1_000_000
        assert scrape.value("medic_active_services") == 999_999
        time_passes(database, 6 * MINUTE)
        count_up(database)
        assert scraped(functions).value("medic_registered_services") == 10_001


class TestAlerts:
    def test_opened_active_and_resolved(self, functions: Functions, database: Database) -> None:
        a_service(database, team="infra", priority="p1")
        a_service(database, "other")
        for name in ("nightly-backup", "other"):
            functions.heartbeat({"heartbeat_name": name, "status": "DOWN"})
        functions.heartbeat({"heartbeat_name": "other", "status": "UP"})
        for _ in range(2):
            found = scraped(functions)
            assert found.value("medic_alerts_total", priority="p1", team="infra") == 1
            assert found.value("medic_alerts_total", priority="p3", team="") == 1
            assert found.value("medic_alerts_active") == 1
            assert found.value("medic_alerts_resolved_total") == 1
            time_passes(database, 2 * MINUTE)
            count_up(database)

    def test_runs_that_take_too_long(self, functions: Functions, database: Database) -> None:
        a_service(database, max_duration_ms=1000)
        for run_id in ("a", "b"):
            hears(database, kind=SignalKind.STARTED, run_id=run_id)
        time_passes(database, timedelta(seconds=2))
        hears(database, kind=SignalKind.COMPLETED, run_id="a")
        ticks(functions)
        found = scraped(functions)
        assert found.value("medic_duration_alerts_total", alert_type="exceeded") == 1
        assert found.value("medic_duration_alerts_total", alert_type="stale") == 1
        assert found.value("medic_stale_jobs_current") == 1
        hears(database, kind=SignalKind.COMPLETED, run_id="b")
        assert scraped(functions).value("medic_stale_jobs_current") == 0


class TestTheMonitor:
    def test_what_it_did_and_how_late_it_was(self, functions: Functions, database: Database) -> None:
        a_service(database)
        hears(database)
        time_passes(database, 2 * MINUTE)
        before = scraped(functions)
        assert before.value("medic_worker_services_checked_total") == 0
        assert before.series("medic_worker_cycle_duration_seconds_count") == []
        assert 60 <= (before.value("medic_deadline_lag_seconds") or 0) < 120
        assert ticks(functions)["lag_seconds"] >= 60
        after = scraped(functions)
        assert after.value("medic_worker_services_checked_total") == 1
        assert after.value("medic_worker_cycle_duration_seconds_count") == 1
        assert after.value("medic_worker_cycle_duration_seconds_bucket", le="+Inf") == 1
        assert (after.value("medic_worker_cycle_duration_seconds_sum") or 0) > 0
        assert after.value("medic_deadline_lag_seconds") == 0
        assert after.value("medic_last_sweep_timestamp_seconds") == pytest.approx(now_of(database).timestamp(), abs=60)
        ticks(functions)
        assert scraped(functions).value("medic_worker_cycle_duration_seconds_count") == 2

    def test_what_waits(self, functions: Functions, database: Database) -> None:
        a_service(database)
        hears(database, kind=SignalKind.DOWN)
        time_passes(database, MINUTE)
        with database.transaction() as tx:
            tx.execute("UPDATE medic.monitor_state SET spool_waiting_since = now() - interval '90 seconds'")
        found = scraped(functions)
        assert found.value("medic_outbox_waiting") == 1
        assert (found.value("medic_outbox_oldest_seconds") or 0) >= 60
        assert (found.value("medic_spool_waiting_seconds") or 0) >= 90


class TestTelling:
    def test_slack_and_pagerduty_by_what_came_of_it(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        told.slack.answers = [Answer(429, {"ok": False}, {"Retry-After": "1"})]
        told.pagerduty.answers = [Answer(400, {"status": "invalid event"})]
        falls_silent(functions, database)
        later(functions, database, MINUTE)
        hears(database)
        relayed(functions)
        found = scraped(functions)
        assert found.value("medic_slack_requests_total", status="throttled") == 1
        assert (found.value("medic_slack_requests_total", status="success") or 0) >= 1
        assert found.value("medic_pagerduty_requests_total", action="trigger", status="failed") == 1
        assert found.value("medic_delivery_attempts_total", channel="webhook", status="success") == 2
        assert found.value("medic_deliveries_waiting") == 0

    def test_an_incident_is_triggered_and_resolved(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        falls_silent(functions, database)
        hears(database)
        relayed(functions)
        actions = [received.content["event_action"] for received in told.pagerduty.received]
        found = scraped(functions)
        for action in ("trigger", "acknowledge", "resolve"):
            counted = found.value("medic_pagerduty_requests_total", action=action, status="success")
            assert counted == actions.count(action), action


class TestRepairs:
    def test_executions_by_how_they_ended(self, functions: Functions, database: Database) -> None:
        service_id = a_service(database)
        playbook_id = a_playbook(database, {"type": "wait", "duration": "10s"}, name="rest")
        Hand(database, started(database, playbook_id, service_id)).to_the_end()
        failing = a_playbook(database, {"type": "webhook", "url": "http://127.0.0.1:1/"}, name="call")
        Hand(database, started(database, failing)).to_the_end()
        asking = a_playbook(database, {"type": "wait", "duration": "1s"}, name="ask", approval="required")
        Hand(database, started(database, asking, service_id)).turn()
        rest = {"playbook": "rest", "service_name": "nightly-backup"}
        for _ in range(2):
            found = scraped(functions)
            assert found.value("medic_playbook_executions_total", status="completed", **rest) == 1
            assert (
                found.value("medic_playbook_executions_total", playbook="call", status="failed", service_name="") == 1
            )
            assert found.value("medic_playbook_executions_pending_approval") == 1
            name = "medic_playbook_execution_duration_seconds"
            buckets = [found.value(f"{name}_bucket", le=le, **rest) for le in ("5", "30", "120", "7200", "+Inf")]
            assert buckets == [0, 1, 1, 1, 1]
            assert 10 <= (found.value(f"{name}_sum", **rest) or 0) < 30
            assert found.value(f"{name}_count", **rest) == 1
            time_passes(database, 2 * MINUTE)
            count_up(database)

    def test_the_circuit_breaker(self, functions: Functions, database: Database) -> None:
        service_id = a_service(database)
        for _ in range(4):
            started(database, a_playbook(database, {"type": "wait", "duration": "1h"}), service_id)
        assert scraped(functions).value("medic_circuit_breaker_open") == 0
        started(database, a_playbook(database, {"type": "wait", "duration": "1h"}), service_id, Cause.API)
        with database.transaction() as tx:
            remedy = {"service_pattern": "*", "consecutive_failures": 1}
            edit_triggers.create(tx, a_playbook(database, {"type": "wait", "duration": "1s"}), remedy, "a person")
        hears(database, kind=SignalKind.DOWN)
        assert consider_alerts(database, Rules(5)).blocked == 1
        for _ in range(2):
            found = scraped(functions)
            assert found.value("medic_circuit_breaker_open") == 1
            assert found.value("medic_circuit_breaker_trips_total", service_id=str(service_id)) == 1
            time_passes(database, 2 * MINUTE)
            count_up(database)


class TestTheWayIn:
    def test_refusals_by_their_reason_in_both_functions(self, functions: Functions, database: Database) -> None:
        a_service(database)
        reader, beater = a_key(database, Scope.READ), a_key(database, Scope.HEARTBEAT)
        wrong = "mdk_nobody_" + "x" * 43
        assert functions.heartbeat(UP, key=None).status == 401
        assert functions.heartbeat(UP, key=wrong).status == 401
        assert functions.heartbeat(UP, key=reader).status == 403
        functions.module("ingest")._tally().write()
        assert functions.api("GET", "/v2/services", key=None).status == 401
        assert functions.api("GET", "/v2/services", key=wrong).status == 401
        assert functions.api("GET", "/v2/services", key=beater).status == 403
        with database.transaction() as tx:
            tx.execute("UPDATE medic.api_keys SET revoked_at = now() WHERE name = 'read'")
            tx.execute("UPDATE medic.api_keys SET expires_at = now() WHERE name = 'heartbeat'")
        assert functions.api("GET", "/v2/services", key=reader).status == 401
        assert functions.api("GET", "/v2/services", key=beater).status == 401
        found = {labels["reason"]: n for labels, n in scraped(functions).series("medic_auth_failures_total")}
        assert found == {
            "missing_key": 2,
            "invalid_key": 2,
            "insufficient_scope": 2,
            "revoked_key": 1,
            "expired_key": 1,
            "webhook_secret": 0,
        }

    def test_refusals_are_written_seldom(self, functions: Functions, database: Database) -> None:
        functions.heartbeat(UP, key=None)
        statements = watch_statements(functions.module("ingest").DATABASE)
        for _ in range(20):
            functions.heartbeat(UP, key=None)
        assert len([one for one in statements if "medic.counters" in one]) <= 1

    def test_requests_by_path_as_it_is_described(self, functions: Functions, database: Database) -> None:
        a_service(database)
        for target in ("/v2/services/1", "/v2/services/1?x=1", "/v2/services/9", "/nowhere/mdk_a_b", "/%2e%2e/etc"):
            functions.api("GET", target)
        found = scraped(functions)
        path = "/v2/services/{service_id}"
        counts = [found.value("medic_http_requests_total", method="GET", path=path, status=one) for one in
                  ("200", "400", "404")]  # fmt: skip
        assert counts == [1, 1, 1]
        assert found.value("medic_http_requests_total", method="GET", path="(none)", status="404") == 2
        assert found.value("medic_http_request_duration_seconds_count", method="GET") == 5
        assert (found.value("medic_http_request_duration_seconds_sum", method="GET") or 0) > 0

    def test_a_made_up_method_makes_no_series_of_its_own(self, functions: Functions) -> None:
        for method in ("BREW", "WHEN"):
            functions.api(method, "/v2/services")
        methods = {labels["method"] for labels, _ in scraped(functions).series("medic_http_requests_total")}
        assert methods == {"(other)"}

    def test_a_database_that_is_away_is_not_waited_for_twice_and_nothing_is_lost(
        self, functions: Functions, database: Database
    ) -> None:
        scraped(functions)
        with away(functions.module("door").DATABASE):
            assert functions.api("GET", "/v2/services").status == 503
            assert functions.api("GET", "/metrics").status == 503
        found = scraped(functions)
        assert found.value("medic_http_requests_total", method="GET", path="/v2/services", status="503") == 1

    def test_who_may_read_it(self, functions: Functions, database: Database) -> None:
        assert functions.api("GET", "/metrics", key=None).status == 401
        assert functions.api("GET", "/metrics", key=a_key(database, Scope.HEARTBEAT)).status == 403
        reply = functions.api("GET", "/metrics", key=a_key(database, Scope.READ))
        assert (reply.status, reply.headers["X-RateLimit-Limit"]) == (200, "100")

    def test_it_is_compressed_for_who_wants_it(self, functions: Functions) -> None:
        reply = functions.api("GET", "/metrics", accept_encoding="gzip")
        assert reply.headers["Content-Encoding"] == "gzip"
        assert b"medic_build_info{" in gzip.decompress(b64decode(reply.body))


class TestMedicItself:
    def test_its_parts_are_well_or_not(self, functions: Functions, database: Database) -> None:
        ticks(functions)
        assert scraped(functions).value("medic_health_status", component="monitor") == 1
        time_passes(database, 4 * MINUTE, swept=False)
        found = scraped(functions)
        assert found.value("medic_health_status", component="monitor") == 0
        assert found.value("medic_health_status", component="database") == 1
        assert found.value("medic_health_status", component="queue") == 1
        assert found.value("medic_health_status", component="redis") is None

    def test_which_version_answers(self, functions: Functions, database: Database) -> None:
        ((labels, value),) = scraped(functions).series("medic_build_info")
        assert value == 1
        assert labels["version"] == "0.1.0"
        assert labels["migration"] == "0013.heartbeats"


@pytest.mark.parametrize(("opened", "status"), [("true", 200), ("false", 401), ("", 401)])
def test_without_a_key_they_are_shown_only_where_the_operator_says_so(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, opened: str, status: int
) -> None:
    monkeypatch.setenv("MEDIC_OPEN_METRICS", opened)
    assert functions.api("GET", "/metrics", key=None).status == status
