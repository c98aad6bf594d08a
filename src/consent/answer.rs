//! The starter of one answer that somebody sent back: its flow is claimed, and its code exchanged while this command waits.

use super::engine::Starter;
use super::flows::{CodeExchanger, Flows, wanted_later_in_words};
use super::outcome::without_grant;
use super::recovery::finish_then_find;
use crate::custody::{Custody, FoundFlow, StoreOutcome};
use crate::error::{Error, HandoffError, Result};
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::model::plan::PlannedLicense;
use crate::oauth::{CodeExchange, PastedCandidates, ProviderClient};
use crate::system::{Env, InterruptCounter};
use crate::web::BrowserReply;
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// The license's place among the one that it's about.
const ITEM: usize = 0;

/// What an answer from elsewhere comes to. What an earlier run had of its flow is finished instead.
pub fn answer(
    env: &Env,
    custody: &mut Custody<'_>,
    client: &ProviderClient,
    pasted: &PastedCandidates,
) -> Result<(PlannedLicense, StoreOutcome)> {
    let returned = custody.recognize(pasted, Some(&client.endpoints))?;
    // Looked at again: others may have been at it while the provider was.
    let found = custody.find(&returned)?;
    let (FoundFlow::Waiting(flow) | FoundFlow::Left(flow)) = &found;
    let key = flow.key.clone();
    let provider = custody.provider().clone();
    let record = custody.record(&key)?.record;
    let item = PlannedLicense::of_flow(&record, flow);
    let found = match found {
        FoundFlow::Left(_) => {
            let (finished, found) = finish_then_find(env, custody, &item, &returned);
            if let Some(kept) = finished? {
                return Ok((item, kept));
            }
            let is_new = custody.is_new(&returned)?;
            match found {
                Ok(waiting @ FoundFlow::Waiting(_)) if is_new => waiting,
                _ => {
                    let (license, next) = (key.license.to_string(), custody.next_consent(&key)?);
                    return Err(HandoffError::LeftUncertain { license, next }.into());
                }
            }
        }
        waiting => waiting,
    };
    let waited_for =
        AwaitedExchange { env, client, interrupts: env.interrupts()?, answer: RefCell::default() };
    let mut flows = Flows::new(Starter::One, custody, client, waited_for, false);
    let kept = flows
        .claim(found, ITEM, returned, BrowserReply::nobody(key.license.to_string()))
        .and_then(|()| exchange(&mut flows));
    match kept {
        Ok(kept) => Ok((item, kept)),
        Err(e) => Err(without_grant(e, &item, &provider)),
    }
}

/// Sends the code that was claimed, and waits for what comes of it. Where the provider wants it later, or another code of the
/// license is just being exchanged, it's sent once its turn has come.
fn exchange(flows: &mut Flows<'_, '_, AwaitedExchange<'_>>) -> Result<StoreOutcome> {
    flows.send_queued();
    loop {
        if let Some((flow, answer)) = flows.server.answer.take() {
            flows.store_grants(vec![(flow, answer?)]);
        }
        if let Some(over) = flows.next_over() {
            return over.kept.unwrap_or(Err(Error::Interrupted { next: None }));
        }
        let later = flows.soonest().ok_or_else(|| Error::Internal("a flow had no end".into()))?;
        match flows.server.waits_until(later)? {
            true => flows.retry_deferred(later),
            false => flows.stop(|_| Error::Interrupted { next: None }),
        }
    }
}

/// One exchange, which the command waits for. Ctrl-C waits for it, too; a second one doesn't.
struct AwaitedExchange<'w> {
    env: &'w Env,
    client: &'w ProviderClient,
    interrupts: InterruptCounter,
    answer: RefCell<Option<(FlowId, Result<Result<Granted>>)>>,
}

impl AwaitedExchange<'_> {
    /// Waits; `false` where it's interrupted. The code is in the ledger for the next command.
    fn waits_until(&self, later: Instant) -> Result<bool> {
        let wait = later.saturating_duration_since(Instant::now());
        // Another code's turn passes in a moment.
        if wait > Duration::from_secs(1) {
            self.env.terminal.info(&wanted_later_in_words(wait));
        }
        let (clock, interrupts) = (self.env.clock.clone(), self.interrupts.clone());
        self.env.wait(async move { clock.pass(wait, Box::pin(interrupts.come(1))).await })?;
        Ok(!self.interrupts.any())
    }
}

impl CodeExchanger for AwaitedExchange<'_> {
    type Slot = ();

    fn slot(&self) -> Option<()> {
        Some(())
    }

    fn exchange(&self, (): (), go: Logged<(FlowId, CodeExchange)>) {
        let (client, flow) = (self.client.clone(), go.get().0.clone());
        let answer =
            self.env.wait_and_tell(Some(&self.interrupts), |_| async move { client.exchange(go).await });
        *self.answer.borrow_mut() = Some((flow, answer));
    }

    fn unroute(&self, _: &FlowId) {}

    fn route(&self, _: &FlowId) {}

    fn untake(&self, _: &FlowId) {}
}
