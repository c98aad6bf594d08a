//! Server text without our own secrets: some servers say which code, client or token they mean.

use crate::error::excerpt;
use crate::model::granted::Granted;

/// Shorter ones would strike out innocent words.
const SHORTEST: usize = 8;

/// What was told as a grant's end, and is none, is shown so far.
const LONGEST: usize = 80;

/// Secrets that the other side knows, too.
pub(super) struct KnownSecrets<'s>(Vec<&'s str>);

impl<'s> KnownSecrets<'s> {
    pub(super) fn of(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        Self(secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect())
    }

    /// The text, with a mark where one of them stood.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "(secret)"))
    }
}

/// What an answer reports, without the tokens it brings: reported facts are shown and kept in the clear.
pub(super) fn without_tokens(mut granted: Granted, sent: &KnownSecrets<'_>) -> Granted {
    let tokens = [Some(&granted.access), granted.refresh.as_ref()];
    let brought = KnownSecrets::of(tokens.into_iter().flatten().map(|token| token.expose()));
    let hidden = |text: &str| sent.hidden_in(&brought.hidden_in(text));
    let token_type = hidden(&granted.token_type);
    let facts: Vec<_> = granted.reported.facts.iter().map(|(fact, text)| (*fact, hidden(text))).collect();
    let username = granted.reported.username.as_deref().map(hidden);
    // Only then it's cut: half a token is no token to be found.
    let odd_end = granted.reported.odd_end.as_deref().map(|told| excerpt(&hidden(told), LONGEST));
    granted.token_type = token_type;
    granted.reported.facts = facts.into_iter().collect();
    granted.reported.username = username;
    granted.reported.odd_end = odd_end;
    granted
}
