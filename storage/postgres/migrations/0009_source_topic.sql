-- SPDX-License-Identifier: Apache-2.0
-- Who, of any team, reads one of these topics from one of these clusters?
DROP INDEX resource_source_topic;
CREATE INDEX resource_source_topic ON resource ((coalesce(doc #>> '{spec,source,topic}', '')),
        (doc #>> '{spec,source,cluster}'))
    WHERE deleted_seq IS NULL AND kind = 'mapping';
