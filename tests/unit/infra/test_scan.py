"""What the scanner of templates finds needs a reason, and a reason a finding."""

from __future__ import annotations

from infra.scan import judged

FINDING = {"check_id": "CKV_1", "resource": "Queue", "file_path": "/t.yaml", "check_name": "Be encrypted"}


def test_a_finding_without_a_reason_is_a_problem() -> None:
    assert judged([FINDING], {}) == ["CKV_1 Queue (/t.yaml): Be encrypted"]


def test_one_with_a_reason_is_none() -> None:
    assert judged([FINDING, FINDING], {"CKV_1": "it is"}) == []


def test_a_reason_that_excuses_nothing_must_go() -> None:
    assert judged([], {"CKV_1": "it is"}) == ["CKV_1 is kept everywhere: its exception can go"]
