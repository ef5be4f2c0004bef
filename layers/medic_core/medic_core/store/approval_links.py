"""Links to approvals. The tokens in them are kept as digests only, as are the codes that must be typed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row, scalar_row

from medic_core.store.connection import Transaction

#: So many links of one request can be given to the same holder; then the oldest ends.
MOST_LINKS: Final = 20
ADD: Final = """
WITH ended AS (
    DELETE FROM medic.approval_links WHERE link_id IN (
        SELECT link_id FROM medic.approval_links WHERE request_id = %(request_id)s AND holder = %(holder)s
         ORDER BY link_id DESC OFFSET %(others)s)
)
INSERT INTO medic.approval_links (request_id, digest, code_digest, holder, api_key_id)
VALUES (%(request_id)s, %(digest)s, %(code_digest)s, %(holder)s, %(api_key_id)s)
"""


def add(
    tx: Transaction,
    request_id: int,
    digest: bytes,
    holder: str,
    *,
    code_digest: bytes | None = None,
    api_key_id: int | None = None,
) -> None:
    """Keep a link: one that wants a code typed in, or one that a key was given and answers for."""
    tx.execute(
        ADD,
        {
            "request_id": request_id,
            "digest": digest,
            "code_digest": code_digest,
            "holder": holder,
            "api_key_id": api_key_id,
            "others": MOST_LINKS - 1,
        },
    )


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is kept. `key_name` is whose it is, where a key was given it that may still decide."""

    link_id: int
    request_id: int
    digest: bytes
    code_digest: bytes | None
    holder: str
    key_name: str | None


FIND: Final = """
SELECT l.link_id, l.request_id, l.digest, l.code_digest, l.holder, k.name AS key_name
  FROM medic.approval_links l
  LEFT JOIN medic.api_keys k ON k.api_key_id = l.api_key_id AND k.revoked_at IS NULL
                            AND COALESCE(k.expires_at > now(), true) AND k.scopes && '{write,admin}'
 WHERE l.digest = %(digest)s
"""


def find(tx: Transaction, digest: bytes) -> Link | None:
    """The link of that digest."""
    with tx.cursor(row_factory=class_row(Link)) as cursor:
        return cursor.execute(FIND, {"digest": digest}).fetchone()


#: Counted before it is looked at, so that guesses at the same instant are each one of the few.
COUNT_CODE: Final = """
UPDATE medic.approval_links SET wrong_codes = wrong_codes + 1
 WHERE link_id = %(link_id)s AND wrong_codes < %(most)s
RETURNING wrong_codes
"""
RIGHT_CODE: Final = "UPDATE medic.approval_links SET wrong_codes = wrong_codes - 1 WHERE link_id = %(link_id)s"


def count_code(tx: Transaction, link_id: int, most: int) -> bool:
    """Take one of a link's tries at its code; False where none is left."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(COUNT_CODE, {"link_id": link_id, "most": most}).fetchone() is not None


def code_was_right(tx: Transaction, link_id: int) -> None:
    """Give the try back."""
    tx.execute(RIGHT_CODE, {"link_id": link_id})
