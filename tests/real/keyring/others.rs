//! KWallet, KeePassXC and oo7, in the place of GNOME's keyring.

use super::session::{
    Keeper, Session, accounts, keepassxcs_recycle_bin, lock_collection, lock_keepassxc,
    log_in_again_with_another, look_up, within,
};
use super::{fault, item, label, secret};
use crate::crash::truth::{LICENSE, go_on, is_whole};
use crate::support::crowd::{Crowd, Will};
use crate::support::stored::hashed;
use crate::support::{Rig, admin, register};
use biotrack_auth::error::VaultError;
use biotrack_auth::system::{KeyringThread, OsRandom};
use biotrack_auth::vault::Vault;

/// From the first consent to the last token: each a secret that another program finds, and none is left.
fn a_grants_life() {
    let rig = Rig::with_keyring(&[]);
    rig.register("L-1").exits(0);
    let [account] = &accounts()[..] else { panic!("{:?}", accounts()) };
    let issued = rig.truth().into_iter().find(|line| line["event"] == "token_issued").unwrap();
    let item = look_up(account);
    // Behind what it says of itself.
    let kept = item.splitn(3, '\n').nth(2).unwrap();
    let kept: serde_json::Value = serde_json::from_str(kept).unwrap();
    assert_eq!(issued["access_sha256"], hashed(kept["access"].as_str().unwrap()));
    rig.run(&["token", "L-1", "--min-valid", "2h"]).exits(0);
    assert!(rig.accepts(&rig.live("L-1").unwrap()));
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    assert!(rig.accepts(&rig.live("L-1").unwrap()));
    rig.run(&["doctor"]).exits(0).answers("): an item was written, read and deleted");
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

#[test]
fn a_secret_that_was_deleted_is_not_in_keepassxcs_recycle_bin() {
    within(Session::Other(Keeper::KeePassXc), || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        let place = vault.put(&item(1), &label(), &secret("an-old-token")).unwrap();
        vault.forget(&place).unwrap();
        assert_eq!(keepassxcs_recycle_bin(), ["deleted 10"]);
    });
}

#[test]
fn a_grant_lives_in_oo7() {
    within(Session::Other(Keeper::Oo7), a_grants_life);
}

/// It locks while the admin consents: the grant is kept, and the next command stores it without a new consent.
fn locked_in_mid_flow(lock: impl Fn() + Send + Sync + 'static) {
    let rig = Rig::with_keyring(&[]);
    let crowd = Crowd::telling(1, |_| Will::Grant, move |_| lock());
    let run = rig.run(&register(LICENSE, &["--browser", &crowd.browser()])).exits(7).answers_nothing();
    assert!(run.err.contains("was granted, but the grant can't be stored yet"), "{run:?}");
    log_in_again_with_another();
    go_on(&rig, &[]);
    is_whole(&rig);
    assert_eq!(rig.counted("token_issued"), 1);
}

#[test]
fn kwallet_may_lock_in_mid_flow() {
    within(Session::Other(Keeper::KWallet), || locked_in_mid_flow(|| lock_collection("kdewallet")));
}

#[test]
fn keepassxc_may_lock_in_mid_flow() {
    within(Session::Other(Keeper::KeePassXc), || locked_in_mid_flow(lock_keepassxc));
}

#[test]
fn oo7_may_lock_in_mid_flow() {
    within(Session::Other(Keeper::Oo7), || locked_in_mid_flow(|| lock_collection("Login")));
}

#[test]
fn a_kwallet_without_a_wallet_is_named_as_that() {
    within(Session::Other(Keeper::KWalletWithoutWallet), || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        for fault in
            [fault(vault.probe(&item(1), &OsRandom)), fault(vault.put(&item(2), &label(), &secret("x")))]
        {
            assert!(matches!(&fault, VaultError::NotSetUp { keeper } if keeper == "KWallet"), "{fault}");
        }
    });
}

#[test]
fn a_keepassxc_that_asks_is_asked_nothing_where_nobody_answers() {
    within(Session::Other(Keeper::KeePassXcThatAsks), || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        let fault = fault(vault.probe(&item(1), &OsRandom));
        assert!(matches!(&fault, VaultError::Asks { keeper } if keeper == "KeePassXC"), "{fault}");
    });
}
