//! A grant came: it's compared, stored and committed, in that order; or set aside, sealed.

use super::{Custody, Kept, self_event, unknown};
use crate::error::{Error, FactDifference, LedgerError, ProviderError, Result};
use crate::grant::{Liveness, introspect};
use crate::model::authorization::Authorization;
use crate::model::consent::compare;
use crate::model::expiry::estimate;
use crate::model::flow::{Change, Move, Place, Purpose, Role, Sealed, Stage};
use crate::model::granted::Granted;
use crate::model::history::Happened;
use crate::model::ids::{FlowId, Key};
use crate::model::provider::{Provider, RevocationScope};
use crate::model::vault_kind::VaultKind;
use crate::session::Exchange;
use jiff::Timestamp;

impl Custody<'_> {
    /// What an exchange brought. After this returns, the grant is durable, or its refusal is; the browser may be told.
    pub fn exchanged(&mut self, exchange: &Exchange, flow: &FlowId, result: Result<Granted>) -> Result<Kept> {
        match result {
            Ok(granted) => self.keep(exchange, flow, &granted),
            Err(e) => Err(self.ended(flow, e)),
        }
    }

    fn keep(&mut self, exchange: &Exchange, flow: &FlowId, granted: &Granted) -> Result<Kept> {
        let asked = self.in_flight.get_mut(flow).ok_or_else(unknown)?;
        let key = asked.key.clone();
        let sealed = match asked.answer_seal.take() {
            Some(seal) => seal.close(&granted.to_sealable(&key))?,
            None => return Err(unknown()),
        };
        let comparison = compare(&self.provider, &key, &asked.username, &granted.reported);
        let mut differences = comparison.differences;
        differences.extend(protocol_differences(granted));
        if differences.is_empty() && self.proven_dead(exchange, granted) {
            differences.push(FactDifference {
                fact: "Introspection",
                asked: "active".into(),
                reported: "inactive".into(),
            });
        }
        if !differences.is_empty() {
            return Err(self.refuse(exchange, flow, &key, sealed, differences));
        }
        let role = if comparison.other_admin.is_some() { Role::Held } else { Role::Live };
        match self.store(flow, &key, granted, sealed.clone(), role, comparison.other_admin.as_deref()) {
            Ok(()) => Ok(comparison.other_admin.map_or(Kept::Live, |granted_by| Kept::Held { granted_by })),
            Err(e) => Err(self.set_aside(flow, &key, sealed, &e)),
        }
    }

    /// Vault first, then one synced commit: record, place, event and the closed question together.
    fn store(
        &mut self,
        flow: &FlowId,
        key: &Key,
        granted: &Granted,
        sealed: Sealed,
        role: Role,
        other_admin: Option<&str>,
    ) -> Result<()> {
        let asked = self.in_flight.get(flow).ok_or_else(unknown)?;
        let (username, purpose) = (asked.username.clone(), asked.purpose);
        let generation = self.standing(key)?.ok_or_else(unknown)?.record.generation.next();
        let place = match self.vault.kind() {
            // The envelope's content is the record's own blob: nothing is sealed twice.
            VaultKind::Sealed => Place::Blob(sealed),
            VaultKind::Keyring => self.vault.put(&self.item(key, generation), &granted.to_sealable(key))?,
        };
        let provider = self.provider.clone();
        let kept = self.commit(key, |record| {
            let expect = record.generation;
            let mut events = Vec::new();
            let mut moves = vec![Move::Put(role, place.clone())];
            if let Some(other) = other_admin {
                record.held_by = Some(other.to_owned());
                record.generation = record.generation.next();
                events.push(self_event(
                    record,
                    Happened::Held,
                    &format!("granted by {other}, not {username}"),
                    granted.received_at,
                ));
            } else {
                let renewed = purpose == Purpose::Renew;
                record.username = username.clone();
                live(record, &provider, granted, renewed);
                moves.push(Move::Turn(Role::Held, Role::Superseded));
                let happened = if renewed { Happened::Renewed } else { Happened::Granted };
                events.push(self_event(record, happened, &told(record), granted.received_at));
            }
            Change { record: record.clone(), expect, moves, closes: Some(flow.clone()), events }
        });
        match kept {
            Ok(kept) => {
                self.in_flight.remove(flow);
                self.loose.extend(kept.memo);
                Ok(())
            }
            Err(e) => {
                // The sealed answer is kept instead; an item that nothing names would only be an orphan.
                self.forget(matches!(place, Place::Item(_)).then_some(place));
                Err(e)
            }
        }
    }

    /// The grant can't be kept in its place: it's kept sealed in the journal, else in the spool.
    fn set_aside(&mut self, flow: &FlowId, key: &Key, sealed: Sealed, why: &Error) -> Error {
        let stage = Stage::Answered(sealed);
        let kept = self.ledger.keep_answer(flow, &stage).or_else(|e| match &mut self.spool {
            Some(spool) => spool.keep(flow, &stage).map(drop),
            None => Err(e),
        });
        let license = key.license.to_string();
        match kept {
            Ok(()) => LedgerError::NotKept { license, reason: why.to_string() }.into(),
            Err(e) => Error::Failed(format!(
                "{license} was granted, but neither vault, ledger nor spool could keep it ({why}; {e}): it must be consented again"
            )),
        }
    }

    /// A grant that isn't the one that was asked for never enters the record. Where a revocation reaches it alone it's
    /// taken back, and stays sealed until the provider has answered.
    fn refuse(
        &mut self,
        exchange: &Exchange,
        flow: &FlowId,
        key: &Key,
        sealed: Sealed,
        differences: Vec<FactDifference>,
    ) -> Error {
        let license = key.license.to_string();
        let reached = self.revocation_of_one(exchange).is_some();
        let detail = differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let place = match self.unwanted_place(flow, key, sealed.clone()) {
            Ok(place) => place,
            Err(e) => return self.set_aside(flow, key, sealed, &e),
        };
        let now = self.env.clock.now();
        let committed = self.commit(key, |record| {
            let expect = record.generation;
            let mut moves = Vec::new();
            if reached {
                moves.push(Move::Put(Role::Unwanted, place.clone()));
                record.revocation_pending = true;
            }
            let events = vec![self_event(record, Happened::Failed, &detail, now)];
            Change { record: record.clone(), expect, moves, closes: Some(flow.clone()), events }
        });
        match committed {
            Ok(kept) => self.loose.extend(kept.memo),
            Err(e) => return self.set_aside(flow, key, sealed, &e),
        }
        self.in_flight.remove(flow);
        let fate = match reached {
            false => {
                "The wrong grant wasn't stored. It can't be revoked alone here, so it stays valid at BioTrack until it lapses or the admin removes it."
            }
            true => match self.revoke_unwanted(exchange, key) {
                Ok(()) => "The wrong grant was revoked, and nothing was stored.",
                Err(_) => {
                    "The wrong grant wasn't stored; its revocation hasn't been answered yet, and the next command on this licence tries again."
                }
            },
        };
        ProviderError::Mismatch { license, differences, fate }.into()
    }

    /// A grant to be revoked must be readable for that: sealed where the vault is, else a keyring item of its own.
    fn unwanted_place(&self, flow: &FlowId, key: &Key, sealed: Sealed) -> Result<Place> {
        match self.vault.kind() {
            VaultKind::Sealed => Ok(Place::Blob(sealed)),
            VaultKind::Keyring => {
                let memo = Place::Item(self.item_of_flow(key, flow));
                let (_, opener) = self.vault.unfold(&memo, key.license.as_str())?;
                let granted = opener.open(&sealed, key.license.as_str())?;
                self.vault.put(&format!("{}-unwanted", self.item_of_flow(key, flow)), &granted)
            }
        }
    }

    /// Where a revocation ends one grant and no other.
    pub(super) fn revocation_of_one<'x>(&self, exchange: &'x Exchange) -> Option<&'x str> {
        match self.provider.revocation_scope {
            RevocationScope::Token => exchange.endpoints.revocation.as_deref(),
            RevocationScope::Grant => None,
        }
    }

    /// Where the profile wants a new grant looked up: whether the provider calls it dead. No answer proves nothing.
    fn proven_dead(&self, exchange: &Exchange, granted: &Granted) -> bool {
        let Some(address) = exchange.endpoints.introspection.clone().filter(|_| self.provider.introspect)
        else {
            return false;
        };
        let (exchange, granted) = (exchange.clone(), granted.clone());
        let asked = self.env.wait(async move {
            introspect(&exchange.http, &exchange.provider, &address, exchange.secret.as_ref(), &granted).await
        });
        matches!(asked, Ok(Liveness::Inactive))
    }

    /// Takes the held grant of another admin as it is, without a new consent.
    pub fn take_held(&mut self, key: &Key) -> Result<()> {
        let profile = self.provider.profile.clone();
        let (_, place) = self.ledger.secrets(&profile, key, Role::Held)?.pop().ok_or_else(unknown)?;
        let granted = Granted::from_sealable(&self.vault.get(&place, key.license.as_str())?, key)?;
        let provider = self.provider.clone();
        let now = self.env.clock.now();
        self.commit(key, |record| {
            let expect = record.generation;
            let renewed = record.created_at.is_some() && record.deactivated_at.is_none();
            live(record, &provider, &granted, renewed);
            let happened = if renewed { Happened::Renewed } else { Happened::Granted };
            let moves = vec![Move::Turn(Role::Live, Role::Superseded), Move::Turn(Role::Held, Role::Live)];
            let events = vec![self_event(record, happened, &told(record), now)];
            Change { record: record.clone(), expect, moves, closes: None, events }
        })
        .map(drop)
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
    record.granted_by = granted.reported.username.as_deref().map(|name| crate::error::clean(name.trim()));
    record.deactivated_at = None;
    record.invalid_at = None;
    record.uncertain_at = None;
    record.held_by = None;
    record.generation = record.generation.next();
}

/// Down to the whole second, as the ledger keeps it: early, never late.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_nanosecond().div_euclid(1_000_000_000).try_into().unwrap_or(i64::MAX))
        .unwrap_or(at)
}

fn told(record: &Authorization) -> String {
    let until = record.expires_at.map_or_else(String::new, |at| at.to_string());
    let estimated = if record.expires_estimated { " (estimated)" } else { "" };
    match &record.granted_by {
        Some(who) => format!("by {who}, until {until}{estimated}"),
        None => format!("until {until}{estimated}"),
    }
}

/// What the protocol itself shows to be another grant than the one asked for (RFC 6749 5.1 and 7.1).
fn protocol_differences(granted: &Granted) -> Vec<FactDifference> {
    let mut found = Vec::new();
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        found.push(FactDifference {
            fact: "Token type",
            asked: "Bearer".into(),
            reported: crate::error::clean(&granted.token_type).chars().take(80).collect(),
        });
    }
    if !granted.missing_scopes.is_empty() {
        found.push(FactDifference {
            fact: "Scope",
            asked: granted.missing_scopes.join(" "),
            reported: "without it".into(),
        });
    }
    found
}
