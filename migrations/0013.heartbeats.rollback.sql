DROP FUNCTION medic.record_heartbeat;
