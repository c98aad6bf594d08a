-- Schema 3: runs over several licences, so that a killed one can be gone on with, and nobody begins a second over the same.

CREATE TABLE run (
    seq         INTEGER PRIMARY KEY,
    profile     TEXT NOT NULL,
    started     INTEGER NOT NULL,
    owner_mark  TEXT NOT NULL,
    owner_label TEXT NOT NULL
);

CREATE TABLE run_item (
    run         INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
    place       INTEGER NOT NULL,
    ubi         TEXT NOT NULL,
    license     TEXT NOT NULL,
    username    TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    name        TEXT,
    ocm_license TEXT,
    contact     TEXT,
    tags        TEXT NOT NULL,          -- one a line
    base        INTEGER NOT NULL,
    why         TEXT NOT NULL,
    progress    TEXT NOT NULL,
    PRIMARY KEY (run, place)
) WITHOUT ROWID;
