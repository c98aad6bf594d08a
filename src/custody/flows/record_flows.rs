//! Flows are recorded before any browser opens, with all that their answers will need.

use super::in_flight::InFlight;
use crate::custody::writer::{Custody, TRIES, event, unknown, was_changed};
use crate::error::Result;
use crate::ledger::{CommittedIntent, Intent};
use crate::model::authorization::Authorization;
use crate::model::flow::{Flow, FlowStage, Logged, OldSeals, Purpose, RecordCommit, SecretPlace};
use crate::model::history::HistoryEventKind;
use crate::model::ids::{FlowId, Generation, LicenseId, Revision};
use crate::model::instant::for_machines;
use crate::model::secret::fingerprint;
use crate::oauth::AuthorizationRequest;
use jiff::Timestamp;

/// What a record shall be while a flow about it is open, out of what is there at that moment; or why it isn't asked about.
/// Asked again where others have written the record meanwhile.
pub type RecordUpdate<'q> = Box<dyn Fn(Option<Authorization>) -> Result<Authorization> + 'q>;

/// A flow that a command wants to start.
pub struct NewFlow<'q> {
    pub ask: AuthorizationRequest,
    /// The record as it shall be while the flow is open.
    pub record: RecordUpdate<'q>,
    pub purpose: Purpose,
    pub deadline: Timestamp,
    /// Its answer comes from elsewhere, whenever it comes: nobody waits for it here.
    pub handed_off: bool,
}

/// A flow that the ledger holds, ready to be shown to its admin.
pub type RecordedFlow = Logged<(FlowId, AuthorizationRequest)>;

impl Custody<'_> {
    /// Records flows in the journal, with all that their answers will need: before any browser opens.
    /// A license that someone else is at is refused alone.
    pub fn record_flows(&mut self, flows: Vec<NewFlow<'_>>) -> Result<Vec<Result<RecordedFlow>>> {
        self.prepare_vault_write()?;
        let here = flows.iter().filter(|new| !new.handed_off).count();
        if here > 0 {
            self.reserve_room(self.in_flight.len() + here)?;
        }
        // An answer from elsewhere may come to any host that listens.
        let listeners = if here < flows.len() { self.listeners()? } else { Vec::new() };
        let mut memos = Vec::with_capacity(flows.len());
        for NewFlow { ask, purpose, handed_off, .. } in &flows {
            let also: &[String] = if *handed_off { &listeners } else { &[] };
            let item = self.item_of_flow(&ask.key, &ask.flow);
            let profile = &self.provider.profile;
            let label = self.seals.verifier(profile, &ask.key, &ask.flow);
            let (envelope, memo) = self.vault.envelope(&item, &label, &ask.memo.to_sealable(), also)?;
            let in_flight = InFlight {
                key: ask.key.clone(),
                username: ask.username.clone(),
                purpose: *purpose,
                redirect_uri: ask.redirect_uri.clone(),
                // Known once the record was read.
                base: Generation::default(),
                memo: Some(ask.memo.clone()),
                kept: memo.clone(),
                row: self.seals.row_of_memo(profile, &ask.key, &ask.flow, *handed_off, false),
                code_seal: Some(envelope.code),
                answer_seal: Some(envelope.answer),
                code: None,
                came: None,
                unclaimed: None,
                sent_unnoted: None,
                end: None,
                handed_in: false,
                asked_here: true,
                taken_up: false,
                from: None,
            };
            if !handed_off {
                self.in_flight.insert(ask.flow.clone(), in_flight);
            }
            memos.push(memo);
        }
        let recorded = self.record_all(&flows, &memos).inspect_err(|e| {
            memos.iter().for_each(|memo| self.forget_unless_needed(memo.clone(), e));
        })?;
        let mut outcomes = Vec::with_capacity(flows.len());
        for ((NewFlow { ask, .. }, recorded), memo) in flows.into_iter().zip(recorded).zip(memos) {
            outcomes.push(match recorded {
                Ok((recorded, flow)) => {
                    if let Some(asked) = self.in_flight.get_mut(&flow.id) {
                        asked.base = flow.base;
                        self.spool.iter_mut().for_each(|spool| spool.about(&flow));
                    }
                    self.orphaned_items.extend(recorded.replaced);
                    Ok(recorded.flow.with(ask))
                }
                Err(e) => {
                    self.in_flight.remove(&ask.flow);
                    self.forget(Some(memo));
                    Err(e)
                }
            });
        }
        Ok(outcomes)
    }

    /// Commits the intents together, each decided on its record as it is at that moment. Those whose records others have
    /// written in between are decided on anew, and committed after the others.
    fn record_all(
        &mut self,
        flows: &[NewFlow<'_>],
        memos: &[SecretPlace],
    ) -> Result<Vec<Result<(CommittedIntent, Flow)>>> {
        let mut outcomes: Vec<_> = flows.iter().map(|_| Err(unknown())).collect();
        let all = (0..flows.len()).collect();
        let mut left = self.record_once(flows, memos, all, &mut outcomes)?;
        for _ in 1..TRIES {
            if left.is_empty() {
                break;
            }
            left = match self.record_once(flows, memos, left, &mut outcomes) {
                Ok(left) => left,
                // The others are on disk already, and are put all the same.
                Err(e) => {
                    tracing::warn!(
                        "could not recheck the records that other processes changed meanwhile: {e}"
                    );
                    break;
                }
            };
        }
        Ok(outcomes)
    }

    /// One commit of those that are left; which of them must be decided on anew.
    fn record_once(
        &mut self,
        flows: &[NewFlow<'_>],
        memos: &[SecretPlace],
        left: Vec<usize>,
        outcomes: &mut [Result<(CommittedIntent, Flow)>],
    ) -> Result<Vec<usize>> {
        let (mut intents, mut places) = (Vec::with_capacity(left.len()), Vec::with_capacity(left.len()));
        for at in left {
            let new = &flows[at];
            let known = self.standing(&new.ask.key)?.map(|standing| standing.record);
            match (new.record)(known) {
                Ok(mut record) => {
                    if record.revision == Revision::default() {
                        record.generation = self.first_generation(&record.key)?;
                    }
                    intents.push(self.intent(new, record, memos[at].clone()));
                    places.push(at);
                }
                Err(e) => outcomes[at] = Err(e),
            }
        }
        let rows: Vec<_> = intents.iter().map(|intent| intent.flow.clone()).collect();
        let mut again = Vec::new();
        for ((at, flow), recorded) in places.into_iter().zip(rows).zip(self.ledger.record_flows(intents)?) {
            if was_changed(&recorded) {
                again.push(at);
            }
            outcomes[at] = recorded.map(|recorded| (recorded, flow));
        }
        Ok(again)
    }

    /// The generation of a license that has no record yet: one that was removed and comes back goes on counting, so that no
    /// seal of then is taken for one of now.
    pub fn first_generation(&self, key: &LicenseId) -> Result<Generation> {
        Ok(self.ledger.generation_when_removed(&self.provider.profile, key)?.unwrap_or_default())
    }

    fn intent(&self, new: &NewFlow<'_>, record: Authorization, memo: SecretPlace) -> Intent {
        let NewFlow { ask, purpose, deadline, handed_off, .. } = new;
        let (deadline, handed_off) = (*deadline, *handed_off);
        let now = self.env.clock.now();
        let detail = match handed_off {
            true => format!("{}, handed out, until {}", ask.username, for_machines(deadline)),
            false => ask.username.to_string(),
        };
        Intent {
            flow: Flow {
                id: ask.flow.clone(),
                profile: record.profile.clone(),
                key: ask.key.clone(),
                purpose: *purpose,
                username: ask.username.clone(),
                base: record.generation,
                redirect_uri: ask.redirect_uri.clone(),
                opened: now,
                deadline,
                handed_off,
                had_answer: false,
                // The ledger puts this process's own mark, where it waits here.
                owner: None,
                memo: Some(memo),
                stage: FlowStage::Asked,
                old: OldSeals::default(),
            },
            change: RecordCommit {
                moves: Vec::new(),
                ends: None,
                events: vec![event(&record, HistoryEventKind::Asked, &detail, now)],
                record,
            },
            state: Some(fingerprint(ask.memo.state.expose())),
        }
    }
}
