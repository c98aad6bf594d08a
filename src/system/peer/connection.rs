//! A connection, and whose its other end is.

#[cfg(any(target_os = "linux", test))]
use std::net::SocketAddr;

/// Who is at the other end of a connection to a port of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerOwner {
    /// This user, or root, who can look into this process anyway.
    Ours,
    /// Another user of this machine, or nobody any more: the socket was closed, so nobody reads an answer.
    NotOurs,
    /// The system doesn't tell.
    Unknown,
}

/// A socket that has another end.
#[cfg(any(target_os = "linux", test))]
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) established: bool,
    pub(super) user: u32,
    /// No process holds it any more.
    pub(super) orphaned: bool,
}

#[cfg(any(target_os = "linux", test))]
impl Connection {
    pub(super) fn is_between(&self, from: SocketAddr, to: SocketAddr) -> bool {
        self.local == from && self.remote == to
    }

    pub(super) fn owner(&self, us: u32) -> PeerOwner {
        // An orphan is listed as root's, whoever's it was.
        match !self.orphaned && (self.user == us || self.user == 0) {
            true => PeerOwner::Ours,
            false => PeerOwner::NotOurs,
        }
    }
}
