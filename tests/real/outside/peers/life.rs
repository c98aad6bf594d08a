//! What every server that isn't ours must see of a grant, from the first consent to its end and a new beginning.

use super::{ALWAYS, Kind, Peer, REGISTER, live, rig, visited};
use crate::support::Run;
use serde_json::json;

/// The whole life of a grant.
pub fn whole(kind: Kind) {
    let mut peer = Peer::start(kind);
    let rig = rig(&peer);
    let registered = visited(&rig, &REGISTER).exits(0).answers("Created At");
    assert!(!registered.err.contains("Not confirmed"), "{}", registered.err);
    assert_eq!(peer.token_requests(), (1, 1));
    let it = rig.only();
    assert_eq!(
        (&it["state"], &it["ubi"], &it["expires_estimated"]),
        (&json!("active"), &json!(null), &json!(true))
    );
    rig.run(&["status", "STORE-1"]).exits(0).answers("STORE-1");

    // The token, as it came; then rotated.
    let first = live(&rig);
    assert_eq!(rig.run(&["token", "STORE-1"]).exits(0).out, format!("{}\n", first.access.expose()));
    assert!(peer.is_active(first.access.expose()));
    let refreshed = rig.run(&[&ALWAYS[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(peer.token_requests(), (1, 1));
    let second = live(&rig);
    assert_eq!(
        (&refreshed["token"], &refreshed["refreshed"]),
        (&json!(second.access.expose()), &json!(true))
    );
    let (old, new) = (first.refresh.unwrap(), second.refresh.clone().unwrap());
    assert_ne!(old.expose(), new.expose());
    assert!(peer.is_active(new.expose()) && !peer.is_active(old.expose()));
    assert_eq!(rig.only()["expires_at"], it["expires_at"], "a refresh prolongs nothing");

    let run = rig
        .run(&["exec", "STORE-1", "--", "sh", "-c", "echo $BIOTRACK_LICENSE $BIOTRACK_ACCESS_TOKEN"])
        .exits(0);
    assert_eq!(run.out, format!("STORE-1 {}\n", second.access.expose()));
    rig.run(&["status", "--online"]).exits(0).says_nothing().answers("active");

    // A person consents again; the old grant stays until the new one is stored.
    visited(&rig, &["renew", "STORE-1"]).exits(0);
    let third = live(&rig);
    assert_ne!(third.access.expose(), second.access.expose());
    assert!(peer.is_active(third.access.expose()));
    assert!(peer.is_active(new.expose()), "a revocation might have ended the new grant too");

    // Given up there, too.
    rig.run(&["deactivate", "STORE-1", "--yes"]).exits(0).answers("At BioTrack: revoked.");
    let refresh = third.refresh.unwrap();
    assert!(!peer.is_active(third.access.expose()) && !peer.is_active(refresh.expose()));
    assert_eq!(rig.only()["state"], "deactivated");
    rig.run(&["token", "STORE-1"]).exits(4).answers_nothing().says("biotrack-auth register");

    // And it may begin anew.
    visited(&rig, &REGISTER).exits(0);
    let again = live(&rig);
    assert!(peer.is_active(again.access.expose()) && peer.is_active(again.refresh.unwrap().expose()));
    rig.run(&["history", "verify"]).exits(0);
    assert_eq!(rig.only()["state"], "active");
}

/// Why a refresh has a lock: whoever replays a spent refresh token has the server end the whole grant. Both ways of
/// finding out say so.
pub fn replayed(kind: Kind) {
    for find_out in [&ALWAYS[..], &["status", "--online"]] {
        let peer = Peer::start(kind);
        let rig = rig(&peer);
        visited(&rig, &REGISTER).exits(0);
        let stolen = live(&rig).refresh.unwrap();
        rig.run(&ALWAYS).exits(0);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", stolen.expose())];
        assert_eq!(peer.posted(kind.token_path(), &fields)["error"], "invalid_grant");
        assert!(!peer.is_active(live(&rig).refresh.unwrap().expose()));
        assert_eq!(rig.only()["state"], "active", "nobody has asked yet");
        let run = rig.run(find_out);
        assert_eq!(run.code, if find_out[0] == "token" { 4 } else { 0 }, "{run:?}");
        assert_eq!((&rig.only()["state"], &rig.only()["conditions"]), (&json!("invalid"), &json!([])));
        assert_eq!(rig.only()["next_command"], "biotrack-auth renew none/STORE-1");
        visited(&rig, &["renew", "STORE-1"]).exits(0);
        assert_eq!(rig.only()["state"], "active");
        let token = rig.run(&["token", "STORE-1"]).exits(0).out;
        assert!(peer.is_active(token.trim_end()));
    }
}

/// Thirty processes that refresh at once cost no grant: one of them refreshes.
pub fn crowded(kind: Kind) {
    let mut peer = Peer::start(kind);
    let rig = rig(&peer);
    visited(&rig, &REGISTER).exits(0);
    peer.heard();
    let children: Vec<_> = (0..30).map(|_| rig.start(&ALWAYS)).collect();
    for child in children {
        Run::of(child.wait_with_output().unwrap()).exits(0);
    }
    let (asked, well) = peer.token_requests();
    assert!(asked == well && (1..30).contains(&asked), "{asked} refreshes, {well} of them well");
    assert!(peer.is_active(live(&rig).refresh.unwrap().expose()));
}
