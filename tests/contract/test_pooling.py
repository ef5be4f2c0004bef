"""Nothing that Medic sends pins a proxied connection to one client: RDS Proxy and PgBouncer can share them all."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from medic_core import store

CORE = Path(store.__path__[0]).parent
FUNCTIONS = CORE.parents[2] / "functions"
#: What leaves something in a session ("Avoiding pinning" in the guide of RDS Proxy; PgBouncer's "SQL feature map").
PINS = {
    "a setting of the session": r"\bSET\s+(?!LOCAL\b|TRANSACTION\b)(SESSION\s+)?(TIME\s+ZONE|ROLE|\w+\s*(=|TO)\s)",
    "a prepared statement": r"\b(PREPARE\s+\w+(\s*\(|\s+AS\b)|DEALLOCATE)\b",
    "a temporary table": r"\b(CREATE\s+(LOCAL\s+|GLOBAL\s+)?TEMP|INTO\s+TEMP)",
    "a channel": r"\b(UN)?LISTEN\b",
    "an advisory lock of the session": r"\bpg_(try_)?advisory_(un)?lock(_shared)?\s*\(",
    "a cursor that outlives its transaction": r"\bWITH\s+HOLD\b",
    "a setting that outlives its transaction": r"\bset_config\s*\([^)]*,\s*false\s*\)",
}
#: Each with its reason beside it.
ALLOWED = {
    "schema_lock.LOCK": "migrations go past the proxy",
    "connection.SET_TIME_ZONE": "only where the role lacks its defaults: wrong times would cost more",
}


def texts() -> Iterator[tuple[str, str]]:
    """Every upper-case constant of the store, as one text."""
    for module in pkgutil.iter_modules(store.__path__):
        for name, value in vars(importlib.import_module(f"medic_core.store.{module.name}")).items():
            parts = value if isinstance(value, tuple) else (value,)
            if name.isupper() and parts and all(isinstance(part, str) for part in parts):
                yield f"{module.name}.{name}", " ; ".join(parts)


def pins(text: str) -> list[str]:
    # A column may be called like a setting: `UPDATE … SET` is not the command.
    commands = re.sub(r"\b(UPDATE\b.*?|DO\s+UPDATE\s+)\bSET\b", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return [what for what, pattern in PINS.items() if re.search(pattern, commands, re.IGNORECASE)]


TEXTS = dict(texts())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("SET TIME ZONE 'UTC'", "a setting of the session"),
        ("SET statement_timeout = 5", "a setting of the session"),
        ("PREPARE one AS SELECT 1", "a prepared statement"),
        ("CREATE TEMP TABLE t (a int)", "a temporary table"),
        ("LISTEN news", "a channel"),
        ("SELECT pg_advisory_lock(1)", "an advisory lock of the session"),
        ("SELECT set_config('a', 'b', false)", "a setting that outlives its transaction"),
    ],
)
def test_what_pins_is_recognised(text: str, what: str) -> None:
    assert pins(text) == [what]


@pytest.mark.parametrize(
    "text", ["SET LOCAL lock_timeout = 5", "SELECT pg_advisory_xact_lock(1)", "UPDATE medic.teams SET name = 'x'"]
)
def test_what_ends_with_its_transaction_is_not(text: str) -> None:
    assert pins(text) == []


def test_no_statement_of_the_store_pins_a_connection() -> None:
    assert len(TEXTS) > 40
    assert {name: found for name, text in TEXTS.items() if name not in ALLOWED and (found := pins(text))} == {}


def test_what_is_allowed_would_pin() -> None:
    assert [name for name in ALLOWED if not pins(TEXTS[name])] == []


def test_nothing_outside_the_store_sends_what_would() -> None:
    """Statements live in the store; elsewhere even the words are missing."""
    words = re.compile(r"[\"'](SET (TIME|SESSION)|PREPARE|LISTEN|CREATE TEMP)\b|pg_advisory_lock")
    files = [path for folder in (CORE, FUNCTIONS) for path in folder.rglob("*.py") if path.parent.name != "store"]
    assert len(files) > 100
    assert [path.name for path in files if words.search(path.read_text())] == []
