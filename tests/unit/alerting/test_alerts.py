from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.alerting.alerts import AlertEvent, AlertStatus, OpenAlert, Priority, Watched, look, open_for
from medic_core.domain.alerting.reminders import interval_before
from medic_core.domain.watching.states import Trouble

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SERVICE = Watched(1, "backup", Priority.P3, 10 * MINUTE, None, active=True, muted_until=None)
ALERT = OpenAlert(7, Trouble.MISSED_HEARTBEAT, AlertStatus.OPEN, NOW, 1, NOW, 0, NOW + 10 * MINUTE)


@pytest.mark.parametrize(
    ("sent", "every", "chosen", "wait"),
    [
        (0, MINUTE, None, 5 * MINUTE),
        (0, 20 * MINUTE, None, 20 * MINUTE),
        (1, 20 * MINUTE, None, 40 * MINUTE),
        (3, MINUTE, None, 40 * MINUTE),
        (0, MINUTE, 2 * MINUTE, 2 * MINUTE),
        (50, MINUTE, None, 24 * HOUR),
        (0, 48 * HOUR, None, 24 * HOUR),
    ],
)
def test_reminders_double_up_to_a_day(sent: int, every: timedelta, chosen: timedelta | None, wait: timedelta) -> None:
    assert interval_before(sent, every, chosen) == wait


def test_an_alert_is_told_unless_a_rule_holds_it_back() -> None:
    told = open_for(Trouble.MISSED_HEARTBEAT, "silent", NOW, NOW, SERVICE)
    assert (told.told, told.remind_at, told.next_look_at) == (True, NOW + 10 * MINUTE, NOW + 10 * MINUTE)
    muted = open_for(Trouble.REPORTED_DOWN, "down", NOW, NOW, replace(SERVICE, muted_until=NOW + HOUR))
    assert (muted.told, muted.remind_at, muted.next_look_at) == (False, None, NOW + HOUR)


def test_a_look_counts_missed_periods_and_reminds_when_due() -> None:
    early = look(ALERT, NOW + 9 * MINUTE, SERVICE)
    assert (early.event, early.consecutive_failures, early.next_look_at) == (None, 1, NOW + 10 * MINUTE)
    due = look(ALERT, NOW + 25 * MINUTE, SERVICE)
    assert (due.event, due.consecutive_failures, due.reminders) == (AlertEvent.REMINDED, 3, 1)
    assert due.remind_at == NOW + 45 * MINUTE


@pytest.mark.parametrize("status", [AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED])
def test_what_is_acknowledged_is_not_reminded_of(status: AlertStatus) -> None:
    assert look(replace(ALERT, status=status), NOW + 5 * HOUR, SERVICE).event is None


def test_the_end_of_a_mute_tells_what_is_still_so() -> None:
    silent = replace(ALERT, told_at=None, remind_at=None)
    muted = replace(SERVICE, muted_until=NOW + HOUR)
    assert look(silent, NOW + 30 * MINUTE, muted).event is None
    assert look(silent, NOW + HOUR, muted).event is AlertEvent.UNMUTED


@given(
    minutes=st.integers(0, 10_000),
    muted=st.none() | st.integers(-100, 20_000),
    remind=st.none() | st.integers(-100, 20_000),
    told=st.booleans(),
    kind=st.sampled_from(Trouble),
    status=st.sampled_from([AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED]),
)
def test_the_next_look_is_always_ahead(
    minutes: int, muted: int | None, remind: int | None, told: bool, kind: Trouble, status: AlertStatus
) -> None:
    now = NOW + minutes * MINUTE
    service = replace(SERVICE, muted_until=None if muted is None else NOW + muted * MINUTE)
    remind_at = None if remind is None else NOW + remind * MINUTE
    alert = replace(ALERT, kind=kind, status=status, told_at=NOW if told else None, remind_at=remind_at)
    looked = look(alert, now, service)
    assert looked.next_look_at is None or looked.next_look_at > now
