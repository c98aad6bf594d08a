//! What becomes of the token endpoint's answer on its way, when it is told to fail.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use http_body::Frame;

use super::answers::ServerFailure;
use super::params::Params;
use super::shared_state::SharedState;
use crate::sandbox::behavior::Caller;
use crate::sandbox::log::LogSubject;
use crate::sandbox::mishaps::Mishap;

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
/// Where the endless body ends after all, in bytes.
const HUGE: usize = 200 * 1024 * 1024;
/// How much of it comes at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// What becomes of a token answer on its way, the first that is active first.
const ON_THE_WAY: [Mishap; 7] = [
    Mishap::Slow,
    Mishap::Lost,
    Mishap::Huge,
    Mishap::Redirect,
    Mishap::ServerError,
    Mishap::Html,
    Mishap::BadJson,
];

impl SharedState {
    /// Counts a request to an endpoint for the license of the code or token in it, if it's one of ours.
    pub(super) fn caller(
        &self,
        endpoint: &'static str,
        body: &Bytes,
    ) -> Result<Option<Caller>, ServerFailure> {
        let params = Params::parse(body);
        let Some(secret) = ["code", "refresh_token", "token"].iter().find_map(|name| params.get(name)) else {
            return Ok(None);
        };
        self.act(|authority, _| authority.caller(endpoint, secret))
    }

    /// 429 where it's time for one: before anything is done, so that the same request may come again.
    pub(super) fn limited(&self, caller: Option<&Caller>) -> Result<Option<Response>, ServerFailure> {
        if !self.fails(Mishap::RateLimit, caller.map(Caller::turn)) {
            return Ok(None);
        }
        self.act(|authority, now| authority.refuse(now, "rate-limit", what(caller)))?;
        let wait = [(header::RETRY_AFTER, "2")];
        Ok(Some((StatusCode::TOO_MANY_REQUESTS, wait, "Too Many Requests\n").into_response()))
    }
}

fn what(caller: Option<&Caller>) -> LogSubject {
    caller.map(|caller| caller.what.clone()).unwrap_or_default()
}

/// The answer, or what the first active mishap leaves of it; then the log says that it never arrived.
pub(super) async fn spoil(
    house: &SharedState,
    caller: Option<&Caller>,
    answer: Response,
) -> Result<Response, ServerFailure> {
    let active = |mishap: &Mishap| house.fails(*mishap, caller.map(Caller::turn));
    let Some(mishap) = ON_THE_WAY.into_iter().find(active) else { return Ok(answer) };
    let why = Some(mishap.to_string());
    house.act(|authority, now| authority.record(now, "answer_spoilt", LogSubject { why, ..what(caller) }))?;
    Ok(match mishap {
        // Ends when the client hangs up or the sandbox stops.
        Mishap::Slow => pending().await,
        Mishap::Lost => Body::new(CutBody).into_response(),
        Mishap::Huge => (JSON, Body::new(EndlessString { sent: 0 })).into_response(),
        Mishap::Redirect => {
            let elsewhere = format!("{}/oauth/elsewhere", house.issuer);
            (StatusCode::FOUND, [(header::LOCATION, elsewhere)]).into_response()
        }
        Mishap::ServerError => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n").into_response(),
        Mishap::Html => {
            Html("<!doctype html><title>BioTrack</title><h1>Down for maintenance</h1>").into_response()
        }
        _ => {
            let (head, body) = answer.into_parts();
            // The body is in memory already, and small.
            let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
            (head.status, JSON, whole.slice(..whole.len() / 2)).into_response()
        }
    })
}

/// Where `redirect` points: nobody should ever come here, and the log says who did.
pub(super) async fn elsewhere(State(house): State<Arc<SharedState>>) -> Result<Response, ServerFailure> {
    house.act(|authority, now| {
        authority.refuse(now, "followed the token endpoint's redirect", LogSubject::default())
    })?;
    Ok((JSON, r#"{"access_token":"sandbox-trap","token_type":"Bearer"}"#).into_response())
}

/// Fails before its first byte: then the connection is closed with the head still unsent.
struct CutBody;

impl http_body::Body for CutBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }
}

/// A JSON string that goes on and on, in chunks.
struct EndlessString {
    sent: usize,
}

impl http_body::Body for EndlessString {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match self.sent {
            0 => Bytes::from_static(br#"{"access_token":""#),
            HUGE.. => return Poll::Ready(None),
            _ => Bytes::from(vec![b'a'; CHUNK]),
        };
        self.sent += chunk.len();
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}
