//! A process is heard of again and again: what it says of itself on a server expires otherwise.

use super::connect::connect;
use super::line::SharedConnection;
use crate::model::server::DatabaseServer;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_postgres::Client;

/// How long a process counts as being at work after it was last heard of.
pub(super) const LEASE: Duration = Duration::from_secs(90);
/// How often it's heard of.
const BEAT: Duration = Duration::from_secs(15);

/// This process shows that it lives, on a connection of its own, until it's dropped.
pub(super) struct Heartbeat {
    mark: String,
    /// When it was last noted.
    heard: Arc<Mutex<Instant>>,
    second: SharedConnection,
    task: tokio::task::JoinHandle<()>,
}

impl Heartbeat {
    /// Begins to say, by a connection of its own, that the process behind a mark is at work.
    pub(super) fn begin(runtime: &Handle, server: &DatabaseServer, connection: Client, mark: &str) -> Self {
        let lease = LEASE.as_secs();
        // A mark is of letters, digits, - and _.
        let statement = format!(
            "UPDATE biotrack_auth.owner SET until = biotrack_auth.unixepoch() + {lease} WHERE mark = '{mark}'"
        );
        let heard = Arc::new(Mutex::new(Instant::now()));
        let second = Arc::new(Mutex::new(Arc::new(connection)));
        let task = runtime.spawn(beat(server.clone(), second.clone(), statement, heard.clone()));
        Self { mark: mark.to_owned(), heard, second, task }
    }

    /// Whose it is.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    pub(super) fn second(&self) -> &SharedConnection {
        &self.second
    }

    pub(super) fn end(&self) {
        self.task.abort();
    }

    /// How long others will still take this process for one that is at work.
    pub(super) fn lease(&self) -> Duration {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        LEASE.saturating_sub(heard.elapsed())
    }
}

/// Says again and again that a process is at work.
async fn beat(
    server: DatabaseServer,
    second: SharedConnection,
    statement: String,
    heard: Arc<Mutex<Instant>>,
) {
    let mut is_lost = false;
    loop {
        tokio::time::sleep(BEAT).await;
        let mut client = second.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if is_lost || client.is_closed() {
            match connect(&server).await {
                Ok(again) => client = Arc::new(again),
                Err(_) => continue,
            }
            *second.lock().unwrap_or_else(PoisonError::into_inner) = client.clone();
        }
        let asked = Instant::now();
        let noted = tokio::time::timeout(BEAT, client.simple_query(&statement)).await;
        // Whatever is asked next by a connection that doesn't answer would wait behind that.
        is_lost = noted.is_err();
        if noted.is_ok_and(|noted| noted.is_ok()) {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        }
    }
}
