"""Why the database was away, for an operator: our own words, and none of the driver's, which may quote a secret."""

from __future__ import annotations

from typing import Final

import psycopg

from medic_core.errors import Unavailable

#: What the server said, by its code.
BY_CODE: Final = {
    "25006": "read-only",
    "42883": "a function is missing: migrations wait to be applied",
    "53300": "too many connections",
    "55P03": "lock timeout",
    "57014": "statement timeout",
    "57P01": "the server is shutting down",
    "57P02": "the server has crashed",
    "57P03": "the server cannot be connected to now",
}
#: What was said on the way in, where there is no code yet; the first that is found counts.
BY_TEXT: Final = {
    "Connection refused": "connection refused",
    "wait timeout expired": "no answer in time",
    "timeout expired": "no connection in time",
    "timed out": "no answer on the network",
    "authentication failed": "password refused",
    "no password supplied": "password refused: none was given",
    "no pg_hba.conf entry": "not admitted by pg_hba.conf",
    "does not exist": "no such database or role",
    "too many": "too many connections",
    "connection slots": "too many connections",
    "starting up": "the server is starting",
    "shutting down": "the server is shutting down",
    "recovery mode": "the server is recovering",
    "resolve host": "its name cannot be resolved",
    "SSL": "no agreement about TLS",
    "closed the connection": "connection lost",
    "connection is lost": "connection lost",
    "Connection reset": "connection lost",
}


def cause_of(error: Unavailable) -> str:
    """What kind of trouble it was; empty where nothing was tried, because a try had failed just before."""
    cause = error.__cause__
    if error.message != Unavailable().message:
        # Our own words, of a secret that cannot be read.
        return error.message
    if cause is None:
        return ""
    if not isinstance(cause, psycopg.Error):
        return type(cause).__name__
    if cause.sqlstate is not None:
        return BY_CODE.get(cause.sqlstate, f"{type(cause).__name__} ({cause.sqlstate})")
    said = str(cause)
    return next((kind for words, kind in BY_TEXT.items() if words in said), type(cause).__name__)
