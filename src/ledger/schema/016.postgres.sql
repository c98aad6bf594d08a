-- Schema 16: counters, waiting hooks and events of the history are held to what this program can go on with. Rows that are there
-- already stay as they are (NOT VALID): `doctor` names them.

-- A count that hosts reach, and from which they count on. What this program takes for damaged lies well below it (`Generation`).
CREATE FUNCTION is_counted_on(number BIGINT) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE
    RETURN number BETWEEN 0 AND 281474976710656;

ALTER TABLE "authorization" ADD CONSTRAINT a_record_counts_on CHECK (is_counted_on(generation) AND is_counted_on(revision)) NOT VALID;

ALTER TABLE secret ADD CONSTRAINT a_secret_counts_on CHECK (is_counted_on(generation)) NOT VALID;

ALTER TABLE profile_secret ADD CONSTRAINT a_secret_of_a_profile_counts_on CHECK (is_counted_on(generation)) NOT VALID;

ALTER TABLE flow ADD CONSTRAINT a_flow_counts_on CHECK (is_counted_on(base)) NOT VALID;

ALTER TABLE run_item ADD CONSTRAINT an_item_of_a_run_counts_on CHECK (is_counted_on(base)) NOT VALID;

ALTER TABLE removed_record ADD CONSTRAINT a_removed_record_is_readable CHECK (
    is_a_name(ubi, 64) AND is_a_name(license, 64) AND octet_length(profile) <= 65536 AND is_counted_on(generation)
) NOT VALID;

-- A record whose count is damaged can be removed all the same.
CREATE OR REPLACE FUNCTION count_removed_record() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO removed_record (profile, ubi, license, generation)
    VALUES (OLD.profile, OLD.ubi, OLD.license, least(greatest(OLD.generation, 0), 281474976710656))
    ON CONFLICT (profile, ubi, license) DO UPDATE SET generation = excluded.generation;
    RETURN NULL;
END $$;

-- The same as of schema 12, which took years above 9999, and texts for a license that are none's.
CREATE OR REPLACE FUNCTION append_to_history(
    at TEXT, profile TEXT, ubi TEXT, license TEXT, event TEXT, "user" TEXT, host TEXT, detail TEXT, OUT seq BIGINT, OUT hash BYTEA
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = biotrack_auth, pg_temp AS $$
DECLARE
    head history_head%ROWTYPE;
    -- defense: S61 links-name-the-sessions-role
    role TEXT := session_user;
    line TEXT;
BEGIN
    -- Whoever reads it expects an instant, and nothing that no memory holds.
    IF char_length(at) <> 20 OR to_char(at::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') IS DISTINCT FROM at THEN
        RAISE EXCEPTION 'an event of the history has an instant in UTC, with whole seconds';
    END IF;
    IF octet_length(concat(profile, ubi, license, event, "user", host, detail)) > 65536 THEN
        RAISE EXCEPTION 'an event of the history has at most 64 KiB';
    END IF;
    IF concat(profile, ubi, license) <> '' AND NOT (is_a_name(ubi, 64) AND is_a_name(license, 64)) THEN
        RAISE EXCEPTION 'an event of the history names a license, or the ledger as a whole';
    END IF;
    SELECT * INTO STRICT head FROM history_head FOR UPDATE;
    seq := head.seq + 1;
    -- A row that somebody put there by hand keeps nobody from writing: it stays for `history verify` to find.
    -- defense: S61 hand-made-rows-stop-nobody
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

-- A hook that waits is of an event of its profile's license. Who owns the ledger brings what waits from elsewhere.
CREATE FUNCTION hook_is_of_its_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = biotrack_auth, pg_temp AS $$
BEGIN
    IF pg_has_role(session_user, current_user, 'MEMBER') OR EXISTS (
        SELECT FROM history AS it WHERE it.seq = NEW.seq AND it.profile = NEW.profile
            AND is_a_name(it.ubi, 64) AND is_a_name(it.license, 64) AND char_length(it.at) = 20
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a hook waits for an event of its profile that names a license';
END $$;

CREATE TRIGGER a_hook_is_of_its_event BEFORE INSERT OR UPDATE ON hook_queue FOR EACH ROW EXECUTE FUNCTION hook_is_of_its_event();
