//! What the sandbox can be told to do wrong.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use sha2::{Digest, Sha256};

/// One thing that the sandbox does wrong (`--fail KIND`). Several may be active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Mishap {
    /// The Grant Access click is answered with access_denied
    Denied,
    /// Another location than the requested one is granted; the page shows the requested one
    WrongLocation,
    /// The page and the token answer name another company, Other Vendor LLC
    WrongCompany,
    /// The grant is reported as given by other.admin@example.com, whoever signed in
    OtherUser,
    /// The token answer has no expiration_date
    NoExpiry,
    /// The token answer is cut off in the middle of its JSON
    BadJson,
    /// The token endpoint answers 200 with an HTML page
    Html,
    /// The token endpoint answers 503
    #[value(name = "5xx")]
    ServerError,
    /// The token endpoint takes the request and never answers
    Slow,
    /// The token endpoint's answer is endless, up to 200 MB
    Huge,
    /// The token endpoint answers 302 to another address
    Redirect,
    /// The browser comes back with another state than was sent
    WrongState,
    /// The browser comes back with another issuer's iss
    WrongIss,
    /// The browser comes back without the iss that the metadata promises
    MissingIss,
    /// There is no revocation endpoint: absent from the metadata, and 404
    RevocationUnsupported,
    /// The token and revocation endpoints answer 429 with Retry-After: 2, before they do anything
    RateLimit,
    /// Every endpoint and page answers 503
    Down,
    /// The token endpoint issues the grant and breaks the connection before it answers
    Lost,
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
        let names: Vec<String> = Mishap::value_variants().iter().map(Mishap::to_string).collect();
        let promised = "denied wrong-location wrong-company other-user no-expiry bad-json html 5xx slow huge \
                        redirect wrong-state wrong-iss missing-iss revocation-unsupported rate-limit \
                        down lost";
        assert_eq!(names.join(" "), promised);
        for mishap in Mishap::value_variants() {
            assert_eq!(mishap.to_string().parse::<Mishap>().as_ref(), Ok(mishap));
        }
        assert!("gremlins".parse::<Mishap>().is_err());
    }

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        let list = [Mishap::Denied, Mishap::RevocationUnsupported].map(MishapRule::from).to_vec();
        let set = Mishaps { seed: 0, list };
        let held: Vec<_> =
            Mishap::value_variants().iter().filter(|mishap| set.befall(**mishap, None)).collect();
        assert_eq!(held, [&Mishap::Denied, &Mishap::RevocationUnsupported]);
    }

    #[test]
    fn a_share_is_read_back_and_nonsense_refused() {
        for text in ["denied:5%", "5xx:0%", "lost"] {
            assert_eq!(text.parse::<MishapRule>().map(|fail| fail.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("slow:100%".parse(), Ok(MishapRule::from(Mishap::Slow)));
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
