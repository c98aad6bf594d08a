-- Schema 9: counts the writes of a record, so that nobody writes over what others wrote meanwhile. 0 is for what isn't there.

ALTER TABLE authorization ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
