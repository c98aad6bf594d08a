//! What becomes of answers on their way: a code waits for its turn, and what its exchange brought is stored.

use super::ConsentRun;
use crate::consent::flows::wanted_later_in_words;
use crate::error::{CodeStillUsable, Error, Result};
use crate::model::authorization::command_with;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::model::pace::PauseReason;
use crate::model::plan::Progress;
use crate::model::secret::Secret;
use crate::web::BrowserReply;
use std::time::Instant;

impl ConsentRun<'_, '_> {
    /// A code came. What kept it from being taken is told: its flow waits on, and the same answer may come again.
    pub(super) fn arrived(&mut self, flow: &FlowId, code: Secret, reply: BrowserReply) -> Result<()> {
        let Some(at) = self.flows.item(flow) else {
            tracing::info!("an answer arrived for flow {}, which has ended", flow.0);
            reply.too_late();
            return Ok(());
        };
        self.reporter.storing(&self.items[at].1);
        if let Err(e) = self.flows.code_came(flow, code, reply) {
            self.reporter.waits_on(&self.items[at].1);
            return Err(e);
        }
        self.send_queued(at);
        Ok(())
    }

    /// The code of a license waits for its turn, unless that was in vain.
    pub(super) fn send_queued(&mut self, at: usize) {
        if self.flows.about(at).is_some() {
            self.set(at, Progress::Storing, "");
        }
        self.flows.send_queued();
        self.settle_what_is_over();
    }

    /// What came of exchanges is stored, all in one commit, and then told to each.
    pub(super) fn store_grants(&mut self, answers: Vec<(FlowId, Result<Granted>)>) {
        let several = self.several();
        let (mut wrong_client, mut wanted_later) = (None, Vec::new());
        for (flow, result) in &answers {
            if !several && matches!(unused(result), Some(CodeStillUsable::WantedLater(_))) {
                wanted_later.push(flow.clone());
            }
            match result {
                _ if !several || self.flows.item(flow).is_none() => {}
                // The others would fare no better: nobody else is asked to consent in vain.
                Err(Error::Provider(e)) if unused(result) == Some(CodeStillUsable::WrongClient) => {
                    wrong_client = Some(e.clone());
                }
                Err(e) if e.is_outage() => self.trouble(e),
                _ => self.pace.on_success(Instant::now()),
            }
        }
        if let Some(error) = wrong_client {
            // What is left is gone on with, the code that is kept first.
            let next = command_with("renew", &["--resume"], self.flows.custody.provider().other(), &[]);
            self.stop(Some(Error::NoGrant { license: None, error: Box::new(error), next }));
        }
        self.flows.store_grants(answers);
        for wait in wanted_later.iter().filter_map(|flow| self.flows.waits(flow)) {
            self.reporter.notice(&wanted_later_in_words(wait));
        }
        self.settle_what_is_over();
        // The provider is back, by another's answer: nobody will look for it.
        if !matches!(self.pace.pause(), Some(PauseReason::Outage { .. })) {
            self.flows.retry_deferred(Instant::now());
        }
    }
}

/// Why the code of an exchange is as good as before, where it is.
fn unused(result: &Result<Granted>) -> Option<CodeStillUsable> {
    result.as_ref().err().and_then(Error::unused_code)
}
