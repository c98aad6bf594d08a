//! A redirect address, taken apart. Pure.

use super::callback::{Callback, read};
use crate::model::secret::Secret;
use url::Url;

/// A redirect address, taken apart. Its query holds the code: it has no text form.
#[derive(Debug, Clone)]
pub struct ReturnedAddress {
    pub callback: Callback,
    /// The address without its query.
    place: Secret,
    /// What may be the state: the parameter, or the path's last part.
    states: Vec<Secret>,
}

impl ReturnedAddress {
    /// An address that somebody sent back; one without a query carries nothing.
    pub fn of(url: Url) -> Result<Self, &'static str> {
        let query = url.query().ok_or("has no ? in it, so it isn't complete")?.to_owned();
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

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "http://127.0.0.1:18273/callback?code=c%2F1&state=s-1&iss=https%3A%2F%2Fx";

    fn taken_apart(address: &str) -> ReturnedAddress {
        ReturnedAddress::of(Url::parse(address).unwrap()).unwrap()
    }

    #[test]
    fn another_place_is_another() {
        let found = taken_apart(PLAIN);
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
        let user = taken_apart(&PLAIN.replace("http://", "http://u@"));
        assert!(!user.is_at("http://127.0.0.1:18273/callback"));
    }

    #[test]
    fn the_state_may_be_the_paths_last_part() {
        let found = taken_apart("http://127.0.0.1:18273/callback/s-2?code=c");
        assert_eq!(found.states()[0].expose(), "s-2");
        assert!(found.is_at("http://127.0.0.1:18273/callback/s-2"));
        let caught =
            ReturnedAddress::caught("https://a.example/callback", "/callback/s-3", Some("code=c")).unwrap();
        assert_eq!(caught.states()[0].expose(), "s-3");
        assert!(caught.is_at("https://a.example/callback/s-3"));
    }
}
