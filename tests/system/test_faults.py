"""What happens to the running system when parts of it are hurt."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.gaps import MOST_PROCESSES
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.receivers import Receivers
from tests.system.conftest import PATIENCE_SECONDS, ROOT, Medic, is_running, until

QUICK = {"heartbeat_name": "worker", "schedule": {"kind": "interval", "every_seconds": 10}}


def test_heartbeats_go_on_while_postgres_is_away_and_come_in_once_it_is_back(
    start_medic: Callable[..., Medic], own_server: PostgresServer, standing_in: Receivers
) -> None:
    medic = start_medic(DATABASE_URL=own_server.url("postgres"), **standing_in.environment)
    slow = {"heartbeat_name": "worker", "schedule": {"kind": "interval", "every_seconds": 20}}
    assert medic.ask("POST", "/v2/services", slow).status == 201
    ping, beat = medic.ping_path("worker"), {"heartbeat_name": "worker", "status": "UP"}
    assert medic.ask("POST", "/heartbeat", beat).status in {201, 202}
    own_server.stop("immediate")
    statuses = []
    for number in range(25):
        statuses.append(medic.ask("POST", "/heartbeat", beat).status)
        statuses.append(medic.ask("POST", ping, f"while away {number}", key=None).status)
        time.sleep(1)
    own_server.start()
    assert set(statuses) == {202, 200}
    beats = 1 + len(statuses)

    def replayed() -> bool:
        nonlocal beats
        # It goes on all the while: however long the spool takes, nobody is silent.
        time.sleep(1)
        assert medic.ask("GET", ping, key=None).status == 200
        beats += 1
        found = medic.ask("GET", "/heartbeat?heartbeat_name=worker")
        return found.status == 200 and len(found.json["results"]) == beats

    assert until(replayed)
    assert [len(receiver.received) for receiver in standing_in.all] == [0, 0, 0]


def test_a_killed_function_is_replaced_and_the_others_do_not_notice(start_medic: Callable[..., Medic]) -> None:
    medic = start_medic()
    medic.ask("POST", "/v2/services", QUICK)
    ping = medic.ping_path("worker")
    assert medic.ask("GET", ping, key=None).status == 200
    management = medic.workers("ManagementFunction")
    victims = medic.workers("HeartbeatFunction")
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: medic.ask("GET", ping, key=None).status == 200)
    assert medic.workers("ManagementFunction") == management
    assert not set(medic.workers("HeartbeatFunction")) & set(victims)


def test_a_crowd_waits_in_turn_instead_of_starting_a_process_each(start_medic: Callable[..., Medic]) -> None:
    medic = start_medic()
    medic.ask("POST", "/v2/services", QUICK)
    beat = {"heartbeat_name": "worker", "status": "UP"}
    with ThreadPoolExecutor(60) as crowd:
        statuses = list(crowd.map(lambda _: medic.ask("POST", "/heartbeat", beat).status, range(180)))
    # What a busy database does not take in time comes in by the spool.
    assert set(statuses) <= {201, 202}
    assert len(medic.workers("HeartbeatFunction")) <= MOST_PROCESSES
    assert until(lambda: len(medic.ask("GET", "/heartbeat?heartbeat_name=worker").json["results"]) == 180)


def test_an_edit_reloads_its_function_and_a_broken_one_says_so(
    start_medic: Callable[..., Medic], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for folder in ("functions", "layers", "infra", "migrations", "local"):
        shutil.copytree(ROOT / folder, copy / folder)
    medic = start_medic(root=copy)
    medic.ask("POST", "/v2/services", QUICK)
    ping = medic.ping_path("worker")
    assert medic.ask("GET", ping, key=None).body == "OK"
    handler = copy / "functions" / "heartbeat" / "ingest.py"
    handler.write_text(handler.read_text().replace('"OK"', '"OKAY"'))
    medic.wait_for_line(r"reloaded HeartbeatFunction \(ingest.py changed\)")
    assert until(lambda: medic.ask("GET", ping, key=None).body == "OKAY")
    handler.write_text("this is no Python")
    assert until(lambda: medic.ask("GET", ping, key=None).status >= 500)
    assert medic.ask("GET", "/health", key=None).status == 200


def test_nothing_is_left_behind_when_it_stops(start_medic: Callable[..., Medic]) -> None:
    medic = start_medic()
    medic.ask("POST", "/v2/services", QUICK)
    assert medic.ask("GET", medic.ping_path("worker"), key=None).status == 200
    started = medic.descendants()
    assert len(started) > 6
    assert medic.stop() == 0
    assert [pid for pid in started if is_running(pid)] == []


def test_a_run_that_was_killed_can_be_started_again_with_all_it_had(start_medic: Callable[..., Medic]) -> None:
    medic = start_medic()
    medic.ask("POST", "/v2/services", QUICK)
    assert medic.process is not None
    started = medic.servers()
    medic.process.kill()
    medic.process.wait()
    assert until(lambda: not any(is_running(pid) for pid in started))
    medic.start()
    assert [service["heartbeat_name"] for service in medic.ask("GET", "/service").json["results"]] == ["worker"]


def test_what_was_put_into_a_queue_is_there_after_a_kill_in_the_same_moment(
    start_medic: Callable[..., Medic], own_server: PostgresServer
) -> None:
    medic = start_medic(DATABASE_URL=own_server.url("postgres"))
    medic.ask("POST", "/v2/services", QUICK)
    ping = medic.ping_path("worker")
    assert medic.ask("POST", ping, "before", key=None).status == 200
    own_server.stop("immediate")
    assert {medic.ask("POST", ping, f"spooled {number}", key=None).status for number in range(20)} == {200}
    assert medic.process is not None
    started = medic.servers()
    for pid in (medic.process.pid, *started):
        os.kill(pid, signal.SIGKILL)
    medic.process.wait()
    assert until(lambda: not any(is_running(pid) for pid in started))
    own_server.start()
    medic.start()

    def all_are_heard() -> bool:
        found = medic.ask("GET", "/heartbeat?heartbeat_name=worker")
        return found.status == 200 and len(found.json["results"]) == 21

    assert until(all_are_heard)


def test_a_second_run_on_the_same_data_or_port_is_refused_in_one_line(
    start_medic: Callable[..., Medic], tmp_path: Path
) -> None:
    medic = start_medic()
    for other, said in ((medic.data, "Another run is using"), (tmp_path / "other", "is in use")):
        second = Medic(other, {"MEDIC_PORT": str(medic.port)})
        second.output = tmp_path / "second.out"
        with pytest.raises(pytest.fail.Exception):
            second.start()
        assert second.process is not None
        lines = second.output.read_text().strip().splitlines()
        assert (second.process.wait(PATIENCE_SECONDS), said in lines[-1], len(lines)) == (1, True, 1)


def test_a_data_directory_that_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    medic = Medic(tmp_path / "file" / "data", {})
    medic.output = tmp_path / "out"
    with pytest.raises(pytest.fail.Exception):
        medic.start()
    assert medic.process is not None
    (line,) = medic.output.read_text().strip().splitlines()
    assert (medic.process.wait(PATIENCE_SECONDS), "cannot be used" in line) == (1, True)
