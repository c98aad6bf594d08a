//! What other people's tools say.
