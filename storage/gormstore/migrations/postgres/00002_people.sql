-- +goose Up

INSERT INTO schema_compat (version, runs_with) VALUES (2, 1);

ALTER TABLE users ADD COLUMN terms_version TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN terms_accepted_at TIMESTAMPTZ;
-- When a person who asked to be deleted will be.
ALTER TABLE users ADD COLUMN delete_at TIMESTAMPTZ;
CREATE INDEX users_delete_at ON users (delete_at) WHERE delete_at IS NOT NULL;

-- "Keep me signed in": the longer idle limit holds.
ALTER TABLE sessions ADD COLUMN remembered BOOLEAN NOT NULL DEFAULT FALSE;

-- Proofs asked of whoever reads a mailbox: links and codes, each once.
CREATE TABLE confirmations (
    id         TEXT PRIMARY KEY,
    purpose    TEXT NOT NULL,
    user_id    TEXT NOT NULL, -- empty while nobody has the account
    email      TEXT NOT NULL,
    link_hash  TEXT UNIQUE,
    code_hash  TEXT NOT NULL, -- empty: there is no code
    tries      BIGINT NOT NULL,
    sealed     BYTEA,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    ended_at   TIMESTAMPTZ, -- spent, or ended by a later one
    reason     TEXT NOT NULL -- why it ended: used, replaced, …
);
CREATE INDEX confirmations_user ON confirmations (user_id, purpose) WHERE user_id <> '';
CREATE INDEX confirmations_purpose ON confirmations (purpose, created_at, id);
CREATE INDEX confirmations_expires_at ON confirmations (expires_at);

-- Mail on its way. What it says and to whom is sealed.
CREATE TABLE mails (
    id           TEXT PRIMARY KEY,
    letter       TEXT NOT NULL, -- which one: verify, reset, …
    user_id      TEXT NOT NULL,
    sealed       BYTEA, -- NULL once it is sent and need not be kept
    state        TEXT NOT NULL, -- waiting, sent, given_up
    tries        BIGINT NOT NULL,
    next_at      TIMESTAMPTZ NOT NULL, -- a sender that holds it moves this on
    problem      TEXT NOT NULL, -- what the mail server said last
    created_at   TIMESTAMPTZ NOT NULL,
    ended_at     TIMESTAMPTZ -- sent or given up
);
CREATE INDEX mails_next_at ON mails (next_at) WHERE state = 'waiting';
CREATE INDEX mails_created_at ON mails (created_at, id);
CREATE INDEX mails_user ON mails (user_id) WHERE user_id <> '';
CREATE INDEX mails_ended_at ON mails (ended_at) WHERE ended_at IS NOT NULL;

-- +goose Down
DROP TABLE mails, confirmations;
ALTER TABLE sessions DROP COLUMN remembered;
DROP INDEX users_delete_at;
ALTER TABLE users DROP COLUMN delete_at;
ALTER TABLE users DROP COLUMN terms_accepted_at;
ALTER TABLE users DROP COLUMN terms_version;
DELETE FROM schema_compat WHERE version = 2;
