//! Whether a grant lives is the provider's word alone. A new one is looked at where the profile wants that; where that gives no
//! clear answer the grant is kept all the same, and so is the one that it replaced, until a refresh or a later look proves it.
//! "Inactive" is confirmed by a refresh before anything is called dead: who may not look hears that word, too.

use super::granted_record::{keeps_before, return_to_before};
use super::live_grant::LiveGrant;
use super::refused_grant::RefusedGrant;
use crate::custody::refresh::refresh_request::DeadGrantOutcome;
use crate::custody::writer::{Custody, event};
use crate::error::{Error, ErrorCode, Result};
use crate::model::authorization::Authorization;
use crate::model::flow::{RecordCommit, SecretPlace, SecretRole, SecretsChange};
use crate::model::granted::Granted;
use crate::model::history::{HistoryEvent, HistoryEventKind};
use crate::model::ids::{Generation, LicenseId};
use crate::model::seal::SealKind;
use crate::oauth::GrantValidity;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::custody) enum GrantCheck {
    /// It isn't wanted, or it's there.
    Enough,
    /// It's still to come, and why.
    Wanting(&'static str),
}

impl GrantCheck {
    /// Whether these words say that a proof is still to come.
    pub(in crate::custody) fn is_wanting(unconfirmed: &str) -> bool {
        unconfirmed.starts_with("Introspection (")
    }

    /// What isn't confirmed, in words.
    pub(super) fn unconfirmed(self) -> Option<String> {
        match self {
            Self::Enough => None,
            Self::Wanting(why) => Some(format!("Introspection ({why})")),
        }
    }
}

/// What a grant that was called inactive turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::custody) enum RecheckedGrant {
    /// It lives: a second look, or a newer grant in its place, says so.
    Active,
    /// It lives: a refresh was answered with tokens, whatever the look says.
    Contradicted,
    /// The refresh was refused, too: the record says so now.
    Dead,
    /// Nothing is known, and why.
    Unknown(&'static str),
}

impl Custody<'_> {
    /// A look at a new grant, where the profile wants one.
    pub(super) fn proof_of(&self, granted: &Granted) -> GrantCheck {
        if !self.provider.introspect {
            return GrantCheck::Enough;
        }
        let Some(exchange) = self.online.clone() else {
            return GrantCheck::Wanting("the provider could not be reached");
        };
        if exchange.endpoints.introspection.is_none() {
            return GrantCheck::Wanting("the provider offers no introspection");
        }
        let granted = granted.clone();
        let asked = self.env.wait(async move { exchange.look_at_access(&granted).await });
        match asked {
            Ok(GrantValidity::Active) => GrantCheck::Enough,
            Ok(GrantValidity::Inactive) => {
                GrantCheck::Wanting("the provider reports that the new grant is inactive")
            }
            Ok(GrantValidity::Unknown) | Err(_) => GrantCheck::Wanting("the provider gave no clear answer"),
        }
    }

    /// Asks once more about a grant that was called inactive, inside the claim, for a refresh may have rotated the token that was
    /// asked about; then by a refresh.
    pub(in crate::custody) fn confirm(
        &mut self,
        key: &LicenseId,
        look_again: impl FnOnce(&mut Self, &LiveGrant) -> Result<Option<RecheckedGrant>>,
    ) -> Result<RecheckedGrant> {
        let claim = self.claim(key)?;
        let live = self.live(key)?;
        // A lost answer may have rotated what is asked about: never dead by that.
        // defense: S12 S37 a-lost-answer-proves-nothing
        if live.standing.has_lost_refresh() {
            return Ok(RecheckedGrant::Unknown("the answer to a refresh is lost"));
        }
        if let Some(said) = look_again(self, &live)? {
            return Ok(said);
        }
        if live.granted.refresh.is_none() {
            return Ok(RecheckedGrant::Unknown(
                "the provider calls it inactive, and there is no refresh token to confirm that",
            ));
        }
        let refreshed = self.proven_by_refresh(key, live.secret.id, &claim);
        if refreshed.is_err() {
            self.leave_refresh(key);
        }
        match refreshed {
            Ok(true) => Ok(RecheckedGrant::Contradicted),
            // Another grant took its place: what was said of this one says nothing of the provider's word.
            Ok(false) => Ok(RecheckedGrant::Active),
            Err(Error::NoToken { .. })
                if self.standing(key)?.is_some_and(|it| it.record.invalid_at.is_some()) =>
            {
                Ok(RecheckedGrant::Dead)
            }
            Err(e) => Err(e),
        }
    }

    /// A new grant that waits for its proof, with the one before beside it, is tried by a refresh. What that doesn't settle
    /// either stays as it is.
    pub(in crate::custody) fn prove_new(&mut self, key: &LicenseId) -> Result<()> {
        let now = self.env.clock.now();
        let waits = self
            .standing(key)?
            .is_some_and(|it| it.record.has_valid_grant(now) && keeps_before(&it.record, now));
        if !waits || self.online.is_none() {
            return Ok(());
        }
        match self.confirm(key, |_, _| Ok(None))? {
            RecheckedGrant::Unknown(why) => {
                tracing::warn!("the new grant of {key} isn't verified yet: {why}")
            }
            RecheckedGrant::Dead => {
                let why = "the grant is no longer valid".to_owned();
                self.refused_grants.insert(key.clone(), RefusedGrant { why, has_previous: false });
            }
            RecheckedGrant::Active | RecheckedGrant::Contradicted => {}
        }
        Ok(())
    }

    /// A look called a grant active that waited for that: the one before it goes.
    pub(in crate::custody) fn note_proof(&mut self, key: &LicenseId, looked_at: Generation) -> Result<()> {
        let waits = |record: &Authorization| {
            record.generation == looked_at
                && (record.grant_before.is_some()
                    || record.unconfirmed.iter().any(|it| GrantCheck::is_wanting(it)))
        };
        if self.standing(key)?.is_none_or(|it| !waits(&it.record)) {
            return Ok(());
        }
        let mut noted = false;
        let kept = self.commit_if(key, |_, record| {
            // A newer grant isn't proven by a look at this one.
            if !waits(record) {
                return Err(crate::ledger::changed(key));
            }
            noted = true;
            record.grant_before = None;
            record.unconfirmed.retain(|it| !GrantCheck::is_wanting(it));
            Ok(RecordCommit { moves: Vec::new(), ends: None, events: Vec::new(), record: record.clone() })
        });
        match kept {
            Err(_) if !noted => return Ok(()),
            kept => drop(kept?),
        }
        self.changed_keys.insert(key.clone());
        Ok(())
    }

    /// The living grant, which was never proven, is dead: the one that it replaced is used again, where it's still there and
    /// hasn't ended. `None` where it isn't.
    pub(in crate::custody) fn return_to_grant_before(
        &mut self,
        dead: &LiveGrant,
        why: &str,
    ) -> Result<Option<DeadGrantOutcome>> {
        let key = &dead.standing.record.key;
        let now = self.env.clock.now();
        let mut record = dead.standing.record.clone();
        let Some(row) = return_to_before(&mut record) else { return Ok(None) };
        let superseded = self.ledger.secrets(&self.provider.profile, key, SecretRole::Superseded)?;
        // That one alone: grants of others that nobody approved, or that wait for their revocation, stand beside it.
        let old = superseded.into_iter().find(|it| it.id == row);
        let Some(old) = old.filter(|_| record.has_valid_grant(now)) else { return Ok(None) };
        self.prepare_vault_write()?;
        let granted = match self.read_grant(&old, key) {
            Ok(granted) => granted,
            // There is nothing to return to any more; that it's gone is told when it's cleared away.
            Err(e) if e.is_lost_for_good() && self.named_now(&old, key)?.as_ref() == Some(&old.place) => {
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        let item = self.item(key, format_args!("{}-{}", record.generation.next().0, self.env.random.name()?));
        let label = self.seals.tokens(&record.profile, key, SealKind::Tokens, record.generation.next(), None);
        let again = self.vault.put(&item, &label, &granted.to_sealable(key))?;
        let (profile, generation, id) = (self.provider.profile.clone(), record.generation, dead.secret.id);
        let mut overtaken = false;
        let kept = self.commit_if(key, |ledger, record| {
            let there = |role, id| {
                ledger.secrets(&profile, key, role).map(|all| all.iter().any(|other| other.id == id))
            };
            let fits = record.generation == generation
                && there(SecretRole::Live, id)?
                && there(SecretRole::Superseded, old.id)?;
            if !fits || return_to_before(record) != Some(row) {
                overtaken = true;
                return Err(crate::ledger::changed(key));
            }
            record.generation = record.generation.next();
            let detail = format!("{why}; it was never proven, and the grant from before is used again");
            Ok(RecordCommit {
                moves: vec![
                    SecretsChange::Drop(id),
                    SecretsChange::Drop(old.id),
                    SecretsChange::Put(SecretRole::Live, again.clone()),
                ],
                ends: None,
                events: vec![HistoryEvent {
                    failure: Some(ErrorCode::Provider),
                    ..event(record, HistoryEventKind::Failed, &detail, now)
                }],
                record: record.clone(),
            })
        });
        match kept {
            Ok(_) => {
                let refused = RefusedGrant { why: why.to_owned(), has_previous: true };
                self.refused_grants.insert(key.clone(), refused);
                self.orphaned_items
                    .extend([old.place, dead.secret.place.clone()].into_iter().filter(is_item));
                self.changed_keys.insert(key.clone());
                Ok(Some(DeadGrantOutcome::Overtaken))
            }
            Err(e) => {
                self.forget_unless_needed(again, &e);
                if overtaken { Ok(Some(DeadGrantOutcome::Overtaken)) } else { Err(e) }
            }
        }
    }
}

fn is_item(place: &SecretPlace) -> bool {
    matches!(place, SecretPlace::Item(_))
}
