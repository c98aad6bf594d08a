//! An answer is one JSON object and nothing else. oauth2 stops reading at the object's end, whatever follows it, and takes
//! a list for an error; a proxy that reads the whole of it, or the last of two members, would hear something else. What is
//! clear, on the other hand, is taken: a consent isn't wasted because its answer is labeled as text.

use super::members::{AllMembers, all_members, without_mark};
use crate::system::{Http, HttpFault};
use oauth2::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use oauth2::http::{HeaderValue, StatusCode};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use std::pin::Pin;

/// A client that hands on no answer which could be read in two ways.
pub(super) struct StrictClient<'h>(pub &'h Http);

impl<'c> AsyncHttpClient<'c> for StrictClient<'_> {
    type Error = HttpFault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async { self.0.send(request).await.map(|answer| whole(well_formed(answer))) })
    }
}

/// The answer; where its body isn't one object, with a body that nobody takes for one.
pub(super) fn whole(mut answer: HttpResponse) -> HttpResponse {
    // defense: S43 answer-is-one-object
    if !answer.body().is_empty() && all_members(answer.body()).is_err() {
        *answer.body_mut() = nothing_to_read(&answer);
    }
    answer
}

/// A token answer in the form that RFC 6749 5.1 and 5.2 ask for, where only its form isn't theirs: another status of
/// success, JSON that is labeled as text, or a refusal in which some member stands twice.
pub(super) fn well_formed(mut answer: HttpResponse) -> HttpResponse {
    let Ok(AllMembers { members, .. }) = all_members(answer.body()) else { return answer };
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    // A page is never a token answer, whatever it says.
    if kind.trim_start().to_ascii_lowercase().starts_with("text/html") {
        return answer;
    }
    let status = answer.status();
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match status {
        StatusCode::OK
        | StatusCode::CREATED
        | StatusCode::ACCEPTED
        | StatusCode::NON_AUTHORITATIVE_INFORMATION => {
            *answer.status_mut() = StatusCode::OK;
            *answer.body_mut() = without_mark(answer.body()).to_vec();
        }
        _ => {
            if let Ok(body) = serde_json::to_vec(&members) {
                *answer.body_mut() = body;
            }
        }
    }
    answer
}

const NOTHING: &[u8] = b"-";

/// The encodings that a server may use without being asked to.
const ENCODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

/// A body that is no JSON, and says in which known encoding it came, if in any.
fn nothing_to_read(answer: &HttpResponse) -> Vec<u8> {
    let encoding = answer.headers().get(CONTENT_ENCODING).and_then(|it| it.to_str().ok());
    let known =
        ENCODINGS.iter().find(|it| encoding.is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case(it)));
    [NOTHING, known.map_or("", |it| it).as_bytes()].concat()
}

/// The encoding that kept a body from being read.
pub(super) fn unasked_encoding(body: &[u8]) -> Option<&'static str> {
    let encoding = body.strip_prefix(NOTHING)?;
    ENCODINGS.into_iter().find(|it| it.as_bytes() == encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &[u8]) -> HttpResponse {
        let mut answer = HttpResponse::new(body.to_vec());
        *answer.status_mut() = status.try_into().unwrap();
        for (name, value) in headers {
            answer.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        whole(well_formed(answer))
    }

    #[test]
    fn json_is_taken_whatever_it_is_labeled_as_but_for_a_page() {
        for kind in ["text/plain", "text/plain; charset=utf-8", "text/javascript", "application/x"] {
            let read = answer(201, &[("content-type", kind)], b"\xef\xbb\xbf{\"access_token\":\"a\"}");
            assert_eq!(read.headers()[CONTENT_TYPE], "application/json", "{kind}");
            assert_eq!(
                (read.status(), read.body().as_slice()),
                (StatusCode::OK, &b"{\"access_token\":\"a\"}"[..])
            );
        }
        let page = answer(200, &[("content-type", "Text/HTML; charset=utf-8")], b"{}");
        assert_eq!(page.headers()[CONTENT_TYPE], "Text/HTML; charset=utf-8");
        assert_eq!(answer(200, &[("content-type", "text/plain")], b"no").body(), NOTHING);
    }

    #[test]
    fn a_refusal_says_one_thing_or_nothing() {
        let refusal = |body: &str| String::from_utf8(answer(400, &[], body.as_bytes()).into_body()).unwrap();
        assert_eq!(refusal(r#"{"error":"a","x":1,"x":2}"#), r#"{"error":"a"}"#);
        assert_eq!(refusal(r#"{"error":"a","error":"a"}"#), r#"{"error":"a"}"#);
        assert_eq!(refusal(r#"{"error":"a","error":"b"}"#), "{}");
        assert_eq!(refusal(r#"{"error":"a"}{"error":"b"}"#), "-");
    }

    #[test]
    fn an_encoding_that_nobody_asked_for_is_named_where_it_is_known() {
        for (encoding, named) in [("gzip", Some("gzip")), (" Deflate", Some("deflate")), ("secret", None)] {
            let mut encoded = HttpResponse::new(b"\x1f\x8b".to_vec());
            encoded.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
            assert_eq!(unasked_encoding(whole(encoded).body()), named, "{encoding}");
        }
        assert_eq!(unasked_encoding(answer(200, &[], b"-gzip?").body()), None);
    }
}
