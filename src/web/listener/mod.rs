//! The loopback port on which the provider's redirect arrives (RFC 8252, 7.3).

mod front_server;
#[doc(hidden)]
pub mod head;
mod in_flight_requests;
mod limits;
mod page;
mod public_side;
mod request;
#[cfg(test)]
mod tests;
mod trusted_proxies;

pub use limits::TokenBucket;
pub use page::{Page, policy_hash};
pub use public_side::{HealthAnswer, PublicRequestPolicy};
pub use request::{Method, Request};
pub use trusted_proxies::TrustedProxies;

use front_server::{FrontServer, ListenerHandle};
use in_flight_requests::InFlightRequests;
use public_side::PublicPortState;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use url::Url;

/// How long stopping waits for answers under way.
const GRACE: Duration = Duration::from_millis(500);
/// How long stopping waits for sockets to close, which takes microseconds unless machine or runtime are stuck.
const CLOSING: Duration = Duration::from_secs(2);
/// Connections the kernel keeps until they are accepted. Std's 128 overflow in a storm, and a callback
/// dropped there comes again only after a second.
#[cfg(unix)]
const QUEUE: i32 = 4096;
/// How often a port free in both families is looked for.
const TRIES: usize = 64;

/// The name the redirect address carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopbackHost {
    /// `127.0.0.1`.
    Ipv4Literal,
    /// `localhost`: both `127.0.0.1` and `[::1]`, on one port; a machine without IPv6 has the first alone.
    Localhost,
}

/// The port, taken but not yet served. The sockets stay the same until [`Serving`] is dropped.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    port: u16,
    names: Vec<String>,
    /// Strangers can reach it: they are slowed down, and a monitor may ask under the machine's own names.
    exposed: Option<PublicPortState>,
}

impl Listener {
    /// Takes the port, any free one for `None`. A port in use is [`io::ErrorKind::AddrInUse`].
    pub fn bind(host: LoopbackHost, port: Option<u16>) -> io::Result<Listener> {
        let mut tries = if port.is_some() { 1 } else { TRIES };
        loop {
            tries -= 1;
            match Listener::bind_once(host, port.unwrap_or(0)) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
                outcome => return outcome,
            }
        }
    }

    fn bind_once(host: LoopbackHost, port: u16) -> io::Result<Listener> {
        // defense: S15 loopback-alone-listens
        // defense: S16 the-port-that-was-asked-for
        let ipv4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = ipv4.local_addr()?.port();
        let mut sockets = vec![ipv4];
        let mut hosts = vec!["127.0.0.1"];
        if host == LoopbackHost::Localhost {
            hosts.insert(0, "localhost");
            match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
                Ok(ipv6) => {
                    sockets.push(ipv6);
                    hosts.push("[::1]");
                }
                Err(error) if no_ipv6(&error) => {}
                // Somebody else's port there would get our redirect.
                Err(error) => return Err(error),
            }
        }
        let mut names: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
        if port == 80 {
            // Browsers leave the usual port out.
            names.extend(hosts.iter().map(|host| (*host).to_owned()));
        }
        Ok(Listener { sockets, port, names, exposed: None })
    }

    /// Takes an address for a TLS proxy that stands before it under a public name. Only requests for that name pass;
    /// for `/healthz` also those for the address itself.
    pub fn behind_proxy(
        bind: SocketAddr,
        public: &Url,
        proxies: TrustedProxies,
        side: Arc<dyn PublicRequestPolicy>,
    ) -> io::Result<Listener> {
        let socket = TcpListener::bind(bind)?;
        let bound = socket.local_addr()?;
        let own = vec![
            bound.to_string(),
            format!("127.0.0.1:{}", bound.port()),
            format!("[::1]:{}", bound.port()),
            format!("localhost:{}", bound.port()),
        ];
        let exposed = Some(PublicPortState::new(own, proxies, side));
        Ok(Listener { sockets: vec![socket], port: bound.port(), names: names_of(public), exposed })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves: each clean request is given to `handle`, on a thread of its own; it should pass it on and
    /// return. The runtime needs I/O and time.
    pub fn serve(
        self,
        runtime: &Handle,
        handle: impl FnMut(Request) + Send + 'static,
    ) -> io::Result<Serving> {
        self.serve_within(front_server::HEAD_TIME, runtime, handle)
    }

    fn serve_within(
        self,
        head_time: Duration,
        runtime: &Handle,
        mut handle: impl FnMut(Request) + Send + 'static,
    ) -> io::Result<Serving> {
        let _inside = runtime.enter();
        let listeners = self.sockets.into_iter().map(listen).collect::<io::Result<Vec<_>>>()?;
        let in_flight = Arc::new(InFlightRequests::default());
        let (handler, handed) = mpsc::channel::<front_server::IncomingRequest>();
        // Ends when nothing of the front server is left.
        thread::Builder::new().name("listener".into()).spawn(move || {
            for (request, _moving) in handed {
                handle(request);
            }
        })?;
        let front =
            Arc::new(FrontServer::new(self.names, self.exposed, head_time, handler, in_flight.clone()));
        let (open, closed) = mpsc::channel();
        let accept = |listener| {
            let listening = ListenerHandle { listener, _open: open.clone() };
            runtime.spawn(front.clone().accept(listening)).abort_handle()
        };
        let listening = listeners.into_iter().map(accept).collect();
        Ok(Serving { port: self.port, front, in_flight, listening, closed })
    }
}

/// The socket as the runtime, inside of which this is, accepts at it.
fn listen(socket: TcpListener) -> io::Result<tokio::net::TcpListener> {
    #[cfg(unix)]
    rustix::net::listen(&socket, QUEUE)?;
    socket.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(socket)
}

/// What browsers call the host of an address: with its port, which they leave out where it's the scheme's own.
fn names_of(public: &Url) -> Vec<String> {
    let host = public.host_str().unwrap_or_default();
    let mut names = vec![format!("{host}:{}", public.port_or_known_default().unwrap_or(443))];
    if public.port().is_none() {
        names.insert(0, host.to_owned());
    }
    names
}

/// Whether binding failed because the machine has no `::1`.
fn no_ipv6(error: &io::Error) -> bool {
    #[cfg(unix)]
    const NO_FAMILY: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    #[cfg(windows)]
    const NO_FAMILY: i32 = 10047;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(NO_FAMILY)
}

/// A port being served. Dropping it closes the port, lets answers under way reach the browser (half a
/// second at most; requests nobody answers aren't waited for) and with them the thread ends.
pub struct Serving {
    port: u16,
    front: Arc<FrontServer>,
    in_flight: Arc<InFlightRequests>,
    listening: Vec<AbortHandle>,
    closed: mpsc::Receiver<()>,
}

impl Serving {
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        for socket in &self.listening {
            // defense: S23 ports-close-at-the-end
            socket.abort();
        }
        self.front.evict_all();
        self.in_flight.settle(GRACE);
        self.front.cut();
        // Every listener and every connection holds a sender until its socket is closed.
        let _ = self.closed.recv_timeout(CLOSING);
    }
}
