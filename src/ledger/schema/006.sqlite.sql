-- Schema 6: answers that come back by hand, or on another host.

-- SHA-256 of the state, so that an answer finds its question without every memo being opened. The state itself is sealed.
ALTER TABLE flow ADD COLUMN state_hash BLOB;

CREATE INDEX flow_by_state ON flow (state_hash) WHERE state_hash IS NOT NULL;

-- States of questions that are closed, for a while: an answer that comes again, or too late, is told from a stranger's.
CREATE TABLE spent_state (
    state_hash BLOB PRIMARY KEY,
    profile    TEXT NOT NULL,
    ubi        TEXT NOT NULL,
    license    TEXT NOT NULL,
    replaced   INTEGER NOT NULL,       -- by a newer question, before an answer came
    at         INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX spent_state_by_age ON spent_state (at);
