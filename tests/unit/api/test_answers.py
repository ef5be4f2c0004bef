from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from http import HTTPStatus
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.api import answers
from medic_core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    MedicError,
    MethodNotAllowed,
    NotFound,
    Reused,
    Stale,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATUSES: dict[type[MedicError], int] = {
    BadRequest: 400,
    TooLarge: 413,
    MethodNotAllowed: 405,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    Reused: 422,
    TooManyRequests: 429,
    Unavailable: 503,
}


def below(kind: type[MedicError]) -> set[type[MedicError]]:
    return {kind}.union(*(below(child) for child in kind.__subclasses__()))


def test_every_error_is_in_the_table_and_none_falls_to_500() -> None:
    ours = {kind for kind in below(MedicError) if kind.__module__ == MedicError.__module__}
    assert ours - {MedicError} == set(STATUSES)


@pytest.mark.parametrize(("kind", "status"), STATUSES.items())
def test_an_error_has_the_status_that_its_meaning_asks_for(kind: type[MedicError], status: int) -> None:
    answer = answers.failed(kind("what is wrong"))
    assert answer["statusCode"] == answers.status_of(kind()) == status
    assert json.loads(answer["body"]) == {"success": False, "message": "what is wrong", "results": ""}


@pytest.mark.parametrize("kind", [MedicError, *STATUSES])
def test_an_error_says_something_also_when_nothing_was_said(kind: type[MedicError]) -> None:
    assert kind().message
    assert json.loads(answers.failed(kind())["body"])["message"] == kind().message


def test_only_what_may_pass_asks_to_be_tried_again_and_only_a_missing_key_for_one() -> None:
    headers = {kind: answers.failed(kind())["headers"] for kind in STATUSES}
    assert {kind for kind in STATUSES if "Retry-After" in headers[kind]} == {Unavailable}
    assert {kind for kind in STATUSES if "WWW-Authenticate" in headers[kind]} == {Unauthorized}
    assert int(headers[Unavailable]["Retry-After"]) > 0


def test_the_envelope_is_the_one_of_v1_and_v2() -> None:
    answer = answers.enveloped("Done.", [{"a": 1}], status=HTTPStatus.CREATED, headers={"X-Extra": "1"})
    assert answer["statusCode"] == 201
    assert answer["headers"] == {"Content-Type": "application/json", "X-Extra": "1"}
    assert json.loads(answer["body"]) == {"success": True, "message": "Done.", "results": [{"a": 1}]}


def test_values_that_json_has_no_word_for_are_written_as_text() -> None:
    body = answers.enveloped("Done.", {"at": NOON, "id": UUID(int=1)})["body"]
    expected = {"at": "2026-03-01T12:00:00Z", "id": "00000000-0000-0000-0000-000000000001"}
    assert json.loads(body)["results"] == expected


def test_health_and_pings_are_answered_bare_and_never_kept_by_anyone() -> None:
    health, ping = answers.bare({"status": "up", "at": NOON}), answers.text("OK")
    assert json.loads(health["body"]) == {"status": "up", "at": "2026-03-01T12:00:00Z"}
    assert (ping["body"], ping["statusCode"]) == ("OK", 200)
    assert ping["headers"]["Content-Type"] == "text/plain; charset=utf-8"
    assert {answer["headers"]["Cache-Control"] for answer in (health, ping)} == {"no-store"}


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (NOON, "2026-03-01T12:00:00Z"),
        (NOON.replace(microsecond=120_000), "2026-03-01T12:00:00.120000Z"),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=45))), "2026-03-01T12:00:00Z"),
        (NOON.astimezone(timezone(-timedelta(hours=9))), "2026-03-01T12:00:00Z"),
    ],
)
def test_times_are_written_in_utc_whatever_zone_they_come_in(moment: datetime, said: str) -> None:
    assert answers.rfc3339(moment) == said


@given(st.text())
def test_any_message_can_be_answered(message: str) -> None:
    assert json.loads(answers.failed(BadRequest(message or "x"))["body"])["message"] == (message or "x")
