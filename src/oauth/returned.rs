//! A redirect address that a person sent back: found in what they pasted, and taken apart. Pure.

use super::callback::{Callback, read};
use crate::model::secret::Secret;
use url::Url;

/// The most that is read of a paste: a redirect address is about one KiB.
pub const LONGEST: usize = 8 * 1024;

/// A redirect address, taken apart. Its query holds the code: it has no text form.
#[derive(Debug)]
pub struct Returned {
    /// What it carries.
    pub callback: Callback,
    /// The address without its query.
    place: Secret,
    /// What may be the state: the parameter, or the path's last part.
    states: Vec<Secret>,
}

impl Returned {
    /// Finds the address in what was pasted: blanks, line breaks, quotation marks and angle brackets around it or in it
    /// are a mail client's, not the address's. Why not, in words that follow "what was pasted".
    pub fn of(pasted: &str) -> Result<Self, &'static str> {
        if pasted.len() > LONGEST {
            return Err("is too long for an address");
        }
        let text = tidied(pasted);
        if text.is_empty() {
            return Err("is empty");
        }
        // Some browsers hide the scheme of what is copied; then it's one without TLS.
        let whole = match text.split('?').next().is_some_and(|head| head.contains("://")) {
            true => text,
            false => format!("http://{text}"),
        };
        let url = Url::parse(&whole).map_err(|_| "isn't an address")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("isn't an address that begins with http");
        }
        let query = url.query().ok_or("has no ? in it, so it isn't whole")?.to_owned();
        Ok(Self::at(url, &query))
    }

    /// The redirect that came to a listener of this address.
    pub fn caught(base: &str, path: &str, query: Option<&str>) -> Result<Self, &'static str> {
        let mut url = Url::parse(base).map_err(|_| "isn't an address")?;
        url.set_path(path);
        Ok(Self::at(url, query.unwrap_or_default()))
    }

    fn at(mut url: Url, query: &str) -> Self {
        let callback = read(query);
        let last = url.path().rsplit('/').find(|part| !part.is_empty()).map(Secret::new);
        let states = callback.state.iter().cloned().chain(last).collect();
        // A listener never sees the fragment.
        url.set_fragment(None);
        url.set_query(None);
        Self { callback, place: Secret::new(url), states }
    }

    /// What may be the state, the likelier first.
    pub fn states(&self) -> &[Secret] {
        &self.states
    }

    /// Whether it came back to this redirect address: scheme, host, port and path.
    pub fn is_at(&self, redirect_uri: &str) -> bool {
        let plain = |text: &str| text.trim_end_matches('/').to_owned();
        Url::parse(redirect_uri).is_ok_and(|expected| plain(expected.as_str()) == plain(self.place.expose()))
    }
}

/// The address alone.
fn tidied(pasted: &str) -> String {
    // A reply's "> " at the beginning of a line isn't the address's either.
    let lines = pasted.lines().map(|line| line.trim_start_matches(|c: char| c == '>' || c.is_whitespace()));
    let joined: String =
        lines.flat_map(str::chars).filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let around = |c: char| "<>()[]{}\"'`“”„‘’‚«»".contains(c) || crate::error::is_unprintable(c);
    // Copied out of a page's source, as some mail clients do.
    joined.trim_matches(around).replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::callback::Answered;

    const PLAIN: &str = "http://127.0.0.1:18273/callback?code=c%2F1&state=s-1&iss=https%3A%2F%2Fx";

    fn is_it(pasted: &str) {
        let found = Returned::of(pasted).unwrap_or_else(|e| panic!("{pasted:?} {e}"));
        assert_eq!(found.states()[0].expose(), "s-1", "{pasted:?}");
        assert!(found.is_at("http://127.0.0.1:18273/callback"), "{pasted:?}");
        assert_eq!(found.callback.iss.as_deref(), Some("https://x"), "{pasted:?}");
        assert!(
            matches!(&found.callback.answered, Ok(Answered::Code(code)) if code.expose() == "c/1"),
            "{pasted:?}"
        );
    }

    #[test]
    fn what_people_paste_is_understood() {
        is_it(PLAIN);
        let (head, tail) = PLAIN.split_at(40);
        for pasted in [
            format!("  {PLAIN}\r\n"),
            format!("<{PLAIN}>"),
            format!("\"{PLAIN}\""),
            format!("“{PLAIN}”"),
            format!("<a>{PLAIN}").replace("<a>", " <"),
            format!("{head}\r\n{tail}\r\n"),
            format!("> {head}\n> {tail}\n"),
            format!("{head} {tail}"),
            format!("\u{feff}{PLAIN}\u{200b}"),
            PLAIN.replace('&', "&amp;"),
            PLAIN.replace("http://", ""),
            format!("{PLAIN}#_=_"),
        ] {
            is_it(&pasted);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (pasted, why) in [
            ("", "is empty"),
            (" \r\n", "is empty"),
            ("http://127.0.0.1:18273/callback", "isn't whole"),
            ("ftp://x/?a=b", "begins with http"),
            ("javascript:alert(1)?x", "isn't an address"),
            ("javascript://a/?x", "begins with http"),
            ("http://[x?a", "isn't an address"),
        ] {
            assert!(Returned::of(pasted).unwrap_err().contains(why), "{pasted:?}");
        }
        assert!(Returned::of(&"x".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn another_place_is_another() {
        let found = Returned::of(PLAIN).unwrap();
        for other in [
            "https://127.0.0.1:18273/callback",
            "http://127.0.0.1:18274/callback",
            "http://127.0.0.1/callback",
            "http://localhost:18273/callback",
            "http://127.0.0.1:18273/callback2",
            "http://127.0.0.1:18273/",
            "",
        ] {
            assert!(!found.is_at(other), "{other}");
        }
        let user = Returned::of(&PLAIN.replace("http://", "http://u@")).unwrap();
        assert!(!user.is_at("http://127.0.0.1:18273/callback"));
    }

    #[test]
    fn the_state_may_be_the_paths_last_part() {
        let found = Returned::of("http://127.0.0.1:18273/callback/s-2?code=c").unwrap();
        assert_eq!(found.states()[0].expose(), "s-2");
        assert!(found.is_at("http://127.0.0.1:18273/callback/s-2"));
        let caught = Returned::caught("https://a.example/callback", "/callback/s-3", Some("code=c")).unwrap();
        assert_eq!(caught.states()[0].expose(), "s-3");
        assert!(caught.is_at("https://a.example/callback/s-3"));
    }
}
