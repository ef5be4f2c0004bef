DROP TABLE medic.monitor_state;
DROP TABLE medic.outbox;
DROP TABLE medic.alert_events;
DROP TABLE medic.alerts;
