-- SPDX-License-Identifier: Apache-2.0
-- Who may sign in, and with what.  Secrets are never stored: only SHA-256 of random values, and
-- argon2id of passwords.

-- Disabled, never deleted: the history names its principals. A user of an identity provider is its
-- (issuer, subject), never an e-mail address. Local users have the issuer 'local', services 'service'.
CREATE TABLE principal (
    id          text COLLATE "C" PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('user', 'service')),
    issuer      text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    admin       boolean NOT NULL DEFAULT false,
    auditor     boolean NOT NULL DEFAULT false,
    groups      json NOT NULL DEFAULT '[]', -- of the identity provider, as of the last sign-in
    created_at  timestamptz NOT NULL DEFAULT statement_timestamp(),
    login_at    timestamptz,
    disabled_at timestamptz,
    UNIQUE (issuer, subject)
);
CREATE TABLE local_password (
    principal_id text COLLATE "C" PRIMARY KEY REFERENCES principal,
    hash         text NOT NULL,
    changed_at   timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE TABLE session (
    hash         text COLLATE "C" PRIMARY KEY, -- SHA-256 of the cookie
    id           text COLLATE "C" NOT NULL UNIQUE, -- what lists show
    principal_id text COLLATE "C" NOT NULL REFERENCES principal,
    created_at   timestamptz NOT NULL DEFAULT statement_timestamp(), -- of the sign-in
    used_at      timestamptz NOT NULL DEFAULT statement_timestamp(),
    ip           text,
    agent        text
);
CREATE INDEX session_principal ON session (principal_id);
CREATE INDEX session_created ON session (created_at);
CREATE TABLE api_token (
    id           text COLLATE "C" PRIMARY KEY,
    hash         text COLLATE "C" NOT NULL UNIQUE, -- SHA-256 of the value
    hint         text NOT NULL,
    principal_id text COLLATE "C" NOT NULL REFERENCES principal,
    name         text NOT NULL,
    scopes       text NOT NULL,
    team         text COLLATE "C", -- NULL: all of the principal's
    set_name     text COLLATE "C",
    created_at   timestamptz NOT NULL DEFAULT statement_timestamp(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    used_ip      text,
    revoked_at   timestamptz
);
CREATE INDEX api_token_principal ON api_token (principal_id, created_at);
-- What all instances share without being told: keys of cursors are made of it.
CREATE TABLE deployment (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    secret text NOT NULL DEFAULT gen_random_uuid()::text || gen_random_uuid()::text
);
INSERT INTO deployment DEFAULT VALUES;
-- Offered on a fresh database: whoever has one may make the first admin, once.
CREATE TABLE bootstrap_token (
    hash       text COLLATE "C" PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
