//! `edit`: what is noted of a license is changed by hand, with a word in the history; grants, links and others' writes stay whole.

use crate::rig::seed::{asked, named, store};
use crate::rig::{Done, Person, Rig, Visit};
use crate::snapshot;
use biotrack_auth::model::authorization::Authorization;
use serde_json::{Value, json};

const LICENSE: &str = "101-X0007-D1";
const REGISTER: &str = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com --no-wait";

fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant(LICENSE);
    rig
}

fn record(rig: &Rig, license: &str) -> Authorization {
    rig.standing(license).record
}

/// The one record, as `status` shows it.
fn shown(rig: &Rig) -> Value {
    rig.run("status --json").exits(0).json()["authorizations"][0].clone()
}

/// The details of this event in the history, oldest first.
fn told(rig: &Rig, event: &str) -> Vec<String> {
    let history = rig.run("history --json").exits(0).json();
    let links = history["links"].as_array().unwrap().clone();
    let of_it = links.iter().filter(|link| link["event"] == event);
    of_it.map(|link| link["detail"].as_str().unwrap().to_owned()).collect()
}

/// The address that the admin of a link ends at, once somebody has granted.
fn answered_by(rig: &Rig, link: &Done, who: &str) -> String {
    rig.provider.consents(link.raw().trim_end(), Some(who))
}

#[test]
fn each_field_is_changed_and_the_history_says_from_what_to_what() {
    let rig = granted();
    let line = "edit 101-X0007-D1 --name 'Hudson Street' --contact desk@example.com \
                --ocm-license OCM-RETL-24-000064 --tag new --tag downstate";
    snapshot!("given", rig.run(line));
    snapshot!("cleared", rig.run("edit 'Hudson Street' --contact '' --ocm-license '' --untag new"));
    insta::assert_snapshot!("in_the_history", told(&rig, "edited").join("\n"));
    let after = record(&rig, LICENSE);
    assert_eq!((after.contact, after.ocm_license), (None, None));
    assert_eq!(after.tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["downstate"]);
    rig.run("history verify").exits(0);
}

#[test]
fn as_json_it_is_a_result_and_what_is_so_already_is_unchanged() {
    let rig = granted();
    let line = "edit 101-X0007-D1 --name Hudson --json";
    snapshot!("edited_as_json", rig.run(line).fits("results"));
    let again = rig.run(line).exits(0).fits("results").json();
    assert_eq!(again["results"][0]["outcome"], "unchanged");
    assert_eq!(told(&rig, "edited").len(), 1, "nothing is said of what wasn't changed");
    // A script hears nothing of it, a person does.
    rig.run("edit 101-X0007-D1 --name Hudson").is(0, "", "");
    let person = Person::answering(&[]);
    snapshot!("unchanged", rig.with(person).run("edit 101-X0007-D1 --name Hudson"));
}

#[test]
fn no_grant_is_touched_and_nobody_is_asked() {
    let rig = granted();
    let (before, log) = (record(&rig, LICENSE), rig.provider.log());
    snapshot!("another_admin", rig.run("edit 101-X0007-D1 --username bob@example.com"));
    let after = record(&rig, LICENSE);
    assert_eq!((after.expires_at, after.generation), (before.expires_at, before.generation));
    assert_eq!(
        (after.granted_by.as_deref(), after.username.as_str()),
        (Some("ann@example.com"), "bob@example.com")
    );
    assert_eq!(rig.provider.log(), log);
    // The next renewal asks the new one.
    rig.days_pass(90);
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
    assert_eq!(record(&rig, LICENSE).granted_by.as_deref(), Some("bob@example.com"));
}

#[test]
fn an_admins_new_address_is_entered_once_for_all_that_are_assigned_to_them() {
    let rig = Rig::new();
    let ends = "2026-06-10T12:00:00Z";
    let others = Authorization { username: "carol@example.com".parse().unwrap(), ..store("L-4", ends) };
    let deactivated =
        Authorization { deactivated_at: Some("2026-01-01T00:00:00Z".parse().unwrap()), ..store("L-3", ends) };
    rig.seed([store("L-1", ends), asked("L-2"), deactivated, others]);
    snapshot!("everywhere", rig.run("edit --user ANN@example.com --username ann@new.example"));
    let admins: Vec<_> =
        ["L-1", "L-2", "L-3", "L-4"].map(|it| record(&rig, it).username.to_string()).into_iter().collect();
    // Whoever granted L-4, another admin is assigned to it.
    assert_eq!(admins, ["ann@new.example", "ann@new.example", "ann@new.example", "carol@example.com"]);
    assert_eq!(told(&rig, "edited"), vec!["username ann@example.com → ann@new.example"; 3]);
    snapshot!("nobody_of_that_name", rig.run("edit --user ann@example.com --tag x"));
}

#[test]
fn what_cannot_be_meant_is_refused_and_nothing_is_changed() {
    let rig = granted();
    let before = record(&rig, LICENSE);
    let lines = [
        "edit 101-X0007-D1",
        "edit --name x",
        "edit nobody --name x",
        "edit 101-X0007-D1 --username ''",
        "edit 101-X0007-D1 --tag a --untag a",
        "edit --user ann@example.com --name x",
        "edit 101-X0007-D1 --user ann@example.com --tag x",
        "edit 101-X0007-D1 --name \u{202e}evil",
        "edit 101-X0007-D1 --name '' --contact \"$(printf x)\" --untag ''",
    ];
    let refused: Vec<_> =
        lines.iter().map(|line| format!("> {line}\n{}", rig.run(line).transcript())).collect();
    insta::assert_snapshot!("refused", refused.join("\n"));
    assert_eq!(record(&rig, LICENSE), before);
    assert_eq!(told(&rig, "edited"), Vec::<String>::new());
}

#[test]
fn a_name_or_an_ocm_license_of_another_record_is_said_and_taken() {
    let rig = Rig::new();
    let first = Authorization {
        ocm_license: Some("OCM-RETL-24-000064".parse().unwrap()),
        ..named("L-1", "Hudson St", "2026-06-10T12:00:00Z")
    };
    rig.seed([first, store("L-2", "2026-06-10T12:00:00Z")]);
    snapshot!("of_another", rig.run("edit L-2 --name 'hudson st' --ocm-license OCM-RETL-24-000064-D1"));
    // Its own name is nobody else's.
    rig.run("edit L-1 --name 'Hudson St' --tag x").is(0, "604001/L-1: tags (none) → x.\n", "");
    // And at the registration, too.
    let line = "register --ubi 604001 --license L-7 --username ann@example.com --no-wait --name 'HUDSON ST'";
    let registered = rig.run(line).exits(0);
    assert!(
        registered.err.contains("Note: the name \"HUDSON ST\" is also the name of 604001/L-1"),
        "{}",
        registered.err
    );
}

#[test]
fn a_grant_is_compared_with_the_record_as_it_is_when_it_arrives() {
    for (who, awaits) in [("ann@example.com", true), ("bob@example.com", false)] {
        let rig = Rig::new();
        let link = rig.run(REGISTER).exits(0);
        let said = rig.run("edit 101-X0007-D1 --username bob@example.com").exits(0);
        assert!(said.err.contains("a grant by bob@example.com will be stored"), "{}", said.err);
        let back = answered_by(&rig, &link, who);
        let done = rig.with(Person::piping(back)).run("complete -");
        assert_eq!(done.code, if awaits { 6 } else { 0 }, "{}", done.transcript());
        let after = record(&rig, LICENSE);
        assert_eq!(after.username.as_str(), "bob@example.com", "the edit stays");
        assert_eq!(after.held_by.as_deref(), awaits.then_some("ann@example.com"));
    }
}

#[test]
fn whoever_was_asked_by_name_is_still_the_one_who_is_asked() {
    let rig = granted();
    let link = rig.run("renew 101-X0007-D1 --username carol@example.com --no-wait --yes").exits(0);
    snapshot!("a_consent_of_somebody_else", rig.run("edit 101-X0007-D1 --username bob@example.com"));
    let back = answered_by(&rig, &link, "carol@example.com");
    rig.with(Person::piping(back)).run("complete -").exits(0);
    assert_eq!(record(&rig, LICENSE).granted_by.as_deref(), Some("carol@example.com"));
}

/// Another terminal edits at each step of a renewal: the edit stays, whichever is first, and the grant is kept.
#[test]
fn an_edit_in_the_middle_of_a_renewal_is_not_written_over() {
    for step in 0.. {
        let rig = granted();
        let other = Rig::of(rig.world().clone());
        let edit = || drop(other.run("edit 101-X0007-D1 --name Hudson --username bob@example.com").exits(0));
        let Some(code) = rig.stopped_at(&format!("renew {LICENSE} --browser scripted"), step, edit) else {
            assert!(step > 4, "the renewal has more steps than {step}");
            break;
        };
        let after = record(&rig, LICENSE);
        let what = format!("step {step}, ended with {code}: {after:?}");
        assert_eq!(after.name.as_ref().map(|it| it.as_str()), Some("Hudson"), "{what}");
        assert_eq!(after.username.as_str(), "bob@example.com", "{what}");
        // What ann granted is live where it came first, and else awaits approval: it's never lost. Where she wasn't asked yet,
        // nobody is.
        let expected = if after.held_by.is_some() { &[6][..] } else { &[0, 1] };
        assert!(expected.contains(&code), "{what}");
        crate::rig::oracle::holds(&rig);
    }
}

/// A renewal in another process writes while an edit is about to: the edit is made on what that left.
#[test]
fn an_edit_that_others_got_ahead_of_is_made_anew() {
    let rig = granted();
    let other = Rig::of(rig.world().clone());
    let renewed = || drop(other.run(&format!("renew {LICENSE} --browser scripted")).exits(0));
    assert_eq!(rig.stopped_at(&format!("edit {LICENSE} --name Hudson"), 0, renewed), Some(0));
    let after = record(&rig, LICENSE);
    assert!(after.renewed_at.is_some() && after.name.is_some(), "{after:?}");
    assert_eq!(told(&rig, "edited"), ["name (none) → Hudson"]);
}

#[test]
fn in_a_file_all_of_an_admins_licenses_are_changed_or_none() {
    let rig = Rig::new();
    rig.seed([asked("L-1"), asked("L-2")]);
    rig.world().ledger_refuses(true);
    rig.run("edit --user ann@example.com --username bob@example.com").exits(7);
    rig.world().ledger_refuses(false);
    for license in ["L-1", "L-2"] {
        assert_eq!(record(&rig, license).username.as_str(), "ann@example.com");
    }
}

#[test]
fn a_grant_that_waits_for_approval_may_be_taken_after_its_admin_was_named() {
    let rig = granted();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(6);
    rig.run("edit 101-X0007-D1 --username boss@example.com").exits(0);
    assert_eq!(shown(&rig)["conditions"], json!(["awaiting_approval"]));
    rig.run("renew 101-X0007-D1 --awaiting --yes").exits(0);
    assert_eq!(shown(&rig)["granted_by"], "boss@example.com");
}

#[test]
fn what_a_run_that_was_cut_short_has_left_goes_by_the_edit() {
    let rig = Rig::new();
    let csv = "ubi,license,username,name\n604001,L-1,ann@example.com,Elm\n604001,L-2,ann@example.com,Oak\n";
    let (file, browser) = (rig.write("stores.csv", csv), rig.browser_program());
    rig.visits([Visit::Interrupts]);
    rig.run(&format!("register --from {file} --browser {browser}")).exits(130);
    rig.run("edit 604001/L-1 --username bob@example.com --name Hudson --tag x").exits(0);
    rig.run(&format!("renew --resume --browser {browser}")).exits(0);
    let after = record(&rig, "L-1");
    assert_eq!(after.granted_by.as_deref(), Some("bob@example.com"));
    assert_eq!(after.name.as_ref().map(|it| it.as_str()), Some("Hudson"));
    assert_eq!(after.tags.len(), 1);
    assert_eq!(record(&rig, "L-2").granted_by.as_deref(), Some("ann@example.com"));
}
