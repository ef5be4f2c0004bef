"""An approval's question as it goes to one target: with a link of its own, or not at all, because it is decided."""

from __future__ import annotations

from dataclasses import dataclass, replace

from medic_core.domain.routing.messages import Notice, NoticeKind, Question
from medic_core.flows import approval_links
from medic_core.store import question_deliveries
from medic_core.store.connection import Transaction
from medic_core.store.deliveries import Claimed

DECIDED_ALREADY = "it is decided already, or over"
NEVER_ASKED = "it was never reached with the question"


@dataclass(frozen=True, slots=True)
class Ready:
    """What is sent now, and the message that it follows."""

    notice: Notice
    thread: str | None


@dataclass(frozen=True, slots=True)
class Needless:
    """There is nothing to send any more."""

    because: str


@dataclass(frozen=True, slots=True)
class TooEarly:
    """The question is on its way to the same target: its end waits for it."""


def prepared(
    tx: Transaction, claimed: Claimed, notice: Notice, question: Question, base_url: str
) -> Ready | Needless | TooEarly:
    """What a delivery about an approval comes to. A link is made for this try of it, and is kept as a digest only."""
    asked = question_deliveries.asked(tx, question.request_id, claimed.target_key, claimed.delivery_id)
    if notice.kind is NoticeKind.APPROVAL_DECIDED:
        if asked.under_way:
            return TooEarly()
        return Ready(notice, asked.thread) if asked.was_told else Needless(NEVER_ASKED)
    if not question.is_open:
        return Needless(DECIDED_ALREADY)
    if base_url:
        token, code = approval_links.give_to_target(tx, question.request_id, claimed.target_key)
        question = replace(question, url=f"{base_url}/approvals/{token}", code=code)
    return Ready(replace(notice, question=question), asked.thread)
