//! The real vaults behind `config`: which one works here, and where a client's secret goes.

use super::vault_chooser::{VaultChoice, VaultChooser};
use crate::custody::keep_client_secret;
use crate::error::{Error, Result, VaultError};
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::model::vault_kind::VaultKind;
use crate::system::Env;
use crate::vault::{Vault, find_or_create_identity};

/// The vaults of this machine.
pub struct Vaults<'e> {
    pub env: &'e Env,
}

impl VaultChooser for Vaults<'_> {
    fn choose(&mut self, asked: Option<VaultKind>) -> Result<VaultChoice> {
        match asked {
            Some(VaultKind::Sealed) => self.sealed("as requested"),
            Some(VaultKind::Keyring) => self.keyring("as requested; a probe was written, read and deleted"),
            None => match self.keyring("a probe was written, read and deleted") {
                Err(Error::Vault(e)) => self.instead(e),
                chosen => chosen,
            },
        }
    }

    fn keep(
        &mut self,
        kind: VaultKind,
        recipients: &[String],
        provider: &Provider,
        secret: &Secret,
    ) -> Result<()> {
        let vault = crate::command::vault(self.env, kind, recipients);
        let mut ledger = crate::command::ledger_of(self.env)?;
        keep_client_secret(&vault, &mut ledger, provider, secret, self.env.random.as_ref())
    }
}

impl Vaults<'_> {
    fn keyring(&self, why: &str) -> Result<VaultChoice> {
        let probed = self.probe(&crate::command::vault(self.env, VaultKind::Keyring, &[]));
        probed.map_err(|e| match e {
            Error::Vault(VaultError::Locked) => e,
            Error::Vault(e) => VaultError::Unchosen(Box::new(e)).into(),
            e => e,
        })?;
        Ok(VaultChoice { kind: VaultKind::Keyring, recipients: Vec::new(), why: why.into() })
    }

    fn sealed(&self, why: &str) -> Result<VaultChoice> {
        let recipients = vec![find_or_create_identity(crate::command::identity(self.env))?];
        self.probe(&Vault::sealed(crate::command::identity(self.env), recipients.clone()))?;
        Ok(VaultChoice { kind: VaultKind::Sealed, recipients, why: why.into() })
    }

    /// No keyring works: never a quiet downgrade. A person may say yes; a script must name the vault.
    fn instead(&self, e: VaultError) -> Result<VaultChoice> {
        let terminal = &self.env.terminal;
        if !terminal.interactive() {
            return Err(e.into());
        }
        terminal.info(&format!("The keyring can't be used here: {e}."));
        let question = "Use the sealed vault instead, with an age identity file on this host?";
        if terminal.confirm(question)? {
            self.sealed("no keyring works here, and you chose it")
        } else {
            Err(e.into())
        }
    }

    fn probe(&self, vault: &Vault) -> Result<()> {
        let random = self.env.random.as_ref();
        vault.probe(&format!("probe/{}", random.name()?), random)
    }
}
