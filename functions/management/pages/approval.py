"""The pages of an approval: the question with its form, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from aws_lambda_powertools.event_handler import Response

import pages
from medic_core.api.answers import status_of
from medic_core.errors import MedicError
from medic_core.flows import approve
from medic_core.flows.approve import Counted
from medic_core.flows.show_approval import Shown
from medic_core.store.approvals import ApprovalStatus

HEADINGS = {
    ApprovalStatus.PENDING: "Expired",
    ApprovalStatus.EXPIRED: "Expired",
    ApprovalStatus.WITHDRAWN: "Not needed any more",
    ApprovalStatus.APPROVED: "Approved already",
    ApprovalStatus.REJECTED: "Rejected already",
}
TONES = {ApprovalStatus.APPROVED: "good", ApprovalStatus.REJECTED: "bad"}
DONE = {ApprovalStatus.APPROVED: "Approved", ApprovalStatus.REJECTED: "Rejected", ApprovalStatus.PENDING: "Thank you"}
FOLLOWS = {
    ApprovalStatus.APPROVED: "Medic goes on now.",
    ApprovalStatus.REJECTED: "Medic does nothing, and the execution ends.",
    ApprovalStatus.PENDING: "Medic waits for the others.",
}


class Asks(StrEnum):
    """What whoever decides must bring besides the link."""

    NOTHING = "nothing"
    CODE = "code"
    KEY = "key"


def question(
    shown: Shown,
    asks: Asks,
    decides_as: str | None,
    form: str,
    error: MedicError | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response[str]:
    """What is asked, with a form to decide; after an `error` again, saying what was wrong."""
    return pages.page(
        "approval.html",
        status_of(error) if error is not None else HTTPStatus.OK,
        headers,
        shown=shown,
        asks=asks.value,
        decides_as=decides_as,
        form=form,
        wrong=error.message if error is not None else None,
    )


def thanks(shown: Shown, counted: Counted) -> Response[str]:
    """What a decision led to."""
    text = FOLLOWS[counted.status]
    if counted.status is ApprovalStatus.PENDING:
        text = f"{counted} {text}"
    return pages.said(DONE[counted.status], text, tone=TONES.get(counted.status, ""), facts=_facts(shown))


def over(shown: Shown, *, too_late: bool = False) -> Response[str]:
    """What became of it: there is nothing to decide any more, also not for who tries `too_late`."""
    request = shown.request
    facts = _facts(shown)
    if request.decided_at is not None:
        facts.append(("When", pages.utc(request.decided_at.astimezone(UTC))))
    if request.decided_by and request.reason:
        facts.append(("Why", request.reason))
    status = HTTPStatus.CONFLICT if too_late and request.decided_by else HTTPStatus.GONE
    text, tone = approve.what_became_of(request), TONES.get(request.status, "")
    return pages.said(HEADINGS[request.status], text, status=status, tone=tone, facts=facts)


def _facts(shown: Shown) -> list[tuple[str, str]]:
    about = shown.about
    service = [("Service", about.heartbeat_name)] if about.heartbeat_name else []
    playbook = ("Playbook", f"{about.playbook_name}, version {about.version}")
    return [playbook, *service, ("Execution", str(about.execution_id))]
