//! What a refresh brought takes the old tokens' place: compared, sealed, stored, and one synced commit; also for a process
//! that died in between.

use crate::custody::grants::live_grant::{AccessToken, LiveGrant};
use crate::custody::grants::proof::GrantCheck;
use crate::custody::grants::received_grant::{is_odd_end, odd_end, protocol_differences};
use crate::custody::grants::token_sets::TokensToStore;
use crate::custody::writer::{Custody, event, unknown};
use crate::error::{Error, FactDifference, ProviderError, Result, VaultError};
use crate::ledger::{Claim, changed};
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::consent::compare;
use crate::model::expiry::estimate;
use crate::model::flow::{
    Flow, FlowEnd, FlowStage, Purpose, RecordCommit, SealedBytes, SecretPlace, SecretRole, SecretsChange,
};
use crate::model::granted::Granted;
use crate::model::history::{HistoryEvent, HistoryEventKind};
use crate::model::ids::LicenseId;
use crate::model::instant::{for_machines, whole_second};
use crate::model::provider::Provider;
use crate::model::seal::{SealKind, SealLabel};
use crate::model::secret::Sealable;
use crate::model::vault_kind::VaultKind;
use crate::vault::Sealer;
use jiff::{SignedDuration, Timestamp};

impl Custody<'_> {
    /// Finishes what can be finished of a refresh that a dead process left, and takes it over where it can't: then it
    /// may be sent once more. Inside the claim.
    pub(super) fn left_refresh(&mut self, key: &LicenseId, claim: &Claim) -> Result<Option<Flow>> {
        for flow in self.abandoned_refreshes(key)? {
            let just_now = matches!(flow.stage, FlowStage::Sent | FlowStage::Refused)
                && flow.opened.as_second() >= self.began.as_second();
            if claim.waited && just_now {
                // Many that wait for one refresh don't each ask again when its answer is lost.
                return Err(ProviderError::Lost {
                    host: self.provider.host(),
                    what: "the refresh",
                    reason: "another process asked just now, and got no usable answer".into(),
                }
                .into());
            }
            if let Some(flow) = self.settle(flow)? {
                self.refreshing = Some(flow.id.clone());
                return Ok(Some(flow));
            }
        }
        Ok(None)
    }

    fn abandoned_refreshes(&mut self, key: &LicenseId) -> Result<Vec<Flow>> {
        if !self.standing(key)?.is_some_and(|it| it.has_lost_refresh()) {
            return Ok(Vec::new());
        }
        let mut open = self.ledger.unfinished(&self.provider.profile, Some(key))?;
        open.retain(|flow| flow.purpose == Purpose::Refresh);
        Ok(open)
    }

    /// A refresh that a dead process left: stored where its answer is there, closed where a newer grant made it
    /// pointless; returned where nobody knows whether it was answered. What this host can't open it doesn't take over.
    fn settle(&mut self, flow: Flow) -> Result<Option<Flow>> {
        let left = self.left_tokens(&flow)?;
        if !self.ledger.take_over(&flow)? {
            return Ok(None);
        }
        let settled = self.settle_taken(&flow, left);
        if settled.is_err() {
            self.give_back(&flow);
        }
        Ok(settled?.then_some(flow))
    }

    /// Whether the answer to a refresh that was taken over is lost.
    fn settle_taken(&mut self, flow: &Flow, left: Option<(TokensToStore, Granted)>) -> Result<bool> {
        if let Some((tokens, granted)) = left {
            self.commit_refresh(flow, None, &tokens, &granted)?;
            return Ok(false);
        }
        if self.record(&flow.key)?.record.generation != flow.base {
            self.close_lost(flow)?;
            return Ok(false);
        }
        Ok(true)
    }

    /// The tokens that a dead process's refresh brought, where they are known.
    fn left_tokens(&self, flow: &Flow) -> Result<Option<(TokensToStore, Granted)>> {
        let key = &flow.key;
        let opened = match &flow.stage {
            FlowStage::Answered(sealed) => match self.open_answer(flow, sealed) {
                Ok(opened) => Some((sealed, opened)),
                // Nothing opens that answer any more, so that it's as good as one that never came.
                Err(e) if e.is_lost_for_good() => None,
                Err(e) => return Err(e),
            },
            _ => None,
        };
        Ok(match opened {
            Some((sealed, (content, label))) => {
                let granted = Granted::from_sealable(&content, key)?;
                let sealed = label.map(|label| (sealed.clone(), label));
                Some((self.tokens_of_refresh(flow, content, sealed)?, granted))
            }
            // Killed between vault and ledger: the item is there, under the name that this refresh alone has.
            _ if self.vault.kind() == VaultKind::Keyring => {
                let place = SecretPlace::Item(self.item_of_answer(key, flow.base, &flow.id));
                let (profile, base) = (&flow.profile, flow.base.next());
                let row = self.seals.row_of_tokens(profile, key, SecretRole::Live, base, flow.old.memo);
                match self.vault.get(&place, &row) {
                    Ok(content) => {
                        let granted = Granted::from_sealable(&content, key)?;
                        Some((Self::tokens_in(place, content), granted))
                    }
                    Err(Error::Vault(VaultError::Gone { .. })) => None,
                    Err(e) => return Err(e),
                }
            }
            _ => None,
        })
    }

    /// The memo of a refresh is its host's alone; the answer is everybody's who may read the tokens.
    fn open_answer(&self, flow: &Flow, sealed: &SealedBytes) -> Result<(Sealable, Option<SealLabel>)> {
        let row = self.seals.row_of_answer(flow);
        let memo = flow.memo.as_ref().ok_or_else(unknown)?;
        match self.vault.reopen_memo(memo, &self.seals.row_of_verifier(flow)) {
            Ok((_, opener)) => opener.open_labeled(sealed, &row),
            Err(e) if self.vault.kind() == VaultKind::Keyring => Err(e),
            Err(_) => {
                let row = self.seals.or_of_any_host(row, &flow.profile, &flow.key);
                self.vault.get_labeled(&SecretPlace::Blob(sealed.clone()), &row)
            }
        }
    }

    /// What dead processes left of a license's refreshes is finished where it can be; returned are those whose answers are
    /// lost. Inside the claim.
    pub(in crate::custody) fn settle_refreshes(&mut self, key: &LicenseId) -> Result<Vec<Flow>> {
        let mut lost = Vec::new();
        for flow in self.abandoned_refreshes(key)? {
            match self.settle(flow) {
                Ok(left) => lost.extend(left),
                Err(e) => {
                    lost.iter().for_each(|flow| self.give_back(flow));
                    return Err(e);
                }
            }
        }
        Ok(lost)
    }

    /// The answer is compared, sealed, stored and committed, in that order.
    pub(super) fn answered(
        &mut self,
        flow: &Flow,
        seal: Sealer,
        live: LiveGrant,
        answer: &Granted,
    ) -> Result<AccessToken> {
        let differences = self.differences(&flow.key, answer);
        let granted = match differences[..] {
            [] => live.granted.refreshed(answer.clone()),
            // Its access token is of no use. Its refresh token is: where the provider rotates, the old one is spent.
            _ => live.granted.with_refresh_of(answer),
        };
        let secret = granted.to_sealable(&flow.key);
        let next = flow.base.next();
        let label = self.seals.tokens(&flow.profile, &flow.key, SealKind::Tokens, next, Some(&flow.id));
        let sealed = seal.close(&label, &secret)?;
        let stored = self.tokens_of_refresh(flow, secret, Some((sealed.clone(), label)));
        let (committed, sealed) = match stored {
            Ok(tokens) => {
                let committed = self.commit_refresh(flow, Some(live.secret.id), &tokens, &granted);
                (committed, tokens.sealed().unwrap_or(sealed))
            }
            Err(e) => (Err(e), sealed),
        };
        let record = match committed {
            Ok(Some(record)) => record,
            // A newer grant is in its place: that one is asked for its token.
            Ok(None) => return self.live(&flow.key).and_then(|live| self.handed_out(live, false)),
            // defense: S32 unstored-refresh-is-set-aside
            Err(e) => return Err(self.quarantine_refresh(flow, sealed, &e)),
        };
        if !differences.is_empty() {
            let license = flow.key.license.to_string();
            return Err(ProviderError::OtherToken { license, differences }.into());
        }
        tracing::info!("{} is refreshed", flow.key);
        let standing = AuthorizationWithFlows { record, ..live.standing };
        self.handed_out(LiveGrant { standing, granted, ..live }, true)
    }

    fn tokens_of_refresh(
        &self,
        flow: &Flow,
        secret: Sealable,
        sealed: Option<(SealedBytes, SealLabel)>,
    ) -> Result<TokensToStore> {
        self.tokens_based_on(flow.base, &flow.id, &flow.key, SealKind::Tokens, secret, sealed)
    }

    /// What the answer itself shows to be something else than what was granted (RFC 6749 5.1, 6 and 7.1). Who granted
    /// isn't compared: a refresh asks nobody.
    fn differences(&self, key: &LicenseId, answer: &Granted) -> Vec<FactDifference> {
        let Some(username) = self.standing(key).ok().flatten().map(|it| it.record.username) else {
            return Vec::new();
        };
        let mut found = compare(&self.provider, key, &username, &answer.reported).differences;
        found.extend(protocol_differences(answer));
        found
    }

    /// A grant without a refresh token has ended with its access token: one that an older version stored, or a file brought, says
    /// so from now on.
    pub(super) fn ends_with_its_token(&mut self, live: &LiveGrant) -> Result<()> {
        let (now, key) = (self.env.clock.now(), &live.standing.record.key);
        let Some(ends) = live.granted.access_expires_at.map(whole_second).filter(|ends| *ends <= now) else {
            return Ok(());
        };
        let generation = live.standing.record.generation;
        self.commit_if(key, |_, record| {
            if record.generation != generation {
                return Err(changed(key));
            }
            (record.expires_at, record.expires_estimated) = (Some(ends), false);
            let detail =
                format!("there is no refresh token, and the access token ended {}", for_machines(ends));
            let events = vec![event(record, HistoryEventKind::Shortened, &detail, now)];
            Ok(RecordCommit { record: record.clone(), moves: Vec::new(), ends: None, events })
        })
        .map(drop)
    }

    /// One synced commit: the new tokens in the old ones' place. Where a newer grant came between, they are an older
    /// one's, and go the way of those; then there is no record to return.
    fn commit_refresh(
        &mut self,
        flow: &Flow,
        base: Option<i64>,
        tokens: &TokensToStore,
        granted: &Granted,
    ) -> Result<Option<Authorization>> {
        let (key, provider, now) = (&flow.key, self.provider.clone(), self.env.clock.now());
        let sealer = self.token_sealer(key, &flow.id);
        let (mut old, mut after, mut proven, mut odd) = (None, None, false, None);
        let kept = self.commit_if(key, |ledger, record| {
            let live = ledger.secrets(&provider.profile, key, SecretRole::Live)?.pop();
            // Another admin's grant that is set aside moves the generation as well, but not the live grant.
            old = live.filter(|live| match base {
                Some(base) => base == live.id,
                None => record.generation == flow.base,
            });
            // Also of one that a newer grant overtook: no two token sets of a license have the same number.
            record.generation = record.generation.next();
            let place = sealer.place(tokens, SealKind::Tokens, record.generation)?;
            let mut events = Vec::new();
            let moves = match &old {
                Some(old) => {
                    events.extend(extended_expiry(record, &provider, granted, now));
                    odd = note_odd_end(record, granted);
                    // It lives, which is what it waited for.
                    proven |= record.grant_before.take().is_some();
                    record.unconfirmed.retain(|it| !GrantCheck::is_wanting(it));
                    // Not superseded: its refresh token is spent, and revoking it would end the whole grant.
                    vec![SecretsChange::Drop(old.id), SecretsChange::Put(SecretRole::Live, place)]
                }
                None => vec![SecretsChange::Put(SecretRole::Superseded, place)],
            };
            after = Some(record.clone());
            Ok(RecordCommit {
                record: record.clone(),
                moves,
                ends: Some(FlowEnd::Closed(flow.id.clone())),
                events,
            })
        })?;
        // Forgotten only once nobody waits for the token any more.
        self.orphaned_items.extend(kept.memos);
        let Some(old) = old else {
            self.changed_keys.insert(key.clone());
            return Ok(None);
        };
        self.orphaned_items.push(old.place);
        if proven {
            self.changed_keys.insert(key.clone());
        }
        if let Some(odd) = odd {
            self.env
                .terminal
                .info(&format!("Not confirmed by BioTrack's answer to a refresh of {key}: {odd}."));
        }
        Ok(after)
    }
}

/// An end that can't be taken as it stands is told as it came, as of a new grant; a later one that can be takes that back.
/// What is new of it.
fn note_odd_end(record: &mut Authorization, granted: &Granted) -> Option<String> {
    let before = record.unconfirmed.iter().position(|it| is_odd_end(it));
    let Some(told) = odd_end(granted) else {
        if let (Some(before), Some(_)) = (before, granted.expires_at) {
            record.unconfirmed.remove(before);
        }
        return None;
    };
    match before {
        Some(before) if record.unconfirmed[before] == told => return None,
        Some(before) => record.unconfirmed[before] = told.clone(),
        None => record.unconfirmed.push(told.clone()),
    }
    Some(told)
}

/// Where the provider prolongs a grant with each refresh, its end moves with it. An earlier end that it tells always counts.
fn extended_expiry(
    record: &mut Authorization,
    provider: &Provider,
    granted: &Granted,
    now: Timestamp,
) -> Option<HistoryEvent> {
    /// By less it differs each time where seconds from now are told: an answer takes its time.
    const NOISE: SignedDuration = SignedDuration::from_mins(1);
    let (told, before) = (granted.expires_at.map(whole_second), record.expires_at);
    // By a clock that differs from ours nothing moves: which of the two is wrong, nobody tells. Nor does a grant end before it began.
    let began = record.renewed_at.or(record.created_at);
    if told.is_some_and(|told| granted.reported.odd_end.is_some() || began.is_some_and(|began| told <= began))
    {
        return None;
    }
    let earlier = told.filter(|told| before.is_some_and(|before| before.duration_since(*told) > NOISE));
    let estimated = || whole_second(estimate(granted.received_at, provider.lifetime, &provider.zone));
    let ends = match told {
        // An estimate of ours takes nothing away.
        None if provider.rolling => before.max(Some(estimated()))?,
        Some(told) if provider.rolling => told,
        _ => earlier?,
    };
    if before == Some(ends) {
        return None;
    }
    record.expires_at = Some(ends);
    record.expires_estimated = told.is_none();
    let happened = if earlier.is_some() { HistoryEventKind::Shortened } else { HistoryEventKind::Prolonged };
    Some(event(record, happened, &format!("by a refresh, until {}", for_machines(ends)), now))
}
