DROP TABLE medic.job_runs;
DROP TABLE medic.heartbeat_events;
DROP TABLE medic.service_state;
DROP TABLE medic.services;
DROP TABLE medic.teams;
DROP SCHEMA medic;
