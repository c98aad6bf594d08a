//! Whether a database can hold a ledger, and whether the schema there was made by somebody whom it's entrusted to: what another role
//! makes under its name would run as whoever uses it.

use super::messages::rows;
use crate::error::{LedgerError, clean};
use tokio_postgres::SimpleQueryMessage;

/// Asks for the database's encoding and name, the schema's owner where nobody entrusted the ledger to that role, and who else made
/// something in the schema. It reads the server's own catalog alone.
pub(super) const ASK: &str = "\
    SELECT pg_encoding_to_char(it.encoding), it.datname,
        CASE WHEN NOT (owner.oid = it.datdba OR owner.rolsuper OR owner.rolname IN (session_user, 'pg_database_owner'))
            THEN owner.rolname END,
        (SELECT pg_get_userbyid(made.by_role)
            FROM (SELECT relowner AS by_role FROM pg_class WHERE relnamespace = its.oid
                UNION ALL SELECT proowner FROM pg_proc WHERE pronamespace = its.oid
                UNION ALL SELECT oprowner FROM pg_operator WHERE oprnamespace = its.oid) AS made
            WHERE made.by_role <> its.nspowner LIMIT 1)
    FROM pg_database AS it
    LEFT JOIN pg_namespace AS its ON its.nspname = 'biotrack_auth'
    LEFT JOIN pg_roles AS owner ON owner.oid = its.nspowner
    WHERE it.datname = current_database()";

/// Refuses a database by what it answered to [`ASK`].
pub(super) fn refuse(place: &str, answer: &[SimpleQueryMessage]) -> Result<(), LedgerError> {
    let Some(row) = rows(answer).last() else { return Ok(()) };
    let said = |column: usize| row.get(column).map(clean);
    let place = place.to_owned();
    // defense: S61 database-is-utf8
    if let Some(encoding) = said(0).filter(|it| it != "UTF8") {
        return Err(LedgerError::NotUtf8 { place, encoding });
    }
    // defense: S61 foreign-schema-is-refused
    if let Some(owner) = said(2).or(said(3)) {
        return Err(LedgerError::ForeignSchema { place, owner, database: said(1).unwrap_or_default() });
    }
    Ok(())
}
