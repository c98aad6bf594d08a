//! Looking for secrets where none may be: as they are, and as base64, hex or percent-encoded text.

use super::Rig;
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD, prelude::BASE64_URL_SAFE_NO_PAD};
use std::fs;
use std::path::{Path, PathBuf};

/// How every secret that the sandbox makes begins.
pub const PREFIXES: [&str; 3] = ["sandbox-access-", "sandbox-refresh-", "sandbox-code-"];

/// The shapes under which a secret might lie somewhere.
fn shapes(secret: &str) -> Vec<Vec<u8>> {
    let mut shapes = vec![secret.as_bytes().to_vec()];
    for upper in [false, true] {
        let hex = |byte: u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        shapes.push(secret.bytes().map(hex).collect::<String>().into_bytes());
        shapes.push(secret.bytes().map(|byte| format!("%{}", hex(byte))).collect::<String>().into_bytes());
    }
    // Inside a longer text base64 has three alignments; the letters at either end also hold their neighbors.
    for before in 0..3 {
        let text = [&[0; 3][..before], secret.as_bytes()].concat();
        for encoded in [BASE64_STANDARD_NO_PAD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
            let whole = text.len() / 3 * 4;
            let first = if before == 0 { 0 } else { 4 };
            shapes.push(encoded.as_bytes()[first..whole].to_vec());
        }
    }
    shapes
}

/// Whether the bytes hold the secret in any shape.
pub fn holds(bytes: &[u8], secret: &str) -> bool {
    first_of(bytes, &shapes(secret)).is_some()
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.symlink_metadata() {
            Ok(it) if it.is_dir() => found.extend(files(&path)),
            Ok(it) if it.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

impl Rig {
    /// No file of the home holds any of these, or anything that begins as the sandbox's secrets do.
    #[track_caller]
    pub fn keeps_secrets(&self, secrets: &[String]) {
        let all: Vec<_> =
            PREFIXES.iter().copied().chain(secrets.iter().map(String::as_str)).flat_map(shapes).collect();
        for path in files(self.home()) {
            let bytes = fs::read(&path).unwrap_or_default();
            if let Some(shape) = first_of(&bytes, &all) {
                panic!("{} holds {}", path.display(), String::from_utf8_lossy(shape));
            }
        }
    }
}

/// Any of these that the bytes hold. One pass for all: this is looked for after every kill.
fn first_of<'s>(bytes: &[u8], shapes: &'s [Vec<u8>]) -> Option<&'s [u8]> {
    let mut begins = vec![Vec::new(); 256];
    for shape in shapes {
        if let Some(first) = shape.first() {
            begins[usize::from(*first)].push(shape.as_slice());
        }
    }
    let mut at = 0;
    while at < bytes.len() {
        for shape in &begins[usize::from(bytes[at])] {
            if bytes[at..].starts_with(shape) {
                return Some(shape);
            }
        }
        at += 1;
    }
    None
}

#[test]
fn a_secret_is_seen_in_every_shape() {
    let secret = "sandbox-access-abcdefgh";
    let shown = |bytes: Vec<u8>| assert!(holds(&bytes, secret), "{}", String::from_utf8_lossy(&bytes));
    shown(format!("…{secret}…").into_bytes());
    for before in ["", "x", "xy", "xyz"] {
        shown(BASE64_STANDARD_NO_PAD.encode(format!("{before}{secret}zz")).into_bytes());
    }
    shown(secret.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>().into_bytes());
    assert!(!holds(b"sandbox-access-abcdefg", secret));
}
