//! Records and tokens that leave in a sealed bundle, and those that come in one. A grant has one home: tokens that move
//! away aren't used here again, and those out of a backup aren't used until someone says that this is their home now.

use super::{Custody, anew_where_changed, event, unknown};
use crate::error::{Error, Result, Unopened, VaultError, clean, first_few};
use crate::ledger::{Export, changed};
use crate::model::authorization::{Authorization, ExportedRecord, Standing};
use crate::model::flow::{Change, Move, Place, Role};
use crate::model::granted::Granted;
use crate::model::history::Happened;
use crate::model::ids::Key;
use crate::model::secret::Sealable;
use crate::model::transfer::{Effect, Here, Merged, WrittenRecord};
use crate::system::files;
use crate::vault::seal_to;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// The number of this form of the bundle.
const SCHEMA: u8 = 1;

/// So many licenses are named in a sentence.
const NAMED: usize = 10;

/// What is inside a sealed bundle.
#[derive(Debug)]
pub struct Bundle {
    /// The tokens stay live where they came from.
    pub backup: bool,
    /// The records.
    pub rows: Vec<Bundled>,
}

/// One record of a bundle.
#[derive(Debug)]
pub struct Bundled {
    /// What a plain export has of it.
    pub record: WrittenRecord,
    /// Its live token set, where the bundle has it.
    pub tokens: Option<Sealable>,
}

/// The bundle as JSON, before it's sealed.
#[derive(Serialize)]
struct Written<'a> {
    schema: u8,
    backup: bool,
    authorizations: Vec<WrittenRow<'a>>,
}

#[derive(Serialize)]
struct WrittenRow<'a> {
    record: ExportedRecord<'a>,
    tokens: Option<&'a str>,
}

#[derive(Deserialize)]
struct Read {
    schema: u8,
    backup: bool,
    authorizations: Vec<ReadRow>,
}

#[derive(Deserialize)]
struct ReadRow {
    record: WrittenRecord,
    tokens: Option<String>,
}

impl Bundle {
    /// Reads an opened bundle.
    pub fn read(opened: &Sealable, whose: &str) -> Result<Self> {
        let Read { schema, backup, authorizations } = opened.read(whose)?;
        if schema != SCHEMA {
            let reason = Unopened::NewerForm { found: schema, known: SCHEMA };
            return Err(VaultError::Sealed { what: whose.into(), reason }.into());
        }
        let row = |ReadRow { record, tokens }| Bundled {
            record,
            // The same memory, wiped from now on.
            tokens: tokens.map(|text| Sealable::from_bytes(text.into_bytes())),
        };
        Ok(Self { backup, rows: authorizations.into_iter().map(row).collect() })
    }
}

/// Records that are about to leave: sealed already, not yet given away.
#[derive(Debug)]
pub struct HandedOver {
    /// The sealed bundle.
    pub bytes: Vec<u8>,
    /// How many records are in it.
    pub records: usize,
    /// Which of them brought their tokens: the record as it was read, and its tokens' places.
    leaving: Vec<(Authorization, Vec<(i64, Place)>)>,
}

impl HandedOver {
    /// How many token sets are in it.
    pub fn token_sets(&self) -> usize {
        self.leaving.len()
    }
}

/// One record to be taken in.
#[derive(Debug)]
pub struct Taking<'f> {
    /// The record as it shall be, merged into the one that was read.
    pub merged: Merged,
    /// The file's tokens.
    pub tokens: Option<&'f Sealable>,
}

impl Custody<'_> {
    /// Seals records with their live tokens. Nothing is changed yet: first the bundle must be safe in its file.
    pub fn pack(
        &self,
        standings: &[Standing],
        backup: bool,
        recipients: &[String],
        armored: bool,
    ) -> Result<HandedOver> {
        let mut leaving = Vec::new();
        let mut rows = Vec::with_capacity(standings.len());
        for standing in standings {
            let record = &standing.record;
            quiet(standing)?;
            let mut places = self.ledger.secrets(&record.profile, &record.key, Role::Live)?;
            // What lives elsewhere already isn't ours to give away.
            let tokens = match places.last() {
                Some((_, place)) if !record.held_elsewhere && record.deactivated_at.is_none() => {
                    Some(self.vault.get(place, record.key.license.as_str())?)
                }
                _ => None,
            };
            if tokens.is_some() {
                leaving.push((record.clone(), std::mem::take(&mut places)));
            }
            rows.push((ExportedRecord(record), tokens));
        }
        let mut authorizations = Vec::with_capacity(rows.len());
        for &(record, ref tokens) in &rows {
            let text = tokens.as_ref().map(|it| str::from_utf8(it.bytes())).transpose();
            let tokens = text.map_err(|_| Error::Internal("a token set isn't text".into()))?;
            authorizations.push(WrittenRow { record, tokens });
        }
        let whole = Sealable::of(&Written { schema: SCHEMA, backup, authorizations });
        let bytes = seal_to(recipients, &whole, armored)?;
        Ok(HandedOver { bytes, records: rows.len(), leaving })
    }

    /// A bundle is about to be written whose tokens leave: noted first, so that whoever comes after a process that was killed
    /// knows of the file. The name that the file has until then.
    pub fn announce(&mut self, packed: &HandedOver, file: Option<&Path>) -> Result<Option<PathBuf>> {
        let licenses = packed.leaving.iter().map(|(record, _)| record.key.license.to_string()).collect();
        let export = self.leaving.insert(self.ledger.begin_export(file, licenses)?);
        Ok(export.unfinished())
    }

    /// The bundle that was announced is nowhere: nothing more has to be known of it.
    pub fn announced_is_taken_back(&mut self) -> Result<()> {
        self.leaving.take().map_or(Ok(()), |export| self.ledger.end_export(&export, None))
    }

    /// The tokens of the bundle that was announced have left: its file gets its name, and nothing more has to be known of it.
    pub fn announced_has_left(&mut self) -> Result<()> {
        let Some(export) = self.leaving.take() else { return Ok(()) };
        if let (Some(part), Some(file)) = (export.unfinished(), &export.file) {
            named(&part, file, &first_few(&export.licenses, NAMED))?;
        }
        self.ledger.end_export(&export, None)
    }

    /// Finishes what killed processes left of bundles on their way out, or takes it back; what a person must hear of it.
    pub fn finish_exports(&mut self) -> Result<Vec<String>> {
        let mut told = Vec::new();
        for (export, here) in self.ledger.exports_cut_short()? {
            let whose = first_few(&export.licenses, NAMED);
            if !here {
                told.push(format!(
                    "An export of {whose} was cut short by {}. Run any command that writes there, to finish it.",
                    clean(export.owner())
                ));
                continue;
            }
            // As it is once whatever its process had left in the server's hands is decided.
            let Some(export) = self.ledger.export_as_it_is(&export)? else { continue };
            let said = match export.file.clone() {
                None => format!(
                    "An export of {whose} to standard output was cut short. The tokens are still live here: throw away what was written, and don't import it."
                ),
                Some(file) => match in_file(&export, &file, &whose) {
                    Ok(said) => said,
                    // It stays noted, and stops nothing else.
                    Err(e) => {
                        told.push(e.to_string());
                        continue;
                    }
                },
            };
            let now = self.env.clock.now();
            self.ledger.end_export(&export, Some((&said, now)))?;
            told.push(said);
        }
        Ok(told)
    }

    /// The bundle is safe. Unless it's a backup its tokens are given away: they go from here, and the records say so;
    /// one commit for all, refused whole where anything was changed meanwhile that the bundle has.
    pub fn hand_over(&mut self, packed: HandedOver, backup: bool, to: &str) -> Result<()> {
        let now = self.env.clock.now();
        let detail =
            if backup { format!("backup, sealed to {to}") } else { format!("moved, sealed to {to}") };
        self.commit_all(self.leaving.clone(), |custody| custody.leaving(&packed, backup, &detail, now))?;
        if !backup {
            for (_, place) in packed.leaving.into_iter().flat_map(|(_, places)| places) {
                self.forget(Some(place));
            }
        }
        Ok(())
    }

    /// What becomes of the records whose tokens a bundle has, as they are now.
    fn leaving(
        &self,
        packed: &HandedOver,
        backup: bool,
        detail: &str,
        now: Timestamp,
    ) -> Result<Vec<Change>> {
        let mut changes = Vec::with_capacity(packed.leaving.len());
        for (written, places) in &packed.leaving {
            let record = self.ledger.standing(&written.profile, &written.key)?.ok_or_else(unknown)?.record;
            let mut carried = Authorization::COLUMNS.iter().filter(|column| column.part.is_carried());
            let is_the_same = carried.all(|column| column.value(&record) == column.value(written))
                && record.generation == written.generation
                && self.ledger.secrets(&record.profile, &record.key, Role::Live)? == *places;
            if !is_the_same {
                return Err(changed(&written.key));
            }
            let mut after = record.clone();
            let mut moves = Vec::new();
            if !backup {
                after.held_elsewhere = true;
                after.generation = record.generation.next();
                moves = places.iter().map(|(id, _)| Move::Drop(*id)).collect();
            }
            changes.push(Change {
                moves,
                closes: None,
                events: vec![event(&after, Happened::Exported, detail, now)],
                record: after,
            });
        }
        Ok(changes)
    }

    /// Commits changes that belong together; where others have written a record since it was read, they are decided on anew.
    fn commit_all(
        &mut self,
        export: Option<Export>,
        decide: impl Fn(&Self) -> Result<Vec<Change>>,
    ) -> Result<Vec<Change>> {
        anew_where_changed(self, |custody| {
            let changes = decide(custody)?;
            custody.ledger.commit_export(&changes, export.as_ref())?;
            Ok(changes)
        })
    }

    /// Which tokens of a license are here, beside those that a file has of it.
    pub fn tokens_beside(&self, record: &Authorization, theirs: Option<&Sealable>) -> Result<Here> {
        let key = &record.key;
        let Some((_, place)) = self.ledger.secrets(&record.profile, key, Role::Live)?.pop() else {
            return Ok(Here::None);
        };
        let Some(theirs) = theirs else { return Ok(Here::Same) };
        let ours = match self.vault.get(&place, key.license.as_str()) {
            Ok(ours) => Granted::from_sealable(&ours, key)?,
            Err(Error::Vault(VaultError::Gone { .. } | VaultError::Broken { .. })) => return Ok(Here::None),
            // Sealed to other hosts alone: only they can tell.
            Err(Error::Vault(VaultError::Foreign { .. })) => return Ok(Here::Same),
            Err(e) => return Err(e),
        };
        Ok(match ours.received_at.cmp(&Granted::from_sealable(theirs, key)?.received_at) {
            Ordering::Less => Here::Older,
            Ordering::Equal => Here::Same,
            Ordering::Greater => Here::Newer,
        })
    }

    /// Takes records in: the vault first, then one synced commit for all of them, or none.
    ///
    /// # Errors
    /// [`crate::error::LedgerError::Changed`] where others have written a record since it was merged with what the file says.
    pub fn take_in(&mut self, rows: Vec<Taking<'_>>, from: &str) -> Result<()> {
        self.puts_items()?;
        let now = self.env.clock.now();
        let mut changes = Vec::with_capacity(rows.len());
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for Taking { merged, tokens } in rows {
            let Merged { mut record, effect, changes: fields, takes_tokens, .. } = merged;
            let mut moves = Vec::new();
            if let Some(tokens) = tokens.filter(|_| takes_tokens) {
                record.generation = record.generation.next();
                let kept = Granted::from_sealable(tokens, &record.key)
                    .and_then(|_| self.vault.put(&self.new_item_of(&record)?, tokens));
                let place = match kept {
                    Ok(place) => place,
                    Err(e) => return Err(self.undo(new, e)),
                };
                // An older grant's tokens aren't revoked: that could end the one that takes their place.
                for (id, place) in self.ledger.secrets(&record.profile, &record.key, Role::Live)? {
                    moves.push(Move::Drop(id));
                    old.push(place);
                }
                moves.push(Move::Put(Role::Live, place.clone()));
                new.push(place);
            }
            let what: Vec<_> = fields.iter().map(|it| it.field).collect();
            let what = match (effect, takes_tokens) {
                (Effect::Add, false) => format!("from {from}"),
                (Effect::Add, true) => format!("from {from}, with its tokens"),
                (_, false) => format!("from {from}: {}", what.join(", ")),
                (_, true) => format!("from {from}, with its tokens: {}", what.join(", ")),
            };
            changes.push(Change {
                moves,
                closes: None,
                events: vec![event(&record, Happened::Imported, what.trim_end_matches(": "), now)],
                record,
            });
        }
        if let Err(e) = self.ledger.commit_all(&changes) {
            return Err(self.undo(new, e));
        }
        for place in old {
            self.forget(Some(place));
        }
        Ok(())
    }

    /// Tokens out of a backup that are here but not in use are this ledger's own from now on. Which they were.
    pub fn adopt(&mut self, wanted: impl Fn(&Authorization) -> bool) -> Result<Vec<Key>> {
        let now = self.env.clock.now();
        let changes = self.commit_all(None, |custody| {
            let mut changes = Vec::new();
            for profile in custody.ledger.profiles()? {
                let doubted = custody.ledger.doubted(&profile)?;
                for standing in custody.ledger.standings(&profile)? {
                    let record = &standing.record;
                    if !wanted(record) {
                        continue;
                    }
                    let detail = if doubted.contains(&record.key) {
                        "used though the ledger went back"
                    } else if record.held_elsewhere
                        && !custody.ledger.secrets(&profile, &record.key, Role::Live)?.is_empty()
                    {
                        quiet(&standing)?;
                        "this is its home now"
                    } else {
                        continue;
                    };
                    let after = Authorization { held_elsewhere: false, ..record.clone() };
                    changes.push(Change {
                        moves: Vec::new(),
                        closes: None,
                        events: vec![event(&after, Happened::Adopted, detail, now)],
                        record: after,
                    });
                }
            }
            Ok(changes)
        })?;
        self.ledger.trusts(changes.iter().map(|it| &it.record))?;
        Ok(changes.into_iter().map(|it| it.record.key).collect())
    }

    /// An item of its own: what an import left that was killed is never named by a later one.
    fn new_item_of(&self, record: &Authorization) -> Result<String> {
        let Key { ubi, license } = &record.key;
        let (generation, own) = (record.generation.0, self.env.random.name()?);
        Ok(format!("{}/{}/{ubi}/{license}/{generation}-{own}", self.ledger.id(), record.profile))
    }

    /// Nothing was committed: what was put into the vault goes again, unless it may show up committed after all.
    fn undo(&self, places: Vec<Place>, e: Error) -> Error {
        for place in places {
            self.forget_unless_needed(place, &e);
        }
        e
    }
}

/// What becomes of a bundle that was cut short on its way into a file.
fn in_file(export: &Export, file: &Path, whose: &str) -> Result<String> {
    let part = export.unfinished().unwrap_or_default();
    let (shown, is_part_there) = (clean(&file.display().to_string()), part.symlink_metadata().is_ok());
    let is_there = file.symlink_metadata().is_ok();
    Ok(match (export.has_left, is_part_there) {
        (false, true) => {
            let removed = match std::fs::remove_file(&part) {
                // Another command was quicker.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            };
            removed.map_err(|e| Error::File {
                path: part.display().to_string(),
                reason: format!("it's a bundle that must not be imported, and can't be removed: {e}"),
            })?;
            format!(
                "An export of {whose} was cut short: its unfinished file is removed, and the tokens are still live here. Export again."
            )
        }
        (false, false) => format!("An export of {whose} was cut short: nothing has left. Export again."),
        (true, true) => {
            named(&part, file, whose)?;
            gone(whose, &shown)
        }
        (true, false) if is_there => gone(whose, &shown),
        (true, false) => format!(
            "An export of {whose} was cut short once the tokens had left, and {shown} isn't there. Unless it has been imported, ask the admins to grant access again: biotrack-auth renew"
        ),
    })
}

/// Gives a bundle whose tokens have left its name.
fn named(part: &Path, file: &Path, whose: &str) -> Result<()> {
    files::rename_new(part, file).map_err(|e| match file.symlink_metadata().is_ok() {
        true => Error::File {
            path: part.display().to_string(),
            reason: format!(
                "it's the bundle with the tokens of {whose}, and another file has its name: move that away, then run any command that writes"
            ),
        },
        false => e,
    })
}

fn gone(whose: &str, file: &str) -> String {
    format!(
        "An export of {whose} was cut short once the tokens had left: they are in {file}. Keep it until it's imported where they live from now on."
    )
}

/// Refuses a license that someone is at now, or of which a dead process left something to be finished.
pub fn quiet(standing: &Standing) -> Result<()> {
    let license = standing.record.key.license.to_string();
    match standing.flows.iter().find(|flow| !flow.handed_off) {
        None => Ok(()),
        Some(flow) if flow.abandoned => Err(Error::Busy {
            license,
            holder: "a process that has ended; its work is not recovered yet (biotrack-auth status says how)"
                .into(),
        }),
        Some(_) => Err(Error::Busy { license, holder: "another process".into() }),
    }
}
