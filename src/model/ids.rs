//! Names: UBI, license, user, and what binds a grant's parts together.

use crate::error::{Error, Result, clean, is_clean};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most characters that any typed name may have.
const LONGEST: usize = 64;

/// Keeps what was typed exactly, but for blanks at both ends; refuses only what can't be right (DOMAIN.md).
fn typed(name: &'static str, text: &str, longest: usize) -> Result<String> {
    // Thousands are read at once, and nearly all of them are plain ASCII with nothing at either end.
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if plain && (1..=longest).contains(&text.len()) && !text.starts_with(' ') && !text.ends_with(' ') {
        return Ok(text.to_owned());
    }
    let trimmed = text.trim();
    let problem = if trimmed.is_empty() {
        "is empty".to_owned()
    } else if trimmed.len() > longest && trimmed.chars().count() > longest {
        // defense: S51 license-is-short
        format!("is longer than {longest} characters")
    } else if !is_clean(trimmed) {
        // defense: S51 license-without-controls
        format!("contains a control or invisible character: {}", clean(trimmed))
    } else {
        return Ok(trimmed.to_owned());
    };
    Err(Error::BadValue { name, problem })
}

/// A profile's name out of somebody's file: what the configuration calls so may be of any length.
pub(super) fn profile(text: &str) -> Result<String> {
    typed("profile", text, usize::MAX)
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $word:literal, $longest:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// What was typed, trimmed; an error where it can't be right.
            pub fn parse(text: &str) -> Result<Self> {
                typed($word, text, $longest).map(Self)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::str::FromStr for $type {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }
    };
}

name!(
    /// A Universal Business Identifier: one company. No public source gives its shape.
    Ubi, "UBI", LONGEST
);
name!(
    /// A BioTrack location license: one store. It may differ from the OCM license.
    License, "license", LONGEST
);
name!(
    /// The official OCM license, where someone noted it: `OCM-RETL-24-000064`.
    OcmLicense, "OCM license", LONGEST
);
name!(
    /// The e-mail address of an admin user's BioTrack account.
    Username, "username", 254
);
name!(
    /// A store's name, as the support engineers call it.
    StoreName, "name", 120
);
name!(
    /// The e-mail address to write to.
    Contact, "contact", 254
);
name!(
    /// A word to group licenses by.
    Tag, "tag", LONGEST
);

impl Ubi {
    /// What stands for it where the provider knows no companies: a part of the record's key, never sent, never shown to scripts.
    pub const NONE: &str = "none";

    /// The identifier, where there is one.
    pub fn number(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| *text != Self::NONE)
    }
}

impl Username {
    /// Usernames compare without case.
    pub fn same_as(&self, other: &str) -> bool {
        same_account(&self.0, other)
    }
}

/// Whether two texts name one account: blanks at both ends and case don't count.
pub fn same_account(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// What tells one authorization from another within a profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LicenseId {
    pub ubi: Ubi,
    pub license: License,
}

impl fmt::Display for LicenseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ubi, self.license)
    }
}

/// Counts the changes of a record's live secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Generation(pub i64);

impl Generation {
    /// No host counts so far, and none reaches the limit that a server's tables set from here.
    pub const MOST: i64 = (1 << 48) - (1 << 20);

    /// The one after it.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether hosts have counted to it, and it isn't what somebody wrote there by hand.
    pub fn is_sound(self) -> bool {
        (0..=Self::MOST).contains(&self.0)
    }
}

/// Counts the writes of a record, of its secrets' places among them: whoever writes states the one that was read, and is
/// refused where it's another by then. 0: nothing was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Revision(pub i64);

/// The name of a run over several licenses, in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(pub i64);

/// One flow with the provider: a consent, or a revocation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub String);

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A license as a hasty reader sees it: without case, dashes and leading zeros, and without a location suffix such as `-D1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SimilarityKey {
    pub bare: String,
    pub stem: Option<String>,
}

impl License {
    /// What it's mistaken by.
    pub fn likeness(&self) -> SimilarityKey {
        fn bare(text: &str) -> String {
            let bare: String =
                text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
            match bare.trim_start_matches('0') {
                "" => bare,
                rest => rest.to_owned(),
            }
        }
        let stem = self.0.rsplit_once('-').filter(|(_, suffix)| {
            let mut letters = suffix.chars();
            let shaped = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
            shaped && !letters.as_str().is_empty() && letters.all(|c| c.is_ascii_digit())
        });
        SimilarityKey { bare: bare(&self.0), stem: stem.map(|(stem, _)| bare(stem)) }
    }
}

/// Whether two licenses are so alike that one may be a slip.
pub fn near_duplicates(one: &License, other: &License) -> bool {
    let (left, right) = (one.likeness(), other.likeness());
    one != other
        && (left.bare == right.bare
            || left.stem.as_ref() == Some(&right.bare)
            || right.stem.as_ref() == Some(&left.bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_kept_but_for_blanks_at_both_ends() {
        assert_eq!(License::parse("  00123-D1 ").unwrap().as_str(), "00123-D1");
        for bad in ["", "   ", "a\u{0}b", "a\nb", "a\u{202e}b", &"x".repeat(65)] {
            assert!(License::parse(bad).is_err(), "{bad:?}");
        }
        assert!(License::parse(&"é".repeat(64)).is_ok());
    }

    #[test]
    fn slips_of_a_known_license_are_noticed() {
        let near = |a, b| near_duplicates(&License::parse(a).unwrap(), &License::parse(b).unwrap());
        assert!(near("OCM-RETL-24-000064", "ocm-retl-24-000064"));
        assert!(near("OCM-RETL-24-000064", "OCMRETL24000064"));
        assert!(near("OCM-RETL-24-000064-D1", "OCM-RETL-24-000064"));
        assert!(near("00123-D1", "123-D1") && !near("00", "0000"));
        assert!(!near("OCM-RETL-24-000064", "OCM-RETL-24-000065"));
        assert!(!near("OCM-RETL-24-000064-D1", "OCM-RETL-24-000064-D2"));
        assert!(near("L-é5", "l-É5") && !near("L-é", "店-5"));
    }
}
