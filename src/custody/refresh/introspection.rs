//! Asking the provider whether grants live, many at once; only its own word makes one invalid.

use crate::custody::grants::live_grant::LiveGrant;
use crate::custody::grants::proof::RecheckedGrant;
use crate::custody::writer::Custody;
use crate::error::Result;
use crate::model::ids::LicenseId;
use crate::oauth::{self, IntrospectionResult};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct IntrospectionSummary {
    pub active: usize,
    /// Those that the provider called inactive and whose refresh it refused: they are marked invalid now.
    pub invalid: Vec<LicenseId>,
    /// Those that nothing is known of, and why.
    pub unknown: Vec<(LicenseId, String)>,
}

const UNCLEAR: &str = "the provider gave no clear answer";
const NOT_BELIEVED: &str =
    "the provider calls it inactive, but it also said so of another grant that a refresh then proved valid";

impl Custody<'_> {
    /// Asks about each of these living grants. `told` hears how many have been asked about. The provider must have been
    /// [connected](Self::connect). An error is the ledger's own; whatever vault or provider fail to say is unknown.
    pub fn introspect_all(
        &mut self,
        keys: &[LicenseId],
        mut told: impl FnMut(usize),
    ) -> Result<IntrospectionSummary> {
        let mut looked = IntrospectionSummary::default();
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
        let answers = oauth::introspect_all(self.env, &exchange, grants)?;
        let (mut called_dead, mut doubtful, mut knows_refresh_tokens) = (Vec::new(), Vec::new(), false);
        for (asked, (key, said)) in answers.into_iter().enumerate() {
            told(unread + asked + 1);
            match said {
                IntrospectionResult::Active { by_refresh } => {
                    looked.active += 1;
                    knows_refresh_tokens |= by_refresh;
                    if let Some(generation) = looked_at.get(&key) {
                        self.note_proof(&key, *generation)?;
                    }
                }
                IntrospectionResult::Inactive => called_dead.push(key),
                IntrospectionResult::RefreshInactive => doubtful.push(key),
                IntrospectionResult::Unknown => looked.unknown.push((key, UNCLEAR.into())),
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
                Ok(RecheckedGrant::Dead) => looked.invalid.push(key),
                Ok(RecheckedGrant::Active) => looked.active += 1,
                Ok(RecheckedGrant::Contradicted) => {
                    looked.active += 1;
                    is_believed = false;
                }
                Ok(RecheckedGrant::Unknown(why)) => looked.unknown.push((key, why.into())),
                Err(e) => looked.unknown.push((key, e.to_string())),
            }
        }
        looked.unknown.sort();
        Ok(looked)
    }

    /// Asks once more: what is known without a refresh; `None` where the grant is called inactive again.
    fn still_inactive(
        &mut self,
        live: &LiveGrant,
        knows_refresh_tokens: bool,
    ) -> Result<Option<RecheckedGrant>> {
        let asked = vec![(live.standing.record.key.clone(), live.granted.clone())];
        let mut answers = oauth::introspect_all(self.env, &self.online()?, asked)?.into_iter();
        Ok(match answers.next() {
            Some((_, IntrospectionResult::Inactive)) => None,
            Some((_, IntrospectionResult::RefreshInactive)) if knows_refresh_tokens => None,
            Some((_, IntrospectionResult::Active { .. })) => Some(RecheckedGrant::Active),
            _ => Some(RecheckedGrant::Unknown(UNCLEAR)),
        })
    }
}
