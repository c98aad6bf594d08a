//! Whether the line to the server still carries. A firewall that forgot a connection, or a server that was stopped, says nothing:
//! an answer that doesn't come is asked after by another connection, and nobody waits again for a server that is away.

use super::connect::{ANSWERING, ConnectFailure, PROGRAM, connect, limit};
use super::messages::rows;
use crate::model::server::DatabaseServer;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::Client;

/// For how long nothing may come before it's asked after.
const SILENCE: Duration = Duration::from_secs(2);
/// How long the answer to that may take.
const ASKING_AFTER: Duration = Duration::from_secs(3);
/// How long a connection is waited for where the last look found the server away, and after which it's waited for again: somebody's
/// browser may wait, too, and each answer takes several looks.
const AWAY: Duration = Duration::from_millis(500);
const WAIT_AGAIN: Duration = Duration::from_secs(2);

/// A connection that is shared by who says that this process lives, and who asks after an answer.
pub(super) type SharedConnection = Arc<Mutex<Arc<Client>>>;

/// What is waited for, and by which connection it's asked after.
pub(super) struct PendingReply<'w> {
    pub(super) server: &'w DatabaseServer,
    /// The server's process that is to answer; `None`: it isn't known yet.
    pub(super) process: Option<&'w str>,
    pub(super) second: Option<&'w SharedConnection>,
    /// How long the answer may take though the server is at it.
    pub(super) patience: Duration,
    /// The session that keeps the server's process waiting, where there is one.
    pub(super) blocker: &'w RefCell<Option<LockHolder>>,
}

/// A session that has a lock for which others wait.
#[derive(Debug, Clone)]
pub(super) struct LockHolder {
    /// The role that signed in, where this role may see that.
    pub(super) role: Option<String>,
    /// The server's process for it.
    pub(super) process: String,
    /// It's one of this program's.
    pub(super) is_ours: bool,
    seen: Instant,
}

/// For how long it's told who was found to be waited for.
const TOLD: Duration = Duration::from_secs(10);

impl LockHolder {
    /// Whether it was seen to have the lock not long ago.
    pub(super) fn is_recent(&self) -> bool {
        self.seen.elapsed() < TOLD
    }
}

/// Asks whether a server's process is idle, and whom it waits for: of those that wait for one another the last, who waits for nobody.
fn look_at(process: &str) -> String {
    format!(
        "WITH RECURSIVE waits (pid, depth) AS (
             SELECT unnest(pg_blocking_pids({process})), 1
             UNION SELECT unnest(pg_blocking_pids(waits.pid)), depth + 1 FROM waits WHERE depth < 8
         )
         SELECT its.state LIKE 'idle%', holder.pid, holder.usename, holder.application_name = '{PROGRAM}'
         FROM pg_stat_activity AS its
         LEFT JOIN LATERAL (
             SELECT waits.pid, usename, application_name FROM waits LEFT JOIN pg_stat_activity AS theirs ON theirs.pid = waits.pid
             WHERE waits.pid <> 0 AND cardinality(pg_blocking_pids(waits.pid)) = 0 ORDER BY depth LIMIT 1
         ) AS holder ON true
         WHERE its.pid = {process}"
    )
}

/// Why an answer doesn't come any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SilenceCause {
    /// The server is there, and isn't at it: only this connection carries nothing.
    OfTheConnection,
    /// Nothing answers at all.
    OfTheServer,
}

/// Waits for an answer. `heard`: when a part of it came last.
pub(super) async fn answered<T>(
    watched: PendingReply<'_>,
    heard: &Cell<Instant>,
    asked: impl Future<Output = T>,
) -> Result<T, SilenceCause> {
    // As long as it isn't known who is to answer, nobody can be asked after that.
    let limit = match watched.process {
        Some(_) => ANSWERING.max(watched.patience + Duration::from_secs(5)),
        None => limit(watched.server),
    };
    let mut asked = pin!(asked);
    loop {
        if let Ok(answer) = timeout(SILENCE, &mut asked).await {
            return Ok(answer);
        }
        let silent = heard.get().elapsed();
        if silent < SILENCE {
            continue;
        }
        if silent >= limit {
            return Err(SilenceCause::OfTheConnection);
        }
        let Some(process) = watched.process else { continue };
        let mut watch = pin!(timeout(ASKING_AFTER, watched.is_at_work(process)));
        let looked = poll_fn(|context| match asked.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => watch.as_mut().poll(context).map(|looked| Err(looked.ok().flatten())),
        });
        match looked.await {
            Ok(answer) => return Ok(answer),
            Err(Some(true)) => {}
            Err(_) if heard.get().elapsed() < SILENCE => {}
            Err(Some(false)) => return Err(SilenceCause::OfTheConnection),
            Err(None) => return Err(SilenceCause::OfTheServer),
        }
    }
}

impl PendingReply<'_> {
    /// Whether the server's process is at what it was asked: one that is idle never heard of it, or wasn't heard. `None` where no
    /// other connection learns that, either.
    async fn is_at_work(&self, process: &str) -> Option<bool> {
        let known = self.second.map(|it| it.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let client = match known.filter(|it| !it.is_closed()) {
            Some(client) => client,
            None => Arc::new(connect(self.server).await.ok()?),
        };
        let answer = client.simple_query(&look_at(process)).await.ok()?;
        let Some(row) = rows(&answer).next() else { return Some(false) };
        if let Some(holder) = row.get(1) {
            *self.blocker.borrow_mut() = Some(LockHolder {
                role: row.get(2).map(crate::error::clean),
                process: holder.to_owned(),
                is_ours: row.get(3) == Some("t"),
                seen: Instant::now(),
            });
        }
        Some(row.get(0) != Some("t"))
    }
}

/// A connection that is being made, while others wait for it or don't.
#[derive(Default)]
pub(super) struct ConnectionAttempt {
    running: Option<JoinHandle<Result<Client, ConnectFailure>>>,
    /// When the last one that was waited for had brought nothing, and why, where that is known.
    away: Option<(Instant, Option<ConnectFailure>)>,
}

impl ConnectionAttempt {
    /// The server was just found to be away.
    pub(super) fn is_away(&mut self) {
        self.away = Some((Instant::now(), None));
    }

    /// A connection. Where the server was away a moment ago it isn't waited for; one that is still being made then is made on, and
    /// is there when it's asked for again.
    pub(super) fn client(&mut self, on: &Handle, server: &DatabaseServer) -> Result<Client, ConnectFailure> {
        let patience = match &self.away {
            None => limit(server),
            Some((at, _)) if at.elapsed() < WAIT_AGAIN => Duration::ZERO,
            Some(_) => AWAY,
        };
        let begun = match self.running.take() {
            Some(ended) if ended.is_finished() => match on.block_on(ended) {
                Ok(Ok(client)) if !client.is_closed() => {
                    self.away = None;
                    return Ok(client);
                }
                // What was found then may not be so any more.
                Ok(Err(found)) => {
                    self.away.iter_mut().for_each(|(_, reason)| *reason = Some(found.clone()));
                    None
                }
                _ => None,
            },
            begun => begun,
        };
        let mut running = begun.unwrap_or_else(|| {
            let server = server.clone();
            on.spawn(async move { connect(&server).await })
        });
        let made = on.block_on(async { timeout(patience, &mut running).await });
        let reason = match made {
            Ok(Ok(Ok(client))) => {
                self.away = None;
                return Ok(client);
            }
            Ok(Ok(Err(reason))) => Some(reason),
            Ok(Err(e)) => Some(ConnectFailure::Away(e.to_string())),
            Err(_) => {
                self.running = Some(running);
                None
            }
        };
        // One that wasn't waited for says nothing new.
        let (at, known) = self.away.take().unzip();
        let at = at.filter(|_| patience.is_zero() && reason.is_none()).unwrap_or_else(Instant::now);
        let reason = reason.or(known.flatten());
        self.away = Some((at, reason.clone()));
        let silent = || ConnectFailure::Away(format!("no answer within {} seconds", limit(server).as_secs()));
        Err(reason.unwrap_or_else(silent))
    }
}
