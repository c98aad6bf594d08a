//! The living grant of a record, and the access token that is handed out of it.

use crate::custody::writer::Custody;
use crate::error::{Error, ProviderError, Result, VaultError};
use crate::model::authorization::{
    Authorization, AuthorizationWithFlows, State, command_for, register_again,
};
use crate::model::flow::{Purpose, SecretRole, StoredSecret};
use crate::model::granted::Granted;
use crate::model::ids::LicenseId;
use crate::model::secret::Secret;
use jiff::{SignedDuration, Timestamp};

/// How long an access token is taken to live whose provider doesn't say (RFC 6749 5.1 only recommends `expires_in`).
const ASSUMED: SignedDuration = SignedDuration::from_hours(1);

/// A token that was received later than now was received by another clock.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// An access token to be handed out: it's durable already, with the refresh token that came with it.
#[derive(Debug)]
pub struct AccessToken {
    pub token: Secret,
    /// Its type, as the provider named it (RFC 6749 7.1).
    pub token_type: String,
    /// When it ends, where the provider said so.
    pub expires_at: Option<Timestamp>,
    /// How long it lives in all, where the provider said so.
    pub life: Option<SignedDuration>,
    pub refreshed: bool,
    /// It's from before a refresh that failed, which was told.
    pub is_unsettled: bool,
    /// Why the grant may have ended, though nothing here says that it has.
    pub doubt: Option<GrantDoubt>,
    pub record: Authorization,
}

/// What lets nobody tell from here whether a grant has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantDoubt {
    /// The answer to a revocation was lost.
    RevocationLost,
    /// The ledger went back in time.
    Outdated,
}

impl GrantDoubt {
    fn of(standing: &AuthorizationWithFlows) -> Option<Self> {
        match standing {
            it if it.is_outdated => Some(Self::Outdated),
            it if it.has_lost(&[Purpose::Deactivate, Purpose::BreakFirst]) => Some(Self::RevocationLost),
            _ => None,
        }
    }
}

pub(in crate::custody) struct LiveGrant {
    pub(in crate::custody) standing: AuthorizationWithFlows,
    /// The row that names the tokens: it keeps its number where they are only sealed anew or moved.
    pub(in crate::custody) secret: StoredSecret,
    pub(in crate::custody) granted: Granted,
}

impl Custody<'_> {
    /// The record with its live grant; an error where it has none that a token may be had of.
    pub(in crate::custody) fn live(&self, key: &LicenseId) -> Result<LiveGrant> {
        loop {
            let (standing, secret) = self.living(key)?;
            match self.read_grant(&secret, key) {
                Ok(granted) => {
                    // defense: S60 no-older-than-our-own
                    if let Some(newest) = self.ledger.newest_live(&self.provider.profile, key)
                        && secret.generation < newest
                    {
                        let what = key.license.to_string();
                        let (sealed, newest) = (secret.generation.0, newest.0);
                        return Err(VaultError::PutBack { what, sealed, newest }.into());
                    }
                    return Ok(LiveGrant { standing, secret, granted });
                }
                // Another process stored a newer one and forgot this, between our two looks.
                Err(_) if self.living(key)?.1.place != secret.place => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The record of a living grant, and where its tokens are.
    fn living(&self, key: &LicenseId) -> Result<(AuthorizationWithFlows, StoredSecret)> {
        let standing = self.record(key)?;
        let record = &standing.record;
        if record.held_elsewhere {
            let here = !self.ledger.secrets(&self.provider.profile, key, SecretRole::Live)?.is_empty();
            return Err(Error::HeldElsewhere { license: key.license.to_string(), came_with_a_backup: here });
        }
        let now = self.env.clock.now();
        let state = record.state(now, self.provider.due_window, &self.provider.zone);
        if !matches!(state, State::Active | State::Due) {
            return Err(self.no_token(&standing, state.word().into()));
        }
        let found = self.ledger.secrets(&self.provider.profile, key, SecretRole::Live)?.pop();
        let Some(secret) = found else {
            return Err(
                self.no_token(&standing, format!("{}, but its tokens are not on this host", state.word()))
            );
        };
        Ok((standing, secret))
    }

    pub(in crate::custody) fn no_token(&self, standing: &AuthorizationWithFlows, state: String) -> Error {
        let (record, provider, now) = (&standing.record, &self.provider, self.env.clock.now());
        let other = provider.other_profile;
        let next = match record.state(now, provider.due_window, &provider.zone) {
            State::Active | State::Due => command_for("renew", record, other),
            // What is left to be revoked there brings no token.
            State::Deactivated => register_again(record, other),
            _ => standing
                .next_command(now, provider.due_window, &provider.zone, other)
                .unwrap_or_else(|| register_again(record, other)),
        };
        let license = record.key.license.to_string();
        match standing.has_unstored_grant() {
            true => Error::NotStoredYet { license, state, next },
            false => Error::NoToken { license, state, next },
        }
    }

    /// Whether an access token is good for `min` more; one that came since this command began is as good as any gets.
    pub(in crate::custody) fn lasts(&self, granted: &Granted, min: SignedDuration) -> bool {
        lasts(granted, min, self.env.clock.now(), self.began)
    }

    pub(in crate::custody) fn handed_out(&self, live: LiveGrant, refreshed: bool) -> Result<AccessToken> {
        let LiveGrant { standing, granted, .. } = live;
        let doubt = GrantDoubt::of(&standing);
        let record = standing.record;
        // One that an older version stored, or that came with an import.
        if !granted.is_sendable() {
            return Err(ProviderError::Useless {
                host: self.provider.host(),
                what: "the token request",
                answer: "an access token with invalid characters".into(),
            }
            .into());
        }
        Ok(AccessToken {
            life: life(&granted),
            token: granted.access,
            token_type: granted.token_type,
            expires_at: granted.access_expires_at,
            refreshed,
            is_unsettled: false,
            doubt,
            record,
        })
    }
}

/// How long an access token lives in all, where the provider said so.
fn life(granted: &Granted) -> Option<SignedDuration> {
    granted.access_expires_at.map(|ends| ends.duration_since(granted.received_at))
}

/// For how long a token of this provider can be asked to be good: half its life, where no new one lives as long as is wished for.
/// Otherwise each call would refresh, and none would be better for it.
fn reachable(granted: &Granted, min: SignedDuration) -> SignedDuration {
    match life(granted).filter(|life| *life < min) {
        Some(life) => life / 2,
        None => min,
    }
}

/// Whether an access token is good for `min` more than `now`, in a command that `began` then. One that can't be refreshed and
/// whose end isn't known is good as long as its grant: there is no other.
fn lasts(granted: &Granted, min: SignedDuration, now: Timestamp, began: Timestamp) -> bool {
    let received = granted.received_at;
    let assumed = || match granted.refresh {
        Some(_) => received.checked_add(ASSUMED).unwrap_or(received),
        None => Timestamp::MAX,
    };
    let ends = granted.access_expires_at.unwrap_or_else(assumed);
    let until = now.checked_add(reachable(granted, min)).unwrap_or(Timestamp::MAX);
    // Otherwise the clock was moved, and nothing is known.
    // defense: S40 received-later-than-now
    let sane = received.duration_since(now) <= SKEW;
    sane && now < ends && (until <= ends || received >= began)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::consent::ReportedGrant;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// A token that came and ends so many minutes from now; `None`: the provider doesn't say when it ends.
    fn token(received: i64, ends: Option<i64>) -> Granted {
        let at = |minutes| NOW + SignedDuration::from_mins(minutes);
        Granted {
            access: Secret::new("access"),
            refresh: Some(Secret::new("refresh")),
            refresh_is_older: false,
            access_expires_at: ends.map(at),
            expires_at: None,
            token_type: "Bearer".into(),
            missing_scopes: Vec::new(),
            reported: ReportedGrant::default(),
            received_at: at(received),
        }
    }

    fn lasts_for(granted: &Granted, minutes: i64) -> bool {
        lasts(granted, SignedDuration::from_mins(minutes), NOW, NOW)
    }

    #[test]
    fn a_token_lasts_until_its_end_and_for_an_hour_where_none_is_told() {
        assert!(lasts_for(&token(-10, Some(5)), 5));
        assert!(!lasts_for(&token(-10, Some(5)), 6));
        assert!(!lasts_for(&token(-10, Some(5)), 15), "the next one lives that long");
        assert!(!lasts_for(&token(-10, Some(0)), 0));
        assert!(lasts_for(&token(-10, None), 50));
        assert!(!lasts_for(&token(-10, None), 51));
    }

    #[test]
    fn where_no_token_lives_as_long_as_is_wished_for_one_is_good_for_half_its_life() {
        assert!(lasts_for(&token(-2, Some(3)), 10) && lasts_for(&token(0, Some(5)), 10));
        assert!(!lasts_for(&token(-3, Some(2)), 10));
    }

    #[test]
    fn one_that_cannot_be_refreshed_lasts_until_its_end_and_as_long_as_its_grant_where_none_is_told() {
        let alone = |ends| Granted { refresh: None, ..token(-10, ends) };
        assert!(lasts_for(&alone(None), 60 * 24) && lasts_for(&alone(Some(5)), 5));
        assert!(!lasts_for(&alone(Some(5)), 10));
    }

    #[test]
    fn one_that_came_in_this_command_is_as_good_as_any_gets() {
        assert!(lasts_for(&token(0, Some(5)), 5));
        assert!(!lasts_for(&token(0, Some(-1)), 0));
    }

    #[test]
    fn one_that_was_received_later_than_now_proves_nothing() {
        assert!(lasts_for(&token(1, Some(30)), 0));
        assert!(!lasts_for(&token(2, Some(30)), 0));
    }
}
