//! What a refresh that failed says about the refresh token.

use crate::error::{Error, ProviderError};

/// What a failed refresh says about the refresh token.
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
