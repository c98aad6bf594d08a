//! What must hold of everything that reads what others wrote, whatever they wrote: a check a target. The fuzzer calls
//! them with bytes of its own, and `tests/commands/parsers.rs` with the corpora and their mutations.

mod answers;
mod files;
mod redirects;
mod sealing;
mod words;

pub use answers::{error_answer, introspection, metadata, refresh_answer, token_answer};
pub use files::{bundle, cells, config, import_json, rows};
pub use redirects::{address, callback, request_head, returned};
pub use sealing::{sealed, spool};
pub use words::{shell, terminal, words};

use biotrack_auth::config::Config;
use biotrack_auth::error::Error;
use biotrack_auth::model::ids::{License, LicenseId, Ubi};
use biotrack_auth::model::provider::Provider;
use jiff::Timestamp;
use std::path::Path;

/// An instant at which everything happens.
fn now() -> Timestamp {
    Timestamp::from_second(1_767_225_600).expect("a good year")
}

/// A license.
fn key() -> LicenseId {
    let (ubi, license) = (Ubi::parse("604001"), License::parse("L-1"));
    LicenseId { ubi: ubi.expect("a UBI"), license: license.expect("a license") }
}

/// The profile that a configuration of one describes.
fn provider(profile: &str) -> Provider {
    let (config, problems) = Config::parse(Path::new("config.toml"), &format!("[profiles.p]\n{profile}"));
    assert!(problems.is_empty(), "{problems:?}");
    config.provider("p").expect("a profile")
}

/// What steers a terminal, or moves or hides what stands beside it. The program has a list of its own.
fn steers(c: char) -> bool {
    matches!(u32::from(c),
        0..=0x1f | 0x7f..=0x9f | 0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
        | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f)
}

/// A text that may be shown as it is.
#[track_caller]
fn harmless(text: &str) {
    assert!(!text.chars().any(steers), "{text:?}");
}

/// An error may be printed: the lines are its own, and nothing in them steers a terminal.
#[track_caller]
fn printable(e: &Error) {
    let told = [Some(e.to_string()), e.hint()];
    told.iter().flatten().flat_map(|text| text.split('\n')).for_each(harmless);
}
