-- depends: 0011.status_pages
-- Lists, looked at where there are a million services: a page reads what it shows.

CREATE INDEX services_priority_idx ON medic.services (priority, service_id);
CREATE INDEX services_created_idx ON medic.services (created_at, service_id);
CREATE INDEX services_service_name_idx ON medic.services (service_name, service_id);
CREATE INDEX services_unwatched_idx ON medic.services (service_id) WHERE NOT active OR paused_at IS NOT NULL;
CREATE INDEX services_muted_idx ON medic.services (service_id) WHERE muted_until IS NOT NULL;
-- No heartbeat that finds its service up, and leaves it so, writes into this one.
CREATE INDEX service_state_not_up_idx ON medic.service_state (service_id) WHERE health <> 'up';
CREATE INDEX alerts_urgent_idx ON medic.alerts (priority, opened_at DESC, alert_id DESC) WHERE resolved_at IS NULL;

ALTER TABLE medic.counted ADD COLUMN services_by_status jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN medic.counted.services_by_status IS 'How many there were of each status when they were last counted from end to end';
-- Nobody has counted them by status yet.
UPDATE medic.counted SET measured_at = NULL;
