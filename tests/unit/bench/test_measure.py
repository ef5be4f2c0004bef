"""Medians with their spread, shares of the same round, and statements as pgbench takes them."""

from __future__ import annotations

from bench import measure, pgbench
from bench.measure import Timing


def test_a_spread_is_the_median_between_the_lowest_and_the_highest() -> None:
    assert measure.spread([3.0, 1.0, 8.0], ".1f") == "3.0 (1.0–8.0)"


def test_shares_are_of_the_reference_in_the_same_round() -> None:
    """The second round is ten times slower for both: the machine, and nothing of theirs."""
    found = {"first": [Timing([0.001] * 4), Timing([0.01] * 4)], "other": [Timing([0.002] * 4), Timing([0.02] * 4)]}
    first, other = measure.compared(found)
    microseconds = "5,500.0 (1,000.0–10,000.0)"
    assert first == ("first", "550 (100–1,000)", microseconds, microseconds, "1.00 (1.00–1.00)")
    assert other[0] == "other"
    assert other[-1] == "0.50 (0.50–0.50)"


def test_things_are_measured_in_turn() -> None:
    order = list[tuple[str, int]]()

    def run(name: str) -> measure.Run:
        def timed(count: int) -> Timing:
            order.append((name, count))
            return Timing([1.0])

        return timed

    found = measure.in_turn({"a": run("a"), "b": run("b")}, 7, 2)
    assert order == [("a", 7), ("b", 7)] * 2
    assert {name: len(timings) for name, timings in found.items()} == {"a": 2, "b": 2}


def test_pgbench_is_given_values_for_what_psycopg_sends() -> None:
    statement = "\nSELECT %(name)s,\n       %(none)s, %(name)s\n"
    values = {"name": "'service-' || :number", "none": "NULL"}
    assert pgbench.as_script(statement, values, 100) == (
        "\\set number random(1, 100)\nSELECT 'service-' || :number, NULL, 'service-' || :number;\n"
    )
