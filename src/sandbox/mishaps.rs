//! What the sandbox can be told to do wrong.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use sha2::{Digest, Sha256};

/// One list gives the enum, its `--help` text and `meaning`, so that they can't drift apart.
macro_rules! mishaps {
    ($($(#[$value:meta])* $variant:ident: $meaning:tt,)*) => {
        /// One thing that the sandbox does wrong (`--fail KIND`). Several may be active.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
        pub enum Mishap {
            $(#[doc = $meaning] $(#[$value])* $variant,)*
        }

        impl Mishap {
            /// Every kind, in the order of the help.
            pub const ALL: &[Mishap] = &[$(Mishap::$variant,)*];

            /// What happens, in one sentence without a full stop.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Mishap::$variant => $meaning,)*
                }
            }
        }
    };
}

mishaps! {
    #[value(alias = "access-denied", alias = "refused")]
    Denied: "The Grant Access click is answered with access_denied",
    #[value(alias = "other-location", alias = "wrong-license")]
    WrongLocation: "Another location than the requested one is granted; the page shows the requested one",
    #[value(alias = "other-company")]
    WrongCompany: "The page and the token answer name another company, Other Vendor LLC",
    #[value(alias = "wrong-user", alias = "other-admin")]
    OtherUser: "The grant is reported as given by other.admin@example.com, whoever signed in",
    #[value(alias = "missing-expiry")]
    NoExpiry: "The token answer has no expiration_date",
    #[value(alias = "truncated", alias = "malformed-json")]
    BadJson: "The token answer is cut off in the middle of its JSON",
    Html: "The token endpoint answers 200 with an HTML page",
    #[value(name = "5xx", alias = "server-error", alias = "503")]
    ServerError: "The token endpoint answers 503",
    #[value(alias = "stall", alias = "timeout")]
    Slow: "The token endpoint takes the request and never answers",
    #[value(alias = "endless")]
    Huge: "The token endpoint's answer is endless, up to 200 MB",
    #[value(alias = "302")]
    Redirect: "The token endpoint answers 302 to another address",
    #[value(alias = "other-state", alias = "bad-state")]
    WrongState: "The browser comes back with another state than was sent",
    #[value(alias = "other-iss", alias = "wrong-issuer")]
    WrongIss: "The browser comes back with another issuer's iss",
    #[value(alias = "no-iss", alias = "missing-issuer")]
    MissingIss: "The browser comes back without the iss that the metadata promises",
    #[value(alias = "no-revocation")]
    RevocationUnsupported: "There is no revocation endpoint: absent from the metadata, and 404",
    #[value(alias = "429", alias = "too-many-requests")]
    RateLimit: "The token and revocation endpoints answer 429 with Retry-After: 2, before they do anything",
    #[value(alias = "outage", alias = "away")]
    Down: "Every endpoint and page answers 503",
    #[value(alias = "cut", alias = "dropped")]
    Lost: "The token endpoint issues the grant and breaks the connection before it answers",
}

impl Mishap {
    /// Whether a share of it is drawn anew for each request. Of the others it's drawn once for each license, for the
    /// page that an admin sees and the grant that comes of it must agree.
    fn is_per_request(self) -> bool {
        match self {
            Self::Denied
            | Self::WrongLocation
            | Self::WrongCompany
            | Self::OtherUser
            | Self::WrongState
            | Self::WrongIss
            | Self::MissingIss
            | Self::RevocationUnsupported => false,
            Self::NoExpiry
            | Self::BadJson
            | Self::Html
            | Self::ServerError
            | Self::Slow
            | Self::Huge
            | Self::Redirect
            | Self::RateLimit
            | Self::Down
            | Self::Lost => true,
        }
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_possible_value() {
            Some(value) => f.write_str(value.get_name()),
            None => write!(f, "{self:?}"),
        }
    }
}

impl FromStr for Mishap {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(name, true).map_err(|_| format!("unknown kind of failure: {name}"))
    }
}

/// A mishap, and the share of grants or requests that it befalls (`--fail KIND[:SHARE]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MishapRule {
    /// What goes wrong.
    pub mishap: Mishap,
    /// Of a hundred, how many it befalls; 100 is always, whoever asks.
    pub percent: u8,
}

impl MishapRule {
    /// Whether it befalls a license: the same every time for the same seed, so that a test can tell beforehand.
    /// `nth` counts the license's requests to the token endpoint from 1 (to the revocation endpoint there), and
    /// matters only to what those endpoints do wrong.
    pub fn befalls(self, seed: u64, ubi: &str, license: &str, nth: u32) -> bool {
        let nth = if self.mishap.is_per_request() { nth } else { 0 };
        // No name holds a line's end: two licenses are never written alike.
        let drawn = Sha256::digest(format!("{seed}\n{}\n{ubi}\n{license}\n{nth}", self.mishap));
        let drawn = drawn.iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        drawn % 100 < u64::from(self.percent)
    }
}

impl From<Mishap> for MishapRule {
    fn from(mishap: Mishap) -> Self {
        Self { mishap, percent: 100 }
    }
}

impl fmt::Display for MishapRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percent {
            100.. => self.mishap.fmt(f),
            percent => write!(f, "{}:{percent}%", self.mishap),
        }
    }
}

impl FromStr for MishapRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((kind, share)) = text.split_once(':') else { return Ok(text.parse::<Mishap>()?.into()) };
        let mishap = kind.parse()?;
        if mishap == Mishap::RevocationUnsupported {
            return Err(format!("{mishap} affects the whole sandbox and takes no share"));
        }
        let percent = share.strip_suffix('%').and_then(|number| number.parse().ok());
        let percent = percent.filter(|percent| *percent <= 100);
        let percent = percent.ok_or_else(|| format!("a share is a whole percentage, as in {mishap}:5%"))?;
        Ok(Self { mishap, percent })
    }
}

/// Whose request something may befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MishapTarget<'t> {
    pub(super) ubi: &'t str,
    pub(super) license: &'t str,
    /// Which of the license's requests to that endpoint it is, from 1.
    pub(super) nth: u32,
}

/// All that goes wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Mishaps {
    pub(super) seed: u64,
    pub(super) list: Vec<MishapRule>,
}

impl Mishaps {
    /// Whether this goes wrong now. A request that belongs to no license has no share in what befalls only some.
    pub(super) fn befall(&self, mishap: Mishap, turn: Option<MishapTarget<'_>>) -> bool {
        self.list.iter().filter(|fail| fail.mishap == mishap).any(|fail| match turn {
            _ if fail.percent >= 100 => true,
            Some(MishapTarget { ubi, license, nth }) => fail.befalls(self.seed, ubi, license, nth),
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_promised_and_read_back() {
        let names: Vec<String> = Mishap::ALL.iter().map(Mishap::to_string).collect();
        let promised = "denied wrong-location wrong-company other-user no-expiry bad-json html 5xx slow huge \
                        redirect wrong-state wrong-iss missing-iss revocation-unsupported rate-limit \
                        down lost";
        assert_eq!(names.join(" "), promised);
        for mishap in Mishap::ALL {
            assert_eq!(mishap.to_string().parse::<Mishap>().as_ref(), Ok(mishap));
            let help = mishap.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
            assert_eq!(help.as_deref(), Some(mishap.meaning()));
        }
    }

    #[test]
    fn other_names_are_taken_and_unknown_ones_refused() {
        assert_eq!("stall".parse(), Ok(Mishap::Slow));
        assert_eq!("server-error".parse(), Ok(Mishap::ServerError));
        assert!("gremlins".parse::<Mishap>().is_err());
    }

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        let list = [Mishap::Denied, Mishap::RevocationUnsupported].map(MishapRule::from).to_vec();
        let set = Mishaps { seed: 0, list };
        let held: Vec<_> = Mishap::ALL.iter().filter(|mishap| set.befall(**mishap, None)).collect();
        assert_eq!(held, [&Mishap::Denied, &Mishap::RevocationUnsupported]);
    }

    #[test]
    fn a_share_is_read_back_and_nonsense_refused() {
        for text in ["denied:5%", "5xx:0%", "lost"] {
            assert_eq!(text.parse::<MishapRule>().map(|fail| fail.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("stall:100%".parse(), Ok(MishapRule::from(Mishap::Slow)));
        for text in ["denied:", "denied:5", "denied:101%", "denied:-1%", "denied:1/20", "denied:5%%", ":5%"] {
            assert!(text.parse::<MishapRule>().is_err(), "{text}");
        }
        assert!("revocation-unsupported:5%".parse::<MishapRule>().unwrap_err().contains("no share"));
    }

    #[test]
    fn a_share_befalls_about_so_many_the_same_each_time_and_others_by_another_seed() {
        let hit = |fail: MishapRule, seed: u64, nth: u32| -> Vec<u32> {
            (0..2_000).filter(|at| fail.befalls(seed, "604001", &format!("L-{at}"), nth)).collect()
        };
        let lost = MishapRule { mishap: Mishap::Lost, percent: 5 };
        let first = hit(lost, 0, 1);
        assert!((60..=140).contains(&first.len()), "{}", first.len());
        assert_eq!(first, hit(lost, 0, 1));
        assert_ne!(first, hit(lost, 1, 1));
        // Each request of a license is drawn anew, its consent isn't.
        assert_ne!(first, hit(lost, 0, 2));
        let denied = MishapRule { mishap: Mishap::Denied, percent: 5 };
        assert_ne!(first, hit(denied, 0, 1));
        assert_eq!(hit(denied, 0, 1), hit(denied, 0, 2));
        assert!(hit(MishapRule { percent: 0, ..lost }, 0, 1).is_empty());
        assert_eq!(hit(lost.mishap.into(), 0, 1).len(), 2_000);
    }

    #[test]
    fn a_share_spares_a_request_of_no_license() {
        let all_but = MishapRule { mishap: Mishap::Lost, percent: 99 };
        let set = Mishaps { seed: 0, list: vec![all_but] };
        assert!(!set.befall(Mishap::Lost, None));
        assert!(set.befall(Mishap::Lost, Some(MishapTarget { ubi: "604001", license: "L-1", nth: 1 })));
    }
}
