"""A real browser, as far as this machine has one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import BrowserContext, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Without these a browser speaks to its maker.
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps",
)  # fmt: skip
#: What is there in the end may come late where the machine is busy.
PATIENCE_MILLISECONDS = 120_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)
Scheme = Literal["light", "dark"]


def executable() -> str | None:
    """The browser's path; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def a_browser(width: int = 1200, scheme: Scheme = "light", **more: Any) -> Iterator[BrowserContext]:
    """A browser with a window of that width, which has never been anywhere."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=list(QUIET), timeout=PATIENCE_MILLISECONDS
        )
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, **more)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        yield context
        browser.close()


def photograph(context: BrowserContext, url: str, file: Path) -> None:
    """The whole page, as a picture."""
    page = context.new_page()
    page.goto(url)
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file, full_page=True)
    page.close()
