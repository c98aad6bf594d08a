//! What the provider answers. The first byte of an input chooses its status and what it says to be; the rest is its body.

use biotrack_auth::error::{Error, ProviderError, Result};
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::provider::Provider;
use biotrack_auth::model::secret::Secret;
use biotrack_auth::oauth::GrantValidity;
use biotrack_auth::oauth::fuzz_entry::{RawResponse, described, exchanged, looked_up, refreshed};
use biotrack_auth::system::check_safe_to_open;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// What was sent; no error repeats it.
const SENT: &str = "what-was-sent";

static BIOTRACK: LazyLock<Provider> =
    LazyLock::new(|| super::provider("preset = \"local-sandbox\"\nurl = \"http://127.0.0.1:8990\""));
static GENERIC: LazyLock<Provider> = LazyLock::new(|| {
    super::provider("preset = \"generic\"\nissuer = \"https://as.example\"\nclient_id = \"c\"")
});

fn heard(bytes: &[u8]) -> Option<RawResponse<'_>> {
    let (choice, body) = bytes.split_first()?;
    let status = [200, 200, 200, 400, 401, 403, 201, 204][usize::from(choice & 7)];
    let json = Some("application/json");
    let content_type = [json, json, None, Some("text/html")][usize::from(choice >> 3 & 3)];
    Some(RawResponse { status, content_type, body })
}

/// The members of a body that is one object with different members and nothing after it. Read by what the program
/// doesn't use: `Value` for the whole, and a search of its own for the names that stand at the top.
fn members(body: &[u8]) -> Option<Map<String, Value>> {
    let Value::Object(members) = serde_json::from_slice(body).ok()? else { return None };
    (names(body) == members.len()).then_some(members)
}

/// The members of a body that is one object and nothing after it, the last of each name. A byte order mark before it is
/// passed over.
fn last_members(body: &[u8]) -> Option<Map<String, Value>> {
    let Value::Object(members) = serde_json::from_slice(body.strip_prefix(MARK).unwrap_or(body)).ok()? else {
        return None;
    };
    Some(members)
}

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a member stands at the top of an object with two values.
fn has_two_values(body: &[u8], name: &str) -> bool {
    let (mut depth, mut quoted, mut escaped, mut began) = (0, false, false, 0);
    let mut parts = Vec::new();
    for (at, byte) in body.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                began = if depth == 1 { at + 1 } else { began };
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    parts.push(&body[began..at]);
                }
            }
            b',' if depth == 1 => {
                parts.push(&body[began..at]);
                began = at + 1;
            }
            _ => {}
        }
    }
    // Each is an object of its own then.
    let alone = |part: &&[u8]| serde_json::from_slice(&[b"{", *part, b"}"].concat()).ok();
    let values = parts.iter().filter_map(alone).filter_map(|it: Map<String, Value>| it.get(name).cloned());
    let values: Vec<_> = values.collect();
    values.windows(2).any(|pair| pair[0] != pair[1])
}

/// How many members stand at the top of an object: the colons there that are in no text.
fn names(body: &[u8]) -> usize {
    let (mut depth, mut count, mut quoted, mut escaped) = (0, 0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 => count += 1,
            _ => {}
        }
    }
    count
}

/// A grant is taken only from a success that is JSON, and is what stands there.
fn taken(heard: &RawResponse<'_>, granted: &Granted) {
    let members = last_members(heard.body).expect("one object");
    assert!(matches!(heard.status, 200..=203) && heard.content_type != Some("text/html"));
    for name in ["access_token", "refresh_token", "expires_in", "scope", "token_type"] {
        assert!(!has_two_values(heard.body, name), "{name}");
    }
    assert_eq!(members["access_token"], granted.access.expose());
    assert!(!granted.access.expose().is_empty());
    let told = [Some(&granted.access), granted.refresh.as_ref()];
    let refresh = members.get("refresh_token").and_then(Value::as_str).filter(|it| !it.trim().is_empty());
    assert_eq!(refresh, granted.refresh.as_ref().map(Secret::expose));
    if let Some(end) = granted.access_expires_at {
        assert!((0..=1_000_000_000).contains(&end.duration_since(super::now()).as_secs()));
    }
    let again =
        Granted::from_sealable(&granted.to_sealable(&super::key()), &super::key()).expect("what was sealed");
    assert_eq!(again.access.expose(), granted.access.expose());
    assert_eq!(again.refresh.as_ref().map(Secret::expose), granted.refresh.as_ref().map(Secret::expose));
    assert_eq!((again.expires_at, again.access_expires_at), (granted.expires_at, granted.access_expires_at));
    assert_eq!((&again.reported, &again.token_type), (&granted.reported, &granted.token_type));
    // What is reported is kept in the clear.
    let reported = granted.reported.facts.iter().map(|(_, text)| text).chain(&granted.reported.username);
    for text in reported.chain([&granted.token_type]) {
        assert!(!text.contains(SENT), "{text:?}");
        let shown = |token: &&&Secret| token.expose().len() >= 8 && !"(secret)".contains(token.expose());
        let held = told.iter().flatten().filter(shown).find(|token| text.contains(token.expose()));
        assert!(held.is_none() || text.contains("(secret)"), "{text:?}");
    }
}

/// A failure says nothing that it mustn't, and calls nothing dead that isn't called so.
fn failed(heard: &RawResponse<'_>, e: &Error) {
    super::printable(e);
    assert!(!e.to_string().contains(SENT), "{e}");
    let dead = match e {
        Error::Provider(ProviderError::CodeLapsed { .. }) => true,
        Error::Provider(ProviderError::TokenRefused { code, .. }) => {
            assert!(heard.status != 200 && last_members(heard.body).is_some());
            assert!(!has_two_values(heard.body, "error"));
            code == "invalid_grant"
        }
        _ => false,
    };
    if dead {
        let members = last_members(heard.body).expect("one object");
        assert!(heard.status != 200 && members["error"] == "invalid_grant");
    }
}

fn judged(heard: &RawResponse<'_>, answer: Result<Granted>) {
    match answer {
        Ok(granted) => taken(heard, &granted),
        Err(e) => failed(heard, &e),
    }
}

/// The answer to a code.
pub fn token_answer(bytes: &[u8]) {
    let Some(heard) = heard(bytes) else { return };
    let license = super::key().license;
    judged(&heard, exchanged(&BIOTRACK, &license, &Secret::new(SENT), &heard, super::now()));
}

/// The answer to a refresh token.
pub fn refresh_answer(bytes: &[u8]) {
    let Some(heard) = heard(bytes) else { return };
    judged(&heard, refreshed(&BIOTRACK, &Secret::new(SENT), &heard, super::now()));
}

/// A refusal, of a code and of a refresh token.
pub fn error_answer(bytes: &[u8]) {
    for status in [400, 401] {
        let heard = RawResponse { status, content_type: Some("application/json"), body: bytes };
        let license = super::key().license;
        judged(&heard, exchanged(&BIOTRACK, &license, &Secret::new(SENT), &heard, super::now()));
        judged(&heard, refreshed(&BIOTRACK, &Secret::new(SENT), &heard, super::now()));
    }
}

/// The answer to a look at a token: dead only where it says so in so many words.
pub fn introspection(bytes: &[u8]) {
    let Some(heard) = heard(bytes) else { return };
    let says = match looked_up(&BIOTRACK, &heard) {
        Ok(GrantValidity::Active) => true,
        Ok(GrantValidity::Inactive) => false,
        _ => return,
    };
    assert!(heard.status == 200 && heard.content_type != Some("text/html"));
    assert_eq!(members(heard.body).expect("one object")["active"], says);
}

/// A provider's metadata: addresses are taken only from its own, and only such as may be called.
pub fn metadata(bytes: &[u8]) {
    match described(&GENERIC, bytes) {
        Ok(found) => {
            let members = members(bytes).expect("one object");
            assert_eq!(members["issuer"], "https://as.example");
            assert_ne!(members.get("require_pushed_authorization_requests"), Some(&Value::Bool(true)));
            if let Some(methods) = members.get("code_challenge_methods_supported").and_then(Value::as_array) {
                assert!(methods.iter().any(|one| one == "S256"));
            }
            let promised = members.get("authorization_response_iss_parameter_supported");
            assert_eq!(found.iss_required, promised == Some(&Value::Bool(true)));
            let further = [found.revocation, found.introspection].into_iter().flatten();
            for address in [found.authorize, found.token].into_iter().chain(further) {
                assert_eq!(check_safe_to_open(&address), Ok(()));
            }
        }
        Err(e) => super::printable(&e),
    }
}
