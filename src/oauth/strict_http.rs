//! An answer is one JSON object and nothing else. oauth2 stops reading at the object's end, whatever follows it, and takes
//! a list for an error; a proxy that reads the whole of it, or the last of two members, would hear something else.

use super::members::members;
use crate::system::{Http, HttpFault};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use std::pin::Pin;

/// A client that hands on no answer which could be read in two ways.
pub(super) struct StrictClient<'h>(pub &'h Http);

impl<'c> AsyncHttpClient<'c> for StrictClient<'_> {
    type Error = HttpFault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async { self.0.send(request).await.map(whole) })
    }
}

/// The answer; where its body isn't one object with different members, with a body that nobody takes for one.
pub(super) fn whole(mut answer: HttpResponse) -> HttpResponse {
    // defense: S43 answer-is-one-object
    if !answer.body().is_empty() && members(answer.body()).is_err() {
        *answer.body_mut() = b"-".to_vec();
    }
    answer
}
