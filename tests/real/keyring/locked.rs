//! A keyring that is locked, or was never set up.

use super::session::{Session, accounts, lock, look_up_after_login, within};
use super::{fault, item, label, row, secret};
use biotrack_auth::error::VaultError;
use biotrack_auth::model::flow::SecretPlace;
use biotrack_auth::system::{KeyringThread, OsRandom};
use biotrack_auth::vault::Vault;
use std::time::{Duration, Instant};

/// Everything that can be asked of it is refused as locked, and soon.
fn refuses_everything(vault: &Vault, known: &SecretPlace, as_it_is: impl Fn(&VaultError) -> bool) {
    let unknown = SecretPlace::Item(item(99));
    let began = Instant::now();
    for fault in [
        fault(vault.get(known, &row())),
        fault(vault.get(&unknown, &row())),
        fault(vault.reopen_memo(known, &row())),
        fault(vault.forget(known)),
        fault(vault.forget(&unknown)),
        fault(vault.put(&item(2), &label(), &secret("new"))),
        fault(vault.envelope(&item(3), &label(), &secret("memo"), &[])),
        fault(vault.probe(&item(4), &OsRandom)),
    ] {
        assert!(as_it_is(&fault), "{fault}");
    }
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_locked_keyring_says_so_and_loses_nothing() {
    within(Session::Unlocked, || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        let place = vault.put(&item(1), &label(), &secret("tokens")).unwrap();
        lock();
        refuses_everything(&vault, &place, |it| matches!(it, VaultError::Locked));
        assert!(look_up_after_login(&item(1)).ends_with("\ntokens"));
        assert_eq!(accounts(), [item(1)]);
    });
}

#[test]
fn one_that_was_never_set_up_is_named_as_that() {
    within(Session::NeverSetUp, || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        refuses_everything(
            &vault,
            &SecretPlace::Item(item(1)),
            |it| matches!(it, VaultError::NotSetUp { keeper } if keeper == "GNOME Keyring"),
        );
    });
}
