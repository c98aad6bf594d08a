//! Answers that come by hand, and links for admins who sit elsewhere.

use super::ConsentRun;
use crate::consent::link::{LIFE, hand_out, outcome_of_handed};
use crate::custody::FoundFlow;
use crate::error::{Error, HandoffError, Result, clean};
use crate::model::flow::FlowStage;
use crate::model::plan::Progress;
use crate::model::secret::Secret;
use crate::oauth::{PastedCandidates, ReturnedAddress};
use crate::web::{ActionResponder, BrowserReply, HandedOffLink, SessionEvent};
use std::time::Instant;

impl ConsentRun<'_, '_> {
    /// An answer that was sent back from elsewhere, to a flow of this run or a link that was handed out before.
    pub(super) fn pasted(&mut self, text: &Secret, from: Option<ActionResponder>) {
        let unreadable = |problem| Error::from(HandoffError::Unreadable { problem });
        let taken = PastedCandidates::of(text.expose()).map_err(unreadable).and_then(|pasted| {
            let picked =
                pasted.pick(|it| Ok::<_, Error>(self.flows.server.fits(it) || self.flows.fits(it)?))?;
            self.take(picked.map_err(unreadable)?)
        });
        let said = match &taken {
            Ok(()) => "The pasted answer was accepted.".to_owned(),
            Err(Error::Handoff(HandoffError::Used { license, .. }) | Error::Busy { license, .. })
                if self.has_answer_of(license) =>
            {
                format!("The answer for {license} was already accepted.")
            }
            Err(e) => format!("{e}. {}", e.hint().unwrap_or_default()),
        };
        match from {
            Some(page) => page.tell(&serde_json::json!({ "taken": taken.is_ok(), "said": clean(&said) })),
            None => self.reporter.notice(&said),
        }
    }

    pub(super) fn take(&mut self, returned: ReturnedAddress) -> Result<()> {
        match self.flows.server.pasted(&returned) {
            Some(Ok(SessionEvent::Arrived { flow, code, reply })) => {
                let taken = self.arrived(&flow, code, reply);
                self.settle_what_is_over();
                taken
            }
            Some(step) => step.map(|step| self.step(step)),
            None => self.answer_to_link(returned),
        }
    }

    /// Whether this run has the answer of a license already: the same one, sent twice, is no failure.
    fn has_answer_of(&self, license: &str) -> bool {
        let at = self.items.iter().position(|(_, item)| item.key.license.as_str() == license);
        at.and_then(|at| self.pace.progress().get(at)).is_some_and(|progress| {
            matches!(progress, Progress::Storing | Progress::Granted | Progress::Held)
        })
    }

    /// The answer to a link of one of this run's licenses.
    fn answer_to_link(&mut self, returned: ReturnedAddress) -> Result<()> {
        let found = self.flows.custody.find(&returned)?;
        let (FoundFlow::Waiting(flow) | FoundFlow::Left(flow)) = &found;
        let license = flow.key.license.to_string();
        let Some(at) = self.items.iter().position(|(_, item)| item.key == flow.key) else {
            return Err(HandoffError::NotHere { license }.into());
        };
        if flow.stage != FlowStage::Asked || self.flows.about(at).is_some() {
            return Err(HandoffError::NotHere { license }.into());
        }
        match self.flows.claim(found, at, returned, BrowserReply::nobody(license)) {
            Ok(()) => {
                self.links.remove(&at);
                self.reporter.storing(&self.items[at].1);
                self.send_queued(at);
            }
            Err(Error::Provider(e)) if e.is_refusal() => {
                self.links.remove(&at);
                self.settle(at, Err(e.into()));
            }
            // The link is still out, and the right answer is taken afterwards.
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// The worklist's button for an admin who sits elsewhere: a link that outlives this run.
    pub(super) fn hand_off(&mut self, at: usize, page: ActionResponder) {
        let may = !matches!(
            self.pace.progress().get(at),
            None | Some(Progress::Storing | Progress::Granted | Progress::Held)
        );
        if !may {
            return page
                .tell(&serde_json::json!({ "said": "There is nothing more to do for this location." }));
        }
        self.flows.cancel(at);
        let item = self.items[at].1.clone();
        let made =
            hand_out(self.env, self.flows.custody, &self.flows.client.endpoints, vec![item], None, LIFE);
        let handed = made.and_then(|made| {
            made.into_iter()
                .next()
                .map_or_else(|| Err(Error::Internal("nothing was handed out".into())), |it| it.1)
        });
        match handed {
            Ok(handed) => {
                let standing = self.flows.custody.standing_to_tell(&handed.item.key);
                self.links.insert(at, Instant::now() + self.options.timeout.unsigned_abs());
                self.end(at, outcome_of_handed(&handed, standing), None);
                if let Some(worklist) = &self.options.worklist {
                    let (address, message) = (handed.address.clone(), self.reporter.message(&handed));
                    worklist.handed_off(at, HandedOffLink { address, message });
                }
                page.tell(&serde_json::json!({ "address": handed.address }));
            }
            Err(e) => {
                page.tell(&serde_json::json!({ "said": clean(&e.to_string()) }));
                self.settle(at, Err(e));
            }
        }
    }
}
