-- Schema 13: what of a grant the provider's answer didn't confirm; and, as long as it waits for its proof, what the record said of
-- the grant that it replaced, which isn't cleared away until then.

ALTER TABLE authorization ADD COLUMN unconfirmed TEXT NOT NULL DEFAULT '';   -- one a line

ALTER TABLE authorization ADD COLUMN grant_before TEXT;
