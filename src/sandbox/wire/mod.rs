//! HTTP: who answers what, and the limits and headers that all answers share.

mod authorize;
mod client;
mod grant;
mod metadata;
mod params;
mod probe;
mod spoil;
#[cfg(test)]
mod tests;
mod token;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::serve::ListenerExt;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use maud::Markup;
use serde::Serialize;
use tokio::net::TcpListener;

use super::behavior::{Ask, Authority, Facts, Terms};
use super::clock::{Clock, MovableClock};
use super::log::Log;
use super::mishaps::{Fail, Mishap, Mishaps, Turn};
use super::{Options, page};

/// The most that a request body may hold, in bytes.
const MOST_BODY: usize = 64 * 1024;
/// The most that a query may hold, in bytes.
const MOST_QUERY: usize = 16 * 1024;

/// What every handler shares.
pub(super) struct House {
    /// Its address, without a trailing slash.
    pub(super) issuer: String,
    pub(super) clock: MovableClock,
    company: String,
    application: String,
    authority: Mutex<Authority>,
    mishaps: RwLock<Mishaps>,
    /// How many requests came while it could be down: they have no license to draw by.
    requests: AtomicU32,
    log: Option<Log>,
}

impl House {
    pub(super) fn new(options: Options, clock: Clock, address: SocketAddr) -> io::Result<Self> {
        let terms = Terms { lifetime: options.lifetime, access_lifetime: options.access_lifetime };
        Ok(Self {
            issuer: format!("http://{address}"),
            clock: MovableClock::new(clock, options.now),
            company: options.company,
            application: options.application,
            authority: Mutex::new(Authority::new(terms)),
            mishaps: RwLock::new(Mishaps { seed: options.seed, list: options.fail }),
            requests: AtomicU32::new(0),
            log: options.log.as_deref().map(Log::open).transpose()?,
        })
    }

    pub(super) fn set_mishaps(&self, fail: Vec<Fail>) {
        self.mishaps.write().unwrap_or_else(PoisonError::into_inner).list = fail;
    }

    fn fails(&self, mishap: Mishap, turn: Option<Turn<'_>>) -> bool {
        self.mishaps.read().unwrap_or_else(PoisonError::into_inner).befall(mishap, turn)
    }

    /// Whether this request finds nobody at home.
    fn is_down(&self) -> bool {
        let nth = self.requests.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.fails(Mishap::Down, Some(Turn { ubi: "", license: "", nth }))
    }

    /// Changes the state, then writes what happened, then gives the result: nothing is answered that isn't logged.
    /// The lock isn't held while writing.
    fn act<T>(&self, change: impl FnOnce(&mut Authority, Timestamp) -> T) -> Result<T, Broken> {
        let now = self.clock.now();
        let (result, events) = {
            let mut authority = self.authority.lock().unwrap_or_else(PoisonError::into_inner);
            let result = change(&mut authority, now);
            (result, authority.take_events())
        };
        if let (Some(log), false) = (&self.log, events.is_empty()) {
            log.write(&events)?;
        }
        Ok(result)
    }

    /// What the page shows: the license that was asked for, whatever will be granted.
    fn shown(&self, ask: &Ask, username: &str) -> Facts {
        let other = self.fails(Mishap::WrongCompany, Some(ask.turn()));
        Facts {
            company: if other { "Other Vendor LLC".to_owned() } else { self.company.clone() },
            application: self.application.clone(),
            ubi: ask.ubi.clone(),
            access_type: "Integrator",
            location: ask.license.clone(),
            resource: "*",
            operation: "read_write",
            username: username.to_owned(),
        }
    }

    /// What is granted and reported.
    fn granted(&self, ask: &Ask, username: &str) -> Facts {
        let mut facts = self.shown(ask, username);
        if self.fails(Mishap::WrongLocation, Some(ask.turn())) {
            // A neighbor that differs by a suffix, the way real ones do.
            facts.location.push_str("-D2");
        }
        if self.fails(Mishap::OtherUser, Some(ask.turn())) {
            facts.username = "other.admin@example.com".to_owned();
        }
        facts
    }
}

/// The machine failed (no room for the log, no randomness): the answer is 500.
struct Broken(io::Error);

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Broken {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("sandbox: {}\n", self.0)).into_response()
    }
}

pub(super) fn router(house: Arc<House>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/oauth", get(authorize::authorize))
        .route("/oauth/grant", post(grant::decide))
        .route("/oauth/token", post(token::token))
        .route("/oauth/revoke", post(probe::revoke))
        .route("/oauth/introspect", post(probe::introspect))
        .route("/oauth/elsewhere", any(spoil::elsewhere))
        .route("/api/ping", get(probe::ping))
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(from_fn_with_state(Arc::clone(&house), be_down))
        .layer(from_fn(guard))
        .layer(from_fn_with_state(Arc::clone(&house), tell_the_time))
        .with_state(house)
}

/// A whole outage, the metadata included.
async fn be_down(State(house): State<Arc<House>>, request: Request, next: Next) -> Response {
    match house.is_down() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n").into_response(),
        false => next.run(request).await,
    }
}

/// Every answer is dated by the sandbox's own clock, which a client compares with its own (RFC 9110 6.6.1).
async fn tell_the_time(State(house): State<Arc<House>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let now = DateTimePrinter::new().timestamp_to_rfc9110_string(&house.clock.now());
    let now = now.ok().and_then(|now| HeaderValue::from_str(&now).ok());
    response.headers_mut().extend(now.map(|now| (header::DATE, now)));
    response
}

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router) {
    // Without this, an answer in two segments waits 40 ms for the client's acknowledgement.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    // axum's serve doesn't end by itself, errors of accept included.
    let _ = axum::serve(listener, router).await;
}

/// The query limit, and the headers of every answer.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = if request.uri().query().is_some_and(|query| query.len() > MOST_QUERY) {
        StatusCode::URI_TOO_LONG.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, page::content_security_policy()),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn home(State(house): State<Arc<House>>) -> Response {
    html(StatusCode::OK, page::home(&house.issuer))
}

/// 200 with JSON.
fn reply(value: &impl Serialize) -> Result<Response, Broken> {
    let body = serde_json::to_vec(value).map_err(io::Error::from)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn html(status: StatusCode, page: Markup) -> Response {
    (status, Html(page.into_string())).into_response()
}

/// 303, so that a browser comes back with a GET whatever it posted.
fn back(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}
