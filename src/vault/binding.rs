//! What stands in front of a secret where it's kept: what it was sealed for, and the proof of which host sealed it.

use crate::error::{Error, Result, UnsealError, VaultError};
use crate::model::seal::{ExpectedSeal, SealLabel, SealMismatch};
use crate::model::secret::Sealable;
use age::x25519::Identity;
use hkdf::Hkdf;
use hkdf::hmac::{Hmac, Mac};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How the first line begins. What 0.2.0 sealed is JSON, and never begins so.
const MARK: &[u8] = b"biotrack-auth seal 1 ";

/// What the second line says where nothing proves who sealed it.
const UNPROVEN: &str = "-";

/// The first line, behind its mark.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    label: SealLabel,
    /// The keyring's item that it was written to: an item's content is no other item's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item: Option<String>,
}

/// Proves that whoever sealed something had this identity, and not only its public half.
#[derive(Clone)]
pub(super) struct SealerKey(Zeroizing<[u8; 32]>);

impl SealerKey {
    pub(super) fn of(identity: &Identity) -> Self {
        let text = identity.to_string();
        let mut key = Zeroizing::new([0; 32]);
        let derived = Hkdf::<Sha256>::new(Some(b"biotrack-auth seal"), text.expose_secret().as_bytes());
        // Fails for keys longer than 255 hashes alone: this is one.
        let _ = derived.expand(b"sealer 1", key.as_mut_slice());
        Self(key)
    }

    fn mac(&self, line: &[u8], secret: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).ok()?;
        // The line has no line break, so that what is proven can be cut in one way alone.
        mac.update(line);
        mac.update(b"\n");
        mac.update(secret);
        Some(mac)
    }
}

/// A secret with what it was sealed for, as it came out of its seal.
pub(super) struct OpenedSecret {
    /// `None`: it doesn't say.
    pub(super) label: Option<SealLabel>,
    item: Option<String>,
    /// One of this host's own identities sealed it.
    pub(super) is_ours: bool,
    pub(super) secret: Sealable,
}

/// The secret behind its label; `key` proves who sealed it, `item` is the keyring's item that it goes into.
pub(super) fn bind(
    label: &SealLabel,
    item: Option<&str>,
    key: Option<&SealerKey>,
    secret: &Sealable,
) -> Result<Sealable> {
    let head = Head { label: label.clone(), item: item.map(str::to_owned) };
    let mut line = MARK.to_vec();
    serde_json::to_writer(&mut line, &head).map_err(|e| Error::Internal(e.to_string()))?;
    let proof = key.and_then(|key| key.mac(&line, secret.bytes()));
    let proof = proof.map_or(UNPROVEN.to_owned(), |mac| hex::encode(mac.finalize().into_bytes()));
    // Its length is known: the buffer never moves and leaves no copy behind.
    let mut bytes = Vec::with_capacity(line.len() + proof.len() + 2 + secret.bytes().len());
    for piece in [&line, &b"\n"[..], proof.as_bytes(), b"\n", secret.bytes()] {
        bytes.extend_from_slice(piece);
    }
    Ok(Sealable::from_bytes(bytes))
}

/// Reads what was sealed. One without a label is 0.2.0's, or nobody's.
pub(super) fn unbind(opened: Sealable, keys: &[SealerKey]) -> Result<OpenedSecret, UnsealError> {
    if !opened.bytes().starts_with(MARK) {
        return Ok(OpenedSecret { label: None, item: None, is_ours: false, secret: opened });
    }
    let mut parts = opened.bytes().splitn(3, |byte| *byte == b'\n');
    let (Some(line), Some(proof), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(UnsealError::Content);
    };
    let Head { label, item } =
        serde_json::from_slice(&line[MARK.len()..]).map_err(|_| UnsealError::Content)?;
    let proof = hex::decode(proof).unwrap_or_default();
    let proves = |key: &SealerKey| key.mac(line, secret).is_some_and(|mac| mac.verify_slice(&proof).is_ok());
    let is_ours = keys.iter().any(proves);
    Ok(OpenedSecret { label: Some(label), item, is_ours, secret: Sealable::from_bytes(secret.to_vec()) })
}

impl OpenedSecret {
    /// The secret, where it belongs in this row. `item`: the keyring's item in which it was found; `proven`: only this host can
    /// have sealed it.
    pub(super) fn checked(
        self,
        row: &ExpectedSeal,
        item: Option<&str>,
        proven: bool,
    ) -> Result<(Sealable, Option<SealLabel>)> {
        let what = row.whose();
        let Some(label) = self.label else {
            // defense: S60 unlabeled-only-in-its-old-row
            return match row.is_old {
                true => Ok((self.secret, None)),
                false => Err(VaultError::Unlabeled { what }.into()),
            };
        };
        // defense: S60 an-item-names-itself
        if let Some(item) = item
            && self.item.as_deref() != Some(item)
        {
            let sealed = format!("the keyring's item {}", self.item.as_deref().unwrap_or("of no name"));
            return Err(VaultError::Elsewhere { what, sealed, row: format!("the item {item}") }.into());
        }
        row.holds(&label, item.is_none()).map_err(|mismatch| refusal(mismatch, what.clone(), &label))?;
        // defense: S60 only-our-own-for-ourselves
        if proven && !self.is_ours {
            return Err(VaultError::Unauthentic { what }.into());
        }
        Ok((self.secret, Some(label)))
    }
}

fn refusal(mismatch: SealMismatch, what: String, label: &SealLabel) -> VaultError {
    match mismatch {
        SealMismatch::Elsewhere { sealed, row } => VaultError::Elsewhere { what, sealed, row },
        SealMismatch::Number { sealed, row } => VaultError::PutBack { what, sealed, newest: row },
        SealMismatch::Moved { sealed, now } => {
            VaultError::Moved { what, profile: label.profile.clone(), sealed, now }
        }
    }
}
