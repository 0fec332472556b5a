-- SPDX-License-Identifier: Apache-2.0
-- Each save of a mapping asks who else commits for its consumer group.
CREATE INDEX resource_consumer_group ON resource (team_id, (doc #>> '{spec,consumer_group}'))
    WHERE deleted_seq IS NULL AND kind = 'mapping';
