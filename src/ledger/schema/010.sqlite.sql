-- Schema 10: a license may have several open questions: one that was handed out outlives the command that asks once more, and
-- the first grant closes the rest. Whether a question was handed out is told apart from whether anybody waits for its answer.

DROP INDEX flow_of_a_licence;

ALTER TABLE flow ADD COLUMN handed_off INTEGER NOT NULL DEFAULT 0;

-- An answer came that brought nothing.
ALTER TABLE flow ADD COLUMN had_answer INTEGER NOT NULL DEFAULT 0;

UPDATE flow SET handed_off = 1 WHERE owner_mark IS NULL AND stage = 'asked';
