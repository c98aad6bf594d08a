//! The life of a grant's tokens: exchange, rotation, replay, revocation, expiry.

use jiff::Timestamp;

use super::{Authority, Digest, Grant, GrantFacts, MintedTokens, Token, Use};
use crate::sandbox::clock::later;
use crate::sandbox::log::LogSubject;
use crate::sandbox::mishaps::MishapTarget;

/// Why a code or refresh token wasn't honored: `invalid_grant` (RFC 6749 5.2) and its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct InvalidGrant(pub(in crate::sandbox) &'static str);

/// What a successful token request is answered with.
#[derive(Debug)]
pub(in crate::sandbox) struct Answer {
    pub(in crate::sandbox) access: String,
    pub(in crate::sandbox) refresh: String,
    /// Whole seconds of the access token's life.
    pub(in crate::sandbox) expires_in: i64,
    pub(in crate::sandbox) created_at: Timestamp,
    pub(in crate::sandbox) expires_at: Timestamp,
    pub(in crate::sandbox) facts: GrantFacts,
}

/// A live token, as introspection tells it (RFC 7662 2.2).
#[derive(Debug)]
pub(in crate::sandbox) struct Introspection {
    pub(in crate::sandbox) access: bool,
    pub(in crate::sandbox) expires_at: Timestamp,
    pub(in crate::sandbox) facts: GrantFacts,
}

/// Whose request to an endpoint it is, by the code or token that it carries.
#[derive(Debug)]
pub(in crate::sandbox) struct Caller {
    ubi: String,
    license: String,
    nth: u32,
    /// As the log names what is about it.
    pub(in crate::sandbox) what: LogSubject,
}

impl Caller {
    /// Whom something may befall that is drawn for each request.
    pub(in crate::sandbox) fn turn(&self) -> MishapTarget<'_> {
        MishapTarget { ubi: &self.ubi, license: &self.license, nth: self.nth }
    }
}

impl Authority {
    /// Counts a request to an endpoint for the license that its code or token was made for; none for unknown ones.
    pub(in crate::sandbox) fn caller(&mut self, endpoint: &'static str, secret: &str) -> Option<Caller> {
        let digest = Digest::of(secret);
        let (consent, what) = match (self.codes.get(&digest), self.tokens.get(&digest)) {
            (Some(code), _) => {
                (&code.consent, LogSubject { code_sha256: Some(digest.hex()), ..code.consent.what() })
            }
            (None, Some(token)) => {
                let consent = &self.grants[token.grant].consent;
                (consent, LogSubject { token_sha256: Some(digest.hex()), ..consent.what() })
            }
            (None, None) => return None,
        };
        let (ubi, license) = (consent.facts.ubi.clone(), consent.license.clone());
        let nth = self.turns.entry((endpoint, ubi.clone(), license.clone())).or_insert(0);
        *nth += 1;
        Some(Caller { ubi, license, nth: *nth, what })
    }

    /// Exchanges a code. A replay revokes what the code made (RFC 6749 4.1.2); any wrong use kills it.
    pub(in crate::sandbox) fn exchange(
        &mut self,
        now: Timestamp,
        code: &str,
        redirect_uri: &str,
        code_verifier: &str,
        minted: MintedTokens,
    ) -> Result<Answer, InvalidGrant> {
        let digest = Digest::of(code);
        let mut what = LogSubject { code_sha256: Some(digest.hex()), ..LogSubject::default() };
        let Some(code) = self.codes.get_mut(&digest) else {
            return self.invalid(now, "unknown code", what);
        };
        what = LogSubject { code_sha256: what.code_sha256, ..code.consent.what() };
        let wrong = match code.use_ {
            Use::Made(grant) => {
                self.kill(now, grant, "code replayed", LogSubject::default());
                return self.invalid(now, "code replayed", what);
            }
            Use::Spoiled => Some("code spoiled by an earlier wrong use"),
            Use::Open if now >= code.expires_at => Some("code expired"),
            Use::Open if redirect_uri != code.redirect_uri => {
                Some("another redirect_uri than was asked with")
            }
            Use::Open if Digest::of(code_verifier).challenge() != code.code_challenge => {
                Some("code_verifier doesn't match")
            }
            Use::Open => None,
        };
        if let Some(why) = wrong {
            code.use_ = Use::Spoiled;
            return self.invalid(now, why, what);
        }
        code.use_ = Use::Made(self.grants.len());
        let consent = code.consent.clone();
        // Whole seconds, as the answer's dates are usually read.
        let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let facts = &consent.facts;
        let key = (facts.company.clone(), facts.ubi.clone(), facts.location.clone());
        let created_at = *self.first.entry(key).or_insert(whole);
        let refresh = Digest::of(&minted.refresh);
        let expires_at = later(whole, self.terms.lifetime);
        self.grants.push(Grant { consent, created_at, expires_at, refresh, revoked: false });
        Ok(self.issue(now, self.grants.len() - 1, minted, "token_issued", what))
    }

    /// Rotates a refresh token. A replay of an older one revokes the whole grant (RFC 9700 4.14.2).
    pub(in crate::sandbox) fn refresh(
        &mut self,
        now: Timestamp,
        token: &str,
        minted: MintedTokens,
    ) -> Result<Answer, InvalidGrant> {
        let digest = Digest::of(token);
        let mut what = LogSubject { token_sha256: Some(digest.hex()), ..LogSubject::default() };
        let Some(Token { grant: index, access_until: None }) = self.tokens.get(&digest).copied() else {
            return self.invalid(now, "unknown refresh token", what);
        };
        let grant = &mut self.grants[index];
        what = LogSubject { token_sha256: what.token_sha256, ..grant.consent.what() };
        if grant.revoked {
            return self.invalid(now, "grant revoked", what);
        }
        if digest != grant.refresh {
            self.kill(now, index, "refresh replayed", what.clone());
            return self.invalid(now, "refresh replayed", what);
        }
        if now >= grant.expires_at {
            return self.invalid(now, "grant expired", what);
        }
        grant.refresh = Digest::of(&minted.refresh);
        let what = LogSubject { old_refresh_sha256: Some(digest.hex()), ..grant.consent.what() };
        Ok(self.issue(now, index, minted, "token_rotated", what))
    }

    /// Revokes the grant that a token belongs to, whichever of its tokens it is (RFC 7009); unknown ones are fine.
    pub(in crate::sandbox) fn revoke(&mut self, now: Timestamp, token: &str) {
        let digest = Digest::of(token);
        if let Some(Token { grant, .. }) = self.tokens.get(&digest).copied() {
            self.kill(
                now,
                grant,
                "asked",
                LogSubject { token_sha256: Some(digest.hex()), ..LogSubject::default() },
            );
        }
    }

    /// Says whether a token is live, and notes that somebody asked.
    pub(in crate::sandbox) fn introspect(&mut self, now: Timestamp, token: &str) -> Option<Introspection> {
        let digest = Digest::of(token);
        let live = self.live(now, &digest);
        let what = self.tokens.get(&digest).map(|token| self.grants[token.grant].consent.what());
        let what = LogSubject {
            active: Some(live.is_some()),
            token_sha256: Some(digest.hex()),
            ..what.unwrap_or_default()
        };
        self.record(now, "introspected", what);
        live
    }

    /// What an access token opens, while it lives.
    pub(in crate::sandbox) fn access(&self, now: Timestamp, token: &str) -> Option<GrantFacts> {
        self.live(now, &Digest::of(token)).filter(|live| live.access).map(|live| live.facts)
    }

    fn live(&self, now: Timestamp, digest: &Digest) -> Option<Introspection> {
        let token = self.tokens.get(digest)?;
        let grant = &self.grants[token.grant];
        let expires_at = token.access_until.unwrap_or(grant.expires_at);
        let rotated = token.access_until.is_none() && grant.refresh != *digest;
        (!grant.revoked && !rotated && now < expires_at).then(|| Introspection {
            access: token.access_until.is_some(),
            expires_at,
            facts: grant.consent.facts.clone(),
        })
    }

    /// Puts a minted pair to work for a grant.
    fn issue(
        &mut self,
        now: Timestamp,
        index: usize,
        minted: MintedTokens,
        event: &'static str,
        what: LogSubject,
    ) -> Answer {
        let grant = &self.grants[index];
        let (access, refresh) = (Digest::of(&minted.access), Digest::of(&minted.refresh));
        // No access outlives its grant.
        let until = later(now, self.terms.access_lifetime).min(grant.expires_at);
        self.tokens.insert(access, Token { grant: index, access_until: Some(until) });
        self.tokens.insert(refresh, Token { grant: index, access_until: None });
        let answer = Answer {
            access: minted.access,
            refresh: minted.refresh,
            expires_in: until.duration_since(now).as_secs(),
            created_at: grant.created_at,
            expires_at: grant.expires_at,
            facts: grant.consent.facts.clone(),
        };
        let what = LogSubject {
            access_sha256: Some(access.hex()),
            refresh_sha256: Some(refresh.hex()),
            expires_at: Some(grant.expires_at),
            ..what
        };
        self.record(now, event, what);
        answer
    }

    /// Revokes a grant, once.
    fn kill(&mut self, now: Timestamp, index: usize, why: &str, what: LogSubject) {
        let grant = &mut self.grants[index];
        if !std::mem::replace(&mut grant.revoked, true) {
            let what = LogSubject {
                why: Some(why.to_owned()),
                token_sha256: what.token_sha256,
                refresh_sha256: Some(grant.refresh.hex()),
                ..grant.consent.what()
            };
            self.record(now, "token_revoked", what);
        }
    }

    fn invalid<T>(&mut self, now: Timestamp, why: &'static str, what: LogSubject) -> Result<T, InvalidGrant> {
        self.refuse(now, &format!("invalid_grant: {why}"), what);
        Err(InvalidGrant(why))
    }
}
