"""Whatever a stranger may send: texts, bytes and nested values that nobody would send on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from hypothesis import strategies as st

from medic_core.errors import MedicError

Found = TypeVar("Found")
#: What has broken readers before.
SPITEFUL = [
    "", " ", "\0", "\ud800", "\u0661", "\u2028", "\r\n", "%00", "%", "%ff", "&", "=", ";", "{", "[", '"', "\\", "'",
    "..", "/", "//", "null", "true", "nan", "inf", "-1", "1e400", "9" * 20, "9" * 5000, "a" * 5000, "[" * 2000,
    "${secrets.A}", "<b>", "\x1b[31m",
]  # fmt: skip
texts = st.text(max_size=40) | st.sampled_from(SPITEFUL) | st.text(st.characters(), max_size=10)
numbers = st.integers() | st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**400]) | st.floats()
#: What JSON can say, and Python's own reader takes.
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
raw = st.binary(max_size=200) | texts.map(lambda text: text.encode("utf-8", "surrogatepass")) | values.map(
    lambda value: json.dumps(value).encode()
)  # fmt: skip
#: Texts as they come out of a form or of a query: decoded, so half a character is none.
sent = texts.map(lambda text: text.encode("utf-8", "replace").decode())


def like(**wanted: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with these fields, often as they should be: one may be missing, some be something else or unknown."""
    names = st.sampled_from(sorted(wanted))
    return st.builds(
        lambda right, odd, missing: {name: value for name, value in {**right, **odd}.items() if name not in missing},
        st.fixed_dictionaries(wanted),
        st.just({}) | st.dictionaries(names | texts, values, max_size=2),
        st.just(set()) | st.sets(names, max_size=1),
    )


def refused_or(call: Callable[..., Found], *arguments: Any, **named: Any) -> Found | None:
    """What a reader makes of it; None where it was refused by one of Medic's own errors. All else rises."""
    with suppress(MedicError):
        return call(*arguments, **named)
    return None


def as_json(value: Any) -> bytes:
    """A value as JSON, which says more than JSON does where Python's reader takes more."""
    return json.dumps(value).encode()
