//! A server's ledger is opened: made, looked at, migrated by its owner, or replaced.

use super::messages::rows;
use super::session::{MAKING, ServerSession, undisturbed};
use crate::error::{LedgerError, Result};
use crate::ledger::engine::db::Db;
use crate::ledger::engine::open_mode::OpenMode;
use crate::ledger::migrations;
use crate::ledger::schema::{Migration, SCHEMA_VERSION};
use crate::model::server::DatabaseServer;
use crate::system::Random;

impl ServerSession {
    /// Connects for writing.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] where there is none and it's to be there: nothing is made.
    pub(in crate::ledger) fn open(
        server: &DatabaseServer,
        random: &dyn Random,
        mode: OpenMode,
    ) -> Result<Self> {
        let session = Self::connect(server, false)?;
        let mut session = if mode == OpenMode::AsItIs { session.anyway() } else { session };
        if session.look()?.is_none() {
            if mode == OpenMode::Existing {
                return Err(LedgerError::Missing { place: server.address.clone(), on_a_server: true }.into());
            }
            session.make(random)?;
            session.look()?.ok_or_else(|| session.damaged("it was created, but is missing"))?;
        }
        Ok(session)
    }

    /// Connects for reading; `None` where there is no ledger yet.
    pub(in crate::ledger) fn read(server: &DatabaseServer) -> Result<Option<Self>> {
        let mut session = Self::connect(server, true)?;
        Ok(session.look()?.map(|()| session))
    }

    /// Whether there is no ledger yet.
    pub(in crate::ledger) fn is_new(server: &DatabaseServer) -> Result<bool> {
        let mut session = Self::connect(server, true)?.anyway();
        Ok(session.look()?.is_none())
    }

    /// Removes a ledger that has moved away, and makes an empty one: both, or nothing.
    pub(in crate::ledger) fn makes_room(&self, random: &dyn Random) -> Result<()> {
        let id = random.name()?;
        let replaced = self.transaction(
            || self.simple(&undisturbed()).map(drop),
            || {
                self.simple("DROP SCHEMA biotrack_auth CASCADE")?;
                migrations::make(Db::Postgres(self), &id)
            },
        );
        replaced.map_err(|e| self.fault("be replaced", e))
    }

    /// Migrates the ledger, as the role that owns it, where that is needed; what that did.
    ///
    /// # Errors
    /// Where this role isn't the owner: nothing is changed.
    pub(in crate::ledger) fn migrate(server: &DatabaseServer) -> Result<Option<Migration>> {
        let session = Self::connect(server, false)?;
        let Some(meta) = session.meta()? else { return Ok(None) };
        session.stays(&meta)?;
        match session.fits(&meta) {
            Err(LedgerError::Older { found, known, .. }) => session.is_its_owner(found, known)?,
            fits => return Ok(fits.map(|()| None)?),
        }
        let migrated = session.transaction(
            || session.simple(&undisturbed()).map(drop),
            || {
                let meta = session.meta()?.ok_or_else(|| session.damaged("it isn't there anymore"))?;
                if meta.schema >= SCHEMA_VERSION {
                    // Somebody else was quicker.
                    return Ok(session.fits(&meta).map(|()| None)?);
                }
                session.becomes_the_owner()?;
                migrations::migrate(Db::Postgres(&session), meta.schema)?;
                Ok(Some(Migration { from: meta.schema, to: SCHEMA_VERSION, copy: None }))
            },
        );
        migrated.map_err(|e| session.fault("be migrated", e))
    }

    /// Whether this role may migrate the ledger.
    fn is_its_owner(&self, found: i64, known: i64) -> Result<()> {
        let asked = self.simple(
            "SELECT pg_get_userbyid(nspowner), pg_has_role(nspowner, 'USAGE') FROM pg_namespace
             WHERE nspname = 'biotrack_auth'",
        );
        let asked = asked.map_err(|e| self.fault("be read", e))?;
        let Some(row) = rows(&asked).next() else { return Ok(()) };
        if row.get(1) == Some("t") {
            return Ok(());
        }
        let (place, owner) = (self.place(), crate::error::clean(row.get(0).unwrap_or_default()));
        Err(LedgerError::NotItsOwner { place, owner, found, known }.into())
    }

    /// Until the end of the transaction: what is made is the owner's, whoever may act for it.
    fn becomes_the_owner(&self) -> Result<(), crate::ledger::engine::DbError> {
        let asked = self.simple(
            "SELECT format('SET LOCAL ROLE %I', pg_get_userbyid(nspowner)) FROM pg_namespace
             WHERE nspname = 'biotrack_auth'",
        )?;
        match rows(&asked).next().and_then(|row| row.get(0)) {
            Some(command) => self.simple(command).map(drop),
            None => Ok(()),
        }
    }

    fn make(&self, random: &dyn Random) -> Result<()> {
        let id = random.name()?;
        // Two who start at once must not both make it.
        let made = self.transaction(
            || self.simple(&format!("BEGIN; SELECT pg_advisory_xact_lock({MAKING})")).map(drop),
            || match self.meta()? {
                Some(_) => Ok(()),
                None => migrations::make(Db::Postgres(self), &id),
            },
        );
        made.map_err(|e| self.fault("be made", e))
    }
}
