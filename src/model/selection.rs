//! Which authorization a person means.

use super::authorization::Authorization;
use crate::error::{Error, Result};

/// Finds the one record that a selector names: a licence, `UBI/LICENSE`, an OCM licence or a store name.
/// `UBI/LICENSE` is exact and wins; of the others, none is an error and so are several.
pub fn one<'a, T>(
    selector: &str,
    profile: &str,
    among: &'a [T],
    record: impl Fn(&T) -> &Authorization,
) -> Result<&'a T> {
    let wanted = selector.trim();
    if let Some(exact) = among.iter().find(|it| record(it).key.to_string() == wanted) {
        return Ok(exact);
    }
    let found: Vec<&T> = among.iter().filter(|it| names(wanted, record(it))).collect();
    match found[..] {
        [only] => Ok(only),
        [] => Err(Error::NotFound { selector: crate::error::clean(wanted), profile: profile.to_owned() }),
        _ => Err(Error::Ambiguous {
            selector: crate::error::clean(wanted),
            candidates: found.iter().map(|it| record(it).key.to_string()).collect(),
        }),
    }
}

fn names(wanted: &str, record: &Authorization) -> bool {
    record.key.license.as_str() == wanted
        || record.ocm_license.as_ref().is_some_and(|ocm| ocm.as_str() == wanted)
        || record.name.as_ref().is_some_and(|name| name.as_str() == wanted)
}
