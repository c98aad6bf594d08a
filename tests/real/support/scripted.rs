//! A server in the place of one of the provider's endpoints: it says what it's told, in bytes, and counts who asked.

use super::Rig;
use super::proxy::{Asked, read_request};
use biotrack_auth::oauth::TEST_CODE;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Writes this, and closes.
    Bytes(Vec<u8>),
    /// Writes the first at once, then the second a byte at a time and with pauses, as long as anybody listens.
    Drip(Vec<u8>, Vec<u8>),
    /// Writes the first once, and the second again and again, up to so many bytes or as long as anybody listens.
    Endless(Vec<u8>, Vec<u8>, usize),
    /// Writes this and then nothing, but keeps the connection.
    Stall(Vec<u8>),
    /// Reads so many bytes of the request and closes.
    Close(usize),
}

/// A whole answer: status line and further headers, then a body with its right length.
pub fn whole(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// It runs until the test ends.
pub struct Scripted {
    address: String,
    answer: Arc<Mutex<Answer>>,
    asked: Asked,
    written: Arc<AtomicUsize>,
}

impl Scripted {
    /// At a port of its own.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let it = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            answer: Arc::new(Mutex::new(Answer::Close(usize::MAX))),
            asked: Asked::default(),
            written: Arc::default(),
        };
        let (answer, asked, written) = (it.answer.clone(), it.asked.clone(), it.written.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (answer, written) = (answer.lock().unwrap().clone(), written.clone());
                let asked = asked.0.clone();
                std::thread::spawn(move || {
                    if is_rehearsal(&stream) {
                        drop(read_request(&mut stream));
                        let _ = stream.write_all(&whole("400 Bad Request", r#"{"error":"invalid_grant"}"#));
                        return;
                    }
                    asked.fetch_add(1, Ordering::SeqCst);
                    let sent = serve(&mut stream, &answer);
                    written.fetch_add(sent, Ordering::SeqCst);
                });
            }
        });
        it
    }

    /// In the place of the endpoint that a key of the profile names.
    pub fn instead_of(rig: &Rig, key: &str) -> Self {
        let it = Self::start();
        rig.adds_to_profile(&format!("{key} = \"{}/there\"", it.address));
        it
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on it answers so.
    pub fn says(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// How many connections were made to it.
    pub fn asked(&self) -> usize {
        self.asked.asked()
    }

    /// How many bytes of endless answers found a taker.
    pub fn taken(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }
}

/// Whether a request only tries what a later one will need: an endpoint, or the client. It's looked at and left where it is.
fn is_rehearsal(stream: &TcpStream) -> bool {
    let mut seen = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = stream.peek(&mut seen) else { return false };
        let text = String::from_utf8_lossy(&seen[..count]).into_owned();
        if text.starts_with("HEAD ") {
            return true;
        }
        let length = text.to_lowercase();
        let length =
            length.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        match text.split_once("\r\n\r\n") {
            Some((_, body)) if body.len() >= length.unwrap_or(0_usize) => return body.contains(TEST_CODE),
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// How many bytes of an endless answer were written.
fn serve(stream: &mut TcpStream, answer: &Answer) -> usize {
    if let Answer::Close(bytes) = answer {
        if *bytes == usize::MAX {
            drop(read_request(stream));
        } else {
            let _ = stream.read_exact(&mut vec![0; *bytes]);
        }
        return 0;
    }
    drop(read_request(stream));
    match answer {
        Answer::Bytes(bytes) => drop(stream.write_all(bytes)),
        Answer::Drip(first, rest) => {
            let mut heard = stream.write_all(first).is_ok();
            for byte in rest {
                heard = heard && stream.write_all(&[*byte]).is_ok();
                if !heard {
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        Answer::Endless(first, block, most) => {
            let mut sent = 0;
            if stream.write_all(first).is_ok() {
                while sent < *most && stream.write_all(block).is_ok() {
                    sent += block.len();
                }
            }
            return sent;
        }
        Answer::Stall(bytes) => {
            let _ = stream.write_all(bytes);
            // Until the other side gives up.
            let _ = stream.read(&mut [0]);
        }
        Answer::Close(_) => {}
    }
    0
}
