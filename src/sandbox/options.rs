//! What a sandbox is told to be, and the client and password that every sandbox knows.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::mishaps::MishapRule;

/// The one client that the sandbox knows.
pub const CLIENT_ID: &str = "biotrack-auth-sandbox";
/// That client's secret: no secret at all, for it opens nothing but a sandbox.
pub const CLIENT_SECRET: &str = "sandbox-secret";
/// The password that signs any username in on the Grant Access page.
pub const PASSWORD: &str = super::behavior::PASSWORD;

#[derive(Clone, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Where its clock starts; it ticks from there. None: the real time.
    pub now: Option<Timestamp>,
    /// How long a grant lasts (100 days).
    pub lifetime: SignedDuration,
    /// How long an access token lasts (1 hour); never longer than its grant.
    pub access_lifetime: SignedDuration,
    /// The integrator's company, as the page and the token answer name it ("Treez Inc").
    pub company: String,
    /// The integrator's application ("Treez").
    pub application: String,
    /// What goes wrong, and how often; several may.
    pub fail: Vec<MishapRule>,
    /// Draws whom a share of failures befalls (0).
    pub seed: u64,
    /// Where each code and token that was issued, rotated or revoked is noted: JSON lines, appended.
    pub log: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            now: None,
            lifetime: SignedDuration::from_hours(100 * 24),
            access_lifetime: SignedDuration::from_hours(1),
            company: "Treez Inc".to_owned(),
            application: "Treez".to_owned(),
            fail: Vec::new(),
            seed: 0,
            log: None,
        }
    }
}
