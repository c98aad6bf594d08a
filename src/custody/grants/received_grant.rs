//! A grant that came, compared with what was asked for.

use super::proof::GrantCheck;
use crate::custody::writer::{Custody, unknown};
use crate::error::{FactDifference, Result};
use crate::model::authorization::Authorization;
use crate::model::consent::{GrantComparison, compare};
use crate::model::flow::{Purpose, SealedBytes};
use crate::model::granted::Granted;
use crate::model::ids::{FlowId, LicenseId, Username};
use crate::model::seal::{SealKind, SealLabel};
use crate::vault::Sealer;
use jiff::Timestamp;

pub(in crate::custody) struct ReceivedGrant {
    pub(super) flow: FlowId,
    pub(in crate::custody) key: LicenseId,
    pub(in crate::custody) username: Username,
    /// Whom the record named when this grant was compared, where that could be read: an edit since then stays.
    pub(super) named: Option<Username>,
    pub(in crate::custody) purpose: Purpose,
    pub(in crate::custody) granted: Granted,
    /// The same grant, ready to be set aside; and what its seal says, where it says anything.
    pub(super) sealed: (SealedBytes, Option<SealLabel>),
    /// What makes it another grant than the one that was asked for.
    pub(super) differences: Vec<FactDifference>,
    /// What the provider didn't report, or told so that it can't be, in words.
    pub(super) unconfirmed: Vec<String>,
    /// No proof is wanted of it, or it's there.
    pub(super) proven: bool,
    /// Who granted, where that's another admin than the one who was asked.
    pub(super) other_admin: Option<String>,
    /// Until when its flow is open at least, where it brings nothing that was asked for.
    pub(super) open_until: Timestamp,
}

/// What whoever asked must know of a grant.
#[derive(Debug, Default)]
pub struct GrantRemarks {
    unconfirmed: Vec<String>,
    /// It has no refresh token.
    is_alone: bool,
}

impl GrantRemarks {
    /// A sentence each: what isn't confirmed is never passed off as verified, and what was confirmed since isn't told.
    pub fn sentences(&self, record: &Authorization) -> Vec<String> {
        const NO_REFRESH_TOKEN: &str = "BioTrack gave no refresh token: the grant ends when its access token expires, and then the admin must grant access again.";
        let still = |it: &&String| record.unconfirmed.contains(it);
        let unconfirmed: Vec<_> = self.unconfirmed.iter().filter(still).map(String::as_str).collect();
        let unconfirmed = (!unconfirmed.is_empty())
            .then(|| format!("Not confirmed by BioTrack's answer: {}.", unconfirmed.join(", ")));
        let alone = self.is_alone.then(|| NO_REFRESH_TOKEN.to_owned());
        unconfirmed.into_iter().chain(alone).collect()
    }
}

/// What becomes of an answer's bytes.
pub(in crate::custody) enum AnswerSeal {
    /// It's sealed as what it turns out to be.
    Open(Sealer),
    /// It was sealed by a process that has ended; and what that seal says.
    Closed(SealedBytes, Option<SealLabel>),
}

impl ReceivedGrant {
    pub(super) fn kind(&self) -> SealKind {
        kind(&self.differences, self.other_admin.as_ref())
    }

    pub(super) fn remarks(&self) -> GrantRemarks {
        GrantRemarks { unconfirmed: self.unconfirmed.clone(), is_alone: self.granted.refresh.is_none() }
    }

    /// It isn't the newest any more, and an older grant never takes a newer one's place.
    pub(in crate::custody) fn overtaken_by(&mut self, newer: Timestamp) {
        self.differences.push(FactDifference {
            fact: "Consent",
            asked: "the newest".into(),
            reported: format!("one from before the grant of {newer}"),
        });
    }
}

impl Custody<'_> {
    pub(super) fn receive(&mut self, flow: FlowId, result: Result<Granted>) -> Result<ReceivedGrant> {
        let granted = match result {
            Ok(granted) => granted,
            Err(e) => return Err(self.record_end(&flow, e)),
        };
        let asked = self.in_flight.get_mut(&flow).ok_or_else(unknown)?;
        let seal = asked.answer_seal.take().ok_or_else(unknown)?;
        self.compared(flow, granted, AnswerSeal::Open(seal))
    }

    /// Compares a grant with what was asked, and seals it as what it is, ready to be set aside.
    pub(in crate::custody) fn compared(
        &mut self,
        flow: FlowId,
        granted: Granted,
        sealed: AnswerSeal,
    ) -> Result<ReceivedGrant> {
        let asked = self.in_flight.get(&flow).ok_or_else(unknown)?;
        let (key, purpose, base) = (asked.key.clone(), asked.purpose, asked.base);
        // An edit of the record may have named another admin since; a ledger that can't be read now hinders nothing.
        let username = self.ledger.asked_user(&flow).ok().flatten().unwrap_or_else(|| asked.username.clone());
        let standing = self.standing(&key).ok().flatten();
        let named = standing.as_ref().map(|it| it.record.username.clone());
        tracing::info!("a grant of {key} arrived; comparing it with the request");
        let comparison = compare(&self.provider, &key, &username, &granted.reported);
        let mut unconfirmed = unconfirmed(&comparison, &granted);
        let mut differences = comparison.differences;
        differences.extend(protocol_differences(&granted));
        let proof = if differences.is_empty() { self.proof_of(&granted) } else { GrantCheck::Enough };
        unconfirmed.extend(proof.unconfirmed());
        let other_admin = comparison.other_admin;
        let sealed = match sealed {
            AnswerSeal::Open(seal) => {
                // The number that it will be stored as, unless others are quicker.
                let generation = standing.map_or(base, |it| it.record.generation).next();
                let kind = kind(&differences, other_admin.as_ref());
                let label = self.seals.tokens(&self.provider.profile, &key, kind, generation, Some(&flow));
                (seal.close(&label, &granted.to_sealable(&key))?, Some(label))
            }
            AnswerSeal::Closed(sealed, label) => (sealed, label),
        };
        Ok(ReceivedGrant {
            flow,
            key,
            username,
            named,
            purpose,
            granted,
            sealed,
            differences,
            unconfirmed,
            proven: proof == GrantCheck::Enough,
            other_admin,
            open_until: self.open_until(),
        })
    }
}

/// What the provider didn't report of a grant, or told so that it can't be taken as it stands, in words.
pub(super) fn unconfirmed(comparison: &GrantComparison, granted: &Granted) -> Vec<String> {
    let missing = comparison.unconfirmed.iter().map(|fact| fact.label().to_owned());
    missing.chain(odd_end(granted)).collect()
}

const ODD_END: &str = "Expiration Date (told as ";

/// An end that the provider told so that it can't be taken as it stands, in words.
pub(in crate::custody) fn odd_end(granted: &Granted) -> Option<String> {
    granted.reported.odd_end.as_ref().map(|told| format!("{ODD_END}{told})"))
}

/// Whether these words tell of such an end.
pub(in crate::custody) fn is_odd_end(unconfirmed: &str) -> bool {
    unconfirmed.starts_with(ODD_END)
}

fn kind(differences: &[FactDifference], other_admin: Option<&String>) -> SealKind {
    match (differences, other_admin) {
        ([], None) => SealKind::Tokens,
        ([], Some(_)) => SealKind::Awaiting,
        _ => SealKind::Refused,
    }
}

/// What the protocol itself shows to be another grant than the one asked for (RFC 6749 5.1 and 7.1).
pub(in crate::custody) fn protocol_differences(granted: &Granted) -> Vec<FactDifference> {
    let mut found = Vec::new();
    // defense: S10 bearer-tokens-alone
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        found.push(FactDifference {
            fact: "Token type",
            asked: "Bearer".into(),
            reported: crate::error::excerpt(&granted.token_type, 80),
        });
    }
    // defense: S43 token-fits-a-header
    if !granted.is_sendable() {
        found.push(FactDifference {
            fact: "Access token",
            asked: "printable ASCII".into(),
            reported: "unprintable".into(),
        });
    }
    // defense: S10 no-narrower-scopes
    if !granted.missing_scopes.is_empty() {
        found.push(FactDifference {
            fact: "Scope",
            asked: granted.missing_scopes.join(" "),
            reported: "without it".into(),
        });
    }
    found
}
