DELETE FROM medic.outbox WHERE topic IN ('start', 'stop', 'decision');
ALTER TABLE medic.outbox
    DROP CONSTRAINT outbox_topic_check,
    ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('notification', 'notice'));

DELETE FROM medic.outbox WHERE topic = 'notice' AND subject_id IN (
    SELECT notice_id FROM medic.notices WHERE kind IN ('execution_started', 'execution_failed', 'execution_escalated',
        'execution_blocked', 'execution_held', 'approval_requested', 'playbook_message'));
DELETE FROM medic.notices WHERE kind IN ('execution_started', 'execution_failed', 'execution_escalated',
    'execution_blocked', 'execution_held', 'approval_requested', 'playbook_message');
ALTER TABLE medic.notices
    DROP CONSTRAINT notices_kind_check,
    ADD CONSTRAINT notices_kind_check CHECK (kind IN ('maintenance_started', 'maintenance_ended', 'target_failing',
                                                      'webhook_disabled', 'test'));

DELETE FROM medic.outbox WHERE topic = 'notification' AND subject_id IN (
    SELECT alert_event_id FROM medic.alert_events WHERE event = 'escalated');
DELETE FROM medic.notification_deliveries WHERE alert_event_id IN (
    SELECT alert_event_id FROM medic.alert_events WHERE event = 'escalated');
DELETE FROM medic.alert_events WHERE event = 'escalated';
ALTER TABLE medic.alert_events
    DROP CONSTRAINT alert_events_event_check,
    ADD CONSTRAINT alert_events_event_check CHECK (event IN
        ('opened', 'reminded', 'unmuted', 'flapping', 'acknowledged', 'snoozed', 'resolved'));

DROP INDEX medic.alerts_unconsidered_idx;
ALTER TABLE medic.alerts DROP COLUMN considered_failures;

DROP TABLE medic.remediation_audit_log, medic.trigger_firings, medic.repair_batches, medic.kill_switches, medic.secrets,
    medic.script_versions, medic.registered_scripts, medic.approval_requests, medic.playbook_step_results,
    medic.playbook_executions, medic.playbook_triggers, medic.playbook_versions, medic.playbooks;
