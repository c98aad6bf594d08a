//! The seam to the vault: what `config` needs of one, as the caller wires it.

use crate::error::Result;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::model::vault_kind::VaultKind;

/// A vault chosen for a new configuration.
#[derive(Debug, Clone)]
pub struct VaultChoice {
    pub kind: VaultKind,
    /// The sealed vault's recipients: this host's own, made now if it had none.
    pub recipients: Vec<String>,
    pub why: String,
}

/// What knows the vaults.
pub trait VaultChooser {
    /// Probes the kind that was asked for, or finds one that works. Called only where the file names no vault yet.
    fn choose(&mut self, asked: Option<VaultKind>) -> Result<VaultChoice>;

    /// Keeps a profile's client secret, in place of an earlier one.
    fn keep(
        &mut self,
        vault: VaultKind,
        recipients: &[String],
        provider: &Provider,
        secret: &Secret,
    ) -> Result<()>;
}
