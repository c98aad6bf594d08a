//! A team's hosts seal token sets to one list, the ledger's: a host that goes by another is refused before it seals anything.

use crate::custody::writer::Custody;
use crate::error::{ConfigError, Result};
use crate::ledger::Ledger;
use crate::vault::Vault;

/// Where this host's vault seals to others than a team's ledger lists: which are whose.
pub fn differs(ledger: &Ledger, vault: &Vault) -> Result<Option<ConfigError>> {
    let shared = ledger.is_shared();
    let Some(own) = vault.recipients()?.filter(|_| shared) else { return Ok(None) };
    let listed = ledger.recipients()?;
    let missing: Vec<_> = listed.iter().filter(|it| !own.contains(&it.recipient)).collect();
    let unlisted: Vec<_> =
        own.iter().filter(|it| !listed.iter().any(|listed| listed.recipient == **it)).cloned().collect();
    if listed.is_empty() || (missing.is_empty() && unlisted.is_empty()) {
        return Ok(None);
    }
    let missing = missing.into_iter().map(|it| (it.recipient.clone(), it.host.clone())).collect();
    Ok(Some(ConfigError::OtherRecipients { missing, unlisted }))
}

impl Custody<'_> {
    /// Sees that this host seals to whom the ledger lists. Where nobody is listed yet, this host's own recipients are from now on.
    ///
    /// # Errors
    /// [`ConfigError::OtherRecipients`], with the command that brings both in step: what this host would seal, others couldn't
    /// open, or those could to whom nothing should be sealed any more.
    pub(in crate::custody) fn agrees_on_recipients(&mut self) -> Result<()> {
        let shared = self.ledger.is_shared();
        let Some(own) = self.vault.recipients()?.filter(|_| shared) else { return Ok(()) };
        let now = self.env.clock.now();
        if self.ledger.recipients()?.is_empty() && self.ledger.begin_recipients(&own, now)? {
            return Ok(());
        }
        // defense: S60 team-seals-to-one-list
        differs(&self.ledger, &self.vault)?.map_or(Ok(()), |e| Err(e.into()))
    }
}
