//! The sandbox's wire, tried from outside over plain sockets: here the client, beside it the tests.

mod flows;
mod mishaps;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use biotrack_auth::sandbox::{Mishap, MishapRule, Options, Sandbox};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1:9/back?keep=1";
const CLIENT: [(&str, &str); 2] =
    [("client_id", "biotrack-auth-sandbox"), ("client_secret", "sandbox-secret")];

fn start(fail: &[Mishap]) -> Sandbox {
    start_with(Options { fail: fail.iter().copied().map(MishapRule::from).collect(), ..Options::default() })
}

fn start_with(options: Options) -> Sandbox {
    let clock = Arc::new(|| "2026-01-01T00:00:00Z".parse().unwrap());
    Sandbox::start(options, clock).unwrap()
}

/// An answer, taken apart.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        })
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A parameter of the way back.
    fn back(&self, name: &str) -> Option<String> {
        assert_eq!(self.status, 303, "{}", self.body);
        let url = Url::parse(self.header("location").unwrap()).unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// All that comes back until the connection ends.
fn raw(sandbox: &Sandbox, request: &str) -> String {
    let mut stream = TcpStream::connect(&sandbox.address()["http://".len()..]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn send(sandbox: &Sandbox, request: &str) -> Reply {
    taken_apart(&raw(sandbox, request))
}

fn taken_apart(answer: &str) -> Reply {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

fn get(sandbox: &Sandbox, target: &str, headers: &str) -> Reply {
    send(sandbox, &format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"))
}

fn post_with(sandbox: &Sandbox, path: &str, form: &[(&str, &str)], headers: &str) -> Reply {
    taken_apart(&raw_post(sandbox, path, form, headers))
}

fn raw_post(sandbox: &Sandbox, path: &str, form: &[(&str, &str)], headers: &str) -> String {
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    raw(
        sandbox,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn post(sandbox: &Sandbox, path: &str, form: &[(&str, &str)]) -> Reply {
    post_with(sandbox, path, form, "")
}

/// The authorization request with some parameters replaced; an empty one is left out.
fn authorize(sandbox: &Sandbox, changes: &[(&str, &str)]) -> Reply {
    let usual = [
        ("response_type", "code"),
        ("client_id", "biotrack-auth-sandbox"),
        ("redirect_uri", BACK),
        ("state", "s t"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("ubi", "0042"),
        ("license", "OCM-RETL-24-000064"),
        ("username", "ann"),
    ];
    let mut query = Serializer::new(String::new());
    for (name, value) in usual {
        let value = changes.iter().find(|(key, _)| *key == name).map_or(value, |(_, value)| value);
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    get(sandbox, &format!("/oauth?{}", query.finish()), "")
}

fn request_of(page: &Reply) -> String {
    assert_eq!(page.status, 200, "{}", page.body);
    let value = page.body.split("name=\"request\" value=\"").nth(1).unwrap();
    value.split('"').next().unwrap().to_owned()
}

fn click(sandbox: &Sandbox, request: &str, decision: &str, fields: [&str; 3]) -> Reply {
    let [ubi, username, password] = fields;
    let form = [
        ("request", request),
        ("decision", decision),
        ("ubi", ubi),
        ("username", username),
        ("password", password),
    ];
    post(sandbox, "/oauth/grant", &form)
}

fn consent(sandbox: &Sandbox) -> Reply {
    let request = request_of(&authorize(sandbox, &[]));
    click(sandbox, &request, "grant", ["0042", "ann", "sandbox"])
}

fn code(sandbox: &Sandbox) -> String {
    consent(sandbox).back("code").unwrap()
}

fn as_client(sandbox: &Sandbox, path: &str, form: &[(&str, &str)]) -> Reply {
    post(sandbox, path, &[&CLIENT, form].concat())
}

fn exchange_form(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ]
}

fn exchange(sandbox: &Sandbox, code: &str) -> Reply {
    as_client(sandbox, "/oauth/token", &exchange_form(code))
}

fn refresh(sandbox: &Sandbox, token: &str) -> Reply {
    as_client(sandbox, "/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)])
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}")).to_owned()
}

fn ping(sandbox: &Sandbox, token: &str) -> u16 {
    get(sandbox, "/api/ping", &format!("authorization: Bearer {token}\r\n")).status
}
