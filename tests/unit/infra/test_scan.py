"""What is found in the templates needs a reason, and a reason a finding."""

from __future__ import annotations

from typing import Any

import pytest

from infra.scan import Excuse, Finding, excuses, judged, read_checkov

FOUND: Finding = ("CKV_1", "template.SpoolQueue", "Be encrypted")


def test_a_finding_without_a_reason_is_a_problem() -> None:
    assert judged([FOUND], []) == ["CKV_1: template.SpoolQueue: Be encrypted"]


@pytest.mark.parametrize("resource", ["template.SpoolQueue", "template.*Queue"])
def test_one_with_a_reason_is_none(resource: str) -> None:
    assert judged([FOUND, FOUND], [Excuse("CKV_1", resource, "it is")]) == []


@pytest.mark.parametrize(
    "excuse",
    [Excuse("CKV_2", "template.SpoolQueue", "it is"), Excuse("CKV_1", "data.*", "it is"), Excuse("CKV_1", "Spool", "")],
)
def test_a_reason_for_another_rule_or_another_place_is_none(excuse: Excuse) -> None:
    assert judged([FOUND], [excuse]) == [
        "CKV_1: template.SpoolQueue: Be encrypted",
        f"{excuse.rule}: {excuse.resource}: is kept, its exception can go",
    ]


def test_each_place_of_an_exception_is_one_that_needs_it() -> None:
    read = excuses("CKV_1: [{resources: [template.SpoolQueue, template.Gone], reason: it is}]")
    assert judged([FOUND], read) == ["CKV_1: template.Gone: is kept, its exception can go"]


@pytest.mark.parametrize(
    "text",
    [
        "CKV_1: [{resources: [a]}]",
        "CKV_1: [{resources: [a], reason: ' '}]",
        "CKV_1: [{resources: [], reason: it is}]",
        "CKV_1: [{reason: it is}]",
    ],
)
def test_an_exception_has_a_place_and_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match="CKV_1"):
        excuses(text)


def test_no_exceptions_are_none() -> None:
    assert excuses("# nothing\n") == []


BOTH = {"data.json", "template.json"}


def answer(*, errors: int = 0, files: tuple[str, ...] = ("/data.json", "/template.json")) -> dict[str, Any]:
    """What checkov says."""
    failed = {"check_id": "CKV_1", "resource": "AWS::SQS::Queue.Q", "file_path": files[-1], "check_name": "Be it"}
    passed = [{**failed, "file_path": name} for name in files]
    return {
        "summary": {"parsing_errors": errors},
        "results": {"passed_checks": passed, "failed_checks": [failed]},
    }


def test_what_checkov_finds_is_named_as_our_own() -> None:
    assert read_checkov(answer(), BOTH) == [("CKV_1", "template.Q", "Be it")]


@pytest.mark.parametrize("said", [answer(errors=1), answer(files=("/template.json",))])
def test_a_template_that_checkov_did_not_read_is_no_clean_one(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has not read"):
        read_checkov(said, BOTH)
