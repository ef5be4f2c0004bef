"""The README's first example, as it stands there: curl against `make run`."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.fixtures.receivers import Receivers
from tests.system.conftest import Medic, until

BEAT_SECONDS = 1


def test_a_heartbeat_stops_and_the_right_people_hear_of_it(
    start_medic: Callable[..., Medic], standing_in: Receivers
) -> None:
    medic = start_medic(**standing_in.environment)
    service = {"heartbeat_name": "nightly-backup", "service_name": "Nightly backup", "alert_interval": 1}
    assert medic.ask("POST", "/service", service).status == 201
    ping = medic.ping_path("nightly-backup")
    for _ in range(3):
        beat = medic.ask("POST", "/heartbeat", {"heartbeat_name": "nightly-backup", "status": "UP"})
        pong = medic.ask("GET", ping, key=None)
        assert (beat.status, pong.status, pong.body) == (201, 200, "OK")
        time.sleep(BEAT_SECONDS)
    stopped_at = time.monotonic()
    (alert,) = until(medic.alerts)
    silence = time.monotonic() - stopped_at
    assert (alert["heartbeat_name"], alert["kind"], alert["active"]) == ("nightly-backup", "missed_heartbeat", 1)
    for receiver in standing_in.all:
        receiver.wait_for(1)
    time.sleep(3)
    assert [len(receiver.received) for receiver in standing_in.all] == [1, 1, 1]
    assert medic.ask("GET", ping, key=None).body == "OK"
    assert until(lambda: medic.alerts() == [])
    heard = (3, 2, 2)
    for receiver, count in zip(standing_in.all, heard, strict=True):
        receiver.wait_for(count)
    time.sleep(3)
    assert tuple(len(receiver.received) for receiver in standing_in.all) == heard
    trigger, resolve = (received.content for received in standing_in.pagerduty.received)
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    print(f"\nalert seen {silence:.0f} s after the last heartbeat, of an interval of 60 s (less the last pause)")

    assert medic.stop() == 0
    medic.start()
    (known,) = medic.ask("GET", "/service/nightly-backup").json["results"]
    assert (known["status"], known["ping_url"].endswith(ping)) == ("up", True)
    assert len(medic.ask("GET", "/heartbeat?heartbeat_name=nightly-backup").json["results"]) == 7
    assert len(medic.ask("GET", "/alerts?active=0").json["results"]) == 1
