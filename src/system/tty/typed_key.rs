//! The keys that mean something at a question, whatever the platform.

/// A key, as far as one means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypedKey {
    Char(char),
    /// With Ctrl held.
    Control(char),
    Enter,
    Backspace,
    Tab,
    #[cfg_attr(
        all(unix, not(test)),
        expect(dead_code, reason = "a Unix terminal's Escape may begin another key")
    )]
    Escape,
    Up,
    Down,
}

/// The end of what is typed (Ctrl-D), and what takes all of it back (Ctrl-U), or its last word (Ctrl-W).
pub(in crate::system) const END: u8 = 4;
pub(in crate::system) const KILL: u8 = 21;
pub(super) const WORD: u8 = 23;
pub(super) const DELETE: u8 = 127;

impl TypedKey {
    /// Puts its bytes behind others.
    pub(super) fn put(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            // People of Windows end with Ctrl-Z what they type.
            Self::Control('z' | 'Z') => bytes.push(END),
            Self::Control(c) if c.is_ascii_alphabetic() => bytes.push(c.to_ascii_lowercase() as u8 & 0x1f),
            Self::Control(_) => {}
            Self::Enter => bytes.push(b'\n'),
            Self::Backspace => bytes.push(DELETE),
            Self::Tab => bytes.push(b'\t'),
            Self::Escape => bytes.push(0x1b),
            Self::Up => bytes.extend_from_slice(b"\x1b[A"),
            Self::Down => bytes.extend_from_slice(b"\x1b[B"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_as_a_unix_terminal_gives_them() {
        let keys = [
            TypedKey::Char('é'),
            TypedKey::Control('d'),
            TypedKey::Control('Z'),
            TypedKey::Control('u'),
            TypedKey::Control(' '),
            TypedKey::Up,
            TypedKey::Down,
            TypedKey::Backspace,
            TypedKey::Tab,
            TypedKey::Enter,
        ];
        let mut bytes = Vec::new();
        keys.iter().for_each(|key| key.put(&mut bytes));
        assert_eq!(bytes, "é\u{4}\u{4}\u{15}\x1b[A\x1b[B\u{7f}\t\n".as_bytes());
    }
}
