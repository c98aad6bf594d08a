//! What is pasted at a terminal, told from what is typed: by the marks of bracketed paste, else by how it comes.

/// What a terminal puts around a paste, once it's asked to (xterm's mode 2004).
pub(super) const BEGINS: &[u8] = b"\x1b[200~";
pub(super) const ENDS: &[u8] = b"\x1b[201~";

/// Bytes that came together, up to a most: what comes beyond that is counted as one byte more, and dropped.
#[derive(Debug)]
pub(super) struct Burst {
    raw: Vec<u8>,
    most: usize,
}

/// The text of a burst, without the marks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PastedText {
    /// All of it.
    pub(super) bytes: Vec<u8>,
    /// There were marks.
    pub(super) marked: bool,
    /// The paste isn't whole yet: its end mark is still to come.
    pub(super) open: bool,
    /// Where in it the last marked paste ends.
    pub(super) after: usize,
}

impl Burst {
    pub(super) fn new(most: usize) -> Self {
        Self { raw: Vec::new(), most }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// More has come.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let room = (self.most + BEGINS.len() + ENDS.len() + 1).saturating_sub(self.raw.len());
        if bytes.len() <= room {
            return self.raw.extend_from_slice(bytes);
        }
        self.raw.extend_from_slice(&bytes[..room]);
        // What is dropped may hold the end.
        if let Some(at) = find(bytes, ENDS) {
            self.raw.extend_from_slice(&bytes[at..at + ENDS.len()]);
        }
        if bytes.ends_with(b"\n") || bytes.ends_with(b"\r") {
            self.raw.push(b'\n');
        }
    }

    /// Its text so far.
    pub(super) fn text(&self) -> PastedText {
        let mut text = PastedText { bytes: Vec::new(), marked: false, open: false, after: 0 };
        let mut rest = self.raw.as_slice();
        while !rest.is_empty() {
            if rest.starts_with(BEGINS) {
                (text.marked, text.open) = (true, true);
                rest = &rest[BEGINS.len()..];
            } else if rest.starts_with(ENDS) {
                (text.marked, text.open, text.after) = (true, false, text.bytes.len());
                rest = &rest[ENDS.len()..];
            } else {
                text.bytes.push(rest[0]);
                rest = &rest[1..];
            }
        }
        text
    }
}

impl PastedText {
    /// Whether it's one line, with its end.
    pub(super) fn is_a_line(&self) -> bool {
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let whole = self.bytes.iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
        whole > 0 && whole < self.bytes.len() && !self.bytes[..whole].iter().any(is_end)
    }

    /// Whether Enter was pressed behind a marked paste.
    pub(super) fn is_entered(&self) -> bool {
        self.marked && !self.open && self.bytes[self.after..].iter().any(|byte| matches!(byte, b'\n' | b'\r'))
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|it| it == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&str]) -> PastedText {
        let mut burst = Burst::new(100);
        pieces.iter().for_each(|piece| burst.add(piece.as_bytes()));
        burst.text()
    }

    #[test]
    fn marks_are_found_wherever_reads_cut_them_and_are_no_text() {
        let whole = of(&["\x1b[200~a\nq\n\x1b[201~"]);
        assert_eq!((whole.bytes.as_slice(), whole.marked, whole.open), (&b"a\nq\n"[..], true, false));
        assert!(!whole.is_entered());
        assert_eq!(of(&["\x1b[2", "00~a\nq\n\x1b", "[201~"]), whole);
        assert!(of(&["\x1b[200~a\n"]).open);
        assert!(of(&["\x1b[200~a\x1b[201~", "\n"]).is_entered());
        assert!(!of(&["a\n"]).is_entered());
    }

    #[test]
    fn one_line_is_told_from_several() {
        for line in ["a\n", "a\r\n", "a b\r"] {
            assert!(of(&[line]).is_a_line(), "{line:?}");
        }
        for other in ["", "\n", "a", "a\nb\n", "a\nb"] {
            assert!(!of(&[other]).is_a_line(), "{other:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_one_byte_longer_than_may_be_and_its_end_is_seen() {
        let long = "x".repeat(300);
        let text = of(&["\x1b[200~", &long, &long, "\x1b[201~\n"]);
        assert!(text.bytes.len() > 100 && text.bytes.len() < 130, "{}", text.bytes.len());
        assert!(!text.open && text.is_entered());
    }
}
