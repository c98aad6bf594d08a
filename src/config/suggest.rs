//! The nearest known name to a slip of the pen.

use strsim::normalized_damerau_levenshtein;

/// The known name that was probably meant.
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
        None => format!("Choose one of {}.", known.join(", ")),
    }
}
