//! A keyring that works.

use super::session::{Session, accounts, within};
use super::{fault, item, secret};
use biotrack_auth::error::VaultError;
use biotrack_auth::model::flow::Place;
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

        let (old, new) =
            (vault.put(&item(1), &secret("old")).unwrap(), vault.put(&item(2), &secret("new")).unwrap());
        assert_eq!(old, Place::Item(item(1)));
        assert_eq!(accounts().len(), 2);
        assert_eq!(vault.get(&old, "x").unwrap().bytes(), b"old");
        vault.forget(&old).unwrap();
        vault.forget(&old).unwrap();
        assert!(matches!(fault(vault.get(&old, "x")), VaultError::Gone { .. }));
        assert_eq!(vault.get(&new, "x").unwrap().bytes(), b"new");
        assert_eq!(accounts(), [item(2)], "looking for what isn't there leaves nothing");
    });
}

#[test]
fn any_bytes_of_any_length_come_back() {
    within(Session::Unlocked, || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        for (at, bytes) in [vec![0, 255, 10], vec![200; 70_000]].into_iter().enumerate() {
            let secret = biotrack_auth::model::secret::Sealable::from_bytes(bytes.clone());
            let place = vault.put(&item(at as u32), &secret).unwrap();
            assert_eq!(vault.get(&place, "x").unwrap().bytes(), bytes);
        }
    });
}

#[test]
fn an_envelope_opens_after_a_crash() {
    within(Session::Unlocked, || {
        let vault = Vault::keyring(KeyringThread::of_the_platform());
        let (envelope, memo) = vault.envelope(&item(1), &secret("verifier\nstate")).unwrap();
        assert_eq!(accounts(), [item(1)], "memo and identity are one item");
        let code = envelope.code.close(&secret("code")).unwrap();
        let answer = envelope.answer.close(&secret("answer")).unwrap();
        let (again, opener) = Vault::keyring(KeyringThread::of_the_platform()).unfold(&memo, "x").unwrap();
        assert_eq!(again.bytes(), b"verifier\nstate");
        assert_eq!(opener.open(&code, "x").unwrap().bytes(), b"code");
        assert_eq!(opener.open(&answer, "x").unwrap().bytes(), b"answer");

        let other = vault.envelope(&item(2), &secret("verifier")).unwrap().1;
        let (_, opener) = vault.unfold(&other, "x").unwrap();
        assert!(
            matches!(fault(opener.open(&code, "6011/OCM-1")), VaultError::Sealed { what, .. } if what == "6011/OCM-1")
        );
        let place = vault.put(&item(3), &secret("{\"no\":\"envelope\"}")).unwrap();
        assert!(
            matches!(fault(vault.unfold(&place, "6011/OCM-1")), VaultError::Broken { what, .. } if what == "6011/OCM-1")
        );
    });
}
