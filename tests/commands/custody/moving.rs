//! All secrets at once: into the other vault, or sealed to other recipients.

use super::*;
use crate::rig::{Visit, oracle};
use biotrack_auth::custody::{client_secret_place, keep_client_secret, move_secrets};
use biotrack_auth::model::secret::Secret;
use biotrack_auth::model::vault_kind::VaultKind;
use biotrack_auth::vault::{IdentityFile, Vault, create_identity};

/// One grant in use and one that waits, one to be given back, a link that is out, and a client's secret: six secrets.
fn with_secrets_of_all_kinds(rig: Rig) -> (Rig, Link) {
    drop(rig.grant("L-1"));
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
    drop(rig.grant("L-2"));
    revocation_fails(&rig);
    drop(rig.run("deactivate L-2 --yes").exits(8));
    let kind = if rig.keyring.accounts().is_empty() { VaultKind::Sealed } else { VaultKind::Keyring };
    let (env, mut ledger) = (rig.env(), rig.ledger());
    let secret = Secret::new("ours");
    keep_client_secret(&rig.vault(kind), &mut ledger, &rig.profile(), &secret, env.random.as_ref()).unwrap();
    let link = process(&rig, |it| it.hand_out("L-3"));
    (rig, link)
}

/// All of them can be read by a process of this vault, and are in no other.
#[track_caller]
fn all_are_in(rig: &Rig, kind: VaultKind, link: &Link) {
    assert_eq!(kept(rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 2)]);
    assert_eq!(kept(rig, "L-2"), [(SecretRole::Unwanted, 3)]);
    let vault = rig.vault(kind);
    let seals = rig.seals();
    let secret = client_secret_place(&rig.ledger(), &vault, &seals, PROFILE).unwrap().unwrap();
    let row = seals.row_of_client_secret(PROFILE, &secret);
    assert_eq!(vault.get(&secret.place, &row).unwrap().bytes(), b"\"ours\"");
    assert_eq!(rig.keyring.accounts().len(), if kind == VaultKind::Keyring { 6 } else { 0 });
    let back = link.granted(rig);
    drop(rig.run(&format!("complete '{back}'")).exits(0));
    assert_eq!(rig.run("token L-3").exits(0).out, format!("access-{}\n", rig.provider.grants().len()));
}

#[test]
fn every_secret_moves_to_the_other_vault_and_none_stays() {
    let (rig, link) = with_secrets_of_all_kinds(Rig::new());
    let done = rig.run("config vault keyring").exits(0);
    assert_eq!(done.err, "Vault: keyring. 6 secrets moved.\n");
    assert_eq!(
        rig.run("config vault keyring").exits(0).err,
        "Vault: keyring. Every secret was already there.\n"
    );
    all_are_in(&rig, VaultKind::Keyring, &link);

    let (rig, link) = with_secrets_of_all_kinds(Rig::with_keyring());
    let done = rig.run("config vault sealed").exits(0);
    assert_eq!(done.err, "Vault: sealed. 6 secrets moved.\n");
    assert_eq!(
        rig.run("config vault sealed").exits(0).err,
        "Vault: sealed. Every secret was already there.\n"
    );
    all_are_in(&rig, VaultKind::Sealed, &link);
    oracle::holds(&rig);
}

#[test]
fn the_move_is_one_commit_with_a_line_in_the_history() {
    let (rig, _) = with_secrets_of_all_kinds(Rig::with_keyring());
    let before = rig.world().commits();
    drop(rig.run("config vault sealed").exits(0));
    // And one that notes what was forgotten in the keyring.
    assert_eq!(rig.world().commits(), before + 2);
    let line = rig.ledger().links(PROFILE, |link| link.event == "vault_moved").unwrap().pop().unwrap();
    assert_eq!(line.detail, "6 secrets, from the keyring vault to the sealed vault");
}

#[test]
fn a_license_that_somebody_is_at_stops_the_move_before_anything_is_changed() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    process(&rig, |it| {
        let _waits = it.ask("L-2").unwrap();
        let items = rig.keyring.accounts();
        let done = rig.run("config vault sealed").exits(1);
        assert!(done.err.contains("L-2 is busy: sam@desk"), "{}", done.err);
        assert_eq!(rig.keyring.accounts(), items);
    });
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
}

#[test]
fn what_a_dead_process_left_half_done_must_be_finished_in_the_vault_that_it_began_with() {
    let rig = Rig::with_keyring();
    process(&rig, |it| {
        let asked = it.ask("L-1").unwrap();
        drop(it.arrived(&asked).unwrap());
    });
    let done = rig.run("config vault sealed").exits(1);
    assert!(done.err.contains("finish it first"), "{}", done.err);
    // One that only waited at its page moves along.
    process(&rig, |it| {
        it.recover("L-1").unwrap();
        drop(it.ask("L-1").unwrap());
    });
    drop(rig.run("config vault sealed").exits(0));
    drop(rig.grant("L-1"));
    oracle::rests(&rig);
}

#[test]
fn one_secret_that_cannot_be_read_stops_the_move_before_anything_is_changed() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    drop(rig.grant("L-2"));
    let item = rig.keyring.accounts().into_iter().find(|it| it.contains("/L-2/")).unwrap();
    rig.keyring.loses(&item);
    let done = rig.run("config vault sealed").exits(7);
    assert!(done.err.contains("the ledger names the vault entry"), "{}", done.err);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    assert_eq!(rig.profile().profile, PROFILE);
}

#[test]
fn what_others_change_between_reading_and_commit_is_read_again() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    rig.minutes_pass(61);
    let item = rig.keyring.accounts().pop().unwrap();
    let world = rig.world().clone();
    at(&rig, Moment::Asked("get", item), move || {
        assert_eq!(Rig::of(world).run("token L-1").exits(0).out, "access-1.1\n");
    });
    drop(rig.run("config vault sealed").exits(0));
    rig.world().unwatch();
    assert_eq!((kept(&rig, "L-1"), rig.keyring.accounts()), (vec![(SecretRole::Live, 1)], vec![]));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    oracle::rests(&rig);
}

#[test]
fn a_move_that_was_cut_short_is_finished_by_the_same_command() {
    // Committed, and the old items weren't forgotten: the keyring is locked from then on.
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    let (keyring, item) = (rig.keyring.clone(), rig.keyring.accounts().pop().unwrap());
    at(&rig, Moment::Asks("delete", item.clone()), move || keyring.locks(true));
    drop(rig.run("config vault sealed").exits(7));
    rig.keyring.locks(false);
    assert_eq!(rig.keyring.accounts(), [item]);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n", "it's in the new vault already");
    drop(rig.run("config vault sealed").exits(0));
    assert_eq!(rig.keyring.accounts(), Vec::<String>::new());
}

#[test]
fn what_moves_back_is_not_taken_for_what_an_earlier_move_left() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    let (keyring, item) = (rig.keyring.clone(), rig.keyring.accounts().pop().unwrap());
    at(&rig, Moment::Asks("delete", item), move || keyring.locks(true));
    drop(rig.run("config vault sealed").exits(7));
    rig.keyring.locks(false);
    // The same name is named again.
    drop(rig.run("config vault keyring").exits(0));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    assert_eq!(rig.keyring.accounts().len(), 1);
    oracle::rests(&rig);
}

/// Another host's identity.
fn another_identity(rig: &Rig) -> (IdentityFile, String) {
    let path = rig.file("another.txt");
    let recipient = create_identity(&path).unwrap();
    (IdentityFile::at(&path), recipient)
}

/// How many of all secrets another identity opens.
fn opened_by(rig: &Rig, identity: &IdentityFile) -> usize {
    let vault = Vault::sealed(identity.clone(), Vec::new());
    let secrets = rig.ledger().all_secrets().unwrap();
    secrets.iter().filter(|it| vault.read_unchecked(&it.place, "x").is_ok()).count()
}

#[test]
fn token_sets_are_sealed_to_new_recipients_and_nothing_else_is() {
    let (rig, link) = with_secrets_of_all_kinds(Rig::new());
    let (identity, recipient) = another_identity(&rig);
    let generation = record(&rig, "L-1").generation;
    drop(rig.run(&format!("config recipients add {recipient}")).exits(0));
    assert_eq!(opened_by(&rig, &identity), 3, "neither verifiers nor the client's secret");
    drop(rig.run(&format!("config recipients remove {recipient}")).exits(0));
    assert_eq!(opened_by(&rig, &identity), 0);
    assert_eq!(record(&rig, "L-1").generation, generation);
    let lines = rig.ledger().links(PROFILE, |link| link.event == "resealed").unwrap();
    assert_eq!(lines.len(), 2);
    all_are_in(&rig, VaultKind::Sealed, &link);
}

#[test]
fn what_comes_later_is_sealed_to_all_recipients_too() {
    let rig = Rig::new();
    let (identity, recipient) = another_identity(&rig);
    drop(rig.run(&format!("config recipients add {recipient}")).exits(0));
    drop(rig.grant("L-1"));
    assert_eq!(opened_by(&rig, &identity), 1);
    rig.minutes_pass(61);
    drop(rig.run("token L-1").exits(0));
    assert_eq!(opened_by(&rig, &identity), 1);
    oracle::rests(&rig);
}

#[test]
fn one_token_set_that_cannot_be_opened_leaves_all_as_they_were() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    drop(rig.grant("L-2"));
    rig.world().ledger().execute("UPDATE secret SET blob = x'00' WHERE license = 'L-2'", []).unwrap();
    let (identity, recipient) = another_identity(&rig);
    drop(rig.run(&format!("config recipients add {recipient}")).exits(7));
    assert_eq!(opened_by(&rig, &identity), 0);
    assert!(!rig.run("config recipients list").exits(0).out.contains(&recipient));
}

#[test]
fn who_is_at_a_license_is_not_resealed_under_their_hands() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.minutes_pass(61);
    let (_, recipient) = another_identity(&rig);
    let (world, command) = (rig.world().clone(), format!("config recipients add {recipient}"));
    at(&rig, arrives(TOKEN), move || drop(Rig::of(world).run(&command).exits(1)));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    oracle::rests(&rig);
}

#[test]
fn who_begins_while_a_move_reads_the_secrets_is_left_alone() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    let item = rig.keyring.accounts().pop().unwrap();
    let (others, revocation) = (Rig::of(rig.world().clone()), rig.provider.stops(REVOKE));
    let (told, giving_up) = std::sync::mpsc::channel();
    at(&rig, Moment::Asked("get", item), move || {
        let running = others.start("deactivate L-1 --yes");
        revocation.is_reached();
        told.send((running, revocation)).unwrap();
    });
    let moved = rig.run("config vault sealed");
    rig.world().unwatch();
    let (running, revocation) = giving_up.recv().unwrap();
    revocation.opens();
    assert_eq!(running.join().unwrap(), 0);
    let moved = moved.exits(1);
    assert!(moved.err.contains("L-1 is busy: sam@desk"), "{}", moved.err);
    assert_eq!((shown(&rig, "L-1").0, kept(&rig, "L-1")), (State::Deactivated, vec![]));
    assert_eq!(rig.keyring.accounts().len(), 0);
    oracle::rests(&rig);
}

#[test]
fn a_move_goes_by_what_the_ledger_says_and_gives_up_where_others_never_rest() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    create_identity(&rig.file("identity.txt")).unwrap();
    // What the others store says nothing of itself, as an older version's.
    std::fs::remove_file(rig.env().paths.new_seals_of(rig.ledger().id())).unwrap();
    let (mut ledger, from, to) = (rig.ledger(), rig.vault(VaultKind::Keyring), rig.vault(VaultKind::Sealed));
    let (world, count) = (rig.world().clone(), std::sync::atomic::AtomicUsize::new(0));
    rig.world().watch(move |moment| {
        if matches!(moment, Moment::Asked("get", _)) {
            // Somebody stores another secret each time.
            let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let more = format!(
                "INSERT INTO profile_secret (profile, name, item, old_seal)
                 VALUES ('p{number}', 'n', 'i{number}', 'i{number}')"
            );
            world.ledger().execute(&more, []).unwrap();
            world.keyring.puts(&format!("i{number}"), b"x");
        }
    });
    let mut named = 0;
    let moved = move_secrets(&mut ledger, &from, &to, &rig.seals(), rig.now(), &mut || {
        named += 1;
        Ok(())
    });
    rig.world().unwatch();
    let told = moved.unwrap_err().to_string();
    assert_eq!(
        (told.as_str(), named),
        ("other processes keep changing secrets: run the command again when they have finished", 0)
    );
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
}
