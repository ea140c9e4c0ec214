-- +goose Up

INSERT INTO schema_compat (version, runs_with) VALUES (3, 2);

-- Which kinds of second factor the person has, kept with each change of one,
-- so that a login need not look for them.
ALTER TABLE users ADD COLUMN factors TEXT NOT NULL DEFAULT '[]';
-- When a policy first asked the person for a factor: grace counts from here.
ALTER TABLE users ADD COLUMN enrol_asked_at TIMESTAMP;

-- The second factor was not asked for, because the browser is remembered.
ALTER TABLE sessions ADD COLUMN trusted BOOLEAN NOT NULL DEFAULT FALSE;

-- The authentication context class that must be reached; empty: any.
ALTER TABLE clients ADD COLUMN minimum_acr TEXT NOT NULL DEFAULT '';
ALTER TABLE apis ADD COLUMN minimum_acr TEXT NOT NULL DEFAULT '';
-- Ways to sign in that the client allows: local, or the id of a provider.
-- Empty: all.
ALTER TABLE clients ADD COLUMN ways TEXT NOT NULL DEFAULT '[]';

-- Authenticator apps (RFC 6238). One stands here once a code confirmed it.
CREATE TABLE totps (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    sealed     BLOB NOT NULL, -- the seed
    last_step  INTEGER NOT NULL, -- the newest time step that was spent
    created_at TIMESTAMP NOT NULL,
    used_at    TIMESTAMP
);
CREATE INDEX totps_user ON totps (user_id);

-- Passkeys: public keys of WebAuthn credentials.
CREATE TABLE passkeys (
    id              TEXT PRIMARY KEY,
    credential_id   TEXT NOT NULL UNIQUE, -- base64url
    user_id         TEXT NOT NULL,
    name            TEXT NOT NULL,
    public_key      BLOB NOT NULL, -- COSE
    sign_count      INTEGER NOT NULL,
    aaguid          TEXT NOT NULL,
    transports      TEXT NOT NULL,
    backup_eligible BOOLEAN NOT NULL,
    backed_up       BOOLEAN NOT NULL,
    attested        BOOLEAN NOT NULL, -- a trusted root vouches for the hardware
    user_verified   BOOLEAN NOT NULL,
    suspended_at    TIMESTAMP, -- its counter went back: it may be a clone
    created_at      TIMESTAMP NOT NULL,
    used_at         TIMESTAMP
);
CREATE INDEX passkeys_user ON passkeys (user_id);

CREATE TABLE recovery_codes (
    hash       TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    used_at    TIMESTAMP
);
CREATE INDEX recovery_codes_user ON recovery_codes (user_id);

-- Where one-time codes are sent: e-mail or SMS.
CREATE TABLE factor_contacts (
    user_id    TEXT NOT NULL,
    kind       TEXT NOT NULL, -- email, sms
    target     TEXT NOT NULL, -- the number; empty for e-mail: the address of the account
    created_at TIMESTAMP NOT NULL,
    used_at    TIMESTAMP,
    PRIMARY KEY (user_id, kind)
);

-- Browsers that are not asked for a second factor for a while.
CREATE TABLE trusted_devices (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE, -- fingerprint of the cookie
    user_id    TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    address    TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    used_at    TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX trusted_devices_user ON trusted_devices (user_id);
CREATE INDEX trusted_devices_expires_at ON trusted_devices (expires_at);

-- Ways back in that an administrator opens for who lost every factor.
CREATE TABLE factor_recoveries (
    id              TEXT PRIMARY KEY,
    user_id         TEXT NOT NULL,
    reason          TEXT NOT NULL,
    asked_by        TEXT NOT NULL,
    approved_by     TEXT NOT NULL, -- empty: nobody yet
    confirmation_id TEXT NOT NULL, -- of the link, once there is one
    created_at      TIMESTAMP NOT NULL,
    expires_at      TIMESTAMP NOT NULL,
    ended_at        TIMESTAMP,
    end_reason      TEXT NOT NULL
);
CREATE INDEX factor_recoveries_user ON factor_recoveries (user_id);
CREATE INDEX factor_recoveries_expires_at ON factor_recoveries (expires_at);

-- Where else people sign in: OpenID providers, OAuth ones, directories.
CREATE TABLE providers (
    id         TEXT PRIMARY KEY, -- part of its callback address
    kind       TEXT NOT NULL,    -- oidc, google, microsoft, …, ldap
    name       TEXT NOT NULL,
    settings   TEXT NOT NULL,
    sealed     BLOB, -- its secret: client secret, private key, bind password
    disabled   BOOLEAN NOT NULL,
    position   INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

-- Who a person is elsewhere: issuer and subject together.
CREATE TABLE identities (
    id         TEXT PRIMARY KEY,
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    provider   TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    label      TEXT NOT NULL, -- as people know it: an address, a name
    roles      TEXT NOT NULL, -- those that the provider gave
    linked_at  TIMESTAMP NOT NULL,
    used_at    TIMESTAMP,
    UNIQUE (issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id);
CREATE INDEX identities_provider ON identities (provider, id);

-- Which session of ours came from which sign-in elsewhere, for the logout.
CREATE TABLE upstream_sessions (
    session_id TEXT PRIMARY KEY,
    provider   TEXT NOT NULL,
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    sid        TEXT NOT NULL,
    sealed     BLOB, -- the ID token, as a hint for its end_session_endpoint
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX upstream_sessions_subject ON upstream_sessions (issuer, subject);
CREATE INDEX upstream_sessions_sid ON upstream_sessions (issuer, sid) WHERE sid <> '';
CREATE INDEX upstream_sessions_provider ON upstream_sessions (provider);
CREATE INDEX upstream_sessions_expires_at ON upstream_sessions (expires_at);

-- +goose Down
DROP TABLE upstream_sessions;
DROP TABLE identities;
DROP TABLE providers;
DROP TABLE factor_recoveries;
DROP TABLE trusted_devices;
DROP TABLE factor_contacts;
DROP TABLE recovery_codes;
DROP TABLE passkeys;
DROP TABLE totps;
ALTER TABLE clients DROP COLUMN ways;
ALTER TABLE apis DROP COLUMN minimum_acr;
ALTER TABLE clients DROP COLUMN minimum_acr;
ALTER TABLE sessions DROP COLUMN trusted;
ALTER TABLE users DROP COLUMN enrol_asked_at;
ALTER TABLE users DROP COLUMN factors;
DELETE FROM schema_compat WHERE version = 3;
