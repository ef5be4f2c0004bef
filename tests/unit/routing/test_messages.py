from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.alerting.alerts import INGEST_SILENT, AlertEvent
from medic_core.domain.routing.messages import headline
from medic_core.domain.watching.lengths import spoken
from medic_core.domain.watching.states import Trouble
from tests.unit.routing.notifications import NOW, a_notification, a_recovery

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SAID = {
    Trouble.MISSED_HEARTBEAT: "backup has missed its heartbeat",
    Trouble.NEVER_REPORTED: "backup has never reported",
    Trouble.REPORTED_DOWN: "backup reports that it is down",
    Trouble.JOB_FAILED: "backup has failed",
    Trouble.DURATION_EXCEEDED: "backup took too long",
    Trouble.STALE_RUN: "backup is running for too long",
    INGEST_SILENT: "Medic hears nothing from anyone",
}
OVER = {
    Trouble.DURATION_EXCEEDED: "backup stays within its limit again",
    Trouble.STALE_RUN: "backup is not running too long any more",
    INGEST_SILENT: "Medic hears heartbeats again",
}
TOLD_AGAIN = [AlertEvent.UNMUTED, AlertEvent.ACKNOWLEDGED, AlertEvent.SNOOZED]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"), (0, "0 s"), (0.4, "400 ms"), (0.9996, "999 ms"), (8, "8 s"), (59, "59 s"), (59.6, "1 min"),
        (60.4, "1 min"), (61, "1 min 1 s"), (310, "5 min 10 s"), (3599, "59 min 59 s"), (3600, "1 h"), (3601, "1 h"),
        (3660, "1 h 1 min"), (7200, "2 h"), (86_399, "23 h 59 min"), (86_400, "1 d"), (86_460, "1 d"),
        (90_061, "1 d 1 h"), (10**8, "1157 d 9 h"),
    ],
)  # fmt: skip
def test_lengths_are_spoken_in_their_two_largest_units(seconds: float, said: str) -> None:
    assert spoken(seconds * SECOND) == said


@given(st.timedeltas(timedelta(days=-10), timedelta(days=10_000)))
def test_every_length_can_be_spoken(length: timedelta) -> None:
    words = spoken(length).split()
    assert len(words) in {2, 4}
    assert all(count.isdigit() for count in words[::2])


@pytest.mark.parametrize("kind", list(SAID))
def test_an_opening_says_what_is_wrong(kind: str) -> None:
    assert headline(a_notification(kind=kind)) == SAID[kind]


@pytest.mark.parametrize("kind", list(SAID))
@pytest.mark.parametrize("event", TOLD_AGAIN)
def test_what_is_told_again_is_said_in_the_same_words(kind: str, event: AlertEvent) -> None:
    assert headline(a_notification(event, kind=kind)) == SAID[kind]


@pytest.mark.parametrize("kind", list(SAID))
def test_a_reminder_says_for_how_long_it_has_been_so(kind: str) -> None:
    reminder = a_notification(AlertEvent.REMINDED, kind=kind, at=NOW + 2 * MINUTE, overdue_since=NOW - 3 * MINUTE)
    assert headline(reminder) == f"Still: {SAID[kind]} for 5 min"


@pytest.mark.parametrize("kind", list(SAID))
def test_a_recovery_says_that_it_is_over_and_after_how_long(kind: str) -> None:
    over = OVER.get(kind, "backup has recovered")
    assert headline(a_recovery(kind=kind, at=NOW + 90 * SECOND)) == f"{over} after 1 min 30 s"


@pytest.mark.parametrize("kind", list(SAID))
def test_flapping_is_said_whatever_the_alert_that_it_is_told_with(kind: str) -> None:
    assert headline(a_notification(AlertEvent.FLAPPING, kind=kind)) == "backup is flapping"


@pytest.mark.parametrize("kind", list(SAID))
def test_an_escalation_says_what_did_not_help(kind: str) -> None:
    escalated = a_notification(AlertEvent.ESCALATED, kind=kind, because="step 'restart' failed")
    assert headline(escalated) == "Repair of backup did not help: step 'restart' failed"


def test_every_kind_and_every_event_is_looked_at_here() -> None:
    assert set(SAID) == {*Trouble, INGEST_SILENT}
    told_otherwise = {AlertEvent.REMINDED, AlertEvent.FLAPPING, AlertEvent.ESCALATED, AlertEvent.RESOLVED}
    assert {*TOLD_AGAIN, AlertEvent.OPENED} | told_otherwise == set(AlertEvent)


@pytest.mark.parametrize("name", ["{name}", "{0}", "{", "%s", "{name.__class__}"])
@pytest.mark.parametrize("event", list(AlertEvent))
def test_a_name_is_only_a_name(name: str, event: AlertEvent) -> None:
    assert name in headline(a_notification(event, heartbeat_name=name))


def test_a_notification_has_one_id_and_the_alerts_of_a_service_have_one_key() -> None:
    assert a_notification().notification_id == "evt_5"
    assert a_notification(AlertEvent.REMINDED, alert_event_id=6).notification_id == "evt_6"
    assert a_notification().dedup_key == a_recovery(alert_event_id=6, alert_id=9).dedup_key == "medic-backup"


@pytest.mark.parametrize("event", list(AlertEvent))
def test_only_the_end_is_a_recovery(event: AlertEvent) -> None:
    assert a_notification(event).is_recovery is (event is AlertEvent.RESOLVED)
