//! The HTTP client: one total deadline, answers capped, redirects never followed, and the cause of a failure told apart.

use super::clock::{Clock, SystemClock};
use super::variables::Variables;
use crate::error::{ProviderError, Result};
use jiff::Timestamp;
use oauth2::http::HeaderMap;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The most of an answer that is ever read.
const ANSWER_CAP: usize = 1024 * 1024;

/// What a client is built from.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// From the first byte sent to the last byte read.
    pub deadline: Duration,
    /// Certificates to trust besides the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// Every address is on loopback: no proxy, and no certificate store to load.
    pub loopback: bool,
}

/// A client; clones share its connections.
#[derive(Clone)]
pub struct Http(Arc<dyn Transport>);

/// What carries one request to the provider and its answer back: the network, or what stands in its place in a test.
pub trait Transport: Send + Sync {
    /// Sends one request, once, and gives back its answer, which is capped and comes within the deadline.
    fn send(&self, request: HttpRequest) -> Sending<'_>;
}

/// An answer on its way.
pub type Sending<'t> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 't>>;

/// What makes a client: the machine's network, or what stands in its place in a test.
pub trait Network: Send + Sync {
    /// A client of these options; called inside the runtime's context.
    fn client(&self, options: &HttpOptions, variables: &Variables) -> Result<Http>;
}

/// The machine's network.
pub struct SystemNetwork;

impl Network for SystemNetwork {
    fn client(&self, options: &HttpOptions, variables: &Variables) -> Result<Http> {
        Ok(Http::over(Arc::new(Client::new(options, variables)?)))
    }
}

/// A client over the network.
struct Client {
    client: reqwest::Client,
    /// What stands between, where the environment names something.
    proxy: Option<Proxy>,
}

/// A proxy that the environment names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The variable that does.
    pub variable: &'static str,
    /// Its host, and its port where one is given; never its user name and password. None where the value is no address.
    pub place: Option<String>,
}

impl Proxy {
    /// The one for requests to https addresses.
    pub fn named_by(variables: &Variables) -> Option<Self> {
        let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        let (variable, address) = names.iter().find_map(|name| Some((*name, variables.get(name)?)))?;
        // Without a scheme it's http, as for everybody who reads these variables.
        let whole = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let place = url::Url::parse(&whole).ok().and_then(|address| {
            let port = address.port().map(|port| format!(":{port}")).unwrap_or_default();
            Some(format!("{}{port}", address.host_str()?))
        });
        Some(Self { variable, place })
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpFault {
    /// No connection was made: no byte of the request left, so it may be sent again.
    #[error("{0}")]
    Connect(String),
    /// The request may have been acted on; its answer didn't come whole within the deadline.
    #[error("no whole answer came in time")]
    Timeout,
    /// The answer is larger than any honest one.
    #[error("the answer is larger than 1 MiB")]
    TooLarge,
    /// The request may have been acted on; the connection broke.
    #[error("{0}")]
    Broken(String),
    /// The server itself failed, is overloaded, or sends us elsewhere, where we don't go.
    #[error("HTTP {status}")]
    Status {
        /// Its status.
        status: u16,
        /// How long it asks to be left alone (RFC 9110 10.2.3), where it says so.
        retry_after: Option<Duration>,
    },
}

impl Http {
    /// A client whose requests go this way.
    pub fn over(transport: Arc<dyn Transport>) -> Self {
        Self(transport)
    }

    /// Sends one request, once.
    pub fn send(&self, request: HttpRequest) -> Sending<'_> {
        self.0.send(request)
    }
}

impl Client {
    /// Builds it. Must be called inside the runtime's context.
    fn new(options: &HttpOptions, variables: &Variables) -> Result<Self> {
        let setup = |reason: String| ProviderError::Setup { reason };
        // A second call finds it installed; both are the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // defense: S46 certificate-is-checked
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("biotrack-auth/", env!("CARGO_PKG_VERSION")))
            // defense: S44 redirects-are-not-followed
            .redirect(reqwest::redirect::Policy::none())
            // defense: S41 a-deadline-for-each-request
            // defense: S41 the-deadline-is-for-all-of-it
            .timeout(options.deadline)
            .connect_timeout(options.deadline.min(Duration::from_secs(10)))
            .tcp_nodelay(true);
        if options.loopback {
            builder = builder.no_proxy().tls_certs_only([]);
        }
        if let Some(file) = &options.ca_file {
            let read = std::fs::read(file).map_err(|e| setup(format!("{}: {e}", file.display())))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&read)
                .map_err(|_| setup(format!("{} holds no PEM certificates", file.display())))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|e| setup(root_cause(&e)))?;
        let proxy = if options.loopback { None } else { Proxy::named_by(variables) };
        Ok(Self { client, proxy })
    }

    /// Sends one request, once, and reads its capped answer.
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
        let request = request.try_into().map_err(|e: reqwest::Error| HttpFault::Connect(root_cause(&e)))?;
        let mut answer = self.client.execute(request).await.map_err(|e| self.fault(&e))?;
        let status = answer.status();
        if status.is_redirection() || status.is_server_error() || status.as_u16() == 429 {
            let retry_after = rest(answer.headers(), SystemClock.now());
            return Err(HttpFault::Status { status: status.as_u16(), retry_after });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.fault(&e))? {
            // defense: S45 answer-of-1-mib
            if body.len() + chunk.len() > ANSWER_CAP {
                return Err(HttpFault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut whole = HttpResponse::new(body);
        *whole.status_mut() = status;
        *whole.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(whole)
    }

    fn fault(&self, e: &reqwest::Error) -> HttpFault {
        // defense: S47 a-code-leaves-once
        if e.is_connect() {
            HttpFault::Connect(match &self.proxy {
                Some(Proxy { variable, place: Some(place) }) => {
                    format!("{}; {variable} names the proxy {place}", root_cause(e))
                }
                _ => root_cause(e),
            })
        } else if e.is_timeout() {
            HttpFault::Timeout
        } else {
            HttpFault::Broken(root_cause(e))
        }
    }
}

impl Transport for Client {
    fn send(&self, request: HttpRequest) -> Sending<'_> {
        Box::pin(self.exchange(request))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpFault;
    type Future = Sending<'c>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.send(request)
    }
}

/// How long an answer asks to be left alone: in seconds, or until a date. That's by the clock of who sent it, where they
/// told the time, else by ours.
fn rest(headers: &HeaderMap, ours: Timestamp) -> Option<Duration> {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.trim());
    let asked = text("retry-after")?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(asked).ok()?;
    let told = text("date").and_then(|date| httpdate::parse_http_date(date).ok());
    // One that is over asks for nothing.
    Some(until.duration_since(told.unwrap_or_else(|| ours.into())).unwrap_or_default())
}

/// The innermost cause: reqwest's own sentence holds the whole address.
fn root_cause(e: &dyn std::error::Error) -> String {
    let mut cause = e;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    crate::error::clean(&cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_to_be_left_alone_may_say_so_in_seconds_or_as_a_date() {
        let ours: Timestamp = "2026-03-02T15:00:00Z".parse().unwrap();
        let rest = |asked: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", asked.parse().unwrap());
            if let Some(date) = date {
                headers.insert("date", date.parse().unwrap());
            }
            super::rest(&headers, ours)
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(rest("120", None), seconds(120));
        // The three forms of RFC 9110 5.6.7.
        for date in
            ["Mon, 02 Mar 2026 15:02:00 GMT", "Monday, 02-Mar-26 15:02:00 GMT", "Mon Mar  2 15:02:00 2026"]
        {
            assert_eq!(rest(date, None), seconds(120), "{date}");
        }
        // Its clock is an hour ahead of ours.
        assert_eq!(
            rest("Mon, 02 Mar 2026 16:02:00 GMT", Some("Mon, 02 Mar 2026 16:00:00 GMT")),
            seconds(120)
        );
        assert_eq!(rest("Mon, 02 Mar 2026 14:59:59 GMT", None), seconds(0));
        for odd in ["", "-1", "1.5", "soon", "Mon, 32 Mar 2026 15:02:00 GMT", "2026-03-02T15:02:00Z"] {
            assert_eq!(rest(odd, None), None, "{odd}");
        }
        assert_eq!(super::rest(&HeaderMap::new(), ours), None);
    }
}
