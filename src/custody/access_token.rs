//! A refresh: a new access token inside a living grant, with nobody asked (RFC 6749 6).
//!
//! Under the claim on the license's tokens, which spans processes: re-read, decide; envelope and intent, synced, before
//! the one POST; a new item in the vault; one synced commit; only then the access token is seen. A rotated refresh token
//! that can't be kept in its place is kept sealed in the journal, and in the spool where the ledger itself can't.

use super::refresh_request::RefreshResult;
use super::{Custody, unknown};
use crate::error::{Error, LedgerError, ProviderError, Result};
use crate::ledger::Claim;
use crate::model::authorization::{Authorization, Standing, State, next, register_again};
use crate::model::flow::{Place, Role};
use crate::model::granted::Granted;
use crate::model::ids::Key;
use crate::model::secret::Secret;
use crate::model::vault_kind::VaultKind;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long an access token is taken to live whose provider doesn't say (RFC 6749 5.1 only recommends `expires_in`).
const ASSUMED: SignedDuration = SignedDuration::from_hours(1);

/// A token that was received later than now was received by another clock.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Beyond what two POSTs and a look in between may take: for re-reading and storing.
const MARGIN: Duration = Duration::from_secs(10);

/// An access token to be handed out: it's durable already, with the refresh token that came with it.
#[derive(Debug)]
pub struct Fresh {
    /// The access token.
    pub token: Secret,
    /// Its type, as the provider named it (RFC 6749 7.1).
    pub token_type: String,
    /// When it ends, where the provider said so.
    pub expires_at: Option<Timestamp>,
    /// This process refreshed it.
    pub refreshed: bool,
    /// The record of its grant.
    pub record: Authorization,
}

/// What the vault has of an access token, before the provider is asked anything.
#[derive(Debug)]
pub enum AtHand {
    /// It lasts for as long as it must.
    Lasts(Fresh),
    /// It lives, but the answer to a refresh is lost, and that is to be settled first where it can be.
    Unsettled(Fresh),
    /// It must be refreshed.
    Stale,
}

/// The live grant of a record, as it was read at one moment.
pub(super) struct Live {
    pub(super) standing: Standing,
    /// The row that names the tokens: it keeps its number where they are only sealed anew or moved.
    pub(super) id: i64,
    pub(super) place: Place,
    pub(super) granted: Granted,
}

impl Custody<'_> {
    /// The access token without the network: whether it's valid for `min` more. Once the answer to a refresh is lost, or the
    /// refresh token may be spent, it goes on being used for as long as it lives, whatever more was wished for.
    pub fn at_hand(&self, key: &Key, min: SignedDuration) -> Result<AtHand> {
        let live = self.live(key)?;
        let lost = live.standing.has_lost_refresh();
        if !lost && self.lasts(&live.granted, min) {
            return Ok(AtHand::Lasts(self.handed_out(live, false)?));
        }
        let unsettled = lost || self.ledger.doubts(&self.provider.profile, key)?;
        if unsettled && self.lasts(&live.granted, SignedDuration::ZERO) {
            return Ok(AtHand::Unsettled(self.handed_out(live, false)?));
        }
        Ok(AtHand::Stale)
    }

    /// Notes that an access token of a grant is handed out, once a day at most. Whatever hinders that withholds no token.
    pub fn note_use(&mut self, record: &Authorization) {
        let now = self.env.clock.now();
        if record.use_is_news(now)
            && let Err(e) = self.ledger.note_use(&record.profile, &record.key, now)
        {
            let why = match e {
                // Nobody was waited for, whatever the error says to those who were.
                Error::Ledger(LedgerError::Busy { .. }) => "somebody else is writing".to_owned(),
                other => other.to_string(),
            };
            tracing::warn!("that a token of {} was used could not be noted: {why}", record.key);
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
    pub fn fresh(&mut self, key: &Key, min: SignedDuration) -> Result<Fresh> {
        let claim = self.claim(key)?;
        let done = self.refreshed(key, min, &claim);
        if done.is_err() {
            // Whoever has waited for the claim must find what stays open without an owner.
            self.leave_refresh(key);
        }
        done
    }

    fn refreshed(&mut self, key: &Key, min: SignedDuration, claim: &Claim) -> Result<Fresh> {
        const ROUNDS: usize = 5;
        let mut refused = unknown();
        for _ in 0..ROUNDS {
            // Decided inside the claim: another process may have refreshed while this one waited.
            let left = self.left_refresh(key, claim)?;
            let live = self.live(key)?;
            // defense: S36 refresh-is-decided-in-the-claim
            if left.is_none() && self.lasts(&live.granted, min) {
                return self.handed_out(live, false);
            }
            let Some(token) = live.granted.refresh.clone() else {
                let state = "without a refresh token, and its access token has lapsed".into();
                return Err(self.no_token(&live.standing, state));
            };
            let refreshing = match left {
                Some(flow) => {
                    self.may_be_asked_again(&flow, &live)?;
                    self.take_up_refresh(flow)?
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
            match self.spend(refreshing, &live, &token)? {
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

    /// The claim on a license's tokens: from before they are read until what was done with them is committed.
    pub(super) fn claim(&self, key: &Key) -> Result<Claim> {
        let provider = &self.provider;
        let issuer = provider.issuer.as_deref().unwrap_or(&provider.url);
        let keyring = self.vault.kind() == VaultKind::Keyring;
        let wait = provider.deadline.saturating_mul(3).saturating_add(MARGIN);
        self.ledger.claim((issuer, &provider.client_id), key, keyring, wait)
    }

    /// The record with its live grant; an error where it has none that a token may be had of.
    pub(super) fn live(&self, key: &Key) -> Result<Live> {
        loop {
            let (standing, id, place) = self.living(key)?;
            match self.vault.get(&place, key.license.as_str()) {
                Ok(kept) => {
                    let granted = Granted::from_sealable(&kept, key)?;
                    return Ok(Live { standing, id, place, granted });
                }
                // Another process stored a newer one and forgot this, between our two looks.
                Err(_) if self.living(key)?.2 != place => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The record of a living grant, and where its tokens are.
    fn living(&self, key: &Key) -> Result<(Standing, i64, Place)> {
        let standing = self.standing(key)?.ok_or_else(unknown)?;
        let record = &standing.record;
        if record.held_elsewhere {
            return Err(Error::HeldElsewhere { license: key.license.to_string() });
        }
        let now = self.env.clock.now();
        let state = record.state(now, self.provider.due_window, &self.provider.zone);
        if !matches!(state, State::Active | State::Due) {
            return Err(self.no_token(&standing, state.word().into()));
        }
        let found = self.ledger.secrets(&self.provider.profile, key, Role::Live)?.pop();
        let Some((id, place)) = found else {
            return Err(self.no_token(&standing, format!("{}, but its tokens aren't here", state.word())));
        };
        Ok((standing, id, place))
    }

    pub(super) fn no_token(&self, standing: &Standing, state: String) -> Error {
        let (record, provider, now) = (&standing.record, &self.provider, self.env.clock.now());
        let other = provider.other_profile;
        let next = match record.state(now, provider.due_window, &provider.zone) {
            State::Active | State::Due => next("renew", record, other),
            _ => standing
                .next_command(now, provider.due_window, &provider.zone, other)
                .unwrap_or_else(|| register_again(record, other)),
        };
        Error::NoToken { license: record.key.license.to_string(), state, next }
    }

    /// Whether an access token is good for `min` more; one that came since this command began is as good as any gets.
    pub(super) fn lasts(&self, granted: &Granted, min: SignedDuration) -> bool {
        let now = self.env.clock.now();
        let received = granted.received_at;
        let assumed = || received.checked_add(ASSUMED).unwrap_or(received);
        let ends = granted.access_expires_at.unwrap_or_else(assumed);
        let until = now.checked_add(min).unwrap_or(Timestamp::MAX);
        // Otherwise the clock was moved, and nothing is known.
        // defense: S40 received-later-than-now
        let sane = received.duration_since(now) <= SKEW;
        sane && now < ends && (until <= ends || received >= self.began)
    }

    pub(super) fn handed_out(&self, live: Live, refreshed: bool) -> Result<Fresh> {
        let Live { standing, granted, .. } = live;
        let record = standing.record;
        // One that an older version stored, or that came with an import.
        if !granted.is_sendable() {
            return Err(ProviderError::Useless {
                host: self.provider.host(),
                what: "the token request",
                answer: "an access token with characters that no token may have".into(),
            }
            .into());
        }
        Ok(Fresh {
            token: granted.access,
            token_type: granted.token_type,
            expires_at: granted.access_expires_at,
            refreshed,
            record,
        })
    }
}
