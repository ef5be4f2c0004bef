"""When requests are due, whose they are, and what is made of what became of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from bench import load, saturation
from bench.load import Step, recovered_after
from bench.measure import Timing
from bench.open_loop import Order, Outcome, Phase, due_times, own_share

PHASES = [Phase(10, 2), Phase(100, 0.5), Phase(4, 1)]
ORDER = Order(3000, "a key", 1000, "run", PHASES, 12.5, "journal")


def outcomes(*seconds: float, status: str = "201", began: float = 0.0, rate: float = 10) -> list[Outcome]:
    """So many requests at a rate, each of which took so long."""
    return [Outcome(number, began + number / rate, one, status) for number, one in enumerate(seconds)]


def test_requests_are_due_evenly_and_phases_follow_each_other() -> None:
    found = list(due_times(PHASES))
    assert len(found) == 20 + 50 + 4
    assert found[:3] == [0, 0.1, 0.2]
    assert found[20:22] == [2.0, 2.01]
    assert found[70] == 2.5
    assert all(earlier < later for earlier, later in pairwise(found))


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_out_every_request_once(processes: int) -> None:
    shared = [one for share in ORDER.shares(processes) for one in own_share(share)]
    assert sorted(shared) == list(enumerate(due_times(PHASES)))


def test_no_process_has_a_phase_to_itself() -> None:
    shares = [[due for _, due in own_share(share)] for share in ORDER.shares(2)]
    assert all(sum(2 <= due < 2.5 for due in share) == 25 for share in shares)


def test_an_order_survives_its_way_to_another_process() -> None:
    assert Order.from_json(ORDER.to_json()) == ORDER


def test_a_rate_is_held_where_everything_is_taken_in_time() -> None:
    assert Step(Phase(10, 2), outcomes(*[0.01] * 20), {}).is_held


def test_a_rate_is_not_held_where_requests_pile_up() -> None:
    step = Step(Phase(10, 2), outcomes(*[number * 0.1 for number in range(20)]), {})
    assert step.count(load.TAKEN) == 20
    assert step.taken_per_second == pytest.approx(5, abs=0.5)
    assert not step.is_held


def test_a_rate_is_not_held_where_one_request_of_many_is_refused() -> None:
    refused = outcomes(*[0.01] * 19), outcomes(0.01, status="503", began=1.9)
    assert not Step(Phase(10, 2), [*refused[0], *refused[1]], {}).is_held


def test_what_was_not_taken_has_no_part_in_how_long_it_takes() -> None:
    found = [*outcomes(0.02, 0.02), *outcomes(9.0, status="503")]
    assert Step(Phase(10, 0.3), found, {}).timing.percentile(0.999) == pytest.approx(20)


def test_a_late_phase_is_counted_from_its_own_begin() -> None:
    assert Step(Phase(10, 1), outcomes(*[0.01] * 10, began=7.0), {}).taken_per_second == 10


def seconds(*each: tuple[float, str]) -> list[Outcome]:
    """Ten requests in each second, which took so long and ended so."""
    return [
        one for second, (took, status) in enumerate(each) for one in outcomes(*[took] * 10, status=status, began=second)
    ]


QUICK, SLOW, REFUSED = (0.01, "201"), (1.0, "201"), (0.001, "503")


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        ([QUICK] * 3, 0),
        ([SLOW, QUICK, QUICK, SLOW, QUICK, QUICK, QUICK, SLOW], 4),
        ([REFUSED, QUICK, QUICK, QUICK], 1),
        ([QUICK, QUICK, SLOW], None),
        ([REFUSED] * 5, None),
    ],
)
def test_it_has_recovered_once_some_seconds_in_a_row_are_as_before(
    each: list[tuple[float, str]], expected: float | None
) -> None:
    later = [one._replace(due=one.due + 7) for one in seconds(*each)]
    assert recovered_after(later, 0.01, since=7) == expected


@pytest.mark.parametrize(("share", "expected"), [(0.5, 501), (0.99, 991), (0.999, 1000)])
def test_percentiles_are_of_what_was_measured(share: float, expected: float) -> None:
    timing = Timing([number / 1000 for number in range(1000, 0, -1)])
    assert timing.percentile(share) == pytest.approx(expected)


def test_what_sessions_wait_for_is_told_by_how_often_it_was_seen() -> None:
    watched = saturation.Watched()
    watched.waits.update({"IO: WalSync": 6, "running": 3, "LWLock: WALWrite": 1})
    assert watched.mostly == "IO: WalSync 60%, running 30%, LWLock: WALWrite 10%"


def test_processor_time_counts_sessions_that_came_and_went() -> None:
    watched = saturation.Watched(seconds=2, used={1: (10.0, 11.0), 2: (0.0, 0.5)})
    assert watched.cores == 0.75
