//! Reads the texts that have a form of their own: times, commands, zones, paths, age keys, addresses of a ledger.

use super::address::InvalidValue;
use super::server;
use super::suggest::nearest;
use crate::model::command_words::{CommandFault, command_words};
use crate::model::duration;
use crate::model::instant::Zone;
use jiff::SignedDuration;
use url::Url;

pub(super) fn time(text: &str) -> Result<SignedDuration, InvalidValue> {
    duration::parse("time", text).map_err(|_| {
        InvalidValue::new(format!("can't be \"{text}\""), "Give a time such as 90s, 10m, 12h or 14d.")
    })
}

/// A length of time above zero.
pub(super) fn some_time(text: &str) -> Result<SignedDuration, InvalidValue> {
    match time(text)? {
        time if time.is_zero() => {
            Err(InvalidValue::new("can't be zero", "Give a time such as 20s, 10m or 100d."))
        }
        time => Ok(time),
    }
}

/// A command's words.
pub(super) fn command(text: &str) -> Result<Vec<String>, InvalidValue> {
    command_words(text).map_err(|e| match e {
        CommandFault::Unreadable => InvalidValue::new(
            "isn't a command",
            "Write the command and its arguments, and close every quote. No shell is used.",
        ),
        CommandFault::ForAShell { what, instead } => InvalidValue::new(
            format!("contains {what}, which needs a shell, but no shell is used"),
            &format!("Quote it, or run a shell: {instead}"),
        ),
    })
}

pub(super) fn zone(name: &str) -> Result<Zone, InvalidValue> {
    if let Some(zone) = crate::system::zone(name) {
        return Ok(zone.into());
    }
    let right = if jiff::tz::db().is_definitively_empty() {
        "This machine has no time zones: install its tzdata package.".into()
    } else {
        let known: Vec<_> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        nearest(name, known.iter().map(String::as_str))
            .map_or("Give a name such as America/New_York.".into(), |name| format!("Did you mean `{name}`?"))
    };
    Err(InvalidValue { problem: format!("can't be \"{name}\""), right: Some(right) })
}

/// The path of an address, as a browser sends it: what it would write otherwise never matches.
pub(super) fn path(path: &str) -> Result<(), InvalidValue> {
    let as_written = Url::parse(&format!("http://127.0.0.1{path}"))
        .is_ok_and(|url| url.path() == path && url.query().is_none() && url.fragment().is_none());
    if !path.starts_with('/') || path.starts_with("//") || path.contains(['{', '}']) || !as_written {
        let right = "Begin with a slash, and use no space, ? or #: /callback.";
        return Err(InvalidValue::new(format!("can't be \"{path}\""), right));
    }
    Ok(())
}

/// A public age key. The vault knows age; here only what can't be one is told apart.
pub(super) fn recipient(text: &str) -> Result<(), InvalidValue> {
    if text.starts_with("age1") && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Ok(());
    }
    let right = "A recipient is a public key that begins with `age1`.";
    Err(InvalidValue::new(format!("contains \"{text}\", which isn't an age recipient"), right))
}

pub(super) fn ledger(address: &str) -> Result<(), InvalidValue> {
    server::check(address).map(drop)
}
