//! KWallet, KeePassXC and oo7, in the place of GNOME's keyring.

use super::session::{Keeper, Session, accounts, all_that_keepassxc_keeps, look_up, within};
use super::{fault, item, secret};
use crate::support::stored::hashed;
use crate::support::{Rig, admin};
use biotrack_auth::error::VaultError;
use biotrack_auth::system::{KeyringThread, OsRandom};
use biotrack_auth::vault::Vault;

/// From the first consent to the last token: each a secret that another program finds, and none is left.
fn a_grants_life() {
    let rig = Rig::with_keyring(&[]);
    rig.register("L-1").exits(0);
    let [account] = &accounts()[..] else { panic!("{:?}", accounts()) };
    let issued = rig.truth().into_iter().find(|line| line["event"] == "token_issued").unwrap();
    let kept: serde_json::Value = serde_json::from_str(&look_up(account)).unwrap();
    assert_eq!(issued["access_sha256"], hashed(kept["access"].as_str().unwrap()));
    rig.run(&["token", "L-1", "--min-valid", "2h"]).exits(0);
    assert!(rig.accepts(&rig.live("L-1").unwrap()));
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    assert!(rig.accepts(&rig.live("L-1").unwrap()));
    rig.run(&["doctor"]).exits(0).answers("keyring: an item was written, read and deleted");
    rig.keeps_secrets(&[]);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    assert!(accounts().is_empty(), "{:?}", accounts());
}

#[test]
fn a_grant_lives_in_kwallet() {
    within(Session::Other(Keeper::KWallet), a_grants_life);
}

#[test]
fn a_grant_lives_in_keepassxc() {
    within(Session::Other(Keeper::KeePassXc), a_grants_life);
}

/// It moves what is deleted to its recycle bin, and keeps what an entry was before it was changed.
#[test]
fn a_secret_that_was_deleted_is_nowhere_in_keepassxcs_database() {
    within(Session::Other(Keeper::KeePassXc), || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        let place = vault.put(&item(1), &secret("an-old-token")).unwrap();
        vault.put(&item(2), &secret("a-living-token")).unwrap();
        vault.forget(&place).unwrap();
        let kept = all_that_keepassxc_keeps("ny-sandbox");
        assert!(kept.iter().any(|it| it == "a-living-token"), "{kept:?}");
        assert!(!kept.iter().any(|it| it == "an-old-token"), "{kept:?}");
    });
}

#[test]
fn a_grant_lives_in_oo7() {
    within(Session::Other(Keeper::Oo7), a_grants_life);
}

#[test]
fn a_kwallet_without_a_wallet_is_named_as_that() {
    within(Session::Other(Keeper::KWalletWithoutWallet), || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        for fault in [fault(vault.probe(&item(1), &OsRandom)), fault(vault.put(&item(2), &secret("x")))] {
            assert!(matches!(&fault, VaultError::NotSetUp { keeper } if keeper == "KWallet"), "{fault}");
        }
    });
}

#[test]
fn a_keepassxc_that_asks_is_asked_nothing_where_nobody_answers() {
    within(Session::Other(Keeper::KeePassXcThatAsks), || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        let fault = fault(vault.probe(&item(1), &OsRandom));
        assert!(matches!(fault, VaultError::Locked), "{fault}");
    });
}
