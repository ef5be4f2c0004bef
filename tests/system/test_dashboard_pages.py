"""Every page of the dashboard in a real browser: nobody is kept out by how it is made, and nobody's text runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from medic_core.domain.access.api_keys import Scope
from tests.fixtures.bridge import Bridge
from tests.fixtures.pages import PageOf, others, pages_of
from tests.fixtures.worlds import HOSTILE, World, a_key
from tests.system.browsing import Scheme
from tests.system.looking import axe, signed_in, violations

WIDTHS = {"phone": 390, "desktop": 1200}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
LOWEST = 900


def pages_of_world(world: World) -> list[PageOf]:
    """What people look at; badges are pictures, which a browser shows too."""
    found = pages_of(world.functions, world.database, world.ids)
    return [page for page in found if not page.rule.endswith((".csv", ".json"))]


@pytest.mark.skipif(axe() is None, reason="there is no npm here to bring axe")
def test_no_page_keeps_anybody_out_by_day_or_by_night_on_a_desk_or_a_phone(world: World, bridge: Bridge) -> None:
    found: dict[str, list[str]] = {}
    with signed_in(bridge.url, bypass_csp=True) as (page, _):
        for name in everything_to_look_at(page, bridge, world):
            for where, width in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": LOWEST})
                for scheme in SCHEMES:
                    page.emulate_media(color_scheme=scheme)
                    found[f"{name}, {where}, {scheme}"] = violations(
                        page, only_looks=(where, scheme) != ("desktop", "light")
                    )
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, where)
    wrong = {name: texts for name, texts in found.items() if texts}
    assert not wrong, "\n".join(f"{name}\n  " + "\n  ".join(texts) for name, texts in wrong.items())


def everything_to_look_at(page: Page, bridge: Bridge, world: World) -> Iterator[str]:
    """Goes there and says where it is: each page, each form as it comes back, what is shown once, and the first run."""
    paths = [one.path for one in [*pages_of_world(world), *others()] if not one.rule.endswith(".svg")]
    for path in paths:
        page.goto(bridge.url + path)
        yield path
    answered = 0
    for path, kind in asking(page, bridge, paths):
        answered += 1
        yield f"{kind} of {path}, answered"
    assert answered >= LEAST_ANSWERS
    page.goto(f"{bridge.url}/ui/api-keys")
    page.get_by_label("Name").fill("new")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This is the new key")
    yield "a new key"
    page.goto(f"{bridge.url}/ui/targets")
    page.get_by_label("URL", exact=True).fill(f"{world.receivers.webhook.url}/hook")
    page.get_by_role("region", name="Add a webhook").get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Its signing secret")
    yield "a new secret"
    with bridge.lock, world.database.transaction() as tx:
        tx.execute("DELETE FROM medic.services")
    page.goto(f"{bridge.url}/ui")
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to Medic")
    yield "the first run"


def asking(page: Page, bridge: Bridge, paths: list[str]) -> Iterator[tuple[str, str]]:
    """Sends each form that takes text what it cannot take, and stays where it is asked for again."""
    sent: set[str] = set()
    for path in paths:
        page.goto(bridge.url + path)
        for kind in {kind for kind, takes_text in page.evaluate(ASKING) if takes_text} - sent:
            sent.add(kind)
            page.goto(bridge.url + path)
            number = [kind for kind, _ in page.evaluate(ASKING)].index(kind)
            with page.expect_navigation() as answer:
                page.evaluate(SENT, [number, NO_TEXT])
            assert answer.value.request.redirected_from is None, f"{kind} of {path} takes {NO_TEXT!r}"
            if page.locator("main form").count():
                yield path, kind


@pytest.mark.skipif(axe() is None, reason="there is no npm here to bring axe")
def test_what_keeps_people_out_is_found(bridge: Bridge) -> None:
    pale = "<img src=/ui/assets/x><p class=pale style='color: #eee; background: #fff'>pale</p>"
    with signed_in(bridge.url, bypass_csp=True) as (page, _):
        page.evaluate("html => document.querySelector('main').insertAdjacentHTML('beforeend', html)", pale)
        assert [text.partition(":")[0] for text in violations(page)] == ["color-contrast", "image-alt"]


#: What only a text that was taken for markup can have made.
INJECTED = """() => [...document.querySelectorAll(
    "img, iframe, style, embed, object, #injected, [srcdoc], a[href^='javascript:' i], [href^='data:' i]"
  ), ...[...document.querySelectorAll("body *")].filter(one => [...one.attributes].some(a => /^on/.test(a.name))),
  ...[...document.scripts].filter(one => !one.src.startsWith(`${location.origin}/ui/assets/`))
].map(one => one.outerHTML.slice(0, 200))"""
#: The script renews the page at once, instead of in some seconds.
RENEW = "document.dispatchEvent(new Event('visibilitychange'))"
ATTACK = """'">javascript:window.ran=20<svg/onload=window.ran=21><img src=x onerror=window.ran=22>{{7*7}}"""
#: Each form that asks for something, filled in with an attack wherever it takes text.
FILLED = """attack => [...document.querySelectorAll("form[method=get]")].map(form =>
  `${form.getAttribute("action")}?${new URLSearchParams([...new FormData(form).keys()].map(name => [name, attack]))}`
)"""
#: The fields of a form in which anything can be written.
TEXTS = "input:not([type=hidden], [type=checkbox], [type=radio]), textarea"
#: Every button that sends a form, but the one that signs out; and whom it sends that to, whatever its number.
BUTTONS = """[...document.querySelectorAll("form[method=post] button:not([type=button])")]
  .filter(one => !one.closest("form.who"))"""
KINDS = f"""{BUTTONS}.map(one =>
  (one.getAttribute("formaction") || one.form.getAttribute("action") || location.pathname).replace(/[0-9]+/g, "N"))"""
#: The same, and whether the form takes text.
ASKING = f"""{BUTTONS}.map((one, at) => [({KINDS})[at], !!one.form.querySelector({TEXTS!r})])"""
SENT = f"""([number, attack]) => {{
  const button = {BUTTONS}[number], form = button.form
  for (const field of form.querySelectorAll({TEXTS!r}))
    field.value = attack
  form.noValidate = true
  form.requestSubmit(button)
}}"""

#: An answer that says no, and a value that is no time.
EXPECTED = re.compile("status of [45]|does not conform")
LEAST_FORMS = 30
#: A bell, which no field takes; and so many forms at least are shown again when they are sent it.
NO_TEXT, LEAST_ANSWERS = "\a", 6


def nothing_ran(page: Page) -> bool:
    return bool(page.evaluate("typeof window.ran === 'undefined'")) and page.evaluate(INJECTED) == []


def a_hostile_admin(world: World) -> str:
    return a_key(world.database, f"ann{HOSTILE[1]}", Scope.ADMIN)


@pytest.mark.parametrize("is_kept_by_the_policy", [True, False], ids=["with its policy", "without its policy"])
def test_nothing_that_anybody_wrote_runs_on_any_page(
    hostile_world: World, bridge: Bridge, is_kept_by_the_policy: bool
) -> None:
    """Without the policy an attack that got through would run; with it, the browser would complain of it."""
    key = a_hostile_admin(hostile_world)
    shown: set[str] = set()
    with signed_in(bridge.url, key, bypass_csp=not is_kept_by_the_policy) as (page, complaints):
        for one in [*pages_of_world(hostile_world), *others()]:
            page.goto(bridge.url + one.path)
            assert nothing_ran(page), one.path
            if page.locator("[data-live]").count():
                with page.expect_response(lambda response: response.request.headers.get("x-fragment") == "live"):
                    page.evaluate(RENEW)
                page.wait_for_function("!document.querySelector('[data-live]:empty')")
                assert nothing_ran(page), f"{one.path}, renewed"
            text = page.evaluate("document.documentElement.textContent")
            shown |= {attack for attack in HOSTILE if attack in text}
            if page.locator("main textarea, main input").count() and not is_kept_by_the_policy:
                for target in page.evaluate(FILLED, ATTACK):
                    page.goto(bridge.url + target)
                    assert nothing_ran(page), target
        assert [said for said in complaints.said if "status of 4" not in said] == []
        assert all(asked.startswith(bridge.url) for asked in complaints.asked)
    # They are there to be read, each of them.
    assert shown == set(HOSTILE)


def test_what_a_form_is_sent_is_shown_again_as_text(hostile_world: World, bridge: Bridge) -> None:
    sent: set[str] = set()
    with signed_in(bridge.url, a_hostile_admin(hostile_world), bypass_csp=True) as (page, complaints):
        for one in pages_of_world(hostile_world):
            page.goto(bridge.url + one.path)
            for kind in set(page.evaluate(KINDS)) - sent:
                page.goto(bridge.url + one.path)
                kinds = page.evaluate(KINDS)
                if kind in kinds:
                    with page.expect_navigation():
                        page.evaluate(SENT, [kinds.index(kind), ATTACK])
                    assert nothing_ran(page), (one.path, kind, page.url)
                    sent.add(kind)
        assert [said for said in complaints.said if not EXPECTED.search(said)] == []
    assert len(sent) > LEAST_FORMS
