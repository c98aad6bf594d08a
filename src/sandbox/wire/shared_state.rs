//! What every handler shares: the authority with its clock, what goes wrong, and the log.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use jiff::Timestamp;

use super::answers::ServerFailure;
use crate::sandbox::Options;
use crate::sandbox::behavior::{Authority, GrantFacts, GrantTerms, PendingAuthorization};
use crate::sandbox::clock::{Clock, MovableClock};
use crate::sandbox::log::Log;
use crate::sandbox::mishaps::{Mishap, MishapRule, MishapTarget, Mishaps};

pub(in crate::sandbox) struct SharedState {
    /// Its address, without a trailing slash.
    pub(in crate::sandbox) issuer: String,
    pub(in crate::sandbox) clock: MovableClock,
    company: String,
    application: String,
    authority: Mutex<Authority>,
    mishaps: RwLock<Mishaps>,
    /// How many requests came while it could be down: they have no license to draw by.
    requests: AtomicU32,
    log: Option<Log>,
}

impl SharedState {
    pub(in crate::sandbox) fn new(options: Options, clock: Clock, address: SocketAddr) -> io::Result<Self> {
        let terms = GrantTerms { lifetime: options.lifetime, access_lifetime: options.access_lifetime };
        Ok(Self {
            issuer: format!("http://{address}"),
            clock: MovableClock::new(clock, options.now),
            company: options.company,
            application: options.application,
            authority: Mutex::new(Authority::new(terms)),
            mishaps: RwLock::new(Mishaps { seed: options.seed, list: options.fail }),
            requests: AtomicU32::new(0),
            log: options.log.as_deref().map(Log::open).transpose()?,
        })
    }

    pub(in crate::sandbox) fn set_mishaps(&self, fail: Vec<MishapRule>) {
        self.mishaps.write().unwrap_or_else(PoisonError::into_inner).list = fail;
    }

    pub(super) fn fails(&self, mishap: Mishap, turn: Option<MishapTarget<'_>>) -> bool {
        self.mishaps.read().unwrap_or_else(PoisonError::into_inner).befall(mishap, turn)
    }

    /// Whether this request finds nobody at home.
    pub(super) fn is_down(&self) -> bool {
        let nth = self.requests.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.fails(Mishap::Down, Some(MishapTarget { ubi: "", license: "", nth }))
    }

    /// Changes the state, then writes what happened, then gives the result: nothing is answered that isn't logged.
    /// The lock isn't held while writing.
    pub(super) fn act<T>(
        &self,
        change: impl FnOnce(&mut Authority, Timestamp) -> T,
    ) -> Result<T, ServerFailure> {
        let now = self.clock.now();
        let (result, events) = {
            let mut authority = self.authority.lock().unwrap_or_else(PoisonError::into_inner);
            let result = change(&mut authority, now);
            (result, authority.take_events())
        };
        if let (Some(log), false) = (&self.log, events.is_empty()) {
            log.write(&events)?;
        }
        Ok(result)
    }

    /// What the page shows: the license that was asked for, whatever will be granted.
    pub(super) fn shown(&self, ask: &PendingAuthorization, username: &str) -> GrantFacts {
        let other = self.fails(Mishap::WrongCompany, Some(ask.turn()));
        GrantFacts {
            company: if other { "Other Vendor LLC".to_owned() } else { self.company.clone() },
            application: self.application.clone(),
            ubi: ask.ubi.clone(),
            access_type: "Integrator",
            location: ask.license.clone(),
            resource: "*",
            operation: "read_write",
            username: username.to_owned(),
        }
    }

    pub(super) fn granted(&self, ask: &PendingAuthorization, username: &str) -> GrantFacts {
        let mut facts = self.shown(ask, username);
        if self.fails(Mishap::WrongLocation, Some(ask.turn())) {
            // A neighbor that differs by a suffix, the way real ones do.
            facts.location.push_str("-D2");
        }
        if self.fails(Mishap::OtherUser, Some(ask.turn())) {
            facts.username = "other.admin@example.com".to_owned();
        }
        facts
    }
}
