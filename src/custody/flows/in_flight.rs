//! What this process remembers of a flow until it's closed.

use crate::error::{Error, ErrorCode, LedgerError};
use crate::model::flow::{Flow, FlowEnd, FlowOwner, Purpose, SealedBytes, SecretPlace};
use crate::model::history::HistoryEventKind;
use crate::model::ids::{Generation, LicenseId, Username};
use crate::model::seal::ExpectedSeal;
use crate::model::secret::Fingerprint;
use crate::oauth::FlowSecrets;
use crate::vault::Sealer;
use jiff::Timestamp;

/// Why a flow ended without a grant.
#[derive(Debug, Clone)]
pub(in crate::custody) struct EndReason {
    pub(in crate::custody) happened: HistoryEventKind,
    /// For the history, in words.
    pub(in crate::custody) detail: String,
    /// For the event's hook.
    pub(in crate::custody) failure: Option<ErrorCode>,
}

impl EndReason {
    pub(super) fn of(happened: HistoryEventKind, error: &Error) -> Self {
        Self { happened, detail: error.to_string(), failure: Some(error.kind()) }
    }
}

/// What is remembered of a flow until it's closed.
pub(in crate::custody) struct InFlight {
    pub(in crate::custody) key: LicenseId,
    pub(in crate::custody) username: Username,
    pub(in crate::custody) purpose: Purpose,
    pub(in crate::custody) redirect_uri: String,
    /// The generation of the record when it was asked: a later one says that a grant came another way.
    pub(in crate::custody) base: Generation,
    /// `None` where only the answer is needed, which other hosts' recipients can open, and the memo can't be opened here.
    pub(in crate::custody) memo: Option<FlowSecrets>,
    /// Where the memo is kept: what opens the envelope's content is there too.
    pub(in crate::custody) kept: SecretPlace,
    /// The row of that memo.
    pub(in crate::custody) row: ExpectedSeal,
    /// Used for the code, then gone.
    pub(in crate::custody) code_seal: Option<Sealer>,
    /// Used for the answer, then gone.
    pub(in crate::custody) answer_seal: Option<Sealer>,
    /// The sealed code, in case not a byte of it could be sent.
    pub(in crate::custody) code: Option<SealedBytes>,
    /// When its code came.
    pub(in crate::custody) came: Option<Timestamp>,
    /// Why the ledger couldn't be told that its code came, until that is tried again: the browser waits for no second try.
    pub(in crate::custody) unclaimed: Option<LedgerError>,
    /// The code that was sent, where only the spool knows that.
    pub(in crate::custody) sent_unnoted: Option<Fingerprint>,
    /// How it ended, where the ledger couldn't take that; with what goes into the history.
    pub(in crate::custody) end: Option<(FlowEnd, Option<EndReason>)>,
    /// The ledger has the code: whoever takes the flow over may send it.
    pub(in crate::custody) handed_in: bool,
    /// It was asked here, and its next answer may come here as well.
    pub(in crate::custody) asked_here: bool,
    /// It was taken up with its answer, by which the synced row that says that it waits was overwritten.
    pub(in crate::custody) taken_up: bool,
    /// Who was at the flow before its answer was taken up here: nobody, where it was handed out, or a process that
    /// has ended. `None` where it was asked here, and once it's taken up.
    pub(in crate::custody) from: Option<Option<FlowOwner>>,
}

impl InFlight {
    /// Its answer brought nothing: it waits for another one, which is taken up in the ledger like any that comes from elsewhere.
    pub(in crate::custody) fn waits_again(&mut self) {
        self.from = Some(None);
        (self.code_seal, self.answer_seal, self.code) = (None, None, None);
        (self.came, self.end) = (None, None);
        (self.handed_in, self.taken_up) = (false, false);
    }

    /// Of a flow that wasn't asked here.
    pub(in crate::custody) fn of(
        flow: &Flow,
        memo: Option<FlowSecrets>,
        kept: SecretPlace,
        row: ExpectedSeal,
    ) -> Self {
        Self {
            key: flow.key.clone(),
            username: flow.username.clone(),
            purpose: flow.purpose,
            redirect_uri: flow.redirect_uri.clone(),
            base: flow.base,
            memo,
            kept,
            row,
            code_seal: None,
            answer_seal: None,
            code: None,
            came: None,
            unclaimed: None,
            sent_unnoted: None,
            end: None,
            handed_in: false,
            asked_here: false,
            taken_up: false,
            from: None,
        }
    }
}
