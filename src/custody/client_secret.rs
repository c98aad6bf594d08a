//! A profile's client secret: where it is, and how it's kept.

use super::writer::Custody;
use crate::error::{ConfigError, Result};
use crate::ledger::Ledger;
use crate::model::flow::Place;
use crate::model::provider::ClientAuth;
use crate::model::secret::{Sealable, Secret};
use crate::model::vault_kind::VaultKind;
use crate::system::Random;
use crate::vault::Vault;

/// The name of a profile's client secret in the ledger.
const CLIENT_SECRET: &str = "client_secret";

/// Where a profile's client secret is. It is sealed to its own host alone: on a shared ledger each host has its own, by its
/// recipient, and whoever moved the ledger there the one that came with it.
pub fn client_secret_place(ledger: &Ledger, vault: &Vault, profile: &str) -> Result<Option<Place>> {
    let own = ledger.profile_secret(profile, &client_secret_name(ledger, vault)?)?;
    match own {
        Some(place) => Ok(Some(place)),
        None => {
            let came = ledger.profile_secret(profile, CLIENT_SECRET)?;
            Ok(came.filter(|place| !ledger.is_shared() || vault.get(place, CLIENT_SECRET).is_ok()))
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
    profile: &str,
    secret: &Secret,
    random: &dyn Random,
) -> Result<()> {
    if vault.kind() == VaultKind::Keyring {
        ledger.shows_that_we_live()?;
    }
    let item = format!("{}/{profile}/client-secret-{}", ledger.id(), random.name()?);
    let place = vault.put_own(&item, &Sealable::of(&secret.expose()))?;
    let name = client_secret_name(ledger, vault)?;
    let set = ledger.set_profile_secret(profile, &name, &place).inspect_err(|e| {
        if !e.may_show_up() {
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
        let place = client_secret_place(&self.ledger, &self.vault, profile)?;
        let place = place.ok_or_else(|| ConfigError::Incomplete {
            profile: profile.clone(),
            key: "client secret".into(),
            how: format!("Give it to the vault: biotrack-auth config set-secret --profile {profile}."),
        })?;
        let kept = self.vault.get(&place, &format!("{profile}'s client secret"))?;
        kept.read(&format!("{profile}'s client secret")).map(|text: String| Some(Secret::new(text)))
    }
}
