//! A license is deactivated, with every grant of it.

use crate::custody::writer::{Custody, event, retry_if_changed, unknown};
use crate::error::{Error, Result};
use crate::ledger::{Intent, Ledger};
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::flow::{
    Flow, FlowEnd, FlowStage, Logged, OldSeals, Purpose, RecordCommit, SecretRole, SecretsChange,
    StoredSecret,
};
use crate::model::history::{HistoryEvent, HistoryEventKind};
use crate::model::ids::{FlowId, LicenseId, Username};
use crate::model::instant::whole_second;
use crate::oauth::RetryPolicy;

/// What the provider did about a deactivation.
#[derive(Debug)]
pub enum Revocation {
    Revoked,
    /// It has no place to revoke at: the grant stays valid there until it lapses.
    NotOffered,
    /// `--local-only`: it wasn't asked.
    NotAsked,
    /// Its tokens live elsewhere, where it's revoked or goes on: it isn't revoked from here.
    Elsewhere,
    /// There was no grant to revoke.
    Nothing,
    /// It hasn't answered: the tokens are kept, and the next `deactivate` tries again.
    Pending(Error),
}

#[derive(Debug)]
pub struct DeactivationResult {
    pub revocation: Revocation,
    /// A grant may live on that nobody has tokens of: the answer to a refresh was lost, which may have rotated them, or the vault
    /// has lost those of an earlier grant.
    pub lost_tokens: bool,
}

/// Who is asked to revoke.
#[derive(Debug)]
pub enum RevocationMode {
    /// The provider, which was found to answer; again and again while it's overloaded.
    Provider(RetryPolicy),
    /// Nobody: `--local-only`.
    Nobody,
    /// The provider, which doesn't answer now; the tokens are kept for it.
    Later(Error),
}

/// The roles of the grants that go with a license.
pub(super) const ROLES: [SecretRole; 4] =
    [SecretRole::Live, SecretRole::Held, SecretRole::Superseded, SecretRole::Unwanted];

/// A surrender whose intent is on the disk, with what it's about.
struct IntendedRevocation {
    flow: Logged<FlowId>,
    record: Authorization,
    grants: Vec<StoredSecret>,
}

/// Whether anything of a license is still to be given up: a grant, or an open flow.
pub fn has_something_to_revoke(ledger: &Ledger, standing: &AuthorizationWithFlows) -> Result<bool> {
    let record = &standing.record;
    Ok(!standing.flows.is_empty() || !grants_of(ledger, &record.profile, &record.key)?.is_empty())
}

pub(super) fn grants_of(ledger: &Ledger, profile: &str, key: &LicenseId) -> Result<Vec<StoredSecret>> {
    let mut grants = Vec::new();
    for role in ROLES {
        grants.extend(ledger.secrets(profile, key, role)?);
    }
    Ok(grants)
}

impl Custody<'_> {
    /// Gives a license up: revokes what can be revoked, forgets the tokens, keeps record and history.
    pub fn deactivate(
        &mut self,
        key: &LicenseId,
        asking: RevocationMode,
        reason: &str,
    ) -> Result<DeactivationResult> {
        self.give_up(key, None, asking, reason)
    }

    /// Gives a license's grant up before another admin, its heir, is asked for a new one. In the same commit the record says
    /// that the grant has ended and who is to be asked, so that it's told until somebody grants, whatever comes between.
    pub fn revoke_before_renewal(
        &mut self,
        key: &LicenseId,
        heir: &Username,
        asking: RevocationMode,
        reason: &str,
    ) -> Result<DeactivationResult> {
        self.give_up(key, Some(heir), asking, reason)
    }

    fn give_up(
        &mut self,
        key: &LicenseId,
        heir: Option<&Username>,
        asking: RevocationMode,
        reason: &str,
    ) -> Result<DeactivationResult> {
        // Until all is committed: a refresh in between would bring tokens that nobody revokes.
        let _claim = self.claim(key)?;
        let mut lost = Vec::new();
        match (self.settle_refreshes(key), &asking) {
            // defense: S35 lost-refresh-stays-uncertain
            (Ok(left), _) => lost = left,
            (Err(e), RevocationMode::Nobody) => {
                tracing::warn!("can't read the unfinished refresh of {key}: {e}");
            }
            (Err(e), _) => return Err(e),
        }
        let IntendedRevocation { flow, record, grants } = self.begin_surrender(key, heir)?;
        let mut told = None;
        let revocation = match asking {
            _ if record.held_elsewhere => Revocation::Elsewhere,
            _ if grants.is_empty() => Revocation::Nothing,
            RevocationMode::Nobody => Revocation::NotAsked,
            RevocationMode::Provider(patience) => {
                self.revoke_all(&flow, &record, &grants, patience, &mut told)?
            }
            RevocationMode::Later(e) => Revocation::Pending(e),
        };
        // Not sooner: up to here they are what says that the tokens are uncertain, should this be cut short.
        let lost_tokens = !lost.is_empty() || told.is_some();
        for flow in lost {
            self.close_lost(&flow)?;
        }
        self.commit_surrender(&flow, key, &grants, (&revocation, told.as_ref()), heir, reason)?;
        if !matches!(revocation, Revocation::Pending(_)) {
            self.forget(grants.into_iter().map(|it| it.place));
        }
        Ok(DeactivationResult { revocation, lost_tokens })
    }

    /// The intent, with the record and the grants that it's about: where others write them in between, they are read again.
    fn begin_surrender(&mut self, key: &LicenseId, heir: Option<&Username>) -> Result<IntendedRevocation> {
        retry_if_changed(self, |custody| {
            let record = custody.record(key)?.record;
            let grants = grants_of(&custody.ledger, &custody.provider.profile, key)?;
            let flow = custody.record_revocation(key, &record, heir)?;
            Ok(IntendedRevocation { flow, record, grants })
        })
    }

    /// The intent, synced, before anything is revoked; and nobody else may work on the license meanwhile.
    fn record_revocation(
        &mut self,
        key: &LicenseId,
        record: &Authorization,
        heir: Option<&Username>,
    ) -> Result<Logged<FlowId>> {
        let now = self.env.clock.now();
        let flow = Flow {
            id: FlowId(self.env.random.name()?),
            profile: record.profile.clone(),
            key: key.clone(),
            purpose: if heir.is_some() { Purpose::BreakFirst } else { Purpose::Deactivate },
            username: heir.unwrap_or(&record.username).clone(),
            base: record.generation,
            redirect_uri: String::new(),
            opened: now,
            deadline: now,
            handed_off: false,
            had_answer: false,
            owner: None,
            memo: None,
            stage: FlowStage::Asked,
            old: OldSeals::default(),
        };
        let change =
            RecordCommit { record: record.clone(), moves: Vec::new(), ends: None, events: Vec::new() };
        let intent = Intent { flow, change, state: None };
        let recorded = self.ledger.record_flows(vec![intent])?.pop().ok_or_else(unknown)??;
        self.orphaned_items.extend(recorded.replaced);
        Ok(recorded.flow)
    }

    /// `told`: what the history gets of a grant whose tokens are lost.
    fn revoke_all(
        &mut self,
        flow: &Logged<FlowId>,
        record: &Authorization,
        secrets: &[StoredSecret],
        patience: RetryPolicy,
        told: &mut Option<HistoryEvent>,
    ) -> Result<Revocation> {
        let Some(address) = self.online()?.endpoints.revocation.clone() else {
            return Ok(Revocation::NotOffered);
        };
        let found = match self.read_to_revoke(secrets, &record.key) {
            Ok(found) => found,
            Err(e) => {
                // Nothing was done yet, and nothing is deleted because a read failed.
                self.close(flow.get(), &record.key)?;
                return Err(e);
            }
        };
        if found.grants.is_empty() {
            *told = found.tell(self.env, record);
            return Ok(Revocation::Nothing);
        }
        // defense: S35 revocation-is-noted-first
        self.ledger.note_sent(flow.get(), None, false)?;
        for granted in &found.grants {
            if let Err(e) = self.revoke_one(&address, granted, flow, patience) {
                return Ok(Revocation::Pending(e));
            }
        }
        *told = found.tell(self.env, record);
        Ok(Revocation::Revoked)
    }

    fn commit_surrender(
        &mut self,
        flow: &Logged<FlowId>,
        key: &LicenseId,
        secrets: &[StoredSecret],
        (revocation, told): (&Revocation, Option<&HistoryEvent>),
        heir: Option<&Username>,
        reason: &str,
    ) -> Result<()> {
        let now = self.env.clock.now();
        let pending = matches!(revocation, Revocation::Pending(_));
        let lost = matches!(revocation, Revocation::Pending(e) if e.may_have_taken_effect());
        let why = match revocation {
            Revocation::Pending(e) => self.news_of_revocation(key, e)?,
            _ => None,
        };
        self.commit(key, |record| {
            let moves = match pending {
                true => {
                    ROLES.into_iter().map(|role| SecretsChange::Turn(role, SecretRole::Unwanted)).collect()
                }
                false => secrets.iter().map(|it| SecretsChange::Drop(it.id)).collect(),
            };
            record.held_by = None;
            record.grant_before = None;
            let was_pending = record.deactivated_at.is_some() && record.revocation_pending;
            record.revocation_pending = pending;
            record.generation = record.generation.next();
            let mut events: Vec<_> = told.cloned().into_iter().collect();
            if record.deactivated_at.is_none() {
                match heir {
                    Some(heir) => {
                        record.username = heir.clone();
                        record.expires_at = Some(whole_second(now));
                        record.expires_estimated = false;
                        record.invalid_at = None;
                    }
                    None => record.deactivated_at = Some(now),
                }
                record.held_elsewhere = false;
                record.uncertain_at = None;
                events.push(event(record, HistoryEventKind::Deactivated, reason, now));
            }
            // Whether a lost revocation took effect, the next one settles.
            match revocation {
                Revocation::Pending(_) if lost => record.uncertain_at = Some(now),
                Revocation::Pending(_) => {}
                _ if was_pending => record.uncertain_at = None,
                _ => {}
            }
            if matches!(revocation, Revocation::Revoked) {
                events.push(event(record, HistoryEventKind::Revoked, "confirmed by the provider", now));
            }
            events.extend(why.as_ref().map(|why| event(record, HistoryEventKind::NotRevoked, why, now)));
            RecordCommit {
                record: record.clone(),
                moves,
                ends: Some(FlowEnd::Closed(flow.get().clone())),
                events,
            }
        })
        .map(drop)
    }
}
