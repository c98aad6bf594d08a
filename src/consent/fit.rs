//! Whether a license can be asked about as it is.

use crate::error::{Error, LedgerError, Result};
use crate::model::authorization::{Authorization, State, accept_waiting, command_for, register_again};
use crate::model::flow::Purpose;
use crate::model::plan::PlannedLicense;
use crate::model::provider::Provider;
use jiff::Timestamp;

/// Whether a record can be asked about: a pending license by either command, a deactivated one by `register`, any other by
/// `renew`.
pub fn fits(
    purpose: Purpose,
    known: Option<&Authorization>,
    provider: &Provider,
    now: Timestamp,
) -> Result<()> {
    let Some(record) = known else {
        return match purpose {
            Purpose::Register => Ok(()),
            _ => Err(Error::Internal("the record vanished".into())),
        };
    };
    let state = record.state(now, provider.due_window, &provider.zone);
    let license = record.key.license.to_string();
    let other = provider.other_profile;
    match (purpose, state) {
        (_, State::Pending) | (Purpose::Register, State::Deactivated) => Ok(()),
        (Purpose::Register, _) => Err(Error::AlreadyRegistered {
            license,
            state: state.word().into(),
            next: command_for("renew", record, other),
        }),
        (_, State::Deactivated) => Err(Error::NotRenewable {
            license,
            state: state.word().into(),
            next: match record.held_by {
                // A grant waits: a consent is never wasted.
                Some(_) => accept_waiting(record, other),
                None => register_again(record, other),
            },
        }),
        _ => Ok(()),
    }
}

/// The same of a license that was planned: its record may have been removed since.
pub fn still_fits(
    item: &PlannedLicense,
    known: Option<&Authorization>,
    provider: &Provider,
    now: Timestamp,
) -> Result<()> {
    if known.is_none() && item.purpose != Purpose::Register {
        let profile = provider.profile.clone();
        return Err(Error::NotFound {
            selector: item.key.to_string(),
            profile: Some(profile),
            near: Vec::new(),
        });
    }
    if known.is_some_and(|known| item.is_outdated(known)) {
        return Err(LedgerError::Changed { license: item.key.license.to_string() }.into());
    }
    fits(item.purpose, known, provider, now)
}

/// Why a license that doesn't fit is left out of a run, in words.
pub fn why_not(e: &Error) -> String {
    match e {
        Error::AlreadyRegistered { state, .. } => format!("already registered ({state}): use renew"),
        Error::NotRenewable { state, .. } => format!("{state}: use register"),
        other => other.to_string(),
    }
}
