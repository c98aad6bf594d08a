//! Something between the program and the token endpoint that sees every exchange, and may hold an answer back.

use super::Rig;
use biotrack_auth::oauth::TEST_CODE;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A token request and its answer, as they went over the wire.
pub struct Seen {
    pub request: String,
    pub answer: String,
}

impl Seen {
    /// Every secret of the exchange: code, verifier, client secret, tokens.
    pub fn secrets(&self) -> Vec<String> {
        let mut found = sent(&self.request);
        for name in ["\"access_token\":\"", "\"refresh_token\":\""] {
            let value = self.answer.split_once(name).and_then(|(_, rest)| rest.split_once('"'));
            found.extend(value.map(|(value, _)| value.to_owned()));
        }
        found
    }
}

/// It runs until the test ends.
pub struct Proxy {
    /// The exchanges; the sandbox has answered each, and the program hasn't heard of it yet.
    pub seen: Receiver<Seen>,
    /// Lets one answer through.
    pub go: Sender<()>,
}

impl Proxy {
    /// Has the rig's program talk to the sandbox's token endpoint through it.
    pub fn of(rig: &Rig) -> Self {
        Self::with(rig, |_, answer| answer)
    }

    /// As [`Self::of`], with another body in the answer's place, where CODE, VERIFIER and SECRET stand for ours.
    pub fn spoiling(rig: &Rig, body: &'static str) -> Self {
        Self::with(rig, move |request, answer| {
            let [code, verifier, secret] = sent(request).try_into().unwrap();
            let body = body.replace("CODE", &code).replace("VERIFIER", &verifier).replace("SECRET", &secret);
            let status = if body.contains("\"error\"") { "400 Bad Request" } else { "200 OK" };
            drop(answer);
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
        })
    }

    /// In the token endpoint's place, until the test ends: what it answers to its 1st, 2nd, … request; the
    /// sandbox hears of none.
    pub fn answering(rig: &Rig, answer: impl Fn(usize) -> String + Send + 'static) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        through(rig, &listener);
        std::thread::spawn(move || {
            let mut nth = 0;
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let request = read_request(&mut stream);
                if is_rehearsed(&mut stream, &request) {
                    continue;
                }
                nth += 1;
                let _ = stream.write_all(answer(nth).as_bytes());
            }
        });
    }

    /// In the token endpoint's place: breaks the connection of its first requests before the sandbox hears of them.
    pub fn lossy(rig: &Rig, first: usize) -> Asked {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        through(rig, &listener);
        let sandbox = rig.sandbox().address();
        let asked = Asked::default();
        let counted = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let request = read_request(&mut stream);
                if is_rehearsed(&mut stream, &request) {
                    continue;
                }
                if counted.0.fetch_add(1, Ordering::SeqCst) >= first {
                    let _ =
                        stream.write_all(forward(&request, sandbox.trim_start_matches("http://")).as_bytes());
                }
            }
        });
        asked
    }

    fn with(rig: &Rig, spoil: impl Fn(&str, String) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        through(rig, &listener);
        let sandbox = rig.sandbox().address();
        let (seen_sender, seen) = channel();
        let (go, gone) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let request = read_request(&mut stream);
                if is_rehearsed(&mut stream, &request) {
                    continue;
                }
                let answer = forward(&request, sandbox.trim_start_matches("http://"));
                let answer = spoil(&request, answer);
                if seen_sender.send(Seen { request, answer: answer.clone() }).is_err() || gone.recv().is_err()
                {
                    return;
                }
                // A program that was killed meanwhile doesn't hear it.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { seen, go }
    }
}

/// Answers a request that only tries what a later one will need: an endpoint, or the client. It's nobody's first.
fn is_rehearsed(stream: &mut TcpStream, request: &str) -> bool {
    let rehearses = request.starts_with("HEAD ") || request.contains(TEST_CODE);
    if rehearses {
        let _ = stream.write_all(json("400 Bad Request", r#"{"error":"invalid_grant"}"#).as_bytes());
    }
    rehearses
}

/// Has the rig's program talk to this in the token endpoint's place.
fn through(rig: &Rig, listener: &TcpListener) {
    let address = listener.local_addr().unwrap();
    rig.adds_to_profile(&format!("token_url = \"http://{address}/oauth/token\""));
}

/// An answer with a body of JSON.
pub fn json(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// How often something was asked.
#[derive(Clone, Default)]
pub struct Asked(pub(super) Arc<AtomicUsize>);

impl Asked {
    pub fn asked(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Something in the revocation endpoint's place, until the test ends: it answers by itself or asks the sandbox.
pub struct Revocations {
    asked: Arc<AtomicUsize>,
}

impl Revocations {
    /// Has the rig's program revoke through it. What it answers to its 1st, 2nd, … request, status line and headers;
    /// `None`: what the sandbox does.
    pub fn of(rig: &Rig, answer: impl Fn(usize) -> Option<&'static str> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        rig.adds_to_profile(&format!("revocation_url = \"http://{address}/oauth/revoke\""));
        let sandbox = rig.sandbox().address();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let request = read_request(&mut stream);
                if request.starts_with("HEAD ") {
                    // Whether somebody is there is no request of a revocation.
                    let _ = stream.write_all(b"HTTP/1.1 405 Method Not Allowed\r\nconnection: close\r\n\r\n");
                    continue;
                }
                let head = answer(counted.fetch_add(1, Ordering::SeqCst) + 1);
                let answer = match head {
                    Some(head) => {
                        format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    }
                    None => forward(&request, sandbox.trim_start_matches("http://")),
                };
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { asked }
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Code, verifier and client secret of a token request.
fn sent(request: &str) -> Vec<String> {
    let body = request.split("\r\n\r\n").nth(1).unwrap();
    let form: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).collect();
    let value =
        |wanted: &str| form.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.to_string());
    ["code", "code_verifier", "client_secret"].map(|name| value(name).unwrap()).into()
}

/// A request, head and body.
pub fn read_request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    loop {
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return whole;
            }
        }
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return whole;
        }
        text.push(byte[0]);
    }
}

fn forward(request: &str, sandbox: &str) -> String {
    let mut stream = TcpStream::connect(sandbox).unwrap();
    let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // One that stalls or ends early is passed on as far as it came.
    let _ = stream.read_to_string(&mut answer);
    answer
}
