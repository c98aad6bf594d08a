-- Schema 2: reminders that were given, and hooks that wait to be run.

-- A reminder is given once for each end and threshold; a renewal has a new end. 0 days: lapsed.
CREATE TABLE reminded (
    profile    TEXT NOT NULL,
    ubi        TEXT NOT NULL,
    license    TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    days       INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (profile, ubi, license, expires_at, days)
) WITHOUT ROWID;

-- Queued with the event itself, in its commit; gone once the hook has succeeded.
CREATE TABLE hook_queue (
    seq      INTEGER PRIMARY KEY REFERENCES history (seq),
    profile  TEXT NOT NULL,
    occasion TEXT NOT NULL
);
