//! Where the ledger is: a file here, or a PostgreSQL server.

use super::secret::Secret;
use crate::error::Result;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Clone, Default)]
pub enum LedgerPlace {
    /// SQLite, in the data folder.
    #[default]
    File,
    /// PostgreSQL.
    Server(Box<DatabaseServer>),
}

/// A database on a PostgreSQL server, and how it's reached.
#[derive(Debug, Clone)]
pub struct DatabaseServer {
    /// Its address for messages and the configuration; it never contains a password.
    pub address: String,
    /// Where it may answer, in the order in which they are asked: a primary and its standbys.
    pub hosts: Vec<DatabaseHost>,
    /// Only one that takes what is written will do (libpq's `target_session_attrs=read-write`).
    pub takes_writes: bool,
    pub database: String,
    pub user: String,
    /// How the connection is kept from others.
    pub encryption: Encryption,
    /// The role's password at each host.
    pub passwords: PasswordSource,
}

/// The passwords of a server's hosts in their order, read where they stand whenever a connection is made: one that was changed
/// there is used by a process that runs on.
#[derive(Clone)]
pub struct PasswordSource(Arc<dyn Fn() -> Result<Vec<Option<Secret>>> + Send + Sync>);

impl PasswordSource {
    /// Those that `read` finds.
    pub fn read_by(read: impl Fn() -> Result<Vec<Option<Secret>>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The passwords as they are now.
    ///
    /// # Errors
    /// A file that has one can't be read, or others can read it.
    pub fn read(&self) -> Result<Vec<Option<Secret>>> {
        (self.0)()
    }
}

impl fmt::Debug for PasswordSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords")
    }
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

#[derive(Debug, Clone)]
pub struct DatabaseHost {
    /// Its name or address, or the folder of a Unix socket.
    pub name: String,
    /// The TCP port, which names a Unix socket too; 5432 where none is given.
    pub port: u16,
}

impl DatabaseHost {
    /// Whether it's a Unix socket's folder.
    pub fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }
}
