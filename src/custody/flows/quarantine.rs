//! What can't be kept in its place is kept sealed in the journal, else in the spool: nothing is thrown away.

use crate::custody::writer::Custody;
use crate::error::{CustodyError, Error, LedgerError};
use crate::model::flow::{Flow, FlowStage, SealedBytes};
use crate::model::ids::{FlowId, LicenseId};

impl Custody<'_> {
    /// The grant can't be kept in its place: it's kept sealed in the journal, else in the spool.
    pub(in crate::custody) fn quarantine_sealed(
        &mut self,
        flow: &FlowId,
        key: &LicenseId,
        sealed: SealedBytes,
        why: &Error,
    ) -> Error {
        let stage = FlowStage::Answered(sealed);
        let noted = self.hand_in_code(flow).and_then(|()| self.ledger.note_synced(flow, &stage));
        let kept = noted.or_else(|e| match &mut self.spool {
            // defense: S38 untaken-grant-is-spooled
            Some(spool) => spool.keep(flow, &stage, None),
            None => Err(e),
        });
        let license = key.license.to_string();
        match kept {
            Ok(_) => LedgerError::NotKept { license, reason: why.to_string() }.into(),
            Err(e) => CustodyError::GrantLost { license, why: why.to_string(), spool: e.to_string() }.into(),
        }
    }

    /// The tokens can't be kept in their place: they are kept sealed in the journal, else in the spool.
    pub(in crate::custody) fn quarantine_refresh(
        &mut self,
        flow: &Flow,
        sealed: SealedBytes,
        why: &Error,
    ) -> Error {
        let stage = FlowStage::Answered(sealed);
        let kept = self.ledger.note_synced(&flow.id, &stage).or_else(|e| match &mut self.spool {
            // defense: S38 untaken-refresh-is-spooled
            Some(spool) => spool.keep(&flow.id, &stage, None),
            None => Err(e),
        });
        let license = flow.key.license.to_string();
        match kept {
            Ok(_) => LedgerError::NotRefreshed { license, reason: why.to_string() }.into(),
            Err(e) => CustodyError::TokensLost { license, why: why.to_string(), spool: e.to_string() }.into(),
        }
    }
}
