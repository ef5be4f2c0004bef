"""YAML without surprises: what a scalar means, what is refused, and that nothing large is ever built."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.repair import reading
from medic_core.domain.repair.language import problems
from medic_core.domain.repair.reading import MOST_BYTES, MOST_NODES, Problem, plain, read

LOADERS = [reading.LOADER, yaml.SafeLoader]
STEP = "- {name: a, type: wait, duration: 1}\n"
HOSTILE = {
    "ten thousand steps": "name: x\nsteps:\n" + STEP * 10_000,
    "many small steps": "name: x\nsteps:\n" + "- {}\n" * 10_000,
    "a megabyte of text": "name: " + "x" * 2**20,
    "a long text": "name: " + "x" * 60_000,
    "a long folded text": "name: >\n" + " x\n" * 20_000,
    "a long key": "x" * 60_000 + ": 1",
    "open brackets": "[" * 3_000,
    "brackets": "[" * 3_000 + "]" * 3_000,
    "braces": "{" * 3_000,
    "braces with keys": "{a: " * 3_000,
    "dashes": "- " * 30_000,
    "indents": "".join(" " * depth + "a:\n" for depth in range(300)),
    "question marks": "? " * 30_000,
    "quotes": '"' * 60_000,
    "ampersands": "&" * 60_000,
    "digits": "version: " + "9" * 60_000,
    "an exponent": "version: 1e" + "9" * 60_000,
    "many keys": "name: x\n" + "".join(f"k{number}: 1\n" for number in range(2_400)),
    "the same key": "{" + "a," * 30_000,
    "comments": "#" * 60_000,
    "aliases": "a: &a [x, x]\n"
    + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "an alias of itself": "&a [*a]",
    "braces beside a mistake": "a: b: c #" + "{" * 60_000,
    "many headers": "name: x\nsteps:\n- name: a\n  type: webhook\n  headers:\n"
    + "".join(f"    h{n}: 1\n" for n in range(2_400)),
    "junk": bytes(range(256)).decode("latin-1") * 200,
    "half characters": "name: \ud800\udc00\udfff" * 100,
    "NULs": "\0" * 60_000,
    "large characters": "name: " + "\U0001f600" * 20_000,
}


def read_one(text: str) -> Any:
    found: list[Problem] = []
    node = read(text, found)
    assert found == []
    assert node is not None
    return plain(node)


def refused(text: str) -> list[str]:
    found: list[Problem] = []
    read(text, found)
    return [str(problem) for problem in found]


@pytest.fixture(params=LOADERS, ids=lambda loader: str(loader.__name__))
def _either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """libyaml's parser, and the one that stands in where libyaml is not."""
    monkeypatch.setattr(reading, "LOADER", request.param)


@pytest.mark.usefixtures("_either_parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None), ("null", None), ("Null", None), ("NULL", None), ("''", ""), ("'null'", "null"),
        ("true", True), ("True", True), ("FALSE", False), ("tRUE", "tRUE"), ("yes", "yes"), ("on", "on"), ("n", "n"),
        ("0", 0), ("12", 12), ("-12", -12), ("+12", 12), ("'12'", "12"), ("012", "012"), ("0o14", "0o14"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"), ("12:30", "12:30"), ("12:30:45", "12:30:45"), ("190:20:30", "190:20:30"),
        ("9" * 18, 10**18 - 1), ("9" * 19, "9" * 19), ("9" * 5000, "9" * 5000), ("٣", "٣"),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("-1.5e3", -1500.0), ("1e3", 1000.0), ("01.5", "01.5"),
        (".", "."), (".e5", ".e5"),
        ("1e999", "1e999"), (".inf", ".inf"), (".nan", ".nan"), ("1.2.3", "1.2.3"),
        ("2024-01-01", "2024-01-01"), ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"), ("=", "="),
        ("{yes: no, 1: 2, null: 3}", {"yes": "no", "1": 2, "null": 3}), ("[a, [b], {c: d}]", ["a", ["b"], {"c": "d"}]),
        ("\ufeffname: x", {"name": "x"}), ("---\na: 1\n...\n", {"a": 1}), ("'<<': 1", {"<<": 1}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    ],
)  # fmt: skip
def test_what_a_value_means(text: str, value: Any) -> None:
    found = read_one(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.usefixtures("_either_parser")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2", "line 2: the key 'a' is there already, at line 1"),
        ("a:\n  b: {c: 1}\n  b: {c: 2}", "line 3: the key 'b' is there already, at line 2"),
        ("a: 1\n'a': {b: [1]}\nc: 2", "line 2: the key 'a' is there already, at line 1"),
        ("a: 1\nb: &x 2", "line 2: anchors (&name) are not taken"),
        ("a: *x", "line 1: aliases (*name) are not taken"),
        ("*x : a", "line 1: aliases (*name) are not taken"),
        ("a: !!str 1", "line 1: tags (!name) are not taken"),
        ("a: ! 1", "line 1: tags (!name) are not taken"),
        ("!!python/object/apply:os.system [x]", "line 1: tags (!name) are not taken"),
        ("a:\n  <<: {b: 1}", "line 2: merge keys (<<) are not taken"),
        ("a: 1\n---\nb: 1", "line 2: a file has one playbook"),
        ("[a]: 1", "line 1: a key must be text"),
        ("? {a: b}\n: 1", "line 1: a key must be text"),
        ("a: [1", "this is no YAML"),
        ("a:\n\tb: 1", "line 2: this is no YAML"),
        ("a: b: c", "line 1: this is no YAML"),
        ("'a", "line 1: this is no YAML"),
        ("b: 1\na: {b: ${C}}", "line 2: this is no YAML"),
        ("a: 1\nb: \x07", "line 2: the character U+0007 cannot be in a playbook"),
        ("a: 1\r\nb: \ud800", "line 2: the character U+D800 cannot be in a playbook"),
        ("a\ufeffb", "line 1: the character U+FEFF cannot be in a playbook"),
        ('a: "\\0"', "line 1: a text cannot hold NUL or half a character"),
        ('"\\0": a', "line 1: a text cannot hold NUL or half a character"),
        ('a: "\\ud800"', "line 1: "),
        ('a: "\\UFFFFFFFF"', "line 1: this is no YAML"),
        ("[" * 21 + "]" * 21, "line 1: nested more than 20 deep"),
        ("\n".join(" " * depth + "a:" for depth in range(22)), "line 21: nested more than 20 deep"),
        ("[" + "a," * MOST_NODES + "]", f"line 1: a playbook has at most {MOST_NODES} values"),
        ("# " + "x" * MOST_BYTES, "line 1: a playbook has at most 64 KiB"),
        ("# " + "ü" * (MOST_BYTES // 2), "line 1: a playbook has at most 64 KiB"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_refused(text: str, problem: str) -> None:
    (only,) = refused(text)
    assert problem in only


def test_the_commonest_slip_has_a_hint() -> None:
    (only,) = refused("headers: {A: Bearer ${secrets.TOKEN}}")
    assert only.endswith("; between { and }, a text with ${…} must be in quotes")


@pytest.mark.usefixtures("_either_parser")
def test_as_much_as_is_allowed() -> None:
    assert read_one("[" * 20 + "]" * 20) is not None
    assert len(read_one("[" + "a," * (MOST_NODES - 1) + "]")) == MOST_NODES - 1
    assert read_one("x # " + "x" * (MOST_BYTES - 4)) == "x"


@pytest.mark.usefixtures("_either_parser")
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_means_harm_is_refused_before_it_is_built(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    count = reading._Builder.count

    def counting(self: reading._Builder, event: Any, line: int) -> None:
        counted.append(line)
        count(self, event, line)

    monkeypatch.setattr(reading._Builder, "count", counting)
    tracemalloc.start()
    try:
        told = problems(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told
    assert all(len(str(problem)) < 500 for problem in told)
    assert len(counted) <= MOST_NODES + 1
    assert peak < 50 * 2**20


def test_problems_of_yaml_and_of_the_language_are_told_together() -> None:
    told = [str(problem) for problem in problems("name: x\nname: y\nsteps: 1\nverion: 1")]
    assert [line.partition(":")[0] for line in told] == ["line 2", "line 3, steps", "line 4"]


@given(
    st.recursive(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]).filter(lambda one: one != "\0"))
        | st.booleans()
        | st.integers(-(10**17), 10**17),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef"), inner, max_size=4),
        max_leaves=20,
    )
)
def test_what_another_writes_is_read_as_it_was_meant(value: Any) -> None:
    dumped = yaml.dump(value, Dumper=WithoutAliases, allow_unicode=False)
    found: list[Problem] = []
    node = read(dumped, found)
    if node is None:
        assert "nested more" in str(found[0])
    else:
        assert plain(node) == value


class WithoutAliases(yaml.SafeDumper):
    """Writes everything out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
