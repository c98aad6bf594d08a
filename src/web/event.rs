//! What a browser, a terminal or the provider brings while consents are under way.

use super::launch::LaunchProblem;
use super::reply::BrowserReply;
use super::worklist::{ActionResponder, WorklistAction};
use crate::error::{Error, Result};
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::model::secret::Secret;
use crate::system::{READ_GRACE, was_stopped_at};
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// The next event, or `None` once the time is over. Where this process was stopped beyond that, what came meanwhile is waited for.
pub(super) fn next_of<T>(events: &Receiver<T>, until: Instant) -> Option<T> {
    let in_time = events.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
    in_time.or_else(|| match was_stopped_at(until) {
        true => events.recv_timeout(READ_GRACE).ok(),
        false => None,
    })
}

/// What comes while grants are in flight.
#[derive(Debug)]
pub enum SessionEvent {
    /// A code came; the browser waits for its page.
    Arrived {
        flow: FlowId,
        code: Secret,
        reply: BrowserReply,
    },
    /// The provider answered with something else than a code.
    Refused {
        flow: FlowId,
        error: Error,
        reply: BrowserReply,
    },
    /// An answer came that isn't to be trusted, and has no effect: it names no issuer or another one, or it's malformed.
    Distrusted {
        flow: FlowId,
        error: Error,
        reply: BrowserReply,
    },
    /// A code was exchanged, or wasn't.
    Exchanged {
        flow: FlowId,
        result: Box<Result<Granted>>,
    },
    /// What a look at the provider found, after it had been away.
    Looked(Result<()>),
    /// Somebody visited the one-time address by which a flow's browser was started, and wasn't led to the provider.
    Launched {
        flow: FlowId,
        problem: LaunchProblem,
    },
    /// What runs beside the consents has ended.
    Woken,
    Key(char),
    /// A redirect address that somebody sent back, as it was pasted: at the terminal, or on the worklist, whose browser
    /// waits. It holds a code.
    Pasted {
        text: Secret,
        /// Where the answer goes; `None`: to the terminal.
        from: Option<ActionResponder>,
    },
    /// Somebody clicked on the worklist; the browser waits.
    Clicked {
        action: WorklistAction,
        reply: ActionResponder,
    },
    /// Ctrl-C, or a polite signal.
    Interrupted,
}
