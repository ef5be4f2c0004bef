"""What is written to a log, without what only its owner should know. Pure.

Two nets: names that say that a value is secret, and values that look like one, wherever they stand: in a message, in an
exception's text, in a traceback, in a value that was logged beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from medic_core.domain.routing.redaction import HIDDEN, shown_url

#: Of one value in a log line: CloudWatch takes 256 kB for all of it.
LONGEST = 100_000
#: Names of values that nobody may read, however they are written.
HIDDEN_NAMES = (
    r"[a-z0-9_-]*(?:authorization|cookie|signature|secret|token|passwo?r?d|passwd|pwd|credentials?|"
    r"(?:api|ping|routing|service|integration|secret|private|access|orders|secrets)[_-]?keys?)|database_url|redis_url"
)
IS_HIDDEN = re.compile(HIDDEN_NAMES, re.IGNORECASE | re.ASCII)
#: `name: value`, `name=value`, `'name': 'value'`, also as JSON within JSON; of a header with a scheme both words.
NAMED = re.compile(
    rf"(?<![a-z0-9_-])((?:{HIDDEN_NAMES})(?:\\*[\"'])?\s*[:=]\s*)"
    r"(?:b?(\\*[\"']).{0,2000}?(?<!\\)\2|(?:(?:bearer|basic)\s+)?[^\s\"',;&}\])]+)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
URL = re.compile(r"\bhttps?://[^\s\"'<>\\`]+", re.IGNORECASE | re.ASCII)
#: Of any other URL (a database's, an Apprise one): the password and the user before it.
USER_IN_URL = re.compile(r"\b([a-z][a-z0-9+.-]*://)[^\s/?#\"']*@", re.IGNORECASE | re.ASCII)
LOOKS: tuple[tuple[re.Pattern[str], str], ...] = (
    # An API key: its id stays, which tells its owner which one it was.
    (re.compile(r"\b(mdk_[A-Za-z0-9]{1,32}_)[A-Za-z0-9_-]+", re.ASCII), rf"\1{HIDDEN}"),
    (re.compile(r"(/(?:ping|approvals)/)[^\s/?#\"'\\]+(?:/[^\s/?#\"'\\]+)?", re.ASCII), rf"\1{HIDDEN}"),
    # To the last @: a password need not be spelled as URLs want it, and a broken URL is quoted by who cannot read it.
    (re.compile(r"\b((?:postgres(?:ql)?|rediss?):/{0,2})\S{0,1000}@", re.ASCII), rf"\1{HIDDEN}@"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+", re.ASCII), f"whsec_{HIDDEN}"),
    (re.compile(r"\b(xox[a-z]|xapp)-[A-Za-z0-9-]+", re.ASCII), rf"\1-{HIDDEN}"),
    (re.compile(r"\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE | re.ASCII), rf"\1{HIDDEN}"),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", re.ASCII), rf"\1{HIDDEN}"),
    (re.compile(r"\bv1a?,[A-Za-z0-9+/=]{40,}", re.ASCII), f"v1,{HIDDEN}"),
)


def without_secrets(text: str) -> str:
    """A text with its secrets struck out, and not longer than a log can hold."""
    text = text[:LONGEST]
    for pattern, instead in LOOKS:
        text = pattern.sub(instead, text)
    text = URL.sub(lambda match: shown_url(match[0]), text)
    text = USER_IN_URL.sub(rf"\1{HIDDEN}@", text)
    return NAMED.sub(rf"\1{HIDDEN}", text)


def shown(value: Any) -> Any:
    """A value as it may be logged: what has a secret's name is gone, texts are without secrets. Never raises."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {
            without_secrets(str(name)): HIDDEN if inner and IS_HIDDEN.fullmatch(str(name)) else shown(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [shown(one) for one in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_secrets(str(value))
