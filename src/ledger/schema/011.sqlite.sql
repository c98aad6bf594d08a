-- Schema 11: the hosts that take answers for others. What they need for that is sealed to them, too.

CREATE TABLE host (
    recipient TEXT PRIMARY KEY,        -- the public half of its identity: what is sealed to it, it alone opens
    name      TEXT NOT NULL,
    since     INTEGER NOT NULL,
    listened  INTEGER NOT NULL         -- when it was last heard of as one that listens
) WITHOUT ROWID;
