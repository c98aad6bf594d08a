//! S9, S10, S43–S45: what a hostile or broken provider, or whoever stands between, answers: as bytes on the wire. What
//! each means is said where it's tried.

use crate::support::scripted::{Answer, whole};
use std::process::Command;

/// A hostile answer.
pub struct Hostile {
    pub what: String,
    pub answer: Answer,
    /// How it's to be taken.
    pub sort: Sort,
}

/// The sorts of answers that mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// An answer in the 200s that came whole; only its body can't be used.
    Nonsense,
    /// A refusal, 400 to 499.
    Refusal,
    /// Too many requests.
    Busy,
    /// The server failed, or sends elsewhere.
    Failure,
    /// No whole answer came.
    Broken,
}

fn hostile(what: impl Into<String>, sort: Sort, bytes: impl Into<Vec<u8>>) -> Hostile {
    Hostile { what: what.into(), answer: Answer::Bytes(bytes.into()), sort }
}

const JSON: &str = "200 OK\r\ncontent-type: application/json";

/// JSON under a status.
pub fn json(status: &str, body: impl AsRef<[u8]>) -> Answer {
    Answer::Bytes(whole(&format!("{status}\r\ncontent-type: application/json"), body))
}

/// Answers of any endpoint, by form alone. `good` is a body that the endpoint would be believed; `trap` an address to
/// which nobody may follow.
pub fn by_form(good: &str, trap: &str) -> Vec<Hostile> {
    let mut all = nonsense(good);
    all.extend(statuses(good, trap));
    all.extend(broken(good));
    all.extend(endless(good));
    all
}

/// Whole answers that say nothing.
fn nonsense(good: &str) -> Vec<Hostile> {
    let page = "<!doctype html><title>Sign in to the Wi-Fi</title><p>sandbox-access-0123456789</p>";
    let nested = |open: &str, many: usize| open.repeat(many);
    let mut all = Vec::new();
    let mut add = |what: &str, head: &str, body: Vec<u8>| {
        all.push(hostile(what, Sort::Nonsense, whole(head, body)));
    };
    add("HTML", "200 OK\r\ncontent-type: text/html", page.into());
    add("HTML labeled JSON", JSON, page.into());
    add("JSON labeled HTML", "200 OK\r\ncontent-type: text/html", good.into());
    add("an image", "200 OK\r\ncontent-type: image/png", b"\x89PNG\r\n\x1a\n".to_vec());
    add("empty", JSON, Vec::new());
    add("a blank", JSON, b" \r\n".to_vec());
    add("half of it", JSON, good.as_bytes()[..good.len() / 2].into());
    add("all but the last byte", JSON, good.as_bytes()[..good.len() - 1].into());
    add("twice", JSON, good.repeat(2).into());
    add("with more behind it", JSON, format!("{good}]").into());
    add("a byte order mark", JSON, format!("\u{feff}{good}").into());
    add("UTF-16", JSON, good.encode_utf16().flat_map(u16::to_le_bytes).collect());
    add("NUL before it", JSON, format!("\0{good}").into());
    add("NUL behind it", JSON, format!("{good}\0").into());
    add("a raw control in a text", JSON, good.replacen(':', ":\"\u{1}\",\"x\":", 1).into());
    add("bad UTF-8", JSON, [b"{\"x\":\"\xff\xfe\xc3\x28\",", &good.as_bytes()[1..]].concat());
    add("a lone surrogate", JSON, format!("{{\"x\":\"\\ud800\",{}", &good[1..]).into());
    add("a member twice", JSON, format!("{},{}", &good[..good.len() - 1], &good[1..]).into());
    add("a comment", JSON, format!("/* */{good}").into());
    add("single quotes", JSON, good.replace('"', "'").into());
    add("JSONP", JSON, format!("callback({good})").into());
    add("a guard before it", JSON, format!(")]}}',\n{good}").into());
    add(
        "form-encoded",
        JSON,
        b"access_token=sandbox-access-0123456789&token_type=Bearer&active=true".to_vec(),
    );
    for plain in ["null", "true", "0", "\"text\"", "[]", "{}", "NaN", "1e400", "{\"a\":1e400}"] {
        add(plain, JSON, plain.into());
    }
    add("in a list", JSON, format!("[{good}]").into());
    add("deep lists", JSON, nested("[", 100_000).into());
    add("deep objects", JSON, nested("{\"a\":", 100_000).into());
    add(
        "a deep member",
        JSON,
        format!("{{\"x\":{}{},{}", nested("[", 9_999), nested("]", 9_999), &good[1..]).into(),
    );
    add("a huge number", JSON, format!("{{\"access_token\":{}}}", "9".repeat(100_000)).into());
    all
}

/// Statuses that aren't the one that is believed, each with a body that would be.
fn statuses(good: &str, trap: &str) -> Vec<Hostile> {
    let mut all = Vec::new();
    for status in ["301", "302", "303", "307", "308"] {
        let bytes = whole(&format!("{status} Elsewhere\r\nlocation: {trap}/there"), good);
        all.push(hostile(format!("{status} elsewhere"), Sort::Failure, bytes));
    }
    for location in
        ["", "//127.0.0.1:1/", "file:///etc/passwd", "javascript:alert(1)", "\t", "http://[", "/there"]
    {
        let bytes = whole(&format!("302 Found\r\nlocation: {location}"), good);
        all.push(hostile(format!("302 to {location:?}"), Sort::Failure, bytes));
    }
    let refresh = format!("200 OK\r\ncontent-type: text/html\r\nrefresh: 0; url={trap}/there");
    all.push(hostile("a refresh header elsewhere", Sort::Nonsense, whole(&refresh, good)));
    let switching = "HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n";
    all.push(hostile("101 to another protocol", Sort::Failure, switching));
    for status in ["300 Choices", "304 Not Modified", "305 Use Proxy", "399 X"] {
        all.push(hostile(status, Sort::Failure, whole(status, "")));
    }
    let challenge = "401 Unauthorized\r\nwww-authenticate: Basic realm=\"x\", Bearer error=\"invalid_token\"";
    for head in [
        "400 Bad Request",
        challenge,
        "403 Forbidden\r\ncontent-type: text/html",
        "404 Not Found",
        "405 Not Allowed\r\nallow: GET",
        "407 Proxy\r\nproxy-authenticate: Basic",
        "408 Timeout",
        "410 Gone",
        "413 Large",
        "418 Teapot",
        "421 Misdirected",
        "431 Fields",
        "451 Legal",
        "499 X",
    ] {
        all.push(hostile(head, Sort::Refusal, whole(head, "<h1>No</h1>")));
    }
    for wait in [
        "Retry-After: 1000000000",
        "Retry-After: 18446744073709551615",
        "Retry-After: 3600\r\nRetry-After: 0\r\nRetry-After: -1",
    ] {
        all.push(hostile(format!("429 {wait}"), Sort::Busy, whole(&format!("429 Busy\r\n{wait}"), good)));
    }
    for status in
        ["500 Oops", "501 No", "502 Gateway", "503 Away\r\nretry-after: 99999999999", "504 Slow", "599 X"]
    {
        all.push(hostile(status, Sort::Failure, whole(status, good)));
    }
    all
}

/// A wait that can't be read as one is no wait; each of these is asked again where that may be.
pub fn odd_waits() -> Vec<Hostile> {
    ["-1", "99999999999999999999999", "soon", "Wed, 21 Oct 2099 07:28:00 GMT", "1e9", "0x10", "", "0"]
        .iter()
        .map(|wait| {
            hostile(
                format!("429 {wait:?}"),
                Sort::Busy,
                whole(&format!("429 Busy\r\nretry-after: {wait}"), ""),
            )
        })
        .collect()
}

/// No whole answer, or none in HTTP.
fn broken(good: &str) -> Vec<Hostile> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let long = "x".repeat(1024 * 1024);
    let mut all: Vec<_> = [
        ("only a status line", "HTTP/1.1 200 OK\r\n".to_owned()),
        ("half a head", head.to_owned()),
        ("too short for its length", format!("{head}content-length: {}\r\n\r\n{good}", good.len() + 10)),
        ("an endless length", format!("{head}content-length: 18446744073709551615\r\n\r\n{good}")),
        ("a negative length", format!("{head}content-length: -1\r\n\r\n{good}")),
        ("a length in letters", format!("{head}content-length: many\r\n\r\n{good}")),
        ("two lengths", format!("{head}content-length: {}\r\ncontent-length: 3\r\n\r\n{good}", good.len())),
        ("chunks of no size", format!("{head}transfer-encoding: chunked\r\n\r\nxyz\r\n{good}\r\n0\r\n\r\n")),
        ("an endless chunk", format!("{head}transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{good}")),
        ("a negative chunk", format!("{head}transfer-encoding: chunked\r\n\r\n-5\r\n{good}\r\n0\r\n\r\n")),
        (
            "chunks without an end",
            format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{good}\r\n", good.len()),
        ),
        ("a chunk that ends early", format!("{head}transfer-encoding: chunked\r\n\r\nfff\r\n{good}")),
        ("a header without a colon", format!("HTTP/1.1 200 OK\r\nnocolon\r\n\r\n{good}")),
        ("NUL in a header", format!("HTTP/1.1 200 OK\r\nx: \0\r\n\r\n{good}")),
        ("a blank in a header's name", format!("HTTP/1.1 200 OK\r\nx y: z\r\n\r\n{good}")),
        ("a thousand headers", format!("HTTP/1.1 200 OK\r\n{}\r\n{good}", "x: y\r\n".repeat(1_000))),
        ("a header of 1 MiB", format!("HTTP/1.1 200 OK\r\nx: {long}\r\n\r\n{good}")),
        ("a status of four digits", format!("HTTP/1.1 2000 OK\r\n\r\n{good}")),
        ("a status in letters", format!("HTTP/1.1 OK\r\n\r\n{good}")),
        ("another version", format!("HTTP/3.7 200 OK\r\n\r\n{good}")),
        ("HTTP/0.9", good.to_owned()),
        ("SSH", "SSH-2.0-OpenSSH_9.2\r\n".into()),
        ("SMTP", "220 mail.example ESMTP\r\n".into()),
        ("100 and no more", "HTTP/1.1 100 Continue\r\n\r\n".into()),
    ]
    .into_iter()
    .map(|(what, bytes)| hostile(what, Sort::Broken, bytes))
    .collect();
    let steering = "401 Unauthorized\r\nwww-authenticate: Basic realm=\"\u{1b}[2J\"";
    all.push(hostile("an escape in a header", Sort::Broken, whole(steering, "")));
    all.push(hostile("a TLS alert", Sort::Broken, *b"\x15\x03\x01\x00\x02\x02\x28"));
    all.push(hostile("HTTP/2 settings", Sort::Broken, *b"\0\0\0\x04\0\0\0\0\0"));
    let close =
        |what: &str, bytes| Hostile { what: what.into(), answer: Answer::Close(bytes), sort: Sort::Broken };
    all.extend([
        close("closed unread", 0),
        close("closed in mid-request", 20),
        close("closed unanswered", usize::MAX),
    ]);
    all
}

/// More than anybody reads, or later than anybody waits (S41, S45).
fn endless(good: &str) -> Vec<Hostile> {
    let bomb = {
        let made = Command::new("sh").args(["-c", "head -c 100000000 /dev/zero | gzip"]).output().unwrap();
        assert!(made.stdout.len() > 50_000);
        made.stdout
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let text = |text: &str| text.as_bytes().to_vec();
    let blanks = vec![b' '; 64 * 1024];
    let all = [
        (
            "a gzip bomb",
            Sort::Nonsense,
            Answer::Bytes(whole(&format!("{JSON}\r\ncontent-encoding: gzip"), &bomb)),
        ),
        (
            "labeled as gzip",
            Sort::Nonsense,
            Answer::Bytes(whole(&format!("{JSON}\r\ncontent-encoding: gzip"), "{}")),
        ),
        (
            "100 MB",
            Sort::Broken,
            Answer::Endless(
                text(&format!("{head}content-length: 100000000\r\n\r\n")),
                blanks.clone(),
                100_000_000,
            ),
        ),
        (
            "a body without end",
            Sort::Broken,
            Answer::Endless(text(&format!("{head}\r\n")), blanks, usize::MAX),
        ),
        (
            "chunks without end",
            Sort::Broken,
            Answer::Endless(
                text(&format!("{head}transfer-encoding: chunked\r\n\r\n")),
                text("1\r\n \r\n").repeat(999),
                usize::MAX,
            ),
        ),
        (
            "headers without end",
            Sort::Broken,
            Answer::Endless(text("HTTP/1.1 200 OK\r\n"), text("x: y\r\n").repeat(999), usize::MAX),
        ),
        (
            "100 Continue without end",
            Sort::Broken,
            Answer::Endless(Vec::new(), text("HTTP/1.1 100 Continue\r\n\r\n").repeat(999), usize::MAX),
        ),
        ("a head that drips", Sort::Broken, Answer::Drip(Vec::new(), text(&format!("{head}\r\n{good}")))),
        (
            "a body that drips",
            Sort::Broken,
            Answer::Drip(text(&format!("{head}content-length: {}\r\n\r\n", good.len())), text(good)),
        ),
        ("nothing at all", Sort::Broken, Answer::Stall(Vec::new())),
        (
            "a head and no more",
            Sort::Broken,
            Answer::Stall(text(&format!("{head}content-length: 9\r\n\r\n"))),
        ),
    ];
    all.into_iter().map(|(what, sort, answer)| Hostile { what: what.into(), answer, sort }).collect()
}
