//! A refresh: a new access token inside a living grant, with nobody asked (RFC 6749 6).
//!
//! Under the claim on the license's tokens, which spans processes: re-read, decide; envelope and intent, synced, before
//! the one POST; a new item in the vault; one synced commit; only then the access token is seen. A rotated refresh token
//! that can't be kept in its place is kept sealed in the journal, and in the spool where the ledger itself can't.

use super::refresh_request::RefreshResult;
use crate::custody::grants::live_grant::AccessToken;
use crate::custody::writer::{Custody, unknown};
use crate::error::{Error, LedgerError, Result};
use crate::ledger::Claim;
use crate::model::authorization::Authorization;
use crate::model::ids::LicenseId;
use jiff::SignedDuration;

/// What the vault has of an access token, before the provider is asked anything.
#[derive(Debug)]
pub enum CachedToken {
    /// It lasts for as long as it must.
    Lasts(AccessToken),
    /// It lives, but not for long enough, or the answer to a refresh is lost: it's to be refreshed first where that can be.
    Unsettled(AccessToken),
    /// It must be refreshed.
    Stale,
}

/// Which tokens do without a refresh.
#[derive(Debug, Clone, Copy)]
enum TokenCriteria {
    /// Those that are good for so much more.
    Lasting(SignedDuration),
    /// Those of another row.
    OtherThan(i64),
}

impl Custody<'_> {
    /// The access token without the network: whether it's valid for `min` more. It goes on being used for as long as it
    /// lives, whatever more was wished for, where nothing better can be had.
    pub fn at_hand(&self, key: &LicenseId, min: SignedDuration) -> Result<CachedToken> {
        let live = self.live(key)?;
        if !live.standing.has_lost_refresh() && self.lasts(&live.granted, min) {
            return Ok(CachedToken::Lasts(self.handed_out(live, false)?));
        }
        if self.lasts(&live.granted, SignedDuration::ZERO) {
            return Ok(CachedToken::Unsettled(self.handed_out(live, false)?));
        }
        Ok(CachedToken::Stale)
    }

    /// Notes that an access token of a grant is handed out, once a day at most. Whatever hinders that withholds no token.
    pub fn note_use(&mut self, record: &Authorization) {
        let now = self.env.clock.now();
        if record.should_note_use(now)
            && let Err(e) = self.ledger.note_use(&record.profile, &record.key, now)
        {
            let why = match e {
                // Nobody was waited for, whatever the error says to those who were.
                Error::Ledger(LedgerError::Busy { .. } | LedgerError::Held { .. }) => {
                    "another process is writing".to_owned()
                }
                other => other.to_string(),
            };
            tracing::warn!("could not note that a token of {} was used: {why}", record.key);
        }
    }

    /// The access token of a living grant, refreshed first where it isn't valid for `min` more. The provider must have
    /// been [connected](Self::connect).
    ///
    /// # Errors
    /// [`Error::NoToken`] where a person must consent, also once the provider says that the grant is dead: then the
    /// record is marked invalid, and nothing is erased. The provider's failures leave the record as it was; where an
    /// answer may have been lost the refresh stays open in the journal, which is what `uncertain` means, and isn't asked
    /// again while the access token lives.
    pub fn fresh(&mut self, key: &LicenseId, min: SignedDuration) -> Result<AccessToken> {
        let claim = self.claim(key)?;
        let done = self.refreshed(key, TokenCriteria::Lasting(min), &claim);
        if done.is_err() {
            // Whoever has waited for the claim must find what stays open without an owner.
            self.leave_refresh(key);
        }
        done
    }

    /// Proves by a refresh that the grant of these tokens lives, inside the claim; where another one has taken its place, that one
    /// was proven when it came.
    pub(in crate::custody) fn proven_by_refresh(
        &mut self,
        key: &LicenseId,
        id: i64,
        claim: &Claim,
    ) -> Result<bool> {
        self.refreshed(key, TokenCriteria::OtherThan(id), claim).map(|fresh| fresh.refreshed)
    }

    fn refreshed(&mut self, key: &LicenseId, want: TokenCriteria, claim: &Claim) -> Result<AccessToken> {
        const ROUNDS: usize = 5;
        let mut refused = unknown();
        for _ in 0..ROUNDS {
            // Decided inside the claim: another process may have refreshed while this one waited.
            let left = self.left_refresh(key, claim)?;
            let live = self.live(key)?;
            let is_there = match want {
                TokenCriteria::Lasting(min) => self.lasts(&live.granted, min),
                TokenCriteria::OtherThan(id) => live.secret.id != id,
            };
            // defense: S36 refresh-is-decided-in-the-claim
            if left.is_none() && is_there {
                return self.handed_out(live, false);
            }
            let Some(token) = live.granted.refresh.clone() else {
                self.ends_with_its_token(&live)?;
                let state = "without a refresh token, and its access token has expired".into();
                return Err(self.no_token(&live.standing, state));
            };
            let refreshing = match left {
                Some(flow) => {
                    let looked = self.may_be_asked_again(&flow, &live)?;
                    self.take_up_refresh(flow, looked)?
                }
                None => match self.begin(&live) {
                    // A grant that a person consented to was stored in between, and that one's token is wanted; or who
                    // had the claim was killed, and wasn't quite gone.
                    Err(e @ Error::Ledger(LedgerError::Changed { .. })) => {
                        refused = e;
                        continue;
                    }
                    begun => begun?,
                },
            };
            match self.send_refresh(refreshing, &live, &token)? {
                RefreshResult::Answered(it) => {
                    let (flow, seal, answer) = *it;
                    return self.answered(&flow, seal, live, &answer);
                }
                // The record was read while somebody else changed it.
                RefreshResult::Overtaken(e) => refused = e,
            }
        }
        Err(refused)
    }
}
