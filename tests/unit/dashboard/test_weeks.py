"""Weeks as pictures."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from dashboard.weeks import HEIGHT, LEAST_HEIGHT, WIDTH, Week, days, week_named, week_of
from medic_core.domain.alerting.maintenance import Occurrence
from medic_core.errors import BadRequest


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


WEEK = Week(utc("2026-11-23"))


def test_a_week_is_named_as_browsers_name_it() -> None:
    assert (week_named("2026-W48"), WEEK.name, week_of(utc("2026-11-29 23:59"))) == (WEEK, "2026-W48", WEEK)
    assert (week_named("2027-W01").start, week_named("2026-W53").start) == (utc("2027-01-04"), utc("2026-12-28"))
    assert (WEEK.moved(-1).name, WEEK.moved(6).name) == ("2026-W47", "2027-W01")


@pytest.mark.parametrize(
    "name", ["", "2026-48", "2026-W54", "2026-W00", "2025-W53", "1969-W01", "9999-W52", "٢٠٢٦-W48"]
)
def test_what_is_no_week_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        week_named(name)


def test_what_lasts_over_midnight_stands_in_both_days() -> None:
    found = days(
        WEEK, [(utc("2026-11-23 09:00"), utc("2026-11-23 17:00"))], [("Upgrade", a_time("23 22:00", "25 01:00"))]
    )
    assert [one.date for one in found][::6] == [date(2026, 11, 23), date(2026, 11, 29)]
    assert [[block.text for block in one.blocks] for one in found[:4]] == [
        ["22:00–24:00"],
        ["00:00–24:00"],
        ["00:00–01:00"],
        [],
    ]
    ((band,),) = [one.bands for one in found if one.bands]
    assert (band.y, band.height, band.text) == (540, 480, "09:00–17:00")
    assert (found[1].blocks[0].y, found[1].blocks[0].height, found[1].blocks[0].width) == (0, HEIGHT, WIDTH)


def test_what_holds_at_the_same_time_stands_side_by_side() -> None:
    times = [
        ("a", a_time("23 01:00", "23 03:00")),
        ("b", a_time("23 02:00", "23 04:00")),
        ("c", a_time("23 03:00", "23 03:01")),
    ]
    blocks = days(WEEK, [], times)[0].blocks
    assert [(one.name, one.x, one.width) for one in blocks] == [("a", 0, 50), ("b", 50, 50), ("c", 0, 50)]
    assert blocks[2].height == LEAST_HEIGHT


def test_nothing_stands_in_a_week_that_it_does_not_touch() -> None:
    found = days(WEEK, [(utc("2026-11-30"), utc("2026-12-01"))], [("before", a_time("20 00:00", "23 00:00"))])
    assert all(not one.bands and not one.blocks for one in found)


def a_time(start: str, end: str) -> Occurrence:
    return Occurrence(utc(f"2026-11-{start}"), utc(f"2026-11-{end}"))
