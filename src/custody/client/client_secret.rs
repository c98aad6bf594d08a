//! A profile's client secret: where it is, and how it's kept.

use crate::custody::seals::labeler::{ClientRegistrations, SealLabeler};
use crate::custody::writer::Custody;
use crate::error::{ConfigError, Error, Result, VaultError};
use crate::ledger::Ledger;
use crate::model::flow::ProfileSecret;
use crate::model::provider::{ClientAuth, Provider};
use crate::model::secret::{Sealable, Secret};
use crate::model::vault_kind::VaultKind;
use crate::system::Random;
use crate::vault::Vault;

/// The name of a profile's client secret in the ledger.
const CLIENT_SECRET: &str = "client_secret";

/// Where a profile's client secret is. It is sealed to its own host alone: on a shared ledger each host has its own, by its
/// recipient, and whoever moved the ledger there the one that came with it.
pub fn client_secret_place(
    ledger: &Ledger,
    vault: &Vault,
    seals: &SealLabeler,
    profile: &str,
) -> Result<Option<ProfileSecret>> {
    let own = ledger.profile_secret(profile, &client_secret_name(ledger, vault)?)?;
    match own {
        Some(secret) => Ok(Some(secret)),
        None => {
            let came = ledger.profile_secret(profile, CLIENT_SECRET)?;
            let opens =
                |it: &ProfileSecret| match vault.get(&it.place, &seals.row_of_client_secret(profile, it)) {
                    Err(Error::Vault(VaultError::Sealed { .. } | VaultError::Foreign { .. })) => false,
                    // Whatever else is wrong with it, it's this host's, and told where it's used.
                    _ => true,
                };
            Ok(came.filter(|secret| !ledger.is_shared() || opens(secret)))
        }
    }
}

fn client_secret_name(ledger: &Ledger, vault: &Vault) -> Result<String> {
    Ok(match (ledger.is_shared(), vault.own_recipient()?) {
        (true, Some(recipient)) => format!("{CLIENT_SECRET} of {recipient}"),
        _ => CLIENT_SECRET.to_owned(),
    })
}

/// Keeps a profile's client secret in the vault, and forgets an older one.
pub fn keep_client_secret(
    vault: &Vault,
    ledger: &mut Ledger,
    provider: &Provider,
    secret: &Secret,
    random: &dyn Random,
) -> Result<()> {
    let profile = provider.profile.as_str();
    if vault.kind() == VaultKind::Keyring {
        ledger.mark_alive()?;
    }
    let item = format!("{}/{profile}/client-secret-{}", ledger.id(), random.name()?);
    let name = client_secret_name(ledger, vault)?;
    let old = ledger.profile_secret(profile, &name)?;
    let counted = old.map(|old| old.generation).filter(|it| it.is_sound());
    let generation = counted.unwrap_or_default().next();
    let seals = SealLabeler::of(ledger, ClientRegistrations::from([(profile.to_owned(), provider.into())]));
    let label = seals.client_secret(profile, generation);
    let place = vault.put_for_this_host(&item, &label, &Sealable::of(&secret.expose()))?;
    let set = ledger.set_profile_secret(profile, &name, &place, generation).inspect_err(|e| {
        if !e.may_have_committed() {
            let _ = vault.forget(&place);
        }
    });
    set?.map_or(Ok(()), |old| vault.forget(&old))
}

impl Custody<'_> {
    /// The client's secret, where the profile needs one.
    pub fn client_secret(&self) -> Result<Option<Secret>> {
        if self.provider.client_auth == ClientAuth::None {
            return Ok(None);
        }
        if let Some(published) = self.provider.published_secret {
            return Ok(Some(Secret::new(published)));
        }
        let profile = &self.provider.profile;
        let secret = client_secret_place(&self.ledger, &self.vault, &self.seals, profile)?;
        let secret = secret.ok_or_else(|| ConfigError::Incomplete {
            profile: profile.clone(),
            key: "client secret".into(),
            how: format!("Store it in the vault: biotrack-auth config set-secret --profile {profile}"),
        })?;
        let row = self.seals.row_of_client_secret(profile, &secret);
        let kept = self.vault.get(&secret.place, &row)?;
        kept.read(&format!("{profile}'s client secret")).map(|text: String| Some(Secret::new(text)))
    }
}
