-- Two roles for a team's ledger. Run it once, as the role that owns the ledger, in its database, after the first command
-- has made it:
--
--     psql -d ledger -f roles.sql
--     CREATE ROLE cron LOGIN PASSWORD '…';  GRANT biotrack_auth_reader TO cron;
--     CREATE ROLE ann LOGIN PASSWORD '…';   GRANT biotrack_auth_writer TO ann;
--
-- The reader (cron's checks, dashboards) sees records and history, and no secret, sealed or not. The writer does everything
-- but change the schema, and change or cut the history: that is the owner's, by biotrack-auth history prune.

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['biotrack_auth_reader', 'biotrack_auth_writer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                -- Roles are the whole server's: for another of its ledgers it was made at the same moment.
                NULL;
            END;
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON SCHEMA biotrack_auth FROM PUBLIC;
GRANT USAGE ON SCHEMA biotrack_auth TO biotrack_auth_reader, biotrack_auth_writer;

GRANT SELECT ON biotrack_auth.meta, biotrack_auth."authorization", biotrack_auth.history, biotrack_auth.history_anchor,
    biotrack_auth.history_head, biotrack_auth.owner, biotrack_auth.reminded
    TO biotrack_auth_reader, biotrack_auth_writer;
GRANT SELECT (id, profile, ubi, license, purpose, username, base, redirect_uri, opened, deadline, owner_mark, owner_label, stage)
    ON biotrack_auth.flow TO biotrack_auth_reader;

GRANT SELECT, INSERT, UPDATE, DELETE ON biotrack_auth."authorization", biotrack_auth.secret, biotrack_auth.profile_secret,
    biotrack_auth.flow, biotrack_auth.spent_state, biotrack_auth.owner, biotrack_auth.reminded, biotrack_auth.hook_queue,
    biotrack_auth.run, biotrack_auth.run_item, biotrack_auth.left_item TO biotrack_auth_writer;
GRANT INSERT ON biotrack_auth.history TO biotrack_auth_writer;
GRANT INSERT, UPDATE ON biotrack_auth.history_head TO biotrack_auth_writer;

-- What an older ledger doesn't have yet, the migration that makes it grants: how far a consent has come beside its stage,
-- which hosts listen, and how far removed records had counted.
DO $$
BEGIN
    IF EXISTS (SELECT FROM information_schema.columns
               WHERE table_schema = 'biotrack_auth' AND table_name = 'flow' AND column_name = 'handed_off') THEN
        GRANT SELECT (handed_off, had_answer) ON biotrack_auth.flow TO biotrack_auth_reader;
    END IF;
    IF to_regclass('biotrack_auth.host') IS NOT NULL THEN
        GRANT SELECT ON biotrack_auth.host TO biotrack_auth_reader;
        GRANT SELECT, INSERT, UPDATE, DELETE ON biotrack_auth.host TO biotrack_auth_writer;
    END IF;
    IF to_regclass('biotrack_auth.removed_record') IS NOT NULL THEN
        GRANT SELECT ON biotrack_auth.removed_record TO biotrack_auth_reader;
        GRANT SELECT, INSERT, UPDATE, DELETE ON biotrack_auth.removed_record TO biotrack_auth_writer;
    END IF;
END $$;

-- What a host notes for all of them: a bundle on its way out, and refresh tokens that may be spent. The rest of what the ledger says
-- of itself, its schema above all, is the owner's.
GRANT INSERT, UPDATE, DELETE ON biotrack_auth.meta TO biotrack_auth_writer;
ALTER TABLE biotrack_auth.meta ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS meta_is_read ON biotrack_auth.meta;
CREATE POLICY meta_is_read ON biotrack_auth.meta FOR SELECT USING (true);
DROP POLICY IF EXISTS meta_is_noted ON biotrack_auth.meta;
CREATE POLICY meta_is_noted ON biotrack_auth.meta TO biotrack_auth_writer
    USING (name LIKE 'export %' OR name LIKE 'may be spent %') WITH CHECK (name LIKE 'export %' OR name LIKE 'may be spent %');
