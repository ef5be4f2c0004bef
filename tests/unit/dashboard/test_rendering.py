"""How values are written on pages."""

from __future__ import annotations

import pytest
from markupsafe import escape

from dashboard.rendering import dated


def test_times_in_a_sentence_are_times() -> None:
    assert dated("heard at 2026-11-27 06:23:16 UTC, <b>") == (
        'heard at <time datetime="2026-11-27T06:23:16Z" title="2026-11-27 06:23:16 UTC">2026-11-27 06:23 UTC</time>'
        ", &lt;b&gt;"
    )


@pytest.mark.parametrize("text", ["", "no time <script>", "2026-99-27 06:23:16 UTC", "2026-11-27 06:23:16", "'\"&"])
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert dated(text) == escape(text)
