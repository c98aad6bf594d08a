//! A grant came: it's compared, stored and committed, in that order; or set aside, sealed.

use super::{Custody, Kept, event, unknown};
use crate::error::{CustodyError, Error, FactDifference, LedgerError, ProviderError, Result};
use crate::ledger::Ledger;
use crate::model::authorization::Authorization;
use crate::model::consent::{account, compare};
use crate::model::expiry::estimate;
use crate::model::flow::{Change, Move, Place, Purpose, Role, Sealed, Stage};
use crate::model::granted::Granted;
use crate::model::history::Happened;
use crate::model::ids::{FlowId, Key, Username};
use crate::model::instant::{for_machines, whole_second};
use crate::model::provider::{Provider, RevocationScope};
use crate::model::vault_kind::VaultKind;
use crate::oauth::{Liveness, introspect};
use jiff::Timestamp;
use std::collections::HashMap;

/// How many grants are committed together at most: each waits until the vault has taken the others.
const TOGETHER: usize = 16;

/// A grant that came, beside what was asked for.
pub(super) struct ReceivedGrant {
    flow: FlowId,
    key: Key,
    username: Username,
    purpose: Purpose,
    granted: Granted,
    /// The same grant, ready to be set aside.
    sealed: Sealed,
    /// What makes it another grant than the one that was asked for.
    differences: Vec<FactDifference>,
    /// What the provider didn't report, or told so that it can't be, in words.
    unconfirmed: Vec<String>,
    /// Who granted, where that's another admin than the one who was asked.
    other_admin: Option<String>,
}

impl ReceivedGrant {
    /// It isn't the newest any more, and an older grant never takes a newer one's place.
    pub(super) fn overtaken_by(&mut self, newer: Timestamp) {
        self.differences.push(FactDifference {
            fact: "Consent",
            asked: "the newest".into(),
            reported: format!("one from before the grant of {newer}"),
        });
    }
}

/// One that the vault has taken.
struct Stored {
    came: ReceivedGrant,
    place: Place,
}

/// What becomes of one.
enum VaultOutcome {
    /// It's the one that was asked for.
    Accepted(Stored),
    /// It isn't, and no vault has it.
    Rejected(ReceivedGrant),
}

impl Custody<'_> {
    /// What an exchange brought. After this returns, the grant is durable, or its refusal is; the browser may be told.
    pub fn exchanged(&mut self, flow: &FlowId, result: Result<Granted>) -> Result<Kept> {
        self.all_exchanged(vec![(flow.clone(), result)]).pop().unwrap_or_else(|| Err(unknown()))
    }

    /// The same for several that came at about the same time, in their order: one commit for many.
    pub fn all_exchanged(&mut self, answers: Vec<(FlowId, Result<Granted>)>) -> Vec<Result<Kept>> {
        // Where each is looked up before it's kept, none waits for the others' looks.
        let together = if self.provider.introspect { 1 } else { TOGETHER };
        let mut ended = Vec::with_capacity(answers.len());
        let mut answers = answers.into_iter().peekable();
        while answers.peek().is_some() {
            let some = answers.by_ref().take(together);
            let came = some.map(|(flow, result)| self.came(flow, result)).collect();
            ended.extend(self.keep(came));
        }
        ended
    }

    fn came(&mut self, flow: FlowId, result: Result<Granted>) -> Result<ReceivedGrant> {
        let granted = match result {
            Ok(granted) => granted,
            Err(e) => return Err(self.ended(&flow, e)),
        };
        let asked = self.in_flight.get_mut(&flow).ok_or_else(unknown)?;
        let seal = asked.answer_seal.take().ok_or_else(unknown)?;
        let sealed = seal.close(&granted.to_sealable(&asked.key))?;
        self.compared(flow, granted, sealed)
    }

    /// Compares a grant with what was asked; `sealed` is the same grant, ready to be set aside.
    pub(super) fn compared(
        &mut self,
        flow: FlowId,
        granted: Granted,
        sealed: Sealed,
    ) -> Result<ReceivedGrant> {
        let asked = self.in_flight.get(&flow).ok_or_else(unknown)?;
        let (key, username, purpose) = (asked.key.clone(), asked.username.clone(), asked.purpose);
        tracing::info!("a grant of {key} came; it's compared with what was asked");
        let comparison = compare(&self.provider, &key, &username, &granted.reported);
        let mut differences = comparison.differences;
        differences.extend(protocol_differences(&granted));
        if differences.is_empty() && self.proven_dead(&granted) {
            differences.push(FactDifference {
                fact: "Introspection",
                asked: "active".into(),
                reported: "inactive".into(),
            });
        }
        let other_admin = comparison.other_admin;
        let odd_end =
            granted.reported.odd_end.as_ref().map(|told| format!("Expiration Date (told as \"{told}\")"));
        let missing = comparison.unconfirmed.iter().map(|fact| fact.label().to_owned());
        let unconfirmed = missing.chain(odd_end).collect();
        Ok(ReceivedGrant {
            flow,
            key,
            username,
            purpose,
            granted,
            sealed,
            differences,
            unconfirmed,
            other_admin,
        })
    }

    /// Vault first, then one synced commit: records, places, events and the closed questions together. What isn't as it
    /// was asked for is refused after that: the provider may take its time.
    pub(super) fn keep(&mut self, came: Vec<Result<ReceivedGrant>>) -> Vec<Result<Kept>> {
        let handed: Vec<_> = came.into_iter().map(|came| self.write_to_vault(came?)).collect();
        let mut together = self.commit_together(handed.iter().flatten().filter_map(|it| match it {
            VaultOutcome::Accepted(stored) => Some(stored),
            VaultOutcome::Rejected(_) => None,
        }));
        let mut end = |handed| match handed {
            VaultOutcome::Accepted(stored) => self.finish_keeping(stored, &mut together),
            VaultOutcome::Rejected(came) => Err(self.refuse(came)),
        };
        handed.into_iter().map(|it| end(it?)).collect()
    }

    fn write_to_vault(&mut self, came: ReceivedGrant) -> Result<VaultOutcome> {
        if !came.differences.is_empty() {
            return Ok(VaultOutcome::Rejected(came));
        }
        let place = || match self.vault.kind() {
            // The envelope's content is the record's own blob: nothing is sealed twice.
            VaultKind::Sealed => Ok(Place::Blob(came.sealed.clone())),
            VaultKind::Keyring => {
                let generation = self.standing(&came.key)?.ok_or_else(unknown)?.record.generation;
                let item = self.item_of_answer(&came.key, generation, &came.flow);
                self.vault.put(&item, &came.granted.to_sealable(&came.key))
            }
        };
        match place() {
            Ok(place) => Ok(VaultOutcome::Accepted(Stored { came, place })),
            // defense: S32 unstored-grant-is-set-aside
            Err(e) => Err(self.quarantine_sealed(&came.flow, &came.key, came.sealed, &e)),
        }
    }

    /// Commits several in one. Those that aren't among what is returned are still to be committed, each alone: there its
    /// own failure is told, and a record that others changed is read again.
    fn commit_together<'s>(&mut self, stored: impl Iterator<Item = &'s Stored> + Clone) -> BatchCommit {
        let mut done = BatchCommit::default();
        if stored.clone().nth(1).is_none() {
            return done;
        }
        let (mut flows, mut changes) = (Vec::new(), Vec::new());
        for it in stored {
            if let Ok(Some(standing)) = self.standing(&it.came.key)
                && let Ok((change, elsewhere)) =
                    it.change(&self.ledger, &mut { standing.record }, &self.provider)
            {
                flows.push((it.came.flow.clone(), elsewhere));
                changes.push(change);
            }
        }
        match self.ledger.commit(&changes) {
            Ok(kept) => {
                let kept = flows.into_iter().zip(kept);
                done.kept = kept
                    .filter_map(|((flow, elsewhere), kept)| Some((flow, (kept.ok()?, elsewhere))))
                    .collect();
                self.settled(done.kept.keys());
            }
            Err(e) => {
                tracing::info!("{} grants can't be committed together: {e}", changes.len());
                done.may_show_up = e.may_show_up();
            }
        }
        done
    }

    fn finish_keeping(&mut self, stored: Stored, together: &mut BatchCommit) -> Result<Kept> {
        let provider = self.provider.clone();
        let kept = match together.kept.remove(&stored.came.flow) {
            Some(kept) => Ok(kept),
            None => {
                let mut dropped = Vec::new();
                let kept = self.commit_if(&stored.came.key, |ledger, record| {
                    let (change, elsewhere) = stored.change(ledger, record, &provider)?;
                    dropped = elsewhere;
                    Ok(change)
                });
                kept.map(|kept| (kept, dropped))
            }
        };
        let Stored { came, place } = stored;
        match kept {
            Ok((kept, elsewhere)) => {
                self.in_flight.remove(&came.flow);
                self.orphaned_items.extend(kept.memo);
                tracing::info!("the grant of {} is stored", came.key);
                self.changed_keys.insert(came.key);
                Ok(match came.other_admin {
                    Some(granted_by) => Kept::Held { granted_by },
                    None => {
                        self.orphaned_items.extend(elsewhere);
                        Kept::Live { unconfirmed: came.unconfirmed }
                    }
                })
            }
            Err(e) => {
                // The sealed answer is kept instead; an item that nothing names would only be an orphan.
                if !together.may_show_up {
                    self.forget_unless_needed(place, &e);
                }
                Err(self.quarantine_sealed(&came.flow, &came.key, came.sealed, &e))
            }
        }
    }

    /// The grant can't be kept in its place: it's kept sealed in the journal, else in the spool.
    fn quarantine_sealed(&mut self, flow: &FlowId, key: &Key, sealed: Sealed, why: &Error) -> Error {
        let stage = Stage::Answered(sealed);
        let kept = self.ledger.keep_answer(flow, &stage).or_else(|e| match &mut self.spool {
            // defense: S38 untaken-grant-is-spooled
            Some(spool) => spool.keep(flow, &stage).map(drop),
            None => Err(e),
        });
        let license = key.license.to_string();
        match kept {
            Ok(()) => LedgerError::NotKept { license, reason: why.to_string() }.into(),
            Err(e) => CustodyError::GrantLost { license, why: why.to_string(), spool: e.to_string() }.into(),
        }
    }

    /// A grant that isn't the one that was asked for never enters the record. Where a revocation reaches it alone it's
    /// taken back, and stays sealed until the provider has answered.
    fn refuse(&mut self, came: ReceivedGrant) -> Error {
        let ReceivedGrant { flow, key, sealed, differences, .. } = &came;
        let fate = match self.reject(flow, key, sealed, differences) {
            Ok(true) => match self.revoke_unwanted(key) {
                Ok(()) => "The wrong grant was revoked, and nothing was stored.",
                Err(_) => {
                    "The wrong grant wasn't stored; its revocation hasn't been answered yet, and the next command on this license tries again."
                }
            },
            Ok(false) => {
                "The wrong grant wasn't stored. It can't be revoked alone here, so it stays valid at BioTrack until it lapses or the admin removes it."
            }
            Err(e) => match self.quarantine_sealed(flow, key, sealed.clone(), &e) {
                lost @ Error::Custody(CustodyError::GrantLost { .. }) => return lost,
                _ => {
                    "The wrong grant isn't in the record; it waits sealed in the journal, and the next command on this license takes it back."
                }
            },
        };
        let license = key.license.to_string();
        ProviderError::Mismatch { license, differences: came.differences, fate }.into()
    }

    /// Commits that a grant is unwanted; whether a revocation reaches it alone, so that it's kept for that.
    fn reject(
        &mut self,
        flow: &FlowId,
        key: &Key,
        sealed: &Sealed,
        differences: &[FactDifference],
    ) -> Result<bool> {
        let reached = self.revocation_of_one().is_some();
        let place = match reached {
            true => Some(self.unwanted_place(flow, key, sealed)?),
            false => None,
        };
        let detail = differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let now = self.env.clock.now();
        let kept = self.commit(key, |record| {
            record.revocation_pending |= place.is_some();
            Change {
                moves: place.iter().map(|place| Move::Put(Role::Unwanted, place.clone())).collect(),
                closes: Some(flow.clone()),
                events: vec![event(record, Happened::Failed, &detail, now)],
                record: record.clone(),
            }
        })?;
        self.orphaned_items.extend(kept.memo);
        self.in_flight.remove(flow);
        Ok(reached)
    }

    /// A grant to be revoked must be readable for that: sealed where the vault is, else a keyring item of its own.
    fn unwanted_place(&self, flow: &FlowId, key: &Key, sealed: &Sealed) -> Result<Place> {
        match self.vault.kind() {
            VaultKind::Sealed => Ok(Place::Blob(sealed.clone())),
            VaultKind::Keyring => {
                let asked = self.in_flight.get(flow).ok_or_else(unknown)?;
                let (_, opener) = self.vault.unfold(&asked.kept, key.license.as_str())?;
                let granted = opener.open(sealed, key.license.as_str())?;
                self.vault.put(&format!("{}-unwanted", self.item_of_flow(key, flow)), &granted)
            }
        }
    }

    /// Where a revocation ends one grant and no other.
    pub(super) fn revocation_of_one(&self) -> Option<String> {
        match self.provider.revocation_scope {
            RevocationScope::Token => self.online.as_ref()?.endpoints.revocation.clone(),
            RevocationScope::Grant => None,
        }
    }

    /// Where the profile wants a new grant looked up: whether the provider calls it dead. No answer proves nothing.
    fn proven_dead(&self, granted: &Granted) -> bool {
        let Ok(exchange) = self.online() else { return false };
        let Some(address) = exchange.endpoints.introspection.clone().filter(|_| self.provider.introspect)
        else {
            return false;
        };
        let granted = granted.clone();
        let asked = self.env.wait(async move {
            introspect(&exchange.http, &exchange.provider, &address, exchange.secret.as_ref(), &granted).await
        });
        matches!(asked, Ok(Liveness::Inactive))
    }

    /// Takes the held grant of another admin as it is, without a new consent.
    ///
    /// # Errors
    /// [`LedgerError::Changed`] where another process was quicker: took it, or gave the license up.
    pub fn take_held(&mut self, key: &Key) -> Result<()> {
        // Until it's committed: whoever takes it too, or gives the license up, waits, and looks again.
        let _claim = self.claim(key)?;
        let profile = self.provider.profile.clone();
        let gone = || LedgerError::Changed { license: key.license.to_string() };
        let (held, place) = self.ledger.secrets(&profile, key, Role::Held)?.pop().ok_or_else(gone)?;
        let granted = Granted::from_sealable(&self.vault.get(&place, key.license.as_str())?, key)?;
        let provider = self.provider.clone();
        let now = self.env.clock.now();
        for flow in self.ledger.unfinished(&profile, Some(key))? {
            self.clear_lapsed(&flow)?;
        }
        let mut dropped = Vec::new();
        self.commit_if(key, |ledger, record| {
            if !ledger.secrets(&profile, key, Role::Held)?.iter().any(|(id, _)| *id == held) {
                return Err(gone().into());
            }
            let renewed = record.created_at.is_some() && record.deactivated_at.is_none();
            // It was granted before: what became uncertain since, such as whether it was revoked, it doesn't settle.
            let uncertain_at = record.uncertain_at;
            let elsewhere = tokens_of_elsewhere(ledger, record)?;
            live(record, &provider, &granted, renewed);
            record.uncertain_at = uncertain_at;
            let mut moves = leaving(record, &provider);
            moves.extend(elsewhere.iter().map(|(id, _)| Move::Drop(*id)));
            dropped = elsewhere.into_iter().map(|(_, place)| place).collect();
            moves.extend([Move::Turn(Role::Live, Role::Superseded), Move::Turn(Role::Held, Role::Live)]);
            let happened = if renewed { Happened::Renewed } else { Happened::Granted };
            let events = vec![event(record, happened, &told(record, &[]), now)];
            Ok(Change { record: record.clone(), moves, closes: None, events })
        })?;
        self.orphaned_items.extend(dropped);
        self.changed_keys.insert(key.clone());
        Ok(())
    }
}

/// What was committed together.
#[derive(Default)]
struct BatchCommit {
    /// With the places of tokens that it dropped.
    kept: HashMap<FlowId, (crate::ledger::CommitReceipt, Vec<Place>)>,
    /// It failed, and may show up all the same: what it named in the vault must stay.
    may_show_up: bool,
}

impl Stored {
    /// What is committed of it, over the record as it is now; and the places of tokens that it drops.
    fn change(
        &self,
        ledger: &Ledger,
        record: &mut Authorization,
        provider: &Provider,
    ) -> Result<(Change, Vec<Place>)> {
        let Self { came, place } = self;
        let (mut moves, mut dropped) = (Vec::new(), Vec::new());
        let (happened, detail) = if let Some(other) = &came.other_admin {
            moves.push(Move::Put(Role::Held, place.clone()));
            record.held_by = Some(other.clone());
            record.generation = record.generation.next();
            (Happened::Held, format!("granted by {other}, not {}", came.username))
        } else {
            let renewed = came.purpose == Purpose::Renew;
            let elsewhere = tokens_of_elsewhere(ledger, record)?;
            record.username = came.username.clone();
            live(record, provider, &came.granted, renewed);
            moves.extend(leaving(record, provider));
            moves.extend(elsewhere.iter().map(|(id, _)| Move::Drop(*id)));
            dropped.extend(elsewhere.into_iter().map(|(_, place)| place));
            moves.extend([Move::Put(Role::Live, place.clone()), Move::Turn(Role::Held, Role::Superseded)]);
            let happened = if renewed { Happened::Renewed } else { Happened::Granted };
            (happened, told(record, &came.unconfirmed))
        };
        let events = vec![event(record, happened, &detail, came.granted.received_at)];
        Ok((Change { record: record.clone(), moves, closes: Some(came.flow.clone()), events }, dropped))
    }
}

/// Tokens out of a backup that wasn't adopted: they live elsewhere, so a new grant takes their place here without
/// their being revoked.
fn tokens_of_elsewhere(ledger: &Ledger, record: &Authorization) -> Result<Vec<(i64, Place)>> {
    match record.held_elsewhere {
        true => ledger.secrets(&record.profile, &record.key, Role::Live),
        false => Ok(Vec::new()),
    }
}

/// The record of a live grant.
fn live(record: &mut Authorization, provider: &Provider, granted: &Granted, renewed: bool) {
    let at = whole_second(granted.received_at);
    if renewed && record.created_at.is_some() {
        record.renewed_at = Some(at);
    } else {
        record.created_at = Some(at);
        record.renewed_at = None;
    }
    record.expires_estimated = granted.expires_at.is_none();
    record.expires_at = Some(whole_second(
        granted.expires_at.unwrap_or_else(|| estimate(at, provider.lifetime, &provider.zone)),
    ));
    record.granted_by = granted.reported.username.as_deref().map(account);
    record.deactivated_at = None;
    record.invalid_at = None;
    record.uncertain_at = None;
    record.held_by = None;
    record.held_elsewhere = false;
    record.generation = record.generation.next();
}

/// With a new living grant, older ones that nobody wants go too. Where a revocation could end the new grant as well,
/// they are only forgotten: reporting never stops for us.
fn leaving(record: &mut Authorization, provider: &Provider) -> Vec<Move> {
    match provider.revocation_scope {
        RevocationScope::Token => Vec::new(),
        RevocationScope::Grant => {
            record.revocation_pending = false;
            vec![Move::Turn(Role::Unwanted, Role::Superseded)]
        }
    }
}

fn told(record: &Authorization, unconfirmed: &[String]) -> String {
    let until = record.expires_at.map_or_else(String::new, for_machines);
    let estimated = if record.expires_estimated { " (estimated)" } else { "" };
    let by = record
        .granted_by
        .as_ref()
        .map_or_else(|| "by an admin not named".to_owned(), |who| format!("by {who}"));
    let not_confirmed = match unconfirmed {
        [] => String::new(),
        _ => format!("; not confirmed: {}", unconfirmed.join(", ")),
    };
    format!("{by}, until {until}{estimated}{not_confirmed}")
}

/// What the protocol itself shows to be another grant than the one asked for (RFC 6749 5.1 and 7.1).
pub(super) fn protocol_differences(granted: &Granted) -> Vec<FactDifference> {
    let mut found = Vec::new();
    // defense: S10 bearer-tokens-alone
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        found.push(FactDifference {
            fact: "Token type",
            asked: "Bearer".into(),
            reported: crate::error::excerpt(&granted.token_type, 80),
        });
    }
    // defense: S43 token-fits-a-header
    if !granted.is_sendable() {
        found.push(FactDifference {
            fact: "Access token",
            asked: "printable ASCII".into(),
            reported: "unprintable".into(),
        });
    }
    // defense: S10 no-narrower-scopes
    if !granted.missing_scopes.is_empty() {
        found.push(FactDifference {
            fact: "Scope",
            asked: granted.missing_scopes.join(" "),
            reported: "without it".into(),
        });
    }
    found
}
