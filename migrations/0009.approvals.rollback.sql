DELETE FROM medic.remediation_audit_log
 WHERE action_type IN ('approval_voted', 'approval_reminded', 'decision_refused', 'batch_expired');
ALTER TABLE medic.remediation_audit_log
    DROP CONSTRAINT remediation_audit_log_action_type_check,
    ADD CONSTRAINT remediation_audit_log_action_type_check CHECK (action_type IN (
        'execution_started', 'step_completed', 'step_failed', 'approval_requested', 'approved', 'rejected',
        'execution_completed', 'execution_failed',
        'execution_cancelled', 'execution_blocked', 'execution_held', 'execution_observed',
        'execution_resumed', 'step_retried', 'step_skipped', 'step_unknown', 'escalated',
        'approval_expired', 'approval_withdrawn', 'batch_held', 'batch_approved', 'batch_rejected',
        'playbook_created', 'playbook_changed', 'playbook_deleted',
        'trigger_created', 'trigger_changed', 'trigger_deleted',
        'script_created', 'script_changed', 'script_deleted',
        'secret_created', 'secret_changed', 'secret_deleted', 'secret_used', 'secrets_reencrypted',
        'kill_switch_thrown', 'kill_switch_released'));

ALTER TABLE medic.monitor_state DROP COLUMN approvals_told_at;

ALTER TABLE medic.approval_requests
    ADD COLUMN notice_id bigint REFERENCES medic.notices ON DELETE SET NULL;
UPDATE medic.approval_requests a SET notice_id = n.notice_id
  FROM medic.notices n WHERE n.request_id = a.request_id AND n.kind = 'approval_requested';

DELETE FROM medic.outbox WHERE topic = 'notice' AND subject_id IN (
    SELECT notice_id FROM medic.notices WHERE kind IN ('approval_reminder', 'approval_decided', 'approvals_waiting'));
DELETE FROM medic.notices WHERE kind IN ('approval_reminder', 'approval_decided', 'approvals_waiting');
DROP INDEX medic.notices_request_idx;
ALTER TABLE medic.notices
    DROP COLUMN request_id,
    DROP CONSTRAINT notices_kind_check,
    ADD CONSTRAINT notices_kind_check CHECK (kind IN ('maintenance_started', 'maintenance_ended', 'target_failing',
        'webhook_disabled', 'test', 'execution_started', 'execution_failed', 'execution_escalated',
        'execution_blocked', 'execution_held', 'approval_requested', 'playbook_message'));

DROP TABLE medic.slack_requests, medic.approval_links, medic.approval_votes;

ALTER TABLE medic.approval_requests
    DROP COLUMN approvers_required, DROP COLUMN not_by, DROP COLUMN steps, DROP COLUMN remind_at,
    DROP COLUMN reminders, DROP COLUMN token_answered_at, DROP COLUMN token_refused_at;
ALTER TABLE medic.playbook_executions DROP COLUMN started_with;
