//! A start after a crash: what a dead process left is finished or reported, before anything new is asked.

use super::{Custody, InFlight, Kept, self_event};
use crate::error::{Error, Result};
use crate::grant::Memo;
use crate::model::flow::{Change, Flow, Purpose, Stage};
use crate::model::granted::Granted;
use crate::model::history::Happened;
use crate::model::ids::Key;
use crate::model::secret::Secret;
use crate::session::Exchange;

/// What became of a question that a dead process had left.
#[derive(Debug)]
pub enum Recovered {
    /// Nothing had come back: it was only asked.
    Dropped,
    /// The grant was there, and is stored now.
    Finished(Kept),
    /// Its code had been sent, and the answer is lost: it's marked uncertain.
    Uncertain,
    /// Its grant or code could not be used.
    Failed(Error),
}

impl Custody<'_> {
    /// Finishes or reports what dead processes left of a licence. An error leaves it open for the next run.
    pub fn recover(&mut self, exchange: &Exchange, key: &Key) -> Result<Vec<Recovered>> {
        let recovered = self.take_over(Some(exchange), key)?;
        if let Some(standing) = self.standing(key)?
            && standing.record.revocation_pending
            && standing.record.deactivated_at.is_none()
            // Elsewhere it could take the living grant with it; `deactivate` revokes both.
            && self.revocation_of_one(exchange).is_some()
            && let Err(e) = self.revoke_unwanted(exchange, key)
        {
            tracing::warn!("a grant of {key} that nobody wants isn't revoked yet: {e}");
        }
        self.tidy(exchange, key);
        Ok(recovered)
    }

    /// Closes what dead processes left of a licence that is given up without asking the provider.
    pub fn abandon(&mut self, key: &Key) -> Result<()> {
        self.take_over(None, key).map(drop)
    }

    fn take_over(&mut self, exchange: Option<&Exchange>, key: &Key) -> Result<Vec<Recovered>> {
        let mut recovered = Vec::new();
        for flow in self.ledger.unfinished(&self.provider.profile, Some(key))? {
            // A hand-off waits for its answer; it isn't left over.
            if flow.owner.is_none() || !self.ledger.adopt(&flow)? {
                continue;
            }
            recovered.push(self.resume(exchange, flow)?);
        }
        Ok(recovered)
    }

    fn resume(&mut self, exchange: Option<&Exchange>, flow: Flow) -> Result<Recovered> {
        match (flow.purpose, &flow.stage) {
            (_, Stage::Asked) => {
                self.let_go(&flow, Happened::Failed, "the program ended before an answer came", false)?;
                Ok(Recovered::Dropped)
            }
            (_, Stage::Sent) | (Purpose::Deactivate, _) => {
                self.let_go(
                    &flow,
                    Happened::Uncertain,
                    "the program ended before the answer was stored",
                    true,
                )?;
                Ok(Recovered::Uncertain)
            }
            (_, Stage::Arrived(_) | Stage::Answered(_)) => match exchange {
                Some(exchange) => self.finish(exchange, &flow),
                None => {
                    self.let_go(&flow, Happened::Uncertain, "given up without asking the provider", true)?;
                    Ok(Recovered::Uncertain)
                }
            },
        }
    }

    /// Closes what can't be finished; the memo goes with it.
    fn let_go(&mut self, flow: &Flow, happened: Happened, detail: &str, uncertain: bool) -> Result<()> {
        let now = self.env.clock.now();
        let kept = self.commit(&flow.key, |record| {
            if uncertain {
                record.uncertain_at = Some(now);
            }
            Change {
                expect: record.generation,
                moves: Vec::new(),
                closes: Some(flow.id.clone()),
                events: vec![self_event(record, happened, detail, now)],
                record: record.clone(),
            }
        })?;
        self.forget(kept.memo);
        Ok(())
    }

    /// A code that was never sent is sent; an answer that couldn't be stored is stored.
    fn finish(&mut self, exchange: &Exchange, flow: &Flow) -> Result<Recovered> {
        let whose = flow.key.license.as_str();
        let Some(place) = &flow.memo else {
            self.let_go(flow, Happened::Uncertain, "its verifier is gone", true)?;
            return Ok(Recovered::Uncertain);
        };
        let (memo, opener) = self.vault.unfold(place, whose)?;
        let memo = Memo::from_sealable(&memo, whose)?;
        let (Stage::Arrived(sealed) | Stage::Answered(sealed)) = &flow.stage else {
            return Ok(Recovered::Dropped);
        };
        let content = opener.open(sealed, whose)?;
        if self.spool.is_none() {
            self.spool = Some(self.ledger.reserve(1)?);
        }
        // Of the same memo: it's what opens the answer if this very run is cut short, too.
        let envelope = self.vault.another_envelope(&opener)?;
        let in_flight = InFlight {
            key: flow.key.clone(),
            username: flow.username.clone(),
            purpose: flow.purpose,
            redirect_uri: flow.redirect_uri.clone(),
            memo,
            code_seal: None,
            answer_seal: Some(envelope.answer),
            code: None,
        };
        self.in_flight.insert(flow.id.clone(), in_flight);
        let result = match &flow.stage {
            Stage::Answered(_) => Granted::from_sealable(&content, &flow.key),
            _ => {
                let code: String = content.read(whose)?;
                if let Some(asked) = self.in_flight.get_mut(&flow.id) {
                    asked.code = Some(sealed.clone());
                }
                let go = self.arrived(&flow.id, &Secret::new(code))?;
                let exchange = exchange.clone();
                self.env.wait(async move { exchange.run(go).await })?
            }
        };
        Ok(match self.exchanged(exchange, &flow.id, result) {
            Ok(kept) => Recovered::Finished(kept),
            // Set aside once more: nothing new may be asked before that is finished.
            Err(e) if self.in_flight.contains_key(&flow.id) => return Err(e),
            Err(e) => Recovered::Failed(e),
        })
    }
}
