//! How much of the server's words is shown.

use crate::error::excerpt;

/// The longest server text that is ever shown.
const SHOWN: usize = 200;

/// Server text, cleaned and cut.
pub(super) fn short(text: &str) -> String {
    // defense: S33 refusal-is-cleaned
    excerpt(text, SHOWN)
}
