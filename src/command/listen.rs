//! `listen`: takes the redirects of hand-offs from many admins' browsers, behind a TLS proxy.

use super::{Bench, Call, hooks, online};
use crate::consent::{finish_left_over, outcome_of};
use crate::custody::{Found, Kept};
use crate::error::{ConfigError, Error, HandoffError, LedgerError, Result};
use crate::model::ids::{FlowId, Key};
use crate::model::outcome::Ending;
use crate::model::plan::Planned;
use crate::model::secret::Secret;
use crate::oauth::{ProviderClient, Returned};
use crate::report::RunEvent;
use crate::web::{BrowserReply, CallbackServer, ServerEvent};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use url::Url;

/// Where the proxy finds it unless it's told otherwise.
const PORT: u16 = 8787;

/// How soon a code that couldn't leave is tried again, and for how long: a code lives minutes.
const AGAIN: Duration = Duration::from_secs(5);
const CODE_LIVES: Duration = Duration::from_secs(10 * 60);

/// Take the redirects of hand-offs, behind a TLS proxy
///
/// For links that were handed out anywhere with this ledger, in a profile whose redirect.public_url is the public
/// address. It must be one that the provider has registered. The proxy ends TLS, keeps the Host header and sets
/// X-Forwarded-For; an example for nginx, and a systemd unit, are in contrib/.
///
/// Every answer goes through the checks of the loopback listener: state, redirect address, issuer, and every fact of the
/// grant. GET /healthz answers 200, or 503 with the reason where ledger or vault can't be used. SIGTERM lets the
/// exchanges under way be finished.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth listen --public-url https://auth.example.com/callback
  biotrack-auth listen --public-url https://auth.example.com/callback --bind 10.0.0.5 --port 8787")]
pub struct Args {
    /// The address to which admins' browsers are sent [default: the profile's redirect.public_url]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,

    /// Listen on this address, for a proxy on another host [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,

    /// Listen on this port; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
    port: u16,
}

/// An answer whose code is being exchanged, or waits for the provider.
struct UnderWay {
    item: Planned,
    reply: Option<BrowserReply>,
    code: Secret,
    came: Instant,
    /// When it's sent again, where not a byte of it left.
    again: Option<Instant>,
}

struct Listening<'l, 'a> {
    call: &'l Call<'a>,
    bench: &'l mut Bench<'a>,
    exchange: ProviderClient,
    server: CallbackServer,
    under_way: HashMap<FlowId, UnderWay>,
    /// Whose codes wait for their turns to be sent, in their order.
    queue: VecDeque<FlowId>,
    stopping: bool,
    /// Something was stored since the last tidying.
    untidy: bool,
}

pub(super) fn run<'a>(args: &Args, call: &Call<'a>) -> Result<u8> {
    call.bench()?.work(call, |bench| listen(args, call, bench))
}

fn listen<'a>(args: &Args, call: &Call<'a>, bench: &mut Bench<'a>) -> Result<u8> {
    let public = public(args, bench)?;
    let exchange = online::exchange(call, &bench.provider, &bench.custody)?;
    bench.custody.connect(exchange.clone());
    bench.custody.probe()?;
    let bind = SocketAddr::new(args.bind.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), args.port);
    let server = CallbackServer::open(call.env, exchange.clone(), &public, bind)?;
    let terminal = &call.env.terminal;
    terminal.insist(&format!(
        "Listening on {} for {public}. The proxy must keep the Host header; Ctrl-C or SIGTERM stops.",
        SocketAddr::new(bind.ip(), server.port())
    ));
    if bench.provider.redirect.public_url.as_deref().is_none_or(|configured| configured != public.as_str()) {
        terminal.say(&format!(
            "Note: links of profile {} are made for another address. Set redirect.public_url = \"{public}\" in it.",
            bench.provider.profile
        ));
    }
    let (under_way, queue, stopping, untidy) = (HashMap::new(), VecDeque::new(), false, false);
    Listening { call, bench, exchange, server, under_way, queue, stopping, untidy }.run();
    Ok(0)
}

/// The public address, with the profile's own as default.
fn public(args: &Args, bench: &Bench<'_>) -> Result<Url> {
    let wrong = |problem: String| Error::Usage {
        what: format!("the public address {problem}"),
        hint: "It's what the provider has registered: https://host/path, without ? or #.".into(),
    };
    let configured = bench.provider.redirect.public_url.as_ref();
    let text = args.public_url.as_ref().or(configured).ok_or_else(|| ConfigError::Incomplete {
        profile: bench.provider.profile.clone(),
        key: "redirect.public_url".into(),
        how: "Give --public-url https://…, and set redirect.public_url to the same in the profile.".into(),
    })?;
    let url = Url::parse(text).map_err(|e| wrong(format!("isn't one: {e}")))?;
    if url.scheme() != "https" {
        return Err(wrong("doesn't begin with https://".into()));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(wrong("has more in it than a host and a path".into()));
    }
    Ok(url)
}

impl Listening<'_, '_> {
    fn run(mut self) {
        // What an earlier run left is finished before anything else: a code lives minutes.
        self.finish_all_left();
        while !(self.stopping && self.under_way.values().all(|it| it.again.is_some())) {
            let soonest = self.under_way.values().filter_map(|it| it.again).min();
            let idle = Instant::now() + if self.untidy { Duration::from_millis(200) } else { AGAIN };
            match self.server.next(soonest.map_or(idle, |soonest| soonest.min(idle))) {
                Some(ServerEvent::Answer { reply, .. }) if self.stopping => drop(reply),
                Some(ServerEvent::Answer { returned, reply }) => self.answer(returned, reply),
                Some(ServerEvent::Health(asked)) => {
                    let well = self.bench.custody.is_well().map_err(|e| e.to_string());
                    asked.answer(&match self.stopping {
                        true => Err("it is being stopped".into()),
                        false => well,
                    });
                }
                Some(ServerEvent::Exchanged { flow, result }) => {
                    self.send_queued();
                    self.exchanged(&flow, *result);
                }
                Some(ServerEvent::Interrupted) => {
                    self.stopping = true;
                    self.call.env.terminal.say("Stopping; what is under way is finished first.");
                }
                None => self.send_again(),
            }
            if self.untidy && self.under_way.is_empty() {
                self.tidy();
            }
        }
    }

    fn answer(&mut self, returned: Returned, reply: BrowserReply) {
        let found = match self.bench.custody.find(&returned) {
            Ok(found) => found,
            Err(e) => {
                tracing::info!("an answer isn't taken: {e}");
                return match &e {
                    // A browser that asks again while its answer is being exchanged.
                    Error::Handoff(HandoffError::Used { license }) | Error::Busy { license, .. } => {
                        reply.about(license).already()
                    }
                    _ => reply.no_question(public_words(&e)),
                };
            }
        };
        let flow = match found {
            Found::Waiting(flow) => *flow,
            Found::Left(flow) => {
                let license = flow.key.license.to_string();
                self.finish_left(&flow.key);
                return reply.about(&license).already();
            }
        };
        let (id, key) = (flow.id.clone(), flow.key.clone());
        let reply = reply.about(key.license.as_str());
        let item = match self.item(&key) {
            Ok(item) => Planned { username: flow.username.clone(), purpose: flow.purpose, ..item },
            Err(e) => return reply.failed(&e),
        };
        match self.bench.custody.take_up(flow, returned, &self.exchange.endpoints) {
            Ok(code) => {
                let (came, again) = (Instant::now(), None);
                self.under_way.insert(id.clone(), UnderWay { item, reply: Some(reply), code, came, again });
                self.queue.push_back(id);
                self.send_queued();
            }
            Err(e) => {
                reply.failed(&e);
                self.told(&item, Err(e));
            }
        }
    }

    fn item(&self, key: &Key) -> Result<Planned> {
        let standing = self.bench.custody.standing(key)?;
        let record = standing.ok_or_else(|| Error::Internal("the record vanished".into()))?.record;
        Ok(Planned::of(&record, crate::model::flow::Purpose::Renew, String::new()))
    }

    fn exchanged(&mut self, flow: &FlowId, result: Result<crate::model::granted::Granted>) {
        use crate::error::ProviderError::Unreachable;
        let never_left = matches!(result, Err(Error::Provider(Unreachable { .. })));
        let kept = self.bench.custody.exchanged(flow, result);
        let Some(mut under_way) = self.under_way.remove(flow) else { return };
        if let Some(reply) = under_way.reply.take() {
            match &kept {
                Ok(Kept::Live { .. }) => reply.granted(),
                Ok(Kept::Held { granted_by }) => reply.held(granted_by),
                Err(e) => reply.failed(e),
            }
        }
        if never_left && under_way.came.elapsed() < CODE_LIVES && !self.stopping {
            // Not a byte of it left: it's sent when the provider is back.
            under_way.again = Some(Instant::now() + AGAIN);
            self.under_way.insert(flow.clone(), under_way);
            return;
        }
        self.told(&under_way.item, kept);
    }

    fn send_again(&mut self) {
        let now = Instant::now();
        for (flow, it) in &mut self.under_way {
            if it.again.is_some_and(|again| again <= now) {
                it.again = None;
                self.queue.push_back(flow.clone());
            }
        }
        self.send_queued();
    }

    /// Sends the codes whose turn it is, each noted before a byte of it leaves. The others wait, and are noted only as what
    /// has arrived: whoever goes on after a crash may send them.
    fn send_queued(&mut self) {
        while !self.queue.is_empty()
            && let Some(slot) = self.server.slot()
            && let Some(flow) = self.queue.pop_front()
        {
            let Some(it) = self.under_way.get(&flow) else { continue };
            match self.bench.custody.sending(&flow, &it.code) {
                Ok(go) => self.server.exchange(slot, go),
                // A ledger that can't be written for a moment costs no code: it's noted as what has arrived, and sent later.
                Err(e @ Error::Ledger(_))
                    if !matches!(e, Error::Ledger(LedgerError::TakenOver | LedgerError::WentBack { .. }))
                        && it.came.elapsed() < CODE_LIVES
                        && !self.stopping =>
                {
                    tracing::warn!("a code waits, for it can't be noted as sent: {e}");
                    if let Some(it) = self.under_way.get_mut(&flow) {
                        it.again = Some(Instant::now() + AGAIN);
                    }
                }
                Err(e) => {
                    if let Some(mut it) = self.under_way.remove(&flow) {
                        if let Some(reply) = it.reply.take() {
                            reply.failed(&e);
                        }
                        self.told(&it.item, Err(e));
                    }
                }
            }
        }
    }

    /// What became of a license, for the operator.
    fn told(&mut self, item: &Planned, kept: Result<Kept>) {
        self.untidy = true;
        let outcome = outcome_of(&mut self.bench.custody, item, kept, |_| false);
        let (terminal, now) = (&self.call.env.terminal, self.call.env.clock.now());
        if self.call.json
            && let Ok(line) = self.call.json_line(&RunEvent::ended(&outcome, now, &self.bench.provider))
        {
            // A reader that has gone doesn't stop the grants.
            let _ = terminal.answer(&line);
        }
        terminal.say(&match (outcome.ending, &outcome.error) {
            (Ending::Granted, _) => format!("✓ {}: granted", item.key),
            (_, Some(error)) => format!("✗ {}: {error}", item.key),
            (ending, None) => format!("✗ {}: {ending:?}", item.key),
        });
    }

    fn finish_all_left(&mut self) {
        let profile = self.bench.provider.profile.clone();
        let left = self.bench.custody.ledger_mut().unfinished(&profile, None).unwrap_or_default();
        for flow in left.iter().filter(|flow| flow.owner.is_some()) {
            self.finish_left(&flow.key);
        }
    }

    fn finish_left(&mut self, key: &Key) {
        self.untidy = true;
        let finished =
            self.item(key).and_then(|item| finish_left_over(self.call.env, &mut self.bench.custody, &item));
        if let Err(e) = finished {
            self.call.env.terminal.complain(&e);
        }
    }

    /// While nobody waits: what newer grants replaced goes, and the hooks run.
    fn tidy(&mut self) {
        self.untidy = false;
        self.bench.custody.tidy();
        let ran = hooks::after_change(
            self.call,
            &self.bench.hooks,
            &self.bench.provider,
            self.bench.custody.ledger_mut(),
        );
        if let Err(e) = ran {
            self.call.env.terminal.complain(&e);
        }
    }
}

/// Why an answer isn't taken, in words for the public: no profile, no process and no path of ours is named there.
fn public_words(e: &Error) -> &'static str {
    match e {
        Error::Handoff(HandoffError::Lapsed { .. }) => "The time of this link is over",
        Error::Handoff(HandoffError::Replaced { .. }) => "A newer link was sent in the place of this one",
        Error::Vault(_) | Error::Ledger(_) => "This can't be taken just now",
        _ => "This address doesn't belong to a link that waits for its answer",
    }
}
