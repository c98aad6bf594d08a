//! HTTP: who answers what, and the limits and headers that all answers share.

mod answers;
mod authorize;
mod client;
mod grant;
mod metadata;
mod params;
mod probe;
mod shared_state;
mod spoil;
mod token;

pub(super) use shared_state::SharedState;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::serve::ListenerExt;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::net::TcpListener;

use super::page;
use answers::html;

/// The most that a request body may hold, in bytes.
const MOST_BODY: usize = 64 * 1024;
/// The most that a query may hold, in bytes.
const MOST_QUERY: usize = 16 * 1024;

pub(super) fn router(house: Arc<SharedState>) -> Router {
    Router::new()
        .route("/", get(home))
        // Who only tries whether it answers asks nobody.
        .route("/oauth", get(authorize::authorize).head(async || StatusCode::OK))
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
async fn be_down(State(house): State<Arc<SharedState>>, request: Request, next: Next) -> Response {
    match house.is_down() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n").into_response(),
        false => next.run(request).await,
    }
}

/// Every answer is dated by the sandbox's own clock, which a client compares with its own (RFC 9110 6.6.1).
async fn tell_the_time(State(house): State<Arc<SharedState>>, request: Request, next: Next) -> Response {
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

async fn home(State(house): State<Arc<SharedState>>) -> Response {
    html(StatusCode::OK, page::home(&house.issuer))
}
