"""What Slack has signed and Medic has done, so that the same request does nothing twice."""

from __future__ import annotations

from typing import Final

from medic_core.store.connection import Transaction

ADD: Final = """
INSERT INTO medic.slack_requests (digest) VALUES (%(digest)s) ON CONFLICT DO NOTHING RETURNING digest
"""


def add(tx: Transaction, digest: bytes) -> bool:
    """Keep a request by its digest; False where it came before."""
    return tx.execute(ADD, {"digest": digest}).fetchone() is not None


#: An older one is refused for its age (`domain.access.slack_signatures`).
FORGET: Final = "DELETE FROM medic.slack_requests WHERE received_at < now() - interval '1 hour'"


def forget(tx: Transaction) -> int:
    """Remove what is too old to be sent again; returns how many."""
    return tx.execute(FORGET).rowcount
