//! Judges the bytes of a request's head; pure, so that every refusal can be tested without a socket.

use super::request::Method;

/// A head longer than this is refused; a redirect's is about one KiB.
pub const LIMIT: usize = 16 * 1024;

/// The headers by which browsers say that they look ahead.
const PURPOSES: [&[u8]; 4] = [b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"];

/// What is to be done with a connection whose head is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadVerdict {
    /// A clean GET for this origin-form target, or a POST without a body that a page of ours sent.
    Pass(Method, String),
    /// Answered by the front server itself.
    Refuse { status: u16, bodyless: bool },
    /// Not HTTP at all: closed without a word.
    HangUp,
}

/// Judges a head of which the first `seen` bytes were looked at before; `None` asks for more.
/// `names` are the values of Host that are ours.
pub fn judge(bytes: &[u8], seen: usize, names: &[String]) -> Option<HeadVerdict> {
    match *bytes.first()? {
        // A TLS hello: the peer wouldn't understand any answer of ours.
        0x16 => return Some(HeadVerdict::HangUp),
        first if !is_token(first) => return Some(refuse(400)),
        _ => {}
    }
    // Every byte is looked at once, so that a drip of single bytes costs no more than one write.
    for at in seen..bytes.len() {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let lone = (bytes[at] == b'\n') != (before == Some(b'\r'));
        let control = bytes[at].is_ascii_control() && !matches!(bytes[at], b'\r' | b'\n' | b'\t');
        if lone || control {
            return Some(refuse(400));
        }
        if at >= LIMIT {
            return Some(refuse(431));
        }
        if bytes[at] == b'\n' && bytes[..=at].ends_with(b"\r\n\r\n") {
            return Some(parse(&bytes[..at - 3], names).unwrap_or_else(|refusal| refusal));
        }
    }
    None
}

/// The Host of a head, as it was sent; none where there are several.
pub fn host(head: &[u8]) -> Option<String> {
    let lines = head.split(|byte| *byte == b'\n').skip(1).take_while(|line| !line.trim_ascii().is_empty());
    let named = lines.filter_map(|line| line.split_at_checked(line.iter().position(|it| *it == b':')?));
    let mut hosts = named.filter(|(name, _)| name.eq_ignore_ascii_case(b"host"));
    let ((_, value), None) = (hosts.next()?, hosts.next()) else { return None };
    Some(String::from_utf8_lossy(value[1..].trim_ascii()).into_owned())
}

/// Judges a whole head, without its last empty line.
fn parse(head: &[u8], names: &[String]) -> Result<HeadVerdict, HeadVerdict> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = lines.next().unwrap_or_default();
    if !line.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return Err(refuse(400));
    }
    let line = str::from_utf8(line).map_err(|_| refuse(400))?;
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = parts[..] else { return Err(refuse(400)) };
    if method.is_empty() || target.is_empty() || !method.bytes().all(is_token) {
        return Err(refuse(400));
    }
    match version {
        "HTTP/1.0" | "HTTP/1.1" => {}
        other if other.starts_with("HTTP/") => return Err(refuse(505)),
        _ => return Err(refuse(400)),
    }

    let mut hosts = Vec::new();
    let mut sites = Vec::new();
    let mut origins = Vec::new();
    let mut framed = false;
    let mut ahead = false;
    let mut worker = false;
    let mut lengths = 0;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':').ok_or(refuse(400))?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // A folded line starts with a blank, which is no token either.
        if name.is_empty() || !name.iter().copied().all(is_token) {
            return Err(refuse(400));
        }
        if name.eq_ignore_ascii_case(b"host") {
            hosts.push(value);
        } else if name.eq_ignore_ascii_case(b"sec-fetch-site") {
            sites.push(value);
        } else if name.eq_ignore_ascii_case(b"origin") {
            origins.push(value);
        } else if PURPOSES.iter().any(|it| name.eq_ignore_ascii_case(it)) {
            // `prefetch;prerender`, `preview`: each value that there is says that nobody has asked for it yet.
            ahead = true;
        } else if name.eq_ignore_ascii_case(b"service-worker") {
            worker = true;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            framed = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            lengths += 1;
            framed |= value != b"0" || lengths > 1;
        }
    }

    // Host comes first: a page of another name, rebound to us, learns nothing else.
    let bodyless = method == "HEAD";
    let refuse = |status| HeadVerdict::Refuse { status, bodyless };
    let host = match hosts[..] {
        [] => return Err(refuse(400)),
        // defense: S20 host-is-ours
        [host] if names.iter().any(|name| host.eq_ignore_ascii_case(name.as_bytes())) => host,
        _ => return Err(refuse(421)),
    };
    let method = match method {
        // defense: S17 only-get-passes
        "GET" => Method::Get,
        "POST" if from_our_page(&sites, &origins, host) => Method::Post,
        _ => return Err(refuse(405)),
    };
    if !target.starts_with('/') {
        return Err(refuse(404));
    }
    // defense: S17 no-request-with-a-body
    if framed {
        return Err(refuse(400));
    }
    // A browser that looks ahead would take the answer that a person is to see.
    // defense: S53 nothing-is-fetched-ahead
    if ahead {
        return Err(refuse(503));
    }
    // No page of ours has a worker: whoever's it is, it isn't fed.
    // defense: S20 no-service-worker
    if worker {
        return Err(refuse(404));
    }
    Ok(HeadVerdict::Pass(method, target.to_owned()))
}

/// Whether the browser vouches that a page of ours sent it; pages can't set either header. Whoever has no browser's word
/// for it is refused too.
fn from_our_page(sites: &[&[u8]], origins: &[&[u8]], host: &[u8]) -> bool {
    let ours =
        |origin: &[u8]| origin.strip_prefix(b"http://").is_some_and(|name| name.eq_ignore_ascii_case(host));
    match (sites, origins) {
        ([], [origin]) => ours(origin),
        ([b"same-origin"], []) => true,
        // Some browsers hide the origin where the referrer is hidden, though the request stays with us.
        // defense: S20 post-from-our-own-page
        ([b"same-origin"], [origin]) => ours(origin) || *origin == b"null",
        _ => false,
    }
}

fn refuse(status: u16) -> HeadVerdict {
    HeadVerdict::Refuse { status, bodyless: false }
}

/// RFC 9110's `tchar`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Vec<String> {
        vec!["127.0.0.1:4711".into(), "localhost:4711".into()]
    }

    fn whole(head: impl AsRef<[u8]>) -> Option<HeadVerdict> {
        judge(head.as_ref(), 0, &names())
    }

    fn status(head: impl AsRef<[u8]>) -> u16 {
        match whole(head) {
            Some(HeadVerdict::Refuse { status, .. }) => status,
            Some(HeadVerdict::Pass(..)) => 200,
            Some(HeadVerdict::HangUp) => 0,
            None => 100,
        }
    }

    fn get(target: &str, headers: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n{headers}\r\n")
    }

    #[test]
    fn a_browsers_redirect_passes_with_its_target_as_sent() {
        let target = "/callback?code=a%2Fb&state=%22";
        let head = get(target, "User-Agent: Chromium\r\nCookie: a=\u{e9}\r\nAccept: */*\r\nExpect: x\r\n");
        assert_eq!(whole(head), Some(HeadVerdict::Pass(Method::Get, target.into())));
        assert_eq!(status(get("/", "Content-Length: 0\r\n")), 200);
        assert_eq!(status("GET / HTTP/1.0\r\nhOST:LOCALHOST:4711 \r\n\r\n"), 200);
        assert_eq!(status(get("/", "") + "surplus"), 200);
    }

    #[test]
    fn only_get_passes() {
        for method in ["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "get", "GETT", "X"] {
            assert_eq!(status(get("/", "").replace("GET", method)), 405, "{method}");
        }
        assert_eq!(status(get("/", "Content-Length: 9\r\n").replace("GET", "POST")), 405);
        assert_eq!(
            whole(get("/", "").replace("GET", "HEAD")),
            Some(HeadVerdict::Refuse { status: 405, bodyless: true })
        );
    }

    #[test]
    fn a_post_passes_only_from_a_page_of_ours_and_without_a_body() {
        let post = |headers: &str| status(get("/x", headers).replace("GET", "POST"));
        let (same, ours) = ("Sec-Fetch-Site: same-origin\r\n", "Origin: http://127.0.0.1:4711\r\n");
        for headers in [same, ours, &format!("{same}{ours}"), &format!("{same}Origin: null\r\n")] {
            assert_eq!(post(headers), 200, "{headers:?}");
            assert_eq!(post(&format!("{headers}Content-Length: 0\r\n")), 200);
            assert_eq!(post(&format!("{headers}Content-Length: 1\r\n")), 400);
            assert_eq!(post(&format!("{headers}Transfer-Encoding: chunked\r\n")), 400);
        }
        let passed = whole(get("/x", same).replace("GET", "POST"));
        assert_eq!(passed, Some(HeadVerdict::Pass(Method::Post, "/x".into())));
        for site in ["cross-site", "same-site", "none", "", "same-origin, cross-site"] {
            assert_eq!(post(&format!("Sec-Fetch-Site: {site}\r\n{ours}")), 405, "{site}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://127.0.0.1",
            "http://127.0.0.1:4712",
            "https://127.0.0.1:4711",
            "http://127.0.0.1:4711.evil.example",
            // A name of ours, but not the one that was asked.
            "http://localhost:4711",
            "",
        ] {
            assert_eq!(post(&format!("Origin: {origin}\r\n")), 405, "{origin}");
        }
        assert_eq!(post(&format!("{same}Origin: http://evil.example\r\n")), 405);
        assert_eq!(post(&format!("{same}{same}")), 405);
        assert_eq!(post(&format!("{ours}{ours}")), 405);
        // A foreign name for us is told first.
        let rebound = format!("POST /x HTTP/1.1\r\nHost: evil.example\r\n{same}\r\n");
        assert_eq!(status(rebound), 421);
    }

    #[test]
    fn nothing_is_answered_that_a_browser_fetches_ahead_or_for_a_worker() {
        for purpose in [
            "Sec-Purpose: prefetch",
            "Sec-Purpose: prefetch;prerender",
            "sec-purpose: prefetch;anonymous-client-ip",
            "Purpose: prefetch",
            "X-Purpose: preview",
            "X-moz: prefetch",
        ] {
            assert_eq!(status(get("/callback?code=1", &format!("{purpose}\r\n"))), 503, "{purpose}");
        }
        assert_eq!(status(get("/sw.js", "Service-Worker: script\r\n")), 404);
        assert_eq!(status(get("/callback?code=1", "Sec-Fetch-Purpose: x\r\n")), 200);
    }

    #[test]
    fn only_origin_form_passes() {
        for target in ["*", "http://127.0.0.1:4711/callback", "127.0.0.1:4711", "callback", "?code=1"] {
            assert_eq!(status(get(target, "")), 404, "{target}");
        }
    }

    #[test]
    fn host_is_there_once_and_ours() {
        let with = |hosts: &[&str]| {
            let lines: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
            status(format!("GET / HTTP/1.1\r\n{lines}\r\n"))
        };
        assert_eq!(with(&[]), 400);
        assert_eq!(with(&["localhost:4711"]), 200);
        for foreign in ["", "evil.example", "evil.example:4711", "127.0.0.1", "127.0.0.1:4712", "[::1]:4711"]
        {
            assert_eq!(with(&[foreign]), 421, "{foreign}");
        }
        for foreign in ["127.0.0.1:4711.", "a@127.0.0.1:4711", "127.0.0.1:4711, evil", "127.1:4711"] {
            assert_eq!(with(&[foreign]), 421, "{foreign}");
        }
        assert_eq!(with(&["127.0.0.1:4711", "127.0.0.1:4711"]), 421);
        assert_eq!(with(&["127.0.0.1:4711", "evil.example"]), 421);
        assert_eq!(with(&["evil.example", "127.0.0.1:4711"]), 421);
    }

    #[test]
    fn nothing_with_a_body_passes() {
        for framing in [
            "Content-Length: 1\r\n",
            "Content-Length: 00\r\n",
            "Content-Length: +0\r\n",
            "Content-Length:\r\n",
            "Content-Length: 0\r\nContent-Length: 0\r\n",
            "Transfer-Encoding: chunked\r\n",
            "transfer-encoding: identity\r\n",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        ] {
            assert_eq!(status(get("/", framing)), 400, "{framing:?}");
        }
    }

    #[test]
    fn a_malformed_head_is_refused() {
        for line in [
            "GET /",
            "GET",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET / x HTTP/1.1",
            "GET\t/ HTTP/1.1",
            " GET / HTTP/1.1",
            "GET / http/1.1",
            "GET / XTTP/1.1",
            "GET /\u{e9} HTTP/1.1",
            "G(T / HTTP/1.1",
            "",
        ] {
            assert_eq!(status(format!("{line}\r\nHost: 127.0.0.1:4711\r\n\r\n")), 400, "{line:?}");
        }
        for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/1.1x", "HTTP/"] {
            assert_eq!(status(format!("GET / {version}\r\n\r\n")), 505, "{version}");
        }
        for header in ["nocolon\r\n", ": x\r\n", "a : x\r\n", " folded: x\r\n", "a\u{e9}: x\r\n"] {
            assert_eq!(status(get("/", header)), 400, "{header:?}");
        }
        assert_eq!(status(b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n"), 400);
    }

    #[test]
    fn controls_and_lone_line_ends_are_refused_at_once() {
        for bytes in
            ["GET / HTTP/1.1\n", "GET / HTTP/1.1\r ", "GET /\0", "GET /\x1b", "GET /\x7f", "\r\n", "\n"]
        {
            assert_eq!(status(bytes), 400, "{bytes:?}");
        }
        assert_eq!(status(b"\xc3\x28"), 400);
        assert_eq!(whole(b"\x16\x03\x01\x02\x00\x01"), Some(HeadVerdict::HangUp));
    }

    #[test]
    fn the_limit_is_exact() {
        let fill = |size: usize| {
            let empty = get("/", "a: \r\n").len();
            get("/", &format!("a: {}\r\n", "x".repeat(size - empty)))
        };
        assert_eq!(status(fill(LIMIT)), 200);
        assert_eq!(status(fill(LIMIT + 1)), 431);
        let endless = format!("GET /{}", "x".repeat(2 * LIMIT));
        assert_eq!(status(&endless[..LIMIT]), 100);
        assert_eq!(status(&endless[..LIMIT + 1]), 431);
        assert_eq!(status(endless), 431);
    }

    /// As the front server does: in pieces, until there is a verdict.
    fn piecemeal(bytes: &[u8], cuts: &[usize]) -> Option<HeadVerdict> {
        let mut seen = 0;
        for end in cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]) {
            if end > seen {
                if let Some(verdict) = judge(&bytes[..end], seen, &names()) {
                    return Some(verdict);
                }
                seen = end;
            }
        }
        None
    }

    proptest! {
        #[test]
        fn any_bytes_get_a_verdict_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = whole(&bytes);
        }

        #[test]
        fn pieces_change_nothing(
            insert in proptest::collection::vec(any::<u8>(), 0..8),
            at in any::<proptest::sample::Index>(),
            mut cuts in proptest::collection::vec(any::<usize>().prop_map(|cut| cut % 97), 0..9),
        ) {
            let mut bytes = get("/callback?code=1", "Accept: */*\r\n").into_bytes();
            let at = at.index(bytes.len());
            bytes.splice(at..at, insert);
            cuts.sort_unstable();
            prop_assert_eq!(piecemeal(&bytes, &cuts), whole(&bytes));
        }

        #[test]
        fn what_passes_is_one_clean_line(target in "[ -~]{0,30}", more in "[ -~\r\n]{0,40}") {
            if let Some(HeadVerdict::Pass(_, target)) = whole(get(&target, &more)) {
                prop_assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
