//! Where the ledger is: a file here, or a PostgreSQL server (DESIGN, Team).

use super::secret::Secret;
use std::path::PathBuf;

/// Where the ledger is.
#[derive(Debug, Clone, Default)]
pub enum LedgerPlace {
    /// SQLite, in the data folder.
    #[default]
    File,
    /// PostgreSQL.
    Server(Box<Server>),
}

/// A database on a PostgreSQL server, and how it's reached.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its address for messages and the configuration; it never has a password in it.
    pub address: String,
    /// Where it may answer, in the order in which they are asked: a primary and its standbys.
    pub hosts: Vec<Host>,
    /// Only one that takes what is written will do (libpq's `target_session_attrs=read-write`).
    pub takes_writes: bool,
    /// The database.
    pub database: String,
    /// The role that connects.
    pub user: String,
    /// How the connection is kept from others.
    pub encryption: Encryption,
}

/// How a connection is kept from others on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// TLS, and the server's certificate has to be of the name that was asked for (libpq's `verify-full`).
    Verified {
        /// Authorities to trust instead of the system's (PEM).
        roots: Option<PathBuf>,
        /// This client's own certificate and its key (PEM).
        client: Option<(PathBuf, PathBuf)>,
    },
    /// None: it doesn't leave this machine.
    Local,
}

/// One host of a database.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name or address, or the folder of a Unix socket.
    pub name: String,
    /// The TCP port, which names a Unix socket too; 5432 where none is given.
    pub port: u16,
    /// The role's password there, out of a password or service file.
    pub password: Option<Secret>,
}

impl Host {
    /// Whether it's a Unix socket's folder.
    pub fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }
}
