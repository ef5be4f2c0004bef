"""Registered scripts."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from medic_core.domain.repair.orders import Interpreter
from models.fields import FromRow, Name, Strict, unsent, word_of

LONGEST_CONTENT = 65_536
UNFIT = re.compile("[\x00\ud800-\udfff]")


def _content(text: str) -> str:
    if UNFIT.search(text):
        raise ValueError("must not contain NUL or unpaired surrogates")
    if len(text.encode()) > LONGEST_CONTENT:
        raise ValueError(f"must have at most {LONGEST_CONTENT} bytes")
    return text


Content = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_CONTENT,
        description="Its text, run as it is; parameters come as environment variables and as JSON on standard input",
        examples=['systemctl restart "$UNIT"'],
    ),
    AfterValidator(_content),
]
Runs = Annotated[Interpreter, word_of(Interpreter), Field(description="`bash -e` or `python3 -u`")]
Seconds = Annotated[int, Field(ge=1, le=840, description="How long a step may take that says nothing else")]


class NewScript(Strict):
    """A script to register."""

    name: Name
    content: Content
    interpreter: Runs = Interpreter.BASH
    timeout_seconds: Seconds = 30


class ChangedScript(Strict):
    """What may be changed of a script: a new version of it."""

    content: Content = unsent()
    interpreter: Runs = unsent()
    timeout_seconds: Seconds = unsent()


class ReadScript(FromRow):
    """A registered script with its newest version."""

    script_id: int
    name: str
    content: str
    interpreter: Interpreter
    timeout_seconds: int
    version: int
    sha256: str = Field(description="Of its content; checked again where it runs")
    created_at: datetime
    updated_at: datetime


class ReadScriptVersion(FromRow):
    """One version of a script; it never changes."""

    script_id: int
    version: int
    content: str
    interpreter: Interpreter
    timeout_seconds: int
    sha256: str
    created_by: str
    created_at: datetime
