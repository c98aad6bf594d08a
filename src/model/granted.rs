//! What a consent brought: tokens, their ends, and what the provider said of them.

use super::consent::ReportedGrant;
use super::ids::LicenseId;
use super::secret::{Sealable, Secret, SecretText};
use crate::error::{Error, Result, UnsealError, VaultError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A grant's tokens and what was reported with them. Sealed as one item.
#[derive(Debug, Clone)]
pub struct Granted {
    pub access: Secret,
    /// The refresh token; some providers give none.
    pub refresh: Option<Secret>,
    /// It's from before the last refresh, whose answer brought none. A provider that replaces it without sending the new one
    /// leaves a dead one here.
    pub refresh_is_older: bool,
    /// When the access token ends, where that is known.
    pub access_expires_at: Option<Timestamp>,
    /// When the grant ends, where the provider said so.
    pub expires_at: Option<Timestamp>,
    /// The token's type, as the provider named it (RFC 6749 7.1).
    pub token_type: String,
    /// Scopes that were asked for and not given.
    pub missing_scopes: Vec<String>,
    pub reported: ReportedGrant,
    pub received_at: Timestamp,
}

/// Another admin's grant that awaits approval, as it was read at one moment: whoever was shown it accepts or discards this
/// very grant, and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitingGrant {
    pub key: LicenseId,
    pub granted_by: String,
    /// The number of its row, which comes once, and stays where its tokens are sealed anew or moved.
    pub id: i64,
}

/// The sealed form. It names its license, so that a blob moved to another row is noticed.
#[derive(Serialize, Deserialize)]
struct SealedGrant {
    ubi: String,
    license: String,
    access: SecretText,
    refresh: Option<SecretText>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refresh_is_older: bool,
    access_expires_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    token_type: String,
    missing_scopes: Vec<String>,
    reported: ReportedGrant,
    received_at: Timestamp,
}

impl Granted {
    /// What a refresh of this makes of it: the new access token in the old grant. A refresh token that wasn't rotated
    /// stays (RFC 6749 6), and so does what was reported with the consent where the answer doesn't repeat it.
    pub fn refreshed(&self, answer: Self) -> Self {
        Self {
            refresh_is_older: answer.refresh.is_none() && self.refresh.is_some(),
            // defense: S8 refresh-token-stays
            refresh: answer.refresh.or_else(|| self.refresh.clone()),
            expires_at: answer.expires_at.or(self.expires_at),
            reported: ReportedGrant {
                // Of an end it's the newest word that counts, whether it can be taken or not.
                odd_end: match (&answer.reported.odd_end, answer.expires_at) {
                    (None, None) => self.reported.odd_end.clone(),
                    (told, _) => told.clone(),
                },
                ..self.reported.clone()
            },
            missing_scopes: Vec::new(),
            ..answer
        }
    }

    /// The same with another refresh token: the answer's access token is of no use, but the old one is spent.
    pub fn with_refresh_of(&self, answer: &Self) -> Self {
        Self {
            refresh_is_older: answer.refresh.is_none() && self.refresh.is_some(),
            refresh: answer.refresh.clone().or_else(|| self.refresh.clone()),
            ..self.clone()
        }
    }

    /// Whether the access token has only characters that a token may have (RFC 6749 A.12): any other would make two
    /// headers of one, or two variables.
    pub fn is_sendable(&self) -> bool {
        self.access.expose().bytes().all(|byte| (0x20..=0x7e).contains(&byte))
    }

    /// As one item for the vault.
    pub fn to_sealable(&self, key: &LicenseId) -> Sealable {
        Sealable::of(&SealedGrant {
            ubi: key.ubi.to_string(),
            license: key.license.to_string(),
            access: (&self.access).into(),
            refresh: self.refresh.as_ref().map(Into::into),
            refresh_is_older: self.refresh_is_older,
            access_expires_at: self.access_expires_at,
            expires_at: self.expires_at,
            token_type: self.token_type.clone(),
            missing_scopes: self.missing_scopes.clone(),
            reported: self.reported.clone(),
            received_at: self.received_at,
        })
    }

    /// Out of the vault; an error where it's another license's.
    pub fn from_sealable(sealed: &Sealable, key: &LicenseId) -> Result<Self> {
        let form: SealedGrant = sealed.read(key.license.as_str())?;
        // defense: S31 tokens-of-their-own-license
        if form.ubi != key.ubi.as_str() || form.license != key.license.as_str() {
            return Err(Error::Vault(VaultError::Sealed {
                what: key.to_string(),
                reason: UnsealError::OtherLicense,
            }));
        }
        Ok(Self {
            access: form.access.into_secret(),
            refresh: form.refresh.map(SecretText::into_secret),
            refresh_is_older: form.refresh_is_older,
            access_expires_at: form.access_expires_at,
            expires_at: form.expires_at,
            token_type: form.token_type,
            missing_scopes: form.missing_scopes,
            reported: form.reported,
            received_at: form.received_at,
        })
    }
}
