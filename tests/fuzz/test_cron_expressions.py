"""Cron expressions and time zones: what is taken ticks ever after."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.watching import cron
from tests.fuzz import junk

MOMENT = datetime(2026, 3, 29, 0, 59, 59, 999_999, UTC)
atoms = st.sampled_from([
    "*", "?", "0", "7", "59", "60", "99", "-1", "L", "5L", "l5", "W", "15W", "mon", "SUN#2", "5#5", "5#6", "H",
    "R(1-5)", "jan", "dec-jan", "9999999999999", "*/0", "*/999999999999", "1-", "-", ",", "/", "#", "*#1", "0-59/7",
    "31", "2", "0-9999999", "1-99999999999",
])  # fmt: skip
parts = st.builds(lambda first, mark, second: first + mark + second, atoms, st.sampled_from(["", *"-,/#"]), atoms)
fields = atoms | parts | st.text("0123456789*,-/#?LWlw", max_size=8) | junk.texts
expressions = st.lists(fields, min_size=4, max_size=7).map(" ".join) | junk.texts | st.sampled_from([*cron.NICKNAMES])
zones = (
    junk.texts
    | st.sampled_from(["UTC", "Europe/London", "Pacific/Apia", "america/new_york", "../etc/passwd", "/etc/passwd"])
    | st.sampled_from(["Europe", "Europe/", "tzdata", "zone.tab", "__init__.py", ".", "a" * 300, "right/UTC"])
)


@given(expressions)
def test_any_expression_ticks_or_is_refused(expression: str) -> None:
    found = junk.refused_or(cron.valid_expression, expression)
    if found is not None:
        first = cron.next_tick(found, "Europe/London", MOMENT)
        assert MOMENT < first < cron.next_tick(found, "Europe/London", first)


@given(zones)
def test_any_zone_is_one_of_the_database_or_is_refused(name: str) -> None:
    found = junk.refused_or(cron.valid_timezone, name)
    if found is not None:
        assert cron.next_tick("30 1 * * *", found, MOMENT) > MOMENT
