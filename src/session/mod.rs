//! Grants in flight over one listener: opens addresses, waits, and yields what comes as values. It never writes.

mod desk;
mod look_up;
mod switchboard;
mod worklist;

pub use desk::{Asked, Desk, Visit};
pub use look_up::{Both, LookedUp, look_up};
pub use switchboard::Reply;
pub use worklist::{Clicked, Entry, Sheet, Wish, Worklist};

use crate::error::{Error, ProviderError, Result};
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::model::provider::{Provider, RedirectHost};
use crate::model::secret::Secret;
use crate::oauth::{self, Ask, Code, Endpoints, Returned, Spent};
use crate::system::{BrowserChoice, Clock, Env, Http, Listening, Opened, Typed};
use crate::web::listener::{Host, Listener, Serving};
use std::future::pending;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use switchboard::Switchboard;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What comes while grants are in flight.
#[derive(Debug)]
pub enum Step {
    /// A code came; the browser waits for its page.
    Arrived {
        /// Which question it answers.
        flow: FlowId,
        /// The code.
        code: Secret,
        /// Where the page goes.
        reply: Reply,
    },
    /// The question was answered with something else than a code.
    Refused {
        /// Which question.
        flow: FlowId,
        /// Why.
        error: Error,
        /// Where the page goes.
        reply: Reply,
    },
    /// A code was exchanged, or wasn't.
    Exchanged {
        /// Which question.
        flow: FlowId,
        /// What came of it.
        result: Box<Result<Granted>>,
    },
    /// What a look at the provider found, after it had been away.
    Looked(Result<()>),
    /// A key at the terminal.
    Key(char),
    /// A redirect address that somebody sent back, as it was pasted: at the terminal, or on the worklist, whose browser
    /// waits. It holds a code.
    Pasted {
        /// What was pasted.
        text: Secret,
        /// Where the answer goes; `None`: to the terminal.
        from: Option<Clicked>,
    },
    /// Somebody clicked on the worklist; the browser waits.
    Wished {
        /// What is wished.
        wish: Wish,
        /// Where the answer goes.
        reply: Clicked,
    },
    /// Ctrl-C, or a polite signal.
    Interrupted,
}

/// How often a request is tried whose connection can't be made.
const TRIES: u32 = 3;

/// How many codes are exchanged, or grants looked up, at once: many in one moment are no storm at the provider.
const AT_ONCE: usize = 8;

/// What an exchange needs, whoever starts it.
#[derive(Clone)]
pub struct Exchange {
    /// The client.
    pub http: Http,
    /// The provider.
    pub provider: Arc<Provider>,
    /// Its addresses.
    pub endpoints: Arc<Endpoints>,
    /// The client's secret.
    pub secret: Option<Secret>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Exchange {
    /// Exchanges a code. Sent again only while no byte of it could leave.
    pub async fn run(&self, go: Logged<(FlowId, Code)>) -> Result<Granted> {
        let mut tried = 1;
        loop {
            let now = || self.clock.now();
            match oauth::exchange(&self.http, &self.provider, &self.endpoints, self.secret.as_ref(), &go, now)
                .await
            {
                Err(Error::Provider(ProviderError::Unreachable { .. })) if tried < TRIES => {
                    self.clock.pass(Duration::from_millis(300) * tried, Box::pin(pending())).await;
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    /// Sends a refresh token, once.
    pub async fn refresh(&self, go: Logged<(FlowId, Spent)>) -> Result<Granted> {
        let now = || self.clock.now();
        oauth::refresh(&self.http, &self.provider, &self.endpoints, self.secret.as_ref(), &go, now).await
    }
}

/// A place among the exchanges under way, until that one is over. Who has it sends at once: what still waits for one isn't
/// noted as sent.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "it's given back by being dropped")] OwnedSemaphorePermit);

/// The exchanges under way: a few at once, whoever takes the answers.
struct Turns {
    runtime: Handle,
    exchange: Exchange,
    free: Arc<Semaphore>,
}

impl Turns {
    fn new(runtime: Handle, exchange: Exchange) -> Self {
        Self { runtime, exchange, free: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A place among them, where one is free.
    fn turn(&self) -> Option<Turn> {
        self.free.clone().try_acquire_owned().ok().map(Turn)
    }

    /// Exchanges a code whose turn it is; what came of it is told as `told` makes it, once its place is free.
    fn exchange<T: Send + 'static>(
        &self,
        turn: Turn,
        go: Logged<(FlowId, Code)>,
        to: &Sender<T>,
        told: impl FnOnce(FlowId, Box<Result<Granted>>) -> T + Send + 'static,
    ) {
        let (exchange, to) = (self.exchange.clone(), to.clone());
        self.runtime.spawn(async move {
            let flow = go.get().0.clone();
            let result = Box::new(exchange.run(go).await);
            drop(turn);
            let _ = to.send(told(flow, result));
        });
    }
}

/// Tells of Ctrl-C or a polite signal, counted from this moment on and not only once the runtime gets round to it.
fn on_interrupt<T: Send + 'static>(env: &Env, runtime: &Handle, to: &Sender<T>, told: T) -> Result<()> {
    let (to, interrupts) = (to.clone(), env.interrupts()?);
    runtime.spawn(async move {
        interrupts.come(1).await;
        let _ = to.send(told);
    });
    Ok(())
}

/// What a listener that can't be bound means, where a certain port was wanted, or any.
fn unbound(wanted: Option<u16>) -> impl Fn(std::io::Error) -> Error {
    move |e| match wanted {
        Some(port) => Error::ListenerTaken { port, reason: e.to_string() },
        None => Error::Listener { reason: e.to_string() },
    }
}

/// A listener with the questions it waits for.
pub struct Session {
    board: Arc<Mutex<Switchboard>>,
    steps: Receiver<Step>,
    sender: Sender<Step>,
    turns: Turns,
    serving: Serving,
}

impl Session {
    /// Binds the listener, and keeps the port until the session ends. An error here comes before any browser.
    pub fn bind(env: &Env, exchange: Exchange, port: Option<u16>) -> Result<Self> {
        let provider = &exchange.provider;
        let host = match provider.redirect.host {
            RedirectHost::Ipv4Literal => Host::Ipv4Literal,
            RedirectHost::Localhost => Host::Localhost,
        };
        let wanted = port.or(provider.redirect.port).filter(|port| *port != 0);
        let unbound = unbound(wanted);
        let runtime = env.net()?;
        let listener = Listener::bind(host, wanted).map_err(&unbound)?;
        let (sender, steps) = channel();
        let board = Arc::new(Mutex::new(Switchboard::new(&exchange)));
        let serving = {
            let (board, sender) = (board.clone(), sender.clone());
            listener.serve(&runtime, &private_folder(env), move |request| {
                let step = switchboard::lock(&board).connect(request);
                if let Some(step) = step {
                    // Nobody waits any more: the page says so by being a 503.
                    let _ = sender.send(step);
                }
            })
        }
        .map_err(unbound)?;
        on_interrupt(env, &runtime, &sender, Step::Interrupted)?;
        tracing::info!("answers are caught on port {}", serving.port());
        Ok(Self { board, steps, sender, turns: Turns::new(runtime, exchange), serving })
    }

    /// Where browsers are sent back to.
    pub fn redirect_uri(&self) -> String {
        oauth::redirect_uri(&self.turns.exchange.provider, self.serving.port())
    }

    /// Serves a worklist from now on; what is clicked there comes as steps.
    pub fn show_worklist(&mut self, worklist: Worklist) {
        worklist.served_on(&self.turns.runtime);
        switchboard::lock(&self.board).worklist = Some(worklist);
    }

    /// Where the worklist is, for a browser on this machine; `None` where none is served.
    pub fn worklist_address(&self) -> Option<String> {
        let path = switchboard::lock(&self.board).worklist.as_ref().map(Worklist::path)?;
        let host = self.turns.exchange.provider.redirect.host.as_str();
        Some(format!("http://{host}:{}{path}", self.serving.port()))
    }

    /// Waits for a question's answer from now on, and opens its address where a browser is wanted.
    pub fn open(
        &mut self,
        env: &Env,
        asked: &Logged<(FlowId, Ask)>,
        choice: &BrowserChoice,
    ) -> Option<Opened> {
        let (flow, ask) = asked.get();
        switchboard::lock(&self.board).expect(flow.clone(), ask);
        open(env, &ask.address, choice)
    }

    /// A place among the few exchanges at once, where one is free: there is one again when an answer comes.
    pub fn turn(&self) -> Option<Turn> {
        self.turns.turn()
    }

    /// Exchanges a code whose sending the ledger knows of; the answer comes as a step.
    pub fn exchange(&self, turn: Turn, go: Logged<(FlowId, Code)>) {
        self.turns.exchange(turn, go, &self.sender, |flow, result| Step::Exchanged { flow, result });
    }

    /// The question isn't waited for any more: an answer that still comes is told so, and has no effect.
    pub fn forget(&self, flow: &FlowId) {
        switchboard::lock(&self.board).forget(flow);
    }

    /// What a pasted answer means for the questions that are waited for, by the same checks as one that a browser
    /// brings; whichever comes first counts. `None`: it belongs to none of them.
    pub fn pasted(&self, returned: &Returned) -> Option<Result<Step>> {
        switchboard::lock(&self.board).pasted(returned)
    }

    /// Looks whether the provider answers; what it finds comes as a step.
    pub fn look(&self) {
        let (exchange, sender) = (self.turns.exchange.clone(), self.sender.clone());
        self.turns.runtime.spawn(async move {
            let found = oauth::prepare(&exchange.http, &exchange.provider, exchange.clock.now()).await;
            let _ = sender.send(Step::Looked(found.map(drop)));
        });
    }

    /// Keys at the terminal come as steps, as long as what is returned is kept.
    pub fn keys(&self, env: &Env) -> Option<Listening> {
        let sender = self.sender.clone();
        env.terminal.keys(move |typed| {
            let _ = sender.send(match typed {
                Typed::Key(key) => Step::Key(key),
                Typed::Address(text) => Step::Pasted { text: Secret::new(text), from: None },
            });
        })
    }

    /// The next step, or `None` once the time is over. Measured by the machine's steady clock.
    pub fn next(&self, until: Instant) -> Option<Step> {
        self.steps.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// A step that is there already.
    pub fn ready(&self) -> Option<Step> {
        self.steps.try_recv().ok()
    }

    /// How many answers came that belong to no question of ours.
    pub fn strays(&self) -> usize {
        switchboard::lock(&self.board).strays
    }
}

/// Opens an address, where a browser is wanted.
pub fn open(env: &Env, address: &str, choice: &BrowserChoice) -> Option<Opened> {
    match choice {
        BrowserChoice::None => None,
        choice => Some(env.browser.open(address, choice, &env.variables)),
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let worklist = switchboard::lock(&self.board).worklist.clone();
        if let Some(worklist) = worklist {
            worklist.part();
        }
    }
}

/// A short path, for a socket's name has 107 characters at most.
fn private_folder(env: &Env) -> PathBuf {
    ["XDG_RUNTIME_DIR", "TMPDIR"]
        .iter()
        .filter_map(|name| env.variables.get(name).map(PathBuf::from))
        .find(|folder| folder.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}
