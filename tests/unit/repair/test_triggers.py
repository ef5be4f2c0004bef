"""Which playbook an alert calls for, and when."""

from __future__ import annotations

import pytest

from medic_core.domain.repair.triggers import Trigger, as_regex, chosen, fires, matches, most_demanding


def a_trigger(trigger_id: int, failures: int, pattern: str = "*") -> Trigger:
    return Trigger(trigger_id, playbook_id=trigger_id, service_pattern=pattern, consecutive_failures=failures)


@pytest.mark.parametrize(
    ("pattern", "name", "is_meant"),
    [
        ("worker", "worker", True),
        ("worker", "worker-1", False),
        ("worker-*", "worker-", True),
        ("worker-*", "my-worker-1", False),
        ("*worker*", "my-worker-1", True),
        ("WORKER-?", "Worker-1", True),
        ("worker-?", "worker-10", False),
        ("worker-[12]", "worker-2", True),
        ("worker-[!12]", "worker-2", False),
        ("worker-[!12]", "worker-3", True),
        ("worker-[a-c]", "WORKER-B", True),
        ("worker-[c-a]", "worker-b", False),
        ("a.b", "axb", False),
        ("a[", "a[", True),
        ("[]]", "]", True),
        ("*", "", True),
        ("", "a", False),
        ("a*c", "a\nc", True),
    ],
)
def test_a_pattern_means_these_names(pattern: str, name: str, is_meant: bool) -> None:
    assert matches(pattern, name) is is_meant


def test_a_pattern_of_many_stars_is_answered_at_once() -> None:
    assert not matches("*a" * 100 + "b", "a" * 255)


def test_a_pattern_for_postgres_holds_nothing_that_it_could_take_for_its_own() -> None:
    assert as_regex("A?*") == r"^\U00000061..*$"
    assert as_regex("(.{$^|+\\") == "^" + "".join(f"\\U{ord(one):08x}" for one in "(.{$^|+\\") + "$"


def test_the_most_demanding_is_asked_first_and_of_equals_the_oldest() -> None:
    triggers = [a_trigger(4, 1), a_trigger(3, 5), a_trigger(2, 3), a_trigger(1, 3)]
    assert [one.trigger_id for one in most_demanding(triggers)] == [3, 1, 2, 4]


LADDER = [a_trigger(1, 1), a_trigger(3, 3), a_trigger(5, 5)]


@pytest.mark.parametrize(
    ("before", "failures", "trigger_id"),
    [
        (0, 1, 1),
        (1, 2, None),
        (2, 3, 3),
        (3, 4, None),
        (4, 5, 5),
        (5, 6, None),
        # Counts that were jumped over: the most demanding one that was reached, and none of the others.
        (0, 3, 3),
        (0, 4, 3),
        (1, 4, 3),
        (0, 9, 5),
        (2, 9, 5),
        (5, 9, None),
        # Nothing new is counted.
        (3, 3, None),
        (0, 0, None),
    ],
)
def test_a_trigger_fires_when_its_count_is_reached_and_not_at_every_later_one(
    before: int, failures: int, trigger_id: int | None
) -> None:
    found = fires(LADDER, "worker", before, failures)
    assert (found.trigger_id if found else None) == trigger_id


@pytest.mark.parametrize(
    ("triggers", "before", "failures", "trigger_id"),
    [
        # The first that matches counts; one that has fired before does not leave the alert to a less demanding one.
        ([a_trigger(1, 3, "worker-*"), a_trigger(2, 1, "*")], 2, 3, 1),
        ([a_trigger(1, 3, "worker-*"), a_trigger(2, 1, "*")], 3, 4, None),
        ([a_trigger(1, 1, "worker-*"), a_trigger(2, 1, "*")], 0, 1, 1),
        ([a_trigger(2, 1, "worker-*"), a_trigger(1, 1, "*")], 0, 1, 1),
        # What does not match is passed over.
        ([a_trigger(1, 3, "db-*"), a_trigger(2, 1, "*")], 2, 3, None),
        ([a_trigger(1, 3, "db-*"), a_trigger(2, 3, "*")], 2, 3, 2),
        ([], 0, 1, None),
    ],
)
def test_the_first_that_matches_counts(
    triggers: list[Trigger], before: int, failures: int, trigger_id: int | None
) -> None:
    found = fires(triggers, "worker-1", before, failures)
    assert (found.trigger_id if found else None) == trigger_id


def test_what_an_alert_calls_for_does_not_depend_on_the_order_of_the_triggers() -> None:
    assert chosen(LADDER, "worker", 4) == chosen(LADDER[::-1], "worker", 4) == LADDER[1]
    assert chosen(LADDER, "worker", 0) is None
