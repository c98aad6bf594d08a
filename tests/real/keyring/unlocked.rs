//! A keyring that works.

use super::session::{Session, accounts, within};
use super::{fault, item, label, row, secret};
use biotrack_auth::error::VaultError;
use biotrack_auth::model::flow::SecretPlace;
use biotrack_auth::model::vault_kind::VaultKind;
use biotrack_auth::system::{KeyringThread, OsRandom};
use biotrack_auth::vault::Vault;

#[test]
fn a_secret_comes_back_until_it_is_forgotten() {
    within(Session::Unlocked, || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        assert_eq!(vault.kind(), VaultKind::Keyring);
        vault.probe(&item(0), &OsRandom).unwrap();
        assert!(accounts().is_empty(), "a probe leaves nothing");

        let (old, new) = (
            vault.put(&item(1), &label(), &secret("old")).unwrap(),
            vault.put(&item(2), &label(), &secret("new")).unwrap(),
        );
        assert_eq!(old, SecretPlace::Item(item(1)));
        assert_eq!(accounts().len(), 2);
        assert_eq!(vault.get(&old, &row()).unwrap().bytes(), b"old");
        vault.forget(&old).unwrap();
        vault.forget(&old).unwrap();
        assert!(matches!(fault(vault.get(&old, &row())), VaultError::Gone { .. }));
        assert_eq!(vault.get(&new, &row()).unwrap().bytes(), b"new");
        assert_eq!(accounts(), [item(2)], "looking for what isn't there leaves nothing");
    });
}

#[test]
fn any_bytes_of_any_length_come_back() {
    within(Session::Unlocked, || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        for (at, bytes) in [vec![0, 255, 10], vec![200; 70_000]].into_iter().enumerate() {
            let secret = biotrack_auth::model::secret::Sealable::from_bytes(bytes.clone());
            let place = vault.put(&item(at as u32), &label(), &secret).unwrap();
            assert_eq!(vault.get(&place, &row()).unwrap().bytes(), bytes);
        }
    });
}

#[test]
fn an_envelope_opens_after_a_crash() {
    within(Session::Unlocked, || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        let (envelope, memo) = vault.envelope(&item(1), &label(), &secret("verifier\nstate"), &[]).unwrap();
        assert_eq!(accounts(), [item(1)], "memo and identity are one item");
        let code = envelope.code.close(&label(), &secret("code")).unwrap();
        let answer = envelope.answer.close(&label(), &secret("answer")).unwrap();
        let (again, opener) =
            Vault::keyring(KeyringThread::of_the_platform()).reopen_memo(&memo, &row()).unwrap();
        assert_eq!(again.bytes(), b"verifier\nstate");
        assert_eq!(opener.open(&code, &row()).unwrap().bytes(), b"code");
        assert_eq!(opener.open(&answer, &row()).unwrap().bytes(), b"answer");

        let other = vault.envelope(&item(2), &label(), &secret("verifier"), &[]).unwrap().1;
        let (_, opener) = vault.reopen_memo(&other, &row()).unwrap();
        assert!(
            matches!(fault(opener.open(&code, &row())), VaultError::Sealed { what, .. } if what == "OCM-1")
        );
        let place = vault.put(&item(3), &label(), &secret("{\"no\":\"envelope\"}")).unwrap();
        assert!(
            matches!(fault(vault.reopen_memo(&place, &row())), VaultError::Broken { what, .. } if what == "OCM-1")
        );
    });
}
