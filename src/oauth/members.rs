//! An answer's JSON: one object, whose members have one value each.

use serde::Deserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

/// The members of a body that is one object, of one value each, and nothing after it.
pub(super) fn members(body: &[u8]) -> serde_json::Result<Map<String, Value>> {
    let found = read(body)?;
    match found.doubtful.is_empty() {
        true => Ok(found.members),
        false => Err(serde_json::Error::custom("a member has two values")),
    }
}

/// The members of a body that is one object and nothing after it; a byte order mark may stand before it.
pub(super) fn all_members(body: &[u8]) -> serde_json::Result<AllMembers> {
    read(without_mark(body))
}

fn read(body: &[u8]) -> serde_json::Result<AllMembers> {
    let mut from = serde_json::Deserializer::from_slice(body);
    let members = from.deserialize_map(MembersVisitor)?;
    // defense: S43 nothing-behind-the-object
    from.end().map(|()| members)
}

/// A body without the byte order mark before it, which whoever reads JSON may pass over (RFC 8259 8.1).
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// The members of an object (RFC 8259 leaves doubles open; a proxy and we might read different ones).
#[derive(Clone)]
pub(super) struct AllMembers {
    /// Those that have one value.
    pub(super) members: Map<String, Value>,
    /// The names of those that have several.
    pub(super) doubtful: BTreeSet<String>,
}

/// Reads an object.
pub(super) struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = AllMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let (mut members, mut doubtful) = (Map::new(), BTreeSet::new());
        while let Some((name, value)) = from.next_entry::<String, Value>()? {
            // defense: S43 no-member-twice
            if members.get(&name).is_some_and(|before| *before != value) {
                doubtful.insert(name);
                continue;
            }
            members.insert(name, value);
        }
        members.retain(|name, _| !doubtful.contains(name));
        Ok(AllMembers { members, doubtful })
    }
}
