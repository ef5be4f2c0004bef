"""`make sam-local` leaves no function out, and would see one that answers something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.sam_local import expectations, image
from infra.sam_local.expectations import EXPECTATIONS, Expectation
from tests.contract.test_template import FUNCTIONS

EVENTS = Path(__file__).parents[2] / "events"
#: What Lambda hands back of a function that raised.
FAILED = {"errorMessage": "no", "errorType": "ValueError", "requestId": "1", "stackTrace": []}


def test_every_function_is_invoked_and_every_event_used() -> None:
    assert {expectation.function for expectation in EXPECTATIONS} == set(FUNCTIONS)
    assert {expectation.event for expectation in EXPECTATIONS} == {path.stem for path in EVENTS.glob("*.json")}


def test_the_schema_comes_before_all_that_needs_it() -> None:
    assert EXPECTATIONS[0].function == "MigrateFunction"


@pytest.mark.parametrize(
    "expectation", EXPECTATIONS, ids=lambda expectation: f"{expectation.function}-{expectation.promise}"
)
@pytest.mark.parametrize("answer", [FAILED, None, {}, {"statusCode": 500}, "", [], {"report": "AAAA"}], ids=repr)
def test_any_other_answer_is_wrong(expectation: Expectation, answer: object) -> None:
    is_right = answer == {} and expectation.function in {"AskApprovalFunction", "MarkFailedFunction"}
    assert (expectations.verdict(expectation, answer) is None) == is_right


def test_the_recorded_request_is_made_into_one_that_registers() -> None:
    recorded = json.loads((EVENTS / "management_api.json").read_text())
    made = expectations.registering(recorded)
    assert (made["requestContext"]["http"]["method"], made["rawPath"]) == ("POST", "/service")
    assert json.loads(made["body"])["heartbeat_name"] == "nightly-backup"
    assert recorded["requestContext"]["http"]["method"] == "GET"


def test_the_functions_runtime_is_what_the_image_is_made_for() -> None:
    assert image.short(f"lambda/python:3.13-{image.architecture()}") == "lambda/python:3.13"
