-- SPDX-License-Identifier: Apache-2.0
-- The last report about a mapping by name (proof of copy), made by one instance and shown by all.
-- Beside the history: a report is no change of the object.
CREATE TABLE report (
    uid   text COLLATE "C" NOT NULL REFERENCES resource (uid),
    name  text COLLATE "C" NOT NULL,
    value json NOT NULL,
    at    timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (uid, name)
);
