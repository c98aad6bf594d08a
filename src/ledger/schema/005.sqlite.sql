-- Schema 5: a refresh is a question of its own, beside a consent that is under way for the same licence. One of each.

DROP INDEX flow_of_a_licence;
CREATE UNIQUE INDEX flow_of_a_licence ON flow (profile, ubi, license) WHERE purpose <> 'refresh';
CREATE UNIQUE INDEX refresh_of_a_licence ON flow (profile, ubi, license) WHERE purpose = 'refresh';
