-- Schema 4: a history that can be pruned and still verified, and what a move between vaults leaves to be forgotten.

-- The last link that was pruned: what is left verifies from its hash.
CREATE TABLE history_anchor (
    seq  INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    last TEXT NOT NULL,         -- when that link was made
    at   TEXT NOT NULL,         -- when it was pruned, and by whom
    user TEXT NOT NULL,
    host TEXT NOT NULL
);

-- The newest link, in one row: else the last links could go and nobody would see it.
CREATE TABLE history_head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
);

INSERT INTO history_head (only, seq, hash) SELECT 1, seq, hash FROM history ORDER BY seq DESC LIMIT 1;

CREATE TRIGGER history_is_not_cut BEFORE DELETE ON history
WHEN OLD.seq > (SELECT coalesce(max(seq), 0) FROM history_anchor)
BEGIN SELECT raise(ABORT, 'the history is append-only; biotrack-auth history prune leaves an anchor'); END;

-- Items of the keyring that nothing names since a commit, until they are forgotten.
CREATE TABLE left_item (
    item TEXT PRIMARY KEY
) WITHOUT ROWID;
