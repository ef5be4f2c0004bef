-- depends: 0010.metrics
-- What everybody may see: services that were put on a public page.

ALTER TABLE medic.services ADD COLUMN status_page text CHECK (status_page ~ '^[a-z0-9][a-z0-9-]{0,62}$');
COMMENT ON COLUMN medic.services.status_page IS 'The public page that it stands on, with others of the same word; NULL: nobody sees it without a key';
CREATE INDEX services_status_page_idx ON medic.services (status_page) WHERE status_page IS NOT NULL;
