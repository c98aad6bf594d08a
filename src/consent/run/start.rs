//! How the flows of a run start: in the ledger first, then with the admins.

use super::{ConsentRun, OpenMethod, OpenTrigger};
use crate::consent::fit::still_fits;
use crate::custody::{NewFlow, RecordUpdate};
use crate::error::{Error, LedgerError, Result};
use crate::model::authorization::Authorization;
use crate::model::flow::Purpose;
use crate::model::ids::Generation;
use crate::model::plan::{PlannedLicense, Progress};
use crate::oauth;
use crate::system::BrowserChoice;
use jiff::Timestamp;

impl<'r> ConsentRun<'r, '_> {
    /// Starts the flows: in the ledger first, then with the admins.
    pub(super) fn ask(&mut self, which: &[usize], by: OpenTrigger) {
        let now = self.env.clock.now();
        let deadline = now.saturating_add(self.options.timeout).unwrap_or(now);
        let (mut flows, mut places) = (Vec::new(), Vec::new());
        for at in which {
            // Of one that is tried again its earlier grant may wait sealed: nobody is asked twice.
            if let Some(kept) = self.flows.finish_left_over(*at) {
                self.settle(*at, kept);
                continue;
            }
            match self.new_flow(*at, now, deadline) {
                Ok(flow) => {
                    flows.push(flow);
                    places.push(*at);
                }
                Err(e) => self.settle(*at, Err(e)),
            }
        }
        let recorded = match self.flows.record_flows(flows) {
            Ok(recorded) => recorded,
            Err(e) if self.several() => return self.stop(Some(e)),
            Err(e) => {
                if let Some(at) = places.first() {
                    self.settle(*at, Err(e));
                }
                return;
            }
        };
        let timeout = self.options.timeout.unsigned_abs();
        for (at, recorded) in places.into_iter().zip(recorded) {
            let recorded = match recorded {
                Ok(recorded) => recorded,
                Err(e) => {
                    self.leave_or_settle(at, e);
                    continue;
                }
            };
            let browser = if by == OpenTrigger::Click { &BrowserChoice::None } else { &self.options.choice };
            let page = self.flows.open(self.env, at, &recorded, browser, timeout);
            if by != OpenTrigger::Turn {
                self.pace.opened_by_hand(at);
            }
            self.set(at, Progress::Opened, "");
            let how =
                if by == OpenTrigger::Click { OpenMethod::Worklist } else { OpenMethod::of(page.browser) };
            self.reporter.opened(&self.items[at].1, &page.address, how, page.until);
        }
    }

    /// The flow about a license. What is decided on its record is decided when that is read: right before it's written.
    pub(super) fn new_flow(&self, at: usize, now: Timestamp, deadline: Timestamp) -> Result<NewFlow<'r>> {
        let item = &self.items[at].1;
        let (provider, several) = (self.flows.custody.provider().clone(), self.several());
        let base = self.flows.server.redirect_uri();
        let random = self.env.random.as_ref();
        let ask =
            oauth::ask(&provider, &self.flows.client.endpoints, &item.key, &item.username, &base, random)?;
        let base = self.rebased.get(&at).copied().unwrap_or(item.base);
        let record: RecordUpdate<'r> = Box::new(move |known| {
            if several && known.as_ref().is_some_and(|known| was_granted_since(known, item, base)) {
                let license = item.key.license.to_string();
                return Err(LedgerError::Changed { license }.into());
            }
            still_fits(item, known.as_ref(), &provider, now)?;
            Ok(item.record_while_asked(known, &provider.profile))
        });
        Ok(NewFlow { ask, record, purpose: item.purpose, deadline, handed_off: false })
    }

    /// Where somebody else is at a license of this run too, on a ledger that several people share, or has changed it since the
    /// run was planned: in which words it's left to them.
    pub(super) fn others_have(&self, refused: &Error) -> Option<String> {
        match refused {
            _ if !self.several() => None,
            Error::Ledger(LedgerError::Changed { .. }) => Some(MEANWHILE.into()),
            Error::Busy { why, .. } if self.flows.custody.ledger().is_shared() => Some(why.clone()),
            _ => None,
        }
    }

    /// A license that can't be asked about is left to whoever else is at it, or has ended.
    pub(super) fn leave_or_settle(&mut self, at: usize, refused: Error) {
        match self.others_have(&refused) {
            Some(why) => self.skip(at, &why),
            None => self.settle(at, Err(refused)),
        }
    }
}

/// Why a license is left out that has another grant since the run was planned.
const MEANWHILE: &str = "changed by another process meanwhile";

/// Whether a license was granted since it was planned, or given up: a token that was refreshed meanwhile changes nothing.
fn was_granted_since(known: &Authorization, item: &PlannedLicense, base: Generation) -> bool {
    let renewed_the_same = item.purpose == Purpose::Renew
        && known.expires_at == item.expires_at
        && known.deactivated_at.is_none();
    known.generation != base && !renewed_the_same
}
