-- depends: 0002.alerting

CREATE TABLE medic.notification_deliveries (
    delivery_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_event_id  bigint NOT NULL REFERENCES medic.alert_events ON DELETE CASCADE,
    alert_id        bigint NOT NULL REFERENCES medic.alerts ON DELETE CASCADE,
    target_key      text NOT NULL,
    channel         text CHECK (channel IN ('slack', 'pagerduty', 'webhook')),
    because         text NOT NULL,
    status          text NOT NULL CHECK (status IN ('pending', 'retrying', 'success', 'failed')),
    attempts        integer NOT NULL DEFAULT 0,
    due_at          timestamptz,
    queued_at       timestamptz NOT NULL DEFAULT now(),
    last_attempt_at timestamptz,
    response_code   integer,
    response_body   text CHECK (octet_length(response_body) <= 4096),
    error           text,
    receipt         text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (alert_event_id, target_key),
    CHECK ((status IN ('pending', 'retrying')) = (due_at IS NOT NULL))
);
CREATE INDEX notification_deliveries_due_idx ON medic.notification_deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notification_deliveries_thread_idx ON medic.notification_deliveries (alert_id, target_key, delivery_id);
CREATE INDEX notification_deliveries_created_idx ON medic.notification_deliveries (created_at);
COMMENT ON COLUMN medic.notification_deliveries.due_at IS 'When it may be taken; taking it moves this ahead, so that a killed router''s work is taken up again';
COMMENT ON COLUMN medic.notification_deliveries.receipt IS 'What the other side calls our message (Slack: ts), for replies to it';
