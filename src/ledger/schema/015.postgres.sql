-- Schema 15: a hook that waits knows which kind of failure it tells of; none where there was no failure, and in those that wait
-- since before.

ALTER TABLE hook_queue ADD COLUMN failure TEXT COLLATE "C";

ALTER TABLE hook_queue ADD CONSTRAINT a_hooks_failure_is_readable CHECK (is_a_mark(failure)) NOT VALID;
