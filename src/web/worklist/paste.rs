//! What is pasted into the page's field: a whole mail may be longer than a request may be, so it comes in pieces. They come
//! in a POST's query, which no log and no history keeps.

use crate::model::secret::Secret;
use crate::oauth::LONGEST_PASTE;

pub(super) struct PastedPiece {
    text: String,
    /// How many characters came before it, as the page counts them.
    after: usize,
    more: bool,
}

impl PastedPiece {
    pub(super) fn of(query: &str) -> Self {
        let mut piece = Self { text: String::new(), after: 0, more: false };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "text" => piece.text = value.into_owned(),
                "after" => piece.after = value.parse().unwrap_or(usize::MAX),
                "more" => piece.more = true,
                _ => {}
            }
        }
        piece
    }
}

/// What a piece makes of those before it.
pub(super) enum PasteProgress {
    Whole(Secret),
    /// It's kept until the rest comes.
    More,
    /// It doesn't follow those before it, of another page maybe; or it's longer than any mail.
    Broken,
}

#[derive(Default)]
pub(super) struct PasteBuffer {
    text: String,
}

impl PasteBuffer {
    pub(super) fn take(&mut self, piece: PastedPiece) -> PasteProgress {
        if piece.after == 0 {
            self.text.clear();
        }
        let follows = piece.after == self.text.chars().count();
        // One character more than may be taken in: what it's about is said by whoever reads it.
        let fits = self.text.len() + piece.text.len() <= LONGEST_PASTE + 16 * 1024;
        if !follows || !fits {
            self.text.clear();
            return PasteProgress::Broken;
        }
        self.text.push_str(&piece.text);
        match piece.more {
            true => PasteProgress::More,
            false => PasteProgress::Whole(Secret::new(std::mem::take(&mut self.text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(pasted: &mut PasteBuffer, query: &str) -> Result<Option<String>, ()> {
        match pasted.take(PastedPiece::of(query)) {
            PasteProgress::Whole(text) => Ok(Some(text.expose().to_owned())),
            PasteProgress::More => Ok(None),
            PasteProgress::Broken => Err(()),
        }
    }

    #[test]
    fn pieces_are_joined_in_their_order_and_no_others() {
        let mut pasted = PasteBuffer::default();
        assert_eq!(take(&mut pasted, "text=whole"), Ok(Some("whole".into())));
        assert_eq!(take(&mut pasted, "after=0&more=1&text=%3E%20%C3%A9"), Ok(None));
        assert_eq!(take(&mut pasted, "after=3&text=%0Abox"), Ok(Some("> \u{e9}\nbox".into())));
        // Two pages at once.
        assert_eq!(take(&mut pasted, "more=1&text=one"), Ok(None));
        assert_eq!(take(&mut pasted, "more=1&text=other"), Ok(None));
        assert_eq!(take(&mut pasted, "after=3&text=one"), Err(()));
        assert_eq!(take(&mut pasted, "after=5&text=other"), Err(()), "nothing is kept of what broke");
    }

    #[test]
    fn nobody_fills_the_memory() {
        let mut pasted = PasteBuffer::default();
        let piece = "x".repeat(LONGEST_PASTE);
        assert_eq!(take(&mut pasted, &format!("more=1&text={piece}")), Ok(None));
        assert_eq!(take(&mut pasted, &format!("after={LONGEST_PASTE}&more=1&text={piece}")), Err(()));
    }
}
