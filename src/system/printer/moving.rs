//! Lines that move at the end of a terminal, below all that is printed there: how far something has come.

use console::{Term, truncate_str};
use std::sync::Arc;
use std::time::Duration;

/// What moves: drawn anew whenever something was printed above it, and as often as it wants to be.
#[derive(Clone)]
pub(super) struct MovingText {
    pub(super) draw: Arc<dyn Fn() -> String + Send + Sync>,
    pub(super) every: Option<Duration>,
}

impl MovingText {
    /// As it is now, and of how many lines.
    pub(super) fn drawn(&self) -> (String, usize) {
        // A line that the terminal broke in two couldn't be taken away again.
        let width = usize::from(Term::stderr().size().1).saturating_sub(1);
        let text = (self.draw)();
        let lines: Vec<_> = text.lines().map(|line| truncate_str(line, width, "…")).collect();
        (lines.join("\n"), lines.len())
    }
}

/// What takes so many lines away, at the end of whose last one the cursor stands.
pub(super) fn erased(lines: usize) -> String {
    match lines {
        0 => String::new(),
        1 => "\r\x1b[J".into(),
        more => format!("\r\x1b[{}A\x1b[J", more - 1),
    }
}
