//! A keyring whose items are too short for a secret, as Windows' are.

use super::session::{Session, accounts, clear, within};
use super::{fault, item, label, row, secret};
use biotrack_auth::error::VaultError;
use biotrack_auth::model::flow::SecretPlace;
use biotrack_auth::system::{KeyringThread, OsRandom};
use biotrack_auth::vault::{Keyring, Vault};

fn long() -> String {
    (0..1000).map(|n| char::from(b'a' + (n % 26) as u8)).collect()
}

#[test]
fn a_long_secret_comes_back_from_its_parts() {
    within(Session::Unlocked, || {
        let vault = Vault::Keyring(Keyring::limited_to(300, KeyringThread::of_the_platform()));
        vault.probe(&item(0), &OsRandom).unwrap();
        assert!(accounts().is_empty(), "a probe leaves nothing");

        let place = vault.put(&item(1), &label(), &secret(&long())).unwrap();
        assert_eq!(accounts().len(), 1 + 5);
        assert_eq!(vault.get(&place, &row()).unwrap().bytes(), long().as_bytes());
        assert_eq!(
            Vault::keyring(KeyringThread::of_the_platform()).get(&place, &row()).unwrap().bytes(),
            long().as_bytes(),
            "whatever the limit"
        );
        vault.put(&item(11), &label(), &secret("another")).unwrap();
        vault.forget(&place).unwrap();
        assert_eq!(accounts(), [item(11)]);

        let (envelope, memo) = vault.envelope(&item(2), &label(), &secret(&long()), &[]).unwrap();
        let code = envelope.code.close(&label(), &secret("code")).unwrap();
        let (again, opener) = vault.reopen_memo(&memo, &row()).unwrap();
        assert_eq!(again.bytes(), long().as_bytes());
        assert_eq!(opener.open(&code, &row()).unwrap().bytes(), b"code");
    });
}

#[test]
fn a_missing_or_foreign_part_is_never_read_as_whole() {
    within(Session::Unlocked, || {
        let vault = Vault::Keyring(Keyring::limited_to(300, KeyringThread::of_the_platform()));
        let part = |number: u32| format!("{}#{number}", item(1));
        let place = vault.put(&item(1), &label(), &secret(&long())).unwrap();
        clear(&part(3));
        let VaultError::Broken { what, reason } = fault(vault.get(&place, &row())) else { panic!() };
        assert_eq!((what.as_str(), reason.as_str()), ("OCM-1", "part 3 of 5 is missing"));
        vault.put(&part(3), &label(), &secret("not what was there")).unwrap();
        let VaultError::Broken { reason, .. } = fault(vault.get(&place, &row())) else { panic!() };
        assert_eq!(reason, "its parts don't belong together");

        // As a crash leaves it, in the middle of a put: the parts without the first item.
        clear(&item(1));
        assert!(matches!(fault(vault.get(&place, &row())), VaultError::Gone { .. }));
        vault.forget(&SecretPlace::Item(item(1))).unwrap();
        assert!(accounts().is_empty());
    });
}
