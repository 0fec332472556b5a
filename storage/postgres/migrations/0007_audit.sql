-- SPDX-License-Identifier: Apache-2.0
-- The audit log can be trusted: events are decided in order, what was written is sealed, and old
-- months go as whole partitions, which is itself an event.

-- Ids of events are given before their transaction commits, so a reader that goes by id could pass over
-- one that shows up later.  Who adds an event holds this lock (shared) until its end; who holds it alone
-- for a moment knows that everything up to the largest id is decided.  Number: 'czaudits'.
CREATE FUNCTION audit_undecided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7168148913737266291);
    RETURN NULL;
END $$;
CREATE TRIGGER undecided BEFORE INSERT ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_undecided();

-- root = SHA-256 over the root before, the bounds and the parts; see storage/postgres/stmt_audit.h.
CREATE TABLE audit_seal (
    n          bigint PRIMARY KEY,
    at         timestamptz NOT NULL,
    format     integer NOT NULL, -- which columns are sealed
    change_seq bigint NOT NULL,  -- everything up to this change
    event_id   bigint NOT NULL,  -- and up to this event
    root       bytea NOT NULL
);
-- One part per table, events by month, so that a month can go and the others still be compared.
CREATE TABLE audit_seal_part (
    n      bigint NOT NULL REFERENCES audit_seal,
    part   text COLLATE "C" NOT NULL, -- "change", "revision", "event 2026-11"
    rows   bigint NOT NULL,
    hash   bytea NOT NULL, -- over the hashes of the rows, in their order
    places bytea NOT NULL, -- per row 20 bytes: its number, its place, the begin of its hash: names the row
    PRIMARY KEY (n, part)
);

-- For how many months events are kept, beside the current one; set by the owner.
CREATE TABLE audit_policy (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    keep_months integer NOT NULL CHECK (keep_months BETWEEN 1 AND 1200)
);
INSERT INTO audit_policy (keep_months) VALUES (13);

-- How far events and seals are written to a Kafka topic.
CREATE TABLE audit_export (
    topic    text COLLATE "C" PRIMARY KEY,
    event_id bigint NOT NULL DEFAULT 0,
    seal_n   bigint NOT NULL DEFAULT 0,
    at       timestamptz NOT NULL DEFAULT statement_timestamp()
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['audit_seal', 'audit_seal_part'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I'
                       ' FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite()', t);
    END LOOP;
END $$;

-- Partitions of this month and the two to come, and of each month that has events without one (they wait in
-- the default partition); and away with months that are too old, when all of their events are sealed.
-- The run-time role may call it and nothing else of the kind; how much is kept is not its to say.
CREATE FUNCTION audit_keep() RETURNS TABLE (what text, month text, events bigint)
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    this date := date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC');
    months date[];
    m date;
    part text;
    low text;
    high text;
    sealed bigint;
    first_id bigint;
    last_id bigint;
BEGIN
    SELECT array_agg(DISTINCT x ORDER BY x) INTO months FROM (
        SELECT (this + i * interval '1 month')::date FROM generate_series(0, 2) i
        UNION ALL
        SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date FROM audit_event_default) t (x);
    FOREACH m IN ARRAY months LOOP
        part := 'audit_event_' || to_char(m, 'YYYY_MM');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        low := to_char(m, 'YYYY-MM-DD') || ' 00:00:00+00';
        high := to_char(m + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00';
        LOCK TABLE ONLY audit_event IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE %I (LIKE audit_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
        events := 0;
        IF EXISTS (SELECT FROM audit_event_default
                   WHERE at >= low::timestamptz AND at < high::timestamptz) THEN
            -- Moved, not changed.
            ALTER TABLE audit_event_default DISABLE TRIGGER append_only;
            EXECUTE format('WITH d AS (DELETE FROM audit_event_default WHERE at >= $1 AND at < $2'
                           ' RETURNING *) INSERT INTO %I SELECT * FROM d', part)
                USING low::timestamptz, high::timestamptz;
            GET DIAGNOSTICS events = ROW_COUNT;
            ALTER TABLE audit_event_default ENABLE TRIGGER append_only;
        END IF;
        EXECUTE format('ALTER TABLE audit_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       part, low, high);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite()', part);
        what := 'created';
        month := to_char(m, 'YYYY-MM');
        RETURN NEXT;
    END LOOP;

    SELECT coalesce(max(s.event_id), 0) INTO sealed FROM audit_seal s;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, audit_policy p
        WHERE i.inhparent = 'audit_event'::regclass AND c.relname ~ '^audit_event_[0-9]{4}_[0-9]{2}$'
          AND c.relname < 'audit_event_'
              || to_char(this - p.keep_months * interval '1 month', 'YYYY_MM')
        ORDER BY c.relname
    LOOP
        LOCK TABLE ONLY audit_event IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('SELECT count(*), min(id), max(id) FROM %I', part)
            INTO events, first_id, last_id;
        EXIT WHEN last_id > sealed; -- in order, so that a month that went says: and all before it
        EXECUTE format('DROP TABLE %I', part);
        what := 'dropped';
        month := replace(substr(part, 13), '_', '-');
        INSERT INTO audit_event (actor, via, action, outcome, detail)
            VALUES ('system', 'system', 'audit.retention', 'ok',
                    json_build_object('month', month, 'events', events,
                                      'first_id', first_id::text, 'last_id', last_id::text));
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION audit_keep() FROM PUBLIC;
-- It runs with the owner's rights, so the names in it must mean the owner's tables; and a reader that holds
-- a table for long must not make everybody wait behind us.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION audit_keep() SET search_path = %I, pg_temp', current_schema());
END $$;
ALTER FUNCTION audit_keep() SET lock_timeout = '1s';

SELECT audit_keep();
