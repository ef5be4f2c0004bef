"""What everybody may know of a service is little, and never better than it is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from medic_core.domain.watching.periods import Outage
from medic_core.domain.watching.public import (
    HEADLINES,
    STATUS_PAGE,
    WORDS,
    Mood,
    PublicState,
    address_of,
    public_state,
    since,
    verdict,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DOWN, LATE, DEGRADED, NEW, MAINTENANCE, PAUSED, UP = PublicState


def test_each_state_has_words_and_each_mood_a_headline() -> None:
    assert set(WORDS) == set(PublicState)
    assert set(HEADLINES) == set(Mood)


@pytest.mark.parametrize(
    ("status", "in_maintenance", "in_trouble", "expected"),
    [
        ("up", False, False, UP),
        ("up", False, True, DEGRADED),
        ("up", True, True, MAINTENANCE),
        ("degraded", False, True, DEGRADED),
        ("late", False, False, LATE),
        ("late", True, False, MAINTENANCE),
        ("down", False, True, DOWN),
        ("down", True, True, MAINTENANCE),
        ("new", False, False, NEW),
        ("new", False, True, DOWN),
        ("paused", True, False, PAUSED),
    ],
)
def test_a_state_for_everybody(status: str, expected: PublicState, *, in_maintenance: bool, in_trouble: bool) -> None:
    assert public_state(status, in_maintenance=in_maintenance, in_trouble=in_trouble) is expected


@pytest.mark.parametrize(
    ("states", "mood", "message"),
    [
        ([UP], Mood.GOOD, "operational"),
        ([UP, NEW, PAUSED, MAINTENANCE], Mood.GOOD, "operational"),
        ([DOWN], Mood.BAD, "down"),
        ([UP, DOWN, LATE, DOWN], Mood.BAD, "2 of 4 down"),
        ([UP, LATE], Mood.WARN, "1 of 2 late"),
        ([UP, DEGRADED, UP], Mood.WARN, "1 of 3 degraded"),
        ([NEW, PAUSED], Mood.IDLE, "not heard yet"),
        ([PAUSED, MAINTENANCE], Mood.IDLE, "under maintenance"),
        ([PAUSED], Mood.IDLE, "paused"),
    ],
)
def test_several_are_as_well_as_the_worst_of_them(states: list[PublicState], mood: Mood, message: str) -> None:
    said = verdict(Counter(states))
    assert (said.mood, said.message) == (mood, message)


def test_since_when_is_known_of_troubles_and_of_what_is_well_again() -> None:
    before = [Outage(NOON - timedelta(hours=3), NOON - timedelta(hours=2)), Outage(NOON - timedelta(hours=5), None)]
    later = NOON + timedelta(minutes=1)
    assert since(DOWN, NOON, later, before) == NOON
    assert since(LATE, None, later, before) == later
    assert since(UP, None, later, before) == NOON - timedelta(hours=2)
    assert since(UP, None, later, []) is None
    assert since(PAUSED, None, None, before) is None


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Nightly backup", "nightly-backup"),
        ("  API (eu/west)_1 ", "api-eu-west-1"),
        ("Größe", "grösse"),
        ("夜间备份", "夜间备份"),
        ("<script>", "script"),
        ("✨", "service"),
        ("../..", "service"),
    ],
)
def test_a_badge_is_addressed_by_the_public_name(name: str, address: str) -> None:
    assert address_of(name) == address


@pytest.mark.parametrize("name", ["a", "acme", "acme-2", "0", "a" * 63])
def test_a_page_is_called_by_a_word(name: str) -> None:
    assert STATUS_PAGE.fullmatch(name)


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "a" * 64, "a\n", "ä", "a.b"])
def test_what_is_no_word_is_no_page(name: str) -> None:
    assert not STATUS_PAGE.fullmatch(name)
