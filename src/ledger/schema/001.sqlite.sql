-- Schema 1. Instants are whole seconds of Unix time; texts of the history are RFC 3339.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- One row a licence, without secrets, so that reading ten thousand is cheap.
CREATE TABLE authorization (
    profile            TEXT NOT NULL,
    ubi                TEXT NOT NULL,
    license            TEXT NOT NULL,
    ocm_license        TEXT,
    name               TEXT,
    username           TEXT NOT NULL,
    granted_by         TEXT,
    contact            TEXT,
    tags               TEXT NOT NULL,          -- one a line
    created_at         INTEGER,
    renewed_at         INTEGER,
    expires_at         INTEGER,
    expires_estimated  INTEGER NOT NULL,
    deactivated_at     INTEGER,
    invalid_at         INTEGER,
    uncertain_at       INTEGER,
    revocation_pending INTEGER NOT NULL,
    held_by            TEXT,
    held_elsewhere     INTEGER NOT NULL,
    generation         INTEGER NOT NULL,
    PRIMARY KEY (profile, ubi, license)
) WITHOUT ROWID;

CREATE INDEX authorization_by_expiry ON authorization (profile, expires_at);

-- Where each secret lives: a keyring item's name, or the sealed bytes themselves.
CREATE TABLE secret (
    id         INTEGER PRIMARY KEY,
    profile    TEXT NOT NULL,
    ubi        TEXT NOT NULL,
    license    TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('live', 'held', 'superseded', 'unwanted')),
    item       TEXT,
    blob       BLOB,
    CHECK ((item IS NULL) <> (blob IS NULL))
);

CREATE UNIQUE INDEX secret_of_a_role ON secret (profile, ubi, license, role) WHERE role IN ('live', 'held');
CREATE INDEX secret_of_a_licence ON secret (profile, ubi, license);

-- What a profile itself keeps secret.
CREATE TABLE profile_secret (
    profile TEXT NOT NULL,
    name    TEXT NOT NULL,
    item    TEXT,
    blob    BLOB,
    PRIMARY KEY (profile, name),
    CHECK ((item IS NULL) <> (blob IS NULL))
) WITHOUT ROWID;

-- The journal: questions to the provider that are still open.
CREATE TABLE flow (
    id           TEXT PRIMARY KEY,
    profile      TEXT NOT NULL,
    ubi          TEXT NOT NULL,
    license      TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    username     TEXT NOT NULL,
    base         INTEGER NOT NULL,
    redirect_uri TEXT NOT NULL,
    opened       INTEGER NOT NULL,
    deadline     INTEGER NOT NULL,
    owner_mark   TEXT,
    owner_label  TEXT,
    memo_item    TEXT,
    memo_blob    BLOB,
    stage        TEXT NOT NULL CHECK (stage IN ('asked', 'arrived', 'sent', 'answered')),
    sealed       BLOB
);

-- One question a licence at a time: this is the claim.
CREATE UNIQUE INDEX flow_of_a_licence ON flow (profile, ubi, license);

CREATE TABLE history (
    seq      INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    profile  TEXT NOT NULL,
    ubi      TEXT NOT NULL,
    license  TEXT NOT NULL,
    event    TEXT NOT NULL,
    user     TEXT NOT NULL,
    host     TEXT NOT NULL,
    detail   TEXT NOT NULL,
    hash     BLOB NOT NULL      -- SHA-256 over the hash before it and this row
);

CREATE INDEX history_of_a_licence ON history (profile, ubi, license, seq);

CREATE TRIGGER history_is_not_rewritten BEFORE UPDATE ON history
BEGIN SELECT raise(ABORT, 'the history is append-only'); END;
