//! HTTP/1.1 as far as loopback needs it: one write a message, kept connections, bodies by length, by chunks or to the end.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Nothing on loopback takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Where it sends on to.
    pub location: Option<String>,
    /// Its body, as text.
    pub body: String,
}

/// A connection that is kept as long as the other side keeps it.
pub struct Connection {
    host: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// To `127.0.0.1:PORT`; it's made by the first request.
    pub fn to(host: &str) -> Self {
        Self { host: host.to_owned(), stream: None }
    }

    /// Made now rather than by the first request.
    pub fn connect(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.host)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            self.stream = Some(BufReader::new(stream));
        }
        Ok(())
    }

    /// `GET`.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n\r\n", self.host);
        self.exchange(&request)
    }

    /// `POST` of a form.
    pub fn post(&mut self, path: &str, form: &str) -> io::Result<Answer> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            self.host,
            form.len()
        );
        self.exchange(&request)
    }

    fn exchange(&mut self, request: &str) -> io::Result<Answer> {
        self.connect()?;
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        stream.get_mut().write_all(request.as_bytes())?;
        let head = Head::read(stream)?;
        let status = head.first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status: {}", head.first)))?;
        let body = head.body(stream, true)?;
        if head.closes() {
            self.stream = None;
        }
        let location = head.value("location").map(str::to_owned);
        Ok(Answer { status, location, body })
    }
}

/// A message's first line and headers.
pub struct Head {
    /// The request's or status line.
    pub first: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// Reads one; an error where the other side has closed instead.
    pub fn read(stream: &mut impl BufRead) -> io::Result<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" if lines.is_empty() => {}
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let first = lines.remove(0);
        let headers = lines.iter().filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Ok(Self { first, headers: headers.collect() })
    }

    /// A header's value, by its name in small letters.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether the connection ends after this message.
    pub fn closes(&self) -> bool {
        let framed = self.value("content-length").is_some() || self.value("transfer-encoding").is_some();
        !framed || self.value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The body. Without a length a request has none, and an answer's goes on to the end.
    pub fn body(&self, stream: &mut impl BufRead, is_answer: bool) -> io::Result<String> {
        let mut body = Vec::new();
        if self.value("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            loop {
                let mut line = String::new();
                stream.read_line(&mut line)?;
                let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
                let mut chunk = vec![0; length + 2];
                stream.read_exact(&mut chunk)?;
                body.extend_from_slice(&chunk[..length]);
                if length == 0 {
                    break;
                }
            }
        } else if let Some(length) = self.value("content-length") {
            body.resize(length.parse().map_err(io::Error::other)?, 0);
            stream.read_exact(&mut body)?;
        } else if is_answer {
            stream.read_to_end(&mut body)?;
        }
        String::from_utf8(body).map_err(io::Error::other)
    }
}

/// An answer's bytes: written at once, else a kept connection waits 40 ms for an acknowledgement.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Any free port of loopback.
pub fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// `http://HOST/PATH` in its two parts.
pub fn split(address: &str) -> io::Result<(&str, &str)> {
    let rest =
        address.strip_prefix("http://").ok_or_else(|| io::Error::other(format!("no http: {address}")))?;
    match rest.find('/') {
        Some(at) => Ok(rest.split_at(at)),
        None => Ok((rest, "/")),
    }
}

/// A value out of a query or a form, as it stands there.
pub fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let query = query.split_once('?').map_or(query, |(_, query)| query);
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// Percent-decoded.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let hex = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(hex.unwrap_or(*first));
        rest = if hex.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Percent-encoded, but for what needs none anywhere.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
