//! A stand-in BioTrack with its own Grant Access page, for training, demos and tests; on loopback only.

mod behavior;
mod clock;
mod log;
mod mishaps;
mod options;
mod page;
pub mod visitor;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use self::wire::SharedState;

pub use self::clock::Clock;
pub use self::mishaps::{Mishap, MishapRule};
pub use self::options::{CLIENT_ID, CLIENT_SECRET, Options, PASSWORD};

/// A running sandbox; it ends with [`Sandbox::stop`] or when it is dropped, and forgets everything.
pub struct Sandbox {
    house: Arc<SharedState>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Sandbox {
    /// Binds 127.0.0.1, and serves from a thread of its own. It is listening when this returns.
    pub fn start(options: Options, clock: Clock) -> io::Result<Self> {
        // One thread serves hundreds of grants a second: nothing here waits but for the network.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            bind(options.port)?
        };
        let house = Arc::new(SharedState::new(options, clock, listener.local_addr()?)?);
        let (stop, stopped) = oneshot::channel();
        let router = wire::router(Arc::clone(&house));
        let thread = std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
            runtime.block_on(async {
                let serving = tokio::spawn(wire::serve(listener, router));
                // An error means that the sender is gone: stop as well.
                let _ = stopped.await;
                serving.abort();
            });
            // Ends what is still in flight, stalled answers too.
            drop(runtime);
        })?;
        Ok(Self { house, running: Some((stop, thread)) })
    }

    /// Where it listens, which is also its issuer: `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.house.issuer.clone()
    }

    /// Moves its clock, forwards or backwards; it goes on ticking from `now`.
    pub fn set_now(&self, now: Timestamp) {
        self.house.clock.set(now);
    }

    /// Changes what goes wrong, from the next request on; grants and tokens stay.
    pub fn set_fail(&self, fail: &[Mishap]) {
        self.house.set_mishaps(fail.iter().copied().map(MishapRule::from).collect());
    }

    /// The same, for a share of grants or requests each.
    pub fn set_fail_shares(&self, fail: &[MishapRule]) {
        self.house.set_mishaps(fail.to_vec());
    }

    /// Closes the port and every connection.
    pub fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            // Either fails only if the thread has ended already.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.halt();
    }
}

/// Loopback and nothing else, with a queue long enough for a thousand clients at once.
fn bind(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // A restart must not wait for the last run's closed connections. On Windows the word means something else.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(1024)
}
