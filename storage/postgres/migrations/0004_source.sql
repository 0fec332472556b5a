-- SPDX-License-Identifier: Apache-2.0
-- Each save of a route asks who reads from the cluster that it writes to: records must not go round.
CREATE INDEX resource_source ON resource (team_id, (doc #>> '{spec,source,cluster}'))
    WHERE deleted_seq IS NULL AND kind = 'mapping';
