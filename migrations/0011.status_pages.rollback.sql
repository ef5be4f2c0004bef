ALTER TABLE medic.services DROP COLUMN status_page;
