"""What every page of the dashboard costs and carries: bytes, statements, headers, cookies."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders import watch_statements
from tests.fixtures.crowds import gather
from tests.fixtures.dashboard import Dashboard
from tests.fixtures.functions import Reply
from tests.fixtures.pages import PageOf, pages_of
from tests.fixtures.worlds import World

DOCUMENT = Path(__file__).parents[2] / "docs" / "dashboard.md"
WRITES = "MEDIC_PICTURES" in os.environ
TABLE = re.compile(r"(?<=<!-- pages -->\n).*?(?=<!-- /pages -->)", re.DOTALL)
MOST_BYTES, MOST_COMPRESSED = 100_000, 40_000
#: A page of a list is full, with one more after it.
ROWS = 51
#: Besides that of the session.
MOST_STATEMENTS = 2
#: What the rules look at of a service, whether Medic was away, the past, who is told; and the calendar's three lists.
MORE = {"/ui/services/<service_id>": 4, "/ui/calendar": 3}
ASSET = re.compile(r'(?:href|src)="(/ui/assets/[^"]+)"')

INLINE = re.compile(r"""\s(style|on[a-z]+)=["']|<style|<script(?! src="/ui/assets/)""")


@dataclass(frozen=True)
class Cost:
    """What a page costs."""

    page: PageOf
    reply: Reply
    bytes: int
    compressed: int
    statements: int


#: What an instance writes down every so many seconds, whichever page is asked for then, and its look whether it lives.
NOW_AND_THEN = re.compile(r"last_used_at = now|INTO medic\.counters|^SELECT 1$")


@pytest.fixture
def costs(world: World, dashboard: Dashboard, database_url: str) -> list[Cost]:
    """Of each page, with full lists."""
    gather(database_url, ROWS)
    heard = watch_statements(dashboard.functions.module("door").DATABASE)
    return [_cost(dashboard, page, heard) for page in pages_of(world.functions, world.database, world.ids)]


def _cost(dashboard: Dashboard, page: PageOf, heard: list[str]) -> Cost:
    heard.clear()
    reply = dashboard.get(page.path)
    assert reply.status == 200, (page, reply.body)
    statements = [one for one in heard if one not in {"BEGIN", "COMMIT"} and not NOW_AND_THEN.search(one)]
    parts = [reply.body, *(_asset(dashboard, path) for path in set(ASSET.findall(reply.body)))]
    packed = sum(len(gzip.compress(part.encode(), 6)) for part in parts)
    # With a session the first one asks for its key.
    own = len(statements) - (not page.is_open)
    return Cost(page, reply, sum(len(part.encode()) for part in parts), packed, own)


def _asset(dashboard: Dashboard, path: str) -> str:
    return dashboard.get(path).body


def shows_html(cost: Cost) -> bool:
    return cost.reply.headers["Content-Type"].startswith("text/html")


def test_no_page_is_heavy(costs: list[Cost]) -> None:
    heavy = {
        cost.page.path: (cost.bytes, cost.compressed)
        for cost in costs
        if cost.bytes > MOST_BYTES or cost.compressed > MOST_COMPRESSED
    }
    assert heavy == {}


def test_a_page_is_one_or_two_statements_and_what_each_takes_is_written_down(costs: list[Cost]) -> None:
    dear = {
        cost.page.path: cost.statements for cost in costs if cost.statements > MORE.get(cost.page.rule, MOST_STATEMENTS)
    }
    assert dear == {}
    rows = [
        f"| `{one.page.rule}` | {one.statements} | {one.bytes / 1000:.0f} kB | {one.compressed / 1000:.0f} kB |"
        for one in costs
    ]
    head = "| page | statements | bytes | compressed |\n| --- | --- | --- | --- |\n"
    written = DOCUMENT.read_text()
    if WRITES:
        DOCUMENT.write_text(TABLE.sub(head + "\n".join(rows) + "\n", written))
        return
    kept = {line.split("|")[1].strip(" `"): int(line.split("|")[2]) for line in _table(written)}
    assert kept == {cost.page.rule: cost.statements for cost in costs}, "`make pictures` writes docs/dashboard.md anew"


def _table(written: str) -> Iterator[str]:
    (table,) = TABLE.findall(written)
    return (line for line in table.splitlines()[2:] if line)


def test_each_page_says_what_may_run_and_is_kept_by_nobody(costs: list[Cost]) -> None:
    for cost in costs:
        headers = cost.reply.headers
        assert cost.page.is_open or headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        if shows_html(cost):
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert not INLINE.search(cost.reply.body), cost.page


def test_every_cookie_is_kept_from_scripts_and_from_other_sites(world: World) -> None:
    visitor = Dashboard(world.functions)
    given = [visitor.get("/ui/sign-in"), visitor.sign_in()]
    service_id = world.services["dns-updater"]
    given += [visitor.post(f"/ui/services/{service_id}/do/pause"), visitor.get("/ui"), visitor.post("/ui/sign-out")]
    cookies = [reply.headers["Set-Cookie"] for reply in given]
    assert len(cookies) == 5
    for cookie in cookies:
        assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; ")), cookie
