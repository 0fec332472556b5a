-- SPDX-License-Identifier: Apache-2.0
-- Teams, who is in them and what they may use are resources of the kinds team, binding and grant, so
-- they have the history of all others.  Each request asks whether any of them has changed.
CREATE INDEX resource_access ON resource (version) WHERE kind IN ('team', 'binding', 'grant');

-- The second fence between teams.  The program sets citizenk.teams for each transaction: the names of
-- the teams that who asks may see, or * for its own work (leader, scheduler).  Where it is not set,
-- nothing is seen and nothing can be written.  The owner of the tables is not fenced, so that he can dump
-- them: the fence is for the run-time role (--postgres beside --postgres-admin).
CREATE FUNCTION sees_all_teams() RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT coalesce(current_setting('citizenk.teams', true) = '*', false) $$;
CREATE FUNCTION visible_teams() RETURNS integer[] LANGUAGE sql STABLE AS
    $$ SELECT ARRAY(SELECT id FROM team WHERE deleted_seq IS NULL AND NOT sees_all_teams()
        AND name = ANY (coalesce(nullif(nullif(current_setting('citizenk.teams', true), ''), '*'),
                                 '{}')::text[])) $$;

-- Sub-selects, so that the functions are called once for a statement and not for each row.
ALTER TABLE resource ENABLE ROW LEVEL SECURITY;
CREATE POLICY team_fence ON resource
    USING ((SELECT sees_all_teams()) OR team_id = ANY ((SELECT visible_teams())::integer[]));
ALTER TABLE revision ENABLE ROW LEVEL SECURITY;
CREATE POLICY team_fence ON revision
    USING ((SELECT sees_all_teams()) OR team_id = ANY ((SELECT visible_teams())::integer[]));
ALTER TABLE change ENABLE ROW LEVEL SECURITY;
CREATE POLICY team_fence ON change
    USING ((SELECT sees_all_teams()) OR team_id = ANY ((SELECT visible_teams())::integer[]));
