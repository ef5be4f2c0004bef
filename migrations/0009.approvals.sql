-- depends: 0008.repair

-- People decide: each by one vote, by links that are kept as digests only; they are reminded, and hear what was decided.

ALTER TABLE medic.playbook_executions ADD COLUMN started_with text;
COMMENT ON COLUMN medic.playbook_executions.started_with IS 'The name of the key that it was started with; started_by is only said';

ALTER TABLE medic.notices ADD COLUMN request_id bigint REFERENCES medic.approval_requests ON DELETE CASCADE;
COMMENT ON COLUMN medic.notices.request_id IS 'The approval that it asks for, reminds of, or tells the end of';
CREATE INDEX notices_request_idx ON medic.notices (request_id) WHERE request_id IS NOT NULL;
UPDATE medic.notices n SET request_id = a.request_id FROM medic.approval_requests a WHERE a.notice_id = n.notice_id;

ALTER TABLE medic.approval_requests
    DROP COLUMN notice_id,
    ADD COLUMN approvers_required integer NOT NULL DEFAULT 1 CHECK (approvers_required BETWEEN 1 AND 20),
    ADD COLUMN not_by text[] NOT NULL DEFAULT '{}',
    ADD COLUMN steps text[] NOT NULL DEFAULT '{}',
    ADD COLUMN remind_at timestamptz,
    ADD COLUMN reminders integer NOT NULL DEFAULT 0,
    ADD COLUMN token_answered_at timestamptz,
    ADD COLUMN token_refused_at timestamptz;
COMMENT ON COLUMN medic.approval_requests.not_by IS 'Four eyes: who asked for it or wrote it, and may not approve it';
COMMENT ON COLUMN medic.approval_requests.steps IS 'What would follow, a line each';
COMMENT ON COLUMN medic.approval_requests.token_refused_at IS 'The state machine did not wait any more: its run is looked after';
CREATE INDEX approval_requests_remind_idx ON medic.approval_requests (remind_at)
    WHERE status = 'pending' AND remind_at IS NOT NULL;

CREATE TABLE medic.approval_votes (
    request_id bigint NOT NULL REFERENCES medic.approval_requests ON DELETE CASCADE,
    voter      text NOT NULL,
    approved   boolean NOT NULL,
    shown      text NOT NULL,
    via        text NOT NULL CHECK (via IN ('api', 'link', 'slack')),
    reason     text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request_id, voter)
);
COMMENT ON COLUMN medic.approval_votes.voter IS 'Who it really was: a key''s name, a Slack user''s id, a link; shown is how people know them';

CREATE TABLE medic.approval_links (
    link_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id  bigint NOT NULL REFERENCES medic.approval_requests ON DELETE CASCADE,
    digest      bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    code_digest bytea CHECK (octet_length(code_digest) = 32),
    wrong_codes integer NOT NULL DEFAULT 0,
    holder      text NOT NULL,
    api_key_id  bigint REFERENCES medic.api_keys ON DELETE CASCADE,
    made_at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((code_digest IS NULL) = (api_key_id IS NOT NULL))
);
CREATE INDEX approval_links_request_idx ON medic.approval_links (request_id, holder);
CREATE INDEX approval_links_key_idx ON medic.approval_links (api_key_id) WHERE api_key_id IS NOT NULL;
COMMENT ON COLUMN medic.approval_links.digest IS 'Of the token in the URL, which is kept nowhere';
COMMENT ON COLUMN medic.approval_links.code_digest IS 'Of what must be typed in besides; NULL where a key was given the link and answers for it';
COMMENT ON COLUMN medic.approval_links.holder IS 'Whom it was given: a target''s key, or a key''s name';

ALTER TABLE medic.notices
    DROP CONSTRAINT notices_kind_check,
    ADD CONSTRAINT notices_kind_check CHECK (kind IN ('maintenance_started', 'maintenance_ended', 'target_failing',
        'webhook_disabled', 'test', 'execution_started', 'execution_failed', 'execution_escalated',
        'execution_blocked', 'execution_held', 'approval_requested', 'approval_reminder', 'approval_decided',
        'approvals_waiting', 'playbook_message'));

CREATE TABLE medic.slack_requests (
    digest      bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX slack_requests_received_idx ON medic.slack_requests (received_at);
COMMENT ON TABLE medic.slack_requests IS 'What Slack has signed and Medic has done: sent again, it is refused';

ALTER TABLE medic.monitor_state ADD COLUMN approvals_told_at timestamptz;
COMMENT ON COLUMN medic.monitor_state.approvals_told_at IS 'When all approvals that wait were last told together';

ALTER TABLE medic.remediation_audit_log
    DROP CONSTRAINT remediation_audit_log_action_type_check,
    ADD CONSTRAINT remediation_audit_log_action_type_check CHECK (action_type IN (
        'execution_started', 'step_completed', 'step_failed', 'approval_requested', 'approved', 'rejected',
        'execution_completed', 'execution_failed',
        'execution_cancelled', 'execution_blocked', 'execution_held', 'execution_observed',
        'execution_resumed', 'step_retried', 'step_skipped', 'step_unknown', 'escalated',
        'approval_voted', 'approval_reminded', 'approval_expired', 'approval_withdrawn', 'decision_refused',
        'batch_held', 'batch_approved', 'batch_rejected', 'batch_expired',
        'playbook_created', 'playbook_changed', 'playbook_deleted',
        'trigger_created', 'trigger_changed', 'trigger_deleted',
        'script_created', 'script_changed', 'script_deleted',
        'secret_created', 'secret_changed', 'secret_deleted', 'secret_used', 'secrets_reencrypted',
        'kill_switch_thrown', 'kill_switch_released'));
