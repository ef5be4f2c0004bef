"""A seed is all that a run depends on."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.chaos.plan import EVERY_SECONDS, FUNCTIONS, GRACE_SECONDS, SERVERS, Kind, plan

SEEDS = range(200)


def test_the_same_seed_is_the_same_run_and_another_is_another() -> None:
    assert plan(7, 60) == plan(7, 60)
    assert len({plan(seed, 60).faults for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("seconds", [40.0, 600.0])
def test_faults_of_one_timeline_never_meet_and_end_before_the_run(seconds: float) -> None:
    for seed in SEEDS:
        for timeline in plan(seed, seconds).faults:
            assert all(before.at + before.seconds <= after.at + 0.2 for before, after in pairwise(timeline))
            assert timeline[-1].at + timeline[-1].seconds < seconds


def test_a_run_of_minutes_does_everything_that_can_be_done() -> None:
    for seed in range(10):
        servers, functions = plan(seed, 240).faults
        assert {(one.kind, one.subject) for one in servers} == set(SERVERS)
        assert {(one.kind, one.subject) for one in functions} == set(FUNCTIONS)


def test_somebody_dies_in_every_run_and_most_live() -> None:
    for seed in SEEDS:
        services = plan(seed, 40).services
        dead = [one for one in services if one.silences and one.silences[-1][1] is None]
        assert {one.kind for one in dead} == {Kind.MORTAL, Kind.CURABLE}
        assert len(dead) < len(services) / 3


def test_who_comes_back_was_away_for_longer_than_is_allowed() -> None:
    lengths = [
        until - since
        for seed in SEEDS
        for service in plan(seed, 900).services
        for since, until in service.silences
        if service.kind is Kind.MORTAL and until is not None
    ]
    assert len(lengths) > 100
    assert min(lengths) > EVERY_SECONDS + GRACE_SECONDS
