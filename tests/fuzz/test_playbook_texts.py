"""Playbooks: structures that nobody meant, and good ones with something wrong in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.repair.language import InvalidPlaybook, Playbook, parse, problems
from medic_core.domain.repair.reading import Problem, plain, read
from tests.fuzz import junk

EXAMPLES = [path.read_text() for path in sorted((Path(__file__).parents[2] / "examples").rglob("*.y*ml"))]
FIELDS = [
    "name", "type", "url", "method", "headers", "body", "success_codes", "timeout", "script", "parameters", "duration",
    "check", "message", "approvers", "on_timeout", "if", "retry", "on_failure", "register", "idempotent",
]  # fmt: skip
KINDS = ["webhook", "script", "wait", "condition", "notify", "approval"]
step = st.builds(
    lambda kind, others: {"name": "a", "type": kind, **others},
    st.sampled_from(KINDS) | junk.values,
    st.dictionaries(st.sampled_from(FIELDS) | junk.texts, junk.values, max_size=5),
)
playbooks = junk.like(
    name=st.just("a"),
    steps=st.lists(step, max_size=3),
    approval=st.sampled_from(["none", "required", "timeout:5m", "timeout:999999m"]),
    approvers=junk.values,
    timeout=junk.texts,
    verify=junk.texts,
)
#: Cut anywhere, with anything put in.
spoiled = st.builds(
    lambda text, share, junk, skipped: text[: int(len(text) * share)] + junk + text[int(len(text) * share) + skipped :],
    st.sampled_from(EXAMPLES),
    st.floats(0, 1),
    junk.texts,
    st.integers(0, 60),
)


def written(value: Any) -> str:
    """A structure as YAML has it, aliases and all."""
    return str(yaml.safe_dump(value, allow_unicode=True))


@given(playbooks.map(written) | spoiled)
def test_any_structure_is_a_playbook_or_is_told_why_not(text: str) -> None:
    told = problems(text)
    if told:
        with pytest.raises(InvalidPlaybook):
            parse(text)
    else:
        assert isinstance(parse(text), Playbook)
    assert all(isinstance(problem, Problem) and str(problem) for problem in told)


@given(junk.values.map(written) | junk.raw.map(lambda body: body.decode("utf-8", "replace")) | junk.texts)
def test_any_yaml_is_read_or_is_told_why_not(text: str) -> None:
    found: list[Problem] = []
    node = read(text, found)
    assert node is not None or found
    if node is not None:
        plain(node)
