-- depends: 0003.routing

CREATE TABLE medic.api_keys (
    api_key_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id       text NOT NULL UNIQUE CHECK (key_id ~ '^[a-z0-9]{4,32}$'),
    name         text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    secret_hash  text NOT NULL,
    scopes       text[] NOT NULL CHECK (scopes <@ ARRAY['heartbeat', 'read', 'write', 'admin'] AND cardinality(scopes) > 0),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
