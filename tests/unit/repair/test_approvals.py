"""Who may decide, and when people are reminded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medic_core.domain.repair.approvals import Rules, Via, Voter, next_reminder, refusal, reminders_by
from tests.unit.repair.walking import HOUR, NOON

ANYBODY = Voter("link:1", "somebody", Via.LINK)
ANN, BOB = Voter("ann", "ann", Via.API, "ann"), Voter("bob", "bob", Via.API, "bob")
#: She says that she is somebody else; her key knows better.
ANN_AS_BOB = Voter("ann", "bob", Via.API, "ann")
BOB_AS_ANN = Voter("bob", "ann", Via.API, "bob")
OPEN, NAMED, TWO = Rules((), 1, ()), Rules(("ann", "U1"), 1, ()), Rules((), 2, ())
FOUR_EYES = Rules((), 1, ("ann",))


@pytest.mark.parametrize(
    ("rules", "voter", "approved", "because"),
    [
        (OPEN, ANYBODY, True, None),
        (OPEN, ANN, True, None),
        (NAMED, ANN, True, None),
        (NAMED, ANN_AS_BOB, True, None),
        (NAMED, BOB, True, "Only ann, U1"),
        (NAMED, BOB, False, "Only ann, U1"),
        (NAMED, BOB_AS_ANN, True, "Only ann, U1"),
        (NAMED, ANYBODY, True, "a link alone"),
        (NAMED, ANYBODY, False, "a link alone"),
        (TWO, ANN, True, None),
        (TWO, ANYBODY, True, "a link alone"),
        (FOUR_EYES, ANN, True, "Four eyes"),
        (FOUR_EYES, ANN, False, None),
        (FOUR_EYES, ANN_AS_BOB, True, "Four eyes"),
        # Whoever goes by the asker's name cannot be told from the asker.
        (FOUR_EYES, BOB_AS_ANN, True, "Four eyes"),
        (FOUR_EYES, BOB, True, None),
        (FOUR_EYES, ANYBODY, True, "a link alone"),
    ],
)
def test_who_may(rules: Rules, voter: Voter, approved: bool, because: str | None) -> None:
    found = refusal(rules, voter, approved=approved)
    assert (found is None) == (because is None)
    assert because is None or because in (found or "")


def test_people_are_reminded_at_half_and_at_four_fifths_of_its_life() -> None:
    until = NOON + 10 * HOUR
    assert [next_reminder(NOON, until, count) for count in range(4)] == [NOON + 5 * HOUR, NOON + 8 * HOUR, None, None]
    assert next_reminder(NOON, NOON + timedelta(minutes=5), 0) == NOON + timedelta(seconds=150)
    assert next_reminder(NOON, NOON + timedelta(seconds=299), 0) is None


def test_one_that_is_late_has_those_behind_it_that_it_missed() -> None:
    until = NOON + 10 * HOUR
    hours = [0, 4.99, 5, 7.99, 8, 9.99, 20]
    assert [reminders_by(NOON + hour * HOUR, NOON, until) for hour in hours] == [0, 0, 1, 1, 2, 2, 2]
