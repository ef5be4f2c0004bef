-- depends: 0012.many_services
-- An ordinary heartbeat, whole, where its plans are kept: a session remembers those of a function, also behind a proxy.

-- It writes only where nothing but times changes (`settled`); all else is left to the caller, as is a cron schedule,
-- which no SQL can follow. The length of the window shows an edit in the same instant.
CREATE FUNCTION medic.record_heartbeat(
    -- Whom it means: one of these, or the last two together.
    by_name_key text, by_ping_id uuid, by_service_id bigint, by_ping_key text, by_slug text,
    -- The key that was verified; without one nothing is asked of it.
    with_key_id text, with_api_key_id bigint, with_version integer,
    -- The health in which this signal changes nothing but times, NULL where it always changes more.
    ordinary_health text, is_ping boolean,
    signal_id uuid, kind text, exit_status smallint, body bytea, remote_address text, user_agent text,
    -- Why the key is refused, if it is; whether the heartbeat was written; whom it means.
    OUT refusal text, OUT recorded boolean, OUT service_id bigint, OUT heartbeat_name text, OUT active boolean,
    OUT now timestamptz, OUT inspects_pings boolean, OUT cron_expression text, OUT timezone text,
    OUT grace_period_seconds integer, OUT early_tolerance_seconds integer
) LANGUAGE plpgsql AS $$
DECLARE
    service medic.services%ROWTYPE;
BEGIN
    now := now();
    recorded := false;

    IF with_key_id IS NOT NULL THEN
        SELECT CASE WHEN k.revoked_at <= now THEN 'revoked_key'
                    WHEN LEAST(k.expires_at, secret.valid_until) <= now THEN 'expired_key'
                    WHEN k.api_key_id <> with_api_key_id OR k.version <> with_version THEN 'changed_key'
               END
          INTO refusal
          FROM medic.api_key_secrets secret JOIN medic.api_keys k USING (api_key_id)
         WHERE secret.key_id = with_key_id;
        IF NOT FOUND THEN
            refusal := 'invalid_key';
        END IF;
    END IF;

    IF by_name_key IS NOT NULL THEN
        SELECT s.* INTO service FROM medic.services s WHERE s.name_key = by_name_key;
    ELSIF by_ping_id IS NOT NULL THEN
        SELECT s.* INTO service FROM medic.services s WHERE s.ping_id = by_ping_id;
    ELSIF by_service_id IS NOT NULL THEN
        SELECT s.* INTO service FROM medic.services s WHERE s.service_id = by_service_id;
    ELSE
        SELECT s.* INTO service FROM medic.teams t JOIN medic.services s USING (team_id)
         WHERE t.ping_key = by_ping_key AND s.slug = by_slug;
    END IF;

    IF service.active AND refusal IS NULL AND NOT (is_ping AND service.inspects_pings) THEN
        UPDATE medic.service_state st
           SET last_heartbeat_at = GREATEST(now, st.last_heartbeat_at),
               recent_heartbeats = (GREATEST(now, st.last_heartbeat_at) || st.recent_heartbeats)[1:service.threshold],
               alert_after = (GREATEST(now, st.last_heartbeat_at) || st.recent_heartbeats)[service.threshold]
                             + st.silence_allowed
         WHERE st.service_id = service.service_id AND st.cron IS NULL AND st.settled AND st.health = ordinary_health
           AND cardinality(st.recent_heartbeats) = service.threshold;
        recorded := FOUND;
    END IF;
    IF recorded THEN
        INSERT INTO medic.heartbeat_events
               (service_id, received_at, signal_id, kind, exit_status, body, remote_address, user_agent)
        VALUES (service.service_id, now, signal_id, kind, exit_status, body, remote_address, user_agent);
    END IF;

    service_id := service.service_id;
    heartbeat_name := service.heartbeat_name;
    active := service.active;
    inspects_pings := service.inspects_pings;
    cron_expression := service.cron_expression;
    timezone := service.timezone;
    grace_period_seconds := service.grace_period_seconds;
    early_tolerance_seconds := service.early_tolerance_seconds;
END
$$;
