//! What is sealed is used in its own row alone: whoever writes to the ledger, and has no identity, brings no secret to another
//! profile, no older one back, and none of their own making; and nothing is sent because of it.

use super::*;
use crate::rig::Visit;
use biotrack_auth::custody::{SealLabeler, keep_client_secret};
use biotrack_auth::model::flow::SecretPlace;
use biotrack_auth::model::ids::Generation;
use biotrack_auth::model::seal::{SealKind, SealLabel};
use biotrack_auth::model::secret::{Sealable, Secret};
use biotrack_auth::model::vault_kind::VaultKind;
use biotrack_auth::vault::seal_to;
use rusqlite::params;

const TOKEN: &str = "/oauth/token";

/// A home with a second profile of the same provider, in which L-2 is granted.
fn with_two_profiles(rig: Rig) -> Rig {
    let text = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    let at = text.find("[profiles.").unwrap();
    let other = text[at..].replacen(PROFILE, "test", 1).replacen("[profiles.\"test\"]", "[profiles.test]", 1);
    rig.write("config.toml", &format!("{text}\n{other}\n"));
    drop(rig.grant("L-1"));
    drop(rig.run(&format!("{} --profile test", crate::rig::register("L-2"))).exits(0));
    rig
}

/// The tokens of a license as anybody may read them who has SQLite.
fn blob(rig: &Rig, license: &str) -> Vec<u8> {
    let asked = "SELECT blob FROM secret WHERE license = ?1 AND role = 'live'";
    rig.world().ledger().query_row(asked, [license], |row| row.get(0)).unwrap()
}

fn lay(rig: &Rig, license: &str, blob: &[u8]) {
    let laid = "UPDATE secret SET blob = ?2 WHERE license = ?1 AND role = 'live'";
    assert_eq!(rig.world().ledger().execute(laid, params![license, blob]).unwrap(), 1);
}

fn change(rig: &Rig, statement: &str) {
    assert!(rig.world().ledger().execute(statement, []).unwrap() > 0, "{statement}");
}

/// A command ends with 7 and these words, gives no token, and the provider hears nothing of it.
#[track_caller]
fn refused(rig: &Rig, line: &str, says: &str) {
    let heard = rig.provider.log();
    let done = rig.run(line).exits(7);
    assert!(done.out.is_empty() && done.err.contains(says), "{says}:\n{}", done.transcript());
    assert_eq!(rig.provider.log(), heard, "{line}");
}

#[test]
fn tokens_of_another_license_or_profile_are_never_used() {
    let rig = with_two_profiles(Rig::new());
    let (one, other) = (blob(&rig, "L-1"), blob(&rig, "L-2"));
    lay(&rig, "L-2", &one);
    let told =
        format!("L-2: the secret in the ledger was sealed for profile {PROFILE}, not for profile test");
    refused(&rig, "token L-2 --profile test --min-valid 2h", &told);
    // Its license as well: what is compared is what the seal says.
    change(&rig, "UPDATE secret SET license = 'L-1' WHERE profile = 'test'");
    change(&rig, "UPDATE authorization SET license = 'L-1' WHERE profile = 'test'");
    refused(&rig, "token L-1 --profile test --min-valid 2h", "was sealed for profile");
    // Back in their own rows both are as good as before.
    change(&rig, "UPDATE secret SET license = 'L-2' WHERE profile = 'test'");
    change(&rig, "UPDATE authorization SET license = 'L-2' WHERE profile = 'test'");
    lay(&rig, "L-2", &other);
    drop(rig.run("token L-2 --profile test").exits(0));
    drop(rig.run("token L-1").exits(0));
}

#[test]
fn an_item_of_another_license_or_profile_is_never_used() {
    let rig = with_two_profiles(Rig::with_keyring());
    change(
        &rig,
        "UPDATE secret SET item = (SELECT item FROM secret WHERE license = 'L-1') WHERE license = 'L-2'",
    );
    refused(&rig, "token L-2 --profile test --min-valid 2h", "was sealed for profile");
}

#[test]
fn an_older_token_set_that_is_put_back_is_refused_with_its_number_and_without() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let old = blob(&rig, "L-1");
    rig.minutes_pass(61);
    drop(rig.run("token L-1").exits(0));
    let new = blob(&rig, "L-1");
    lay(&rig, "L-1", &old);
    let told = "L-1: the ledger holds an older secret (1) than this host stored last (2)";
    refused(&rig, "token L-1 --min-valid 2h", told);
    change(&rig, "UPDATE secret SET generation = 1");
    refused(&rig, "token L-1 --min-valid 2h", told);
    change(&rig, "UPDATE authorization SET generation = 1");
    // The record itself went back: that is told as a ledger that did.
    let done = rig.run("token L-1").exits(7);
    assert!(done.err.contains("went back"), "{}", done.transcript());
    change(&rig, "UPDATE authorization SET generation = 2");
    change(&rig, "UPDATE secret SET generation = 2");
    lay(&rig, "L-1", &new);
    drop(rig.run("token L-1").exits(0));
}

/// What somebody seals who knows the recipient, and everything that a seal must say.
fn forged(rig: &Rig, label: &SealLabel, secret: &Sealable) -> Vec<u8> {
    let label = serde_json::to_string(label).unwrap();
    let text = format!("biotrack-auth seal 1 {label}\n-\n{}", str::from_utf8(secret.bytes()).unwrap());
    seal_to(&[rig.recipient()], &Sealable::from_bytes(text.into_bytes()), false).unwrap()
}

#[test]
fn tokens_that_somebody_without_the_identity_sealed_are_never_used() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let stored = rig.ledger().secrets(PROFILE, &key("L-1"), SecretRole::Live).unwrap().pop().unwrap();
    let label = rig.seals().tokens(PROFILE, &key("L-1"), SealKind::Tokens, stored.generation, None);
    let tokens = rig.live("L-1").to_sealable(&key("L-1"));
    lay(&rig, "L-1", &forged(&rig, &label, &tokens));
    refused(&rig, "token L-1", "L-1: this host did not seal the secret in the ledger");
    // As 0.2.0 sealed it, in a row that 0.2.0 didn't write.
    lay(&rig, "L-1", &seal_to(&[rig.recipient()], &tokens, false).unwrap());
    refused(&rig, "token L-1", "L-1: the secret does not say what it was sealed for");
    let doctor = rig.run("doctor").exits(1);
    assert!(doctor.out.contains("does not say what it was sealed for"), "{}", doctor.transcript());
}

#[test]
fn a_grant_that_awaits_approval_is_not_used_by_calling_it_live() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 2)]);
    change(&rig, "DELETE FROM secret WHERE role = 'live'");
    change(&rig, "UPDATE secret SET role = 'live'");
    refused(&rig, "token L-1", "was sealed for use as awaiting tokens, not for use as tokens");
    change(&rig, "UPDATE secret SET role = 'held'");
    drop(rig.run("renew L-1 --awaiting --yes").exits(0));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
    drop(rig.run("token L-1").exits(0));
}

#[test]
fn a_code_is_used_in_its_own_flow_alone() {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Unreachable, Reply::Unreachable]);
    drop(rig.run(&crate::rig::register("L-1")).exits(8));
    rig.provider.replies(TOKEN, [Reply::Unreachable, Reply::Unreachable]);
    drop(rig.run(&crate::rig::register("L-2")).exits(8));
    change(
        &rig,
        "UPDATE flow SET sealed = (SELECT sealed FROM flow WHERE license = 'L-1') WHERE license = 'L-2'",
    );
    refused(&rig, &crate::rig::register("L-2"), "L-2: the secret in the ledger was sealed for license L-1");
    change(&rig, "UPDATE flow SET sealed = memo_blob WHERE license = 'L-2'");
    refused(&rig, &crate::rig::register("L-2"), "was sealed for use as verifier, not for use as code");
    // The other one is as good as before.
    let done = rig.run(&crate::rig::register("L-1"));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)], "{}", done.transcript());
}

#[test]
fn a_verifier_of_somebody_elses_making_is_never_used() {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Unreachable, Reply::Unreachable]);
    drop(rig.run(&crate::rig::register("L-1")).exits(8));
    let flow = flows(&rig, "L-1").pop().unwrap();
    let label = rig.seals().verifier(PROFILE, &key("L-1"), &flow.id);
    let theirs = forged(&rig, &label, &Sealable::of(&serde_json::json!({"state": "x", "verifier": "y"})));
    rig.world().ledger().execute("UPDATE flow SET memo_blob = ?1", [theirs]).unwrap();
    refused(&rig, &crate::rig::register("L-1"), "L-1: this host did not seal the secret in the ledger");
}

#[test]
fn a_client_secret_goes_to_no_other_profile_and_an_older_one_or_anybodys_is_not_sent() {
    let rig = Rig::new();
    let env = rig.env();
    let keep = |profile: &str, secret: &str| {
        let provider = Provider { profile: profile.into(), ..rig.profile() };
        let vault = rig.vault(VaultKind::Sealed);
        keep_client_secret(&vault, &mut rig.ledger(), &provider, &Secret::new(secret), env.random.as_ref())
            .unwrap();
    };
    let secret = || {
        offline_with(&rig, |it| it.published_secret = None, |it| it.client_secret())
            .map_err(|e| e.to_string())
    };
    let laid = |blob: &[u8]| {
        let lay = "UPDATE profile_secret SET blob = ?1 WHERE profile = ?2";
        rig.world().ledger().execute(lay, params![blob, PROFILE]).unwrap();
    };
    let is = |profile: &str| -> Vec<u8> {
        let asked = "SELECT blob FROM profile_secret WHERE profile = ?1";
        rig.world().ledger().query_row(asked, [profile], |row| row.get(0)).unwrap()
    };
    keep(PROFILE, "first");
    let first = is(PROFILE);
    keep(PROFILE, "second");
    assert_eq!(secret().unwrap().as_deref(), Some("second"));
    laid(&first);
    assert!(secret().unwrap_err().contains("holds an older secret (1) than this host stored last (2)"));
    keep("production", "theirs");
    laid(&is("production"));
    assert!(secret().unwrap_err().contains("was sealed for profile production"));
    let label = rig.seals().client_secret(PROFILE, Generation(2));
    laid(&forged(&rig, &label, &Sealable::of(&"anybody's")));
    assert!(secret().unwrap_err().contains("this host did not seal"));
}

#[test]
fn tokens_of_another_ledger_are_never_used() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let stored = rig.ledger().secrets(PROFILE, &key("L-1"), SecretRole::Live).unwrap().pop().unwrap();
    let label = rig.seals().tokens(PROFILE, &key("L-1"), SealKind::Tokens, stored.generation, None);
    let label = SealLabel { ledger: "another".into(), ..label };
    let tokens = rig.live("L-1").to_sealable(&key("L-1"));
    let SecretPlace::Blob(sealed) = rig.vault(VaultKind::Sealed).put("", &label, &tokens).unwrap() else {
        panic!()
    };
    lay(&rig, "L-1", &sealed.0);
    refused(&rig, "token L-1", "was sealed for ledger another, not for ledger ");
}

#[test]
fn a_profile_that_was_moved_is_told_with_both_values_and_its_secrets_are_taken_over_after_a_yes() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        drop(rig.grant("L-1"));
        let vault = if rig.keyring.accounts().is_empty() { "sealed" } else { "keyring" };
        let was = rig.profile();
        rig.adds_to_profile("client_id = \"another\"");
        let told = format!(
            "L-1: the secret was sealed for {} (client {}), but the profile {PROFILE} is now {} (client another)",
            was.url, was.client_id, was.url
        );
        refused(&rig, "token L-1", &told);
        let again = format!("config vault {vault}");
        let unasked = rig.run(&again).exits(2);
        assert!(
            unasked.err.contains("(client another)") && unasked.err.contains(&was.client_id),
            "{}",
            unasked.err
        );
        refused(&rig, "token L-1", &told);
        drop(rig.run(&format!("{again} --yes")).exits(0));
        assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    }
}

#[test]
fn what_belongs_elsewhere_is_taken_over_by_no_yes() {
    let rig = with_two_profiles(Rig::new());
    lay(&rig, "L-2", &blob(&rig, "L-1"));
    let done = rig.run("config vault sealed --yes").exits(1);
    assert!(
        done.err.contains("Not used: L-2: the secret in the ledger was sealed for profile"),
        "{}",
        done.err
    );
    refused(&rig, "token L-2 --profile test", "was sealed for profile");
}

#[test]
fn what_another_host_sealed_to_itself_is_told_with_the_host_that_the_ledger_names() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let other = biotrack_auth::vault::create_identity(&rig.file("other.txt")).unwrap();
    let tokens = rig.live("L-1").to_sealable(&key("L-1"));
    lay(&rig, "L-1", &seal_to(&[other], &tokens, false).unwrap());
    refused(&rig, "token L-1", "it is sealed to another identity, or damaged");
    // As if another host had written the history's lines.
    let ledger = rig.world().ledger();
    let guards =
        "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'history'";
    let mut read = ledger.prepare(guards).unwrap();
    let drops: Vec<String> = read.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    drops.iter().for_each(|it| ledger.execute_batch(it).unwrap());
    change(&rig, "UPDATE history SET host = 'web-2'");
    refused(&rig, "token L-1", "or damaged; the license was last changed on web-2");
}

/// As 0.2.0 left it: sealed without a word of what for, in a row with the migration's mark.
fn as_an_older_version_left_it(rig: &Rig, license: &str) {
    let tokens = rig.live(license).to_sealable(&key(license));
    let old = seal_to(&[rig.recipient()], &tokens, false).unwrap();
    lay(rig, license, &old);
    let mark = "UPDATE secret SET old_seal = lower(hex(substr(blob, -16))) WHERE license = ?1";
    rig.world().ledger().execute(mark, [license]).unwrap();
}

fn forgets_that_all_seals_are_new(rig: &Rig) {
    let (ledger, paths) = (rig.ledger().id().to_owned(), rig.env().paths);
    let _ = std::fs::remove_file(paths.new_seals_of(&ledger));
}

#[test]
fn an_old_seal_counts_in_its_own_row_until_the_first_command_that_can_read_it_seals_it_anew() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    drop(rig.grant("L-2"));
    forgets_that_all_seals_are_new(&rig);
    as_an_older_version_left_it(&rig, "L-1");
    as_an_older_version_left_it(&rig, "L-2");
    let doctor = rig.run("doctor");
    assert!(doctor.out.contains("2 secrets are sealed by an older version"), "{}", doctor.transcript());
    let (one, other) = (blob(&rig, "L-1"), blob(&rig, "L-2"));
    lay(&rig, "L-2", &one);
    refused(&rig, "token L-2", "L-2: the secret does not say what it was sealed for");
    lay(&rig, "L-2", &other);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    assert_ne!((blob(&rig, "L-1"), blob(&rig, "L-2")), (one.clone(), other), "both are sealed anew");
    let doctor = rig.run("doctor").exits(0);
    assert!(!doctor.out.contains("older version"), "{}", doctor.transcript());
    // From now on this host takes none of them any more, whatever the row says.
    as_an_older_version_left_it(&rig, "L-1");
    lay(&rig, "L-1", &one);
    change(&rig, "UPDATE secret SET old_seal = lower(hex(substr(blob, -16)))");
    refused(&rig, "token L-1", "L-1: the secret does not say what it was sealed for");
    drop(rig.run("config vault sealed --yes").exits(0));
    drop(rig.run("token L-1").exits(0));
}

#[test]
fn an_old_seal_with_readers_that_are_not_configured_here_is_left_to_who_knows_them() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    forgets_that_all_seals_are_new(&rig);
    let tokens = rig.live("L-1").to_sealable(&key("L-1"));
    let other = biotrack_auth::vault::create_identity(&rig.file("other.txt")).unwrap();
    let old = seal_to(&[rig.recipient(), other.clone()], &tokens, false).unwrap();
    lay(&rig, "L-1", &old);
    change(&rig, "UPDATE secret SET old_seal = lower(hex(substr(blob, -16)))");
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    assert_eq!(blob(&rig, "L-1"), old, "nobody loses it");
    let doctor = rig.run("doctor");
    assert!(doctor.out.contains("1 secret is sealed by an older version"), "{}", doctor.transcript());
    drop(rig.run(&format!("config recipients add {other}")).exits(0));
    let doctor = rig.run("doctor");
    assert!(!doctor.out.contains("older version"), "{}", doctor.transcript());
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
}

#[test]
fn a_license_that_was_removed_and_comes_back_goes_on_counting() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let old = blob(&rig, "L-1");
    let before = record(&rig, "L-1").generation;
    change(&rig, "DELETE FROM secret");
    change(&rig, "DELETE FROM authorization");
    drop(rig.grant("L-1"));
    assert_eq!(record(&rig, "L-1").generation, before.next());
    lay(&rig, "L-1", &old);
    refused(&rig, "token L-1", "holds an older secret (1) than this host stored last (2)");
}

#[test]
fn what_a_host_seals_for_itself_says_so_and_what_it_seals_for_others_does_not_have_to() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let other = biotrack_auth::vault::create_identity(&rig.file("other.txt")).unwrap();
    drop(rig.run(&format!("config recipients add {other}")).exits(0));
    let stored = rig.ledger().secrets(PROFILE, &key("L-1"), SecretRole::Live).unwrap().pop().unwrap();
    let seals: SealLabeler = rig.seals();
    let label = seals.tokens(PROFILE, &key("L-1"), SealKind::Tokens, stored.generation, None);
    lay(&rig, "L-1", &forged(&rig, &label, &rig.live("L-1").to_sealable(&key("L-1"))));
    // Any of the recipients may have sealed it: docs/security.md says what that means.
    drop(rig.run("token L-1").exits(0));
}
