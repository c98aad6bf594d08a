//! What an authorization server does with consents and tokens: pure state and time, no HTTP and no I/O.

mod consent;
mod secret;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::log::{Event, LogSubject};
use super::mishaps::MishapTarget;

pub(super) use self::consent::{ConsentClick, Fault, SignIn};
pub(super) use self::secret::{Digest, MintedTokens, fresh};
pub(super) use self::tokens::{Answer, Caller, InvalidGrant};

/// The password that everybody has here.
pub(super) const PASSWORD: &str = "sandbox";
/// How long a Grant Access page may be left open.
const ASK_LIFETIME: SignedDuration = SignedDuration::from_mins(15);
/// How long a code may be exchanged.
const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

pub(super) struct GrantTerms {
    pub(super) lifetime: SignedDuration,
    pub(super) access_lifetime: SignedDuration,
}

/// An authorization request, kept on the server while its page is open.
#[derive(Clone, Debug)]
pub(super) struct PendingAuthorization {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    /// S256 (RFC 7636 4.2).
    pub(super) code_challenge: String,
    pub(super) ubi: String,
    pub(super) license: String,
    /// The login hint.
    pub(super) username: Option<String>,
}

impl PendingAuthorization {
    /// Whom something may befall that is drawn once for each license.
    pub(super) fn turn(&self) -> MishapTarget<'_> {
        MishapTarget { ubi: &self.ubi, license: &self.license, nth: 0 }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct GrantFacts {
    pub(super) company: String,
    pub(super) application: String,
    pub(super) ubi: String,
    pub(super) access_type: &'static str,
    pub(super) location: String,
    pub(super) resource: &'static str,
    pub(super) operation: &'static str,
    pub(super) username: String,
}

/// One admin's consent; the codes and tokens of one `Consent` are its family.
#[derive(Clone, Debug)]
struct Consent {
    id: String,
    /// The license that was asked for.
    license: String,
    /// Who typed the password.
    signed_in: String,
    facts: GrantFacts,
}

/// A code, from the consent to its exchange and after.
struct Code {
    consent: Consent,
    redirect_uri: String,
    code_challenge: String,
    expires_at: Timestamp,
    use_: Use,
}

/// What became of a code.
#[derive(Clone, Copy)]
enum Use {
    Open,
    /// Presented with a wrong verifier or redirect address: dead, and nothing was made of it.
    Spoiled,
    /// Made the grant with this index.
    Made(usize),
}

/// A consent that was exchanged for tokens.
struct Grant {
    consent: Consent,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// The one refresh token that still works.
    refresh: Digest,
    revoked: bool,
}

/// An access or refresh token that was once issued.
#[derive(Clone, Copy)]
struct Token {
    grant: usize,
    /// None for a refresh token, which ends with its grant or its rotation.
    access_until: Option<Timestamp>,
}

/// The whole memory of the sandbox. Every lookup is by key.
pub(super) struct Authority {
    terms: GrantTerms,
    /// Until when their pages may be answered.
    asks: HashMap<String, (PendingAuthorization, Timestamp)>,
    /// Used and lapsed ones, too: a replay is noticed however late it comes.
    codes: HashMap<Digest, Code>,
    grants: Vec<Grant>,
    tokens: HashMap<Digest, Token>,
    /// When a company, UBI and location first came together.
    first: HashMap<(String, String, String), Timestamp>,
    /// How many requests of a UBI and license came to an endpoint.
    turns: HashMap<(&'static str, String, String), u32>,
    lines: u64,
    events: Vec<Event>,
}

impl Authority {
    pub(super) fn new(terms: GrantTerms) -> Self {
        Self {
            terms,
            asks: HashMap::new(),
            codes: HashMap::new(),
            grants: Vec::new(),
            tokens: HashMap::new(),
            first: HashMap::new(),
            turns: HashMap::new(),
            lines: 0,
            events: Vec::new(),
        }
    }

    /// The events since the last call; the caller writes them before it answers.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Notes that something was refused, and why.
    pub(super) fn refuse(&mut self, now: Timestamp, why: &str, what: LogSubject) {
        self.record(now, "refused", LogSubject { why: Some(why.to_owned()), ..what });
    }

    pub(super) fn record(&mut self, at: Timestamp, event: &'static str, what: LogSubject) {
        self.lines += 1;
        self.events.push(Event { seq: self.lines, at, event, what });
    }
}

impl Consent {
    fn what(&self) -> LogSubject {
        LogSubject {
            grant: Some(self.id.clone()),
            ubi: Some(self.facts.ubi.clone()),
            license: Some(self.license.clone()),
            location: Some(self.facts.location.clone()),
            username: Some(self.signed_in.clone()),
            ..LogSubject::default()
        }
    }
}
