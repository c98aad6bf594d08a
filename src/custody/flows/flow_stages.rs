//! How far a flow has come is noted before the next step is taken; and how it ends without a grant.

use super::in_flight::EndReason;
use crate::custody::grants::received_grant::GrantRemarks;
use crate::custody::grants::store_grant::StoreOutcome;
use crate::custody::writer::{Custody, event, unknown};
use crate::error::{CodeStillUsable, Error, LedgerError, Result};
use crate::model::flow::{CODE_LIVES, Flow, FlowEnd, FlowStage, Logged, RecordCommit};
use crate::model::history::{HistoryEvent, HistoryEventKind};
use crate::model::ids::{FlowId, LicenseId};
use crate::model::secret::{Fingerprint, Sealable, Secret, fingerprint};
use crate::oauth::CodeExchange;
use jiff::Timestamp;
use std::time::Duration;

impl Custody<'_> {
    /// A code came: it's sealed and noted. As long as no more is, whoever finds it may send it. Where neither the ledger nor the
    /// spool can keep it, nothing has happened: the same answer, or another one, may come again.
    pub fn record_code(&mut self, flow: &FlowId, code: &Secret) -> Result<()> {
        self.refuse_sent_before(flow, code)?;
        self.seals_of(flow)?;
        let now = self.env.clock.now();
        let asked = self.in_flight.get_mut(flow).ok_or_else(unknown)?;
        tracing::info!("a code for {} arrived", asked.key);
        if let Some(seal) = asked.code_seal.take() {
            let label = self.seals.code(&self.provider.profile, &asked.key, flow);
            asked.code = Some(seal.close(&label, &Sealable::of(&code.expose()))?);
        }
        let Some(sealed) = asked.code.clone() else { return Ok(()) };
        asked.came = Some(now);
        let (is_ours, print) = (asked.from.is_none(), fingerprint(code.expose()));
        let kept = match is_ours {
            true => self.note(flow, &FlowStage::Arrived(sealed), Some(&print)).map(drop),
            false => self.claim_with_its_code(flow).or_else(|e| match (e, &mut self.spool) {
                (Error::Ledger(e), Some(spool)) if !matches!(e, LedgerError::TakenOver) => {
                    tracing::info!("could not note the code in the ledger, so the spool keeps it: {e}");
                    spool.keep_claimed(flow, &FlowStage::Arrived(sealed), &print)?;
                    self.in_flight.get_mut(flow).ok_or_else(unknown)?.unclaimed = Some(e);
                    Ok(())
                }
                (e, _) => Err(e),
            }),
        };
        if kept.is_err()
            && let Some(asked) = self.in_flight.get_mut(flow)
        {
            (asked.code, asked.came) = (None, None);
        }
        kept
    }

    /// Claims a flow in the ledger that is nobody's there, with the code that came; does nothing for one of this process.
    fn claim_with_its_code(&mut self, flow: &FlowId) -> Result<()> {
        let asked = self.in_flight.get(flow).ok_or_else(unknown)?;
        let (Some(from), Some(sealed)) = (asked.from.clone(), asked.code.clone()) else { return Ok(()) };
        let key = asked.key.clone();
        let claimed = self.ledger.claim_answered(
            flow,
            from.as_ref(),
            &FlowStage::Arrived(sealed),
            self.vault.kind(),
        )?;
        if !claimed {
            // Another process was quicker, and the answer is its.
            self.spool.iter_mut().for_each(|spool| spool.reopened(flow));
            return Err(self.used(&key));
        }
        if let Some(asked) = self.in_flight.get_mut(flow) {
            (asked.from, asked.taken_up) = (None, true);
        }
        self.handed_in(flow);
        Ok(())
    }

    /// A code is sent once, from whichever answer, however often that is reloaded or pasted.
    fn refuse_sent_before(&self, flow: &FlowId, code: &Secret) -> Result<()> {
        let asked = self.in_flight.get(flow).ok_or_else(unknown)?;
        match self.ledger.flow_that_sent(&fingerprint(code.expose())) {
            Ok(Some(_)) => Err(self.used(&asked.key)),
            // A ledger that can't be read now is no reason to throw a code away.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Of a flow that is open again, what its next answer is sealed with.
    fn seals_of(&mut self, flow: &FlowId) -> Result<()> {
        let asked = self.in_flight.get(flow).ok_or_else(unknown)?;
        if asked.code_seal.is_none() && asked.code.is_none() {
            let (_, opener) = self.vault.reopen_memo(&asked.kept, &asked.row)?;
            let envelope = self.vault.another_envelope(&opener)?;
            if let Some(asked) = self.in_flight.get_mut(flow) {
                (asked.code_seal, asked.answer_seal) = (Some(envelope.code), Some(envelope.answer));
            }
        }
        Ok(())
    }

    /// A code's turn has come: that it's being sent is noted, before a byte of it leaves, and no sooner than it really is.
    pub fn sending(&mut self, flow: &FlowId, code: &Secret) -> Result<Logged<(FlowId, CodeExchange)>> {
        // Where the ledger couldn't be told that the code came, it's told now; but not at once.
        if let Some(e) = self.in_flight.get_mut(flow).and_then(|asked| asked.unclaimed.take()) {
            return Err(e.into());
        }
        self.claim_with_its_code(flow)?;
        let asked = self.in_flight.get(flow).ok_or_else(unknown)?;
        let whole = CodeExchange {
            key: asked.key.clone(),
            username: asked.username.clone(),
            code: code.clone(),
            verifier: asked.memo.as_ref().ok_or_else(unknown)?.verifier.clone(),
            redirect_uri: asked.redirect_uri.clone(),
        };
        // Of one that was claimed, the synced row says that it waits: a power cut now must not bring that back.
        let (taken_up, print) = (asked.taken_up, fingerprint(code.expose()));
        let noted = self.ledger.note_sent(flow, Some(&print), taken_up);
        let noted =
            if taken_up { noted? } else { self.or_spooled(flow, &FlowStage::Sent, Some(&print), noted)? };
        tracing::info!("sending the code for {}", whole.key);
        Ok(noted.with(whole))
    }

    /// Notes in the journal, or in the spool where the journal can't take it. But not that a code is being sent which others
    /// may send soon, because they take this process for one that has ended, or while they send another one of the license: it's
    /// left to them.
    fn note(
        &mut self,
        flow: &FlowId,
        stage: &FlowStage,
        code: Option<&Fingerprint>,
    ) -> Result<Logged<FlowId>> {
        let noted = self.ledger.note(flow, stage);
        self.or_spooled(flow, stage, code, noted)
    }

    fn or_spooled(
        &mut self,
        flow: &FlowId,
        stage: &FlowStage,
        code: Option<&Fingerprint>,
        noted: Result<Logged<FlowId>>,
    ) -> Result<Logged<FlowId>> {
        /// Longer than an exchange takes.
        const SENDING: Duration = Duration::from_secs(40);
        match (&noted, stage) {
            (Ok(_), FlowStage::Arrived(_)) => self.handed_in(flow),
            // Another code of the license is being exchanged: this one's turn comes after it.
            (Err(Error::Ledger(LedgerError::TakenOver) | Error::Busy { .. }), _) => return noted,
            (Err(_), FlowStage::Sent)
                if self.ledger.lease() < SENDING
                    && self.in_flight.get(flow).is_some_and(|asked| asked.handed_in) =>
            {
                return noted;
            }
            (Err(_), FlowStage::Sent) => self.ledger.may_send(flow)?,
            _ => {}
        }
        let (Err(_), Some(spool)) = (&noted, &mut self.spool) else { return noted };
        let spooled = spool.keep(flow, stage, code)?;
        if let (FlowStage::Sent, Some(asked)) = (stage, self.in_flight.get_mut(flow)) {
            asked.sent_unnoted = code.copied();
        }
        Ok(spooled)
    }

    /// Tells the ledger which code was sent, where only the spool knows that: before its flow is opened again.
    pub(in crate::custody) fn hand_in_code(&mut self, flow: &FlowId) -> Result<()> {
        let Some(code) = self.in_flight.get(flow).and_then(|asked| asked.sent_unnoted) else { return Ok(()) };
        self.ledger.remember_sent(flow, &code)?;
        self.in_flight.get_mut(flow).into_iter().for_each(|asked| asked.sent_unnoted = None);
        Ok(())
    }

    fn handed_in(&mut self, flow: &FlowId) {
        if let Some(asked) = self.in_flight.get_mut(flow) {
            asked.handed_in = true;
        }
    }

    /// A flow brought no grant. A refusal closes it; after anything else it's open again, for the same link works until its
    /// time is over. What was lost on the way stays visible as uncertain; a code that is unused stays, to be sent by the next run.
    pub fn record_end(&mut self, flow: &FlowId, error: Error) -> Error {
        let Some(asked) = self.in_flight.get(flow) else { return error };
        let unused = error.unused_code();
        if unused == Some(CodeStillUsable::WrongClient) {
            self.distrust_client();
        }
        if let (Some(_), Some(code)) = (unused, asked.code.clone()) {
            // It can still be sent within its few minutes.
            let Err(unnoted) = self.note(flow, &FlowStage::Arrived(code), None) else { return error };
            let end = FlowEnd::Reopened(flow.clone(), self.open_until());
            self.in_flight.get_mut(flow).into_iter().for_each(|asked| asked.end = Some((end.clone(), None)));
            return unnoted;
        }
        let key = asked.key.clone();
        let happened =
            if error.answer_lost() { HistoryEventKind::Uncertain } else { HistoryEventKind::Failed };
        let end = match &error {
            Error::Provider(e) if e.is_refusal() => FlowEnd::Closed(flow.clone()),
            _ => FlowEnd::Reopened(flow.clone(), self.open_until()),
        };
        self.end(end, &key, Some(EndReason::of(happened, &error))).err().unwrap_or(error)
    }

    /// Nobody waits for an answer here any more: it's open for whoever brings one within minutes, and then it lapses. `why` goes
    /// into the history. Where another answer brought a grant meanwhile, which closed it, that is told instead.
    pub fn left_open(&mut self, flow: &FlowId, why: Option<&Error>) -> Result<Option<StoreOutcome>> {
        let Some(asked) = self.in_flight.get(flow) else { return Ok(None) };
        if let Some(kept) = self.granted_meanwhile(flow)? {
            return Ok(Some(kept));
        }
        let key = asked.key.clone();
        let why = why.map(|why| EndReason::of(HistoryEventKind::Failed, why));
        self.end(FlowEnd::LeftOpen(flow.clone(), self.open_until()), &key, why)?;
        Ok(None)
    }

    /// Whether a flow that brought nothing is open again in the ledger, and not kept there with what came of it.
    pub fn is_reopened(&self, flow: &FlowId) -> bool {
        self.in_flight.get(flow).is_none_or(|asked| asked.from.is_some())
    }

    /// Whether the ledger has closed a flow of this process, because another answer brought a grant.
    pub fn granted_meanwhile(&self, flow: &FlowId) -> Result<Option<StoreOutcome>> {
        let Some(asked) = self.in_flight.get(flow) else { return Ok(None) };
        if self.ledger.is_open(flow)? {
            return Ok(None);
        }
        let record = self.record(&asked.key)?.record;
        let granted = record.generation > asked.base && record.is_granted();
        Ok(granted.then(|| StoreOutcome::Live { remarks: GrantRemarks::default() }))
    }

    /// Until when a flow is open that nobody waits for: as long as a code that was just made may live.
    pub(in crate::custody) fn open_until(&self) -> Timestamp {
        self.env.clock.now().saturating_add(CODE_LIVES).unwrap_or(Timestamp::MAX)
    }

    /// Closes a flow of which there is nothing to say. The memo goes with it.
    pub(in crate::custody) fn close(&mut self, flow: &FlowId, key: &LicenseId) -> Result<()> {
        self.end(FlowEnd::Closed(flow.clone()), key, None)
    }

    /// Ends a flow without a grant: its record is changed by nothing but an answer that was lost, which makes it uncertain.
    pub(in crate::custody) fn end(
        &mut self,
        end: FlowEnd,
        key: &LicenseId,
        why: Option<EndReason>,
    ) -> Result<()> {
        let now = self.env.clock.now();
        let committed = self.commit(key, |record| {
            if why.as_ref().is_some_and(|why| why.happened == HistoryEventKind::Uncertain) {
                record.uncertain_at = Some(now);
            }
            let told = why.iter().map(|why| HistoryEvent {
                failure: why.failure,
                ..event(record, why.happened, &why.detail, now)
            });
            RecordCommit {
                moves: Vec::new(),
                ends: Some(end.clone()),
                events: told.collect(),
                record: record.clone(),
            }
        });
        if let (Err(_), Some(asked)) = (&committed, end.flow().and_then(|flow| self.in_flight.get_mut(flow)))
        {
            // A process that goes on commits it later.
            asked.end = Some((end, why));
        }
        self.forget(committed?.memos);
        Ok(())
    }

    /// Closes a flow whose time is over and that nobody waits for, with its memo: whatever is done to a license next clears it
    /// away.
    pub(in crate::custody) fn clear_lapsed(&mut self, flow: &Flow) -> Result<()> {
        if flow.owner.is_none() && flow.stage == FlowStage::Asked && flow.deadline <= self.env.clock.now() {
            let memo = self.ledger.close_lapsed(&flow.id)?;
            self.forget(memo);
        }
        Ok(())
    }
}
