"""A target takes nothing, or answers too late: noted, so that it disturbs no other; people hear of it once."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from medic_core.domain.routing.messages import NoticeKind
from medic_core.domain.routing.retries import Answer, GaveUp, Outcome, TryAgain
from medic_core.domain.routing.targets import Target
from medic_core.domain.watching.lengths import spoken
from medic_core.store import notices, target_health, targets
from medic_core.store.connection import Transaction

#: One that answered too late is tried apart from the others for so long.
SLOW_FOR = timedelta(minutes=10)
#: People hear of a target that has taken nothing for so long.
TOLD_AFTER = timedelta(hours=1)
#: A webhook that has taken nothing for so long is told nothing any more (Standard Webhooks: some days).
DISABLED_AFTER = timedelta(days=5)


def note(tx: Transaction, target: Target, answer: Answer, outcome: Outcome) -> None:
    """Note what an answer says about its target; nothing where it is well."""
    failed = isinstance(outcome, GaveUp)
    throttled_for = outcome.wait if isinstance(outcome, TryAgain) and answer.is_throttled else None
    if not (failed or answer.timed_out or throttled_for):
        return
    trouble = target_health.note_trouble(
        tx,
        target.key,
        failed=failed,
        slow_for=SLOW_FOR if answer.timed_out else None,
        throttled_for=throttled_for,
    )
    is_gone = failed and answer.status == HTTPStatus.GONE
    if target.webhook_id is not None and (is_gone or trouble.failing_for >= DISABLED_AFTER):
        why = "its receiver says that it is gone" if is_gone else f"it has failed for {spoken(trouble.failing_for)}"
        if targets.disable_webhook(tx, target.webhook_id, why):
            _tell(tx, target, NoticeKind.WEBHOOK_DISABLED, f"Webhook {target.webhook_id} was disabled", f"{why}.")
    elif trouble.failing_for >= TOLD_AFTER and target_health.note_told(tx, target.key):
        heading = f"Nobody is reached by {described(target)}"
        _tell(tx, target, NoticeKind.TARGET_FAILING, heading, f"It has failed for {spoken(trouble.failing_for)}.")


def described(target: Target) -> str:
    """A target as people know it."""
    kind, _, number = target.key.partition(":")
    match kind:
        case "default":
            return f"the default {target.channel} channel"
        case "team":
            return f"the Slack channel of team {number}"
        case "webhook":
            return f"webhook {number}"
        case _:
            return f"{target.channel} target {number}"


def _tell(tx: Transaction, target: Target, kind: NoticeKind, heading: str, because: str) -> None:
    notices.add(tx, kind, heading, because, besides=target.key)
