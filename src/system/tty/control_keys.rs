//! Which bytes are the keys that end or stop a command, while the terminal takes none of them for one: inside of a paste they are
//! bytes like all others. Pure.

use crate::system::paste::{BEGINS, ENDS};
use std::time::Duration;

/// Nobody types more keys than these at once.
const KEYS_AT_ONCE: usize = 16;

/// After so long a silence a single byte is a key, even if a paste was never ended.
const SILENCE: Duration = Duration::from_secs(1);

/// What is typed, looked at piece by piece.
#[derive(Debug, Default)]
pub(super) struct ControlKeys {
    /// The last bytes, in which a mark may have begun.
    recent: Vec<u8>,
    in_paste: bool,
}

impl ControlKeys {
    /// The first of the keys that is typed in a piece, which came after so long a silence.
    pub(super) fn typed(&mut self, piece: &[u8], after: Duration, keys: &[u8]) -> Option<u8> {
        if piece.len() == 1 && after >= SILENCE {
            self.in_paste = false;
        }
        for (at, byte) in piece.iter().enumerate() {
            self.recent.push(*byte);
            if self.recent.len() > BEGINS.len() {
                self.recent.remove(0);
            }
            match self.recent.as_slice() {
                BEGINS => self.in_paste = true,
                ENDS => self.in_paste = false,
                _ => {}
            }
            // Without marks a paste is known by how much comes at once; a key may still come behind what was typed ahead.
            let is_alone = piece.len() <= KEYS_AT_ONCE || at + 1 == piece.len();
            if !self.in_paste && is_alone && keys.contains(byte) {
                self.recent.clear();
                return Some(*byte);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[u8] = b"\x03\x1a\x1c";

    #[test]
    fn a_key_is_one_outside_of_a_paste_alone() {
        let at_once = Duration::ZERO;
        let mut typed = ControlKeys::default();
        assert_eq!(typed.typed(b"q\x03", at_once, KEYS), Some(3));
        assert_eq!(typed.typed(b"\x1b[200~a\x03b\x1a\x1c", at_once, KEYS), None);
        assert_eq!(typed.typed(b"\x1a", at_once, KEYS), None, "the paste goes on");
        assert_eq!(typed.typed(b"x\x1b[20", at_once, KEYS), None);
        assert_eq!(typed.typed(b"1~", at_once, KEYS), None);
        assert_eq!(typed.typed(b"\x1c", at_once, KEYS), Some(0x1c));
        assert_eq!(typed.typed(b"\x1a", at_once, &[]), None, "the terminal has no such key");
    }

    #[test]
    fn a_paste_without_marks_is_known_by_its_length_and_one_without_an_end_by_silence() {
        let mut typed = ControlKeys::default();
        let long = "a line of a mail\n\x03\x1a another\n";
        assert_eq!(typed.typed(long.as_bytes(), Duration::ZERO, KEYS), None);
        let ahead = format!("{}\x03", "typed ahead ".repeat(3));
        assert_eq!(typed.typed(ahead.as_bytes(), Duration::ZERO, KEYS), Some(3));
        assert_eq!(typed.typed(b"\x1b[200~cut off", Duration::ZERO, KEYS), None);
        assert_eq!(typed.typed(b"\x03", SILENCE, KEYS), Some(3));
    }
}
