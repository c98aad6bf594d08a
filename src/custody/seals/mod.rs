//! What each secret is sealed for, and for whom.

pub(super) mod labeler;
pub(super) mod listed_recipients;
pub(super) mod renew_seals;
