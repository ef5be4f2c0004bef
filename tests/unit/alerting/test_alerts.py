from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.alerting.alerts import (
    AlertEvent,
    AlertStatus,
    Look,
    OpenAlert,
    Opening,
    Priority,
    Watched,
    look,
    open_for,
)
from medic_core.domain.alerting.flapping import Steadiness
from medic_core.domain.watching.schedules import Cron, Interval
from medic_core.domain.watching.states import Trouble

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SERVICE = Watched(1, "backup", Priority.P3, Interval(10 * MINUTE), None, active=True, muted_until=None)
MUTED = replace(SERVICE, muted_until=NOW + HOUR)
INACTIVE = replace(SERVICE, active=False)
ALERT = OpenAlert(7, Trouble.MISSED_HEARTBEAT, AlertStatus.OPEN, NOW, 1, NOW, NOW, 0, NOW + 10 * MINUTE)
SILENT = replace(ALERT, told_at=None, remind_at=None)
OTHERS = [kind for kind in Trouble if kind is not Trouble.MISSED_HEARTBEAT]


def opened(kind: Trouble, service: Watched = SERVICE, late: timedelta = timedelta(0), failures: int = 1) -> Opening:
    return open_for(kind, "because", NOW, NOW + late, service, failures)


def reminded(alert: OpenAlert, service: Watched, days: int) -> list[datetime]:
    """When people are reminded, by a monitor that looks exactly when it asked to."""
    told, at = [], alert.remind_at
    for _ in range(1000):
        if at is None or at > NOW + timedelta(days=days):
            break
        looked = look(alert, at, service)
        alert = after(alert, looked)
        told += [at] if looked.event is AlertEvent.REMINDED else []
        at = looked.next_look_at
    return told


def after(alert: OpenAlert, looked: Look) -> OpenAlert:
    """The alert as the store keeps it after a look."""
    return replace(
        alert,
        consecutive_failures=looked.consecutive_failures,
        counted_until=looked.counted_until,
        reminders=looked.reminders,
        remind_at=looked.remind_at,
    )


@pytest.mark.parametrize("kind", list(Trouble))
def test_an_alert_is_told_when_nothing_holds_it_back(kind: Trouble) -> None:
    opening = opened(kind)
    assert (opening.told, opening.remind_at, opening.next_look_at) == (True, NOW + 10 * MINUTE, NOW + 10 * MINUTE)
    assert (opening.kind, opening.service_id, opening.heartbeat_name) == (kind, 1, "backup")
    assert (opening.priority, opening.because, opening.overdue_since) == (Priority.P3, "because", NOW)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_muted_alert_opens_silently_and_waits_for_the_end_of_the_mute(kind: Trouble) -> None:
    opening = opened(kind, MUTED)
    assert (opening.told, opening.remind_at, opening.next_look_at) == (False, None, NOW + HOUR)


def test_a_muted_silence_goes_on_counting_its_periods() -> None:
    opening = opened(Trouble.MISSED_HEARTBEAT, MUTED)
    assert (opening.told, opening.remind_at, opening.next_look_at) == (False, None, NOW + 10 * MINUTE)


def test_an_alert_of_an_inactive_service_is_silent_until_somebody_changes_that() -> None:
    opening = opened(Trouble.JOB_FAILED, INACTIVE)
    assert (opening.told, opening.remind_at, opening.next_look_at) == (False, None, None)


@pytest.mark.parametrize(("late", "periods", "next_one"), [(0, 1, 10), (9, 1, 10), (10, 2, 20), (95, 10, 100)])
def test_a_silence_that_is_found_late_has_missed_more_than_one_period(late: int, periods: int, next_one: int) -> None:
    opening = opened(Trouble.MISSED_HEARTBEAT, replace(SERVICE, reminder_interval=HOUR), late * MINUTE)
    assert (opening.consecutive_failures, opening.next_look_at) == (periods, NOW + next_one * MINUTE)
    assert opening.remind_at == NOW + late * MINUTE + HOUR


@pytest.mark.parametrize("kind", OTHERS)
def test_failures_are_counted_by_the_runs_and_not_by_the_time(kind: Trouble) -> None:
    assert opened(kind, late=5 * HOUR, failures=3).consecutive_failures == 3


@pytest.mark.parametrize(("minutes", "periods", "next_one"), [(0, 1, 10), (9, 1, 10), (25, 3, 30), (600, 61, 610)])
def test_missed_periods_rise_by_one_a_period_however_often_the_monitor_looks(
    minutes: int, periods: int, next_one: int
) -> None:
    alert = replace(ALERT, remind_at=None)
    for _ in range(3):
        looked = look(alert, NOW + minutes * MINUTE, SERVICE)
        alert = after(alert, looked)
        assert (looked.consecutive_failures, looked.next_look_at) == (periods, NOW + next_one * MINUTE)
        assert looked.event is None


def test_a_slower_schedule_does_not_take_missed_periods_back() -> None:
    alert = replace(ALERT, consecutive_failures=9, counted_until=NOW + 8 * MINUTE)
    assert look(alert, NOW + 15 * MINUTE, SERVICE).consecutive_failures == 9
    assert look(alert, NOW + 18 * MINUTE, SERVICE).consecutive_failures == 10


@pytest.mark.parametrize("kind", OTHERS)
def test_only_a_missed_heartbeat_has_missed_periods(kind: Trouble) -> None:
    looked = look(replace(ALERT, kind=kind, consecutive_failures=2), NOW + 5 * MINUTE, SERVICE)
    assert (looked.consecutive_failures, looked.next_look_at) == (2, NOW + 10 * MINUTE)


def test_nothing_is_said_before_a_reminder_is_due_and_once_when_it_is() -> None:
    before = look(ALERT, NOW + 10 * MINUTE - timedelta(microseconds=1), SERVICE)
    assert (before.event, before.reminders, before.remind_at) == (None, 0, NOW + 10 * MINUTE)
    due = look(ALERT, NOW + 10 * MINUTE, SERVICE)
    assert (due.event, due.because, due.reminders) == (AlertEvent.REMINDED, "still so", 1)
    assert due.remind_at == NOW + 30 * MINUTE
    again = look(after(ALERT, due), NOW + 10 * MINUTE, SERVICE)
    assert (again.event, again.reminders, again.remind_at) == (None, 1, NOW + 30 * MINUTE)


@pytest.mark.parametrize("kind", list(Trouble))
def test_reminders_come_ever_more_rarely_up_to_once_a_day(kind: Trouble) -> None:
    moments = reminded(replace(ALERT, kind=kind), SERVICE, days=5)
    gaps = [(later - earlier) / MINUTE for earlier, later in pairwise([NOW, *moments])]
    assert gaps == [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440]


def test_the_services_own_interval_is_the_first() -> None:
    hourly = replace(SERVICE, reminder_interval=HOUR)
    moments = reminded(replace(ALERT, remind_at=opened(Trouble.JOB_FAILED, hourly).remind_at), hourly, days=1)
    assert moments[:3] == [NOW + HOUR, NOW + 3 * HOUR, NOW + 7 * HOUR]


def test_what_is_acknowledged_is_not_reminded_of_but_still_counted() -> None:
    looked = look(replace(ALERT, status=AlertStatus.ACKNOWLEDGED), NOW + 5 * HOUR, SERVICE)
    assert (looked.event, looked.reminders, looked.consecutive_failures) == (None, 0, 31)
    assert looked.next_look_at == NOW + 5 * HOUR + 10 * MINUTE


def test_nobody_is_told_when_a_mute_ends_of_what_somebody_looks_after_already() -> None:
    looked = look(replace(SILENT, status=AlertStatus.ACKNOWLEDGED), NOW + HOUR, MUTED)
    assert (looked.event, looked.status) == (None, AlertStatus.ACKNOWLEDGED)


@pytest.mark.parametrize("alert", [ALERT, SILENT])
def test_the_end_of_a_snooze_opens_it_again_and_is_told(alert: OpenAlert) -> None:
    snoozed = replace(alert, status=AlertStatus.SNOOZED, remind_at=NOW + 5 * HOUR)
    before = look(snoozed, NOW + 5 * HOUR - timedelta(microseconds=1), SERVICE)
    assert (before.event, before.status, before.consecutive_failures) == (None, AlertStatus.SNOOZED, 30)
    assert before.next_look_at == NOW + 5 * HOUR
    after_it = look(snoozed, NOW + 5 * HOUR, SERVICE)
    assert (after_it.event, after_it.status) == (AlertEvent.REMINDED, AlertStatus.OPEN)
    assert after_it.because == "the snooze is over and it is still so"


def test_a_mute_outlasts_a_snooze() -> None:
    snoozed = replace(ALERT, status=AlertStatus.SNOOZED, remind_at=NOW + 30 * MINUTE)
    during = look(snoozed, NOW + 40 * MINUTE, MUTED)
    assert (during.event, during.status) == (None, AlertStatus.SNOOZED)
    assert look(after(snoozed, during), NOW + HOUR, MUTED).event is AlertEvent.REMINDED


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_acknowledged_and_has_nothing_to_count_is_left_alone(kind: Trouble) -> None:
    alert = replace(ALERT, kind=kind, status=AlertStatus.ACKNOWLEDGED)
    assert look(alert, NOW + 5 * HOUR, SERVICE).next_look_at is None


def test_muting_silences_reminders_too_and_the_end_of_the_mute_brings_one() -> None:
    during = look(ALERT, NOW + 30 * MINUTE, MUTED)
    assert (during.event, during.because, during.reminders) == (None, "the service is muted", 0)
    assert look(after(ALERT, during), NOW + HOUR, MUTED).event is AlertEvent.REMINDED


def test_the_end_of_a_mute_tells_what_was_opened_silently() -> None:
    assert look(SILENT, NOW + HOUR - timedelta(microseconds=1), MUTED).event is None
    told = look(SILENT, NOW + HOUR, MUTED)
    assert (told.event, told.because) == (AlertEvent.UNMUTED, "what held this back is over and it is still so")
    assert (told.reminders, told.remind_at) == (0, NOW + HOUR + 10 * MINUTE)


def test_a_mute_that_somebody_ends_early_tells_at_the_next_look() -> None:
    assert look(SILENT, NOW + MINUTE, SERVICE).event is AlertEvent.UNMUTED


def test_a_mute_that_is_prolonged_holds_on() -> None:
    looked = look(replace(SILENT, kind=Trouble.JOB_FAILED), NOW + HOUR, replace(SERVICE, muted_until=NOW + 2 * HOUR))
    assert (looked.event, looked.next_look_at) == (None, NOW + 2 * HOUR)


moments = st.none() | st.integers(-100, 20_000).map(lambda minutes: NOW + minutes * MINUTE)
services = st.builds(
    Watched,
    st.just(1),
    st.just("backup"),
    st.sampled_from(Priority),
    schedule=st.one_of(
        st.integers(10, 10**7).map(lambda seconds: Interval(timedelta(seconds=seconds))),
        st.sampled_from([Cron("0 * * * *", "Europe/London"), Cron("30 2 * * 0", "Australia/Lord_Howe", 5 * MINUTE)]),
    ),
    reminder_interval=st.none() | st.integers(60, 10**7).map(lambda seconds: timedelta(seconds=seconds)),
    active=st.booleans(),
    muted_until=moments,
    steadiness=st.builds(Steadiness, flapping_until=moments),
)
open_alerts = st.builds(
    OpenAlert,
    st.just(7),
    st.sampled_from(Trouble).map(str),
    st.sampled_from([status for status in AlertStatus if status is not AlertStatus.RESOLVED]),
    overdue_since=moments.filter(bool),
    consecutive_failures=st.integers(1, 100),
    counted_until=moments.filter(bool),
    told_at=moments,
    reminders=st.integers(0, 100),
    remind_at=moments,
)


@given(open_alerts, services, st.integers(0, 20_000))
def test_the_next_look_is_always_ahead_and_the_same_moment_tells_nothing_twice(
    alert: OpenAlert, service: Watched, minutes: int
) -> None:
    now = NOW + minutes * MINUTE
    looked = look(alert, now, service)
    assert looked.next_look_at is None or looked.next_look_at > now
    told_at = alert.told_at if looked.event is None else alert.told_at or now
    again = look(replace(after(alert, looked), told_at=told_at), now, service)
    assert (again.event, again.next_look_at) == (None, looked.next_look_at)


@given(st.sampled_from(Trouble), services, st.integers(-100, 20_000))
def test_the_first_look_is_ahead_of_the_opening(kind: Trouble, service: Watched, minutes: int) -> None:
    now = NOW + minutes * MINUTE
    opening = open_for(kind, "because", NOW, now, service)
    assert opening.next_look_at is None or opening.next_look_at > now
    assert opening.consecutive_failures >= 1
    assert opening.told is (opening.remind_at is not None)


@given(st.sampled_from(Trouble), services)
def test_whoever_is_held_back_by_a_mute_is_looked_at_when_it_ends(kind: Trouble, service: Watched) -> None:
    opening = open_for(kind, "because", NOW, NOW, service)
    for until in (service.muted_until, service.steadiness.flapping_until):
        if service.active and until is not None and until > NOW:
            assert opening.told is False
            assert opening.next_look_at is not None
    if service.active and service.muted_until is not None and service.muted_until > NOW:
        assert opening.next_look_at is not None
        assert opening.next_look_at <= service.muted_until
