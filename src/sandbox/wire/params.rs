//! The parameters of a query or form, with those that came twice (RFC 6749 3.1 and 3.2 forbid them).

use std::collections::{HashMap, HashSet};

use url::form_urlencoded;

/// Decoded `application/x-www-form-urlencoded` parameters; one without a value counts as absent.
#[derive(Debug, Default)]
pub(super) struct Params {
    values: HashMap<String, String>,
    repeated: HashSet<String>,
}

impl Params {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        let mut params = Self::default();
        for (name, value) in form_urlencoded::parse(encoded) {
            if params.values.contains_key(&*name) {
                params.repeated.insert(name.into_owned());
            } else {
                params.values.insert(name.into_owned(), value.into_owned());
            }
        }
        params
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether this parameter came more than once.
    pub(super) fn repeats(&self, name: &str) -> bool {
        self.repeated.contains(name)
    }

    /// Whether any did.
    pub(super) fn repeats_any(&self) -> bool {
        !self.repeated.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_empty_ones_absent_and_twins_noticed() {
        let params = Params::parse(b"a=1+2%26&b=&c=1&c=2&d");
        assert_eq!(params.get("a"), Some("1 2&"));
        assert_eq!((params.get("b"), params.get("d"), params.get("e")), (None, None, None));
        assert!(params.repeats("c") && !params.repeats("a") && params.repeats_any());
    }
}
