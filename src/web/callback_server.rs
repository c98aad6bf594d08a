//! A listener behind a TLS proxy: it takes the answers of many admins, whoever asked them. It never writes.

use super::event;
use super::exchange_pool::{ExchangePool, ExchangeSlot};
use super::reception::{self, PublicCallbackGate};
use super::reply::BrowserReply;
use super::socket;
use crate::error::{Error, Result};
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::model::secret::Fingerprint;
use crate::oauth::{CodeExchange, ProviderClient, ReturnedAddress};
use crate::system::{Env, threads};
use crate::web::listener::{Listener, Method, Request, Serving, TrustedProxies};
use crate::web::pages;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;
use url::Url;

/// Where a monitor asks whether all is well.
const HEALTH: &str = "/healthz";

#[derive(Debug)]
pub enum ServerEvent {
    /// An admin's browser brings an answer, and waits for its page.
    Answer {
        returned: ReturnedAddress,
        reply: BrowserReply,
    },
    Health(HealthCheck),
    /// A code was exchanged, or wasn't.
    Exchanged {
        flow: FlowId,
        result: Box<Result<Granted>>,
    },
    /// What an exchange will need was tried: what is wrong with it.
    Tried(Option<Box<Error>>),
    /// Requests come for another host than the public one: once for each such host.
    UnknownHostName(String),
    /// What runs beside the server has ended.
    Woken,
    /// Ctrl-C, or a polite signal.
    Interrupted,
}

/// A monitor that waits.
pub struct HealthCheck {
    request: Request,
    reception: Arc<PublicCallbackGate>,
}

impl std::fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HealthCheck(…)")
    }
}

impl HealthCheck {
    /// Whether it waits still: one that was answered meanwhile, because nobody looked, needs no look.
    pub fn is_waited_for(&self) -> bool {
        self.request.is_waited_for()
    }

    /// All is well, or what isn't: in words that anybody may read, for anybody may ask.
    pub fn answer(self, well: Result<(), &'static str>) {
        let page = reception::word(well);
        self.reception.told_a_monitor(page.clone());
        self.request.answer(page);
    }
}

pub struct CallbackServer {
    events: Receiver<ServerEvent>,
    sender: Sender<ServerEvent>,
    pool: ExchangePool,
    reception: Arc<PublicCallbackGate>,
    serving: Serving,
}

impl CallbackServer {
    /// Binds the address and takes what comes for the public one, past these proxies.
    pub fn open(
        env: &Env,
        client: ProviderClient,
        public: &Url,
        bind: SocketAddr,
        proxies: TrustedProxies,
    ) -> Result<Self> {
        let unbound = socket::unbound(Some(bind.port()).filter(|port| *port != 0));
        let runtime = env.net()?;
        threads::rehearse(threads::THREADS_PER_CONSENT)?;
        let (sender, events) = channel();
        let reception = Arc::new(PublicCallbackGate::new(
            public.as_str().trim_end_matches('/').to_owned(),
            public.path().trim_end_matches('/').to_owned(),
            {
                let to_loop = sender.clone();
                Box::new(move |host| drop(to_loop.send(ServerEvent::UnknownHostName(host))))
            },
        ));
        let listener = Listener::behind_proxy(bind, public, proxies, reception.clone()).map_err(&unbound)?;
        let (to_loop, answers) = (sender.clone(), reception.clone());
        let serving = listener
            .serve(&runtime, move |request| {
                if let Some(event) = received(request, &answers) {
                    let _ = to_loop.send(event);
                }
            })
            .map_err(unbound)?;
        socket::on_interrupt(env, &runtime, &sender, ServerEvent::Interrupted)?;
        Ok(Self { events, sender, pool: ExchangePool::new(runtime, client), reception, serving })
    }

    /// Whether it's time to look up which flows are open: their answers pass whoever else is at the port.
    pub fn wants_a_look(&self) -> bool {
        self.reception.wants_a_look()
    }

    /// The states of the open flows; `None`: they can't be read for the moment.
    pub fn set_open_flows(&self, open: Option<Vec<Fingerprint>>) {
        self.reception.set_open_flows(open);
    }

    pub fn port(&self) -> u16 {
        self.serving.port()
    }

    /// Wakes whoever waits for the next event.
    pub fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let to_loop = self.sender.clone();
        move || drop(to_loop.send(ServerEvent::Woken))
    }

    /// The next event, or `None` once the time is over.
    pub fn next(&self, until: Instant) -> Option<ServerEvent> {
        event::next_of(&self.events, until)
    }

    /// A place among the few exchanges at once, where one is free: there is one again when an answer comes.
    pub fn slot(&self) -> Option<ExchangeSlot> {
        self.pool.slot()
    }

    /// From now on codes are exchanged by another client: its secret was set.
    pub fn set_client(&mut self, client: ProviderClient) {
        self.pool.set_client(client);
    }

    /// Tries what an exchange will need while answers are taken; what is wrong with it comes as an event.
    pub fn start_trial(&self, trial: impl Future<Output = Option<Error>> + Send + 'static) {
        let to = self.sender.clone();
        self.pool.runtime.spawn(async move { to.send(ServerEvent::Tried(trial.await.map(Box::new))) });
    }

    /// Exchanges a code whose sending the ledger knows of; the answer comes as an event.
    pub fn exchange(&self, slot: ExchangeSlot, go: Logged<(FlowId, CodeExchange)>) {
        self.pool.exchange(slot, go, &self.sender, |flow, result| ServerEvent::Exchanged { flow, result });
    }
}

/// An answer for the loop, or a page at once.
fn received(request: Request, reception: &Arc<PublicCallbackGate>) -> Option<ServerEvent> {
    if request.method != Method::Get {
        request.answer(pages::not_allowed());
        return None;
    }
    if request.path == HEALTH {
        return Some(ServerEvent::Health(HealthCheck { request, reception: reception.clone() }));
    }
    match reception.answer_in(&request.path, request.query.as_deref()) {
        Some(returned) => Some(ServerEvent::Answer { returned, reply: BrowserReply::of_admin(request) }),
        None => {
            request.answer(pages::not_found());
            None
        }
    }
}
