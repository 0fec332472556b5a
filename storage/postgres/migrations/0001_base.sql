-- The base of the control plane: teams, resources with their history, the outbox to the config
-- topic, the leadership and the audit log.
--
-- Documents are `json`, not `jsonb`: jsonb turns 1e22 into an integer that JSON readers refuse and
-- loses the order of the keys; what a user wrote must come back as it was.  Columns that queries
-- filter on are generated from the document.  Names are compared bytewise (COLLATE "C"), as the
-- program does it.

CREATE TABLE team (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 200),
    created_at  timestamptz NOT NULL DEFAULT statement_timestamp(),
    deleted_seq bigint
);
CREATE UNIQUE INDEX team_name ON team (name) WHERE deleted_seq IS NULL;
INSERT INTO team (name) VALUES ('default');

-- One row. Every write begins by counting it up, which serialises the writers: the numbers are
-- without gaps and in the order of the commits.
CREATE TABLE epoch (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    n   bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO epoch (n) VALUES (0);

-- One row per transaction that changed something.
CREATE TABLE change (
    seq          bigint PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT statement_timestamp(),
    token        text NOT NULL UNIQUE, -- of the request: tells after a lost COMMIT if it was done
    team_id      integer REFERENCES team,
    principal_id text,
    token_id     text,
    actor        text,
    via          text,
    comment      text,
    set_name     text,
    git_commit   text,
    plan_hash    text,
    reverts      bigint REFERENCES change,
    request_id   text,
    trace_id     text,
    ip           text,
    created      integer NOT NULL DEFAULT 0,
    updated      integer NOT NULL DEFAULT 0,
    deleted      integer NOT NULL DEFAULT 0
);
CREATE INDEX change_team ON change (team_id, seq DESC);
CREATE INDEX change_actor ON change (actor, seq DESC);

-- The current state of each object, and the last one of those that were deleted.
CREATE TABLE resource (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id     integer NOT NULL REFERENCES team,
    kind        text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 200),
    uid         text COLLATE "C" NOT NULL UNIQUE,
    generation  bigint NOT NULL,
    version     bigint NOT NULL,
    managed_by  text,
    doc         json NOT NULL,
    override    json,
    group_name  text GENERATED ALWAYS AS (doc ->> 'group') STORED,
    labels      jsonb GENERATED ALWAYS AS ((doc -> 'labels')::jsonb) STORED,
    created_at  timestamptz NOT NULL DEFAULT statement_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT statement_timestamp(),
    deleted_seq bigint
);
CREATE UNIQUE INDEX resource_live ON resource (team_id, kind, name) WHERE deleted_seq IS NULL;
CREATE INDEX resource_name ON resource (team_id, kind, name, id DESC);

-- A full snapshot of each object that a change touched.
CREATE TABLE revision (
    seq         bigint NOT NULL REFERENCES change DEFERRABLE INITIALLY DEFERRED,
    n           integer NOT NULL, -- place within the change
    resource_id bigint NOT NULL REFERENCES resource,
    team_id     integer NOT NULL REFERENCES team,
    kind        text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    uid         text COLLATE "C" NOT NULL,
    generation  bigint NOT NULL,
    op          text NOT NULL,
    managed_by  text,
    doc         json NOT NULL,
    override    json,
    PRIMARY KEY (seq, n)
);
CREATE INDEX revision_resource ON revision (resource_id, seq DESC, n DESC);
CREATE INDEX revision_name ON revision (kind, name, seq DESC);

-- What waits to be written to the config topic, and what the topic holds when all is written.
CREATE TABLE outbox (
    seq   bigint NOT NULL,
    n     integer NOT NULL,
    key   text COLLATE "C" NOT NULL,
    value json, -- NULL: tombstone
    PRIMARY KEY (seq, n)
);
CREATE TABLE config_record (
    key   text COLLATE "C" PRIMARY KEY,
    value json NOT NULL,
    seq   bigint NOT NULL
);

-- One row: who leads. The leader also holds an advisory lock on its session.
CREATE TABLE leader (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch       bigint NOT NULL,
    instance    text,
    backend_pid integer,
    renewed_at  timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
INSERT INTO leader (epoch) VALUES (0);

-- Who did, or tried, what. Monthly partitions can be attached later; the default one holds the rest.
CREATE TABLE audit_event (
    id           bigint GENERATED ALWAYS AS IDENTITY,
    at           timestamptz NOT NULL DEFAULT statement_timestamp(),
    team_id      integer,
    principal_id text,
    token_id     text,
    actor        text,
    via          text,
    action       text NOT NULL,
    outcome      text NOT NULL,
    seq          bigint, -- of the change, when there is one
    request_id   text,
    trace_id     text,
    ip           text,
    detail       json,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE audit_event_default PARTITION OF audit_event DEFAULT;
CREATE INDEX audit_event_team ON audit_event (team_id, id DESC);
CREATE INDEX audit_event_action ON audit_event (team_id, action, id DESC);

-- History cannot be rewritten: the run-time role has no right to, and these stop the owner too.
CREATE FUNCTION refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: history is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON change
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON revision
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON revision
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit_event_default
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
