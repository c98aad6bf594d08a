//! What this host can trust a ledger with that may have gone back in time, and what somebody says of it.

use super::doubts::{self, OutdatedRecord};
use super::rollback;
use super::seen_heads::{self, licenses_of};
use super::store::Ledger;
use crate::error::Result;
use crate::model::authorization::Authorization;
use crate::model::ids::LicenseId;
use crate::system::files;
use std::collections::{BTreeMap, BTreeSet};

impl Ledger {
    /// Whether this host can remember what it sees of the ledger.
    ///
    /// # Errors
    /// Why it can't: a ledger that goes back in time isn't known by it then.
    pub fn can_remember(&self) -> Result<()> {
        let file = self.heads();
        seen_heads::in_turn(&file, || files::open_private(&file).map(drop))
    }

    /// Whether this host has seen that every seal of the ledger says what it is for.
    pub fn has_new_seals_alone(&self) -> bool {
        self.paths.new_seals_of(&self.id).symlink_metadata().is_ok()
    }

    /// This host has seen it: from now on a seal that doesn't is an old one that somebody put back.
    pub fn note_new_seals(&self) -> Result<()> {
        files::open_private(&self.paths.new_seals_of(&self.id)).map(drop)
    }

    /// The licenses whose changes by this host the ledger doesn't hold any more; for a look that changes nothing.
    pub fn went_back(&self) -> Result<Option<Vec<String>>> {
        let lost = rollback::lost_of(&self.engine, &mut seen_heads::read(&self.heads()));
        let lost = lost.map_err(|e| self.fault("be read", e))?;
        Ok((!lost.is_empty()).then(|| licenses_of(&lost)))
    }

    /// The licenses of a profile whose refresh tokens may be spent, because the ledger went back in time.
    pub fn possibly_spent(&self, profile: &str) -> Result<BTreeSet<LicenseId>> {
        let spent = |it: &OutdatedRecord| it.has_tokens && it.profile == profile;
        Ok(self.outdated_records()?.into_iter().filter(spent).map(|it| it.key).collect())
    }

    /// The licenses, by profile, whose grants may have been lost, because the ledger went back in time: it has no tokens of them,
    /// or doesn't know them at all.
    pub fn possibly_lost(&self) -> Result<BTreeMap<String, Vec<LicenseId>>> {
        let mut lost = BTreeMap::<String, Vec<LicenseId>>::new();
        for it in self.outdated_records()?.into_iter().filter(|it| !it.has_tokens) {
            lost.entry(it.profile).or_default().push(it.key);
        }
        Ok(lost)
    }

    fn outdated_records(&self) -> Result<Vec<OutdatedRecord>> {
        doubts::all(self.engine.db()).map_err(|e| self.fault("be read", e))
    }

    /// Somebody has said that the tokens of these are used all the same.
    pub fn trust_tokens<'r>(&mut self, mut records: impl Iterator<Item = &'r Authorization>) -> Result<()> {
        self.transaction("note what is trusted", |tx| {
            records.try_for_each(|it| doubts::remove(tx, &it.profile, &it.key))
        })
    }
}
