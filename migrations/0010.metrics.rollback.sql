ALTER TABLE medic.playbook_executions DROP COLUMN traceparent;
DROP INDEX medic.job_runs_late_idx, medic.playbook_executions_created_idx, medic.alert_events_at_idx;
DROP TABLE medic.late_heartbeats, medic.counted, medic.counters;
