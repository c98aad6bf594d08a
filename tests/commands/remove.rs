//! `remove`: a record without a grant goes, with its links; its history stays, and whatever has a grant is refused.

use crate::rig::seed::asked;
use crate::rig::{PROFILE, Person, Reply, Rig, Visit, key, register};
use crate::snapshot;
use biotrack_auth::model::authorization::Authorization;
use serde_json::json;

const LICENSE: &str = "101-X0007-D1";
const REMOVE: &str = "remove 101-X0007-D1";
const REGISTER: &str = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com --no-wait";

fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant(LICENSE);
    rig
}

fn is_there(rig: &Rig) -> bool {
    rig.ledger().standing(PROFILE, &key(LICENSE)).unwrap().is_some()
}

#[test]
fn in_a_file_what_was_never_granted_goes_and_its_history_stays() {
    let rig = Rig::new();
    rig.visits([Visit::Denies]);
    rig.run(&register(LICENSE)).exits(6);
    rig.run("edit 101-X0007-D1 --name Hudson --tag downstate --contact desk@example.com").exits(0);
    snapshot!("never_granted", rig.run(REMOVE));
    assert!(!is_there(&rig));
    snapshot!("history_of_what_is_gone", rig.run("history 604001/101-X0007-D1"));
    rig.run("history verify").exits(0);
    snapshot!("once_more", rig.run(REMOVE));
    assert_eq!(rig.run("status --json").exits(0).json()["authorizations"], json!([]));
}

#[test]
fn a_deactivated_one_goes_and_as_json_it_is_a_result() {
    let rig = granted();
    rig.run("deactivate 101-X0007-D1 --yes").exits(0);
    snapshot!("deactivated_as_json", rig.run(&format!("{REMOVE} --json")).fits("results"));
    assert!(!is_there(&rig));
}

#[test]
fn whatever_has_a_grant_or_is_unfinished_is_refused_with_the_command_that_comes_first() {
    let held = |rig: &Rig| {
        rig.visits([Visit::GrantsAs("boss@example.com".into())]);
        rig.run(&format!("renew {LICENSE} --browser scripted")).exits(6);
    };
    type Made = (&'static str, fn() -> Rig);
    let made: [Made; 6] = [
        ("living", granted),
        ("expired", || {
            let rig = granted();
            rig.days_pass(200);
            rig
        }),
        ("held", || {
            let rig = Rig::new();
            rig.visits([Visit::GrantsAs("boss@example.com".into())]);
            rig.run(&register(LICENSE)).exits(6);
            rig
        }),
        ("revocation_pending", || {
            let rig = granted();
            rig.provider.replies("/oauth/revoke", [Reply::Status(404, "<html>".into())]);
            let _ = rig.run("deactivate 101-X0007-D1 --yes");
            rig
        }),
        ("exported", || {
            let rig = granted();
            let to = biotrack_auth::vault::create_identity(&rig.file("key.txt")).unwrap();
            let file = rig.file("moved.age");
            rig.run(&format!("export --with-secrets --recipient {to} --output {}", file.display())).exits(0);
            rig
        }),
        ("uncertain", || {
            let rig = Rig::new();
            rig.provider.replies("/oauth/token", [Reply::Lost]);
            rig.run(&register(LICENSE)).exits(8);
            rig
        }),
    ];
    for (name, made) in made {
        let rig = made();
        let before = rig.standing(LICENSE);
        let refused = rig.run(REMOVE);
        snapshot!(format!("refused_{name}"), refused);
        assert_eq!(rig.standing(LICENSE), before, "{name}");
        // The command that it names comes first, and then it goes.
        rig.run("deactivate 101-X0007-D1 --yes").exits(0);
        rig.run(REMOVE).exits(0);
        assert!(!is_there(&rig), "{name}");
    }
    let rig = granted();
    held(&rig);
    let refused = rig.run(&format!("{REMOVE} --json")).exits(2).fits("results").json();
    let result = &refused["results"][0];
    assert_eq!((&result["outcome"], &result["error"]["code"]), (&json!("failed"), &json!("usage")));
    assert_eq!(result["authorization"]["state"], "active");
}

#[test]
fn in_a_file_a_grant_that_waits_to_be_stored_is_not_thrown_away() {
    let rig = Rig::new();
    rig.grant("L-1");
    rig.world().table_refuses("secret", true);
    rig.run(&register(LICENSE)).exits(7);
    rig.world().table_refuses("secret", false);
    snapshot!("refused_not_stored", rig.run(REMOVE));
    rig.grant(LICENSE);
    assert_eq!(rig.provider.living().len(), 2, "it's the grant that waited");
    crate::rig::oracle::holds(&rig);
}

#[test]
fn the_answer_to_a_link_of_what_was_removed_sends_nothing_and_says_so() {
    let rig = Rig::new();
    let link = rig.run(REGISTER).exits(0);
    snapshot!("with_a_link", rig.run(REMOVE));
    let back = rig.provider.consents(link.raw().trim_end(), None);
    snapshot!("its_answer", rig.with(Person::piping(back.clone())).run("complete -"));
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
    // Registered again, the old link counts no more than before.
    rig.run(REGISTER).exits(0);
    rig.with(Person::piping(back)).run("complete -").exits(6);
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
}

#[test]
fn what_comes_back_goes_on_counting() {
    let rig = granted();
    rig.run("deactivate 101-X0007-D1 --yes").exits(0);
    let generation = rig.standing(LICENSE).record.generation;
    rig.run(REMOVE).exits(0);
    rig.grant(LICENSE);
    assert!(rig.standing(LICENSE).record.generation > generation);
    rig.run(&format!("token {LICENSE}")).exits(0);
}

#[test]
fn a_grant_elsewhere_that_nobody_can_end_from_here_is_told() {
    let rig = Rig::new();
    let gone = Authorization {
        deactivated_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        uncertain_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        ..asked(LICENSE)
    };
    rig.seed([gone]);
    snapshot!(rig.run(REMOVE));
}

/// Another terminal removes at each step of a registration: either is told, and no grant is lost.
#[test]
fn a_removal_in_the_middle_of_a_registration_loses_nothing() {
    for step in 0.. {
        let rig = Rig::new();
        rig.seed([asked(LICENSE)]);
        let other = Rig::of(rig.world().clone());
        let removed = || assert!([0, 1, 2, 9].contains(&other.run(REMOVE).code), "step {step}");
        let Some(code) = rig.stopped_at(&register(LICENSE), step, removed) else {
            assert!(step > 4, "a registration has more steps than {step}");
            break;
        };
        assert_eq!(code, 0, "step {step}");
        crate::rig::oracle::holds(&rig);
        assert!(is_there(&rig));
    }
}

#[test]
fn hooks_reminders_and_turns_of_a_run_go_with_it() {
    let rig = Rig::new();
    rig.adds_to_profile("[hooks]\ndeactivated = \"/nowhere/at/all\"");
    rig.grant(LICENSE);
    let _ = rig.run("deactivate 101-X0007-D1 --yes");
    snapshot!("with_a_hook_that_failed", rig.run(REMOVE));
    rig.run("remind").exits(0);
    let ledger = rig.ledger();
    assert!(ledger.waiting_hooks(PROFILE).unwrap().is_empty());
}
