//! A PostgreSQL server.

mod connect;
mod heartbeat;
mod session;
mod values;

pub(super) use session::fault;
use session::{ANSWERING, first, words};
pub(in crate::ledger) use session::{Row, ServerLock, Session};
pub(super) use values::cell;
