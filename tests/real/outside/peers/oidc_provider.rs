//! npm's `oidc-provider`, with its own pages for login and consent: a public client, `iss` in every redirect, and its
//! metadata at the host's root.

use super::{Kind, life};

const IT: Kind = Kind::OidcProvider;

#[test]
fn a_grant_lives_its_whole_life_at_oidc_provider() {
    life::whole(IT);
}

#[test]
fn a_replay_ends_the_grant_there_and_both_ways_of_finding_out_say_so() {
    life::replayed(IT);
}

#[test]
fn thirty_processes_cost_no_grant_though_a_second_refresh_would() {
    life::crowded(IT);
}
