//! Which of a Windows console's events are keys that were typed.

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
