"""`make pictures` photographs the dashboard for the documentation. It proves nothing, so `make test` leaves it out."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.fixtures.bridge import Bridge
from tests.fixtures.pages import others, pages_of
from tests.fixtures.worlds import World
from tests.system.browsing import Scheme
from tests.system.looking import signed_in

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LOWEST = 900
VIEWS: tuple[tuple[str, int, Scheme], ...] = (("", 1200, "light"), ("-dark", 1200, "dark"), ("-phone", 390, "light"))
NO_PAGES = (".csv", ".json", ".svg")
NOT_PHOTOGRAPHED = ("services-sorted", "services-none", "alerts-open", "nothing")


@pytest.mark.timeout(600)
def test_each_page_is_photographed(world: World, bridge: Bridge) -> None:
    with signed_in(bridge.url, timezone_id="Europe/London", locale="en-GB") as (page, _):
        for one in [*pages_of(world.functions, world.database, world.ids), *others()]:
            if one.name not in NOT_PHOTOGRAPHED and not one.rule.endswith(NO_PAGES):
                page.goto(bridge.url + one.path)
                photographed(page, one.name)


def photographed(page: Page, name: str) -> None:
    """By day, by night, and in a pocket."""
    for suffix, width, scheme in VIEWS:
        page.set_viewport_size({"width": width, "height": LOWEST})
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=IMAGES / f"dashboard-{name}{suffix}.png", full_page=True)
