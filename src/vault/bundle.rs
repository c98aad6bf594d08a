//! Bundles: secrets that leave this host in a file, sealed to named recipients; and one that came here.

use super::envelope::{Opener, Sealer};
use super::sealed::{IdentityFile, opener, recipient};
use crate::error::{Result, UnsealError, VaultError};
use crate::model::flow::SealedBytes;
use crate::model::secret::Sealable;
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use std::io::{Read, Write};

/// How every age file begins, and how an armored one does.
const BEGINNINGS: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// Whether a file is sealed.
pub fn is_sealed(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

/// Seals to recipients; `armored`: as text that survives a mail.
pub fn seal_to(recipients: &[String], secret: &Sealable, armored: bool) -> Result<Vec<u8>> {
    let to = recipients.iter().map(|text| recipient(text)).collect::<Result<Vec<_>>>()?;
    let SealedBytes(bytes) = Sealer::to(&to, None)?.close_bare(secret)?;
    if !armored {
        return Ok(bytes);
    }
    let write = || {
        let mut writer = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        writer.write_all(&bytes)?;
        writer.finish()
    };
    write().map_err(|e: std::io::Error| VaultError::Sealing { reason: e.to_string() }.into())
}

/// Opens a bundle with an identity; `whose` names it in errors.
pub fn open_with(identity: &IdentityFile, bytes: &[u8], whose: &str) -> Result<Sealable> {
    let sealed = unarmored(bytes, whose)?;
    let opener: Opener = opener(identity)?;
    opener.open_bare(&SealedBytes(sealed), whose)
}

/// The sealed bytes of a bundle in either form.
#[doc(hidden)]
pub fn unarmored(bytes: &[u8], whose: &str) -> Result<Vec<u8>> {
    let mut sealed = Vec::new();
    let read = ArmoredReader::new(bytes.trim_ascii_start()).read_to_end(&mut sealed);
    read.map_err(|_| VaultError::Sealed { what: whose.into(), reason: UnsealError::Armor })?;
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::create_identity;

    #[test]
    fn a_bundle_comes_back_in_both_forms_and_damage_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("identity.txt");
        let to = [create_identity(&file).unwrap()];
        let identity = IdentityFile::at(&file);
        let secret = Sealable::from_bytes(b"canary".repeat(1000));
        for armored in [false, true] {
            let bytes = seal_to(&to, &secret, armored).unwrap();
            assert!(is_sealed(&bytes));
            assert_eq!(bytes.starts_with(b"-----"), armored);
            assert_eq!(open_with(&identity, &bytes, "x").unwrap().bytes(), secret.bytes());
            for cut in [0, 10, bytes.len() / 2, bytes.len() - 30] {
                assert!(open_with(&identity, &bytes[..cut], "x").is_err());
            }
        }
        assert!(!is_sealed(b"ubi,license\n") && seal_to(&["age1nonsense".into()], &secret, false).is_err());
    }
}
