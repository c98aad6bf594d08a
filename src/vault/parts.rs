//! A secret that is longer than one item of a keyring may be: cut in parts, and proven whole when joined.

use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

/// What the first item of a set begins with.
const MARK: &str = "biotrack-auth parts ";

/// The first item of a set: how many parts follow it, and the hash of what they are together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SplitSecretHeader {
    pub(super) count: usize,
    hash: String,
}

impl SplitSecretHeader {
    /// The head of a secret that has to be cut at the limit; `None` where it fits into one item as it is.
    pub(super) fn needed(secret: &[u8], limit: Option<usize>) -> Option<Self> {
        // One that looks like a head would be taken for one.
        let alike = secret.starts_with(MARK.as_bytes());
        let length = limit.unwrap_or(usize::MAX);
        (secret.len() > length || alike)
            .then(|| Self { count: secret.len().div_ceil(length), hash: hash(secret) })
    }

    /// Reads an item's content, if it is a head.
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        let text = str::from_utf8(content).ok()?.strip_prefix(MARK)?;
        let (count, hash) = text.split_once(' ')?;
        Some(Self { count: count.parse().ok()?, hash: hash.into() })
    }

    /// The item's content.
    pub(super) fn content(&self) -> String {
        format!("{MARK}{} {}", self.count, self.hash)
    }

    /// Whether the joined parts are what was cut.
    pub(super) fn fits(&self, joined: &[u8]) -> bool {
        hash(joined) == self.hash
    }
}

/// The account of the part with that number; parts count from 1.
pub(super) fn account(item: &str, number: usize) -> String {
    format!("{item}#{number}")
}

/// Of the secret itself nothing can be learned from it: a token's 128 bits and more can't be guessed.
fn hash(secret: &[u8]) -> String {
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(secret)));
    hex::encode(digest.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_long_is_cut() {
        assert_eq!(SplitSecretHeader::needed(&[1; 100], None), None);
        assert_eq!(SplitSecretHeader::needed(&[1; 100], Some(100)), None);
        assert_eq!(SplitSecretHeader::needed(&[1; 101], Some(100)).unwrap().count, 2);
        assert_eq!(SplitSecretHeader::needed(&[1; 300], Some(100)).unwrap().count, 3);
    }

    #[test]
    fn a_head_reads_back_and_knows_its_own() {
        let head = SplitSecretHeader::needed(b"secret", Some(2)).unwrap();
        assert_eq!(
            SplitSecretHeader::read(head.content().as_bytes()),
            Some(SplitSecretHeader { count: 3, hash: hash(b"secret") })
        );
        assert!(head.fits(b"secret") && !head.fits(b"secre") && !head.fits(b"secrets"));
    }

    #[test]
    fn a_secret_that_looks_like_a_head_is_cut_so_that_it_isnt_taken_for_one() {
        let secret = SplitSecretHeader::needed(b"secret", Some(2)).unwrap().content();
        assert_eq!(SplitSecretHeader::needed(secret.as_bytes(), None).unwrap().count, 1);
        assert_eq!(SplitSecretHeader::read(b"{\"access_token\":\"x\"}"), None);
    }
}
