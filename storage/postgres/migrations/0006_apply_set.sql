-- SPDX-License-Identifier: Apache-2.0
-- Sets: objects of a team that are applied together, from a repository.  What a set owns bears
-- managed_by = 'set:<name>'; here stands what was applied last, and whether anything may be.
CREATE TABLE apply_set (
    team_id          integer NOT NULL REFERENCES team,
    name             text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 200),
    repo             text,
    git_commit       text,   -- of the last apply
    applied_seq      bigint, -- its change; NULL: never
    applied_at       timestamptz,
    applied_by       text,
    suspended_seq    bigint, -- the change that suspended it; 0: by hand; NULL: it is not
    suspended_at     timestamptz,
    suspended_by     text,
    suspended_reason text,
    blocked_commit   text,   -- was rolled back: not to be applied again
    PRIMARY KEY (team_id, name)
);
-- The objects as the set's last apply left them: `seq` is the version that they had then.
CREATE TABLE set_member (
    team_id  integer NOT NULL REFERENCES team,
    kind     text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    set_name text COLLATE "C" NOT NULL,
    uid      text COLLATE "C" NOT NULL,
    seq      bigint NOT NULL,
    PRIMARY KEY (team_id, kind, name)
);
CREATE INDEX set_member_set ON set_member (team_id, set_name);
CREATE INDEX resource_managed ON resource (team_id, managed_by)
    WHERE deleted_seq IS NULL AND managed_by IS NOT NULL;
-- A plan of many mappings asks who reads from any of their targets.
CREATE INDEX resource_source_topic ON resource (team_id, (coalesce(doc #>> '{spec,source,topic}', '')))
    WHERE deleted_seq IS NULL AND kind = 'mapping';
-- A renamed mapping keeps the consumer group of its first name: no other may get that.
CREATE INDEX resource_group_name ON resource (team_id, (override ->> 'group_name'))
    WHERE deleted_seq IS NULL AND override ->> 'group_name' IS NOT NULL;
CREATE INDEX change_set ON change (team_id, set_name, seq DESC) WHERE set_name IS NOT NULL;
