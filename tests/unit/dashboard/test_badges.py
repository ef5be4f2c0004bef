"""Badges say what they say in their title, in their width and in colors that can be read; marks are lines."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from dashboard import badges
from dashboard.charts import label, strokes
from medic_core.domain.watching.periods import PeriodState, Slot
from medic_core.domain.watching.public import PublicState, verdict

SVG = "{http://www.w3.org/2000/svg}"
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def marks(*states: PeriodState) -> list[Slot]:
    return [Slot(NOON, state) for state in states]


def test_a_badge_is_as_wide_as_what_it_says() -> None:
    assert badges.width_of("") == 1
    assert badges.width_of("iiii") < badges.width_of("aaaa") < badges.width_of("WWWW") <= badges.width_of("夜夜夜夜")
    assert badges.width_of("e\u0301") == badges.width_of("e")
    long = "a" * 200
    picture = ElementTree.fromstring(badges.drawn(long, verdict({PublicState.UP: 1})))
    left, right = picture.iter(f"{SVG}text")
    assert (left.text, right.text) == ("a" * 47 + "…", "operational")
    assert picture.findtext(f"{SVG}title") == f"{long}: operational"
    ends = [int(text.get("x", "")) + int(text.get("textLength", "")) for text in (left, right)]
    assert ends[0] < int(right.get("x", ""))
    assert ends[1] < int(picture.get("width", ""))


def test_each_state_has_a_color_on_which_white_can_be_read() -> None:
    colors = badges.COLORS
    assert set(colors) == set(PublicState)
    for color in colors.values():
        parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
        red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5


def test_marks_of_one_state_are_one_line() -> None:
    up, down, unknown = PeriodState.UP, PeriodState.DOWN, PeriodState.UNKNOWN
    assert strokes(marks(unknown, up, up, down, up)) == {unknown: "M0 10h4", up: "M4 10h8M16 10h4", down: "M12 10h4"}
    assert strokes([]) == {}


def test_what_marks_say_is_said_in_words() -> None:
    up, down, troubled, unknown = PeriodState.UP, PeriodState.DOWN, PeriodState.TROUBLED, PeriodState.UNKNOWN
    assert label(marks(unknown, up, troubled, down)) == "Trouble in 2 of the last 3 periods"
    assert label(marks(unknown)) == "Not watched yet"
