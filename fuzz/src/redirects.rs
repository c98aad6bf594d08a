//! What a browser brings, or a person pastes; and what a browser is given.

use biotrack_auth::oauth::{AuthorizationResponse, Callback, Endpoints, PastedCandidates, ReturnedAddress};
use biotrack_auth::oauth::{code_of as judge_callback, read_callback};
use biotrack_auth::system::check_safe_to_open;
use biotrack_auth::web::listener::Method;
use biotrack_auth::web::listener::head::{HeadVerdict, LIMIT, judge};

const ISSUER: &str = "https://as.example";

/// A form's pairs, read by nobody else's code.
fn pairs(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
            match (first, hex(0), hex(1)) {
                (b'%', Some(high), Some(low)) => {
                    bytes.extend(u8::try_from(high * 16 + low));
                    rest = &after[2..];
                }
                (b'+', ..) => {
                    bytes.push(b' ');
                    rest = after;
                }
                (byte, ..) => {
                    bytes.push(*byte);
                    rest = after;
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(a, b)| (decoded(a), decoded(b)))
        .collect()
}

/// A redirect's query: a code is taken only where there is one code, one sender at most and no refusal.
pub fn callback(bytes: &[u8]) {
    let Ok(query) = str::from_utf8(bytes) else { return };
    let pairs = pairs(query);
    let all = |name: &str| -> Vec<&str> {
        pairs.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    };
    let read = read_callback(query);
    match &read.state {
        Some(state) => assert_eq!(all("state"), [state.expose()]),
        None => assert!(all("state").len() != 1 || all("state") == [""]),
    }
    match &read.answered {
        Ok(AuthorizationResponse::Code(code)) => {
            assert_eq!(all("code"), [code.expose()]);
            assert!(!code.expose().is_empty() && all("error").is_empty());
            assert!(all("state").len() <= 1 && all("iss").len() <= 1);
        }
        Ok(AuthorizationResponse::Error(code, words)) => {
            assert!(all("error").len() == 1 && all("code").is_empty());
            for text in [Some(code), words.as_ref()].into_iter().flatten() {
                super::harmless(text);
                assert!(text.chars().count() <= 200);
            }
        }
        Err(problem) => super::harmless(problem),
    }
    for required in [false, true] {
        judged(read.clone(), required, &all("iss"));
    }
}

/// A code that was taken came from whom we asked, to the letter.
fn judged(callback: Callback, required: bool, senders: &[&str]) {
    let is_code = matches!(callback.answered, Ok(AuthorizationResponse::Code(_)));
    let endpoints = Endpoints {
        authorize: String::new(),
        token: String::new(),
        revocation: None,
        introspection: None,
        issuer: Some(ISSUER.into()),
        iss_required: required,
        skew: None,
    };
    match judge_callback(callback, "L-1".into(), &endpoints) {
        Ok(_) => assert!(is_code && (senders == [ISSUER] || senders.is_empty() && !required)),
        Err(e) => super::printable(&e.into()),
    }
}

/// What a person pasted: whatever surrounds the right address, it's found or the text is refused; and an answer is to one
/// address only.
pub fn returned(bytes: &[u8]) {
    const OURS: &str = "http://127.0.0.1:18273/callback";
    const STATE: &str = "s-1";
    let Ok(text) = str::from_utf8(bytes) else { return };
    let fits = |it: &ReturnedAddress| {
        let is_its_state = it.states().iter().any(|state| state.expose() == STATE);
        Ok::<_, std::convert::Infallible>(is_its_state && it.is_at(OURS))
    };
    let picked = |text: &str| {
        PastedCandidates::of(text).and_then(|pasted| pasted.pick(fits).unwrap_or_else(|e| match e {}))
    };
    match picked(text) {
        Ok(found) => {
            let places = [
                OURS,
                "http://127.0.0.1:18274/callback",
                "https://127.0.0.1:18273/callback",
                "http://a.example/callback",
            ];
            assert!(places.iter().filter(|place| found.is_at(place)).count() <= 1);
            for state in found.states() {
                assert!(!state.expose().is_empty());
            }
        }
        Err(problem) => super::harmless(problem),
    }
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (before, after) = text.split_at(middle);
    for address in [format!("{OURS}?code=c-1&state={STATE}"), format!("{OURS}?state={STATE}&code=c-1")] {
        if let Ok(found) = picked(&format!("{before}\n\n{address}\n{after}"))
            && fits(&found).is_ok_and(|fits| fits)
            && !text.contains(STATE)
        {
            assert!(
                matches!(&found.callback.answered, Ok(AuthorizationResponse::Code(code)) if code.expose() == "c-1"),
                "{text:?}"
            );
        }
    }
    // Beside words, nothing that is glued to a code is sent with it.
    let signs = ["}", "\\", "/", ")", ";", "[", "|", "—", "。", "\u{1f44d}", "\u{1b}[201~"];
    let glued = format!("see {OURS}?state={STATE}&code=c-1{}{text}", signs[text.len() % signs.len()]);
    if let Ok(found) = picked(&glued)
        && fits(&found).is_ok_and(|fits| fits)
        && !text.contains(STATE)
        // An issuer behind the code is compared with ours.
        && found.callback.iss.is_none()
    {
        assert!(
            matches!(&found.callback.answered, Ok(AuthorizationResponse::Code(code)) if code.expose() == "c-1"),
            "{glued:?}"
        );
    }
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    if let Ok(caught) = ReturnedAddress::caught("https://a.example/callback", path, Some(query)) {
        assert!(!caught.is_at("https://b.example/callback") && !caught.is_at(OURS));
    }
}

/// A request's head: what passes is a clean request for us, in however many pieces it came. The first byte cuts it.
pub fn request_head(bytes: &[u8]) {
    let Some((cut, head)) = bytes.split_first() else { return };
    let names = ["127.0.0.1:4711".to_owned(), "localhost:4711".to_owned()];
    let whole = judge(head, 0, &names);
    let cut = usize::from(*cut) % (head.len() + 1);
    let pieces = judge(&head[..cut], 0, &names).or_else(|| judge(head, cut, &names));
    assert_eq!(pieces, whole);
    match whole {
        Some(HeadVerdict::Pass(method, target)) => passed(head, method, &target),
        Some(HeadVerdict::Refuse { status, .. }) => assert!([400, 404, 405, 421, 431, 505].contains(&status)),
        Some(HeadVerdict::HangUp) => assert_eq!(head[0], 0x16),
        None => assert!(head.len() <= LIMIT),
    }
}

fn passed(head: &[u8], method: Method, target: &str) {
    let end = head.windows(4).position(|four| four == b"\r\n\r\n").expect("an end");
    assert!(end + 4 <= LIMIT);
    // Beyond ASCII there may be anything in a value.
    let text = String::from_utf8_lossy(&head[..end]);
    let mut lines = text.split("\r\n");
    let word = if method == Method::Post { "POST" } else { "GET" };
    let first = lines.next().unwrap_or_default();
    assert!(
        [format!("{word} {target} HTTP/1.1"), format!("{word} {target} HTTP/1.0")]
            .contains(&first.to_owned())
    );
    assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()));
    let headers: Vec<_> = lines
        .map(|line| line.split_once(':').expect("a header"))
        .map(|(name, value)| {
            (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_ascii_lowercase())
        })
        .collect();
    let all = |wanted: &str| -> Vec<&str> {
        headers.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect()
    };
    let hosts = all("host");
    assert!(hosts == ["127.0.0.1:4711"] || hosts == ["localhost:4711"]);
    assert!(all("transfer-encoding").is_empty());
    assert!(all("content-length").is_empty() || all("content-length") == ["0"]);
    if method == Method::Post {
        let (ours, sites) = (format!("http://{}", hosts[0]), all("sec-fetch-site"));
        assert!(sites.is_empty() || sites == ["same-origin"]);
        match all("origin")[..] {
            [] => assert!(!sites.is_empty()),
            [origin] => assert!(origin == ours || origin == "null" && !sites.is_empty()),
            _ => panic!("two origins"),
        }
    }
}

/// An address for a browser: https, or http to this machine, and no opener can read another host out of it.
pub fn address(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Err(problem) = check_safe_to_open(text) {
        return super::harmless(problem);
    }
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`<>\\^{}|".contains(&byte)));
    let (scheme, rest) = text.split_once("://").expect("a scheme");
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let port = |text: &str| text.is_empty() || text[1..].parse::<u16>().is_ok() || text == ":";
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find_map(|host| authority.strip_prefix(host));
    match scheme.to_ascii_lowercase().as_str() {
        "https" => assert!(!authority.is_empty() && !authority.contains('@')),
        "http" => assert!(host.is_some_and(|rest| rest.is_empty() || rest.starts_with(':') && port(rest))),
        other => panic!("{other}"),
    }
}
