//! A line that is typed at a question. No terminal shows it by itself: it would also show what is typed ahead of the next question,
//! which may be for a secret.

use super::typed_key::{END, KILL, TypedKey, WORD};
use crate::error::is_unprintable;
use unicode_width::UnicodeWidthChar;

/// A line that is typed and shown, and can be taken back from its end.
#[derive(Debug, Default)]
pub(super) struct LineEditor {
    text: String,
}

/// What a key does to the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LineStep {
    /// This is printed behind it.
    Shows(String),
    /// It's whole, with its end; empty: there is none.
    Ends(String),
}

impl LineEditor {
    pub(super) fn take(&mut self, key: TypedKey) -> LineStep {
        let mut bytes = Vec::new();
        key.put(&mut bytes);
        match (key, bytes.as_slice()) {
            (TypedKey::Enter, _) => LineStep::Ends(std::mem::take(&mut self.text) + "\n"),
            (_, [END]) if self.text.is_empty() => LineStep::Ends(String::new()),
            (TypedKey::Backspace, _) => {
                let last = self.text.pop();
                LineStep::Shows(last.map(taken_back).unwrap_or_default())
            }
            (TypedKey::Escape, _) | (_, [KILL]) => {
                LineStep::Shows(self.text.drain(..).rev().map(taken_back).collect())
            }
            (_, [WORD]) => {
                let kept = self.text.trim_end().trim_end_matches(|c: char| !c.is_whitespace()).len();
                LineStep::Shows(self.text.drain(kept..).rev().map(taken_back).collect())
            }
            (TypedKey::Char(c), _) if !is_unprintable(c) => {
                self.text.push(c);
                LineStep::Shows(c.to_string())
            }
            _ => LineStep::Shows(String::new()),
        }
    }
}

/// What takes a character from where the cursor stands behind it.
fn taken_back(c: char) -> String {
    "\u{8} \u{8}".repeat(c.width().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_and_can_be_taken_back() {
        let mut line = LineEditor::default();
        let mut shown = String::new();
        let typed = "ab店\u{202e}".chars().map(TypedKey::Char);
        let keys = typed.chain([TypedKey::Backspace, TypedKey::Up, TypedKey::Control('d')]);
        for key in keys {
            match line.take(key) {
                LineStep::Shows(more) => shown += &more,
                ended => panic!("{ended:?}"),
            }
        }
        assert_eq!(shown, "ab店\u{8} \u{8}\u{8} \u{8}");
        assert_eq!(line.take(TypedKey::Enter), LineStep::Ends("ab\n".into()));
        assert_eq!(line.take(TypedKey::Char('x')), LineStep::Shows("x".into()));
        assert_eq!(line.take(TypedKey::Escape), LineStep::Shows("\u{8} \u{8}".into()));
        assert_eq!(line.take(TypedKey::Backspace), LineStep::Shows(String::new()));
        for c in "é 店 ".chars() {
            line.take(TypedKey::Char(c));
        }
        let word = TypedKey::Control('w');
        assert_eq!(line.take(word), LineStep::Shows("\u{8} \u{8}".repeat(3)));
        assert_eq!(line.take(word), LineStep::Shows("\u{8} \u{8}".repeat(2)));
        assert_eq!(line.take(word), LineStep::Shows(String::new()));
        assert_eq!(line.take(TypedKey::Control('z')), LineStep::Ends(String::new()));
    }
}
