ALTER TABLE medic.counted DROP COLUMN services_by_status;
DROP INDEX medic.alerts_urgent_idx;
DROP INDEX medic.service_state_not_up_idx;
DROP INDEX medic.services_muted_idx;
DROP INDEX medic.services_unwatched_idx;
DROP INDEX medic.services_service_name_idx;
DROP INDEX medic.services_created_idx;
DROP INDEX medic.services_priority_idx;
