"""Trace context as W3C writes it, and what has none from outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from medic_core.domain.observing import traces
from medic_core.domain.observing.traces import Trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("flags", ["00", "01", "ff"])
def test_a_trace_keeps_its_callers_flags(flags: str) -> None:
    assert traces.parsed(f"00-{TRACE}-{SPAN}-{flags}") == Trace(TRACE, flags)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        GIVEN.upper(),
        GIVEN + " ",
        " " + GIVEN,
        GIVEN + "-more",
        GIVEN + "\n",
        GIVEN[:-1],
        f"ff-{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        "x" * 100_000,
    ],
)
def test_what_is_not_exactly_one_is_none(header: str | None) -> None:
    assert traces.parsed(header) is None


def test_what_is_sent_on_is_one_too() -> None:
    sent = traces.of_alert(7, AT).traceparent(SPAN)
    assert len(sent) == 55
    assert traces.parsed(sent) == traces.of_alert(7, AT)


def test_an_alert_has_one_trace_and_no_other_alert_has_it() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5)))
    assert traces.of_alert(7, AT) == traces.of_alert(7, elsewhere)
    others = [traces.of_alert(8, AT), traces.of_alert(7, AT + timedelta(microseconds=1)), traces.of("notice", 7, AT)]
    assert len({traces.of_alert(7, AT), *others}) == 4
