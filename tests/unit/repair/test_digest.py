"""When all approvals that wait are told together, and what that says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medic_core.domain.repair.digest import LONGEST_NAME, MOST_LISTED, Waiting, is_due, listed
from tests.unit.repair.walking import HOUR, NOON

MINUTE = timedelta(minutes=1)


def waiting(*minutes: int, name: str = "worker") -> list[Waiting]:
    """Requests that have waited for so long at noon."""
    return [
        Waiting(number, f"restart {name}", name, NOON - ago * MINUTE, NOON + HOUR) for number, ago in enumerate(minutes)
    ]


@pytest.mark.parametrize(
    ("minutes", "told_ago", "due"),
    [
        ((), None, False),
        ((600,), None, False),
        ((30, 0), None, True),
        ((29, 29, 29), None, False),
        ((600, 300), 60, True),
        ((600, 300), 59, False),
        ((10, 5), 600, False),
    ],
)
def test_when_it_is_told(minutes: tuple[int, ...], told_ago: int | None, due: bool) -> None:
    told_at = NOON - told_ago * MINUTE if told_ago is not None else None
    assert is_due(NOON, told_at, waiting(*minutes)) is due


def test_what_it_says() -> None:
    assert listed(waiting(45, 30), 2).splitlines() == [
        f"• restart worker for worker, since {NOON - 45 * MINUTE:%d %b %H:%M}, until {NOON + HOUR:%d %b %H:%M} UTC"
        " (execution 0)",
        f"• restart worker for worker, since {NOON - 30 * MINUTE:%d %b %H:%M}, until {NOON + HOUR:%d %b %H:%M} UTC"
        " (execution 1)",
    ]


def test_many_with_long_names_fit_into_any_message() -> None:
    text = listed(waiting(*range(100, 50, -1), name="w" * 300), 57)
    lines = text.splitlines()
    assert len(lines) == MOST_LISTED + 1
    assert lines[-1] == f"… and {57 - MOST_LISTED} more"
    assert "w" * (LONGEST_NAME - 1) + "…" in lines[0]
    assert len(text) < 3000


def test_one_without_a_service_says_so() -> None:
    assert "for no service, since" in listed([Waiting(1, "restart", None, NOON, NOON + HOUR)], 1)
