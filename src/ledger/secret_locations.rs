//! Every secret's place at once: for moving them all, and for comparing the vault with the ledger.

use super::cells::{self, columns, is_old, key, place};
use super::engine::{Db, DbError, SqlRow, unexpected_value, values};
use super::recipients;
use super::store::Ledger;
use super::{history_chain, journal, meta, records};
use crate::error::{Error, LedgerError, Result};
use crate::model::flow::{Flow, Logged, ProfileSecret, SecretPlace, SecretRole, StoredSecret};
use crate::model::granted::AwaitingGrant;
use crate::model::history::LedgerEventKind;
use crate::model::ids::{FlowId, Generation, LicenseId};
use crate::model::vault_kind::VaultKind;
use jiff::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOwner {
    Tokens {
        id: i64,
        profile: String,
        key: LicenseId,
        /// As what.
        role: SecretRole,
        /// The record's generation; 0 where there is no record.
        record: Generation,
    },
    Profile {
        profile: String,
        name: String,
    },
    Memo {
        flow: FlowId,
        profile: String,
        key: LicenseId,
        /// It was handed out: other hosts may have sealed it.
        handed_off: bool,
        /// Nothing came to it yet: nothing else was sealed beside it.
        waits: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretLocation {
    pub owner: SecretOwner,
    pub place: SecretPlace,
    pub generation: Generation,
    /// It was there before seals said what they are for.
    pub is_old: bool,
    /// Its row has the mark of such a secret: of this one, or of another that stood there.
    pub is_marked: bool,
}

/// The roles in which a secret only waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetiredRole {
    /// A newer grant is stored in its place.
    Superseded,
    /// It's refused, or given up.
    Unwanted,
}

impl Ledger {
    pub fn secrets(&self, profile: &str, key: &LicenseId, role: SecretRole) -> Result<Vec<StoredSecret>> {
        records::secrets(self.engine.db(), profile, key, role).map_err(|e| self.fault("read", e))
    }

    /// The grants of a profile, or of one of its licenses, that await approval, by UBI and license.
    pub fn awaiting(&self, profile: &str, key: Option<&LicenseId>) -> Result<Vec<AwaitingGrant>> {
        let (ubi, license) = key.map(|key| (key.ubi.as_str(), key.license.as_str())).unzip();
        let read = self.engine.db().rows(
            "SELECT secret.id, secret.ubi, secret.license, coalesce(held_by, '')
             FROM secret JOIN authorization USING (profile, ubi, license)
             WHERE secret.profile = ?1 AND role = 'held'
               AND (CAST(?2 AS TEXT) IS NULL OR secret.ubi = ?2 AND secret.license = ?3)
             ORDER BY secret.ubi, secret.license",
            values![profile, ubi, license],
            |row| {
                let (id, key, granted_by) = (row.get(0)?, cells::key(row, 1)?, row.get(3)?);
                Ok(AwaitingGrant { key, granted_by, id })
            },
        );
        read.map_err(|e| self.fault("read", e))
    }

    /// The secrets that are on their way out: synced in a role that says so, which is the intent of their revocation.
    pub fn retired_secrets(
        &self,
        profile: &str,
        key: &LicenseId,
        role: RetiredRole,
    ) -> Result<Logged<Vec<StoredSecret>>> {
        let role = match role {
            RetiredRole::Superseded => SecretRole::Superseded,
            RetiredRole::Unwanted => SecretRole::Unwanted,
        };
        self.secrets(profile, key, role).map(Logged::attested_by_the_ledger)
    }

    pub fn profile_secret(&self, profile: &str, name: &str) -> Result<Option<ProfileSecret>> {
        profile_secret(self.engine.db(), profile, name).map_err(|e| self.fault("read", e))
    }

    /// Sets a profile's own secret, which was sealed with this number; says where the old one was.
    ///
    /// # Errors
    /// [`LedgerError::SecretMoved`] where another one has been set since its number was read.
    pub fn set_profile_secret(
        &mut self,
        profile: &str,
        name: &str,
        place: &SecretPlace,
        generation: Generation,
    ) -> Result<Option<SecretPlace>> {
        let (item, blob) = columns(place);
        self.transaction("keep the secret", |tx| {
            is_the_vault(tx, [place.vault()])?;
            let old = profile_secret(tx, profile, name)?;
            // One that no host has counted to is what this takes the place of.
            if old.as_ref().is_some_and(|old| old.generation.is_sound() && old.generation >= generation) {
                return Err(LedgerError::SecretMoved.into());
            }
            tx.execute(
                "INSERT INTO profile_secret (profile, name, item, blob, generation) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (profile, name) DO UPDATE SET item = excluded.item, blob = excluded.blob,
                     generation = excluded.generation, old_seal = NULL",
                values![profile, name, item, blob, generation.0],
            )?;
            Ok(old.map(|old| old.place))
        })
    }

    /// Every secret that the ledger names, of all profiles.
    pub fn all_secrets(&self) -> Result<Vec<SecretLocation>> {
        self.engine.snapshot(named_secrets).map_err(|e| self.fault("read", e))
    }

    /// Whether any secret that the ledger names is in a keyring.
    pub fn names_items(&self) -> Result<bool> {
        let named = "SELECT CASE WHEN EXISTS (SELECT 1 FROM secret WHERE item IS NOT NULL)
                       OR EXISTS (SELECT 1 FROM profile_secret WHERE item IS NOT NULL)
                       OR EXISTS (SELECT 1 FROM flow WHERE memo_item IS NOT NULL) THEN 1 ELSE 0 END";
        let read = self.engine.db().number(named, values![]);
        read.map(|any| any == 1).map_err(|e| self.fault("read", e))
    }

    /// The generation that a license's record had when it was removed.
    pub fn generation_when_removed(&self, profile: &str, key: &LicenseId) -> Result<Option<Generation>> {
        records::generation_when_removed(self.engine.db(), profile, key).map_err(|e| self.fault("read", e))
    }

    /// How many codes and answers older versions left in the journal.
    pub fn old_answers(&self) -> Result<usize> {
        let marked = "SELECT count(*) FROM flow WHERE old_sealed IS NOT NULL";
        let count =
            self.engine.db().number(marked, values![]).map_err(|e| self.fault("read the journal", e))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Gives secrets new places, one synced commit for all, with a line in the history; old items of a keyring are
    /// noted to be forgotten. `false`, and nothing is changed, where any of them isn't where it was, one came to it, or the
    /// open flows aren't those that were `seen`: somebody has begun to work on a license. Where `recipients` are given,
    /// the secrets are sealed to them, and so does every host from then on.
    pub fn replace_places(
        &mut self,
        (moved, recipients): (&[(SecretLocation, SecretPlace)], Option<&[String]>),
        known: usize,
        seen: &[Flow],
        chore: LedgerEventKind,
        detail: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let context = self.write_context();
        let done = self.transaction("move the secrets", |tx| {
            if named_secrets(tx)?.len() != known || journal::of_all(tx)? != seen {
                return Err(LedgerError::SecretMoved.into());
            }
            for (secret, to) in moved {
                if !put(tx, secret, to)? {
                    return Err(LedgerError::SecretMoved.into());
                }
            }
            for (secret, _) in moved {
                if let SecretPlace::Item(item) = &secret.place {
                    tx.execute(
                        "INSERT INTO left_item (item) VALUES (?1) ON CONFLICT DO NOTHING",
                        values![item],
                    )?;
                }
            }
            // What is named again isn't left.
            for secret in named_secrets(tx)? {
                if let SecretPlace::Item(item) = &secret.place {
                    tx.execute("DELETE FROM left_item WHERE item = ?1", values![item])?;
                }
            }
            if let Some(recipients) = recipients {
                recipients::list(tx, recipients, &context.who.host, now)?;
            }
            if let (LedgerEventKind::Moved, Some((_, place))) = (chore, moved.first()) {
                note_vault(tx, place.vault())?;
            }
            for (secret, _) in moved {
                if let SecretOwner::Tokens { profile, key, role: SecretRole::Live, record, .. } =
                    &secret.owner
                {
                    // From now on it's this host that made it.
                    let live = secret.generation.0;
                    context.written.borrow_mut().changes(profile, key, record.0, live);
                }
            }
            history_chain::append_chore(tx, chore, now, detail, &context)?;
            Ok(())
        });
        match done {
            Ok(()) => Ok(true),
            Err(Error::Ledger(LedgerError::SecretMoved)) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// From now on secrets are kept in this vault, where all of them are, and whoever began with another one is refused.
    /// `false`, and nothing is noted, where one came to another vault, or the open flows aren't those that were `seen`.
    pub fn set_vault_kind(&mut self, vault: VaultKind, seen: &[Flow]) -> Result<bool> {
        let shared = self.is_shared();
        self.transaction("note the vault", |tx| {
            let others = named_secrets(tx)?.iter().any(|secret| secret.place.vault() != vault);
            if others || journal::of_all(tx)? != seen {
                return Ok(false);
            }
            // A server's ledger is sealed whatever is noted, and the note is its owner's.
            if !shared {
                note_vault(tx, vault)?;
            }
            Ok(true)
        })
    }

    /// Items of the keyring that nothing names since a commit, and that weren't forgotten yet.
    pub fn items_to_delete(&self) -> Result<Vec<String>> {
        let read =
            self.engine.db().rows("SELECT item FROM left_item ORDER BY item", values![], |row| row.get(0));
        read.map_err(|e| self.fault("read", e))
    }

    pub fn items_forgotten(&mut self, items: &[String]) -> Result<()> {
        self.transaction("note the deleted items", |tx| {
            for item in items {
                tx.execute("DELETE FROM left_item WHERE item = ?1", values![item])?;
            }
            Ok(())
        })
    }
}

fn profile_secret(db: Db<'_>, profile: &str, name: &str) -> Result<Option<ProfileSecret>, DbError> {
    let named =
        "SELECT item, blob, generation, old_seal FROM profile_secret WHERE profile = ?1 AND name = ?2";
    let read = |row: &SqlRow<'_>| {
        let Some(place) = place(row, 0)? else { return Ok(None) };
        let is_old = is_old(row.get(3)?, &place);
        Ok(Some(ProfileSecret { generation: Generation(row.get(2)?), is_old, place }))
    };
    Ok(db.row(named, values![profile, name], read)?.flatten())
}

/// The name under which the ledger keeps which vault its secrets were moved to.
const VAULT: &str = "vault";

fn note_vault(tx: Db<'_>, vault: VaultKind) -> Result<(), DbError> {
    meta::put(tx, VAULT, vault.word())
}

/// Refuses another vault than the one that all secrets were moved to: whoever keeps one there read the configuration before
/// that.
pub(super) fn is_the_vault(tx: Db<'_>, kinds: impl IntoIterator<Item = VaultKind>) -> Result<(), DbError> {
    let mut kinds = kinds.into_iter().map(VaultKind::word).peekable();
    if kinds.peek().is_none() {
        return Ok(());
    }
    match meta::get(tx, VAULT)? {
        Some(moved) => match kinds.find(|kind| moved != *kind) {
            Some(kind) => Err(LedgerError::OtherVault { moved, kind }.into()),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

fn named_secrets(db: Db<'_>) -> Result<Vec<SecretLocation>, DbError> {
    let mut all = db.rows(
        "SELECT secret.id, secret.profile, secret.ubi, secret.license, role, coalesce(record.generation, 0),
                item, blob, secret.generation, old_seal
         FROM secret LEFT JOIN authorization AS record USING (profile, ubi, license) ORDER BY secret.id",
        values![],
        |row| {
            let holder = SecretOwner::Tokens {
                id: row.get(0)?,
                profile: row.get(1)?,
                key: key(row, 2)?,
                role: SecretRole::of(row.get(4)?).ok_or_else(|| unexpected_value(4, "an unknown role"))?,
                record: Generation(row.get(5)?),
            };
            location(holder, row, 6)
        },
    )?;
    all.extend(db.rows(
        "SELECT profile, name, item, blob, generation, old_seal FROM profile_secret",
        values![],
        |row| location(SecretOwner::Profile { profile: row.get(0)?, name: row.get(1)? }, row, 2),
    )?);
    all.extend(db.rows(
        "SELECT id, profile, ubi, license, handed_off, stage = 'asked', memo_item, memo_blob, base, old_memo FROM flow",
        values![],
        |row| {
            let holder = SecretOwner::Memo {
                flow: FlowId(row.get(0)?),
                profile: row.get(1)?,
                key: key(row, 2)?,
                handed_off: row.get(4)?,
                waits: row.get(5)?,
            };
            location(holder, row, 6)
        },
    )?);
    Ok(all.into_iter().flatten().collect())
}

/// A secret out of the columns item, blob, generation and mark; `None` where nothing is there.
fn location(owner: SecretOwner, row: &SqlRow<'_>, first: usize) -> Result<Option<SecretLocation>, DbError> {
    let Some(place) = place(row, first)? else { return Ok(None) };
    let mark: Option<&str> = row.get(first + 3)?;
    let (is_old, is_marked) = (is_old(mark, &place), mark.is_some());
    Ok(Some(SecretLocation { owner, generation: Generation(row.get(first + 2)?), is_old, is_marked, place }))
}

/// `false` where it isn't where it was.
fn put(tx: Db<'_>, secret: &SecretLocation, to: &SecretPlace) -> Result<bool, DbError> {
    let (old_item, old_blob) = columns(&secret.place);
    let (item, blob) = columns(to);
    let changed = match &secret.owner {
        SecretOwner::Tokens { id, profile, key, .. } => {
            // Whoever goes by the place where they were decides anew.
            records::touch(tx, profile, key)?;
            tx.execute(
                "UPDATE secret SET item = ?2, blob = ?3, old_seal = NULL
                 WHERE id = ?1 AND item IS NOT DISTINCT FROM ?4 AND blob IS NOT DISTINCT FROM ?5",
                values![*id, item, blob, old_item, old_blob],
            )?
        }
        SecretOwner::Profile { profile, name } => tx.execute(
            "UPDATE profile_secret SET item = ?3, blob = ?4, old_seal = NULL
             WHERE profile = ?1 AND name = ?2 AND item IS NOT DISTINCT FROM ?5 AND blob IS NOT DISTINCT FROM ?6",
            values![profile, name, item, blob, old_item, old_blob],
        )?,
        SecretOwner::Memo { flow, .. } => tx.execute(
            "UPDATE flow SET memo_item = ?2, memo_blob = ?3, old_memo = NULL
             WHERE id = ?1 AND memo_item IS NOT DISTINCT FROM ?4 AND memo_blob IS NOT DISTINCT FROM ?5",
            values![&flow.0, item, blob, old_item, old_blob],
        )?,
    };
    Ok(changed == 1)
}
