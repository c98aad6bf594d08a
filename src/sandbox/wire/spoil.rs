//! What becomes of the token endpoint's answer on its way, when it is told to fail.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use http_body::Frame;

use super::{Broken, House};
use crate::sandbox::log::What;
use crate::sandbox::mishaps::Mishap;

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
/// Where the endless body ends after all, in bytes.
const HUGE: usize = 200 * 1024 * 1024;
static FILLING: [u8; 64 * 1024] = [b'a'; 64 * 1024];

/// The answer, or what the first active mishap leaves of it.
pub(super) async fn spoil(house: &House, answer: Response) -> Response {
    if house.fails(Mishap::Slow) {
        // Ends when the client hangs up or the sandbox stops.
        pending().await
    } else if house.fails(Mishap::Huge) {
        (JSON, Body::new(Endless { sent: 0 })).into_response()
    } else if house.fails(Mishap::Redirect) {
        (StatusCode::FOUND, [(header::LOCATION, format!("{}/oauth/elsewhere", house.issuer))]).into_response()
    } else if house.fails(Mishap::ServerError) {
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n").into_response()
    } else if house.fails(Mishap::Html) {
        Html("<!doctype html><title>BioTrack</title><h1>Down for maintenance</h1>").into_response()
    } else if house.fails(Mishap::BadJson) {
        let (head, body) = answer.into_parts();
        // The body is in memory already, and small.
        let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
        (head.status, JSON, whole.slice(..whole.len() / 2)).into_response()
    } else {
        answer
    }
}

/// Where `redirect` points: nobody should ever come here, and the log says who did.
pub(super) async fn elsewhere(State(house): State<Arc<House>>) -> Result<Response, Broken> {
    house.act(|authority, now| {
        authority.refuse(now, "followed the token endpoint's redirect", What::default())
    })?;
    Ok((JSON, r#"{"access_token":"sandbox-trap","token_type":"Bearer"}"#).into_response())
}

/// A JSON string that goes on and on, in chunks.
struct Endless {
    sent: usize,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match self.sent {
            0 => Bytes::from_static(br#"{"access_token":""#),
            HUGE.. => return Poll::Ready(None),
            _ => Bytes::from_static(&FILLING),
        };
        self.sent += chunk.len();
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}
