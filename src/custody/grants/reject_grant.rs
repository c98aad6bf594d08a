//! A grant that isn't the one that was asked for never enters the record; where that can be done, it's revoked.

use super::received_grant::ReceivedGrant;
use super::token_sets::TokensToStore;
use crate::custody::writer::{Custody, event};
use crate::error::{CustodyError, Error, ErrorCode, ProviderError, Result};
use crate::model::flow::{FlowEnd, RecordCommit, SecretRole, SecretsChange};
use crate::model::history::{HistoryEvent, HistoryEventKind};
use crate::model::ids::FlowId;
use crate::model::seal::SealKind;
use crate::oauth::RetryPolicy;

impl Custody<'_> {
    /// A grant that isn't the one that was asked for never enters the record. Where a revocation reaches it alone it's
    /// taken back, and stays sealed until the provider has answered.
    pub(super) fn refuse(&mut self, came: ReceivedGrant) -> Error {
        let ReceivedGrant { flow, key, sealed, differences, .. } = &came;
        let fate = match self.reject(&came) {
            Ok(true) => match self.revoke_unwanted(key, RetryPolicy::NONE) {
                Ok(_) => "The wrong grant was revoked, and nothing was stored.",
                Err(_) => {
                    "The wrong grant was not stored. BioTrack has not confirmed its revocation yet; the next command on this license tries again."
                }
            },
            Ok(false) => {
                "The wrong grant was not stored. It can't be revoked separately, so it stays valid at BioTrack until it expires or the admin removes it."
            }
            Err(e) => match self.quarantine_sealed(flow, key, sealed.0.clone(), &e) {
                lost @ Error::Custody(CustodyError::GrantLost { .. }) => return lost,
                _ => {
                    "The wrong grant was not stored. It is kept sealed in the journal; the next command on this license revokes it."
                }
            },
        };
        let (license, differences) = (key.license.to_string(), differences.clone());
        ProviderError::Mismatch { license, differences, fate }.into()
    }

    /// Commits that a grant is unwanted; whether a revocation reaches it alone, so that it's kept for that.
    fn reject(&mut self, came: &ReceivedGrant) -> Result<bool> {
        let ReceivedGrant { flow, key, differences, .. } = came;
        let reached = self.revocation_of_one().is_some();
        let tokens = match reached {
            true => Some(self.unwanted(came)?),
            false => None,
        };
        let sealer = self.token_sealer(key, flow);
        let detail = differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let (now, until) = (self.env.clock.now(), self.open_until());
        let kept = self.commit_if(key, |_, record| {
            record.revocation_pending |= tokens.is_some();
            let put = |tokens| {
                Ok(SecretsChange::Put(
                    SecretRole::Unwanted,
                    sealer.place(tokens, SealKind::Refused, record.generation)?,
                ))
            };
            Ok(RecordCommit {
                moves: tokens.iter().map(put).collect::<Result<_>>()?,
                ends: Some(FlowEnd::Reopened(flow.clone(), until)),
                events: vec![HistoryEvent {
                    failure: Some(ErrorCode::Mismatch),
                    ..event(record, HistoryEventKind::Failed, &detail, now)
                }],
                record: record.clone(),
            })
        })?;
        self.orphaned_items.extend(kept.memos);
        Ok(reached)
    }

    /// A grant to be revoked must be readable for that: sealed where the vault is, else a keyring item of its own.
    fn unwanted(&self, came: &ReceivedGrant) -> Result<TokensToStore> {
        let name = FlowId(format!("{}-unwanted-{}", came.flow, self.env.random.name()?));
        let secret = came.granted.to_sealable(&came.key);
        self.tokens_to_store(&name, &came.key, SealKind::Refused, secret, None)
    }
}
