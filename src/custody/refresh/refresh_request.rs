//! A refresh token is spent: the intent, synced, before the one POST; and what its failure means for the grant.

use super::refresh_failure::{RefreshFailure, classify_error};
use crate::custody::grants::live_grant::LiveGrant;
use crate::custody::writer::{Custody, event, unknown};
use crate::error::{Error, ProviderError, Result};
use crate::ledger::changed;
use crate::model::authorization::State;
use crate::model::flow::{
    Flow, FlowEnd, FlowStage, Logged, OldSeals, Purpose, RecordCommit, SecretPlace, SecretRole,
};
use crate::model::granted::Granted;
use crate::model::history::HistoryEventKind;
use crate::model::ids::{FlowId, LicenseId};
use crate::model::secret::{Sealable, Secret};
use crate::oauth::{GrantValidity, RefreshRequest};
use crate::system::InterruptCounter;
use crate::vault::Sealer;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A refresh that the journal holds.
pub(super) struct Refreshing {
    flow: Flow,
    go: Logged<FlowId>,
    seal: Option<Sealer>,
    /// It may have been sent before: a failure now doesn't make it unsent, and a refusal not dead.
    sent_before: bool,
    /// That was refused then, too, by a try of its own.
    refused_before: bool,
    /// What introspection said of the refresh token, after an answer was lost.
    looked: GrantValidity,
}

impl Custody<'_> {
    /// Lets go of a refresh that stays open.
    pub(in crate::custody) fn leave_refresh(&mut self, key: &LicenseId) {
        if let Some(flow) = self.refreshing.take()
            && let Err(e) = self.ledger.release_own(&flow)
        {
            tracing::warn!("could not release the refresh of {key} until this process ends: {e}");
        }
    }

    /// The intent of a refresh: room on the disk and the envelope, then one synced commit that also says that it may
    /// have been sent.
    pub(super) fn begin(&mut self, live: &LiveGrant) -> Result<Refreshing> {
        self.prepare_vault_write()?;
        self.reserve_room(1)?;
        let record = &live.standing.record;
        let id = FlowId(self.env.random.name()?);
        let item = self.item_of_flow(&record.key, &id);
        let label = self.seals.verifier(&record.profile, &record.key, &id);
        let (envelope, memo) = self.vault.envelope(&item, &label, &Sealable::of(&"refresh"), &[])?;
        let (opened, deadline) = self.times();
        let flow = Flow {
            id,
            profile: record.profile.clone(),
            key: record.key.clone(),
            purpose: Purpose::Refresh,
            username: record.username.clone(),
            base: record.generation,
            redirect_uri: String::new(),
            opened,
            deadline,
            handed_off: false,
            had_answer: false,
            // The ledger puts this process's own mark.
            owner: None,
            memo: Some(memo.clone()),
            stage: FlowStage::Sent,
            old: OldSeals::default(),
        };
        let go = self
            .ledger
            .record_refresh(flow.clone(), &live.secret)
            .inspect_err(|e| self.forget_unless_needed(memo, e))?;
        self.refreshing = Some(flow.id.clone());
        self.spool.iter_mut().for_each(|spool| spool.about(&flow));
        Ok(Refreshing {
            flow,
            go,
            seal: Some(envelope.answer),
            sent_before: false,
            refused_before: false,
            looked: GrantValidity::Unknown,
        })
    }

    /// A refresh of a dead process is sent once more: noted, synced, with another envelope for the same memo.
    pub(super) fn take_up_refresh(&mut self, flow: Flow, looked: GrantValidity) -> Result<Refreshing> {
        self.prepare_vault_write()?;
        self.reserve_room(1)?;
        self.spool.iter_mut().for_each(|spool| spool.about(&flow));
        let seal = match self.vault.opener() {
            Some(opener) => self.vault.another_envelope(&opener?)?.answer,
            // A keyring keeps what opens the answer beside the memo, which may be gone for good.
            None => {
                let memo = flow.memo.as_ref().ok_or_else(unknown)?;
                match self.vault.reopen_memo(memo, &self.seals.row_of_verifier(&flow)) {
                    Ok((_, opener)) => self.vault.another_envelope(&opener)?.answer,
                    Err(e) if e.is_lost_for_good() => self.memo_anew(&flow, memo, e)?,
                    Err(e) => return Err(e),
                }
            }
        };
        tracing::info!("the answer to an earlier refresh of {} was lost; sending it once more", flow.key);
        let refused_before = flow.stage == FlowStage::Refused;
        let (opened, deadline) = self.times();
        let flow = Flow { opened, deadline, stage: FlowStage::Sent, ..flow };
        let go = self.ledger.record_refresh_again(&flow)?;
        Ok(Refreshing { flow, go, seal: Some(seal), sent_before: true, refused_before, looked })
    }

    /// The memo of a refresh that the keyring has lost is kept again, in the item that the ledger names already.
    fn memo_anew(&self, flow: &Flow, memo: &SecretPlace, lost: Error) -> Result<Sealer> {
        let SecretPlace::Item(item) = memo else { return Err(lost) };
        let label = self.seals.verifier(&flow.profile, &flow.key, &flow.id);
        let (envelope, _) = self.vault.envelope(item, &label, &Sealable::of(&"refresh"), &[])?;
        Ok(envelope.answer)
    }

    /// Whether a refresh whose answer is lost may be sent once more. Where the provider acted on it, the token that it
    /// would be sent with is spent, and sending it again ends the grant (RFC 9700 4.14.2). So not before the first try is
    /// certainly over, and only once the provider was asked whether the refresh token is good, where it can be. While the
    /// access token lives nothing but a yes will do. After that there is nothing left to be spared, and a no proves
    /// nothing: a provider that forgives a lost answer for a while takes the token all the same.
    pub(super) fn may_be_asked_again(&mut self, flow: &Flow, live: &LiveGrant) -> Result<GrantValidity> {
        // defense: S37 a-living-token-is-kept
        let lives = self.lasts(&live.granted, SignedDuration::ZERO);
        if lives && self.env.clock.now() < flow.deadline {
            return Err(self.not_asked_again());
        }
        if !self.is_over(flow)? {
            return Err(Error::Interrupted { next: None });
        }
        let said = self.look_at_refresh_token(&flow.key, live)?;
        if lives && said != GrantValidity::Active {
            return Err(self.not_asked_again());
        }
        Ok(said)
    }

    /// What the provider says of a refresh token that a lost answer may have replaced.
    fn look_at_refresh_token(&self, key: &LicenseId, live: &LiveGrant) -> Result<GrantValidity> {
        let (exchange, granted) = (self.online()?, live.granted.clone());
        let said = self.env.wait(async move { exchange.look_at_refresh(&granted).await })?;
        tracing::info!(
            "the answer to a refresh of {key} was lost; introspection of its refresh token: {said:?}"
        );
        Ok(said)
    }

    fn not_asked_again(&self) -> Error {
        ProviderError::Lost {
            host: self.provider.host(),
            what: "an earlier refresh",
            reason: "it is not retried while the access token is valid, because a retry could end the grant"
                .into(),
        }
        .into()
    }

    /// Waits until a POST that may still be acted on is over; `false` where Ctrl-C came.
    fn is_over(&mut self, flow: &Flow) -> Result<bool> {
        let interrupts = self.counted_interrupts()?;
        let left = Duration::try_from(flow.deadline.duration_since(self.env.clock.now())).unwrap_or_default();
        // Never longer, whatever clock the deadline was told by.
        let left = left.min(self.provider.deadline);
        // defense: S37 the-deadline-is-waited-for
        if !left.is_zero() {
            let (clock, enough) = (self.env.clock.clone(), interrupts.clone());
            let (key, seconds) = (flow.key.clone(), left.as_millis().div_ceil(1000));
            self.env.wait_and_tell(Some(&interrupts), move |tell| async move {
                tell(format!("The answer to a refresh of {key} was lost; retrying in {seconds} s."));
                clock.pass(left, Box::pin(enough.come(1))).await;
            })?;
        }
        Ok(!interrupts.any())
    }

    /// What the provider has rotated is worth waiting for: only a second Ctrl-C gives it up.
    fn counted_interrupts(&mut self) -> Result<InterruptCounter> {
        if self.interrupts.is_none() {
            self.interrupts = Some(self.env.interrupts()?);
        }
        self.interrupts.clone().ok_or_else(unknown)
    }

    /// Now, and when a POST that begins now is over.
    fn times(&self) -> (Timestamp, Timestamp) {
        let now = self.env.clock.now();
        let deadline = SignedDuration::try_from(self.provider.deadline).unwrap_or(SignedDuration::MAX);
        (now, now.checked_add(deadline).unwrap_or(Timestamp::MAX))
    }

    /// One POST; where its answer is lost on the way, one more after its deadline and re-reading, unless this is that or the
    /// access token lives.
    pub(super) fn send_refresh(
        &mut self,
        mut it: Refreshing,
        live: &LiveGrant,
        token: &Secret,
    ) -> Result<RefreshResult> {
        let key = it.flow.key.clone();
        // defense: S37 ask-once-more
        let mut may_ask_again = !it.sent_before && !self.lasts(&live.granted, SignedDuration::ZERO);
        let interrupts = self.counted_interrupts()?;
        loop {
            let spent = RefreshRequest {
                key: key.clone(),
                username: live.standing.record.username.clone(),
                token: token.clone(),
            };
            let (go, exchange) = (it.go.clone().with(spent), self.online()?);
            let answer =
                self.env.wait_and_tell(Some(&interrupts), |_| async move { exchange.refresh(go).await });
            let error = match answer.and_then(|answer| answer) {
                Ok(answer) => {
                    let seal = it.seal.take().ok_or_else(unknown)?;
                    return Ok(RefreshResult::Answered(Box::new((it.flow, seal, answer))));
                }
                Err(error) => error,
            };
            tracing::info!("the refresh of {key} failed: {error}");
            match classify_error(&error) {
                RefreshFailure::Dead => return self.handle_dead_grant(&it, live, error),
                RefreshFailure::Unsent if !it.sent_before => {
                    self.close(&it.flow.id, &key)?;
                    return Err(error);
                }
                RefreshFailure::LostOnTheWay if may_ask_again && !interrupts.any() => {
                    // defense: S37 ask-only-once-more
                    may_ask_again = false;
                    it.sent_before = true;
                    if self.is_same_grant(live)? && !self.is_over(&it.flow)? {
                        self.told_uncertain(&it.flow, &error)?;
                        return Err(error);
                    }
                    if !self.is_same_grant(live)? {
                        self.close_lost(&it.flow)?;
                        return Ok(RefreshResult::Overtaken(error));
                    }
                    it.looked = self.look_at_refresh_token(&key, live)?;
                    (it.flow.opened, it.flow.deadline) = self.times();
                    it.go = self.ledger.record_refresh_again(&it.flow)?;
                }
                // The flow stays open, which is what `uncertain` means; the history says so once.
                RefreshFailure::Unsent | RefreshFailure::LostOnTheWay | RefreshFailure::Uncertain => {
                    if !matches!(error, Error::Interrupted { .. }) {
                        self.told_uncertain(&it.flow, &error)?;
                    }
                    return Err(error);
                }
            }
        }
    }

    fn is_same_grant(&self, live: &LiveGrant) -> Result<bool> {
        let key = &live.standing.record.key;
        let found = self.ledger.secrets(&self.provider.profile, key, SecretRole::Live)?.pop();
        Ok(found.is_some_and(|it| it.id == live.secret.id))
    }

    /// The provider says that the grant is dead. If it's still the one that was asked about, the record says so too; but
    /// not by one word behind a lost answer: that may mean the try before it.
    fn handle_dead_grant(
        &mut self,
        it: &Refreshing,
        live: &LiveGrant,
        error: Error,
    ) -> Result<RefreshResult> {
        let flow = &it.flow;
        // defense: S36 a-losers-refusal-is-checked
        if !self.is_same_grant(live)? {
            self.forsake(it)?;
            return Ok(RefreshResult::Overtaken(error));
        }
        // defense: S37 a-refusal-behind-a-loss-is-doubted
        if it.sent_before && !it.refused_before {
            let too = match it.looked {
                GrantValidity::Inactive => ", and introspection calls the refresh token inactive",
                GrantValidity::Active | GrantValidity::Unknown => "",
            };
            let doubt = Error::from(ProviderError::RefusedInDoubt { said: format!("{error}{too}") });
            self.ledger.note_synced(&flow.id, &FlowStage::Refused)?;
            self.told_uncertain(flow, &doubt)?;
            return Err(doubt);
        }
        const OLDER: &str =
            "the last refresh returned no new refresh token, and the provider refused the old one";
        let (mut why, mut state) = (error.to_string(), State::Invalid.word().to_owned());
        if live.granted.refresh_is_older {
            why = format!("{why}; {OLDER}");
            state = format!("{state} ({OLDER})");
        }
        if self.mark_invalid(live, Some(&flow.id), &why)? == DeadGrantOutcome::Overtaken {
            self.forsake(it)?;
            return Ok(RefreshResult::Overtaken(error));
        }
        Err(self.no_token(&live.standing, state))
    }

    /// Closes a refresh that another grant has made pointless.
    fn forsake(&mut self, it: &Refreshing) -> Result<()> {
        match it.sent_before {
            true => self.close_lost(&it.flow),
            false => self.close(&it.flow.id, &it.flow.key),
        }
    }

    /// Closes a refresh whose answer is lost, and whose grant is replaced or given up: it may have rotated the tokens, and
    /// then the grant lives on, and nobody has one to revoke it with. The history says so, once.
    pub(in crate::custody) fn close_lost(&mut self, flow: &Flow) -> Result<()> {
        const SAID: &str = "the answer to a refresh was lost: the earlier grant may still be valid";
        const LINES: u32 = 20;
        let lines = self.ledger.last_lines(&flow.profile, &flow.key, LINES)?;
        let told = lines
            .iter()
            .any(|line| line.event == HistoryEventKind::Uncertain.word() && line.at >= flow.opened);
        let now = self.env.clock.now();
        if !told {
            tracing::warn!("{}: {SAID}", flow.key);
        }
        let kept = self.commit(&flow.key, |record| RecordCommit {
            moves: Vec::new(),
            ends: Some(FlowEnd::Closed(flow.id.clone())),
            events: (!told)
                .then(|| event(record, HistoryEventKind::Uncertain, SAID, now))
                .into_iter()
                .collect(),
            record: record.clone(),
        })?;
        self.forget(kept.memos);
        Ok(())
    }

    /// Marks a record invalid, by the provider's own word on the grant that was asked about; its tokens stay. But not where
    /// another grant stands by now: a consent takes no claim, and that one's word it isn't.
    fn mark_invalid(
        &mut self,
        live: &LiveGrant,
        closes: Option<&FlowId>,
        why: &str,
    ) -> Result<DeadGrantOutcome> {
        if let Some(returned) = self.return_to_grant_before(live, why)? {
            return Ok(returned);
        }
        let asked = &live.standing.record;
        let now = self.env.clock.now();
        let mut overtaken = false;
        let kept = self.commit_if(&asked.key, |_, record| {
            // defense: S12 S36 a-word-on-its-own-grant
            if record.generation != asked.generation {
                overtaken = true;
                return Err(changed(&asked.key));
            }
            record.invalid_at = Some(now);
            record.grant_before = None;
            Ok(RecordCommit {
                moves: Vec::new(),
                ends: closes.cloned().map(FlowEnd::Closed),
                events: vec![event(record, HistoryEventKind::Invalid, why, now)],
                record: record.clone(),
            })
        });
        match kept {
            Ok(kept) => {
                self.forget(kept.memos);
                Ok(DeadGrantOutcome::Invalid)
            }
            Err(_) if overtaken => Ok(DeadGrantOutcome::Overtaken),
            Err(e) => Err(e),
        }
    }

    fn told_uncertain(&mut self, flow: &Flow, error: &Error) -> Result<()> {
        let (now, said) = (self.env.clock.now(), error.to_string());
        if self
            .ledger
            .last_lines(&flow.profile, &flow.key, 1)?
            .first()
            .is_some_and(|last| last.detail == said)
        {
            return Ok(());
        }
        self.commit(&flow.key, |record| RecordCommit {
            moves: Vec::new(),
            ends: None,
            events: vec![event(record, HistoryEventKind::Uncertain, &said, now)],
            record: record.clone(),
        })
        .map(drop)
    }
}

/// What came of the provider's word that a grant is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::custody) enum DeadGrantOutcome {
    /// The record says so.
    Invalid,
    /// Another grant is in its place: a newer one, or the one from before.
    Overtaken,
}

pub(super) enum RefreshResult {
    Answered(Box<(Flow, Sealer, Granted)>),
    /// The live grant was replaced meanwhile: to be decided again.
    Overtaken(Error),
}
