//! `read LEDGER [UBI/LICENSE]`: the floor of `status`: every column of every row, and nothing made of them. With a
//! license, the floor of `token`: that row and its live secret.
#![forbid(unsafe_code)]

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Params};

const PROFILE: &str = "local-sandbox";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let path = words.next().ok_or("usage: read LEDGER [UBI/LICENSE]")?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    let found = match words.next() {
        None => {
            let all = "SELECT * FROM authorization WHERE profile = ?1 ORDER BY ubi, license";
            read(&db, all, [PROFILE])?
        }
        Some(key) => {
            let (ubi, license) = key.split_once('/').ok_or("a license is UBI/LICENSE")?;
            let of = "WHERE profile = ?1 AND ubi = ?2 AND license = ?3";
            let row = read(&db, &format!("SELECT * FROM authorization {of}"), [PROFILE, ubi, license])?;
            let live = format!("SELECT item, blob FROM secret {of} AND role = 'live'");
            let secret = read(&db, &live, [PROFILE, ubi, license])?;
            (row.0 + secret.0, row.1 + secret.1)
        }
    };
    if found.0 == 0 {
        return Err("nothing was found".into());
    }
    println!("{} rows, {} bytes", found.0, found.1);
    Ok(())
}

/// Takes every value of every row: how many rows there were, and how many bytes.
fn read(db: &Connection, query: &str, parameters: impl Params) -> rusqlite::Result<(usize, usize)> {
    let mut statement = db.prepare(query)?;
    let columns = statement.column_count();
    let mut rows = statement.query(parameters)?;
    let (mut many, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        many += 1;
        for at in 0..columns {
            bytes += match row.get_ref(at)? {
                ValueRef::Null => 0,
                ValueRef::Integer(_) | ValueRef::Real(_) => 8,
                ValueRef::Text(text) => text.len(),
                ValueRef::Blob(blob) => blob.len(),
            };
        }
    }
    Ok((many, bytes))
}
