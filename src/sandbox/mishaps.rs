//! What the sandbox can be told to do wrong.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

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
    WrongLocation: "Another location than the one asked for is granted; the page shows the one asked for",
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
    Huge: "The token endpoint's answer goes on and on, up to 200 MB",
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
        <Self as ValueEnum>::from_str(name, true).map_err(|_| format!("no such kind of failure: {name}"))
    }
}

/// A set of mishaps, as bits, so that it can change while requests are in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mishaps(pub(super) u32);

impl Mishaps {
    pub(super) fn of(list: &[Mishap]) -> Self {
        Self(list.iter().fold(0, |bits, mishap| bits | 1 << *mishap as u32))
    }

    pub(super) fn has(self, mishap: Mishap) -> bool {
        self.0 & 1 << mishap as u32 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_promised_and_read_back() {
        let names: Vec<String> = Mishap::ALL.iter().map(Mishap::to_string).collect();
        let promised = "denied wrong-location wrong-company other-user no-expiry bad-json html 5xx slow huge \
                        redirect wrong-state wrong-iss missing-iss revocation-unsupported";
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
        let set = Mishaps::of(&[Mishap::Denied, Mishap::RevocationUnsupported]);
        let held: Vec<_> = Mishap::ALL.iter().filter(|mishap| set.has(**mishap)).collect();
        assert_eq!(held, [&Mishap::Denied, &Mishap::RevocationUnsupported]);
    }
}
