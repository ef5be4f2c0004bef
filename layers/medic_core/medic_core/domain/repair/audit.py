"""What the audit log can tell."""

from __future__ import annotations

from enum import StrEnum


class AuditAction(StrEnum):
    """What happened."""

    EXECUTION_STARTED = "execution_started"
    STEP_COMPLETED = "step_completed"
    STEP_FAILED = "step_failed"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXECUTION_COMPLETED = "execution_completed"
    EXECUTION_FAILED = "execution_failed"
    EXECUTION_CANCELLED = "execution_cancelled"
    EXECUTION_BLOCKED = "execution_blocked"  #: a guard kept it from starting
    EXECUTION_HELD = "execution_held"  #: it waits for the decision about its batch
    EXECUTION_OBSERVED = "execution_observed"  #: a trigger that only observes would have started it
    EXECUTION_RESUMED = "execution_resumed"  #: the state machine had lost it
    STEP_RETRIED = "step_retried"
    STEP_SKIPPED = "step_skipped"
    STEP_UNKNOWN = "step_unknown"  #: it may have had its effect, and nobody can tell
    ESCALATED = "escalated"
    APPROVAL_VOTED = "approval_voted"  #: one of several that are needed
    APPROVAL_REMINDED = "approval_reminded"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_WITHDRAWN = "approval_withdrawn"
    DECISION_REFUSED = "decision_refused"  #: the state machine did not wait for it any more
    BATCH_HELD = "batch_held"
    BATCH_APPROVED = "batch_approved"
    BATCH_REJECTED = "batch_rejected"
    BATCH_EXPIRED = "batch_expired"
    PLAYBOOK_CREATED = "playbook_created"
    PLAYBOOK_CHANGED = "playbook_changed"
    PLAYBOOK_DELETED = "playbook_deleted"
    TRIGGER_CREATED = "trigger_created"
    TRIGGER_CHANGED = "trigger_changed"
    TRIGGER_DELETED = "trigger_deleted"
    SCRIPT_CREATED = "script_created"
    SCRIPT_CHANGED = "script_changed"
    SCRIPT_DELETED = "script_deleted"
    SECRET_CREATED = "secret_created"  # noqa: S105  (an event's name)
    SECRET_CHANGED = "secret_changed"  # noqa: S105
    SECRET_DELETED = "secret_deleted"  # noqa: S105
    SECRET_USED = "secret_used"  # noqa: S105
    SECRETS_REENCRYPTED = "secrets_reencrypted"
    KILL_SWITCH_THROWN = "kill_switch_thrown"
    KILL_SWITCH_RELEASED = "kill_switch_released"
