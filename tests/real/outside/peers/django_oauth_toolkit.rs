//! PyPI's `django-oauth-toolkit`, mounted as its manual does: an issuer with a path, whose metadata isn't where RFC 8414
//! wants it, a client with a secret, no `iss`, and introspection that looks up access tokens alone.

use super::{Kind, Peer, REGISTER, life, live, rig, visited};
use crate::support::stored::hashed;
use serde_json::json;

const IT: Kind = Kind::DjangoOAuthToolkit;

#[test]
fn a_grant_lives_its_whole_life_at_django_oauth_toolkit() {
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

#[test]
fn its_metadata_is_found_below_its_issuer_and_compared_to_the_letter() {
    let peer = Peer::start(IT);
    let rig = rig(&peer);
    rig.run(&["doctor"]).answers(&format!("its metadata matches, issuer {}", peer.issuer));
    // S4: another spelling of the issuer is another issuer.
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let slash = format!("issuer = \"{}/\"", peer.issuer);
    std::fs::write(&config, text.replace(&format!("issuer = \"{}\"", peer.issuer), &slash)).unwrap();
    // Nor is its secret used there, until somebody says that the profile was moved on purpose.
    visited(&rig, &REGISTER).exits(7).says("was sealed for");
    rig.run(&["config", "vault", "sealed", "--yes"]).exits(0);
    visited(&rig, &REGISTER).exits(8).says("name the issuer");
    assert_eq!(rig.status()["summary"]["active"], json!(0));
}

#[test]
fn addresses_in_the_profile_do_without_its_metadata() {
    let mut peer = Peer::start(IT);
    let rig = rig(&peer);
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let of = |name: &str, path: &str| format!("{name} = \"{}/{path}/\"\n", peer.issuer);
    let addresses = [
        of("authorize_url", "authorize"),
        of("token_url", "token"),
        of("revocation_url", "revoke_token"),
        of("introspection_url", "introspect"),
    ]
    .concat();
    let text =
        text.replace("[profiles.generic]\n", &format!("[profiles.generic]\nmetadata = false\n{addresses}"));
    std::fs::write(&config, text).unwrap();
    visited(&rig, &REGISTER).exits(0);
    rig.run(&["status", "--online"]).exits(0).says_nothing().answers("active");
    assert!(peer.heard().iter().all(|said| !said["path"].to_string().contains("well-known")));
    rig.run(&["deactivate", "STORE-1", "--yes"]).exits(0).answers("At BioTrack: revoked.");
}

/// Where revocation reaches one grant alone, a renewal takes the old one back.
#[test]
fn a_renewal_revokes_the_old_grant_where_the_profile_says_so() {
    let peer = Peer::start(IT);
    let rig = rig(&peer);
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("[profiles.generic]\n", "[profiles.generic]\nrevocation_scope = \"token\"\n"),
    )
    .unwrap();
    visited(&rig, &REGISTER).exits(0);
    let old = live(&rig);
    visited(&rig, &["renew", "STORE-1"]).exits(0);
    assert!(!peer.is_active(old.access.expose()) && !peer.is_active(old.refresh.unwrap().expose()));
    let new = live(&rig);
    assert!(peer.is_active(new.access.expose()) && peer.is_active(new.refresh.unwrap().expose()));
    assert_ne!(hashed(old.access.expose()), hashed(new.access.expose()));
}
