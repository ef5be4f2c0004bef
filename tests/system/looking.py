"""Somebody who looks at the dashboard with a real browser, through the bridge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request

from infra import node
from tests.fixtures.functions import ADMIN_KEY
from tests.system.browsing import a_browser

#: WCAG 2.2 AA and all that it contains, and what axe calls good practice besides.
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
#: What another scheme or another width can change.
OF_LOOKS = ("color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable", "meta-viewport")
RUN = """async runOnly => {
  const found = await axe.run(document, { runOnly, resultTypes: ["violations"] })
  return found.violations.map(one => `${one.id}: ${one.help}\\n` + one.nodes.slice(0, 3)
    .map(node => `    ${node.target}  ${node.html.slice(0, 160)}`).join("\\n"))
}"""


def axe() -> Path | None:
    """Its script; None where there is no npm to bring it."""
    packages = node.packages()
    return packages and packages / "axe-core" / "axe.min.js"


@dataclass
class Complaints:
    """What a browser complains of, and whom it asked for something."""

    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        context.on("requestfailed", self._failed)
        context.on("request", lambda request: self.asked.append(request.url))
        context.on("dialog", self._dialog)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(message.text)

    def _failed(self, request: Request) -> None:
        # Whoever goes on to another page waits for nothing of the former.
        if request.failure != "net::ERR_ABORTED":
            self.said.append(f"{request.url} {request.failure}")

    def _dialog(self, dialog: Dialog) -> None:
        self.said.append(f"a dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def signed_in(url: str, key: str = ADMIN_KEY, **more: Any) -> Iterator[tuple[Page, Complaints]]:
    """A browser in which somebody has signed in with a key."""
    with a_browser(**more) as context:
        complaints = Complaints()
        complaints.listen(context)
        page = context.new_page()
        sign_in(page, url, key)
        yield page, complaints


def sign_in(page: Page, url: str, key: str = ADMIN_KEY) -> None:
    page.goto(f"{url}/ui/sign-in")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/ui")


def violations(page: Page, *, only_looks: bool = False) -> list[str]:
    """What axe finds on the page as it stands, or only what another scheme or width would change."""
    wanted = {"type": "rule", "values": list(OF_LOOKS)} if only_looks else {"type": "tag", "values": list(RULES)}
    if not page.evaluate("typeof axe === 'object'"):
        page.add_script_tag(path=str(axe()))
    found: list[str] = page.evaluate(RUN, wanted)
    return found
