"""A real browser opens an approval's page, decides, and sees what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.fixtures.receivers import Receivers
from tests.system.browsing import Scheme, a_browser, photograph
from tests.system.conftest import ROOT, Medic, until
from tests.system.repairs import Repairs

#: `make pictures` renews those of the documentation.
PICTURES = ROOT / "docs" / "images" if os.environ.get("MEDIC_PICTURES") else None
WIDTHS = {"phone": 390, "desktop": 1200}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PLAYBOOK = {
    "name": "drain-and-restart",
    "description": "Takes the worker out of the pool, restarts it, and puts it back once it answers.",
    "approval": "required",
    "steps": [
        {"name": "look-around", "type": "wait", "duration": "1s", "if": "PRIORITY == 'p2'"},
        {"name": "tell", "type": "notify", "message": "${SERVICE_NAME} is being restarted"},
        {
            "name": "restart",
            "type": "webhook",
            "url": "https://deploy.example.com/restart",
            "if": "PRIORITY == 'p5'",
            "headers": {"Authorization": "Bearer ${secrets.DEPLOY_TOKEN}"},
            "body": {"service": "${SERVICE_NAME}", "because": "${CONSECUTIVE_FAILURES} missed in a row"},
        },
    ],
    "finally": [{"name": "put-back", "type": "notify", "message": "done"}],
}


@pytest.fixture
def repairs(start_medic: Callable[..., Medic], standing_in: Receivers) -> Iterator[Repairs]:
    found = Repairs(start_medic(**standing_in.environment))
    found.asked("PUT", "/v2/secrets/DEPLOY_TOKEN", {"value": "s3cret-of-the-browser-test"})
    yield found
    found.close()


def asking(repairs: Repairs, number: int, **more: Any) -> int:
    """An execution that asks, about a service that is watched."""
    runbook = "https://runbooks.example.com/orders"
    service_id = repairs.register(f"orders-{number}", every_seconds=3600, priority="p2", runbook=runbook)
    playbook_id = repairs.playbook({**PLAYBOOK, "name": f"drain-and-restart-{number}", **more})
    execution_id = repairs.execute(playbook_id, service_id, CONSECUTIVE_FAILURES=3)
    repairs.until_it(execution_id, lambda execution: execution["status"] == "pending_approval")
    return execution_id


def link_of_a_message(standing_in: Receivers, execution_id: int) -> tuple[str, str]:
    def found() -> tuple[str, str] | None:
        for one in standing_in.webhook.received:
            approval = one.content["data"].get("approval", {})
            if approval.get("execution_id") == execution_id and "url" in approval:
                return approval["url"], approval["code"]
        return None

    link: tuple[str, str] | None = until(found)
    assert link is not None
    return link


def heard_errors(page: Page) -> list[str]:
    """What the browser complains of, from now on: a policy that is broken, something that cannot be loaded."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("requestfailed", lambda request: heard.append(request.url) if is_missed(request) else None)
    return heard


def is_missed(request: Request) -> bool:
    """Whoever goes on to another page waits for nothing of the former."""
    return request.failure != "net::ERR_ABORTED"


@pytest.mark.parametrize("has_script", [False, True], ids=["without script", "with script"])
def test_a_person_opens_the_link_reads_and_decides(repairs: Repairs, standing_in: Receivers, has_script: bool) -> None:
    execution_id = asking(repairs, 1)
    url, code = link_of_a_message(standing_in, execution_id)
    with a_browser(java_script_enabled=has_script) as context:
        page = context.new_page()
        complaints = heard_errors(page)
        page.goto(url)
        expect(page.get_by_role("heading", level=1)).to_have_text("May Medic repair orders-1?")
        expect(page.get_by_text("Authorization: Bearer ***")).to_be_visible()
        expect(page.get_by_text("because: 3 missed in a row")).to_be_visible()
        # Enter in a field is no decision.
        page.get_by_label("Code from the message").fill(code)
        page.get_by_label("Code from the message").press("Enter")
        expect(page.get_by_role("button", name="Approve")).to_be_visible()
        assert repairs.execution(execution_id)["status"] == "pending_approval"
        wrong = "000000" if code != "000000" else "111111"
        page.get_by_label("Code from the message").fill(wrong)
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("alert")).to_contain_text("That is not the code of this link")
        page.get_by_label("Code from the message").fill(code)
        page.get_by_label("Your name").fill("Ann")
        page.get_by_label("Why").fill("seen it on the graph")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Approved")
        execution = repairs.end_of(execution_id)
        assert (execution["status"], execution["approval"]["decided_by"]) == ("completed", "Ann (link)")
        page.goto(url)
        expect(page.get_by_role("heading", level=1)).to_have_text("Approved already")
        expect(page.get_by_text("Decided already: approved by Ann (link).")).to_be_visible()
        assert [one for one in complaints if "status of 4" not in one] == []


def test_all_of_it_can_be_done_from_the_keyboard(repairs: Repairs) -> None:
    execution_id = asking(repairs, 1)
    with a_browser(WIDTHS["phone"]) as context:
        page = context.new_page()
        page.goto(repairs.execution(execution_id)["approval"]["url"])
        reached = []
        for _ in range(30):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.id"))
            if reached[-1] == "Reject":
                break
        assert reached[0] == "decide below"
        assert reached[-3:] == ["reason", "Approve", "Reject"]
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        # Nothing is wider than a phone.
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS["phone"]
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Rejected")
    assert repairs.end_of(execution_id)["outcome"] == "rejected"


def contrast(page: Page) -> list[tuple[float, str]]:
    """The contrast of each text with what is behind it (WCAG 2.2, 1.4.3), the least first."""
    found: list[tuple[float, str]] = page.evaluate(
        """() => {
          const parts = text => text.match(/[\\d.]+/g).map(Number)
          const light = rgb => rgb.slice(0, 3).map(value => value / 255)
            .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
            .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0)
          const behind = element => {
            for (let one = element; one; one = one.parentElement) {
              const colour = parts(getComputedStyle(one).backgroundColor)
              if (colour.length < 4 || colour[3] > 0) return colour
            }
            return [255, 255, 255]
          }
          const texts = [...document.querySelectorAll("body *")].filter(one =>
            [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
          return texts.map(one => {
            const [a, b] = [light(parts(getComputedStyle(one).color)), light(behind(one))]
            return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.textContent.trim().slice(0, 40)]
          }).sort((one, other) => one[0] - other[0])
        }"""
    )
    return found


def test_it_reads_well_on_a_phone_and_a_desk_by_day_and_by_night(
    repairs: Repairs, standing_in: Receivers, tmp_path: Path
) -> None:
    by_code, _ = link_of_a_message(standing_in, asking(repairs, 1))
    named = asking(repairs, 2, approvers=["ann", "U024BE7LH", "on-call"], approvers_required=2)
    by_key, _ = link_of_a_message(standing_in, named)
    over = asking(repairs, 3)
    done, _ = link_of_a_message(standing_in, over)
    repairs.asked("POST", f"/v2/executions/{over}/approve", {"reason": "seen it on the graph"})
    pages = {"approval": by_code, "approval-named": by_key, "approval-decided": done}
    for where, width in WIDTHS.items():
        for scheme in SCHEMES:
            with a_browser(width, scheme) as context:
                for name, url in pages.items():
                    picture = (PICTURES or tmp_path) / f"{name}-{where}-{scheme}.png"
                    photograph(context, url, picture)
                    assert picture.stat().st_size > 10_000
                    page = context.new_page()
                    page.goto(url)
                    least, text = contrast(page)[0]
                    assert least >= 4.5, (name, scheme, text, least)
                    unnamed = page.evaluate(
                        "[...document.querySelectorAll('input:not([type=hidden]), textarea')]"
                        ".filter(one => !one.labels.length).length"
                    )
                    assert unnamed == 0
                    assert page.evaluate("document.documentElement.scrollWidth") <= width
                    assert page.evaluate("document.documentElement.lang") == "en"
