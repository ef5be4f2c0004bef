"""The spool: whole signals in a queue while the database is away, with the time of their receipt."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from medic_core.adapters.sqs import SqsQueue
from medic_core.domain.watching.ping_urls import MAX_EXIT_STATUS
from medic_core.domain.watching.signals import ById, ByName, ByPingId, BySlug, Signal, SignalKind, Whom
from medic_core.errors import Unavailable

#: Of Postgres.
LARGEST_ID = 2**63 - 1


class SqsSpool:
    """Keeps whole signals while the database is away."""

    def __init__(self, queue: SqsQueue) -> None:
        self._queue = queue

    def keep(self, signals: Sequence[Signal], key_id: str | None) -> None:
        """Returns once they are kept; raises Unavailable otherwise."""
        try:
            self._queue.send([to_text(signal, key_id) for signal in signals])
        except Exception as error:
            # Whatever the queue's library raises, the client must hear that its heartbeat was not taken.
            raise Unavailable from error

    def waiting(self) -> int:
        """How many signals wait, about."""
        return self._queue.waiting()


def to_text(signal: Signal, key_id: str | None = None) -> str:
    """A signal as it waits, with what it was sent with. It must know when it was received."""
    if signal.received_at is None:
        raise ValueError("a signal is spooled with the time of its receipt")
    return json.dumps(
        {
            "signal_id": str(signal.signal_id),
            "key_id": key_id,
            "whom": _whom_to_json(signal.whom),
            "kind": signal.kind,
            "is_ping": signal.is_ping,
            "run_id": signal.run_id,
            "exit_status": signal.exit_status,
            "method": signal.method,
            "body": b64encode(signal.body).decode(),
            "remote_address": signal.remote_address,
            "user_agent": signal.user_agent,
            "received_at": signal.received_at.isoformat(),
        }
    )


def from_text(text: str) -> tuple[Signal, str | None]:
    """Read a signal that waited and the id of the key that it was sent with, None for ping URLs.

    Raises ValueError for what is not one, or holds what the database cannot keep.
    """
    try:
        kept = json.loads(text)
        key_id = _text(kept["key_id"]) if kept.get("key_id") is not None else None
        signal = Signal(
            signal_id=UUID(kept["signal_id"]),
            whom=_whom_from_json(kept["whom"]),
            kind=SignalKind(kept["kind"]),
            is_ping=_flag(kept["is_ping"]),
            run_id=_text(kept["run_id"]) if kept["run_id"] is not None else None,
            exit_status=_exit_status(kept["exit_status"]),
            method=_text(kept["method"]),
            body=b64decode(kept["body"], validate=True),
            remote_address=_text(kept["remote_address"]),
            user_agent=_text(kept["user_agent"]),
            received_at=_aware(datetime.fromisoformat(kept["received_at"])),
        )
        return signal, key_id
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a spooled signal: {error!r}") from error


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a spooled signal: text is wanted, without NUL")
    value.encode()
    return value


def _exit_status(value: object) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= MAX_EXIT_STATUS):
        raise ValueError("not a spooled signal: exit_status")
    return value


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError("not a spooled signal: is_ping")
    return value


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("received_at has no time zone")
    return moment


def _whom_to_json(whom: Whom) -> dict[str, Any]:
    match whom:
        case ByName(name_key=name_key):
            return {"name_key": name_key}
        case ById(service_id=service_id):
            return {"service_id": service_id}
        case ByPingId(ping_id=ping_id):
            return {"ping_id": str(ping_id)}
        case BySlug(ping_key=ping_key, slug=slug, create=create):
            return {"ping_key": ping_key, "slug": slug, "create": create}


def _whom_from_json(kept: dict[str, Any]) -> Whom:
    match kept:
        case {"name_key": str(name_key)}:
            return ByName(name_key)
        case {"service_id": int(service_id)} if type(service_id) is int and 0 < service_id <= LARGEST_ID:
            return ById(service_id)
        case {"ping_id": str(ping_id)}:
            return ByPingId(UUID(ping_id))
        case {"ping_key": str(ping_key), "slug": str(slug), "create": bool(create)}:
            return BySlug(ping_key, slug, create)
        case _:
            raise ValueError("not a spooled signal: nobody is meant")
