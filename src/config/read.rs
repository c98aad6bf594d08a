//! Reads the texts that have a form of their own: times, commands, zones, paths, age keys, addresses of a ledger.

use super::address::InvalidAddress;
use super::server;
use super::suggest::nearest;
use crate::model::command_words::{CommandFault, command_words};
use crate::model::duration;
use crate::model::instant::Zone;
use jiff::SignedDuration;
use url::Url;

/// A length of time.
pub(super) fn time(text: &str) -> Result<SignedDuration, InvalidAddress> {
    duration::parse("time", text).map_err(|_| {
        InvalidAddress::new(format!("can't be \"{text}\""), "Give a time such as 90s, 10m, 12h or 14d.")
    })
}

/// A length of time above zero.
pub(super) fn some_time(text: &str) -> Result<SignedDuration, InvalidAddress> {
    match time(text)? {
        time if time.is_zero() => {
            Err(InvalidAddress::new("can't be zero", "Give a time such as 20s, 10m or 100d."))
        }
        time => Ok(time),
    }
}

/// A command's words.
pub(super) fn command(text: &str) -> Result<Vec<String>, InvalidAddress> {
    command_words(text).map_err(|e| match e {
        CommandFault::Unreadable => InvalidAddress::new(
            "isn't a command",
            "Give the command's words; a quote must be closed. No shell is used.",
        ),
        CommandFault::ForAShell { what, instead } => InvalidAddress::new(
            format!("has {what} in it, which only a shell understands, and none is used"),
            &format!("Quote it, or run a shell: {instead}"),
        ),
    })
}

/// A time zone by its name.
pub(super) fn zone(name: &str) -> Result<Zone, InvalidAddress> {
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
    Err(InvalidAddress { problem: format!("can't be \"{name}\""), right: Some(right) })
}

/// The path of an address, as a browser sends it: what it would write otherwise never matches.
pub(super) fn path(path: &str) -> Result<(), InvalidAddress> {
    let as_written = Url::parse(&format!("http://127.0.0.1{path}"))
        .is_ok_and(|url| url.path() == path && url.query().is_none() && url.fragment().is_none());
    if !path.starts_with('/') || path.starts_with("//") || path.contains(['{', '}']) || !as_written {
        let right = "It begins with a slash and holds no blank, ? or #: /callback.";
        return Err(InvalidAddress::new(format!("can't be \"{path}\""), right));
    }
    Ok(())
}

/// A public age key. The vault knows age; here only what can't be one is told apart.
pub(super) fn recipient(text: &str) -> Result<(), InvalidAddress> {
    if text.starts_with("age1") && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Ok(());
    }
    let right = "A recipient is a public key that begins with `age1`.";
    Err(InvalidAddress::new(format!("holds \"{text}\", which is no age recipient"), right))
}

/// The address of a ledger's server.
pub(super) fn ledger(address: &str) -> Result<(), InvalidAddress> {
    server::check(address).map(drop)
}
