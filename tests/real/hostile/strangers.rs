//! Hostile redirects, as the products of what can be wrong with one.

use super::{get, parameter};
use url::Url;

/// A request, and how it may be answered.
pub struct Try {
    pub what: String,
    pub bytes: Vec<u8>,
    pub statuses: &'static [u16],
}

/// The true answer, taken apart.
pub struct True {
    pub host: String,
    pub query: String,
    pub code: String,
    pub state: String,
    pub iss: String,
}

impl True {
    pub fn of(back: &Url) -> Self {
        Self {
            host: format!("127.0.0.1:{}", back.port().unwrap()),
            query: back.query().unwrap().to_owned(),
            code: parameter(back, "code"),
            state: parameter(back, "state"),
            iss: parameter(back, "iss"),
        }
    }

    pub fn target(&self) -> String {
        format!("/callback?{}", self.query)
    }

    fn asks(&self, target: &str, statuses: &'static [u16]) -> Try {
        Try { what: target.chars().take(200).collect(), bytes: get(&self.host, target), statuses }
    }

    /// The ways of naming the sender, of which the first is right.
    fn issuers(&self) -> Vec<String> {
        let iss = &self.iss;
        let port = iss.rsplit_once(':').unwrap().1;
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let one = |text: &str| format!("&iss={}", encoded(text));
        vec![
            one(iss),
            String::new(),
            "&iss=".into(),
            one("https://evil.example"),
            one(&iss.to_uppercase()),
            one(&format!("{iss}/")),
            one(&iss.replace(port, "1")),
            one(&iss.replace("http", "https")),
            one(&iss.replace("127.0.0.1", "localhost")),
            format!("{0}{0}", one(iss)),
            format!("{}{}", one(iss), one("https://evil.example")),
        ]
    }
}

/// States that aren't that of the question, as they stand in a query.
pub fn wrong_states(state: &str, others: &[String]) -> Vec<String> {
    let flipped = |at: usize| {
        let mut bytes = state.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let swapped: String = state
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    let twice_encoded: String = state.bytes().map(|byte| format!("%25{byte:02x}")).collect();
    let mut all: Vec<String> = [
        String::new(),
        "state=".into(),
        "state".into(),
        "state=wrong".into(),
        format!("state={}", flipped(0)),
        format!("state={}", flipped(state.len() / 2)),
        format!("state={}", flipped(state.len() - 1)),
        format!("state={}", &state[..state.len() - 1]),
        format!("state={}", &state[1..]),
        format!("state={state}A"),
        format!("state=A{state}"),
        format!("state={swapped}"),
        format!("state={state}%00"),
        format!("state={state}%20"),
        format!("state=+{state}"),
        format!("state={state}%0d%0a"),
        format!("state=%ef%bb%bf{state}"),
        format!("state={twice_encoded}"),
        format!("state={state}&state={state}"),
        format!("state={state}&state=wrong"),
        format!("state=wrong&state={state}"),
        format!("STATE={state}"),
        format!("state[]={state}"),
        format!("%20state={state}"),
        format!("x=1;state={state}"),
    ]
    .into();
    all.extend(others.iter().map(|other| format!("state={other}")));
    all
}

/// Wrong state with every answer and every sender: 400, and the program goes on waiting (S18).
pub fn strangers(it: &True, others: &[String]) -> Vec<Try> {
    let code = &it.code;
    let answers = [
        format!("code={code}"),
        "code=guessed".into(),
        "code=".into(),
        "error=access_denied".into(),
        "error=server_error&error_description=%3Cscript%3Ealert(1)%3C/script%3E".into(),
        format!("code={code}&error=access_denied"),
        format!("code={code}&code={code}"),
        String::new(),
    ];
    let mut all = Vec::new();
    for state in wrong_states(&it.state, others) {
        for answer in &answers {
            for iss in it.issuers() {
                all.push(it.asks(&format!("/callback?{answer}&{state}{iss}"), &[400]));
            }
        }
    }
    all
}

/// Everything right but the path.
pub fn other_paths(it: &True) -> Vec<Try> {
    [
        "//callback",
        "/./callback",
        "/x/../callback",
        "/CALLBACK",
        "/Callback",
        "/callback%2f",
        "/callback%2F",
        "/%63allback",
        "/callback%00",
        "/callback%20",
        "/callback.",
        "/callback;x=1",
        "/callback/x",
        "/callback/..",
        "/callback#",
        "/callback#x",
        "/callback\\",
        "/callback%3f",
        "/callbac",
        "/callbackk",
        "/",
        "/favicon.ico",
        "/healthz",
        "/.well-known/x",
        "/oauth/token",
        "/..%2fcallback",
        "/callback/%2e",
        "//",
    ]
    .iter()
    .map(|path| it.asks(&format!("{path}?{}", it.query), &[404]))
    .collect()
}

/// Everything right but the method, or the form of the target.
pub fn other_methods(it: &True) -> Vec<Try> {
    let target = it.target();
    let request = |line: String, headers: &str, statuses| Try {
        what: format!("{line} {headers:?}"),
        bytes: format!("{line} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", it.host).into_bytes(),
        statuses,
    };
    let mut all: Vec<_> =
        ["HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "GETT"]
            .iter()
            .map(|method| request(format!("{method} {target}"), "", &[405]))
            .collect();
    for headers in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n",
    ] {
        all.push(request(format!("POST {target}"), headers, &[405]));
    }
    // What a page of ours may post, it may post to the worklist alone.
    all.push(request(format!("POST {target}"), "Sec-Fetch-Site: same-origin\r\n", &[405]));
    all.push(request(format!("POST {target}"), &format!("Origin: http://{}\r\n", it.host), &[405]));
    for absolute in [
        format!("http://{}{target}", it.host),
        format!("http://evil.example{target}"),
        format!("{}{target}", it.host),
        format!("callback?{}", it.query),
        "*".into(),
    ] {
        all.push(request(format!("GET {absolute}"), "", &[404]));
    }
    all
}

/// Everything right but whom the browser thinks it's talking to: another name, rebound to this machine (S20).
pub fn other_hosts(it: &True) -> Vec<Try> {
    let port = it.host.rsplit_once(':').unwrap().1;
    let target = it.target();
    let mut all = Vec::new();
    for host in [
        "evil.example".into(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        "127.0.0.1".into(),
        "127.0.0.1:1".into(),
        "127.0.0.1:80".into(),
        format!("127.0.0.1:0{port}"),
        format!("127.0.0.1:{port}."),
        format!("127.0.0.1.:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f000001:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("localhost:{port}"),
        format!("user@127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}"),
        format!("127.0.0.1:{port}, evil.example"),
        format!("127.0.0.1:{port}/"),
        format!("127.0.0.1:{port}\tx"),
        String::new(),
    ] {
        all.push(Try { what: format!("Host: {host}"), bytes: get(&host, &target), statuses: &[421] });
    }
    let ours = format!("Host: {}\r\n", it.host);
    let evil = "Host: evil.example\r\n";
    for (hosts, statuses) in [
        (String::new(), &[400][..]),
        (format!("{ours}{ours}"), &[421]),
        (format!("{ours}{evil}"), &[421]),
        (format!("{evil}{ours}"), &[421]),
        (format!("{evil}X-Forwarded-Host: {}\r\n", it.host), &[421]),
        (format!(" {ours}"), &[400]),
        (ours.replace(": ", " : "), &[400]),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\n{hosts}\r\n").into_bytes();
        all.push(Try { what: format!("{hosts:?}"), bytes, statuses });
    }
    all
}

/// Everything right but the bytes of the request around it.
pub fn malformed(it: &True) -> Vec<Try> {
    let (target, host) = (it.target(), &it.host);
    let ours = format!("Host: {host}\r\n");
    let long = "x".repeat(17 * 1024);
    let lines: Vec<(Vec<u8>, &'static [u16])> = vec![
        (format!("GET {target} HTTP/1.1\n{ours}\n").into(), &[400]),
        (format!("GET {target} HTTP/1.1\r\nHost: {host}\n\r\n").into(), &[400]),
        (format!("GET {target}\r\n\r\n").into(), &[400]),
        (format!("GET {target} HTTP/2.0\r\n{ours}\r\n").into(), &[505]),
        (format!("GET  {target} HTTP/1.1\r\n{ours}\r\n").into(), &[400]),
        (format!("GET {target} x HTTP/1.1\r\n{ours}\r\n").into(), &[400]),
        (format!("\r\nGET {target} HTTP/1.1\r\n{ours}\r\n").into(), &[400]),
        (format!("GET {target}\0 HTTP/1.1\r\n{ours}\r\n").into(), &[400]),
        (format!("GET {target}\u{1b}[2J HTTP/1.1\r\n{ours}\r\n").into(), &[400]),
        (format!("GET {target}&x=é HTTP/1.1\r\n{ours}\r\n").into(), &[400]),
        (
            [b"GET ", target.as_bytes(), b"&x=\xff\xfe HTTP/1.1\r\n", ours.as_bytes(), b"\r\n"].concat(),
            &[400],
        ),
        (format!("GET {target} HTTP/1.1\r\n{ours}X: a\r\n folded: b\r\n\r\n").into(), &[400]),
        (format!("GET {target} HTTP/1.1\r\n{ours}nocolon\r\n\r\n").into(), &[400]),
        (format!("GET {target} HTTP/1.1\r\n{ours}Content-Length: 4\r\n\r\nbody").into(), &[400]),
        (format!("GET {target} HTTP/1.1\r\n{ours}Content-Length: -1\r\n\r\n").into(), &[400]),
        (
            format!("GET {target} HTTP/1.1\r\n{ours}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into(),
            &[400],
        ),
        (
            format!("GET {target} HTTP/1.1\r\n{ours}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n")
                .into(),
            &[400],
        ),
        (format!("GET {target}&x={long} HTTP/1.1\r\n{ours}\r\n").into(), &[431]),
        (format!("GET {target} HTTP/1.1\r\n{ours}X: {long}\r\n\r\n").into(), &[431]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[0]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[505]),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), &[0, 400]),
    ];
    let named = |(bytes, statuses): (Vec<u8>, _)| Try {
        what: String::from_utf8_lossy(&bytes).chars().take(120).collect(),
        bytes,
        statuses,
    };
    lines.into_iter().map(named).collect()
}

/// What would hurt if it were echoed, in every parameter of a stranger's answer (S21).
pub fn markup(it: &True) -> Vec<Try> {
    let long = "A".repeat(8 * 1024);
    let payloads = [
        "<script>alert(1)</script>",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "%22%3E%3Cimg+src=x+onerror=alert(1)%3E",
        "%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a%3Cscript%3E",
        "%00",
        "%ff%fe%c3%28",
        "%1b]52;c;aGk%3D%07",
        "%1b[2J%9b2J",
        "%e2%80%aegpj.exe",
        "javascript:alert(1)",
        "{{7*7}}${7*7}",
        "%",
        "%zz",
        "%u0041",
        "'--",
        &long,
    ];
    let names = ["code", "state", "iss", "error", "error_description", "error_uri", "scope", "x"];
    let mut all = Vec::new();
    for name in names {
        for payload in payloads {
            let rest = if name == "state" { String::new() } else { "&state=wrong".into() };
            all.push(it.asks(&format!("/callback?{name}={payload}{rest}"), &[400]));
            all.push(it.asks(&format!("/callback?code={}&{payload}={name}{rest}", it.code), &[400]));
        }
    }
    all
}

/// Right state, and something else wrong: what is answered, and the exit code.
pub fn contradictions(it: &True) -> Vec<(String, i32)> {
    let (code, state) = (&it.code, &it.state);
    let mut all: Vec<_> = it.issuers()[1..]
        .iter()
        .flat_map(|iss| {
            [
                (format!("code={code}&state={state}{iss}"), 6),
                (format!("error=access_denied&state={state}{iss}"), 6),
            ]
        })
        .collect();
    let iss = &it.issuers()[0];
    for (answer, exit) in [
        (format!("code={code}&code={code}"), 6),
        (format!("code={code}&code=x"), 6),
        (format!("code={code}&error=access_denied"), 6),
        ("error=access_denied&error=server_error".into(), 6),
        ("code=".into(), 6),
        ("x=1".into(), 6),
        ("error=access_denied".into(), 6),
        ("error=invalid_request".into(), 6),
        ("error=unauthorized_client".into(), 6),
        ("error=unsupported_response_type".into(), 6),
        ("error=invalid_scope".into(), 6),
        ("error=server_error".into(), 8),
        ("error=temporarily_unavailable".into(), 8),
        ("error=".into(), 6),
        ("error=purple%1b[31m&error_description=%1b]52;c;aGk%3D%07%c2%9b2J%e2%80%ae%0d%0aX:".into(), 6),
        ("error=%3Cscript%3Ealert(1)%3C/script%3E&error_description=%3Cimg%20src=x%3E&error_uri=javascript:1".into(), 6),
        (format!("error=x&error_description={}", "A".repeat(8 * 1024)), 6),
    ] {
        all.push((format!("{answer}&state={state}{iss}"), exit));
    }
    all
}
