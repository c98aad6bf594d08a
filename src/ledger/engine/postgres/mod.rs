//! A PostgreSQL server that holds a ledger which several hosts share.

mod connect;
mod database_check;
mod heartbeat;
mod line;
mod messages;
mod open;
mod presence;
mod server_lock;
mod session;
mod sign_in;
mod values;

pub(in crate::ledger) use server_lock::ServerLock;
pub(in crate::ledger) use session::ServerSession;
pub(super) use values::cell;
