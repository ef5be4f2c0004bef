DROP TABLE medic.api_keys;
