-- +goose Up

-- Which older binary may still run with a schema: the one whose newest
-- migration is at least runs_with. Every migration adds its row.
CREATE TABLE schema_compat (
    version   INTEGER PRIMARY KEY,
    runs_with INTEGER NOT NULL
);
INSERT INTO schema_compat (version, runs_with) VALUES (1, 1);

CREATE TABLE clients (
    id                        TEXT PRIMARY KEY,
    name                      TEXT NOT NULL,
    application_type          TEXT NOT NULL,
    source                    TEXT NOT NULL,
    disabled                  BOOLEAN NOT NULL,
    client_uri                TEXT NOT NULL,
    logo_uri                  TEXT NOT NULL,
    policy_uri                TEXT NOT NULL,
    tos_uri                   TEXT NOT NULL,
    contacts                  TEXT NOT NULL,
    auth_method               TEXT NOT NULL,
    auth_method_strict        BOOLEAN NOT NULL,
    auth_signing_alg          TEXT NOT NULL,
    secrets                   TEXT NOT NULL,
    jwks                      TEXT NOT NULL, -- as it was sent, byte for byte
    jwks_uri                  TEXT NOT NULL,
    redirect_uris             TEXT NOT NULL,
    post_logout_redirect_uris TEXT NOT NULL,
    initiate_login_uri        TEXT NOT NULL,
    grant_types               TEXT NOT NULL,
    response_types            TEXT NOT NULL,
    scopes                    TEXT NOT NULL,
    audiences                 TEXT NOT NULL,
    pkce_optional             BOOLEAN NOT NULL,
    skip_consent              BOOLEAN NOT NULL,
    profile_in_id_token       BOOLEAN NOT NULL,
    id_token_alg              TEXT NOT NULL,
    userinfo_alg              TEXT NOT NULL,
    introspection_alg         TEXT NOT NULL,
    default_max_age           INTEGER,
    require_auth_time         BOOLEAN NOT NULL,
    default_acr_values        TEXT NOT NULL,
    access_token_ttl          INTEGER NOT NULL, -- nanoseconds, as the next two
    refresh_idle_ttl          INTEGER NOT NULL,
    refresh_absolute_ttl      INTEGER NOT NULL,
    software_id               TEXT NOT NULL,
    software_version          TEXT NOT NULL,
    registration_token_hash   TEXT NOT NULL,
    created_at                TIMESTAMP NOT NULL,
    updated_at                TIMESTAMP NOT NULL
);
CREATE INDEX clients_created_at ON clients (created_at, id);
CREATE INDEX clients_source ON clients (source);
CREATE INDEX clients_access_token_ttl ON clients (access_token_ttl) WHERE access_token_ttl > 0;

CREATE TABLE apis (
    audience         TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    scopes           TEXT NOT NULL,
    format           TEXT NOT NULL,
    plain_type       BOOLEAN NOT NULL,
    token_ttl        INTEGER NOT NULL, -- nanoseconds
    roles_in_token   BOOLEAN NOT NULL,
    resource_servers TEXT NOT NULL,
    open_to_dynamic  BOOLEAN NOT NULL,
    demo             BOOLEAN NOT NULL,
    created_at       TIMESTAMP NOT NULL
);

-- A scope belongs to exactly one API.
CREATE TABLE api_scopes (
    name     TEXT PRIMARY KEY,
    audience TEXT NOT NULL REFERENCES apis (audience) ON DELETE CASCADE
);
CREATE INDEX api_scopes_audience ON api_scopes (audience);

CREATE TABLE users (
    id                    TEXT PRIMARY KEY,
    username              TEXT NOT NULL,
    username_key          TEXT UNIQUE, -- normalised; NULL when there is none
    email                 TEXT NOT NULL,
    email_key             TEXT UNIQUE,
    email_verified        BOOLEAN NOT NULL,
    disabled              BOOLEAN NOT NULL,
    demo                  BOOLEAN NOT NULL,
    name                  TEXT NOT NULL,
    given_name            TEXT NOT NULL,
    family_name           TEXT NOT NULL,
    middle_name           TEXT NOT NULL,
    nickname              TEXT NOT NULL,
    profile               TEXT NOT NULL,
    picture               TEXT NOT NULL,
    website               TEXT NOT NULL,
    gender                TEXT NOT NULL,
    birthdate             TEXT NOT NULL,
    zoneinfo              TEXT NOT NULL,
    locale                TEXT NOT NULL,
    phone_number          TEXT NOT NULL,
    phone_number_verified BOOLEAN NOT NULL,
    address               TEXT NOT NULL,
    roles                 TEXT NOT NULL,
    created_at            TIMESTAMP NOT NULL,
    updated_at            TIMESTAMP NOT NULL
);
CREATE INDEX users_created_at ON users (created_at, id);
CREATE INDEX users_demo ON users (id) WHERE demo;

-- What a person types to say who they are. One person's username must not be
-- another's e-mail address, so both kinds share one key.
CREATE TABLE user_identifiers (
    key     TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX user_identifiers_user ON user_identifiers (user_id);

CREATE TABLE passwords (
    user_id    TEXT PRIMARY KEY,
    hash       TEXT NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

CREATE TABLE grants (
    id                      TEXT PRIMARY KEY,
    client_id               TEXT NOT NULL,
    user_id                 TEXT NOT NULL,
    session_id              TEXT NOT NULL,
    scopes                  TEXT NOT NULL,
    audiences               TEXT NOT NULL,
    resources               TEXT NOT NULL,
    code_hash               TEXT,
    code_expires_at         TIMESTAMP,
    code_used_at            TIMESTAMP,
    redirect_uri            TEXT NOT NULL,
    challenge               TEXT NOT NULL,
    nonce                   TEXT NOT NULL,
    claims_request          TEXT NOT NULL,
    dpop_key                TEXT NOT NULL,
    auth_time               TIMESTAMP,
    acr                     TEXT NOT NULL,
    amr                     TEXT NOT NULL,
    refresh_hash            TEXT,
    refresh_generation      INTEGER NOT NULL,
    refresh_idle_expires_at TIMESTAMP,
    refresh_expires_at      TIMESTAMP,
    previous_hash           TEXT,
    rotated_at              TIMESTAMP,
    retry_key               TEXT NOT NULL,
    retry_answer            BLOB,
    offline                 BOOLEAN NOT NULL,
    created_at              TIMESTAMP NOT NULL,
    revoked_at              TIMESTAMP,
    reason                  TEXT NOT NULL,
    keep_until              TIMESTAMP NOT NULL -- rounded up to days
);
CREATE UNIQUE INDEX grants_code_hash ON grants (code_hash) WHERE code_hash IS NOT NULL;
CREATE INDEX grants_session ON grants (session_id) WHERE session_id <> '';
CREATE INDEX grants_user_client ON grants (user_id, client_id) WHERE user_id <> '';
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_keep_until ON grants (keep_until);

CREATE TABLE opaque_tokens (
    hash       TEXT PRIMARY KEY,
    grant_id   TEXT NOT NULL,
    jti        TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    claims     TEXT NOT NULL, -- JSON, byte for byte
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX opaque_tokens_expires_at ON opaque_tokens (expires_at);

CREATE TABLE sessions (
    id              TEXT PRIMARY KEY,
    hash            TEXT UNIQUE,
    user_id         TEXT NOT NULL,
    auth_time       TIMESTAMP,
    acr             TEXT NOT NULL,
    amr             TEXT NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    last_seen_at    TIMESTAMP,
    idle_expires_at TIMESTAMP,
    expires_at      TIMESTAMP NOT NULL,
    ended_at        TIMESTAMP,
    end_reason      TEXT NOT NULL,
    user_agent      TEXT NOT NULL,
    address         TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, created_at);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_ended_at ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE consents (
    user_id    TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    audiences  TEXT NOT NULL,
    claims     TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

CREATE TABLE signing_keys (
    id          TEXT PRIMARY KEY,
    purpose     TEXT NOT NULL,
    alg         TEXT NOT NULL,
    predecessor TEXT NOT NULL,
    public      TEXT NOT NULL, -- JWK, byte for byte
    sealed      BLOB NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    active_at   TIMESTAMP NOT NULL,
    expires_at  TIMESTAMP,
    revoked_at  TIMESTAMP,
    UNIQUE (purpose, alg, predecessor) -- a key has one successor
);

CREATE TABLE server_secrets (
    name   TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
);

CREATE TABLE revocations (
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    not_before TIMESTAMP NOT NULL, -- year 1 when there is none
    expires_at TIMESTAMP NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX revocations_expires_at ON revocations (expires_at);

CREATE TABLE audit_events (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    at         TIMESTAMP NOT NULL,
    actor      TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    session_id TEXT NOT NULL,
    remote     TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    request_id TEXT NOT NULL,
    data       TEXT NOT NULL
);
CREATE INDEX audit_events_at ON audit_events (at, id);
CREATE INDEX audit_events_user ON audit_events (user_id, at, id) WHERE user_id <> '';

CREATE TABLE refusals (
    request_id TEXT PRIMARY KEY,
    at         TIMESTAMP NOT NULL,
    method     TEXT NOT NULL,
    path       TEXT NOT NULL,
    status     INTEGER NOT NULL,
    code       TEXT NOT NULL,
    say        TEXT NOT NULL,
    rule       TEXT NOT NULL,
    compared   TEXT NOT NULL,
    hint       TEXT NOT NULL,
    cause      TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    remote     TEXT NOT NULL
);
CREATE INDEX refusals_at ON refusals (at);

CREATE TABLE leases (
    name       TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    expires_at TIMESTAMP NOT NULL
);

-- +goose Down
DROP TABLE leases;
DROP TABLE refusals;
DROP TABLE audit_events;
DROP TABLE revocations;
DROP TABLE server_secrets;
DROP TABLE signing_keys;
DROP TABLE consents;
DROP TABLE sessions;
DROP TABLE opaque_tokens;
DROP TABLE grants;
DROP TABLE passwords;
DROP TABLE user_identifiers;
DROP TABLE users;
DROP TABLE api_scopes;
DROP TABLE apis;
DROP TABLE clients;
DROP TABLE schema_compat;
