//! Asking the provider whether grants live, many at once; only its own word makes one invalid.

use super::live_grant::Live;
use super::proof::Confirmed;
use super::writer::Custody;
use crate::error::Result;
use crate::model::ids::Key;
use crate::oauth::{self, LookedUp};
use std::collections::BTreeMap;

/// What a look at many grants came to.
#[derive(Debug, Default)]
pub struct Looked {
    /// How many live.
    pub active: usize,
    /// Those that the provider called inactive and whose refresh it refused: they are marked invalid now.
    pub invalid: Vec<Key>,
    /// Those that nothing is known of, and why.
    pub unknown: Vec<(Key, String)>,
}

const UNCLEAR: &str = "the provider gave no clear answer";
const NOT_BELIEVED: &str =
    "the provider calls it inactive, as it also called another grant that a refresh then proved valid";

impl Custody<'_> {
    /// Asks about each of these living grants. `told` hears how many have been asked about. The provider must have been
    /// [connected](Self::connect). An error is the ledger's own; whatever vault or provider fail to say is unknown.
    pub fn look_up(&mut self, keys: &[Key], mut told: impl FnMut(usize)) -> Result<Looked> {
        let mut looked = Looked::default();
        let exchange = self.online()?;
        if exchange.endpoints.introspection.is_none() {
            let why = "the provider has no introspection_url";
            looked.unknown = keys.iter().map(|key| (key.clone(), why.to_owned())).collect();
            return Ok(looked);
        }
        let (mut grants, mut looked_at) = (Vec::with_capacity(keys.len()), BTreeMap::new());
        for key in keys {
            match self.live(key) {
                Ok(live) => {
                    looked_at.insert(key.clone(), live.standing.record.generation);
                    grants.push((key.clone(), live.granted));
                }
                Err(e) => looked.unknown.push((key.clone(), e.to_string())),
            }
        }
        let unread = looked.unknown.len();
        let answers = oauth::look_up(self.env, &exchange, grants)?;
        let (mut called_dead, mut doubtful, mut knows_refresh_tokens) = (Vec::new(), Vec::new(), false);
        for (asked, (key, said)) in answers.into_iter().enumerate() {
            told(unread + asked + 1);
            match said {
                LookedUp::Active { by_refresh } => {
                    looked.active += 1;
                    knows_refresh_tokens |= by_refresh;
                    if let Some(generation) = looked_at.get(&key) {
                        self.note_proof(&key, *generation)?;
                    }
                }
                LookedUp::Inactive => called_dead.push(key),
                LookedUp::RefreshInactive => doubtful.push(key),
                LookedUp::Unknown => looked.unknown.push((key, UNCLEAR.into())),
            }
        }
        if knows_refresh_tokens {
            called_dead.append(&mut doubtful);
        }
        let doubt = "its access token has expired, and this provider doesn't introspect refresh tokens; `token` finds out";
        looked.unknown.extend(doubtful.into_iter().map(|key| (key, doubt.to_owned())));
        let mut is_believed = true;
        for key in called_dead {
            // One refresh shows what the provider's word is worth: the others' tokens aren't rotated for it, too.
            if !is_believed {
                looked.unknown.push((key, NOT_BELIEVED.into()));
                continue;
            }
            match self.confirm(&key, |custody, live| custody.still_inactive(live, knows_refresh_tokens)) {
                Ok(Confirmed::Dead) => looked.invalid.push(key),
                Ok(Confirmed::Active) => looked.active += 1,
                Ok(Confirmed::Contradicted) => {
                    looked.active += 1;
                    is_believed = false;
                }
                Ok(Confirmed::Unknown(why)) => looked.unknown.push((key, why.into())),
                Err(e) => looked.unknown.push((key, e.to_string())),
            }
        }
        looked.unknown.sort();
        Ok(looked)
    }

    /// Asks once more: what is known without a refresh; `None` where the grant is called inactive again.
    fn still_inactive(&mut self, live: &Live, knows_refresh_tokens: bool) -> Result<Option<Confirmed>> {
        let asked = vec![(live.standing.record.key.clone(), live.granted.clone())];
        let mut answers = oauth::look_up(self.env, &self.online()?, asked)?.into_iter();
        Ok(match answers.next() {
            Some((_, LookedUp::Inactive)) => None,
            Some((_, LookedUp::RefreshInactive)) if knows_refresh_tokens => None,
            Some((_, LookedUp::Active { .. })) => Some(Confirmed::Active),
            _ => Some(Confirmed::Unknown(UNCLEAR)),
        })
    }
}
