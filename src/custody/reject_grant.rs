//! A grant that isn't the one that was asked for never enters the record; where that can be done, it's revoked.

use super::received_grant::ReceivedGrant;
use super::writer::{Custody, event, unknown};
use crate::error::{CustodyError, Error, FactDifference, ProviderError, Result};
use crate::model::flow::{Change, FlowEnd, Move, Place, Role, Sealed};
use crate::model::history::Happened;
use crate::model::ids::{FlowId, Key};
use crate::model::vault_kind::VaultKind;
use crate::oauth::Patience;

impl Custody<'_> {
    /// A grant that isn't the one that was asked for never enters the record. Where a revocation reaches it alone it's
    /// taken back, and stays sealed until the provider has answered.
    pub(super) fn refuse(&mut self, came: ReceivedGrant) -> Error {
        let ReceivedGrant { flow, key, sealed, differences, .. } = &came;
        let fate = match self.reject(flow, key, sealed, differences) {
            Ok(true) => match self.revoke_unwanted(key, Patience::NONE) {
                Ok(()) => "The wrong grant was revoked, and nothing was stored.",
                Err(_) => {
                    "The wrong grant wasn't stored; its revocation hasn't been answered yet, and the next command on this license tries again."
                }
            },
            Ok(false) => {
                "The wrong grant wasn't stored. It can't be revoked alone here, so it stays valid at BioTrack until it lapses or the admin removes it."
            }
            Err(e) => match self.quarantine_sealed(flow, key, sealed.clone(), &e) {
                lost @ Error::Custody(CustodyError::GrantLost { .. }) => return lost,
                _ => {
                    "The wrong grant isn't in the record; it waits sealed in the journal, and the next command on this license takes it back."
                }
            },
        };
        let license = key.license.to_string();
        ProviderError::Mismatch { license, differences: came.differences, fate }.into()
    }

    /// Commits that a grant is unwanted; whether a revocation reaches it alone, so that it's kept for that.
    fn reject(
        &mut self,
        flow: &FlowId,
        key: &Key,
        sealed: &Sealed,
        differences: &[FactDifference],
    ) -> Result<bool> {
        let reached = self.revocation_of_one().is_some();
        let place = match reached {
            true => Some(self.unwanted_place(flow, key, sealed)?),
            false => None,
        };
        let detail = differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let (now, until) = (self.env.clock.now(), self.open_until());
        let kept = self.commit(key, |record| {
            record.revocation_pending |= place.is_some();
            Change {
                moves: place.iter().map(|place| Move::Put(Role::Unwanted, place.clone())).collect(),
                ends: Some(FlowEnd::Reopened(flow.clone(), until)),
                events: vec![event(record, Happened::Failed, &detail, now)],
                record: record.clone(),
            }
        })?;
        self.orphaned_items.extend(kept.memos);
        Ok(reached)
    }

    /// A grant to be revoked must be readable for that: sealed where the vault is, else a keyring item of its own.
    fn unwanted_place(&self, flow: &FlowId, key: &Key, sealed: &Sealed) -> Result<Place> {
        match self.vault.kind() {
            VaultKind::Sealed => Ok(Place::Blob(sealed.clone())),
            VaultKind::Keyring => {
                let asked = self.in_flight.get(flow).ok_or_else(unknown)?;
                let (_, opener) = self.vault.unfold(&asked.kept, key.license.as_str())?;
                let granted = opener.open(sealed, key.license.as_str())?;
                self.vault.put(
                    &format!("{}-unwanted-{}", self.item_of_flow(key, flow), self.env.random.name()?),
                    &granted,
                )
            }
        }
    }
}
