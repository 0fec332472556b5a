-- SPDX-License-Identifier: Apache-2.0
-- How far something that must be done once for a mapping is done, whoever leads. Beside the history:
-- a mark is no change of the object.
CREATE TABLE mark (
    uid   text COLLATE "C" NOT NULL REFERENCES resource (uid),
    name  text COLLATE "C" NOT NULL,
    value bigint NOT NULL,
    at    timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (uid, name)
);
