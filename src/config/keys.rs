//! The keys there are, the form of each one's value, and the nearest one to a slip of the pen.

use strsim::normalized_damerau_levenshtein;

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Flag,
    Number,
    Texts,
}

impl Form {
    /// What the value should look like.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Text => "text in quotes",
            Self::Flag => "true or false, without quotes",
            Self::Number => "a whole number, without quotes",
            Self::Texts => "a list of texts: [\"…\"]",
        }
    }
}

/// A profile's keys, in the order in which they are shown.
pub(super) const PROFILE: &[(&str, Form)] = &[
    ("preset", Form::Text),
    ("url", Form::Text),
    ("issuer", Form::Text),
    ("metadata", Form::Flag),
    ("authorize_url", Form::Text),
    ("token_url", Form::Text),
    ("revocation_url", Form::Text),
    ("introspection_url", Form::Text),
    ("introspect", Form::Flag),
    ("client_id", Form::Text),
    ("client_auth", Form::Text),
    ("scopes", Form::Texts),
    ("pkce", Form::Text),
    ("state_in", Form::Text),
    ("iss", Form::Text),
    ("company", Form::Text),
    ("application", Form::Text),
    ("access_type", Form::Text),
    ("resource", Form::Text),
    ("operation", Form::Text),
    ("time_zone", Form::Text),
    ("lifetime", Form::Text),
    ("grant_expiry", Form::Text),
    ("rolling", Form::Flag),
    ("revocation_scope", Form::Text),
    ("due_window", Form::Text),
    ("timeout", Form::Text),
    ("ca_file", Form::Text),
    ("facts.company", Form::Text),
    ("facts.application", Form::Text),
    ("facts.ubi", Form::Text),
    ("facts.access_type", Form::Text),
    ("facts.license", Form::Text),
    ("facts.resource", Form::Text),
    ("facts.operation", Form::Text),
    ("facts.username", Form::Text),
    ("redirect.host", Form::Text),
    ("redirect.port", Form::Number),
    ("redirect.path", Form::Text),
    ("redirect.public_url", Form::Text),
];

/// The tables inside a profile.
pub(super) const SECTIONS: [&str; 4] = ["authorize_parameters", "token_parameters", "facts", "redirect"];

/// The file's own keys.
pub(super) const ROOT: [&str; 6] = ["default_profile", "vault", "ledger", "sealed", "hooks", "profiles"];

/// The form of a profile's key; none where there is no such key. Parameters have names of their own.
pub(super) fn form(key: &str) -> Option<Form> {
    let free = key.starts_with("authorize_parameters.") || key.starts_with("token_parameters.");
    match PROFILE.iter().find(|(name, _)| *name == key) {
        Some((_, form)) => Some(*form),
        None => free.then_some(Form::Text),
    }
}

/// Where a key stands in the order of showing.
pub(super) fn place(key: &str) -> usize {
    let facts = PROFILE.iter().position(|(name, _)| name.starts_with("facts."));
    PROFILE.iter().position(|(name, _)| *name == key).or(facts).unwrap_or(PROFILE.len())
}

/// The known key that was probably meant.
pub(super) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase().replace('-', "_");
    let alike = |name: &str| {
        let name = name.to_lowercase();
        // `port` outside its table is `redirect.port`, whatever else is near.
        if name.rsplit('.').next() == Some(&typed) || name.replace('-', "_") == typed {
            return 1.0;
        }
        normalized_damerau_levenshtein(&typed, &name)
    };
    known
        .into_iter()
        .map(|name| (alike(name), name))
        .filter(|(score, _)| *score >= 0.6)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// "did you mean", or what there is.
pub(super) fn did_you_mean(typed: &str, known: &[&str]) -> String {
    match nearest(typed, known.iter().copied()) {
        Some(name) => format!("Did you mean `{name}`?"),
        None => format!("There are: {}.", known.join(", ")),
    }
}
