"""How pages show playbooks and executions: changes line by line, how far it has come, variables that were written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dashboard import diffs
from dashboard.diffs import Line
from dashboard.progress import beginning, is_long, progress
from medic_core.domain.repair import language
from medic_core.flows.edit_playbooks import difference
from medic_core.store.execution_lists import StepResultRow

NAMES = ("version 1", "version 2")
PLAYBOOK = language.parse(
    "name: p\nsteps:\n  - {name: one, type: wait, duration: 1m}\n  - {name: two, type: wait, duration: 1m}\n"
    "finally:\n  - {name: tidy, type: wait, duration: 1m}\n"
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def tried(index: int, attempt: int, status: str) -> StepResultRow:
    return StepResultRow(index, attempt, "whatever", "wait", status, None, None, NOW, NOW)


def test_a_change_is_marked_by_sign_and_kind() -> None:
    assert diffs.marked(difference("a\nb\n", "a\n-- c\n", NAMES)) == [
        Line("heading", "--- version 1"),
        Line("heading", "+++ version 2"),
        Line("place", "@@ -1,2 +1,2 @@"),
        Line("kept", " a"),
        Line("removed", "-b"),
        Line("added", "+-- c"),
    ]
    assert diffs.marked(difference("-- c\n", "", NAMES))[-1] == Line("removed", "--- c")


def test_what_is_the_same_has_no_lines() -> None:
    assert diffs.marked(difference("a\n", "a\n", NAMES)) == []


@given(some.lists(some.sampled_from(["a", "b", "-- c", "+++ d", "@@", ""])), some.lists(some.sampled_from(["a", "c"])))
def test_no_line_of_a_change_is_lost(before: list[str], after: list[str]) -> None:
    diff = difference("\n".join(before), "\n".join(after), NAMES)
    assert "\n".join(line.text for line in diffs.marked(diff)) == diff.removesuffix("\n")


def test_each_step_has_its_tries_and_the_state_of_the_last_one() -> None:
    tries = [tried(0, 1, "failed"), tried(0, 2, "completed"), tried(1, 1, "running")]
    steps = progress(PLAYBOOK, tries, is_over=False)
    assert [(step.name, step.state, len(step.tries), step.is_last_resort) for step in steps] == [
        ("one", "completed", 2, False),
        ("two", "running", 1, False),
        ("tidy", "to_come", 0, True),
    ]


def test_what_is_over_has_nothing_to_come() -> None:
    assert [step.state for step in progress(PLAYBOOK, [], is_over=True)] == ["not_done"] * 3


@pytest.mark.parametrize(
    ("text", "shown", "long"),
    [("ok", "ok", False), ("ok\n", "ok", False), ("\none\ntwo", "one", True), ("x" * 161, "x" * 160 + "…", True)],
)
def test_an_output_is_shown_by_its_beginning(text: str, shown: str, long: bool) -> None:
    assert (beginning(text), is_long(text)) == (shown, long)
