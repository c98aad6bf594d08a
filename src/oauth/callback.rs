//! The redirect's query, read with suspicion (RFC 6749 4.1.2, RFC 9207): pure.

use super::endpoints::Endpoints;
use super::server_text::short;
use crate::error::ProviderError;
use crate::model::secret::Secret;

/// What a redirect carries.
#[derive(Debug, Clone)]
pub struct Callback {
    /// The state, where there is exactly one.
    pub state: Option<Secret>,
    pub iss: Option<String>,
    /// A code, or a refusal; or what is malformed.
    pub answered: Result<AuthorizationResponse, &'static str>,
}

impl Callback {
    pub fn code(&self) -> Option<&Secret> {
        match &self.answered {
            Ok(AuthorizationResponse::Code(code)) => Some(code),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub enum AuthorizationResponse {
    Code(Secret),
    /// A refusal: the error's code, and the server's words, cleaned and cut.
    Error(String, Option<String>),
}

pub fn read(query: &str) -> Callback {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let all = |name: &str| {
        pairs.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    let (states, issuers, codes, errors) = (all("state"), all("iss"), all("code"), all("error"));
    // defense: S6 redirect-has-nothing-twice
    let answered = if states.len() > 1 || issuers.len() > 1 || codes.len() > 1 || errors.len() > 1 {
        Err("a parameter appears twice")
    } else {
        match (codes.first(), errors.first()) {
            // defense: S6 redirect-has-code-or-error
            (Some(_), Some(_)) => Err("it has both a code and an error"),
            (None, None) => Err("it has no code and no error"),
            (Some(&""), None) => Err("its code is empty"),
            (Some(code), None) => Ok(AuthorizationResponse::Code(Secret::new(*code))),
            (None, Some(error)) if !is_error_code(error) => Err("its error code is malformed"),
            (None, Some(error)) => Ok(AuthorizationResponse::Error(
                short(error),
                all("error_description").first().map(|words| short(words)),
            )),
        }
    };
    Callback {
        state: match states[..] {
            // defense: S6 redirect-has-one-state
            [state] if !state.is_empty() => Some(Secret::new(state)),
            _ => None,
        },
        iss: issuers.first().map(|iss| (*iss).to_owned()),
        answered,
    }
}

/// What the protocol allows as an error code (RFC 6749 4.1.2.1): no provider says anything else, and only a provider's refusal
/// closes a flow.
fn is_error_code(error: &str) -> bool {
    !error.is_empty() && error.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte))
}

/// The code of an answer whose state is that of a flow about `license`: its sender is who was asked, and it is no
/// refusal (RFC 6749 4.1.2, RFC 9207 2.4).
pub fn code_of(callback: Callback, license: String, endpoints: &Endpoints) -> Result<Secret, ProviderError> {
    let (issuer, required) = (endpoints.issuer.as_deref(), endpoints.iss_required);
    if let Some(found) = issuer_differs(issuer, required, callback.iss.as_deref()) {
        let expected = issuer.unwrap_or_default().to_owned();
        return Err(ProviderError::Issuer { license, expected, found });
    }
    match callback.answered {
        Ok(AuthorizationResponse::Code(code)) => Ok(code),
        Ok(AuthorizationResponse::Error(code, description)) => {
            Err(ProviderError::Refused { license, code, description })
        }
        Err(problem) => Err(ProviderError::Redirect { license, problem }),
    }
}

/// Whether a redirect is from who was asked, as far as it says.
pub fn is_from_issuer(callback: &Callback, endpoints: &Endpoints) -> bool {
    issuer_differs(endpoints.issuer.as_deref(), endpoints.iss_required, callback.iss.as_deref()).is_none()
}

/// Who the redirect says it's from, where that isn't who was asked (RFC 9207 2.4): to the letter.
fn issuer_differs(expected: Option<&str>, required: bool, found: Option<&str>) -> Option<String> {
    match (expected, found) {
        // defense: S3 redirect-issuer-was-asked
        // defense: S3 redirect-issuer-to-the-letter
        (Some(expected), Some(found)) if expected == found => None,
        // defense: S3 S5 redirect-of-another-issuer
        (_, Some(found)) if expected.is_some() || required => Some(short(found)),
        // defense: S3 redirect-issuer-where-promised
        (_, None) if required => Some("an unnamed issuer".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_a_refusal_are_read() {
        let good = read("code=a%2Bb&state=s&iss=https%3A%2F%2Fx");
        assert_eq!(good.state.unwrap().expose(), "s");
        assert_eq!(good.iss.as_deref(), Some("https://x"));
        assert!(matches!(good.answered, Ok(AuthorizationResponse::Code(code)) if code.expose() == "a+b"));
        let refused = read("error=access_denied&error_description=no%1b%5b31m&state=s");
        assert!(
            matches!(refused.answered, Ok(AuthorizationResponse::Error(code, Some(words))) if code == "access_denied" && words == "no\u{fffd}[31m")
        );
    }

    #[test]
    fn the_issuer_is_compared_to_the_letter() {
        let us = Some("https://a.example");
        assert_eq!(issuer_differs(us, true, us), None);
        assert_eq!(issuer_differs(us, false, None), None);
        assert_eq!(issuer_differs(None, false, Some("https://anyone")), None);
        for (required, found) in [
            (true, None),
            (false, Some("https://a.example/")),
            (false, Some("https://A.example")),
            (true, Some("")),
        ] {
            assert!(issuer_differs(us, required, found).is_some(), "{found:?}");
        }
    }

    #[test]
    fn doubles_and_contradictions_are_refused() {
        for bad in [
            "code=a&code=b&state=s",
            "code=a&error=b&state=s",
            "state=s",
            "code=&state=s",
            "error=a&error=b&state=s",
            "error=&state=s",
            "error&state=s",
            "error=no%0Aaccess&state=s",
            "error=%22access_denied%22&state=s",
            "error=%C3%A9&state=s",
            "code=a&state=s&iss=x&iss=y",
            "",
        ] {
            assert!(read(bad).answered.is_err(), "{bad}");
        }
        for stateless in ["code=a", "code=a&state=", "code=a&state=s&state=s", "code=a&state=s&state=t"] {
            assert!(read(stateless).state.is_none(), "{stateless}");
        }
    }
}
