//! Grants in flight over one listener: opens addresses, waits, and yields what comes as values. It never writes.

use super::callback_router::{self, CallbackRouter};
use super::event::{self, SessionEvent};
use super::exchange_pool::{ExchangePool, ExchangeSlot};
use super::socket;
use super::worklist::Worklist;
use crate::error::Result;
use crate::model::flow::Logged;
use crate::model::ids::FlowId;
use crate::model::provider::RedirectHost;
use crate::model::secret::Secret;
use crate::oauth::{self, AuthorizationRequest, CodeExchange, ProviderClient, ReturnedAddress};
use crate::system::{
    BrowserChoice, Env, KeyInputGuard, LaunchOutcome, TypedInput, check_safe_to_open, threads,
};
use crate::web::listener::{Listener, LoopbackHost, Serving};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A listener with the flows it waits for.
pub struct ListeningSession {
    router: Arc<Mutex<CallbackRouter>>,
    events: Receiver<SessionEvent>,
    sender: Sender<SessionEvent>,
    pool: ExchangePool,
    serving: Serving,
    /// Where worklist and one-time addresses are served, where the redirect's port is always the same.
    own: Option<Serving>,
}

impl ListeningSession {
    /// Binds the listener, and keeps the port until the session ends. An error here comes before any browser.
    pub fn bind(env: &Env, client: ProviderClient, port: Option<u16>) -> Result<Self> {
        let provider = &client.provider;
        let host = match provider.redirect.host {
            RedirectHost::Ipv4Literal => LoopbackHost::Ipv4Literal,
            RedirectHost::Localhost => LoopbackHost::Localhost,
        };
        let wanted = port.or(provider.redirect.port).filter(|port| *port != 0);
        let unbound = socket::unbound(wanted);
        let runtime = env.net()?;
        threads::rehearse(threads::THREADS_PER_CONSENT)?;
        let (sender, events) = channel();
        let router = Arc::new(Mutex::new(CallbackRouter::new(&client)));
        let serve = |wanted: Option<u16>| {
            let (router, sender) = (router.clone(), sender.clone());
            Listener::bind(host, wanted)?.serve(&runtime, move |request| {
                let step = callback_router::lock(&router).connect(request);
                if let Some(step) = step {
                    // Nobody waits any more: the page says so by being a 503.
                    let _ = sender.send(step);
                }
            })
        };
        let serving = serve(wanted).map_err(&unbound)?;
        // Whoever had that port before may have left a service worker in the browser, which answers in our place. What
        // begins with us is served where nobody was before.
        // defense: S20 own-origin-beside-a-known-port
        let own = wanted.map(|_| serve(None)).transpose().map_err(unbound)?;
        socket::on_interrupt(env, &runtime, &sender, SessionEvent::Interrupted)?;
        tracing::info!("listening for answers on port {}", serving.port());
        Ok(Self { router, events, sender, pool: ExchangePool::new(runtime, client), serving, own })
    }

    /// Where browsers are sent back to.
    pub fn redirect_uri(&self) -> String {
        oauth::redirect_uri(&self.pool.client.provider, self.serving.port())
    }

    /// Serves a worklist from now on; what is clicked there comes as events.
    pub fn show_worklist(&mut self, worklist: Worklist) {
        callback_router::lock(&self.router).worklist = Some(worklist);
    }

    /// Where the worklist is, for a browser on this machine; `None` where none is served.
    pub fn worklist_address(&self) -> Option<String> {
        let path = callback_router::lock(&self.router).worklist.as_ref().map(Worklist::path)?;
        Some(self.at(&path))
    }

    /// Waits for a flow's answer from now on, and opens its address where a browser is wanted.
    pub fn open(
        &mut self,
        env: &Env,
        asked: &Logged<(FlowId, AuthorizationRequest)>,
        choice: &BrowserChoice,
    ) -> Option<LaunchOutcome> {
        let (flow, ask) = asked.get();
        callback_router::lock(&self.router).expect(flow.clone(), ask);
        self.launch(env, flow, &ask.address, choice)
    }

    /// Starts a browser, where one is wanted, that is to show a flow's address. The program is given a one-time address of
    /// ours that leads there: every user of this machine can read what its arguments are, and the address holds the state.
    /// The one place that starts a browser.
    pub fn launch(
        &self,
        env: &Env,
        flow: &FlowId,
        address: &str,
        choice: &BrowserChoice,
    ) -> Option<LaunchOutcome> {
        if *choice == BrowserChoice::None {
            return None;
        }
        if let Err(why) = check_safe_to_open(address) {
            return Some(LaunchOutcome::Failed(why.into()));
        }
        let path = callback_router::lock(&self.router).launches.add(flow.clone(), address.to_owned());
        // defense: S53 no-state-in-arguments
        Some(env.browser.open(&self.at(&path), choice, &env.variables))
    }

    /// The address of one of our own paths, for a browser on this machine.
    fn at(&self, path: &str) -> String {
        let host = self.pool.client.provider.redirect.host.as_str();
        let port = self.own.as_ref().unwrap_or(&self.serving).port();
        format!("http://{host}:{port}{path}")
    }

    /// A place among the few exchanges at once, where one is free: there is one again when an answer comes.
    pub fn slot(&self) -> Option<ExchangeSlot> {
        self.pool.slot()
    }

    /// Exchanges a code whose sending the ledger knows of; the answer comes as a step.
    pub fn exchange(&self, slot: ExchangeSlot, go: Logged<(FlowId, CodeExchange)>) {
        self.pool.exchange(slot, go, &self.sender, |flow, result| SessionEvent::Exchanged { flow, result });
    }

    /// The flow isn't waited for any more: an answer that still comes is told so, and has no effect.
    pub fn forget(&self, flow: &FlowId) {
        callback_router::lock(&self.router).forget(flow);
    }

    /// Another answer to a flow counts like the first, which brought nothing.
    pub fn expect_again(&self, flow: &FlowId) {
        callback_router::lock(&self.router).expect_again(flow);
    }

    /// The answer to a flow that came last couldn't be taken: it counts when it comes again.
    pub fn expect_the_same(&self, flow: &FlowId) {
        callback_router::lock(&self.router).expect_the_same(flow);
    }

    /// Whether a pasted address is the answer to a flow that is waited for.
    pub fn fits(&self, returned: &ReturnedAddress) -> bool {
        callback_router::lock(&self.router).fits(returned)
    }

    /// What a pasted answer means for the flows that are waited for, by the same checks as one that a browser
    /// brings; whichever comes first counts. `None`: it belongs to none of them.
    pub fn pasted(&self, returned: &ReturnedAddress) -> Option<Result<SessionEvent>> {
        callback_router::lock(&self.router).pasted(returned)
    }

    /// Looks whether the provider answers; what it finds comes as a step.
    pub fn look(&self) {
        let (client, sender) = (self.pool.client.clone(), self.sender.clone());
        self.pool.runtime.spawn(async move {
            let found = oauth::prepare(&client.http, &client.provider, client.clock.now()).await;
            let _ = sender.send(SessionEvent::Looked(found.map(drop)));
        });
    }

    /// Keys at the terminal come as events, as long as what is returned is kept.
    pub fn keys(&self, env: &Env) -> Option<KeyInputGuard> {
        let sender = self.sender.clone();
        env.terminal.keys(move |typed| {
            let _ = sender.send(match typed {
                TypedInput::Key(key) => SessionEvent::Key(key),
                TypedInput::Address(text) => SessionEvent::Pasted { text: Secret::new(text), from: None },
            });
        })
    }

    /// Wakes whoever waits for the next step.
    pub fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let sender = self.sender.clone();
        move || drop(sender.send(SessionEvent::Woken))
    }

    /// The next step, or `None` once the time is over. Measured by the machine's steady clock.
    pub fn next(&self, until: Instant) -> Option<SessionEvent> {
        event::next_of(&self.events, until)
    }

    /// A step that is there already.
    pub fn ready(&self) -> Option<SessionEvent> {
        self.events.try_recv().ok()
    }

    pub fn strays(&self) -> usize {
        callback_router::lock(&self.router).strays
    }
}

impl Drop for ListeningSession {
    fn drop(&mut self) {
        let worklist = callback_router::lock(&self.router).worklist.clone();
        if let Some(worklist) = worklist {
            worklist.part();
        }
    }
}
