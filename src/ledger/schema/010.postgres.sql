-- Schema 10: a license may have several open questions: one that was handed out outlives the command that asks once more, and
-- the first grant closes the rest. Whether a question was handed out is told apart from whether anybody waits for its answer.

DROP INDEX flow_of_a_licence;

ALTER TABLE flow ADD COLUMN handed_off BOOLEAN NOT NULL DEFAULT FALSE;

-- An answer came that brought nothing.
ALTER TABLE flow ADD COLUMN had_answer BOOLEAN NOT NULL DEFAULT FALSE;

UPDATE flow SET handed_off = TRUE WHERE owner_mark IS NULL AND stage = 'asked';

-- The role of contrib/postgresql/roles.sql that reads, where it's there already.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'biotrack_auth_reader') THEN
        GRANT SELECT (handed_off, had_answer) ON flow TO biotrack_auth_reader;
    END IF;
END $$;
