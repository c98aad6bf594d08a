//! Looking a grant up at the provider (RFC 7662). Anything unclear means unknown; and "inactive" is no proof of a dead grant,
//! because a provider says so to whoever may not look, too (2.2).

use super::members::members;
use super::strict_http::whole;
use super::token_client::client;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::system::{Http, HttpFault};
use oauth2::basic::{BasicErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AccessToken, AsyncHttpClient, HttpRequest, HttpResponse, IntrospectionUrl, RequestTokenError,
    TokenIntrospectionResponse,
};
use std::pin::Pin;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantValidity {
    Active,
    /// The provider says that it isn't, or that we may not look.
    Inactive,
    /// No clear answer: an outage, a refusal, something unreadable.
    Unknown,
}

/// Asks the provider about a token, of the type that `hint` names (RFC 7662 2.1). A refresh token lives as long as its grant; a
/// provider that looks none up calls each inactive (2.2): whoever asks must know better.
pub async fn introspect(
    http: &Http,
    provider: &Provider,
    address: &str,
    secret: Option<&Secret>,
    token: &Secret,
    hint: &'static str,
) -> GrantValidity {
    let Ok(address) = IntrospectionUrl::new(address.to_owned()) else { return GrantValidity::Unknown };
    let client = client(provider, secret).set_introspection_url(address);
    let token = AccessToken::new(token.expose().to_owned());
    parse_response(client.introspect(&token).set_token_type_hint(hint).request_async(&OnlyActive(http)).await)
}

/// A client whose answers say whether a token is active, and nothing else.
struct OnlyActive<'h>(&'h Http);

impl<'c> AsyncHttpClient<'c> for OnlyActive<'_> {
    type Error = HttpFault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async { self.0.send(request).await.map(|answer| only_active(whole(answer))) })
    }
}

/// An answer without the members that nothing here hangs on: a fractional `exp`, or an `aud` in a form of its own, makes no
/// clear word an unclear one.
pub(super) fn only_active(mut answer: HttpResponse) -> HttpResponse {
    if answer.status().is_success()
        && let Ok(members) = members(answer.body())
        && let Some(active) = members.get("active").and_then(serde_json::Value::as_bool)
    {
        *answer.body_mut() = format!("{{\"active\":{active}}}").into_bytes();
    }
    answer
}

pub(super) fn parse_response(
    answer: Result<BasicTokenIntrospectionResponse, RequestTokenError<HttpFault, BasicErrorResponse>>,
) -> GrantValidity {
    match answer {
        Ok(answer) if answer.active() => GrantValidity::Active,
        Ok(_) => GrantValidity::Inactive,
        // defense: S12 unclear-is-not-inactive
        Err(_) => GrantValidity::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::fuzz_entry::{RawResponse, looked_up};

    fn liveness(status: u16, body: &str) -> GrantValidity {
        let heard = RawResponse { status, content_type: Some("application/json"), body: body.as_bytes() };
        looked_up(&Provider::default(), &heard).unwrap()
    }

    #[test]
    fn what_stands_beside_a_clear_word_does_not_make_it_unclear() {
        for beside in [
            r#""exp":1783944000.5"#,
            r#""exp":"1783944000""#,
            r#""exp":null,"iat":-1"#,
            r#""aud":{"a":1},"scope":["read"]"#,
            r#""username":7,"token_type":["Bearer"]"#,
        ] {
            assert_eq!(
                liveness(200, &format!(r#"{{"active":true,{beside}}}"#)),
                GrantValidity::Active,
                "{beside}"
            );
            assert_eq!(
                liveness(200, &format!(r#"{{"active":false,{beside}}}"#)),
                GrantValidity::Inactive,
                "{beside}"
            );
        }
    }

    #[test]
    fn only_a_clear_word_is_one() {
        for body in [
            "",
            "{}",
            r#"{"active":"false"}"#,
            r#"{"active":0}"#,
            r#"{"active":null}"#,
            r#"{"active":false,"active":true}"#,
            r#"{"active":false}{"active":true}"#,
            r#"[{"active":false}]"#,
            "<html>",
        ] {
            assert_eq!(liveness(200, body), GrantValidity::Unknown, "{body}");
        }
        for status in [400, 401, 403, 404] {
            assert_eq!(liveness(status, r#"{"active":false}"#), GrantValidity::Unknown, "{status}");
        }
    }
}
