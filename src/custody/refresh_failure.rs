//! What a refresh that failed says about the refresh token.

use crate::error::{Error, ProviderError};

/// What a failed refresh says about the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The provider says that the grant is dead.
    Dead,
    /// It certainly wasn't used.
    Unsent,
    /// It was sent, and the connection broke or stayed silent.
    LostOnTheWay,
    /// Something came back that doesn't say.
    Uncertain,
}

/// What this failure means.
pub(super) fn meaning(error: &Error) -> Meaning {
    const TOO_MANY_REQUESTS: u16 = 429;
    match error {
        // defense: S7 only-invalid-grant-ends-a-grant
        Error::Provider(ProviderError::TokenRefused { code, .. }) if code == "invalid_grant" => Meaning::Dead,
        Error::Provider(ProviderError::Lost { .. }) => Meaning::LostOnTheWay,
        Error::Provider(ProviderError::Overloaded { status, .. }) if *status != TOO_MANY_REQUESTS => {
            Meaning::Uncertain
        }
        Error::Provider(ProviderError::Useless { .. })
        | Error::Interrupted { .. }
        | Error::System { .. }
        | Error::Internal(_) => Meaning::Uncertain,
        _ => Meaning::Unsent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Error {
        let host = "biotrack.example".into();
        ProviderError::TokenRefused {
            host,
            what: "the refresh",
            code: code.into(),
            description: None,
            set_secret: None,
        }
        .into()
    }

    fn overloaded(status: u16) -> Error {
        let host = "biotrack.example".into();
        ProviderError::Overloaded { host, what: "the refresh", status, retry_after: None }.into()
    }

    #[test]
    fn only_the_provider_s_own_word_on_the_grant_ends_it() {
        assert_eq!(meaning(&refused("invalid_grant")), Meaning::Dead);
        for code in ["invalid_client", "invalid_request", "unauthorized_client", "temporarily_unavailable"] {
            assert_eq!(meaning(&refused(code)), Meaning::Unsent, "{code}");
        }
    }

    #[test]
    fn a_refresh_counts_as_unsent_only_where_the_provider_cannot_have_acted_on_it() {
        assert_eq!(meaning(&overloaded(429)), Meaning::Unsent);
        assert_eq!(meaning(&overloaded(503)), Meaning::Uncertain);
        let (host, reason) = ("biotrack.example".to_owned(), "the connection broke".to_owned());
        let unreachable =
            ProviderError::Unreachable { host: host.clone(), setting: "token_url", reason: reason.clone() };
        assert_eq!(meaning(&unreachable.into()), Meaning::Unsent);
        let lost = ProviderError::Lost { host, what: "the refresh", reason };
        assert_eq!(meaning(&lost.into()), Meaning::LostOnTheWay);
        assert_eq!(meaning(&Error::Interrupted { next: None }), Meaning::Uncertain);
    }
}
