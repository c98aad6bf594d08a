-- Schema 14: a seal says what it is for, and a row says which seal it has: the number of the secret of its license or profile,
-- counted up with each. What older versions sealed says nothing: its row has a mark of the very seal that is accepted there, the
-- tag that it ends with, or a keyring's item by its name. The mark goes when the secret is sealed anew.

ALTER TABLE secret ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

ALTER TABLE secret ADD COLUMN old_seal TEXT;

UPDATE secret SET
    generation = coalesce((SELECT record.generation FROM authorization AS record
        WHERE record.profile = secret.profile AND record.ubi = secret.ubi AND record.license = secret.license), 0),
    old_seal = coalesce(item, lower(hex(substr(blob, -16))));

ALTER TABLE profile_secret ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

ALTER TABLE profile_secret ADD COLUMN old_seal TEXT;

UPDATE profile_secret SET old_seal = coalesce(item, lower(hex(substr(blob, -16))));

-- A question's memo, and what came to it.
ALTER TABLE flow ADD COLUMN old_memo TEXT;

ALTER TABLE flow ADD COLUMN old_sealed TEXT;

UPDATE flow SET
    old_memo = coalesce(memo_item, lower(hex(substr(memo_blob, -16)))),
    old_sealed = lower(hex(substr(sealed, -16)));

-- A license that was removed and comes back goes on counting.
CREATE TABLE removed_record (
    profile    TEXT NOT NULL,
    ubi        TEXT NOT NULL,
    license    TEXT NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (profile, ubi, license)
) WITHOUT ROWID;

CREATE TRIGGER removed_record_is_counted AFTER DELETE ON authorization BEGIN
    INSERT INTO removed_record (profile, ubi, license, generation)
    VALUES (OLD.profile, OLD.ubi, OLD.license, OLD.generation)
    ON CONFLICT (profile, ubi, license) DO UPDATE SET generation = excluded.generation;
END;
