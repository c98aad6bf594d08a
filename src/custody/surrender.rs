//! Giving grants back: a licence that is deactivated, grants that nobody wants, grants that a newer one replaced.

use super::{Custody, ours, self_event, unknown};
use crate::error::{Error, Result};
use crate::grant;
use crate::ledger::{Intent, Leaving};
use crate::model::flow::{Change, Flow, Logged, Move, Place, Purpose, Role, Stage};
use crate::model::granted::Granted;
use crate::model::history::Happened;
use crate::model::ids::{FlowId, Key};
use crate::session::Exchange;

/// What the provider did about a deactivation.
#[derive(Debug)]
pub enum Revocation {
    /// It revoked the grant.
    Revoked,
    /// It has no place to revoke at: the grant stays valid there until it lapses.
    NotOffered,
    /// `--local-only`: it wasn't asked.
    NotAsked,
    /// There was no grant to revoke.
    Nothing,
    /// It hasn't answered: the tokens are kept, and the next `deactivate` tries again.
    Pending(Error),
}

/// What a deactivation did.
#[derive(Debug)]
pub struct Surrendered {
    /// At the provider.
    pub revocation: Revocation,
    /// Only another admin's held grant was thrown away; the licence's own is untouched.
    pub only_held: bool,
}

/// Every role whose grant ends with its licence.
const ALL_ROLES: [Role; 4] = [Role::Live, Role::Held, Role::Superseded, Role::Unwanted];

impl Custody<'_> {
    /// Gives a licence up: revokes what can be revoked, forgets the tokens, keeps record and history. Where another
    /// admin's grant is held beside a living one, only that is thrown away: reporting never stops by surprise.
    /// `exchange` is `None` for `--local-only`.
    pub fn surrender(&mut self, exchange: Option<&Exchange>, key: &Key, reason: &str) -> Result<Surrendered> {
        let profile = self.provider.profile.clone();
        let record = self.standing(key)?.ok_or_else(unknown)?.record;
        let only_held =
            record.held_by.is_some() && record.expires_at.is_some() && record.deactivated_at.is_none();
        let roles: &[Role] = if only_held { &[Role::Held] } else { &ALL_ROLES };
        let mut secrets: Vec<(i64, Place)> = Vec::new();
        for role in roles {
            secrets.extend(self.ledger.secrets(&profile, key, *role)?);
        }
        let flow = self.intend_surrender(key, &record)?;
        let revocation = match exchange {
            None if secrets.is_empty() => Revocation::Nothing,
            None => Revocation::NotAsked,
            Some(exchange) => self.revoke_all(exchange, &flow, key, &secrets, only_held)?,
        };
        self.commit_surrender(&flow, key, &secrets, &revocation, only_held, reason)?;
        if !matches!(revocation, Revocation::Pending(_)) {
            for (_, place) in secrets {
                self.forget(Some(place));
            }
        }
        Ok(Surrendered { revocation, only_held })
    }

    /// The intent, synced, before anything is revoked; and nobody else may work on the licence meanwhile.
    fn intend_surrender(
        &mut self,
        key: &Key,
        record: &crate::model::authorization::Authorization,
    ) -> Result<Logged<FlowId>> {
        let now = self.env.clock.now();
        let flow = Flow {
            id: FlowId(self.env.random.name()?),
            profile: record.profile.clone(),
            key: key.clone(),
            purpose: Purpose::Deactivate,
            username: record.username.clone(),
            base: record.generation,
            redirect_uri: String::new(),
            opened: now,
            deadline: now,
            owner: Some(ours()),
            memo: None,
            stage: Stage::Asked,
        };
        let change = Change {
            record: record.clone(),
            expect: record.generation,
            moves: Vec::new(),
            closes: None,
            events: Vec::new(),
        };
        self.ledger.intend(vec![Intent { flow, change }])?.pop().ok_or_else(unknown)?
    }

    fn revoke_all(
        &mut self,
        exchange: &Exchange,
        flow: &Logged<FlowId>,
        key: &Key,
        secrets: &[(i64, Place)],
        only_held: bool,
    ) -> Result<Revocation> {
        if secrets.is_empty() {
            return Ok(Revocation::Nothing);
        }
        // A held grant beside a living one may share its account: revoked only where that reaches it alone.
        let address = if only_held {
            self.revocation_of_one(exchange)
        } else {
            exchange.endpoints.revocation.as_deref()
        };
        let Some(address) = address else { return Ok(Revocation::NotOffered) };
        let mut grants = Vec::with_capacity(secrets.len());
        for (_, place) in secrets {
            match self.read(place, key) {
                Ok(granted) => grants.push(granted),
                Err(e) => {
                    // Nothing was done yet, and nothing is deleted because a read failed.
                    self.drop_question(flow.get(), key)?;
                    return Err(e);
                }
            }
        }
        self.ledger.note(flow.get(), &Stage::Sent)?;
        for granted in grants {
            if let Err(e) = self.revoke_one(exchange, address, &granted, flow) {
                return Ok(Revocation::Pending(e));
            }
        }
        Ok(Revocation::Revoked)
    }

    fn commit_surrender(
        &mut self,
        flow: &Logged<FlowId>,
        key: &Key,
        secrets: &[(i64, Place)],
        revocation: &Revocation,
        only_held: bool,
        reason: &str,
    ) -> Result<()> {
        let now = self.env.clock.now();
        let pending = matches!(revocation, Revocation::Pending(_));
        self.commit(key, |record| {
            let expect = record.generation;
            let moves = if pending {
                vec![Move::Turn(Role::Live, Role::Unwanted), Move::Turn(Role::Held, Role::Unwanted)]
                    .into_iter()
                    .skip(usize::from(only_held))
                    .collect()
            } else {
                secrets.iter().map(|(id, _)| Move::Drop(*id)).collect()
            };
            record.held_by = None;
            record.revocation_pending = pending || record.revocation_pending && only_held;
            record.generation = record.generation.next();
            let mut events = Vec::new();
            if only_held {
                events.push(self_event(record, Happened::Failed, "the held grant was thrown away", now));
            } else if record.deactivated_at.is_none() {
                record.deactivated_at = Some(now);
                record.uncertain_at = None;
                events.push(self_event(record, Happened::Deactivated, reason, now));
            }
            if matches!(revocation, Revocation::Revoked) {
                events.push(self_event(record, Happened::Revoked, "confirmed by the provider", now));
            }
            Change { record: record.clone(), expect, moves, closes: Some(flow.get().clone()), events }
        })
        .map(drop)
    }

    /// Revokes the grants that nobody wants; each is kept until the provider has answered.
    pub(super) fn revoke_unwanted(&mut self, exchange: &Exchange, key: &Key) -> Result<()> {
        let unwanted = self.ledger.leaving(&self.provider.profile, key, Leaving::Unwanted)?;
        let Some(address) = exchange.endpoints.revocation.clone() else { return Ok(()) };
        if unwanted.get().is_empty() {
            return Ok(());
        }
        for (_, place) in unwanted.get() {
            let granted = self.read(place, key)?;
            self.revoke_one(exchange, &address, &granted, &unwanted)?;
        }
        let unwanted = unwanted.spend();
        let now = self.env.clock.now();
        self.commit(key, |record| {
            record.revocation_pending = false;
            Change {
                expect: record.generation,
                moves: unwanted.iter().map(|(id, _)| Move::Drop(*id)).collect(),
                closes: None,
                events: vec![self_event(record, Happened::Revoked, "a grant that wasn't wanted", now)],
                record: record.clone(),
            }
        })?;
        for (_, place) in unwanted {
            self.forget(Some(place));
        }
        Ok(())
    }

    /// What is left to do once the browser has been answered: closed questions' memos go, and the grants that newer
    /// ones replaced; those are revoked only where that reaches them alone. A failure costs nothing but tidiness.
    pub fn tidy(&mut self, exchange: &Exchange, key: &Key) {
        self.forget_loose();
        if let Err(e) = self.drop_superseded(exchange, key) {
            tracing::warn!("the replaced grant of {key} isn't cleared away yet: {e}");
        }
    }

    /// Forgets the items that nothing names any more.
    pub fn forget_loose(&mut self) {
        for place in std::mem::take(&mut self.loose) {
            self.forget(Some(place));
        }
    }

    fn drop_superseded(&mut self, exchange: &Exchange, key: &Key) -> Result<()> {
        let superseded = self.ledger.leaving(&self.provider.profile, key, Leaving::Superseded)?;
        if superseded.get().is_empty() {
            return Ok(());
        }
        if let Some(address) = self.revocation_of_one(exchange).map(str::to_owned) {
            for (_, place) in superseded.get() {
                let granted = self.read(place, key)?;
                self.revoke_one(exchange, &address, &granted, &superseded)?;
            }
        }
        let superseded = superseded.spend();
        self.commit(key, |record| Change {
            expect: record.generation,
            moves: superseded.iter().map(|(id, _)| Move::Drop(*id)).collect(),
            closes: None,
            events: Vec::new(),
            record: record.clone(),
        })?;
        for (_, place) in superseded {
            self.forget(Some(place));
        }
        Ok(())
    }

    fn revoke_one<T: Clone + Send + Sync + 'static>(
        &self,
        exchange: &Exchange,
        address: &str,
        granted: &Granted,
        go: &Logged<T>,
    ) -> Result<()> {
        let (exchange, address, granted, go) =
            (exchange.clone(), address.to_owned(), granted.clone(), go.clone());
        self.env.wait(async move {
            let secret = exchange.secret.as_ref();
            grant::revoke(&exchange.http, &exchange.provider, &address, secret, &granted, &go).await
        })?
    }

    fn read(&self, place: &Place, key: &Key) -> Result<Granted> {
        Granted::from_sealable(&self.vault.get(place, key.license.as_str())?, key)
    }

    /// Closes a question that had no effect, leaving its record as it was.
    fn drop_question(&mut self, flow: &FlowId, key: &Key) -> Result<()> {
        self.commit(key, |record| Change {
            expect: record.generation,
            moves: Vec::new(),
            closes: Some(flow.clone()),
            events: Vec::new(),
            record: record.clone(),
        })
        .map(drop)
    }
}
