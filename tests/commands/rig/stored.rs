//! The grants that the rig keeps of a license, and how a test makes something else of them.

use super::{PROFILE, Rig, key};
use biotrack_auth::error::{Error, LedgerError};
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::{RecordCommit, SecretPlace, SecretRole, SecretsChange, StoredSecret};
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::seal::SealKind;
use biotrack_auth::vault::{IdentityFile, Vault};

impl Rig {
    /// The grants of a license in this role.
    pub fn grants(&self, license: &str, role: SecretRole) -> Vec<Granted> {
        let (ledger, key, seals) = (self.ledger(), key(license), self.seals());
        let opened = |secret: StoredSecret| {
            let kept =
                self.opener(&secret.place).get(&secret.place, &seals.row(PROFILE, &key, &secret)).unwrap();
            Granted::from_sealable(&kept, &key).unwrap()
        };
        ledger.secrets(PROFILE, &key, role).unwrap().into_iter().map(opened).collect()
    }

    /// The grant in use.
    pub fn live(&self, license: &str) -> Granted {
        self.grants(license, SecretRole::Live).pop().unwrap()
    }

    /// Makes something else of the grant in use, as if it had been stored so.
    pub fn remakes(&self, license: &str, made: impl FnOnce(&mut Granted)) {
        let (mut ledger, key) = (self.ledger(), key(license));
        let mut record = ledger.standing(PROFILE, &key).unwrap().unwrap().record;
        let old = ledger.secrets(PROFILE, &key, SecretRole::Live).unwrap().pop().unwrap();
        let (vault, seals) = (self.opener(&old.place), self.seals());
        let kept = vault.get(&old.place, &seals.row(PROFILE, &key, &old)).unwrap();
        let mut granted = Granted::from_sealable(&kept, &key).unwrap();
        made(&mut granted);
        record.generation = record.generation.next();
        let label = seals.tokens(PROFILE, &key, SealKind::Tokens, record.generation, None);
        let item = format!("{}/{PROFILE}/{}/{}/remade", ledger.id(), key.ubi, key.license);
        let place = vault.put(&item, &label, &granted.to_sealable(&key)).unwrap();
        let moves = vec![SecretsChange::Drop(old.id), SecretsChange::Put(SecretRole::Live, place)];
        let change = RecordCommit { record, moves, ends: None, events: Vec::new() };
        ledger.commit(&[change]).unwrap().pop().unwrap().unwrap();
        vault.forget(&old.place).unwrap();
    }

    /// Changes a record as if something else had.
    pub fn changes(&self, license: &str, made: impl FnOnce(&mut Authorization)) {
        assert!(self.tries_to_change(license, made), "{license} was changed by another process meanwhile");
    }

    /// The same; whether nobody else was quicker.
    pub fn tries_to_change(&self, license: &str, made: impl FnOnce(&mut Authorization)) -> bool {
        let mut ledger = self.ledger();
        let mut record = ledger.standing(PROFILE, &key(license)).unwrap().unwrap().record;
        made(&mut record);
        let change = RecordCommit { record, moves: Vec::new(), ends: None, events: Vec::new() };
        match ledger.commit(&[change]) {
            Ok(mut kept) => kept.pop().unwrap().is_ok(),
            // They write for longer than anybody waits.
            Err(Error::Ledger(LedgerError::Busy { .. } | LedgerError::Held { .. })) => false,
            Err(e) => panic!("{license}: {e}"),
        }
    }

    /// The vault that has it, whichever the configuration names.
    fn opener(&self, place: &SecretPlace) -> Vault {
        let env = self.env();
        match place {
            SecretPlace::Item(_) => Vault::keyring(env.keyring.clone()),
            SecretPlace::Blob(_) => Vault::sealed(IdentityFile::at(&env.paths.identity), Vec::new()),
        }
    }
}
