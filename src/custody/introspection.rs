//! Asking the provider whether grants live, many at once; only its own word makes one invalid.

use super::writer::Custody;
use crate::error::Result;
use crate::model::ids::Key;
use crate::oauth::{self, LookedUp};

/// What a look at many grants came to.
#[derive(Debug, Default)]
pub struct Looked {
    /// How many live.
    pub active: usize,
    /// Those that the provider called inactive, and which are marked invalid now.
    pub invalid: Vec<Key>,
    /// Those that nothing is known of, and why.
    pub unknown: Vec<(Key, String)>,
}

const UNCLEAR: &str = "no clear answer came";

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
        let mut grants = Vec::with_capacity(keys.len());
        for key in keys {
            match self.live(key) {
                Ok(live) => grants.push((key.clone(), live.granted)),
                Err(e) => looked.unknown.push((key.clone(), e.to_string())),
            }
        }
        let unread = looked.unknown.len();
        let answers = oauth::look_up(self.env, &exchange, grants)?;
        let (mut dead, mut doubtful, mut knows_refresh_tokens) = (Vec::new(), Vec::new(), false);
        for (asked, (key, said)) in answers.into_iter().enumerate() {
            told(unread + asked + 1);
            match said {
                LookedUp::Active { by_refresh } => {
                    looked.active += 1;
                    knows_refresh_tokens |= by_refresh;
                }
                LookedUp::Inactive => dead.push(key),
                LookedUp::RefreshInactive => doubtful.push(key),
                LookedUp::Unknown => looked.unknown.push((key, UNCLEAR.into())),
            }
        }
        if knows_refresh_tokens {
            dead.append(&mut doubtful);
        }
        let doubt =
            "its access token has lapsed, and this provider may look no refresh tokens up; `token` finds out";
        looked.unknown.extend(doubtful.into_iter().map(|key| (key, doubt.to_owned())));
        for key in dead {
            match self.is_dead(&key, knows_refresh_tokens) {
                Ok(Some(true)) => looked.invalid.push(key),
                Ok(Some(false)) => looked.active += 1,
                Ok(None) => looked.unknown.push((key, UNCLEAR.into())),
                Err(e) => looked.unknown.push((key, e.to_string())),
            }
        }
        looked.unknown.sort();
        Ok(looked)
    }

    /// Asks once more inside the claim: a refresh may have rotated the token that was asked about. What is dead is
    /// marked so, unless a newer grant has taken its place meanwhile.
    fn is_dead(&mut self, key: &Key, knows_refresh_tokens: bool) -> Result<Option<bool>> {
        let _claim = self.claim(key)?;
        let live = self.live(key)?;
        // A lost answer may have rotated what is asked about: never dead by that.
        // defense: S12 S37 a-lost-answer-proves-nothing
        if live.standing.has_lost_refresh() {
            return Ok(None);
        }
        let mut answers =
            oauth::look_up(self.env, &self.online()?, vec![(key.clone(), live.granted)])?.into_iter();
        let dead = match answers.next() {
            Some((_, LookedUp::Inactive)) => true,
            Some((_, LookedUp::RefreshInactive)) if knows_refresh_tokens => true,
            Some((_, LookedUp::Active { .. })) => false,
            _ => return Ok(None),
        };
        let why = "the provider calls the grant inactive";
        Ok(Some(dead && self.mark_invalid(&live.standing.record, None, why)?))
    }
}
