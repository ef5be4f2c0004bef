"""Somebody with a browser, and a whole Medic: from the first service to a repair, with script and once without."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from tests.fixtures.receivers import Receivers
from tests.system.browsing import a_browser
from tests.system.conftest import PATIENCE_SECONDS, Medic, until
from tests.system.looking import Complaints, sign_in

#: The shortest that a service can have, the sweep and the page's own turn come on top.
EVERY_SECONDS = 10
#: How often somebody without a script looks again.
LOOK_SECONDS = 1


@dataclass
class Walker:
    """Goes about with a mouse. Where no script renews a page, they do."""

    medic: Medic
    page: Page
    has_script: bool

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.medic.port}"

    def goes_to(self, name: str) -> None:
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def presses(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def is_told(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("status").filter(has_text=text)).to_be_visible()

    def sees(self, found: Callable[[], Locator], text: str | re.Pattern[str]) -> None:
        """In time: by itself where there is a script, and without the page being loaded anew."""
        if self.has_script:
            self.page.evaluate("window.isTheSamePage = true")
            expect(found()).to_contain_text(text)
            assert self.page.evaluate("window.isTheSamePage")
            return

        def is_seen() -> bool:
            self.page.wait_for_timeout(LOOK_SECONDS * 1000)
            self.page.reload()
            return found().filter(has_text=text).count() > 0

        assert until(is_seen), self.page.locator("body").inner_text()

    def heading(self) -> Locator:
        return self.page.get_by_role("heading", level=1)


def signs_in(walker: Walker) -> None:
    walker.page.goto(walker.url)
    walker.page.get_by_label("API key").fill("mdk_testadmin_" + "x" * 43)
    walker.presses("Sign in")
    expect(walker.page.get_by_role("alert")).to_contain_text("This API key is not valid.")
    sign_in(walker.page, walker.url)


def registers(walker: Walker, name: str) -> None:
    fields = {"Name": name, "Every": str(EVERY_SECONDS), "Grace after that": "0"}
    for label, value in fields.items():
        walker.page.get_by_label(label, exact=True).fill(value)
    walker.page.locator("select[name='unit']").select_option("seconds")
    walker.presses("Register")
    walker.is_told("Registered.")
    expect(walker.heading()).to_contain_text(name)


@contextmanager
def beating(walker: Walker) -> Iterator[None]:
    """A worker sends heartbeats meanwhile, to the address that the page shows."""
    url = walker.page.locator("[data-copy]").first.inner_text()
    assert url.startswith(f"{walker.url}/ping/")
    path, is_over = url.removeprefix(walker.url), threading.Event()

    def beats() -> None:
        while not is_over.is_set():
            assert walker.medic.ask("GET", path, key=None).body == "OK"
            is_over.wait(1)

    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(beats)
        try:
            yield
        finally:
            is_over.set()
    worker.result()


def goes_down_and_comes_back(walker: Walker, name: str) -> None:
    walker.is_told("Waiting for the first heartbeat")
    with beating(walker):
        walker.sees(walker.heading, "Up")
    assert walker.page.get_by_text("Waiting for the first heartbeat").count() == 0
    of_service = walker.page.url
    walker.sees(walker.heading, "Down")
    walker.goes_to("Overview")
    card(walker, name).get_by_role("button", name="Acknowledge").click()
    walker.is_told("Acknowledged")
    walker.page.get_by_role("link", name=name, exact=True).click()
    expect(walker.heading()).to_contain_text("Acknowledged")
    walker.page.get_by_role("link", name=name, exact=True).click()
    expect(walker.page).to_have_url(of_service)
    with beating(walker):
        walker.sees(walker.heading, "Up")
        walker.presses("Pause")
        walker.is_told("Paused")
    walker.goes_to("Overview")
    expect(card(walker, name)).to_have_count(0)


def card(walker: Walker, name: str) -> Locator:
    """What is wrong with a service, on the overview."""
    return walker.page.locator(".card").filter(has=walker.page.get_by_role("link", name=name, exact=True))


PLAYBOOK = """\
name: {name}
description: {description}
approval: required
steps:
  - {{name: rest, type: wait, duration: 1s}}
  - {{name: tell, type: notify, message: it rested}}
"""


def repairs(walker: Walker, name: str) -> None:
    """A playbook is written, corrected, edited, tried and run, and its execution approved."""
    page = walker.page
    walker.goes_to("Playbooks")
    page.get_by_role("link", name="New playbook").first.click()
    editor = page.get_by_label("The playbook, in YAML")
    editor.fill(f"name: {name}")
    walker.presses("Check")
    expect(page.get_by_text("to be corrected")).to_be_visible()
    editor.fill(PLAYBOOK.format(name=name, description="rests"))
    walker.presses("Save")
    expect(walker.heading()).to_contain_text(name)
    editor.fill(PLAYBOOK.format(name=name, description="rests a while"))
    walker.presses("Save")
    walker.is_told(re.compile("version 2", re.IGNORECASE))
    page.get_by_role("link", name="Run or dry run").click()
    walker.presses("Dry run")
    expect(page.get_by_text("Nothing is in its way. Nothing was done.")).to_be_visible()
    walker.presses("Run")
    walker.is_told("Started.")
    walker.sees(walker.heading, "Pending approval")
    page.get_by_label("Why, if you like").fill("seen it on the graph")
    walker.presses("Approve")
    walker.is_told("Approved")
    walker.sees(walker.heading, "Completed")
    expect(page.get_by_text("seen it on the graph").first).to_be_visible()


def signs_out(walker: Walker) -> None:
    walker.presses("Sign out")
    expect(walker.heading()).to_have_text("Sign in")
    walker.page.goto(f"{walker.url}/ui/services")
    expect(walker.heading()).to_have_text("Sign in")


@contextmanager
def a_walker(medic: Medic, *, has_script: bool) -> Iterator[Walker]:
    """With a browser of their own, which complains of nothing and asks nobody else."""
    with a_browser(java_script_enabled=has_script) as context:
        complaints = Complaints()
        complaints.listen(context)
        walker = Walker(medic, context.new_page(), has_script)
        yield walker
        assert [said for said in complaints.said if "status of 4" not in said] == []
        assert all(asked.startswith(walker.url) for asked in complaints.asked)


def walks_with_script(medic: Medic, has_begun: threading.Event) -> None:
    with a_walker(medic, has_script=True) as walker:
        signs_in(walker)
        expect(walker.heading()).to_have_text("Welcome to Medic")
        registers(walker, "nightly-backup")
        has_begun.set()
        goes_down_and_comes_back(walker, "nightly-backup")
        repairs(walker, "with-script")
        signs_out(walker)


def walks_without(medic: Medic, has_begun: threading.Event) -> None:
    assert has_begun.wait(PATIENCE_SECONDS)
    with a_walker(medic, has_script=False) as walker:
        signs_in(walker)
        walker.goes_to("Services")
        walker.page.get_by_role("link", name="Register a service").click()
        registers(walker, "invoices")
        goes_down_and_comes_back(walker, "invoices")
        repairs(walker, "without-script")
        signs_out(walker)


def test_from_the_first_service_to_a_repair(start_medic: Callable[..., Medic], standing_in: Receivers) -> None:
    """Two at the same time: most of it is waiting."""
    medic, has_begun = start_medic(**standing_in.environment), threading.Event()
    with ThreadPoolExecutor() as pool:
        walks = [pool.submit(walk, medic, has_begun) for walk in (walks_with_script, walks_without)]
        for walk in walks:
            walk.result()
