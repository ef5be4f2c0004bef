"""Somebody without a mouse: all of the dashboard's work is done from the keyboard, and where one is can be seen."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page, expect

from medic_core.domain.watching.signals import SignalKind
from medic_core.store.connection import Database
from tests.builders import hears
from tests.fixtures.bridge import Bridge
from tests.fixtures.functions import ADMIN_KEY
from tests.system.browsing import a_browser
from tests.system.looking import Complaints

#: More than any page of this walk has; whoever needs more goes in a circle.
MOST_STOPS = 80
#: What is in focus, as people call it, and what hides that it is: no ring, outside of the window, behind something.
STOP = """() => {
  const one = document.activeElement
  if (one === document.body) return { name: "", hidden: [] }
  const label = one.labels?.[0], own = label && label.childNodes[0].textContent.trim()
  const name = one.ariaLabel || own || (label || one).innerText.trim()
  const box = one.getBoundingClientRect(), ring = getComputedStyle(one)
  const x = box.left + Math.min(box.width / 2, innerWidth / 2), y = box.top + Math.min(box.height / 2, innerHeight / 2)
  const found = document.elementFromPoint(x, y)
  const isOver = found && (one.contains(found) || found.contains(one))
  const hidden = []
  if (ring.outlineStyle !== "solid" || parseFloat(ring.outlineWidth) < 2) hidden.push("no ring")
  if (!box.width || !box.height || x < 0 || y < 0 || x > innerWidth || y > innerHeight) hidden.push("out of sight")
  else if (!isOver) hidden.push(`behind ${found && found.outerHTML.slice(0, 80)}`)
  return { name, hidden }
}"""


@dataclass
class Keyboard:
    """Goes from one thing to the next, and sees each time where that is."""

    page: Page

    def press(self, key: str) -> str:
        """Presses a key; the name of what is in focus then."""
        self.page.keyboard.press(key)
        stop = self.page.evaluate(STOP)
        assert stop["hidden"] == [], (self.page.url, stop)
        return str(stop["name"])

    def reach(self, name: str, key: str = "Tab") -> None:
        passed = []
        while not passed or passed[-1] != name:
            assert len(passed) < MOST_STOPS, (self.page.url, name, passed)
            passed.append(self.press(key))

    def enter(self, name: str) -> None:
        """On a link or a button, and waits for where that leads."""
        self.reach(name)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def write(self, name: str, text: str) -> None:
        """What was in the field is in the selection when one comes to it by Tab."""
        self.reach(name)
        self.page.keyboard.type(text)

    def is_told(self, text: str) -> None:
        expect(self.page.get_by_role("status").filter(has_text=text)).to_be_visible()


def signs_in(keyboard: Keyboard, url: str) -> None:
    """The field is in focus already; from then on the first stop of each page leads past its head."""
    keyboard.page.goto(url)
    keyboard.page.keyboard.type(ADMIN_KEY)
    keyboard.enter("Sign in")
    assert keyboard.press("Tab") == "Skip to the content"
    keyboard.page.keyboard.press("Enter")
    assert keyboard.page.evaluate("document.activeElement.id") == "main"


def registers(keyboard: Keyboard, name: str) -> None:
    assert keyboard.press("Tab") == "Name"
    keyboard.page.keyboard.type(name)
    keyboard.write("Every", "10")
    keyboard.reach("Priority")
    keyboard.page.keyboard.press("ArrowUp")
    keyboard.enter("Register")
    keyboard.is_told("Registered.")
    expect(keyboard.page.get_by_role("heading", level=1)).to_contain_text(name)


def finds_and_mutes(keyboard: Keyboard, name: str) -> None:
    keyboard.enter("Services")
    keyboard.write("Name", name[:4])
    keyboard.enter("Show")
    expect(keyboard.page.locator(".chip.p2")).to_be_visible()
    keyboard.reach(name)
    keyboard.page.keyboard.press("Space")
    keyboard.reach("Do to all that are ticked")
    keyboard.page.keyboard.press("ArrowDown")
    keyboard.enter("Do it")
    keyboard.is_told("1 of 1 services done.")
    expect(keyboard.page.locator(".chip", has_text="muted")).to_be_visible()


def opens_and_chooses(keyboard: Keyboard) -> None:
    """What unfolds, folds again; of several ways one is chosen with the arrows."""
    keyboard.enter("API keys")
    keyboard.reach("Rotate…")
    keyboard.page.keyboard.press("Enter")
    assert keyboard.press("Tab") == "The old text works on, in hours"
    assert keyboard.press("Shift+Tab") == "Rotate…"
    keyboard.page.keyboard.press("Space")
    assert keyboard.press("Tab") == "Revoke…"
    keyboard.enter("Targets")
    keyboard.reach("Slack: a channel's id, like C0123456789")
    assert keyboard.press("ArrowDown").startswith("PagerDuty")
    assert keyboard.page.locator("input[value=pagerduty]").is_checked()


def saves_a_playbook(keyboard: Keyboard) -> None:
    """The editor gives Tab to whoever wants to leave it, either way."""
    keyboard.enter("Playbooks")
    keyboard.enter("New playbook")
    keyboard.reach("The playbook, in YAML")
    assert keyboard.press("Tab") == "Save"
    assert keyboard.press("Shift+Tab") == "The playbook, in YAML"
    keyboard.page.keyboard.type("# From the keyboard.\n")
    keyboard.enter("Save")
    keyboard.is_told("Saved as version 1.")


def test_all_that_is_done_with_a_mouse_is_done_without(bridge: Bridge, database: Database) -> None:
    with a_browser() as context:
        complaints = Complaints()
        complaints.listen(context)
        keyboard = Keyboard(context.new_page())
        signs_in(keyboard, bridge.url)
        registers(keyboard, "nightly")
        finds_and_mutes(keyboard, "nightly")
        with bridge.lock:
            hears(database, "nightly", SignalKind.DOWN)
        keyboard.enter("Overview")
        keyboard.enter("Acknowledge")
        keyboard.is_told("Acknowledged")
        opens_and_chooses(keyboard)
        saves_a_playbook(keyboard)
        keyboard.enter("Sign out")
        expect(keyboard.page.get_by_role("heading", level=1)).to_have_text("Sign in")
        assert complaints.said == []
