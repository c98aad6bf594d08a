//! Runs tiny_http on a socket that only the front server can reach, and starts it anew when it dies.

use super::in_flight_requests::InFlightRequests;
use super::request::{Method, Request};
use std::io;
#[cfg(not(unix))]
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Names the header that proves a request came through the front server.
const PROOF: &str = "X-Gate";
/// How long the thread waits before it tries again to open its socket.
const BACK_OFF: Duration = Duration::from_millis(10);
/// How long stopping waits for a handler that is still at work.
const PATIENCE: Duration = Duration::from_millis(500);

/// A connection to tiny_http.
pub(super) trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// Where tiny_http listens.
#[derive(Clone)]
enum Address {
    #[cfg(unix)]
    Unix(PathBuf),
    #[cfg(not(unix))]
    Tcp(SocketAddr),
}

/// The running server, replaced when it dies.
struct Running {
    server: Arc<tiny_http::Server>,
    address: Address,
}

/// tiny_http behind its private socket.
pub(super) struct BackendServer {
    /// A fresh folder of ours alone; `None` on a system that has no such sockets.
    folder: Option<PathBuf>,
    proof: String,
    running: Mutex<Option<Running>>,
    /// Set once its death was noticed, so that one death means one new start.
    ailing: AtomicBool,
    stopping: AtomicBool,
}

impl BackendServer {
    /// Opens the private socket in a fresh folder under the first parent that will do.
    #[cfg(unix)]
    pub(super) fn open(parents: &[PathBuf]) -> io::Result<BackendServer> {
        let mut why = io::Error::from(io::ErrorKind::NotFound);
        // defense: S57 never-without-a-folder
        for parent in parents {
            match Self::in_folder(parent) {
                Ok(backend) => return Ok(backend),
                Err(e) => why = io::Error::new(e.kind(), format!("{}: {e}", parent.display())),
            }
        }
        Err(io::Error::new(
            why.kind(),
            format!("no folder takes its private socket, the last one tried being {why}"),
        ))
    }

    #[cfg(unix)]
    fn in_folder(parent: &Path) -> io::Result<BackendServer> {
        safe(parent)?;
        let mut backend = Self::closed()?;
        backend.make_folder(parent)?;
        // Where that fails, dropping it takes its folder away.
        backend.start()?;
        Ok(backend)
    }

    /// Opens the socket.
    #[cfg(not(unix))]
    pub(super) fn open(_: &[PathBuf]) -> io::Result<BackendServer> {
        let backend = Self::closed()?;
        backend.start()?;
        Ok(backend)
    }

    fn closed() -> io::Result<BackendServer> {
        Ok(BackendServer {
            folder: None,
            proof: random()?,
            running: Mutex::new(None),
            ailing: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        })
    }

    #[cfg(unix)]
    fn make_folder(&mut self, parent: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        // 128 random bits: the name is never one that exists, and mkdir refuses one that does.
        let folder = parent.join(random()?);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        self.folder = Some(folder);
        Ok(())
    }

    /// Starts a server; there must be none.
    fn start(&self) -> io::Result<()> {
        let (listener, address) = self.listen()?;
        let server = tiny_http::Server::from_listener(listener, None).map_err(io::Error::other)?;
        *self.running() = Some(Running { server: Arc::new(server), address });
        self.ailing.store(false, Ordering::Release);
        Ok(())
    }

    #[cfg(unix)]
    fn listen(&self) -> io::Result<(tiny_http::Listener, Address)> {
        let folder = self.folder.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let path = folder.join("s");
        Ok((std::os::unix::net::UnixListener::bind(&path)?.into(), Address::Unix(path)))
    }

    #[cfg(not(unix))]
    fn listen(&self) -> io::Result<(tiny_http::Listener, Address)> {
        listen_tcp()
    }

    /// Gives every request that comes to `handle`, on a thread of its own.
    pub(super) fn run(
        self: &Arc<BackendServer>,
        in_flight: Arc<InFlightRequests>,
        mut handle: impl FnMut(Request) + Send + 'static,
    ) -> io::Result<Thread> {
        let (ended, end) = mpsc::channel();
        let backend = self.clone();
        let work = move || {
            let _ended: mpsc::Sender<()> = ended;
            let mut take = |request| {
                if let Some(request) = backend.admit(request, &in_flight) {
                    handle(request);
                }
            };
            while let Some(server) = backend.server() {
                if let Ok(request) = server.recv() {
                    take(request);
                } else {
                    // Told to stop, or its accept thread died: what it still had is served.
                    while let Ok(Some(request)) = server.try_recv() {
                        take(request);
                    }
                    drop(server);
                    backend.restart();
                }
            }
        };
        let thread = thread::Builder::new().name("listener".into()).spawn(work)?;
        Ok(Thread { backend: self.clone(), thread: Some(thread), end })
    }

    /// Checks that a request came through the front server.
    fn admit(&self, request: tiny_http::Request, in_flight: &Arc<InFlightRequests>) -> Option<Request> {
        let header = request.headers().iter().find(|header| header.field.equiv(PROOF))?;
        let (proof, id) = header.value.as_str().split_once(' ')?;
        if proof != self.proof {
            return None;
        }
        let id = id.parse().ok()?;
        let ends = in_flight.held(id)?;
        let method = match request.method() {
            tiny_http::Method::Post => Method::Post,
            _ => Method::Get,
        };
        let (path, query) = match request.url().split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (request.url().to_owned(), None),
        };
        Some(Request::new(method, path, query, id, ends, in_flight.clone(), request))
    }

    /// Replaces a dead server, unless all is to end.
    fn restart(&self) {
        // The old one goes first: it removes its socket.
        let old = self.running().take();
        drop(old);
        while !self.stopping.load(Ordering::Acquire) && self.start().is_err() {
            thread::sleep(BACK_OFF);
        }
        if self.stopping.load(Ordering::Acquire) {
            let unwanted = self.running().take();
            drop(unwanted);
        }
    }

    /// Connects to tiny_http; a server found dead is started anew for the next attempt.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Pipe>> {
        self.check_room()?;
        let Some(address) = self.running().as_ref().map(|running| running.address.clone()) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let outcome: io::Result<Box<dyn Pipe>> = match address {
            #[cfg(unix)]
            Address::Unix(path) => {
                tokio::net::UnixStream::connect(path).await.map(|stream| Box::new(stream) as Box<dyn Pipe>)
            }
            #[cfg(not(unix))]
            Address::Tcp(address) => {
                let stream = tokio::net::TcpStream::connect(address).await;
                stream.and_then(|stream| stream.set_nodelay(true).map(|()| Box::new(stream) as Box<dyn Pipe>))
            }
        };
        if outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
            && !self.ailing.swap(true, Ordering::AcqRel)
            && let Some(running) = self.running().as_ref()
        {
            running.server.unblock();
        }
        outcome
    }

    /// Fails when descriptors are so short that tiny_http's accept would panic or end for good.
    fn check_room(&self) -> io::Result<()> {
        // One for our end, two for tiny_http's.
        #[cfg(unix)]
        let _three = (std::os::unix::net::UnixStream::pair()?, std::os::unix::net::UnixStream::pair()?);
        Ok(())
    }

    /// The one form in which requests reach tiny_http.
    pub(super) fn clean(&self, method: Method, target: &str, host: &str, id: u64) -> String {
        let method = match method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\n{PROOF}: {} {id}\r\nConnection: close\r\n\r\n",
            self.proof
        )
    }

    fn server(&self) -> Option<Arc<tiny_http::Server>> {
        self.running().as_ref().map(|running| running.server.clone())
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove_folder(&self) {
        if let Some(folder) = &self.folder {
            // Gone already where tiny_http was dropped in time.
            let _ = std::fs::remove_file(folder.join("s"));
            let _ = std::fs::remove_dir(folder);
        }
    }
}

impl Drop for BackendServer {
    fn drop(&mut self) {
        let server = self.running().take();
        drop(server);
        self.remove_folder();
    }
}

/// The thread that takes requests out of tiny_http; dropping it ends it.
pub(super) struct Thread {
    backend: Arc<BackendServer>,
    thread: Option<thread::JoinHandle<()>>,
    end: mpsc::Receiver<()>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.backend.stopping.store(true, Ordering::Release);
        if let Some(server) = self.backend.server() {
            server.unblock();
        }
        // A handler that never returns keeps its thread, not us.
        let ended = self.end.recv_timeout(PATIENCE) != Err(mpsc::RecvTimeoutError::Timeout);
        if let Some(thread) = self.thread.take().filter(|_| ended) {
            let _ = thread.join();
        }
        self.backend.remove_folder();
    }
}

#[cfg(not(unix))]
fn listen_tcp() -> io::Result<(tiny_http::Listener, Address)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = Address::Tcp(listener.local_addr()?);
    Ok((listener.into(), address))
}

/// Whether nobody else can put a folder of theirs in the place of one that is made there: it's ours or root's, and others
/// can't write it, or can't move what isn't theirs.
#[cfg(unix)]
fn safe(parent: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    const OTHERS_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let found = std::fs::metadata(parent)?;
    let trusted = [0, rustix::process::geteuid().as_raw()].contains(&found.uid());
    // defense: S56 S57 private-socket-in-safe-hands
    if !trusted || (found.mode() & OTHERS_WRITE != 0 && found.mode() & STICKY == 0) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others could replace what is in it"));
    }
    Ok(())
}

/// 128 random bits as hex.
fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hex::encode(bytes))
}
