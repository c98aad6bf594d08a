//! The token answer (RFC 6749 5.1), read with suspicion: no member twice, odd lifetimes are unknown lifetimes.

use super::endpoints::SKEW;
use super::members::Members;
use crate::model::consent::Reported;
use crate::model::granted::Granted;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

/// Epoch seconds begin here; a smaller number is a lifetime (31 years).
const EPOCH_FROM: f64 = 1e9;

/// A token answer with every member that came with it.
#[derive(Clone)]
pub struct TokenAnswer {
    access: AccessToken,
    refresh: Option<RefreshToken>,
    scopes: Option<Vec<Scope>>,
    members: Map<String, Value>,
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenAnswer(…)")
    }
}

impl Serialize for TokenAnswer {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        // oauth2 asks for the trait; tokens are sealed, never serialized.
        Err(serde::ser::Error::custom("a token answer isn't written"))
    }
}

impl<'de> Deserialize<'de> for TokenAnswer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let members = from.deserialize_map(Members)?;
        let text = |name: &str| match members.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            None | Some(Value::Null) => Ok(None),
            Some(_) => Err(D::Error::custom(format_args!("{name} isn't a text"))),
        };
        Ok(Self {
            access: AccessToken::new(
                text("access_token")?.ok_or_else(|| D::Error::custom("there is no access_token"))?,
            ),
            refresh: text("refresh_token")?.map(RefreshToken::new),
            scopes: text("scope")?.map(|all| all.split(' ').map(|one| Scope::new(one.to_owned())).collect()),
            members,
        })
    }
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access
    }

    fn token_type(&self) -> &BasicTokenType {
        // Which it really is, `granted` says.
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        let seconds = number(self.members.get("expires_in")?)?;
        // defense: S9 odd-lifetime-is-unknown
        (0.0..EPOCH_FROM).contains(&seconds).then(|| Duration::from_secs_f64(seconds.trunc()))
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

impl TokenAnswer {
    /// The names of its members, for whoever is looking for the fields that a profile names. What is no plain short name isn't
    /// told, nor what holds a token: a server may have put one there.
    pub(super) fn fields(&self) -> String {
        let refresh = self.refresh.as_ref().map(|token| token.secret().as_str());
        let tokens = [Some(self.access.secret().as_str()), refresh];
        let secret = |name: &str| {
            let mut tokens = tokens.iter().flatten();
            tokens.any(|token| name.contains(token) || (name.len() > 12 && token.contains(name)))
        };
        let plain = |name: &&str| {
            name.len() <= 32
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
                && !secret(name)
        };
        let names: Vec<_> = self.members.keys().map(String::as_str).filter(plain).take(64).collect();
        names.join(", ")
    }

    /// What the answer means for this provider.
    /// `skew`: how far the provider's clock is ahead of ours, where that is known.
    pub(super) fn granted(
        self,
        provider: &Provider,
        now: Timestamp,
        skew: Option<SignedDuration>,
    ) -> Granted {
        let from_now = |lifetime: Duration| now.checked_add(SignedDuration::try_from(lifetime).ok()?).ok();
        let fields = &provider.fact_fields;
        let text = |field: &String| self.members.get(field).and_then(as_text);
        let given = self.scopes.as_ref();
        let told = provider.grant_expiry.as_ref().and_then(|field| self.members.get(field));
        let ends = told.and_then(|told| instant(told, now, skew));
        let odd_end = told.filter(|_| ends.is_none()).and_then(as_text);
        Granted {
            access: Secret::new(self.access.secret().clone()),
            refresh: self.refresh.as_ref().map(|token| Secret::new(token.secret().clone())),
            refresh_is_older: false,
            access_expires_at: self.expires_in().and_then(from_now),
            expires_at: ends,
            token_type: self.members.get("token_type").and_then(as_text).unwrap_or_else(|| "Bearer".into()),
            missing_scopes: provider
                .scopes
                .iter()
                .filter(|asked| given.is_some_and(|given| !given.iter().any(|one| one.as_str() == *asked)))
                .cloned()
                .collect(),
            reported: Reported {
                facts: fields.facts.iter().filter_map(|(fact, field)| Some((*fact, text(field)?))).collect(),
                username: fields.username.as_ref().and_then(text),
                odd_end,
            },
            received_at: now,
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// A reported fact: a text, or a number where the provider writes licenses so.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        // Several, or an object: whatever it means, it isn't the one that was asked.
        Value::Array(_) | Value::Object(_) => Some(value.to_string()),
        Value::Null => None,
    }
}

/// The grant's end: RFC 3339, Unix time, or seconds from now. What can't be right is unknown.
fn instant(value: &Value, now: Timestamp, skew: Option<SignedDuration>) -> Option<Timestamp> {
    if let Some(at) = value.as_str().and_then(crate::model::instant::parse) {
        return by_our_clock(at, now, skew);
    }
    let seconds = number(value).filter(|seconds| (0.0..1e11).contains(seconds))?;
    #[expect(clippy::cast_possible_truncation, reason = "below 1e11")]
    let whole = seconds as i64;
    if seconds >= EPOCH_FROM {
        by_our_clock(Timestamp::from_second(whole).ok()?, now, skew)
    } else {
        // None at all is an end that is over, too.
        now.checked_add(SignedDuration::from_secs(whole)).ok().filter(|ends| *ends > now)
    }
}

/// An instant that the provider names is one of its own clock, and by that clock the grant will end. Where it's ahead,
/// the end comes sooner here than its name says; where it's behind, the name is early enough. An end that is over as it
/// comes is a wrong clock's: then the careful estimate is better.
fn by_our_clock(told: Timestamp, now: Timestamp, skew: Option<SignedDuration>) -> Option<Timestamp> {
    // defense: S40 provider-ahead-ends-sooner
    let ahead = skew.filter(|skew| *skew > SKEW).unwrap_or_default();
    // defense: S40 an-end-that-is-over-is-none
    told.checked_sub(ahead).ok().filter(|ends| *ends > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<TokenAnswer, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn odd_lifetimes_are_unknown_lifetimes() {
        let lifetime = |value: &str| {
            parsed(&format!(r#"{{"access_token":"a","expires_in":{value}}}"#)).unwrap().expires_in()
        };
        assert_eq!(lifetime("3600"), Some(Duration::from_secs(3600)));
        assert_eq!(lifetime("\"3600\""), Some(Duration::from_secs(3600)));
        assert_eq!(lifetime("1.5"), Some(Duration::from_secs(1)));
        assert_eq!(lifetime("0"), Some(Duration::ZERO));
        for odd in ["-1", "1e30", "null", "\"soon\"", "[]", "{}", "true", "99999999999999999999"] {
            assert_eq!(lifetime(odd), None, "{odd}");
        }
        assert_eq!(parsed(r#"{"access_token":"a"}"#).unwrap().expires_in(), None);
    }

    #[test]
    fn a_grants_end_may_be_told_in_three_ways() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let told = |json: &str| instant(&serde_json::from_str(json).unwrap(), now, None);
        let end: Timestamp = "2026-04-11T00:00:00Z".parse().unwrap();
        assert_eq!(told("\"2026-04-11T00:00:00Z\""), Some(end));
        assert_eq!(told("\"2026-04-10T20:00:00-04:00\""), Some(end));
        assert_eq!(told("1775865600"), Some(end));
        assert_eq!(told("\"8640000\""), Some(end));
        for odd in ["0", "\"0\"", "0.5", "\"tomorrow\"", "-1", "1e30", "null", "[1]", "\"2026-13-41\""] {
            assert_eq!(told(odd), None, "{odd}");
        }
    }

    #[test]
    fn an_end_by_a_clock_that_is_ahead_comes_sooner_and_one_that_is_over_is_none() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let end: Timestamp = "2026-04-11T00:00:00Z".parse().unwrap();
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        let told = |ahead: i64| by_our_clock(end, now, Some(days(ahead)));
        assert_eq!((told(1), told(-1)), (Some(end - days(1)), Some(end)));
        assert_eq!((told(200), by_our_clock(now, now, None)), (None, None));
        assert_eq!(by_our_clock(end, now, Some(SignedDuration::from_mins(4))), Some(end));
        let lifetime = serde_json::json!(8_640_000);
        assert_eq!(instant(&lifetime, now, Some(days(1))), Some(end), "a lifetime is by anyone's clock");
    }

    #[test]
    fn doubles_and_missing_tokens_are_refused() {
        for bad in [
            r#"{"access_token":"a","access_token":"b"}"#,
            r#"{"access_token":"a","x":1,"x":2}"#,
            r#"{"token":"a"}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":1}"#,
            r#"{"access_token":"a","refresh_token":["b"]}"#,
            "[]",
            "null",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
