//! No keyring, or one that never answers.

use super::session::{Session, signal, within};
use super::{fault, item, label, row, secret};
use biotrack_auth::error::VaultError;
use biotrack_auth::model::flow::SecretPlace;
use biotrack_auth::system::{KeyringThread, OsRandom};
use biotrack_auth::vault::Vault;
use std::time::{Duration, Instant};

fn there_is_none(says: &str) {
    let (vault, place) = (Vault::keyring(KeyringThread::of_the_platform()), SecretPlace::Item(item(1)));
    for fault in [
        fault(vault.probe(&item(1), &OsRandom)),
        fault(vault.get(&place, &row())),
        fault(vault.forget(&place)),
        fault(vault.put(&item(1), &label(), &secret("x"))),
    ] {
        assert!(matches!(&fault, VaultError::NoKeyring { reason } if reason.contains(says)), "{fault}");
    }
}

#[test]
fn without_a_session_there_is_no_keyring() {
    within(Session::NoBus, || there_is_none("no D-Bus session"));
}

#[test]
fn without_a_provider_there_is_no_keyring() {
    within(Session::NoProvider, || there_is_none("offers the Secret Service"));
}

/// The wait is about five seconds, once; after it nothing is asked any more, even of one that has woken up.
fn falls_silent(vault: &Vault) {
    signal("-STOP");
    let began = Instant::now();
    assert!(matches!(
        fault(vault.put(&item(2), &label(), &secret("late"))),
        VaultError::Silent { seconds: 5, .. }
    ));
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_millis(5500), "{waited:?}");
    let began = Instant::now();
    assert!(matches!(
        fault(Vault::keyring(KeyringThread::of_the_platform()).probe(&item(3), &OsRandom)),
        VaultError::Silent { .. }
    ));
    assert!(matches!(fault(vault.get(&SecretPlace::Item(item(2)), &row())), VaultError::Silent { .. }));
    assert!(began.elapsed() < Duration::from_millis(100));
}

#[test]
fn a_daemon_that_freezes_is_waited_for_once_and_not_at_the_end() {
    let lived = within(Session::Unlocked, || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        vault.probe(&item(1), &OsRandom).unwrap();
        falls_silent(&vault);
    });
    assert!(lived.is_none_or(|lived| lived < Duration::from_secs(9)), "{lived:?}");
}

#[test]
fn a_daemon_that_is_frozen_from_the_start_is_waited_for_once() {
    let lived = within(Session::Unlocked, || falls_silent(&Vault::keyring(KeyringThread::of_the_platform())));
    assert!(lived.is_none_or(|lived| lived < Duration::from_secs(9)), "{lived:?}");
}
