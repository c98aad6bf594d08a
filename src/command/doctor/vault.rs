//! The vault, and whether it and the ledger tell the same.

use super::Examination;
use crate::config::{Config, needs_secret};
use crate::custody::{SealLabeler, client_secret_place, is_out_of_place, recipients_differ};
use crate::error::{Error, LedgerError, Result, UnsealError, VaultError, counted, first_few, shell};
use crate::ledger::{Ledger, SecretLocation, SecretOwner};
use crate::model::authorization::command_with;
use crate::model::flow::{SecretPlace, SecretRole};
use crate::model::ids::LicenseId;
use crate::model::vault_kind::VaultKind;
use crate::vault::{Vault, recipient_of};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// No longer is read in the vault.
const LONGEST: Duration = Duration::from_secs(15);

/// So many licenses are named.
const NAMED: usize = 10;

impl Examination<'_, '_> {
    pub(super) fn vault(&mut self) {
        let Some(config) = self.config.take() else { return };
        if let Err(e) = self.look_at_vault(&config) {
            self.failed("vault", &e);
        }
    }

    fn look_at_vault(&mut self, config: &Config) -> Result<()> {
        let env = self.call.env;
        let vault = self.call.vault(config);
        let ledger = match Ledger::read_current(env, &config.ledger_place(&env.variables, &env.who.user)?) {
            // That is said already, and what it names can't be compared.
            Err(Error::Ledger(LedgerError::Older { .. } | LedgerError::Newer { .. })) => None,
            read => read?,
        };
        if let Some(ledger) = &ledger
            && ledger.names_items()?
        {
            vault.holds_secrets();
        }
        let of = ledger.as_ref().map_or("doctor", Ledger::id);
        vault.probe(&format!("{of}/probe-{}", env.random.name()?), env.random.as_ref())?;
        match vault.kind() {
            VaultKind::Keyring => {
                let which = vault.keeper().map(|keeper| format!(" ({keeper})")).unwrap_or_default();
                self.well("vault", format!("keyring{which}: an item was written, read and deleted"));
            }
            VaultKind::Sealed => {
                let own = recipient_of(crate::command::identity(env))?;
                let others = config.recipients.iter().filter(|it| **it != own).count();
                self.well(
                    "vault",
                    format!(
                        "sealed: this host can read what it seals ({own} of {}); other recipients: {others}",
                        env.paths.identity.display()
                    ),
                );
                if others > 0 && !config.recipients.contains(&own) {
                    let found =
                        "this host is not one of the recipients: commands that need a token fail here";
                    self.note(
                        "vault",
                        found,
                        Some(format!(
                            "biotrack-auth config recipients add {own}, on a host that can read them."
                        )),
                    );
                }
            }
        }
        let Some(ledger) = ledger else {
            self.no_client_secret();
            return Ok(());
        };
        if let Some(e) = recipients_differ(&ledger, &vault)? {
            self.problem("vault", e.to_string(), e.hint().unwrap_or_default());
        }
        let seals = SealLabeler::of(&ledger, config.registrations());
        self.client_secret(&ledger, &vault, &seals)?;
        self.old_seals(config, &ledger)?;
        self.compare(config, &vault, &ledger, &seals)
    }

    fn client_secret(&mut self, ledger: &Ledger, vault: &Vault, seals: &SealLabeler) -> Result<()> {
        let Some(provider) = self.provider.clone().filter(|it| needs_secret(it)) else { return Ok(()) };
        match client_secret_place(ledger, vault, seals, &provider.profile)? {
            Some(_) => self.well("vault", "the client secret is stored"),
            None => self.no_client_secret(),
        }
        Ok(())
    }

    /// Without one nothing can be asked for, where the profile's client has one at all.
    fn no_client_secret(&mut self) {
        let Some(provider) = self.provider.clone().filter(|it| needs_secret(it)) else { return };
        let fix = format!("biotrack-auth config set-secret --profile {}", provider.profile);
        self.problem("vault", "no client secret is stored yet", fix);
    }

    /// What older versions sealed doesn't say what it's for, and is accepted in its own row until it's sealed anew.
    fn old_seals(&mut self, config: &Config, ledger: &Ledger) -> Result<()> {
        let secrets = ledger.all_secrets()?.iter().filter(|it| it.is_old).count();
        let old = secrets + ledger.old_answers()?;
        if old > 0 {
            let are = counted(old, "secret is", "secrets are");
            let found = format!("{are} sealed by an older version, without a label that says what for");
            self.note("vault", found, Some(format!("biotrack-auth config vault {}", config.vault)));
        }
        Ok(())
    }

    /// Vault against ledger, both ways.
    fn compare(
        &mut self,
        config: &Config,
        vault: &Vault,
        ledger: &Ledger,
        seals: &SealLabeler,
    ) -> Result<()> {
        // Before the listing: a move gives an item the same name at every try.
        let turn = if self.fix { ledger.vault_turn()? } else { None };
        // In this order: who made what is listed was at work before that, and either still is, or has named it by now.
        let listed = vault.items(&format!("{}/", ledger.id()))?;
        let at_work = self.fix && turn.is_none() || ledger.leftovers().living > 0;
        let secrets = ledger.all_secrets()?;
        let elsewhere: Vec<_> = secrets.iter().filter(|it| kind_of(&it.place) != vault.kind()).collect();
        if !elsewhere.is_empty() {
            let found = format!("{} secrets are not in the configured vault", elsewhere.len());
            self.problem("vault", found, format!("biotrack-auth config vault {}", config.vault));
        }
        let here: Vec<_> = secrets.iter().filter(|it| kind_of(&it.place) == vault.kind()).collect();
        self.missing(&here, listed.as_deref(), vault, ledger, seals)?;
        match (vault.kind(), listed) {
            (VaultKind::Sealed, _) => self.left(ledger),
            (VaultKind::Keyring, None) => {
                let found = "this platform's keyring can't be searched for leftover items";
                self.note("vault", found, None);
                Ok(())
            }
            (VaultKind::Keyring, Some(listed)) => self.orphans(listed, at_work, &secrets, vault),
        }
    }

    /// Secrets that the ledger names and the vault doesn't give back.
    fn missing(
        &mut self,
        secrets: &[&SecretLocation],
        listed: Option<&[String]>,
        vault: &Vault,
        ledger: &Ledger,
        seals: &SealLabeler,
    ) -> Result<()> {
        let listed: Option<BTreeSet<&str>> = listed.map(|it| it.iter().map(String::as_str).collect());
        let began = Instant::now();
        let (mut looked, mut missing, mut foreign, mut odd, mut unread) = (0, Vec::new(), 0, Vec::new(), 0);
        for secret in secrets {
            let is_listed = match (&secret.place, &listed) {
                (SecretPlace::Item(item), Some(listed)) => listed.contains(item.as_str()),
                _ => true,
            };
            let there = match &secret.place {
                _ if began.elapsed() > LONGEST && is_listed => continue,
                _ if began.elapsed() > LONGEST => false,
                // A name proves nothing: some keyrings keep that of an item whose secret they have lost.
                place => match vault.look(place, &seals.row_of(secret)) {
                    Ok(true) => true,
                    Ok(false) => {
                        unread += 1;
                        is_listed
                    }
                    Err(e) if is_out_of_place(&e) => {
                        odd.push(e);
                        true
                    }
                    Err(e @ Error::Vault(VaultError::Several { .. })) => {
                        odd.push(match &secret.owner {
                            SecretOwner::Tokens { key, .. } | SecretOwner::Memo { key, .. } => {
                                let named = self.named();
                                e.for_license(&format!("{}{named}", shell([key.to_string().as_str()])))
                            }
                            SecretOwner::Profile { .. } => e,
                        });
                        true
                    }
                    Err(Error::Vault(VaultError::Sealed { reason: UnsealError::OtherIdentity, .. })) => {
                        foreign += 1;
                        true
                    }
                    Err(Error::Vault(
                        VaultError::Gone { .. } | VaultError::Broken { .. } | VaultError::Sealed { .. },
                    )) => false,
                    Err(e) => return Err(e),
                },
            };
            looked += 1;
            if !there {
                missing.push(*secret);
            }
        }
        if !missing.is_empty() {
            // Another command may have stored a newer one meanwhile, and forgotten this.
            let named = ledger.all_secrets()?;
            missing.retain(|it| named.iter().any(|named| named.place == it.place));
        }
        if looked < secrets.len() {
            let found = format!(
                "only {looked} of {} secrets were checked within {} s",
                secrets.len(),
                LONGEST.as_secs()
            );
            self.note("vault", found, None);
        }
        if unread > 0 {
            let keeper = vault.keeper().unwrap_or_else(|| "the keyring".into());
            let are = counted(
                unread,
                "secret is there by its name and was",
                "secrets are there by their names and were",
            );
            let found = format!("{are} not read, because {keeper} would ask for permission");
            self.note("vault", found, None);
        }
        if foreign > 0 {
            let found = format!("{foreign} secrets are damaged, or sealed only to other hosts");
            let fix = "Refresh and revoke on a host that can read them, or add this host there (config recipients add).";
            self.note("vault", found, Some(fix.into()));
        }
        for e in odd.iter().take(NAMED) {
            self.problem("vault", e.to_string(), e.hint().unwrap_or_default());
        }
        if odd.len() > NAMED {
            let found = format!("{} more secrets are in the wrong place", odd.len() - NAMED);
            self.problem("vault", found, "Fix the listed ones first.");
        }
        for secret in missing.iter().take(NAMED) {
            self.one_missing(secret, ledger)?;
        }
        if missing.len() > NAMED {
            let found = format!("{} more secrets are missing or damaged", missing.len() - NAMED);
            self.problem("vault", found, "Renew the listed ones first.");
        }
        self.records_without(ledger, secrets)?;
        if missing.is_empty() && odd.is_empty() {
            let are = if looked == 1 { "is" } else { "are" };
            let named = counted(looked, "secret", "secrets");
            self.well("vault", format!("{named} that the ledger names {are} there"));
        }
        Ok(())
    }

    fn one_missing(&mut self, secret: &SecretLocation, ledger: &Ledger) -> Result<()> {
        let named = self.named();
        let quoted = |key: &LicenseId| shell([key.to_string().as_str()]);
        match &secret.owner {
            SecretOwner::Tokens { key, role: SecretRole::Live | SecretRole::Held, .. }
            | SecretOwner::Memo { key, .. } => {
                let found = format!("the secret of {} is missing or damaged", key.license);
                self.problem("vault", found, format!("biotrack-auth renew {}{named}", quoted(key)));
            }
            SecretOwner::Tokens { key, role: SecretRole::Superseded, .. } => {
                let found = format!(
                    "the tokens of an earlier grant of {}, which a newer one replaced, are missing or damaged: it can't be revoked from here, and may still be valid",
                    key.license
                );
                let fix = "The next renewal forgets them. The admin can remove the earlier grant on BioTrack's page.";
                self.note("vault", found, Some(fix.into()));
            }
            SecretOwner::Tokens { profile, key, .. } => {
                let found =
                    format!("the tokens of {} for a pending revocation are missing or damaged", key.license);
                let standing = ledger.standing(profile, key)?;
                let gone = standing.is_none_or(|it| it.record.deactivated_at.is_some());
                let awaiting = if gone { "" } else { " --awaiting" };
                self.problem(
                    "vault",
                    found,
                    format!("biotrack-auth deactivate {}{awaiting}{named}", quoted(key)),
                );
            }
            SecretOwner::Profile { profile, .. } => {
                let found = format!("the client secret of {profile} is missing or damaged");
                self.problem("vault", found, format!("biotrack-auth config set-secret --profile {profile}"));
            }
        }
        Ok(())
    }

    /// Living grants for which the ledger names no secret at all.
    fn records_without(&mut self, ledger: &Ledger, secrets: &[&SecretLocation]) -> Result<()> {
        let Some(provider) = self.provider.clone() else { return Ok(()) };
        let kept: BTreeSet<_> = secrets
            .iter()
            .filter_map(|it| match &it.owner {
                SecretOwner::Tokens { profile, key, role: SecretRole::Live, .. } => {
                    Some((profile.as_str(), key.clone()))
                }
                _ => None,
            })
            .collect();
        let without: Vec<_> = ledger
            .standings(&provider.profile)?
            .into_iter()
            .map(|it| it.record)
            .filter(|it| it.expires_at.is_some() && it.deactivated_at.is_none() && !it.held_elsewhere)
            .filter(|it| !kept.contains(&(provider.profile.as_str(), it.key.clone())))
            .map(|it| it.key)
            .collect();
        if !without.is_empty() {
            let records = counted(without.len(), "granted record has", "granted records have");
            let licenses: Vec<_> = without.iter().map(|key| key.license.as_str()).collect();
            let found = format!("{records} no tokens here: {}", first_few(&licenses, NAMED));
            let keys: Vec<_> = without.iter().take(NAMED).collect();
            let renew = command_with("renew", &[], provider.other(), &keys);
            self.problem("vault", found, format!("Ask their admins to grant access again: {renew}"));
        }
        Ok(())
    }

    /// Items of this ledger that nothing names.
    fn orphans(
        &mut self,
        listed: Vec<String>,
        at_work: bool,
        secrets: &[SecretLocation],
        vault: &Vault,
    ) -> Result<()> {
        let named: BTreeSet<&str> = secrets
            .iter()
            .filter_map(|it| match &it.place {
                SecretPlace::Item(item) => Some(item.as_str()),
                SecretPlace::Blob(_) => None,
            })
            .collect();
        let orphans: Vec<_> = listed.into_iter().filter(|it| !named.contains(it.as_str())).collect();
        if orphans.is_empty() {
            return Ok(());
        }
        let found = format!(
            "{} of this ledger in the keyring",
            counted(orphans.len(), "leftover item", "leftover items")
        );
        // One of them may be about to be named. None that isn't now will ever be: each item has a name of its own.
        if at_work {
            self.note(
                "vault",
                found + ", while another biotrack-auth is running",
                Some("Run doctor again when it has finished.".into()),
            );
            return Ok(());
        }
        if !self.fix {
            self.problem("vault", found, "To remove them: biotrack-auth doctor --fix");
            return Ok(());
        }
        for orphan in &orphans {
            vault.forget(&SecretPlace::Item(orphan.clone()))?;
        }
        crate::command::ledger_of(self.call.env)?.items_forgotten(&orphans)?;
        self.fixed(
            "vault",
            format!("removed {} from the keyring", counted(orphans.len(), "leftover item", "leftover items")),
        );
        Ok(())
    }

    /// What a move away from the keyring left in it.
    fn left(&mut self, ledger: &Ledger) -> Result<()> {
        let left = ledger.items_to_delete()?;
        if !left.is_empty() {
            let found = format!("{} items are left in the keyring from an interrupted move", left.len());
            self.problem("vault", found, "To finish the move: biotrack-auth config vault sealed");
        }
        Ok(())
    }
}

fn kind_of(place: &SecretPlace) -> VaultKind {
    match place {
        SecretPlace::Item(_) => VaultKind::Keyring,
        SecretPlace::Blob(_) => VaultKind::Sealed,
    }
}
