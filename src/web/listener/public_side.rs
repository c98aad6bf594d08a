//! What is different where strangers can reach the port: a known answer is served whoever else is at it, monitors cost no more
//! than a refusal, and everybody else is slowed down.

use super::head::{self, HeadVerdict};
use super::limits::RequestLimiter;
use super::page::Page;
use super::request::Method;
use super::trusted_proxies::TrustedProxies;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, SemaphorePermit};

/// What a monitor asks for.
const HEALTH: &str = "/healthz";
/// Requests of strangers that are behind the front server, or wait to be: more are told to come later. Well below the
/// connections that may be open, and the requests that may be under way, so that strangers never fill either.
const STRANGERS_WAITING: usize = 96;
const STRANGERS: usize = 32;
/// Monitors that wait for a word.
const MONITORS: usize = 8;

/// What the front server can't know by itself.
pub trait PublicRequestPolicy: Send + Sync {
    /// Whether a request for this brings the answer to a flow that is open.
    fn expects(&self, target: &str) -> bool;
    fn health(&self) -> HealthAnswer;
    /// What a monitor is to be told where nobody answered it in time.
    fn no_word(&self) -> Page;
    /// Somebody asked for another host than the public one.
    fn refused_host(&self, host: &str);
}

pub enum HealthAnswer {
    /// It asks for itself.
    Ask,
    /// The last word, once more.
    Repeat(Page),
}

/// What an exposed port has beside.
pub(super) struct PublicPortState {
    own_names: Vec<String>,
    pub(super) proxies: TrustedProxies,
    pub(super) side: Arc<dyn PublicRequestPolicy>,
    limits: RequestLimiter,
    waiting: Semaphore,
    served: Semaphore,
    monitors: Semaphore,
}

impl std::fmt::Debug for PublicPortState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposure").field("own_names", &self.own_names).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestSource {
    /// Somebody with the answer to an open flow.
    Expected,
    Monitor,
    /// Anybody else.
    Stranger,
}

impl PublicPortState {
    pub(super) fn new(
        own_names: Vec<String>,
        proxies: TrustedProxies,
        side: Arc<dyn PublicRequestPolicy>,
    ) -> Self {
        Self {
            own_names,
            proxies,
            side,
            limits: RequestLimiter::new(Instant::now()),
            waiting: Semaphore::new(STRANGERS_WAITING),
            served: Semaphore::new(STRANGERS),
            monitors: Semaphore::new(MONITORS),
        }
    }

    /// Whose request it is, and what becomes of it here: only strangers are counted.
    pub(super) fn admit(
        &self,
        peer: IpAddr,
        head: &[u8],
        verdict: HeadVerdict,
    ) -> (RequestSource, HeadVerdict) {
        let elsewhere = matches!(verdict, HeadVerdict::Refuse { status: 421, .. });
        let asks_for_health = |verdict: &HeadVerdict| matches!(verdict, HeadVerdict::Pass(Method::Get, target) if target == HEALTH);
        let under_own_name =
            || elsewhere && head::judge(head, 0, &self.own_names).is_some_and(|it| asks_for_health(&it));
        // defense: S62 monitors-are-not-counted
        if asks_for_health(&verdict) || under_own_name() {
            return (RequestSource::Monitor, HeadVerdict::Pass(Method::Get, HEALTH.into()));
        }
        // defense: S62 expected-answers-are-not-counted
        if let HeadVerdict::Pass(Method::Get, target) = &verdict
            && self.side.expects(target)
        {
            return (RequestSource::Expected, verdict);
        }
        // defense: S62 refused-hosts-are-told
        if let Some(host) = head::host(head).filter(|_| elsewhere) {
            self.side.refused_host(&host);
        }
        match self.limits.admit(self.proxies.source(peer, head), Instant::now()) {
            true => (RequestSource::Stranger, verdict),
            false => (
                RequestSource::Stranger,
                HeadVerdict::Refuse { status: 429, bodyless: head.starts_with(b"HEAD ") },
            ),
        }
    }

    /// Room for one more request behind the front server, besides what everybody needs; `None`: not now.
    pub(super) async fn room(&self, visitor: RequestSource) -> Option<Vec<SemaphorePermit<'_>>> {
        match visitor {
            RequestSource::Expected => Some(Vec::new()),
            RequestSource::Monitor => Some(vec![self.monitors.try_acquire().ok()?]),
            RequestSource::Stranger => {
                let waiting = self.waiting.try_acquire().ok()?;
                Some(vec![waiting, self.served.acquire().await.ok()?])
            }
        }
    }
}
