//! A new grant that the provider refused before it was ever proven.

use crate::error::ProviderError;

#[derive(Debug)]
pub(in crate::custody) struct RefusedGrant {
    /// The provider's word, a clause.
    pub(super) why: String,
    /// The grant from before is used again.
    pub(super) has_previous: bool,
}

impl RefusedGrant {
    pub(in crate::custody) fn error(self) -> ProviderError {
        ProviderError::NewGrantRefused { said: self.why, has_previous: self.has_previous }
    }
}
