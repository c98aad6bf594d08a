-- What the two roles of a team's ledger may do. Run it as the role that owns the ledger, in its database, after the first
-- command has made the ledger; the roles themselves are made before that by an administrator (docs/team.md):
--
--     psql -d ledger -f roles.sql
--
-- The reader (monitors, dashboards) sees records and history, and no secret, sealed or not. The writer (people, cron) does
-- everything but change the schema, and change or cut the history: that is the owner's, by biotrack-auth history prune.
-- Run again it changes nothing; what fails leaves everything as it was, and psql ends with 3.

\set ON_ERROR_STOP on

BEGIN;

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['biotrack_auth_reader', 'biotrack_auth_writer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION
                -- Roles are the whole server's: for another of its ledgers it was made at the same moment.
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'the role % is not there, and % may not make it', role, current_user
                        USING HINT = format('An administrator makes it first: CREATE ROLE %I NOLOGIN;', role);
            END;
        END IF;
    END LOOP;
    IF to_regprocedure('biotrack_auth.append_to_history(text, text, text, text, text, text, text, text)') IS NULL THEN
        RAISE EXCEPTION 'there is no ledger of this version here'
            USING HINT = 'As its owner, biotrack-auth config ledger move makes one, and biotrack-auth doctor --fix migrates one.';
    END IF;
    -- Whoever is in the database can hold locks there, whatever else they may do.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO biotrack_auth_reader, biotrack_auth_writer', current_database());
END $$;

REVOKE ALL ON SCHEMA biotrack_auth FROM PUBLIC;
GRANT USAGE ON SCHEMA biotrack_auth TO biotrack_auth_reader, biotrack_auth_writer;

GRANT SELECT ON biotrack_auth.meta, biotrack_auth."authorization", biotrack_auth.history, biotrack_auth.history_anchor,
    biotrack_auth.history_head, biotrack_auth.owner, biotrack_auth.reminded, biotrack_auth.host, biotrack_auth.recipient,
    biotrack_auth.removed_record TO biotrack_auth_reader, biotrack_auth_writer;
GRANT SELECT (id, profile, ubi, license, purpose, username, base, redirect_uri, opened, deadline, handed_off, had_answer,
    owner_mark, owner_label, stage)
    ON biotrack_auth.flow TO biotrack_auth_reader;

GRANT SELECT, INSERT, UPDATE, DELETE ON biotrack_auth."authorization", biotrack_auth.secret, biotrack_auth.profile_secret,
    biotrack_auth.flow, biotrack_auth.spent_state, biotrack_auth.owner, biotrack_auth.reminded, biotrack_auth.hook_queue,
    biotrack_auth.run, biotrack_auth.run_item, biotrack_auth.left_item, biotrack_auth.host, biotrack_auth.recipient,
    biotrack_auth.removed_record TO biotrack_auth_writer;

-- A link is added by the owner's function, which chains it and stamps it with the role that signed in; nobody else adds one.
REVOKE INSERT ON biotrack_auth.history, biotrack_auth.history_head FROM biotrack_auth_writer;
REVOKE ALL ON FUNCTION biotrack_auth.append_to_history FROM PUBLIC;
GRANT EXECUTE ON FUNCTION biotrack_auth.append_to_history TO biotrack_auth_writer;
-- To lock it, one writer at a time: a trigger lets nobody change it but by adding a link.
GRANT UPDATE ON biotrack_auth.history_head TO biotrack_auth_writer;

-- What a host notes for all of them: a bundle on its way out, and refresh tokens that may be spent. The rest of what the ledger says
-- of itself, its schema above all, is the owner's.
GRANT INSERT, UPDATE, DELETE ON biotrack_auth.meta TO biotrack_auth_writer;
ALTER TABLE biotrack_auth.meta ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS meta_is_read ON biotrack_auth.meta;
CREATE POLICY meta_is_read ON biotrack_auth.meta FOR SELECT USING (true);
DROP POLICY IF EXISTS meta_is_noted ON biotrack_auth.meta;
CREATE POLICY meta_is_noted ON biotrack_auth.meta TO biotrack_auth_writer
    USING (name LIKE 'export %' OR name LIKE 'may be spent %') WITH CHECK (name LIKE 'export %' OR name LIKE 'may be spent %');

COMMIT;
