-- Schema 11: the hosts that take answers for others. What they need for that is sealed to them, too.

CREATE TABLE host (
    recipient TEXT COLLATE "C" PRIMARY KEY,        -- the public half of its identity: what is sealed to it, it alone opens
    name      TEXT COLLATE "C" NOT NULL,
    since     BIGINT NOT NULL,
    listened  BIGINT NOT NULL                      -- when it was last heard of as one that listens
);

-- The roles of contrib/postgresql/roles.sql, where they are there already.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'biotrack_auth_writer') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON host TO biotrack_auth_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'biotrack_auth_reader') THEN
        GRANT SELECT ON host TO biotrack_auth_reader;
    END IF;
END $$;
