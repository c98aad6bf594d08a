//! The token answer (RFC 6749 5.1), read with suspicion: no member that counts with two values, odd lifetimes are unknown lifetimes.

use super::endpoints::CLOCK_SKEW_TOLERATED;
use super::members::{AllMembers, MembersVisitor, all_members};
use super::strict_http::unasked_encoding;
use crate::model::consent::ReportedGrant;
use crate::model::duration::in_words;
use crate::model::granted::Granted;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Epoch seconds begin here; a smaller number is a lifetime (31 years).
const EPOCH_FROM: f64 = 1e9;

/// Epoch milliseconds begin here (the year 1973); as seconds, that is the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// No number from here on is an instant of our era.
const NO_INSTANT_FROM: f64 = 1e14;

/// An end that is farther off than this is no date that anybody chose, unless the profile's grants live that long.
const FAR_OFF: SignedDuration = SignedDuration::from_hours(24 * 3653);

#[derive(Clone)]
pub struct TokenAnswer {
    access: AccessToken,
    refresh: Option<RefreshToken>,
    scopes: Option<Vec<Scope>>,
    members: Map<String, Value>,
    /// Members that came with several values.
    doubtful: BTreeSet<String>,
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
        Self::of(from.deserialize_map(MembersVisitor)?).map_err(D::Error::custom)
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
    /// An answer out of its members. What can be understood is taken, for a grant is lost with an answer that isn't: an
    /// empty refresh token is none, an empty scope says nothing, and a list of scopes is what its items say.
    ///
    /// # Errors
    /// The member that is missing or can't be read, in words that repeat nothing of it.
    fn of(all: AllMembers) -> Result<Self, &'static str> {
        const TWICE: [(&str, &str); 5] = [
            ("access_token", "access_token has two values"),
            ("expires_in", "expires_in has two values"),
            ("refresh_token", "refresh_token has two values"),
            ("scope", "scope has two values"),
            ("token_type", "token_type has two values"),
        ];
        let AllMembers { members, doubtful } = all;
        if let Some((_, problem)) = TWICE.iter().find(|(name, _)| doubtful.contains(*name)) {
            return Err(problem);
        }
        let text = |name: &str, isnt: &'static str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.trim().is_empty())),
            Some(_) => Err(isnt),
        };
        let access = text("access_token", "an access_token that isn't a string")?.ok_or("no access_token")?;
        let refresh = text("refresh_token", "a refresh_token that isn't a string")?;
        let scopes = match members.get("scope") {
            Some(Value::Array(items)) => {
                let items: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
                Some(items.ok_or("a scope that isn't a string")?.join(" "))
            }
            _ => text("scope", "a scope that isn't a string")?,
        };
        let scopes = scopes.map(|all| all.split_whitespace().map(|one| Scope::new(one.to_owned())).collect());
        Ok(Self {
            access: AccessToken::new(access),
            refresh: refresh.map(RefreshToken::new),
            scopes: scopes.filter(|scopes: &Vec<_>| !scopes.is_empty()),
            members,
            doubtful,
        })
    }

    /// What keeps a body from being a token answer, where it's JSON at all, or would be.
    pub(super) fn problem(body: &[u8]) -> Option<String> {
        if let Some(encoding) = unasked_encoding(body) {
            return Some(format!("it is compressed with {encoding}, which wasn't asked for"));
        }
        Self::of(all_members(body).ok()?).err().map(str::to_owned)
    }

    /// A field that the profile names and that came with several values: which of them is meant, nobody knows.
    pub(super) fn doubtful_field<'p>(&self, provider: &'p Provider) -> Option<&'p str> {
        let fields = &provider.fact_fields;
        let named = fields.facts.iter().map(|(_, field)| field);
        let mut named = named.chain(&fields.username).chain(&provider.grant_expiry);
        named.find(|field| self.doubtful.contains(*field)).map(String::as_str)
    }

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
        let end = told.map_or(ReportedEnd::NONE, |told| ReportedEnd::of(told, now, provider.lifetime, skew));
        Granted {
            access: Secret::new(self.access.secret().clone()),
            refresh: self.refresh.as_ref().map(|token| Secret::new(token.secret().clone())),
            refresh_is_older: false,
            access_expires_at: self.expires_in().and_then(from_now),
            expires_at: end.at,
            token_type: self.members.get("token_type").and_then(as_text).unwrap_or_else(|| "Bearer".into()),
            missing_scopes: provider
                .scopes
                .iter()
                .filter(|asked| given.is_some_and(|given| !given.iter().any(|one| one.as_str() == *asked)))
                .cloned()
                .collect(),
            reported: ReportedGrant {
                facts: fields.facts.iter().filter_map(|(fact, field)| Some((*fact, text(field)?))).collect(),
                username: fields.username.as_ref().and_then(text),
                odd_end: end.odd,
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

/// A grant's end as an answer tells it.
#[derive(Debug, PartialEq, Eq)]
struct ReportedEnd {
    /// When it is, by our own clock; `None` where the answer tells none that can be.
    at: Option<Timestamp>,
    /// What was told, where that isn't to be taken as it stands.
    odd: Option<String>,
}

impl ReportedEnd {
    const NONE: Self = Self { at: None, odd: None };

    /// RFC 3339, Unix time in seconds or milliseconds, or seconds from now. What can't be read, is over as it comes, or is
    /// far off, is no end: it's told as it came, and the careful estimate is better.
    fn of(value: &Value, now: Timestamp, lifetime: SignedDuration, skew: Option<SignedDuration>) -> Self {
        let Some(told) = as_text(value).filter(|told| !told.trim().is_empty()) else { return Self::NONE };
        let latest = now.saturating_add(FAR_OFF.max(lifetime.saturating_mul(2))).unwrap_or(Timestamp::MAX);
        // defense: S40 an-end-that-is-over-is-none
        let fits = |at: &Timestamp| (now..=latest).contains(at) && *at != now;
        match instant(value, now) {
            Some(Instant::FromNow(at)) if fits(&at) => Self { at: Some(at), odd: None },
            Some(Instant::ByItsClock(at)) => {
                let skew = skew.filter(|skew| skew.abs() > CLOCK_SKEW_TOLERATED);
                let ours = by_our_clock(at, skew).filter(fits);
                let by = skew.filter(|_| ours.is_some()).map_or_else(String::new, |skew| {
                    let way = if skew.is_negative() { "behind" } else { "ahead" };
                    format!(", by a clock {} {way}", in_words(skew.abs()))
                });
                let odd = (ours.is_none() || !by.is_empty()).then(|| format!("{told}{by}"));
                Self { at: ours, odd }
            }
            _ => Self { at: None, odd: Some(told) },
        }
    }
}

/// An instant, and whose clock it's told by.
enum Instant {
    FromNow(Timestamp),
    ByItsClock(Timestamp),
}

fn instant(value: &Value, now: Timestamp) -> Option<Instant> {
    if let Some(at) = value.as_str().and_then(crate::model::instant::parse) {
        return Some(Instant::ByItsClock(at));
    }
    let number = number(value).filter(|number| (0.0..NO_INSTANT_FROM).contains(number))?;
    #[expect(clippy::cast_possible_truncation, reason = "below 1e14")]
    let whole = number as i64;
    if number >= MILLISECONDS_FROM {
        Timestamp::from_millisecond(whole).ok().map(Instant::ByItsClock)
    } else if number >= EPOCH_FROM {
        Timestamp::from_second(whole).ok().map(Instant::ByItsClock)
    } else {
        now.checked_add(SignedDuration::from_secs(whole)).ok().map(Instant::FromNow)
    }
}

/// An instant that the provider names is one of its own clock, and by that clock the grant will end. Where it's ahead,
/// the end comes sooner here than its name says; where it's behind, the name is early enough.
fn by_our_clock(told: Timestamp, skew: Option<SignedDuration>) -> Option<Timestamp> {
    // defense: S40 provider-ahead-ends-sooner
    let ahead = skew.filter(|skew| skew.is_positive()).unwrap_or_default();
    told.checked_sub(ahead).ok()
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

    use crate::model::instant::for_machines;

    const NOW: &str = "2026-01-01T00:00:00Z";
    const LIFETIME: SignedDuration = SignedDuration::from_hours(2400);

    /// The end that is taken, and what is told beside it.
    fn end(json: &str, skew: Option<SignedDuration>) -> (Option<String>, Option<String>) {
        let told = serde_json::from_str(json).unwrap();
        let ReportedEnd { at, odd } = ReportedEnd::of(&told, NOW.parse().unwrap(), LIFETIME, skew);
        (at.map(for_machines), odd)
    }

    #[test]
    fn a_grants_end_may_be_told_in_four_ways() {
        for told in [
            "\"2026-04-11T00:00:00Z\"",
            "\"2026-04-10T20:00:00-04:00\"",
            "1775865600",
            "1775865600000",
            "\"1775865600123\"",
            "8640000",
            "\"8640000\"",
        ] {
            let (at, odd) = end(told, None);
            assert!(at.unwrap().starts_with("2026-04-11T00:00:00"), "{told}");
            assert_eq!(odd, None, "{told}");
        }
        for nothing in ["null", "\"\"", "\" \""] {
            assert_eq!(end(nothing, None), (None, None), "{nothing}");
        }
    }

    #[test]
    fn an_end_that_cannot_be_is_none_and_is_told_as_it_came() {
        for odd in [
            "31/12/2027",
            "tomorrow",
            "2026-13-41",
            "2025-12-31T23:59:59Z",
            NOW,
            "9999-12-31T23:59:59Z",
            "2036-01-03T00:00:00Z",
        ] {
            assert_eq!(end(&format!("\"{odd}\""), None), (None, Some(odd.to_owned())), "{odd}");
        }
        for odd in
            ["0", "-1", "1e+30", "1735689600", "1735689600000", "4102444800", "999999999", "[1]", "true"]
        {
            assert_eq!(end(odd, None), (None, Some(odd.to_owned())), "{odd}");
        }
        // Where the profile's grants live that long, it's no surprise.
        let told = serde_json::json!("2046-01-01T00:00:00Z");
        let lifetime = SignedDuration::from_hours(24 * 365 * 20);
        assert!(ReportedEnd::of(&told, NOW.parse().unwrap(), lifetime, None).at.is_some());
    }

    #[test]
    fn an_end_by_a_clock_that_is_ahead_comes_sooner_and_both_are_told() {
        let days = |days: i64| Some(SignedDuration::from_hours(24 * days));
        let told = "\"2026-04-11T00:00:00Z\"";
        let by = |clock: &str| Some(format!("2026-04-11T00:00:00Z, by a clock {clock}"));
        assert_eq!(end(told, days(2)), (Some("2026-04-09T00:00:00Z".into()), by("2 days ahead")));
        assert_eq!(end(told, days(-2)), (Some("2026-04-11T00:00:00Z".into()), by("2 days behind")));
        assert_eq!(
            end(told, Some(SignedDuration::from_mins(4))),
            (Some("2026-04-11T00:00:00Z".into()), None)
        );
        assert_eq!(end(told, days(200)), (None, Some("2026-04-11T00:00:00Z".into())), "it would be over");
        let lifetime = end("8640000", days(2));
        assert_eq!(lifetime, (Some("2026-04-11T00:00:00Z".into()), None), "a lifetime is by anyone's clock");
    }

    #[test]
    fn what_can_be_understood_is_taken_and_no_grant_lost_for_it() {
        let refresh = |json: &str| parsed(json).unwrap().refresh.map(|it| it.secret().clone());
        assert_eq!(refresh(r#"{"access_token":"a","refresh_token":""}"#), None);
        assert_eq!(refresh(r#"{"access_token":"a","refresh_token":null}"#), None);
        assert_eq!(refresh(r#"{"access_token":"a","refresh_token":" "}"#), None);
        assert_eq!(refresh(r#"{"access_token":"a","refresh_token":"b"}"#), Some("b".into()));
        let scopes = |value: &str| {
            let answer = parsed(&format!(r#"{{"access_token":"a","scope":{value}}}"#)).unwrap();
            answer.scopes.map(|all| all.iter().map(|one| one.to_string()).collect::<Vec<_>>().join("+"))
        };
        assert_eq!(scopes("\"read  write\""), Some("read+write".into()));
        assert_eq!(scopes("[\"read\",\"write\"]"), Some("read+write".into()));
        for nothing in ["\"\"", "[]", "null", "\" \""] {
            assert_eq!(scopes(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_member_that_cannot_be_read_is_named_and_never_repeated() {
        for (body, problem) in [
            (r#"{"token":"secret"}"#, Some("no access_token")),
            (r#"{"access_token":""}"#, Some("no access_token")),
            (r#"{"access_token":"a","access_token":"b"}"#, Some("access_token has two values")),
            (r#"{"access_token":"a","expires_in":1,"expires_in":2}"#, Some("expires_in has two values")),
            (r#"{"access_token":"a","access_token":"a","x":1,"x":2}"#, None),
            ("-gzip", Some("it is compressed with gzip, which wasn't asked for")),
            (r#"{"access_token":["secret"]}"#, Some("an access_token that isn't a string")),
            (
                r#"{"access_token":"a","refresh_token":{"secret":1}}"#,
                Some("a refresh_token that isn't a string"),
            ),
            (r#"{"access_token":"a","scope":[1]}"#, Some("a scope that isn't a string")),
            (r#"{"access_token":"a"}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(TokenAnswer::problem(body.as_bytes()).as_deref(), problem, "{body}");
        }
    }

    #[test]
    fn doubles_and_missing_tokens_are_refused() {
        for bad in [
            r#"{"access_token":"a","access_token":"b"}"#,
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
