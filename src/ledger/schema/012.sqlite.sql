-- Schema 12: which role of a server's wrote a link of the history, and to whom a team's hosts seal their token sets.

-- As the server itself knows it; nothing in a file, and in what was written before.
ALTER TABLE history ADD COLUMN database_role TEXT;

CREATE TABLE recipient (
    recipient TEXT PRIMARY KEY,        -- the public half of a host's identity
    host      TEXT NOT NULL,           -- which host listed it
    since     INTEGER NOT NULL
) WITHOUT ROWID;
