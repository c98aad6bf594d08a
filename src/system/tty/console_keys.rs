//! The keys of a Windows console, as the bytes that a Unix terminal gives for them: whoever reads keys knows those.

use crate::error::is_unprintable;
use unicode_width::UnicodeWidthChar;

/// A key, as far as one means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConsoleKey {
    Char(char),
    /// With Ctrl held.
    Control(char),
    Enter,
    Backspace,
    Tab,
    Escape,
    Up,
    Down,
}

/// The end of what is typed (Ctrl-D), and what takes all of it back (Ctrl-U).
const END: u8 = 4;
const KILL: u8 = 21;
const DELETE: u8 = 127;

impl ConsoleKey {
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

/// Which events are keys that were typed.
///
/// A console pastes a character that the keyboard lacks as Alt with its number, as people type it, too. That comes as a key let
/// go that nobody pressed. So does the end of a key that somebody pressed before we listened, which is none of ours.
#[derive(Debug, Default)]
pub(super) struct KeyEvents {
    /// What is held down. A key may be let go as another character than it was pressed as, where Shift went first.
    held: Vec<char>,
    /// How many came in this burst.
    burst: usize,
}

impl KeyEvents {
    /// More than a hand types at once.
    const PASTED: usize = 8;

    /// What comes now, comes after a while in which nothing came.
    pub(super) fn burst_begins(&mut self) {
        self.burst = 0;
    }

    /// Whether a character counts that was pressed, or let go.
    pub(super) fn counts(&mut self, c: char, is_press: bool) -> bool {
        let place = self.held.iter().position(|held| *held == c);
        if is_press {
            self.burst += 1;
            // A key that is held down long enough is pressed again and again.
            if place.is_none() {
                self.held.push(c);
            }
            return true;
        }
        match place {
            Some(place) => drop(self.held.remove(place)),
            None if self.held.pop().is_some() => {}
            None => return !c.is_ascii() || self.burst >= Self::PASTED,
        }
        false
    }
}

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
    pub(super) fn take(&mut self, key: ConsoleKey) -> LineStep {
        let mut bytes = Vec::new();
        key.put(&mut bytes);
        match (key, bytes.as_slice()) {
            (ConsoleKey::Enter, _) => LineStep::Ends(std::mem::take(&mut self.text) + "\n"),
            (_, [END]) if self.text.is_empty() => LineStep::Ends(String::new()),
            (ConsoleKey::Backspace, _) => {
                let last = self.text.pop();
                LineStep::Shows(last.map(taken_back).unwrap_or_default())
            }
            (ConsoleKey::Escape, _) | (_, [KILL]) => {
                LineStep::Shows(self.text.drain(..).rev().map(taken_back).collect())
            }
            (ConsoleKey::Char(c), _) if !is_unprintable(c) => {
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
    fn keys_come_as_a_unix_terminal_gives_them() {
        let keys = [
            ConsoleKey::Char('é'),
            ConsoleKey::Control('d'),
            ConsoleKey::Control('Z'),
            ConsoleKey::Control('u'),
            ConsoleKey::Control(' '),
            ConsoleKey::Up,
            ConsoleKey::Down,
            ConsoleKey::Backspace,
            ConsoleKey::Tab,
            ConsoleKey::Enter,
        ];
        let mut bytes = Vec::new();
        keys.iter().for_each(|key| key.put(&mut bytes));
        assert_eq!(bytes, "é\u{4}\u{4}\u{15}\x1b[A\x1b[B\u{7f}\t\n".as_bytes());
    }

    /// What counts of these, in one burst: `+` before what is pressed, `-` before what is let go.
    fn counted(events: &mut KeyEvents, burst: &str) -> String {
        events.burst_begins();
        let keys: Vec<char> = burst.chars().filter(|c| *c != ' ').collect();
        let counted = keys.chunks(2).filter(|key| events.counts(key[1], key[0] == '+'));
        counted.map(|key| key[1]).collect()
    }

    #[test]
    fn a_key_that_was_pressed_before_is_none_and_a_number_with_alt_is_one() {
        let mut events = KeyEvents::default();
        assert_eq!(counted(&mut events, "-c"), "", "the end of the command line is let go");
        assert_eq!(counted(&mut events, "+a -a +b"), "ab");
        assert_eq!(counted(&mut events, "-b"), "", "later");
        assert_eq!(
            counted(&mut events, "+Z -Z +o -o -ë"),
            "Zoë",
            "a short paste, or a number typed with Alt"
        );
        assert_eq!(counted(&mut events, "+ö +ö -ö -ö"), "ööö", "held, then one by its number");
        assert_eq!(counted(&mut events, "+2 -é -é"), "2é", "Shift was let go first");
        let long = "+a -a".repeat(KeyEvents::PASTED);
        assert_eq!(counted(&mut events, &format!("{long} -b")), "a".repeat(KeyEvents::PASTED) + "b");
    }

    #[test]
    fn a_line_is_shown_and_can_be_taken_back() {
        let mut line = LineEditor::default();
        let mut shown = String::new();
        let typed = "ab店\u{202e}".chars().map(ConsoleKey::Char);
        let keys = typed.chain([ConsoleKey::Backspace, ConsoleKey::Up, ConsoleKey::Control('d')]);
        for key in keys {
            match line.take(key) {
                LineStep::Shows(more) => shown += &more,
                ended => panic!("{ended:?}"),
            }
        }
        assert_eq!(shown, "ab店\u{8} \u{8}\u{8} \u{8}");
        assert_eq!(line.take(ConsoleKey::Enter), LineStep::Ends("ab\n".into()));
        assert_eq!(line.take(ConsoleKey::Char('x')), LineStep::Shows("x".into()));
        assert_eq!(line.take(ConsoleKey::Escape), LineStep::Shows("\u{8} \u{8}".into()));
        assert_eq!(line.take(ConsoleKey::Backspace), LineStep::Shows(String::new()));
        assert_eq!(line.take(ConsoleKey::Control('z')), LineStep::Ends(String::new()));
    }
}
