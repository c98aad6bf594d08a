//! The last thing that an answer passes on its way to a terminal: nothing in it steers that, but the colors we gave it.

use crate::error::is_unprintable;
use std::io::{self, Write};

/// Makes what is written harmless, line by line: a character that steers a terminal becomes `�`. Line ends and our own
/// colors stay.
pub(super) struct CleanWriter<W: Write> {
    to: W,
    /// The line that hasn't ended yet.
    line: Vec<u8>,
}

impl<W: Write> CleanWriter<W> {
    pub(super) fn to(to: W) -> Self {
        Self { to, line: Vec::new() }
    }

    /// Writes what is left, though no line ends there.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.line);
        self.to.write_all(harmless(&String::from_utf8_lossy(&rest)).as_bytes())?;
        self.to.flush()
    }
}

impl<W: Write> Write for CleanWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            let lines = std::mem::replace(&mut self.line, rest);
            self.to.write_all(harmless(&String::from_utf8_lossy(&lines)).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A text without what steers a terminal.
pub(super) fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\x1b' => color(rest),
            '\n' | '\t' => Some(c.len_utf8()),
            '\r' if rest.starts_with("\r\n") => Some(2),
            // defense: S33 a-terminal-gets-clean-text
            c if is_unprintable(c) => None,
            c => Some(c.len_utf8()),
        };
        match taken {
            Some(length) => clean.push_str(&rest[..length]),
            None => clean.push('\u{fffd}'),
        }
        rest = &rest[taken.unwrap_or(c.len_utf8())..];
    }
    clean
}

/// How long the color at the beginning is, where it's one that tables and help have: bold, underlined, a color of the
/// terminal's theme, and the end of them. Others hide text, or make it blink.
fn color(text: &str) -> Option<usize> {
    let codes = text.strip_prefix("\x1b[")?;
    let end = codes.find('m').filter(|end| *end <= "38;5;15".len())?;
    let code = &codes[..end];
    let theme = code.strip_prefix("38;5;").is_some_and(|number| number.parse::<u8>().is_ok_and(|it| it < 16));
    let plain = matches!(code, "" | "0" | "1" | "4" | "22" | "24" | "39");
    let named = matches!(code.as_bytes(), [b'3' | b'9', b'0'..=b'7']);
    (plain || theme || named).then_some("\x1b[m".len() + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_colors_stay_and_nothing_else_that_steers() {
        for ours in
            ["\x1b[1m\x1b[4mUsage:\x1b[0m\x1b[0m x\n", "\x1b[38;5;2m✓ active\x1b[39m\n", "a\tb\r\n", "店 é\n"]
        {
            assert_eq!(harmless(ours), ours);
        }
        assert_eq!(
            harmless("\x1b[8mhidden\x1b[5m\x1b[2J\x1b]52;c;eA==\x07"),
            "�[8mhidden�[5m�[2J�]52;c;eA==�"
        );
        assert_eq!(harmless("a\rb\u{9b}2J\u{202e}\x1b[38;5;99m\x1b["), "a�b�2J��[38;5;99m�[");
    }

    #[test]
    fn what_is_written_in_pieces_is_cleaned_as_a_whole() {
        let mut written = Vec::new();
        let mut clean = CleanWriter::to(&mut written);
        for byte in "店\x1b[1m\n\u{9b}x".bytes() {
            clean.write_all(&[byte]).unwrap();
        }
        clean.finish().unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "店\x1b[1m\n�x");
    }
}
