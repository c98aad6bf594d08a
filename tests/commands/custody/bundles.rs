//! Tokens leave in a sealed bundle, and come in one: a grant has one home.

use super::*;
use crate::rig::{URL, Visit, oracle};
use biotrack_auth::custody::Bundle;
use biotrack_auth::model::flow::SecretPlace;
use biotrack_auth::model::secret::Sealable;
use biotrack_auth::vault::{IdentityFile, create_identity, open_with, recipient_of, seal_to};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A grant of another host, in a backup that this host's own identity opens.
pub(super) fn backup_of_a_grant(rig: &Rig) -> String {
    let elsewhere = another_host(rig);
    drop(elsewhere.grant("L-1"));
    exported(&elsewhere, "--backup", rig)
}

/// Another machine with a ledger of its own.
pub(super) fn another_host(rig: &Rig) -> Rig {
    let elsewhere = Rig::of(rig.world().another_host());
    let init = format!("config init --preset local-sandbox --url {URL} --vault sealed");
    drop(elsewhere.run(&init).exits(0));
    elsewhere
}

/// Everything of one host goes, sealed, to another's identity.
fn exported(from: &Rig, how: &str, to: &Rig) -> String {
    let bundle = bundle_in(to);
    drop(from.run(&export(how, &recipient(to), &bundle)).exits(0));
    bundle
}

pub(super) fn export(how: &str, recipient: &str, bundle: &str) -> String {
    format!("export --with-secrets {how} --recipient {recipient} --output {bundle}")
}

/// A file's name that is free.
pub(super) fn bundle_in(rig: &Rig) -> String {
    let names = (1..).map(|number| rig.file(&format!("bundle-{number}.age")));
    names.into_iter().find(|path| !path.exists()).unwrap().display().to_string()
}

/// To whom a host's bundles are sealed; its identity is made where it has none.
pub(super) fn recipient(rig: &Rig) -> String {
    let identity = rig.file("identity.txt");
    if identity.exists() { recipient_of(&identity).unwrap() } else { create_identity(&identity).unwrap() }
}

fn imported(rig: &Rig, bundle: &str) -> crate::rig::Done {
    rig.run(&format!("import {bundle} --yes"))
}

/// What a bundle holds, as its own host reads it.
fn opened(rig: &Rig, bundle: &str) -> String {
    let bytes = std::fs::read(bundle).unwrap();
    let identity = IdentityFile::at(&rig.file("identity.txt"));
    String::from_utf8(open_with(&identity, &bytes, "x").unwrap().bytes().to_vec()).unwrap()
}

/// A bundle with a changed content.
fn changed(rig: &Rig, bundle: &str, change: impl FnOnce(String) -> String) {
    let content = Sealable::from_bytes(change(opened(rig, bundle)).into_bytes());
    std::fs::write(bundle, seal_to(&[recipient(rig)], &content, false).unwrap()).unwrap();
}

#[test]
fn what_moves_away_is_used_here_never_again_and_there_from_now_on() {
    for (from, to) in [(Rig::new(), "keyring"), (Rig::with_keyring(), "sealed")] {
        drop(from.grant("L-1"));
        let there = Rig::of(from.world().another_host());
        drop(there.run(&format!("config init --preset local-sandbox --url {URL} --vault {to}")).exits(0));
        let bundle = exported(&from, "", &there);
        assert_eq!((kept(&from, "L-1"), from.keyring.accounts()), (vec![], vec![]));
        assert_eq!(shown(&from, "L-1"), (State::Active, vec!["exported"], None));
        let done = from.run("token L-1").exits(2);
        assert!(done.err.contains("its tokens were exported"), "{}", done.err);
        drop(imported(&there, &bundle).exits(0));
        assert_eq!(
            (kept(&there, "L-1"), shown(&there, "L-1")),
            (vec![(SecretRole::Live, 1)], (State::Active, vec![], None))
        );
        from.minutes_pass(61);
        assert_eq!(there.run("token L-1").exits(0).out, "access-1.1\n");
        assert_eq!(times(&from, "revoked"), 0);
        assert_eq!(last_line(&from, "L-1"), format!("exported moved, sealed to {}", recipient(&there)));
        oracle::rests(&there);
        oracle::rests(&from);
    }
}

#[test]
fn tokens_go_from_here_only_once_they_are_safe_in_their_file() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let (there, nowhere) = (another_host(&rig), Path::new("/nonexistent/bundle.age"));
    drop(rig.run(&export("", &recipient(&there), &nowhere.display().to_string())).exits(1));
    assert_eq!((kept(&rig, "L-1"), shown(&rig, "L-1").1), (vec![(SecretRole::Live, 1)], vec![]));
}

#[test]
fn a_bundle_whose_tokens_could_not_be_given_away_does_not_stay() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    let there = another_host(&rig);
    let bundle = bundle_in(&there);
    rig.world().table_refuses("history", true);
    drop(rig.run(&export("", &recipient(&there), &bundle)).exits(7));
    rig.world().table_refuses("history", false);
    assert!(!Path::new(&bundle).exists(), "it must not become another home");
    assert_eq!((kept(&rig, "L-1"), shown(&rig, "L-1").1), (vec![(SecretRole::Live, 1)], vec![]));
    oracle::rests(&rig);
}

#[test]
fn all_of_it_goes_or_nothing_where_one_was_changed_meanwhile() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    drop(rig.grant("L-2"));
    rig.minutes_pass(61);
    let there = another_host(&rig);
    process(&rig, |it| {
        let packed = it.packed(&recipient(&there));
        assert_eq!((packed.records, packed.token_sets()), (2, 2));
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)], "packing changes nothing");
        drop(rig.run("token L-2").exits(0));
        let told = it.hand_over(packed).unwrap_err();
        assert_eq!(told.to_string(), "another process changed L-2 in the meantime");
    });
    assert_eq!(
        (kept(&rig, "L-1"), kept(&rig, "L-2")),
        (vec![(SecretRole::Live, 1)], vec![(SecretRole::Live, 2)])
    );
    oracle::rests(&rig);
}

#[test]
fn a_license_that_somebody_is_at_or_that_is_not_recovered_does_not_leave_and_a_link_is_no_hindrance() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let there = another_host(&rig);
    let refused = || rig.run(&export("", &recipient(&there), &bundle_in(&there))).exits(1);
    process(&rig, |it| {
        let asked = it.ask("L-1").unwrap();
        assert!(refused().err.contains("L-1 is busy: another process"));
        drop(it.arrived(&asked).unwrap());
    });
    assert!(refused().err.contains("has a consent or refresh that isn't finished"));
    process(&rig, |it| {
        it.recover("L-1").unwrap();
        drop(it.hand_out("L-1"));
    });
    drop(exported(&rig, "", &there));
    assert_eq!(shown(&rig, "L-1").1, ["renewal_pending", "uncertain", "exported"]);
}

#[test]
fn what_lives_elsewhere_or_was_given_up_takes_no_tokens_along() {
    let rig = Rig::new();
    drop(imported(&rig, &backup_of_a_grant(&rig)).exits(0));
    drop(rig.grant("L-2"));
    revocation_fails(&rig);
    drop(rig.run("deactivate L-2 --yes").exits(8));
    let there = another_host(&rig);
    let bundle = bundle_in(&there);
    let done = rig.run(&export("", &recipient(&there), &bundle)).exits(0);
    assert!(
        done.err.contains("2 records, 0 token sets") && done.err.contains("There were no tokens"),
        "{}",
        done.err
    );
    assert!(!opened(&there, &bundle).contains("access-"));
    oracle::holds_but(&rig, &[1]);
}

#[test]
fn a_backup_leaves_all_in_use_where_it_is_and_its_copy_is_not_used() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        let elsewhere = another_host(&rig);
        drop(elsewhere.grant("L-1"));
        let backup = exported(&elsewhere, "--backup", &rig);
        assert_eq!(
            (kept(&elsewhere, "L-1"), shown(&elsewhere, "L-1").1),
            (vec![(SecretRole::Live, 1)], vec![])
        );
        assert!(last_line(&elsewhere, "L-1").starts_with("exported backup, sealed to"));
        drop(imported(&rig, &backup).exits(0));
        assert_eq!(
            (kept(&rig, "L-1"), shown(&rig, "L-1").1),
            (vec![(SecretRole::Live, 1)], vec!["exported"])
        );
        rig.minutes_pass(61);
        drop(rig.run("token L-1").exits(2));
        assert_eq!(elsewhere.run("token L-1").exits(0).out, "access-1.1\n");
    }
}

#[test]
fn adopting_makes_this_the_home_of_what_a_backup_brought_and_of_nothing_else() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        drop(imported(&rig, &backup_of_a_grant(&rig)).exits(0));
        drop(rig.grant("L-2"));
        let there = another_host(&rig);
        drop(rig.run(&export("L-2", &recipient(&there), &bundle_in(&there))).exits(0));
        let done = rig.run("import --adopt --yes").exits(0);
        assert!(done.err.contains("1 authorization is now in use on this host."), "{}", done.err);
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
        assert_eq!(last_line(&rig, "L-1"), "adopted this is its home now");
        assert_eq!(shown(&rig, "L-2").1, ["exported"], "its tokens aren't here");
        rig.minutes_pass(61);
        assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    }
}

#[test]
fn a_backup_can_be_adopted_as_it_comes() {
    let rig = Rig::new();
    let backup = backup_of_a_grant(&rig);
    let done = rig.run(&format!("import {backup} --adopt --yes")).exits(0);
    assert!(done.err.contains("1 authorization is now in use on this host."), "{}", done.err);
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    oracle::rests(&rig);
}

#[test]
fn nothing_is_adopted_of_a_license_that_is_not_recovered() {
    let rig = Rig::new();
    drop(imported(&rig, &backup_of_a_grant(&rig)).exits(0));
    process(&rig, |it| {
        let asked = it.ask("L-1").unwrap();
        drop(it.arrived(&asked).unwrap());
    });
    let done = rig.run("import --adopt --yes").exits(1);
    assert!(done.err.contains("has a consent or refresh that isn't finished"), "{}", done.err);
    assert_eq!(shown(&rig, "L-1").1, ["uncertain", "exported"]);
}

#[test]
fn records_are_taken_in_all_or_none_and_what_went_into_the_vault_for_them_goes_again() {
    let rig = Rig::with_keyring();
    let elsewhere = another_host(&rig);
    drop(elsewhere.grant("L-1"));
    drop(elsewhere.grant("L-2"));
    let bundle = exported(&elsewhere, "", &rig);
    for calls in 0..2 {
        rig.keyring.fails_after(calls, biotrack_auth::system::KeyringFault::Failed("it crashed".into()));
        drop(imported(&rig, &bundle).exits(7));
        assert_eq!((rig.ledger().standings(PROFILE).unwrap(), rig.keyring.accounts()), (vec![], vec![]));
    }
    // The ledger refuses what a profile's hooks would have to hear of: the whole is undone.
    rig.world().table_refuses("history", true);
    drop(imported(&rig, &bundle).exits(7));
    rig.world().table_refuses("history", false);
    assert_eq!(rig.ledger().standings(PROFILE).unwrap(), []);
    drop(imported(&rig, &bundle).exits(0));
    assert_eq!(
        (kept(&rig, "L-1"), kept(&rig, "L-2")),
        (vec![(SecretRole::Live, 1)], vec![(SecretRole::Live, 2)])
    );
    oracle::rests(&rig);
}

#[test]
fn tokens_whose_record_others_changed_meanwhile_leave_the_vault_again() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    rig.minutes_pass(61);
    let elsewhere = another_host(&rig);
    drop(elsewhere.grant("L-1"));
    let bundle = exported(&elsewhere, "", &rig);
    let others = Rig::of(rig.world().clone());
    // They go in once more, over what is there by then.
    let puts = while_tokens_are_put(&rig, move || drop(others.run("token L-1").exits(0)));
    drop(imported(&rig, &bundle).exits(0));
    rig.world().unwatch();
    assert_eq!(puts.load(Ordering::Relaxed), 2);
    assert_eq!((rig.keyring.accounts().len(), kept(&rig, "L-1")), (1, vec![(SecretRole::Live, 2)]));
    oracle::rests_but(&rig, &[1]);
}

#[test]
fn tokens_that_leave_the_vault_again_are_nobody_elses_of_the_same_generation() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    let elsewhere = another_host(&rig);
    rig.minutes_pass(1);
    drop(elsewhere.grant("L-1"));
    let bundle = exported(&elsewhere, "", &rig);
    let others = Rig::of(rig.world().clone());
    while_tokens_are_put(&rig, move || {
        others.minutes_pass(1);
        drop(others.run("renew L-1 --browser scripted").exits(0));
    });
    let done = imported(&rig, &bundle).exits(0);
    rig.world().unwatch();
    assert!(done.err.contains("the grant here is newer"), "{}", done.err);
    assert_eq!((rig.keyring.accounts().len(), kept(&rig, "L-1")), (1, vec![(SecretRole::Live, 3)]));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-3\n");
}

/// Others do something once the keyring has the first tokens of an import. How often it got any.
fn while_tokens_are_put(rig: &Rig, others: impl FnOnce() + Send + 'static) -> Arc<AtomicUsize> {
    let puts = Arc::new(AtomicUsize::new(0));
    let (counted, mut others) = (puts.clone(), Some(others));
    rig.world().watch(move |now| {
        if let Moment::Asked("set", item) = now
            && item.contains("/L-1/")
        {
            counted.fetch_add(1, Ordering::Relaxed);
            if let Some(others) = others.take() {
                std::thread::scope(|scope| scope.spawn(others).join().unwrap());
            }
        }
    });
    puts
}

#[test]
fn a_newer_grant_here_is_never_overwritten() {
    let rig = Rig::new();
    let elsewhere = another_host(&rig);
    drop(elsewhere.grant("L-1"));
    rig.minutes_pass(1);
    drop(rig.grant("L-1"));
    let bundle = exported(&elsewhere, "", &rig);
    let done = imported(&rig, &bundle).exits(0);
    assert!(done.err.contains("the grant here is newer"), "{}", done.err);
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
}

#[test]
fn an_older_grant_here_gives_way_and_is_not_revoked_for_that_could_end_the_newer_one() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        drop(rig.grant("L-1"));
        rig.minutes_pass(1);
        let elsewhere = another_host(&rig);
        drop(elsewhere.grant("L-1"));
        let bundle = exported(&elsewhere, "", &rig);
        drop(imported(&rig, &bundle).exits(0));
        assert_eq!((kept(&rig, "L-1"), times(&rig, "revoked")), (vec![(SecretRole::Live, 2)], 0));
        oracle::rests_but(&rig, &[1]);
    }
}

#[test]
fn what_has_been_taken_in_already_is_the_same() {
    let rig = Rig::new();
    let elsewhere = another_host(&rig);
    drop(elsewhere.grant("L-1"));
    let bundle = exported(&elsewhere, "", &rig);
    drop(imported(&rig, &bundle).exits(0));
    let before = (record(&rig, "L-1"), history(&rig, "L-1"));
    let done = imported(&rig, &bundle).exits(0);
    assert!(done.err.contains("its tokens are already here"), "{}", done.err);
    assert_eq!((record(&rig, "L-1"), history(&rig, "L-1")), before);
}

#[test]
fn tokens_of_another_license_than_their_record_are_refused() {
    let rig = Rig::new();
    let elsewhere = another_host(&rig);
    drop(elsewhere.grant("L-1"));
    let bundle = exported(&elsewhere, "", &rig);
    changed(&rig, &bundle, |it| it.replace("\"license\":\"L-1\"", "\"license\":\"L-2\""));
    let done = imported(&rig, &bundle).exits(7);
    assert!(done.err.contains("it belongs to another license"), "{}", done.err);
    assert_eq!(rig.ledger().standings(PROFILE).unwrap(), []);
}

#[test]
fn a_bundle_of_a_newer_form_is_refused_by_its_number() {
    let rig = Rig::new();
    let bundle = backup_of_a_grant(&rig);
    changed(&rig, &bundle, |it| it.replace("\"schema\":1", "\"schema\":2"));
    let done = imported(&rig, &bundle).exits(7);
    assert!(
        done.err.contains("a newer biotrack-auth wrote it (format 2; this version supports 1)"),
        "{}",
        done.err
    );
    let whole =
        Sealable::from_bytes(opened(&rig, &bundle).replace("\"schema\":2", "\"schema\":1").into_bytes());
    let bundle = Bundle::read(&whole, "x").unwrap();
    assert!(bundle.backup && bundle.rows.len() == 1 && bundle.rows[0].tokens.is_some());
}

#[test]
fn a_license_that_somebody_is_at_is_not_taken_in() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let file = rig.write("facts.csv", "ubi,license,username,name\n604001,L-1,ann@example.com,Hudson\n");
    process(&rig, |it| {
        let _waits = it.ask("L-1").unwrap();
        assert!(imported(&rig, &file).exits(1).err.contains("L-1 is busy: "));
    });
    assert_eq!(record(&rig, "L-1").name, None);
}

#[test]
fn facts_alone_leave_the_tokens_where_they_are() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let file = rig.write("facts.csv", "ubi,license,username,name\n604001,L-1,ann@example.com,Hudson\n");
    drop(imported(&rig, &file).exits(0));
    assert_eq!(record(&rig, "L-1").name.unwrap().as_str(), "Hudson");
    assert_eq!((kept(&rig, "L-1"), shown(&rig, "L-1").1), (vec![(SecretRole::Live, 1)], vec![]));
    let line = last_line(&rig, "L-1");
    assert!(line.starts_with("imported from ") && line.ends_with("facts.csv: name"), "{line}");
    oracle::rests(&rig);
}

#[test]
fn a_waiting_grant_does_not_go_along_and_is_not_lost() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
    let there = another_host(&rig);
    let bundle = exported(&rig, "", &there);
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Held, 2)]);
    assert_eq!(shown(&rig, "L-1").1, ["awaiting_approval", "exported"]);
    drop(imported(&there, &bundle).exits(0));
    assert_eq!(kept(&there, "L-1"), [(SecretRole::Live, 1)]);
    let items: Vec<_> = rig.ledger().all_secrets().unwrap().into_iter().map(|it| it.place).collect();
    assert!(rig.keyring.accounts().into_iter().all(|it| items.contains(&SecretPlace::Item(it))));
}
