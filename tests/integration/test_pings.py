"""The ping URLs, as Healthchecks' clients use them, through the function's own handler."""

from __future__ import annotations

from uuid import uuid4

import pytest

from medic_core.store.connection import Database
from tests.builders import a_service, ping_id, rows
from tests.fixtures.functions import Functions


def kept(database: Database) -> list[tuple[str, str | None, int | None]]:
    return rows(database, "SELECT kind, run_id, exit_status FROM medic.heartbeat_events ORDER BY received_at")


def runs(database: Database) -> list[tuple[str, str, bool]]:
    return rows(database, "SELECT run_id, status, named FROM medic.job_runs ORDER BY job_run_id")


def a_ping_url(database: Database, **wanted: object) -> str:
    return str(ping_id(database, a_service(database, **wanted)))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        ("", "UP"),
        ("/", "UP"),
        ("/start", "STARTED"),
        ("/fail", "FAILED"),
        ("/log", "LOG"),
        ("/0", "UP"),
        ("/1", "FAILED"),
        ("/255", "FAILED"),
    ],
)
def test_every_verb_and_suffix_means_the_same(
    functions: Functions, database: Database, method: str, suffix: str, kind: str
) -> None:
    url = a_ping_url(database)
    reply = functions.ping(url + suffix, method)
    assert (reply.status, reply.body) == (200, "" if method == "HEAD" else "OK")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Ping-Body-Limit"] == "100000"
    assert [row[0] for row in kept(database)] == [kind]


@pytest.mark.parametrize(
    ("target", "status", "said"),
    [
        ("{id}/256", 400, "invalid url format"),
        ("{id}/99999999999", 404, "not found"),
        ("{id}/abc", 404, "not found"),
        ("{id}/-1", 404, "not found"),
        ("{id}/start/x", 404, "not found"),
        ("{id}?rid=nonsense", 400, "invalid uuid format"),
        ("{id}?rid=", 400, "invalid uuid format"),
        ("{upper}", 404, "not found"),
        ("{plain}", 404, "not found"),
        ("%7B{id}%7D", 404, "not found"),
        ("{unknown}", 404, "not found"),
        ("", 404, "not found"),
        ("x" * 5000, 404, "not found"),
        ("../health", 404, "not found"),
        ("some-ping-key-of-nobody/slug", 404, "not found"),
        ("some-ping-key-of-nobody/slug?create=1", 404, "not found"),
        ("some-ping-key-of-nobody/SLUG", 400, "invalid url format"),
    ],
)
def test_what_is_nobodys_url_changes_nothing(
    functions: Functions, database: Database, target: str, status: int, said: str
) -> None:
    url = a_ping_url(database)
    names = {"id": url, "upper": url.upper(), "plain": url.replace("-", ""), "unknown": str(uuid4())}
    reply = functions.ping(target.format(**names))
    assert (reply.status, reply.body) == (status, said)
    assert kept(database) == []


def test_a_run_is_paired_by_its_rid_and_others_do_not_disturb_it(functions: Functions, database: Database) -> None:
    url, first, second = a_ping_url(database), str(uuid4()), str(uuid4())
    for target in (f"/start?rid={first}", f"/start?rid={second}", f"?rid={first}", f"/1?rid={second}", f"?rid={first}"):
        assert functions.ping(url + target).status == 200
    assert runs(database) == [(first, "COMPLETED", True), (second, "FAILED", True)]


def test_a_plain_success_ends_the_run_that_was_started_without_a_rid(functions: Functions, database: Database) -> None:
    url = a_ping_url(database)
    for target in ("", "/start", "/start", "", ""):
        functions.ping(url + target)
    assert [status for _, status, _ in runs(database)] == ["COMPLETED"]
    assert [kind for kind, _, _ in kept(database)] == ["UP", "STARTED", "STARTED", "COMPLETED", "UP"]


def test_an_exit_status_is_kept_with_its_log(functions: Functions, database: Database) -> None:
    url = a_ping_url(database)
    functions.ping(f"{url}/3", "POST", b"\x00binary\xff")
    assert rows(database, "SELECT exit_status, body FROM medic.heartbeat_events") == [(3, b"\x00binary\xff")]


def test_a_long_body_loses_its_end_and_the_address_is_the_gateways(functions: Functions, database: Database) -> None:
    url = a_ping_url(database)
    functions.http("ingest", "POST", f"/ping/{url}", "é" * 500_000, **{"x-forwarded-for": "198.51.100.1"})
    found = rows(database, "SELECT octet_length(body), remote_address FROM medic.heartbeat_events")
    assert found == [(100_000, "203.0.113.9")]


def test_a_slug_url_finds_the_teams_service(functions: Functions, database: Database) -> None:
    a_service(database, "Nightly Backup", team="infra")
    (key,) = rows(database, "SELECT ping_key FROM medic.teams")[0]
    assert functions.ping(f"{key}/nightly-backup").body == "OK"
    assert functions.ping(f"{key}/nightly-backup/start").body == "OK"
    assert functions.ping(f"{key}/unknown").status == 404
    assert [kind for kind, _, _ in kept(database)] == ["UP", "STARTED"]


def test_create_makes_the_service_once_and_pings_it(functions: Functions, database: Database) -> None:
    a_service(database, "something-else", team="infra")
    (key,) = rows(database, "SELECT ping_key FROM medic.teams")[0]
    first, second = functions.ping(f"{key}/new-job?create=1"), functions.ping(f"{key}/new-job?create=1")
    assert (first.status, first.body) == (201, "Created")
    assert (second.status, second.body) == (200, "OK")
    made = "SELECT heartbeat_name, every_seconds, grace_period_seconds FROM medic.services WHERE slug = 'new-job'"
    assert rows(database, made) == [("new-job", 86_400, 3_600)]


def test_two_teams_may_create_the_same_slug(functions: Functions, database: Database) -> None:
    a_service(database, "a", team="infra")
    a_service(database, "b", team="data")
    for (key,) in rows(database, "SELECT ping_key FROM medic.teams ORDER BY team_id"):
        assert functions.ping(f"{key}/backup?create=1").status == 201
        assert functions.ping(f"{key}/backup?create=1").status == 200
    names = rows(database, "SELECT heartbeat_name FROM medic.services WHERE slug = 'backup' ORDER BY service_id")
    assert names == [("backup",), ("team-2-backup",)]


def test_post_only_ignores_what_link_previews_send(functions: Functions, database: Database) -> None:
    url = a_ping_url(database, post_only=True)
    for method in ("GET", "HEAD", "POST"):
        assert functions.ping(url, method).status == 200
    assert [kind for kind, _, _ in kept(database)] == ["IGNORED", "IGNORED", "UP"]


@pytest.mark.parametrize(
    ("unmatched", "body", "kind"),
    [
        ("ignore", "all done", "UP"),
        ("ignore", "done, with ERROR", "FAILED"),
        ("ignore", "starting", "STARTED"),
        ("ignore", "nothing of it", "IGNORED"),
        ("ignore", "", "IGNORED"),
        ("ignore", "DONE", "IGNORED"),
        ("fail", "nothing of it", "FAILED"),
    ],
)
def test_words_in_the_body_decide(
    functions: Functions, database: Database, unmatched: str, body: str, kind: str
) -> None:
    words = {"success_keywords": ("done",), "failure_keywords": ("ERROR",), "start_keywords": ("starting",)}
    url = a_ping_url(database, unmatched_body=unmatched, **words)
    assert functions.ping(url, "POST", body).body == "OK"
    assert [row[0] for row in kept(database)] == [kind]
