//! An answer's JSON: one object, whose members are all different.

use serde::Deserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The members of a body that is one object, all different, and nothing after it.
pub(super) fn members(body: &[u8]) -> serde_json::Result<Map<String, Value>> {
    let mut from = serde_json::Deserializer::from_slice(body);
    let members = from.deserialize_map(Members)?;
    // defense: S43 nothing-behind-the-object
    from.end().map(|()| members)
}

/// An object whose members are all different (RFC 8259 leaves doubles open; a proxy and we might read different ones).
pub(super) struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = from.next_entry::<String, Value>()? {
            // defense: S43 no-member-twice
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member appears twice"));
            }
        }
        Ok(members)
    }
}
