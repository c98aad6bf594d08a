//! What goes to the server and comes back, as PostgreSQL spells and holds it.

use super::super::db_error::{DbError, unexpected_value, words};
use super::super::value::{Cell, SqlValue};
use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A statement as PostgreSQL spells it: `$1`, and the words that it keeps for itself in quotes.
pub(super) fn spelled(statement: &str) -> String {
    const KEPT: [&str; 3] = ["authorization", "only", "user"];
    let mut spelled = String::with_capacity(statement.len() + 16);
    let mut rest = statement;
    while let Some(letter) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let taken = match letter {
            '\'' | '"' => rest[1..].find(letter).map_or(rest.len(), |end| end + 2),
            _ if word > 0 => word,
            _ => letter.len_utf8(),
        };
        let (piece, after) = rest.split_at(taken);
        match piece {
            "?" => spelled.push('$'),
            word if KEPT.contains(&word) => spelled.extend(["\"", word, "\""]),
            other => spelled.push_str(other),
        }
        rest = after;
    }
    spelled
}

impl ToSql for SqlValue<'_> {
    fn to_sql(
        &self,
        to: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match *self {
            Self::Null => Ok(IsNull::Yes),
            Self::Number(number) if *to == Type::BOOL => (number != 0).to_sql(to, out),
            Self::Number(number) if *to == Type::INT4 => i32::try_from(number)?.to_sql(to, out),
            Self::Number(number) => number.to_sql(to, out),
            Self::Flag(flag) => flag.to_sql(to, out),
            Self::Text(text) => text.to_sql(to, out),
            Self::Bytes(bytes) => bytes.to_sql(to, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Cell<'r> {
    fn from_sql(of: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *of {
            Type::INT8 => Self::Number(i64::from_sql(of, raw)?),
            Type::INT4 => Self::Number(i32::from_sql(of, raw)?.into()),
            Type::BOOL => Self::Number(bool::from_sql(of, raw)?.into()),
            Type::BYTEA => Self::Bytes(raw),
            _ => Self::Text(<&str>::from_sql(of, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

pub(in crate::ledger::engine) fn cell(row: &tokio_postgres::Row, column: usize) -> Result<Cell<'_>, DbError> {
    row.try_get(column).map_err(|e| unexpected_value(column, words(&e)))
}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn a_statement_is_spelled_as_postgresql_does() {
        assert_eq!(
            spelled(
                "SELECT user, 'user ?', \"only\" FROM authorization WHERE a = ?12 AND authorization_by = ?1"
            ),
            "SELECT \"user\", 'user ?', \"only\" FROM \"authorization\" WHERE a = $12 AND authorization_by = $1"
        );
    }
}
