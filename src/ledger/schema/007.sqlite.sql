-- Schema 7: indexes by what a look is for, so that it reads what it shows.

DROP INDEX authorization_by_expiry;
-- Those with a grant, by its end; those asked for the first time stand before them.
CREATE INDEX authorization_by_end ON authorization (profile, expires_at) WHERE deactivated_at IS NULL;
CREATE INDEX authorization_given_up ON authorization (profile) WHERE deactivated_at IS NOT NULL;
-- Those with something that an operator must hear of.
CREATE INDEX authorization_noted ON authorization (profile)
    WHERE invalid_at IS NOT NULL OR uncertain_at IS NOT NULL OR revocation_pending OR held_by IS NOT NULL OR held_elsewhere;

-- What a selector may be.
CREATE INDEX authorization_by_license ON authorization (profile, license);
CREATE INDEX authorization_by_ocm_license ON authorization (profile, ocm_license) WHERE ocm_license IS NOT NULL;
CREATE INDEX authorization_by_name ON authorization (profile, name) WHERE name IS NOT NULL;

-- The two unique indexes are partial, so a licence's questions were looked for among all.
CREATE INDEX flow_by_licence ON flow (profile, ubi, license);
