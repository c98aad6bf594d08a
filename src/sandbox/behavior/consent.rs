//! From the request to the admin's decision: a page's memory, the sign-in, the code.

use jiff::Timestamp;

use super::{
    ASK_LIFETIME, Authority, CODE_LIFETIME, Code, Consent, Digest, GrantFacts, PASSWORD,
    PendingAuthorization, Use,
};
use crate::sandbox::clock::later;
use crate::sandbox::log::LogSubject;

/// What the admin typed.
pub(in crate::sandbox) struct SignIn {
    pub(in crate::sandbox) ubi: String,
    pub(in crate::sandbox) username: String,
    pub(in crate::sandbox) password: String,
}

/// A field of the page that isn't right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum Fault {
    Ubi,
    Username,
    Password,
}

/// What a click on the page led to.
#[derive(Debug)]
pub(in crate::sandbox) enum ConsentClick {
    /// Unknown, answered already or too old.
    Gone,
    /// The page must be shown again, with what is wrong.
    Again(PendingAuthorization, Vec<Fault>),
    /// The browser goes back with the code.
    Granted(PendingAuthorization),
    /// The browser goes back with `access_denied`.
    Denied(PendingAuthorization),
}

impl Authority {
    /// Keeps a request while its page is open.
    pub(in crate::sandbox) fn ask(&mut self, now: Timestamp, id: String, ask: PendingAuthorization) {
        self.asks.insert(id, (ask, later(now, ASK_LIFETIME)));
    }

    fn open_ask(&self, now: Timestamp, id: &str) -> Option<PendingAuthorization> {
        self.asks.get(id).filter(|(_, until)| now < *until).map(|(ask, _)| ask.clone())
    }

    /// The admin refuses; no sign-in is needed for that.
    pub(in crate::sandbox) fn deny(&mut self, now: Timestamp, id: &str) -> ConsentClick {
        let Some(ask) = self.open_ask(now, id) else {
            return self.gone(now);
        };
        self.asks.remove(id);
        self.refuse(now, "denied", asked(&ask, None));
        ConsentClick::Denied(ask)
    }

    /// The admin signs in and grants: `code` is theirs to carry back, unless the request is `denied`.
    /// `facts` turns the request and the username into what will be reported.
    pub(in crate::sandbox) fn grant(
        &mut self,
        now: Timestamp,
        id: &str,
        sign_in: &SignIn,
        code: &str,
        denied: impl FnOnce(&PendingAuthorization) -> bool,
        facts: impl FnOnce(&PendingAuthorization, &str) -> GrantFacts,
    ) -> ConsentClick {
        let Some(ask) = self.open_ask(now, id) else {
            return self.gone(now);
        };
        let username = sign_in.username.trim();
        let faults = faults(&ask, sign_in);
        if !faults.is_empty() {
            self.refuse(now, &why(&faults), asked(&ask, Some(username)));
            return ConsentClick::Again(ask, faults);
        }
        self.asks.remove(id);
        if denied(&ask) {
            self.refuse(now, "denied", asked(&ask, Some(username)));
            return ConsentClick::Denied(ask);
        }
        let digest = Digest::of(code);
        let expires_at = later(now, CODE_LIFETIME);
        let consent = Consent {
            // Its own code names a consent: unique, and nothing more to make.
            id: format!("grant-{}", &digest.hex()[..16]),
            license: ask.license.clone(),
            signed_in: username.to_owned(),
            facts: facts(&ask, username),
        };
        let what =
            LogSubject { code_sha256: Some(digest.hex()), expires_at: Some(expires_at), ..consent.what() };
        self.record(now, "code_issued", what);
        let code = Code {
            consent,
            redirect_uri: ask.redirect_uri.clone(),
            code_challenge: ask.code_challenge.clone(),
            expires_at,
            use_: Use::Open,
        };
        self.codes.insert(digest, code);
        ConsentClick::Granted(ask)
    }

    fn gone(&mut self, now: Timestamp) -> ConsentClick {
        self.refuse(now, "unknown, answered or old page", LogSubject::default());
        ConsentClick::Gone
    }
}

fn faults(ask: &PendingAuthorization, sign_in: &SignIn) -> Vec<Fault> {
    [
        (Fault::Ubi, sign_in.ubi.trim() != ask.ubi.trim()),
        (Fault::Username, sign_in.username.trim().is_empty()),
        (Fault::Password, sign_in.password != PASSWORD),
    ]
    .into_iter()
    .filter_map(|(fault, wrong)| wrong.then_some(fault))
    .collect()
}

fn why(faults: &[Fault]) -> String {
    let words = faults.iter().map(|fault| match fault {
        Fault::Ubi => "wrong UBI",
        Fault::Username => "no username",
        Fault::Password => "wrong password",
    });
    words.collect::<Vec<_>>().join(", ")
}

fn asked(ask: &PendingAuthorization, username: Option<&str>) -> LogSubject {
    LogSubject {
        ubi: Some(ask.ubi.clone()),
        license: Some(ask.license.clone()),
        username: username.map(str::to_owned),
        ..LogSubject::default()
    }
}
