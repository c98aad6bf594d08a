//! The bytes that a Unix terminal gives for what is typed, as keys.

use super::typed_key::{DELETE, TypedKey};
use anstyle_parse::{Parser, Perform};

/// Reads keys byte by byte. What a key is that means nothing here, is passed over as a whole.
#[derive(Default)]
pub(super) struct KeyBytes {
    parser: Parser,
}

impl KeyBytes {
    /// The key that ends with this byte, if one does.
    pub(super) fn take(&mut self, byte: u8) -> Option<TypedKey> {
        if matches!(byte, b'\n' | b'\r') {
            // Whatever had begun.
            *self = Self::default();
        }
        let mut typed = Typed(None);
        self.parser.advance(&mut typed, byte);
        typed.0
    }
}

struct Typed(Option<TypedKey>);

impl Perform for Typed {
    fn print(&mut self, c: char) {
        self.0 = Some(if c == char::from(DELETE) { TypedKey::Backspace } else { TypedKey::Char(c) });
    }

    fn execute(&mut self, byte: u8) {
        self.0 = match byte {
            b'\n' | b'\r' => Some(TypedKey::Enter),
            8 => Some(TypedKey::Backspace),
            b'\t' => Some(TypedKey::Tab),
            1..=26 => Some(TypedKey::Control(char::from(byte - 1 + b'a'))),
            _ => None,
        };
    }

    fn csi_dispatch(&mut self, _: &anstyle_parse::Params, _: &[u8], _: bool, action: u8) {
        self.0 = match action {
            b'A' => Some(TypedKey::Up),
            b'B' => Some(TypedKey::Down),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_others_passed_over() {
        let mut bytes = KeyBytes::default();
        let mut keys = |typed: &[u8]| typed.iter().filter_map(|byte| bytes.take(*byte)).collect::<Vec<_>>();
        assert_eq!(keys("aé店".as_bytes()), ['a', 'é', '店'].map(TypedKey::Char));
        assert_eq!(
            keys(b"\x7f\x08\x04\x15\t\x1b[A"),
            [
                TypedKey::Backspace,
                TypedKey::Backspace,
                TypedKey::Control('d'),
                TypedKey::Control('u'),
                TypedKey::Tab,
                TypedKey::Up
            ]
        );
        assert_eq!(keys(b"\x1b[3~\x1b[1;5C\x1bx"), [], "Delete, Ctrl with an arrow, Alt with x");
        assert_eq!(keys(b"\x1b]\rb"), [TypedKey::Enter, TypedKey::Char('b')], "Alt with ]");
    }
}
