//! The starter of a server: answers come from many admins' browsers, whoever asked them. It runs until it's stopped.

mod clock;
mod report;
mod upkeep;

use super::engine::Starter;
use super::flows::Flows;
use super::recovery::finish_then_find;
use crate::custody::{Custody, FoundFlow};
use crate::error::{Error, HandoffError, Result};
use crate::model::outcome::Outcome;
use crate::model::plan::PlannedLicense;
use crate::oauth::{ProviderClient, ReturnedAddress};
use crate::system::Env;
use crate::web::{BrowserReply, CallbackServer, ServerEvent};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use upkeep::RetrySchedule;

/// How soon it's tidied up behind what was stored, and how long it waits where nothing is to be done.
const TIDY: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_secs(5);

/// What an operator sees of a server.
pub trait ListeningReporter {
    /// A license's flow has ended, well or not.
    fn ended(&mut self, outcome: &Outcome, custody: &Custody<'_>);
    /// An answer can't be taken for the moment, or not on this host, or not finished: once for each reason, until it's over.
    fn not_taken(&mut self, why: &Error);
    /// What an exchange needs isn't as it should be; answers are taken all the same.
    fn unready(&mut self, why: &Error);
    /// Requests come for another host than the public one.
    fn unknown_host_name(&mut self, host: &str);
    /// Nobody waits, and something was stored: others want to hear of it now.
    fn idle(&mut self, custody: &mut Custody<'_>);
    /// What runs beside the server has ended, or it's time to look after it.
    fn woken(&mut self, custody: &mut Custody<'_>);
}

/// A server of many admins' browsers.
pub struct Listening<'l, 'e> {
    env: &'l Env,
    flows: Flows<'l, 'e, CallbackServer>,
    reporter: &'l mut dyn ListeningReporter,
    /// What the flows under way are about.
    items: HashMap<usize, PlannedLicense>,
    next_item: usize,
    stopping: bool,
    /// Something was stored since the last tidying.
    untidy: bool,
    /// Why the last answer wasn't taken, where it was told.
    untaken: Option<String>,
    /// Why the flows couldn't be looked up last.
    unread: Option<String>,
    upkeep: RetrySchedule,
}

impl<'l, 'e> Listening<'l, 'e> {
    /// Over a server that listens already.
    pub fn new(
        env: &'l Env,
        custody: &'l mut Custody<'e>,
        client: &'l ProviderClient,
        server: CallbackServer,
        reporter: &'l mut dyn ListeningReporter,
    ) -> Self {
        let upkeep = RetrySchedule::new(client);
        let flows = Flows::new(Starter::Server, custody, client, server, false);
        Self {
            env,
            flows,
            reporter,
            items: HashMap::new(),
            next_item: 0,
            stopping: false,
            untidy: false,
            untaken: None,
            unread: None,
            upkeep,
        }
    }

    /// Until it's stopped, and what was under way by then has ended or is left to the next run.
    pub fn run(mut self) {
        self.look_up_open_flows();
        self.rehearse();
        // What an earlier run left is finished before anything else: a code lives minutes.
        self.finish_all_left();
        while !(self.stopping && self.flows.is_empty()) {
            self.look_up_open_flows();
            self.keep_up();
            let idle = Instant::now() + if self.untidy { TIDY } else { IDLE };
            let times = self.flows.soonest().into_iter().chain(self.upkeep.next());
            match self.flows.server.next(times.fold(idle, Instant::min)) {
                Some(ServerEvent::Answer { reply, .. }) if self.stopping => drop(reply),
                Some(ServerEvent::Answer { returned, reply }) => self.answer(returned, reply),
                Some(ServerEvent::Health(asked)) if asked.is_waited_for() => asked.answer(self.health()),
                Some(ServerEvent::Health(_)) => {}
                Some(ServerEvent::UnknownHostName(host)) => self.reporter.unknown_host_name(&host),
                Some(ServerEvent::Exchanged { flow, result }) => {
                    self.flows.send_queued();
                    self.flows.store_grants(vec![(flow, *result)]);
                }
                Some(ServerEvent::Tried(problem)) => self.rehearsed(problem.as_deref()),
                Some(ServerEvent::Woken) => self.reporter.woken(self.flows.custody),
                Some(ServerEvent::Interrupted) => self.stop(),
                None => {
                    self.lapse();
                    self.reporter.woken(self.flows.custody);
                }
            }
            self.note_left_over();
            self.tell_what_is_over();
            if self.untidy && self.flows.is_empty() {
                self.untidy = false;
                self.flows.custody.clean_up();
                self.reporter.idle(self.flows.custody);
            }
        }
    }

    /// The front server knows the answers to open flows from strangers', and lets them pass.
    fn look_up_open_flows(&mut self) {
        if self.flows.server.wants_a_look() {
            let open = self.flows.custody.look_up_open();
            let before = std::mem::replace(&mut self.unread, open.as_ref().err().map(ToString::to_string));
            match &open {
                Err(e) => self.tell_untaken(e),
                // The next time it can't be read is told again.
                Ok(_) if before.is_some() && self.untaken == before => self.untaken = None,
                Ok(_) => {}
            }
            self.flows.server.set_open_flows(open.ok());
        }
    }

    fn health(&mut self) -> Result<(), &'static str> {
        if self.stopping {
            return Err("it is shutting down");
        }
        let Err(e) = self.flows.custody.check_well() else { return Ok(()) };
        self.tell_untaken(&e);
        Err(match e {
            Error::Vault(_) => "the vault can't be used",
            Error::Ledger(_) => "the ledger can't be used",
            _ => "it can't store a grant",
        })
    }

    fn answer(&mut self, returned: ReturnedAddress, reply: BrowserReply) {
        let found = match self.flows.custody.find(&returned) {
            Ok(found) => found,
            Err(e) => {
                tracing::info!("an answer was refused: {e}");
                return match &e {
                    // A browser that asks again while its answer is being exchanged.
                    Error::Handoff(HandoffError::Used { license, .. }) | Error::Busy { license, .. } => {
                        reply.about(license).answered_before()
                    }
                    _ => {
                        reply.no_flow(&e);
                        self.tell_untaken(&e);
                    }
                };
            }
        };
        self.untaken = None;
        let found = match found {
            FoundFlow::Left(flow) => {
                let item = match self.planned(&flow) {
                    Ok(item) => item,
                    Err(e) => return reply.failed(&e),
                };
                let (finished, found) = finish_then_find(self.env, self.flows.custody, &item, &returned);
                self.finished_left(item, finished.map(drop));
                match found {
                    Ok(waiting @ FoundFlow::Waiting(_)) => waiting,
                    Err(e @ (Error::Ledger(_) | Error::Vault(_) | Error::File { .. })) => {
                        return reply.failed(&e);
                    }
                    _ => return reply.about(flow.key.license.as_str()).answered_before(),
                }
            }
            waiting => waiting,
        };
        let (FoundFlow::Waiting(flow) | FoundFlow::Left(flow)) = &found;
        let reply = reply.about(flow.key.license.as_str());
        let planned = match self.planned(flow) {
            Ok(planned) => planned,
            Err(e) => return reply.failed(&e),
        };
        let item = self.next_item;
        self.next_item += 1;
        match self.flows.claim(found, item, returned, reply) {
            Ok(()) => {
                self.items.insert(item, planned);
                self.flows.send_queued();
            }
            // Another listener was sent the same answer and has taken it meanwhile: it tells what comes of it.
            Err(Error::Handoff(HandoffError::Used { .. })) => {}
            Err(e) => self.ended(&planned, Err(e)),
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
        self.env.terminal.info("Finishing the exchanges in progress, then stopping.");
        self.flows.stop(|_| Error::Interrupted { next: None });
    }

    fn lapse(&mut self) {
        // It asks nobody itself.
        self.flows.end_lapsed(|_| Error::Interrupted { next: None });
    }
}
