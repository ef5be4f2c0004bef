"""A pattern means the same to Postgres, which counts its services, as to Medic, which picks the trigger."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from medic_core.domain.repair.triggers import as_regex, matches
from medic_core.store.connection import Database
from tests.builders import rows

CHARACTERS = "abzAZ019*?[]!-^\\.({$+|&~ \n"
PATTERNS = st.text(CHARACTERS, max_size=12) | st.from_regex(r"[ab]?\[!?[\]ab\-^!\\z.]{0,6}\]\*?", fullmatch=True)
NAMES = st.text(CHARACTERS, max_size=8)
INSIDE = ["a-c-b", "--a", "a--", "!-", "!--a", "^-b", "\\-a", "]-", "!]-b", "a-b-c-", "z-a-b", "b-a!-z", "c-a!b"]
ASKED = "SELECT i FROM unnest(%(names)s::text[], %(regexes)s::text[]) WITH ORDINALITY AS w (name, regex, i) "
ASKED += "WHERE lower(name) ~ regex"


def differ(database: Database, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs of a pattern and a name of which Medic and Postgres do not say the same."""
    asked = {"regexes": [as_regex(pattern) for pattern, _ in pairs], "names": [name for _, name in pairs]}
    found = {number - 1 for (number,) in rows(database, ASKED, **asked)}
    return [pair for at, pair in enumerate(pairs) if matches(*pair) is not (at in found)]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(PATTERNS, NAMES), min_size=1, max_size=40))
@example([("[!]", "[!]"), ("[!]", "a"), ("[]", "[]"), ("[b-a]", "a"), ("[!b-a]", "x"), ("[]-a]", "^"), ("[a-]", "-")])
@example([("[b-a!x]", "x"), ("[b-a!-z]", "-"), ("[^a]", "^"), ("[[.]", "["), ("[a\\-c]", "]"), ("a[", "A["), ("", "")])
def test_medic_and_postgres_read_a_pattern_alike(database: Database, pairs: list[tuple[str, str]]) -> None:
    assert differ(database, pairs) == []


@pytest.mark.parametrize("inside", INSIDE)
def test_a_set_has_the_same_members_for_both(database: Database, inside: str) -> None:
    pairs = [(f"[{inside}]", chr(code)) for code in range(1, 128)]
    assert differ(database, pairs) == []
