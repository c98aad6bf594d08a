//! The HTTP client: one total deadline, answers capped, redirects never followed, and the cause of a failure told apart.

use super::clock::{Clock, SystemClock};
use super::files::{self, FileSensitivity};
use super::stopped::{READ_GRACE, was_stopped_at};
use super::variables::Variables;
use crate::error::{Error, ProviderError, Result};
use hyper_util::client::proxy::matcher::Matcher;
use jiff::Timestamp;
use oauth2::http::{HeaderMap, Uri};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use std::future::Future;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

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
    fn send(&self, request: HttpRequest) -> PendingResponse<'_>;
}

pub type PendingResponse<'t> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 't>>;

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
    deadline: Duration,
    client: reqwest::Client,
    /// For addresses on this machine: never through a proxy.
    direct: reqwest::Client,
    /// What may stand between; `None` where every address is on this machine.
    proxies: Option<ProxyRules>,
}

/// A proxy that stands between here and an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Who names it: a variable, or the system.
    pub named_by: &'static str,
    /// Its host, and its port where one is given; never its user name and password.
    pub place: String,
}

/// By what it's decided whether a request goes through a proxy: the client's own rules, read as the client reads them.
pub struct ProxyRules {
    /// The variable that names one, and what all variables together come to.
    variable: Option<&'static str>,
    of_variables: Matcher,
    /// What these come to with the settings of Windows or macOS; `None` elsewhere.
    of_system: Option<Matcher>,
}

impl ProxyRules {
    /// The rules of this process on this system.
    pub fn of(variables: &Variables) -> Self {
        let of_system = cfg!(any(windows, target_os = "macos")).then(Matcher::from_system);
        Self::with(variables, of_system)
    }

    fn with(variables: &Variables, of_system: Option<Matcher>) -> Self {
        let first = |names: [&'static str; 2]| names.into_iter().find(|name| variables.get(name).is_some());
        let (https, all) = (first(["HTTPS_PROXY", "https_proxy"]), first(["ALL_PROXY", "all_proxy"]));
        let value = |name: Option<&str>| name.and_then(|name| variables.get(name)).unwrap_or_default();
        let of_variables = Matcher::builder()
            .https(value(https))
            .all(value(all))
            .no(value(first(["NO_PROXY", "no_proxy"])))
            .build();
        Self { variable: https.or(all), of_variables, of_system }
    }

    /// The one that a request to this address goes through.
    pub fn between(&self, address: &Uri) -> Option<Proxy> {
        const SYSTEM: &str = "the system's network configuration";
        let named = self.of_variables.intercept(address);
        let (taken, named_by) = match &self.of_system {
            None => (named?, self.variable?),
            Some(system) => {
                let taken = system.intercept(address)?;
                let is_named = named.is_some_and(|named| named.uri() == taken.uri());
                (taken, self.variable.filter(|_| is_named).unwrap_or(SYSTEM))
            }
        };
        let port = taken.uri().port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(Proxy { named_by, place: format!("{}{port}", taken.uri().host()?) })
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpFault {
    /// No connection was made: no byte of the request left, so it may be sent again.
    #[error("{0}")]
    Connect(String),
    /// The request may have been acted on; its answer didn't come whole within the deadline.
    #[error("no complete answer arrived in time")]
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

    pub fn send(&self, request: HttpRequest) -> PendingResponse<'_> {
        self.0.send(request)
    }
}

impl Client {
    /// Builds it. Must be called inside the runtime's context.
    fn new(options: &HttpOptions, variables: &Variables) -> Result<Self> {
        let (deadline, direct) = (options.deadline, Self::build(options, true, None)?);
        if options.loopback {
            return Ok(Self { deadline, client: direct.clone(), direct, proxies: None });
        }
        let named = named_certificates(variables)?;
        // Elsewhere the client's own look at the system's certificates begins with that variable.
        let instead = named.filter(|_| cfg!(any(windows, target_os = "macos")));
        let client = Self::build(options, false, instead)?;
        Ok(Self { deadline, client, direct, proxies: Some(ProxyRules::of(variables)) })
    }

    /// `instead`: the only certificates to trust, besides those of `ca_file`.
    fn build(options: &HttpOptions, direct: bool, instead: Option<&Path>) -> Result<reqwest::Client> {
        let setup = |reason: String| ProviderError::Setup { reason };
        // A second call finds it installed; both are the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // defense: S46 certificate-is-checked
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("biotrack-auth/", env!("CARGO_PKG_VERSION")))
            // defense: S44 redirects-are-not-followed
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.deadline.min(Duration::from_secs(10)))
            .tcp_nodelay(true);
        // Whatever a name server or a hosts file says of that name.
        // defense: S59 localhost-is-this-machine
        builder = builder.resolve_to_addrs("localhost", &LOCALHOST);
        if direct {
            // defense: S59 no-proxy-to-this-machine
            builder = builder.no_proxy();
        }
        if options.loopback {
            builder = builder.tls_certs_only([]);
        }
        if let Some(file) = instead {
            builder = builder.tls_certs_only(certificates(file)?);
        }
        if let Some(file) = &options.ca_file {
            builder = builder.tls_certs_merge(certificates(file)?);
        }
        Ok(builder.build().map_err(|e| setup(root_cause(&e)))?)
    }

    /// Sends one request, once, and reads its capped answer. One deadline is for all of it; what came for a process that was stopped
    /// beyond that is read all the same: a code may have brought its grant.
    async fn exchange_in_time(&self, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
        // defense: S41 a-deadline-for-each-request
        let deadline = self.deadline;
        let until = Instant::now() + deadline;
        let mut exchange = pin!(self.exchange(request));
        match timeout(deadline, &mut exchange).await {
            Ok(answer) => answer,
            Err(_) if was_stopped_at(until) => {
                timeout(READ_GRACE, exchange).await.unwrap_or(Err(HttpFault::Timeout))
            }
            Err(_) => Err(HttpFault::Timeout),
        }
    }

    /// The same, however long it takes.
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
        let request: reqwest::Request =
            request.try_into().map_err(|e: reqwest::Error| HttpFault::Connect(root_cause(&e)))?;
        let is_here = request.url().host().is_some_and(|host| is_this_machine(&host));
        let client = if is_here { &self.direct } else { &self.client };
        let address = request.url().clone();
        // What stands between is looked up where it's to be named: after a failure.
        let failed = |e: reqwest::Error| {
            let proxies = self.proxies.as_ref().filter(|_| !is_here);
            let proxy = proxies.and_then(|it| it.between(&address.as_str().parse().ok()?));
            fault(&e, proxy.as_ref())
        };
        let mut answer = client.execute(request).await.map_err(failed)?;
        let status = answer.status();
        if status.is_redirection() || status.is_server_error() || status.as_u16() == 429 {
            let retry_after = rest(answer.headers(), SystemClock.now());
            return Err(HttpFault::Status { status: status.as_u16(), retry_after });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
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
}

fn fault(e: &reqwest::Error, proxy: Option<&Proxy>) -> HttpFault {
    // defense: S47 a-code-leaves-once
    if e.is_connect() {
        HttpFault::Connect(match proxy {
            Some(Proxy { named_by, place }) => {
                format!("{}; {named_by} names the proxy {place}", root_cause(e))
            }
            None => root_cause(e),
        })
    } else if e.is_timeout() {
        HttpFault::Timeout
    } else {
        HttpFault::Broken(root_cause(e))
    }
}

/// The certificates of a file.
fn certificates(file: &Path) -> Result<Vec<reqwest::Certificate>> {
    let setup = |reason: String| Error::from(ProviderError::Setup { reason });
    let unread = |e: &dyn std::fmt::Display| setup(format!("{}: {e}", file.display()));
    // Whoever can change whom we trust can answer in the provider's place.
    let open = files::open_provided(file, FileSensitivity::Settings).map_err(|e| setup(e.to_string()))?;
    let mut read = Vec::new();
    open.ok_or_else(|| unread(&"there is no such file"))?.read_to_end(&mut read).map_err(|e| unread(&e))?;
    let found = reqwest::Certificate::from_pem_bundle(&read).ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| setup(format!("{} holds no PEM certificates", file.display())))
}

/// The file of certificates that the environment names. It must be there: without it the client has none, or others.
fn named_certificates(variables: &Variables) -> Result<Option<&Path>> {
    const VARIABLE: &str = "SSL_CERT_FILE";
    let Some(file) = variables.get(VARIABLE) else { return Ok(None) };
    let why = match files::open_provided(Path::new(file), FileSensitivity::Settings) {
        Ok(Some(_)) => return Ok(Some(Path::new(file))),
        Ok(None) => format!("{file}: there is no such file"),
        Err(e) => e.to_string(),
    };
    Err(Error::Usage {
        what: format!("the environment variable {VARIABLE} can't be used: {}", crate::error::clean(&why)),
        hint: format!("Set {VARIABLE} to a file of PEM certificates, or unset it."),
    })
}

/// Where `localhost` is; the address's own port holds.
const LOCALHOST: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

/// Whether a host is this machine, in whatever way it's written: its loopback addresses, the one that stands for all of its
/// own, and the names that stand for these (RFC 6761 6.3).
pub fn is_this_machine(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Ipv4(ip) => ip.is_loopback() || ip.is_unspecified(),
        url::Host::Ipv6(ip) => {
            let mapped = ip.to_ipv4().is_some_and(|ip| ip.is_loopback() || ip.is_unspecified());
            ip.is_loopback() || ip.is_unspecified() || mapped
        }
        url::Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

impl Transport for Client {
    fn send(&self, request: HttpRequest) -> PendingResponse<'_> {
        Box::pin(self.exchange_in_time(request))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpFault;
    type Future = PendingResponse<'c>;

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
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// Answers everything, and hands over each request's first line.
    fn listener(answer: &'static str) -> (String, std::sync::mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, asked) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for link in listener.incoming() {
                let mut link = BufReader::new(link.unwrap());
                let mut lines = Vec::new();
                while !lines.last().is_some_and(|line: &String| line.trim().is_empty()) {
                    let mut line = String::new();
                    if link.read_line(&mut line).unwrap() == 0 {
                        break;
                    }
                    lines.push(line);
                }
                let _ = sender.send(lines.swap_remove(0));
                let _ = link.get_mut().write_all(answer.as_bytes());
            }
        });
        (format!("127.0.0.1:{port}"), asked)
    }

    #[test]
    fn s59_what_is_on_this_machine_is_asked_here_and_never_through_a_proxy() {
        let (provider, asked) = listener("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let (proxy, passed) =
            listener("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let options = HttpOptions { deadline: Duration::from_secs(30), ca_file: None, loopback: false };
        let mut client = Client::new(&options, &Variables::default()).unwrap();
        // As the environment's variables make it for what is elsewhere.
        let through = reqwest::Proxy::all(format!("http://{proxy}")).unwrap();
        client.client = reqwest::Client::builder().proxy(through).build().unwrap();
        let port = provider.rsplit_once(':').unwrap().1;
        let send = |address: String| {
            let request = oauth2::http::Request::get(address).body(Vec::new()).unwrap();
            runtime.block_on(client.exchange(request)).map(|answer| answer.status().as_u16()).ok()
        };
        for host in ["127.0.0.1", "localhost", "LOCALHOST"] {
            assert_eq!(send(format!("http://{host}:{port}/{host}")), Some(200));
            assert!(asked.try_recv().unwrap().starts_with(&format!("GET /{host} ")));
        }
        assert!(passed.try_recv().is_err());
        // The control: what is elsewhere goes through it.
        assert_eq!(send("http://elsewhere.example/".into()), None);
        assert!(passed.try_recv().unwrap().starts_with("GET http://elsewhere.example/ "));
    }

    #[test]
    fn a_proxy_is_told_where_one_stands_between_and_by_who_names_it() {
        let of = |variables: &[(&str, &str)], system: Option<Matcher>, address: &'static str| {
            let rules = ProxyRules::with(
                &Variables::new(variables.iter().map(|(name, value)| (name.to_string(), value.to_string()))),
                system,
            );
            rules.between(&Uri::from_static(address)).map(|it| format!("{} ({})", it.place, it.named_by))
        };
        let named = [("HTTPS_PROXY", "http://me:secret@proxy.example:3128/")];
        let told = of(&named, None, "https://biotr.ac/x");
        assert_eq!(told.as_deref(), Some("proxy.example:3128 (HTTPS_PROXY)"));
        let excepted = [named[0], ("no_proxy", ".biotr.ac,10.0.0.0/8")];
        assert_eq!(of(&excepted, None, "https://api.biotr.ac/x"), None);
        assert_eq!(of(&excepted, None, "https://10.1.2.3/x"), None);
        assert!(of(&excepted, None, "https://other.example/x").is_some());
        assert_eq!(
            of(&[("all_proxy", "p.example")], None, "https://biotr.ac/").unwrap(),
            // On Windows the name is the same in any case, and the first spelling is told.
            if cfg!(windows) { "p.example (ALL_PROXY)" } else { "p.example (all_proxy)" }
        );
        assert_eq!(of(&[], None, "https://biotr.ac/"), None);
        // Windows and macOS have settings of their own.
        let system = |proxy: &str| Some(Matcher::builder().https(proxy).no("inside.example").build());
        let told = of(&[], system("proxy.corp:8080"), "https://biotr.ac/");
        assert_eq!(told.as_deref(), Some("proxy.corp:8080 (the system's network configuration)"));
        assert_eq!(of(&[], system("proxy.corp:8080"), "https://inside.example/"), None);
        assert_eq!(of(&[], system(""), "https://biotr.ac/"), None);
        let told = of(&named, system("http://proxy.example:3128"), "https://biotr.ac/");
        assert_eq!(told.as_deref(), Some("proxy.example:3128 (HTTPS_PROXY)"));
    }

    #[test]
    fn a_file_of_certificates_has_some() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "no certificate").unwrap();
        let refused = certificates(&file).unwrap_err().to_string();
        assert!(refused.contains("ca.pem holds no PEM certificates"), "{refused}");
        assert!(certificates(&folder.path().join("none.pem")).is_err());
    }

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
