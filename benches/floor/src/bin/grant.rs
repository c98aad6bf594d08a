//! The floor of a grant and of a refresh: one token request and its synced commits, nothing compared, nothing sealed.
//!
//! `grant PROVIDER DATABASE`: prints an authorize address, waits for the redirect, exchanges the code, commits, answers.
//! `grant PROVIDER DATABASE refresh`: refreshes the token of the grant before, with a commit before and one after, and
//! prints what it got.
#![forbid(unsafe_code)]

use floor::http::{Connection, Head, answer, listen, parameter, split};
use floor::oauth;
use rusqlite::Connection as Database;
use std::io::{BufReader, Write};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS authorization (license TEXT PRIMARY KEY, tokens BLOB) WITHOUT ROWID;
                      CREATE TABLE IF NOT EXISTS intent (id INTEGER PRIMARY KEY, license TEXT NOT NULL);";

fn main() -> Outcome<()> {
    let mut words = std::env::args().skip(1);
    let (Some(provider), Some(path)) = (words.next(), words.next()) else {
        return Err("usage: grant PROVIDER DATABASE [refresh]".into());
    };
    let mut db = Database::open(path)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    // As ours: the last process to close would pay two more syncs.
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.execute_batch(SCHEMA)?;
    let mut connection = Connection::to(split(&provider)?.0);
    match words.next() {
        None => grant(&provider, &mut connection, &mut db),
        Some(_) => refresh(&mut connection, &mut db),
    }
}

fn grant(provider: &str, connection: &mut Connection, db: &mut Database) -> Outcome<()> {
    let (listener, port) = listen()?;
    let back = format!("http://127.0.0.1:{port}/callback");
    println!("{}", oauth::authorize(provider, &back, "101-X0007-D1"));
    let (mut stream, _) = listener.accept()?;
    let head = Head::read(&mut BufReader::new(&stream))?;
    let path = head.first.split(' ').nth(1).unwrap_or_default();
    let code = parameter(path, "code").ok_or("no code")?;
    let got = connection.post("/oauth/token", &oauth::exchange(code, &back))?;
    if got.status != 200 {
        return Err(got.body.into());
    }
    store(db, &got.body)?;
    stream.write_all(answer("200 OK", "Connection: close\r\n", "granted").as_bytes())?;
    Ok(())
}

fn refresh(connection: &mut Connection, db: &mut Database) -> Outcome<()> {
    let held: Vec<u8> = db.query_row("SELECT tokens FROM authorization", [], |row| row.get(0))?;
    let held = String::from_utf8(held)?;
    let token = oauth::field(&held, "refresh_token").ok_or("no refresh token")?;
    db.execute("INSERT INTO intent (license) VALUES ('101-X0007-D1')", [])?;
    let got = connection.post("/oauth/token", &oauth::refresh(token))?;
    if got.status != 200 {
        return Err(got.body.into());
    }
    store(db, &got.body)?;
    println!("{}", oauth::field(&got.body, "access_token").ok_or("no access token")?);
    Ok(())
}

/// One synced commit.
fn store(db: &mut Database, tokens: &str) -> Outcome<()> {
    let tx = db.transaction()?;
    tx.execute("DELETE FROM intent", [])?;
    tx.execute("INSERT OR REPLACE INTO authorization VALUES ('101-X0007-D1', ?1)", [tokens.as_bytes()])?;
    tx.commit()?;
    Ok(())
}
