-- Schema 12: which role of a server's wrote a link of the history, and to whom a team's hosts seal their token sets.

-- As the server itself knows it; nothing in a file, and in what was written before.
ALTER TABLE history ADD COLUMN database_role TEXT COLLATE "C";

CREATE TABLE recipient (
    recipient TEXT COLLATE "C" PRIMARY KEY,        -- the public half of a host's identity
    host      TEXT COLLATE "C" NOT NULL,           -- which host listed it
    since     BIGINT NOT NULL
);

-- The only way to add a link, for whoever may write: as the owner of the schema it numbers it, chains it to the head, and
-- stamps it with the role that the session signed in with, whatever user and host the program says. The line that is hashed is
-- what `hash_of` in chain.rs makes.
CREATE FUNCTION append_to_history(
    at TEXT, profile TEXT, ubi TEXT, license TEXT, event TEXT, "user" TEXT, host TEXT, detail TEXT, OUT seq BIGINT, OUT hash BYTEA
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = biotrack_auth, pg_temp AS $$
DECLARE
    head history_head%ROWTYPE;
    role TEXT := session_user;
    line TEXT;
BEGIN
    -- Whoever reads it expects an instant, and nothing that no memory holds.
    IF to_char(at::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') IS DISTINCT FROM at THEN
        RAISE EXCEPTION 'an event of the history has an instant in UTC, with whole seconds';
    END IF;
    IF octet_length(concat(profile, ubi, license, event, "user", host, detail)) > 65536 THEN
        RAISE EXCEPTION 'an event of the history has at most 64 KiB';
    END IF;
    SELECT * INTO STRICT head FROM history_head FOR UPDATE;
    seq := head.seq + 1;
    -- A row that somebody put there by hand keeps nobody from writing: it stays for `history verify` to find.
    WHILE EXISTS (SELECT FROM history AS it WHERE it.seq = append_to_history.seq) LOOP seq := seq + 1; END LOOP;
    line := concat(
        '[', seq, ',', to_json(at), ',', to_json(profile), ',', to_json(ubi), ',', to_json(license), ',', to_json(event), ',',
        to_json("user"), ',', to_json(host), ',', to_json(detail), ',', to_json(role), ']'
    );
    hash := sha256(head.hash || convert_to(line, 'UTF8'));
    INSERT INTO history (seq, at, profile, ubi, license, event, "user", host, detail, hash, database_role)
        VALUES (append_to_history.seq, append_to_history.at, append_to_history.profile, append_to_history.ubi,
                append_to_history.license, append_to_history.event, append_to_history."user", append_to_history.host,
                append_to_history.detail, append_to_history.hash, role);
    UPDATE history_head SET seq = append_to_history.seq, hash = append_to_history.hash;
END $$;

-- defense: S61 only-writers-append
REVOKE ALL ON FUNCTION append_to_history FROM PUBLIC;

CREATE OR REPLACE FUNCTION head_is_the_last() RETURNS trigger LANGUAGE plpgsql SET search_path = biotrack_auth, pg_temp AS $$
BEGIN
    IF NEW.seq > OLD.seq AND EXISTS (SELECT FROM history WHERE seq = NEW.seq AND hash = NEW.hash) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the head of the history moves from one link to the next';
END $$;

-- What a writer puts into a table by hand is held to what this program can read: one row that nobody can read would stop every
-- command that reads the table. Rows that are there already stay as they are (NOT VALID).

-- `typed` in ids.rs: some characters that show, not too many, and none that steers a terminal or hides.
CREATE FUNCTION is_a_name(name TEXT, longest INTEGER) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE
    RETURN char_length(name) <= longest
        AND name !~ '^[\s\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$'
        AND name !~ '[\u0001-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]';

CREATE FUNCTION are_tags(lines TEXT) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE
    RETURN lines = '' OR (SELECT bool_and(is_a_name(tag, 64)) FROM unnest(string_to_array(lines, chr(10))) AS tag);

-- Seconds of Unix time that are an instant of the years -9999 to 9999.
CREATE FUNCTION is_an_instant(seconds BIGINT) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE
    -- defense: S61 rows-can-be-read
    RETURN seconds BETWEEN -377705023201 AND 253402207200;

-- A count that can still be counted on.
CREATE FUNCTION is_a_count(number BIGINT) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE
    RETURN number BETWEEN 0 AND 4611686018427387904;

-- The name of a file on some host, too: no path.
CREATE FUNCTION is_a_mark(mark TEXT) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE
    RETURN mark ~ '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$';

ALTER TABLE "authorization" ADD CONSTRAINT a_record_is_readable CHECK (
    is_a_name(ubi, 64) AND is_a_name(license, 64) AND is_a_name(ocm_license, 64) AND is_a_name(name, 120)
    AND is_a_name(username, 254) AND is_a_name(contact, 254) AND are_tags(tags)
    AND is_an_instant(created_at) AND is_an_instant(renewed_at) AND is_an_instant(expires_at) AND is_an_instant(deactivated_at)
    AND is_an_instant(invalid_at) AND is_an_instant(uncertain_at) AND is_an_instant(last_used_at)
    AND octet_length(concat(profile, granted_by, held_by)) <= 65536 AND is_a_count(generation) AND is_a_count(revision)
) NOT VALID;

ALTER TABLE secret ADD CONSTRAINT a_secret_is_readable CHECK (
    is_a_name(ubi, 64) AND is_a_name(license, 64) AND octet_length(blob) <= 16777216
) NOT VALID;

ALTER TABLE profile_secret ADD CONSTRAINT a_secret_of_a_profile_is_readable CHECK (octet_length(blob) <= 16777216) NOT VALID;

ALTER TABLE flow ADD CONSTRAINT a_flow_is_readable CHECK (
    is_a_mark(id) AND is_a_mark(owner_mark) AND is_a_name(ubi, 64) AND is_a_name(license, 64) AND is_a_name(username, 254)
    AND purpose IN ('register', 'renew', 'deactivate', 'break_first', 'refresh') AND is_a_count(base)
    AND is_an_instant(opened) AND is_an_instant(deadline) AND (stage NOT IN ('arrived', 'answered') OR sealed IS NOT NULL)
    AND octet_length(concat(profile, redirect_uri, owner_label)) <= 65536
    AND octet_length(memo_blob) <= 16777216 AND octet_length(sealed) <= 16777216
) NOT VALID;

ALTER TABLE spent_state ADD CONSTRAINT a_spent_state_is_readable CHECK (is_a_name(ubi, 64) AND is_a_name(license, 64)) NOT VALID;

-- Nobody is at work for longer than is noted anew again and again: a quarter of an hour at most.
ALTER TABLE owner ADD CONSTRAINT an_owner_is_readable CHECK (
    is_a_mark(mark) AND octet_length(label) <= 65536 AND until <= unixepoch() + 3600
) NOT VALID;

ALTER TABLE reminded ADD CONSTRAINT a_reminder_is_readable CHECK (
    is_a_name(ubi, 64) AND is_a_name(license, 64) AND is_an_instant(expires_at) AND days BETWEEN 0 AND 4294967295
) NOT VALID;

ALTER TABLE hook_queue ADD CONSTRAINT a_hook_is_readable CHECK (
    occasion IN ('due', 'expired', 'granted', 'failed', 'deactivated')
) NOT VALID;

ALTER TABLE run ADD CONSTRAINT a_run_is_readable CHECK (
    is_a_mark(owner_mark) AND octet_length(owner_label) <= 65536 AND is_an_instant(started)
) NOT VALID;

ALTER TABLE run_item ADD CONSTRAINT an_item_of_a_run_is_readable CHECK (
    is_a_name(ubi, 64) AND is_a_name(license, 64) AND is_a_name(username, 254) AND is_a_name(name, 120)
    AND is_a_name(ocm_license, 64) AND is_a_name(contact, 254) AND are_tags(tags) AND is_a_count(base) AND octet_length(why) <= 65536
    AND purpose IN ('register', 'renew', 'deactivate', 'break_first', 'refresh')
    AND progress IN ('waiting', 'opened', 'storing', 'granted', 'held', 'handed_off', 'failed', 'skipped')
) NOT VALID;

ALTER TABLE host ADD CONSTRAINT a_host_is_readable CHECK (
    recipient ~ '^age1[a-z0-9]{1,200}$' AND octet_length(name) <= 1000 AND is_an_instant(since) AND is_an_instant(listened)
) NOT VALID;

ALTER TABLE recipient ADD CONSTRAINT a_recipient_is_readable CHECK (
    recipient ~ '^age1[a-z0-9]{1,200}$' AND octet_length(host) <= 1000 AND is_an_instant(since)
);

ALTER TABLE meta ADD CONSTRAINT a_note_is_readable CHECK (octet_length(name) <= 1000 AND octet_length(value) <= 16777216) NOT VALID;

-- Numbers that come next are the server's to give: rows that a writer puts ahead of them would be in everybody's way. Who owns the
-- ledger brings rows with their numbers from elsewhere.
CREATE FUNCTION has_its_number() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = biotrack_auth, pg_temp AS $$
BEGIN
    IF pg_has_role(session_user, current_user, 'MEMBER') THEN
        RETURN NEW;
    ELSIF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'a row keeps its number';
    ELSIF TG_TABLE_NAME = 'secret' THEN
        -- defense: S61 numbers-are-the-servers
        NEW.id := nextval(pg_get_serial_sequence('biotrack_auth.secret', 'id'));
    ELSE
        NEW.seq := nextval(pg_get_serial_sequence('biotrack_auth.run', 'seq'));
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER a_secret_has_its_number BEFORE INSERT OR UPDATE OF id ON secret FOR EACH ROW EXECUTE FUNCTION has_its_number();
CREATE TRIGGER a_run_has_its_number BEFORE INSERT OR UPDATE OF seq ON run FOR EACH ROW EXECUTE FUNCTION has_its_number();

-- The roles of contrib/postgresql/roles.sql, where they are there already.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'biotrack_auth_writer') THEN
        -- defense: S61 writers-of-before-append-alike
        REVOKE INSERT ON history, history_head FROM biotrack_auth_writer;
        GRANT EXECUTE ON FUNCTION append_to_history TO biotrack_auth_writer;
        GRANT SELECT, INSERT, UPDATE, DELETE ON recipient TO biotrack_auth_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'biotrack_auth_reader') THEN
        GRANT SELECT ON recipient TO biotrack_auth_reader;
    END IF;
END $$;
