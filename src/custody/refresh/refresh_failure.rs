//! What a refresh that failed says about the refresh token.

use crate::error::{Error, ProviderError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefreshFailure {
    /// The provider says that the grant is dead.
    Dead,
    /// It certainly wasn't used.
    Unsent,
    /// It was sent, and the connection broke or stayed silent.
    LostOnTheWay,
    /// Something came back that doesn't say.
    Uncertain,
}

pub(super) fn classify_error(error: &Error) -> RefreshFailure {
    const TOO_MANY_REQUESTS: u16 = 429;
    match error {
        // defense: S7 only-invalid-grant-ends-a-grant
        Error::Provider(ProviderError::TokenRefused { code, .. }) if code == "invalid_grant" => {
            RefreshFailure::Dead
        }
        Error::Provider(ProviderError::Lost { .. }) => RefreshFailure::LostOnTheWay,
        Error::Provider(ProviderError::Overloaded { status, .. }) if *status != TOO_MANY_REQUESTS => {
            RefreshFailure::Uncertain
        }
        Error::Provider(ProviderError::Useless { .. })
        | Error::Interrupted { .. }
        | Error::System { .. }
        | Error::Internal(_) => RefreshFailure::Uncertain,
        _ => RefreshFailure::Unsent,
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
        assert_eq!(classify_error(&refused("invalid_grant")), RefreshFailure::Dead);
        for code in ["invalid_client", "invalid_request", "unauthorized_client", "temporarily_unavailable"] {
            assert_eq!(classify_error(&refused(code)), RefreshFailure::Unsent, "{code}");
        }
    }

    #[test]
    fn a_refresh_counts_as_unsent_only_where_the_provider_cannot_have_acted_on_it() {
        assert_eq!(classify_error(&overloaded(429)), RefreshFailure::Unsent);
        assert_eq!(classify_error(&overloaded(503)), RefreshFailure::Uncertain);
        let (host, reason) = ("biotrack.example".to_owned(), "the connection broke".to_owned());
        let unreachable =
            ProviderError::Unreachable { host: host.clone(), setting: "token_url", reason: reason.clone() };
        assert_eq!(classify_error(&unreachable.into()), RefreshFailure::Unsent);
        let lost = ProviderError::Lost { host, what: "the refresh", reason };
        assert_eq!(classify_error(&lost.into()), RefreshFailure::LostOnTheWay);
        assert_eq!(classify_error(&Error::Interrupted { next: None }), RefreshFailure::Uncertain);
    }
}
