//! The bounded server on the port: whole, clean requests pass to the handler; all else ends here.

use super::head::{self, HeadVerdict};
use super::in_flight_requests::{InFlightGuard, InFlightRequests};
use super::page::Page;
use super::public_side::{HealthAnswer, PublicPortState, RequestSource};
use super::request::{Answer, ConnectionEnds, Method, Request};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

/// Connections open at once.
// defense: S22 few-connections-at-once
pub(super) const OPEN: usize = 256;
/// Requests that wait for their answers at once, each with a page of any size.
// defense: S22 few-unanswered-at-once
pub(super) const UNANSWERED: usize = 64;
/// A connection's total time for its whole head.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a browser may take for each piece of its answer, and how large a piece is.
const STALL: Duration = Duration::from_secs(5);
const PIECE: usize = 16 * 1024;
/// How long, and how much, is read and thrown away after the answer, so that no reset overtakes it.
const PARTING_TIME: Duration = Duration::from_secs(1);
const PARTING_BYTES: usize = 256 * 1024;
/// How long a monitor waits for a word.
const A_WORD: Duration = Duration::from_millis(800);
/// The pause when descriptors are short.
const BACK_OFF: Duration = Duration::from_millis(10);

/// A request on its way to the handler.
pub(super) type IncomingRequest = (Request, InFlightGuard);

/// What the connections' tasks share.
pub(super) struct FrontServer {
    names: Vec<String>,
    /// Where strangers can reach it.
    exposed: Option<PublicPortState>,
    head_time: Duration,
    handler: mpsc::Sender<IncomingRequest>,
    in_flight: Arc<InFlightRequests>,
    slots: Arc<Semaphore>,
    unanswered: Semaphore,
    idle: Mutex<BTreeMap<u64, IdleConnection>>,
    last: AtomicU64,
    cut: watch::Sender<bool>,
}

/// A listening socket; its sender is dropped after it, which tells that the port is closed.
pub(super) struct ListenerHandle {
    pub(super) listener: TcpListener,
    pub(super) _open: mpsc::Sender<()>,
}

/// A connection that holds its place by saying nothing.
struct IdleConnection {
    peer: IpAddr,
    task: AbortHandle,
}

/// How far a connection has come, for the moment it is cut.
#[derive(PartialEq, Eq)]
enum Progress {
    Reading,
    Waiting,
    Answered,
}

impl FrontServer {
    pub(super) fn new(
        names: Vec<String>,
        exposed: Option<PublicPortState>,
        head_time: Duration,
        handler: mpsc::Sender<IncomingRequest>,
        in_flight: Arc<InFlightRequests>,
    ) -> FrontServer {
        FrontServer {
            names,
            exposed,
            head_time,
            handler,
            in_flight,
            slots: Arc::new(Semaphore::new(OPEN)),
            unanswered: Semaphore::new(UNANSWERED),
            idle: Mutex::new(BTreeMap::new()),
            last: AtomicU64::new(0),
            cut: watch::Sender::new(false),
        }
    }

    /// Accepts until aborted.
    pub(super) async fn accept(self: Arc<FrontServer>, handle: ListenerHandle) {
        loop {
            match handle.listener.accept().await {
                Ok((client, peer)) => {
                    let Some(slot) = self.slot().await else { return };
                    self.admit(client, peer.ip(), slot, handle._open.clone());
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors, most likely: make room, and don't spin until there is some.
                Err(_) => {
                    self.evict_half();
                    sleep(BACK_OFF).await;
                }
            }
        }
    }

    /// A place for one more connection, an idle one's if need be.
    async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Some(slot);
        }
        // A head that lies ready is read before anybody is judged idle.
        tokio::task::yield_now().await;
        self.evict_one();
        self.slots.clone().acquire_owned().await.ok()
    }

    fn admit(
        self: &Arc<FrontServer>,
        client: TcpStream,
        peer: IpAddr,
        slot: OwnedSemaphorePermit,
        open: mpsc::Sender<()>,
    ) {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let server = self.clone();
        // Locked until the handle is in: the task can't leave the list before it stands there.
        let mut idle = self.idle();
        let task = tokio::spawn(async move {
            server.attend(client, peer, id).await;
            server.idle().remove(&id);
            drop((slot, open));
        });
        idle.insert(id, IdleConnection { peer, task: task.abort_handle() });
    }

    async fn attend(&self, mut client: TcpStream, peer: IpAddr, id: u64) {
        let mut progress = Progress::Reading;
        let mut cut = self.cut.subscribe();
        let ended = pin!(async { drop(cut.wait_for(|cut| *cut).await) });
        let whole = first(self.converse(&mut client, peer, id, &mut progress), ended).await;
        if whole.is_none() && progress == Progress::Waiting {
            // Nobody will answer any more; a word is kinder than a reset.
            let _ = client.try_write(&Page::plain(503).print(false));
        }
    }

    /// One connection's life.
    async fn converse(
        &self,
        client: &mut TcpStream,
        peer: IpAddr,
        id: u64,
        progress: &mut Progress,
    ) -> io::Result<()> {
        client.set_nodelay(true)?;
        let (visitor, verdict) = timeout(self.head_time, self.read_head(client, peer)).await??;
        // From here on it isn't idle; if it was evicted meanwhile, that stands.
        let Some(idle) = self.idle().remove(&id) else { return Ok(()) };
        match verdict {
            HeadVerdict::HangUp => return Ok(()),
            HeadVerdict::Refuse { status, bodyless } => {
                send(client, &Page::plain(status).print(bodyless)).await?;
            }
            HeadVerdict::Pass(method, target) => {
                *progress = Progress::Waiting;
                self.serve(client, visitor, method, &target, progress).await?;
            }
        }
        *progress = Progress::Answered;
        client.shutdown().await?;
        // No parting talk where others wait for the place.
        if self.slots.available_permits() > 0 {
            self.idle().insert(id, idle);
            let _ = timeout(PARTING_TIME, drain(client)).await;
        }
        Ok(())
    }

    async fn read_head(
        &self,
        client: &mut TcpStream,
        peer: IpAddr,
    ) -> io::Result<(RequestSource, HeadVerdict)> {
        let mut bytes = Vec::with_capacity(2048);
        loop {
            let seen = bytes.len();
            if client.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(verdict) = head::judge(&bytes, seen, &self.names) {
                return Ok(match &self.exposed {
                    Some(exposed) => exposed.admit(peer, &bytes, verdict),
                    None => (RequestSource::Expected, verdict),
                });
            }
        }
    }

    /// Sees that no kind of visitor takes the room of another.
    async fn serve(
        &self,
        client: &mut TcpStream,
        visitor: RequestSource,
        method: Method,
        target: &str,
        progress: &mut Progress,
    ) -> io::Result<()> {
        let Some(exposed) = &self.exposed else {
            return self.pass_on(client, method, target, progress).await;
        };
        if visitor == RequestSource::Monitor
            && let HealthAnswer::Repeat(page) = exposed.side.health()
        {
            return send(client, &page.print(false)).await;
        }
        match exposed.room(visitor).await {
            Some(_room) if visitor == RequestSource::Monitor => {
                // Whoever would look may be waiting itself, for a ledger or a vault that hangs: that is an answer, too.
                let asked = timeout(A_WORD, self.answer(client, method, target)).await;
                let Ok(answered) = asked else {
                    return send(client, &exposed.side.no_word().print(false)).await;
                };
                let (page, _moving) = answered?;
                *progress = Progress::Answered;
                send(client, &page.print(false)).await
            }
            Some(_room) => self.pass_on(client, method, target, progress).await,
            None => send(client, &Page::plain(503).print(false)).await,
        }
    }

    /// Gives the request to the handler, waits for its answer, and writes that.
    async fn pass_on(
        &self,
        client: &mut TcpStream,
        method: Method,
        target: &str,
        progress: &mut Progress,
    ) -> io::Result<()> {
        let (page, _moving) = self.answer(client, method, target).await?;
        *progress = Progress::Answered;
        send(client, &page.print(false)).await
    }

    async fn answer(&self, client: &TcpStream, method: Method, target: &str) -> io::Result<Answer> {
        let _turn = self.unanswered.acquire().await.map_err(io::Error::other)?;
        let ends = ConnectionEnds { peer: client.peer_addr()?, local: client.local_addr()? };
        let (request, answer) = Request::new(method, target, ends, self.in_flight.clone());
        // A handler that is gone drops it, which is an answer too.
        let _ = self.handler.send((request, self.in_flight.set_out()));
        Ok(answer.await.unwrap_or_else(|_| (Page::plain(503), self.in_flight.set_out())))
    }

    /// Ends one idle connection: the oldest of whoever holds most of them, so that a crowd of one source makes room for
    /// the crowd's next, and not for that of others. The proxies that are trusted go last.
    fn evict_one(&self) {
        let mut idle = self.idle();
        let mut held: HashMap<IpAddr, (bool, usize, u64)> = HashMap::new();
        for (id, it) in idle.iter() {
            let known = self
                .exposed
                .as_ref()
                .is_some_and(|it_is| it_is.proxies.are_elsewhere() && it_is.proxies.trust(it.peer));
            held.entry(it.peer).or_insert((!known, 0, *id)).1 += 1;
        }
        // Of those that hold equally many, whose oldest is the oldest.
        let most = held
            .into_values()
            .max_by_key(|(stranger, count, oldest)| (*stranger, *count, std::cmp::Reverse(*oldest)));
        let gone = most.and_then(|(_, _, oldest)| idle.remove(&oldest));
        drop(idle);
        if let Some(it) = gone {
            it.task.abort();
        }
    }

    /// Ends the older half of the idle connections, so that a full queue is worked off in few pauses.
    fn evict_half(&self) {
        let mut idle = self.idle();
        let half = idle.len().div_ceil(2);
        let gone: Vec<_> = std::iter::from_fn(|| idle.pop_first()).take(half).collect();
        drop(idle);
        for (_, it) in gone {
            it.task.abort();
        }
    }

    /// Ends every idle connection.
    pub(super) fn evict_all(&self) {
        let all = std::mem::take(&mut *self.idle());
        for it in all.into_values() {
            it.task.abort();
        }
    }

    /// Ends every connection, answering those that wait.
    pub(super) fn cut(&self) {
        self.cut.send_replace(true);
    }

    fn idle(&self) -> MutexGuard<'_, BTreeMap<u64, IdleConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work's outcome, unless `end` comes first.
async fn first<T>(work: impl Future<Output = T>, end: impl Future<Output = ()> + Unpin) -> Option<T> {
    let (mut work, mut end) = (pin!(work), pin!(end));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}

async fn send(client: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(PIECE) {
        timeout(STALL, client.write_all(piece)).await??;
    }
    Ok(())
}

async fn drain(client: &mut TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 8 * 1024];
    let mut left = PARTING_BYTES;
    while left > 0 {
        match client.read(&mut buffer).await? {
            0 => break,
            size => left = left.saturating_sub(size),
        }
    }
    Ok(())
}
