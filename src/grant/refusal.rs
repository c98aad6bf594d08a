//! The token endpoint's refusal (RFC 6749 5.2), read with the suspicion of [`answer`](super::answer): an object and
//! nothing else, no member twice. One word in it makes a grant invalid.

use super::answer::Members;
use oauth2::ErrorResponse;
use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::fmt;

/// A refusal.
#[derive(Debug, Serialize)]
pub struct Refusal(BasicErrorResponse);

impl Refusal {
    /// Its code.
    pub(super) fn error(&self) -> &BasicErrorResponseType {
        self.0.error()
    }

    /// The server's words.
    pub(super) fn error_description(&self) -> Option<&String> {
        self.0.error_description()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Refusal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // oauth2's own would take a list for an object, its members in order.
        let members = from.deserialize_map(Members)?;
        serde_json::from_value(Value::Object(members)).map(Self).map_err(D::Error::custom)
    }
}

impl ErrorResponse for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_without_doubles_refuses() {
        let read = |json: &str| serde_json::from_str::<Refusal>(json);
        let refused = read(r#"{"error":"invalid_grant","error_description":"no","x":[1]}"#).unwrap();
        assert_eq!(*refused.error(), BasicErrorResponseType::InvalidGrant);
        assert_eq!(refused.error_description().unwrap(), "no");
        for other in [
            r#"["invalid_grant"]"#,
            r#""invalid_grant""#,
            r#"{"error":["invalid_grant"]}"#,
            r#"{"error":"invalid_grant","error":"invalid_grant"}"#,
            r#"{"error":"invalid_grant","x":1,"x":2}"#,
            r#"{"error_description":"invalid_grant"}"#,
            "{}",
        ] {
            assert!(read(other).is_err(), "{other}");
        }
    }
}
