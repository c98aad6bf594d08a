//! `listen`: takes the redirects of hand-offs from many admins' browsers, behind a TLS proxy.

use super::hook_runner::HookRunner;
use super::hooks::RUN_AGAIN;
use super::{Invocation, Workspace};
use crate::consent::{Listening, ListeningReporter};
use crate::custody::Custody;
use crate::error::{CodeStillUsable, ConfigError, Error, LedgerError, ProviderError, Result};
use crate::ledger::EventGrant;
use crate::model::authorization::{command_with, hand_out_again};
use crate::model::blocked_ports::blocked_port_of;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::provider::Provider;
use crate::report::RunEvent;
use crate::web::{CallbackServer, TrustedProxies};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use url::Url;

/// Where the proxy finds it unless it's told otherwise.
const PORT: u16 = 8787;

/// Receive the redirects of hand-offs behind a TLS proxy
///
/// It serves links that were made with this ledger, in a profile that sets redirect.public_url to the public address. The
/// provider must have registered that address. The proxy terminates TLS, keeps the Host header with its port, and sets
/// X-Forwarded-For or Forwarded; contrib/ has an nginx example and a systemd unit.
///
/// A team's ledger lists the hosts that listen, and every host seals new links to them, too. This host is listed from its
/// first start until it has been silent for 30 days.
///
/// A client that sends too many requests is slowed down, by the client address that the proxy names; an answer to an open
/// link always passes. A proxy on this machine is trusted, a proxy elsewhere only if --trust-proxy names it; otherwise all of
/// that proxy's clients count as one.
///
/// Every answer passes the same checks as on the loopback listener: state, redirect address, issuer, and every fact of the
/// grant. GET /healthz answers 200, or 503 if the ledger or the vault can't be used; the reason is printed here. SIGTERM
/// finishes running exchanges first. So does a hangup, which exits with 130: a service manager then restarts it with the
/// current configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth listen --public-url https://auth.example.com/callback
  biotrack-auth listen --public-url https://auth.example.com/callback --bind 10.0.0.5 --trust-proxy 10.0.0.2")]
pub struct Args {
    /// Set the public address that admins' browsers are sent to [default: the profile's redirect.public_url]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,

    /// Listen on this address, for a proxy on another host [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,

    /// Listen on this port; 0 means any free port
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
    port: u16,

    /// Trust this proxy on another host, by address or network (10.0.0.0/24); may be given several times
    #[arg(long, value_name = "ADDR", value_parser = TrustedProxies::network)]
    trust_proxy: Vec<IpNet>,
}

/// What the operator sees of it.
struct Reporter<'l, 'a> {
    call: &'l Invocation<'a>,
    public: Url,
    provider: Arc<Provider>,
    hooks: HookRunner<'l>,
}

pub(super) fn run<'a>(args: &Args, call: &Invocation<'a>) -> Result<u8> {
    call.workspace()?.work(call, |workspace| listen(args, call, workspace))
}

fn listen<'a>(args: &Args, call: &Invocation<'a>, workspace: &mut Workspace<'a>) -> Result<u8> {
    let public = public(args, workspace)?;
    let client = workspace.connect(call)?;
    workspace.custody.probe()?;
    workspace.custody.list_this_host()?;
    let bind = SocketAddr::new(args.bind.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), args.port);
    let proxies = TrustedProxies::of(args.trust_proxy.clone());
    let server = CallbackServer::open(call.env, client.clone(), &public, bind, proxies)?;
    let terminal = &call.env.terminal;
    terminal.print_always(&format!(
        "Listening on {} for {public}. The proxy must keep the Host header. Press Ctrl-C, or send SIGTERM, to stop.",
        SocketAddr::new(bind.ip(), server.port())
    ));
    if workspace
        .provider
        .redirect
        .public_url
        .as_deref()
        .is_none_or(|configured| configured != public.as_str())
    {
        terminal.info(&format!(
            "Note: the links of profile {} use another address. Set redirect.public_url = \"{public}\" in the profile.",
            workspace.provider.profile
        ));
    }
    let provider = workspace.provider.clone();
    let hooks =
        HookRunner::new(call, workspace.hooks.clone(), provider.clone(), Some(RUN_AGAIN), server.waker());
    let reporter = &mut Reporter { call, public, provider, hooks };
    Listening::new(call.env, &mut workspace.custody, &client, server, reporter).run();
    match call.env.is_hung_up() {
        // Nobody wanted it to be down: a service manager that starts it anew on failure does.
        true => Err(Error::Interrupted { next: None }),
        false => Ok(0),
    }
}

/// The public address, with the profile's own as default.
fn public(args: &Args, workspace: &Workspace<'_>) -> Result<Url> {
    let wrong = |problem: String| Error::Usage {
        what: format!("the public address {problem}"),
        hint: "Use the address that the provider has registered: https://host/path, without ? or #.".into(),
    };
    let configured = workspace.provider.redirect.public_url.as_ref();
    let text = args.public_url.as_ref().or(configured).ok_or_else(|| ConfigError::Incomplete {
        profile: workspace.provider.profile.clone(),
        key: "redirect.public_url".into(),
        how: "Pass --public-url https://…, and set redirect.public_url to the same address in the profile."
            .into(),
    })?;
    let url = Url::parse(text).map_err(|e| wrong(format!("is invalid: {e}")))?;
    if url.scheme() != "https" {
        return Err(wrong("doesn't begin with https://".into()));
    }
    if let Some(port) = blocked_port_of(&url) {
        return Err(wrong(format!("has port {port}, which browsers refuse")));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(wrong("may contain only a host and a path".into()));
    }
    Ok(url)
}

impl Reporter<'_, '_> {
    /// What helps where the client isn't accepted.
    fn set_secret(&self) -> String {
        let command = command_with("config", &["set-secret"], self.provider.other(), &[]);
        format!("Check client_id, and set the secret that BioTrack gave you (no restart needed): {command}")
    }

    /// What to do about a license that has no new grant: nobody ran a command that could be run again.
    fn next(&self, outcome: &Outcome) -> Option<String> {
        let error = outcome.error.as_ref()?;
        match (error, &outcome.standing) {
            (Error::Ledger(LedgerError::NotKept { .. }), _) => Some(
                "The grant is safe: it is kept encrypted. It is stored automatically as soon as possible."
                    .into(),
            ),
            (Error::Provider(_), Some(standing)) => {
                let command = hand_out_again(&standing.record, self.provider.other_profile);
                Some(format!("To ask again: {command}"))
            }
            _ => error.hint(),
        }
    }
}

impl ListeningReporter for Reporter<'_, '_> {
    fn ended(&mut self, outcome: &Outcome, custody: &Custody<'_>) {
        let (terminal, now) = (&self.call.env.terminal, self.call.env.clock.now());
        let about = match outcome.ending {
            OutcomeKind::Granted => EventGrant::BeforeTheLast,
            _ => EventGrant::Now,
        };
        if self.call.json
            && let Ok(common) = custody.ledger().event_key(&self.provider.profile, &outcome.key, about)
            && let Ok(line) = self.call.json_line(&RunEvent::ended(outcome, now, &common, &self.provider))
        {
            // A reader that has gone, or stalls, doesn't stop the grants.
            terminal.emit(&line);
        }
        let key = &outcome.key;
        terminal.info(&match (outcome.ending, &outcome.error) {
            (OutcomeKind::Granted, _) => format!("✓ {key}: granted"),
            (_, Some(error)) => format!("✗ {key}: {}", error.without_license(key.license.as_str())),
            (ending, None) => format!("✗ {key}: {ending:?}"),
        });
        if let Some(next) = self.next(outcome) {
            terminal.info(&format!("  {next}"));
        }
    }

    fn not_taken(&mut self, why: &Error) {
        let terminal = &self.call.env.terminal;
        match why.unused_code() {
            Some(CodeStillUsable::WrongClient) => terminal.print_always(&format!(
                "error: {why}\n  {}. The answer is kept. If you fix this within 10 minutes, it is exchanged automatically.",
                self.set_secret()
            )),
            _ => terminal.error(why),
        }
    }

    fn unready(&mut self, why: &Error) {
        let advice = match why {
            Error::Provider(ProviderError::WrongClient { .. }) => self.set_secret(),
            _ => "To check every endpoint: biotrack-auth doctor".into(),
        };
        self.call.env.terminal.print_always(&format!(
            "Note: {why}. Answers to open links are still accepted, and kept until they can be exchanged. {advice}"
        ));
    }

    fn unknown_host_name(&mut self, host: &str) {
        let ours = self.public.host_str().unwrap_or_default();
        let authority = self.public.port().map_or(ours.to_owned(), |port| format!("{ours}:{port}"));
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let what = match name.eq_ignore_ascii_case(ours) {
            true => {
                "only the port differs. The proxy must pass on the Host header as the browser sends it (nginx: \
                 proxy_set_header Host $http_host), and --public-url and redirect.public_url must have the port that \
                 browsers see"
            }
            false => "if admins use that name, set it in --public-url and redirect.public_url",
        };
        self.call.env.terminal.print_always(&format!(
            "Note: a request for the host \"{host}\" was refused (421), because links use {authority}: {what}."
        ));
    }

    fn idle(&mut self, custody: &mut Custody<'_>) {
        self.hooks.news(custody.ledger_mut());
    }

    fn woken(&mut self, custody: &mut Custody<'_>) {
        self.hooks.go_on(custody.ledger_mut());
    }
}
