"""Links to approvals are given out, opened, and their codes checked. What is in a link is kept nowhere."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.store import approval_links
from medic_core.store.approval_links import Link
from medic_core.store.connection import Database, Transaction

TOKEN_BYTES = 32
#: What a token looks like; anything else was never one.
TOKEN_LENGTH = 43
CODE_DIGITS = 6
#: Wrong codes that a link takes; then it opens nothing any more.
MOST_WRONG_CODES = 5


def give_to_target(tx: Transaction, request_id: int, target_key: str) -> tuple[str, str]:
    """A token for a message to a target, and the code that its reader must type in.

    Whatever opens links in messages, and presses what it finds there, has not read the code.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    approval_links.add(tx, request_id, digest(token), target_key, code_digest=_code_digest(token, code))
    return token, code


def give_to_key(tx: Transaction, request_id: int, key: VerifiedKey) -> str:
    """A token for whoever asks with a key: what is decided by it, the key has decided."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    approval_links.add(tx, request_id, digest(token), key.name, api_key_id=key.api_key_id)
    return token


def opened(tx: Transaction, token: str) -> Link | None:
    """The link with that token; None where there is none, or its key may not decide any more."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    wanted = digest(token)
    link = approval_links.find(tx, wanted)
    if link is None or not hmac.compare_digest(bytes(link.digest), wanted):
        return None
    return None if link.code_digest is None and link.key_name is None else link


def is_code_right(database: Database, link: Link, token: str, code: str) -> bool:
    """Whether a link's code was typed in. A wrong one counts, also where nothing else comes of the request."""
    with database.transaction() as tx:
        if link.code_digest is None or not approval_links.count_code(tx, link.link_id, MOST_WRONG_CODES):
            return False
        is_right = hmac.compare_digest(bytes(link.code_digest), _code_digest(token, code.strip()))
        if is_right:
            approval_links.code_was_right(tx, link.link_id)
        return is_right


def digest(token: str) -> bytes:
    """Under which a token is found."""
    return hashlib.sha256(token.encode()).digest()


def _code_digest(token: str, code: str) -> bytes:
    """Bound to the token, which is not kept: nobody who reads the table can try a million codes."""
    return hashlib.sha256(f"{token}:{code}".encode()).digest()
