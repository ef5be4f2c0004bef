"""What the model of costs computes, by hand; and that the document says what the model does."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from bench import scale_model
from bench.scale_model import (
    MINUTES_PER_MONTH,
    PRICES,
    SERVICES,
    Figures,
    billed_ms,
    capacity_units,
    costs,
    full_at,
    loads,
    ways,
)

FIGURES = Figures(
    statements=1,
    function_cpu_ms=0.2,
    function_wall_ms=0.5,
    database_cpu_ms=0.1,
    wal_bytes=700,
    event_bytes=200,
    batch_size=500,
    batch_statements=1,
    batch_cpu_ms=20,
    batch_wall_ms=50,
    batch_database_cpu_ms=20,
    batch_wal_bytes=350_000,
    idle_sweep_ms=10,
)
ONE, MANY = ways(FIGURES)


def test_a_small_function_makes_our_work_slower_and_waiting_not() -> None:
    assert billed_ms(1.0, 0.0, 0, megabytes=1769) == 1.0
    assert billed_ms(1.0, 0.0, 0, megabytes=1769 // 2) == pytest.approx(2.0, rel=0.01)
    assert billed_ms(0.0, 5.0, 2, megabytes=128) == 5.0 + 2 * scale_model.ROUND_TRIP_MS + scale_model.COMMIT_MS


def test_the_database_is_never_smaller_than_its_smallest() -> None:
    assert capacity_units(0.1, 0.1) == scale_model.LOWEST_UNITS
    # 1,000 a second × 0.1 ms are a tenth of a processor: 0.4 units, of which half may be used.
    assert capacity_units(1000, 0.1) == 1.0
    assert capacity_units(10_000, 0.1) == 8.0


def test_a_thousand_services_by_hand() -> None:
    found = costs(1000, ONE, FIGURES)
    calls = 1000 * MINUTES_PER_MONTH
    assert found["API Gateway"] == pytest.approx(calls / 1e6)
    assert found["Aurora, writes"] == pytest.approx(calls / 1e6 * PRICES["aurora_million_writes"])
    # 43.2 million events of 200 bytes are kept.
    assert found["Aurora, storage"] == pytest.approx(8.64 * PRICES["aurora_gb_month"])


def test_a_batch_is_one_request_for_many_and_one_request_at_least() -> None:
    assert costs(500, MANY, FIGURES)["API Gateway"] == pytest.approx(MINUTES_PER_MONTH / 1e6)
    assert costs(1, MANY, FIGURES)["API Gateway"] == pytest.approx(MINUTES_PER_MONTH / 1e6)
    assert costs(100_000, MANY, FIGURES)["API Gateway"] < costs(100_000, ONE, FIGURES)["API Gateway"] / 400


def test_beyond_three_hundred_million_requests_are_cheaper() -> None:
    services = 301e6 / MINUTES_PER_MONTH
    assert costs(services, ONE, FIGURES)["API Gateway"] == pytest.approx(300 + 0.9)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", [ONE, MANY], ids=lambda way: way.name)
def test_nothing_becomes_cheaper_with_more_services(way: scale_model.Way) -> None:
    for fewer, more in itertools.pairwise(SERVICES):
        small, large = costs(fewer, way, FIGURES), costs(more, way, FIGURES)
        assert all(small[name] <= large[name] for name in small)


def test_a_price_falls_with_the_amount() -> None:
    assert scale_model.tiered(15, ((10, 1.0), (float("inf"), 0.5))) == 12.5
    assert scale_model.tiered(5, ((10, 1.0), (float("inf"), 0.5))) == 5.0


def test_one_trace_a_second_is_taken_and_a_twentieth_of_the_rest() -> None:
    assert costs(60, ONE, FIGURES)["X-Ray"] == pytest.approx(scale_model.SECONDS_PER_MONTH / 1e6 * 5)
    assert costs(600, ONE, FIGURES)["X-Ray"] == pytest.approx((1 + 9 * 0.05) * scale_model.SECONDS_PER_MONTH / 1e6 * 5)


def test_what_is_full_first_comes_first() -> None:
    found = full_at(ONE)
    assert list(found.values()) == sorted(found.values())
    # Ten times a thousand a minute are 167 a second.
    assert found["the account's API Gateway (10,000/s)"] == pytest.approx(60_000)
    assert all(full_at(MANY)[name] > services for name, services in found.items() if "Aurora" not in name)


def test_instances_are_rate_times_time() -> None:
    assert loads(60_000, ONE)["instances, and connections"] == pytest.approx(1000 * ONE.billed_ms / 1000)
    assert loads(60_000, ONE)["WAL, MB/s"] == pytest.approx(0.7)


def test_slower_work_costs_more() -> None:
    slower, _ = ways(replace(FIGURES, function_cpu_ms=2.0))
    assert costs(1000, slower, FIGURES)["Lambda, heartbeats"] > costs(1000, ONE, FIGURES)["Lambda, heartbeats"]


def test_the_document_says_what_the_model_computes() -> None:
    measured = Figures.read(scale_model.FIGURES)
    text = scale_model.DOCUMENT.read_text()
    assert scale_model.document(text, measured) == text
