//! The environment's variables, as they were at the start.

use std::collections::BTreeMap;

/// The environment's variables. Empty ones count as unset, as is the custom.
#[derive(Debug, Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those given; what isn't UTF-8 is left out.
    pub fn new(all: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(all.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// One variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
