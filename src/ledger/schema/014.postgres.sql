-- Schema 14: a seal says what it is for, and a row says which seal it has: the number of the secret of its license or profile,
-- counted up with each. What older versions sealed says nothing: its row has a mark of the very seal that is accepted there, the
-- tag that it ends with, or a keyring's item by its name. The mark goes when the secret is sealed anew.

ALTER TABLE secret ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;

ALTER TABLE secret ADD COLUMN old_seal TEXT COLLATE "C";

UPDATE secret SET
    generation = coalesce((SELECT record.generation FROM "authorization" AS record
        WHERE record.profile = secret.profile AND record.ubi = secret.ubi AND record.license = secret.license), 0),
    old_seal = coalesce(item, encode(substring(blob FROM greatest(octet_length(blob) - 15, 1)), 'hex'));

ALTER TABLE profile_secret ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;

ALTER TABLE profile_secret ADD COLUMN old_seal TEXT COLLATE "C";

UPDATE profile_secret SET
    old_seal = coalesce(item, encode(substring(blob FROM greatest(octet_length(blob) - 15, 1)), 'hex'));

-- A question's memo, and what came to it.
ALTER TABLE flow ADD COLUMN old_memo TEXT COLLATE "C";

ALTER TABLE flow ADD COLUMN old_sealed TEXT COLLATE "C";

UPDATE flow SET
    old_memo = coalesce(memo_item, encode(substring(memo_blob FROM greatest(octet_length(memo_blob) - 15, 1)), 'hex')),
    old_sealed = encode(substring(sealed FROM greatest(octet_length(sealed) - 15, 1)), 'hex');

-- A license that was removed and comes back goes on counting.
CREATE TABLE removed_record (
    profile    TEXT COLLATE "C" NOT NULL,
    ubi        TEXT COLLATE "C" NOT NULL,
    license    TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (profile, ubi, license)
);

CREATE FUNCTION count_removed_record() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO removed_record (profile, ubi, license, generation)
    VALUES (OLD.profile, OLD.ubi, OLD.license, OLD.generation)
    ON CONFLICT (profile, ubi, license) DO UPDATE SET generation = excluded.generation;
    RETURN NULL;
END $$;

CREATE TRIGGER removed_record_is_counted AFTER DELETE ON "authorization"
    FOR EACH ROW EXECUTE FUNCTION count_removed_record();

-- The roles of contrib/postgresql/roles.sql, where they are there already.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'biotrack_auth_writer') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON removed_record TO biotrack_auth_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'biotrack_auth_reader') THEN
        GRANT SELECT ON removed_record TO biotrack_auth_reader;
    END IF;
END $$;
