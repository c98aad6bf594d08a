//! Asks the page over a real listener, as its script does and as whoever means it ill.

use super::*;
use crate::model::ids::{License, LicenseId, StoreName, Ubi, Username};
use crate::system::OsRandom;
use crate::web::listener::{Listener, LoopbackHost, Serving};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Far beyond what anything here takes; only a hang reaches it.
const LONG: Duration = Duration::from_secs(20);

struct Rig {
    worklist: Worklist,
    serving: Option<Serving>,
    steps: Receiver<SessionEvent>,
    port: u16,
    _runtime: Runtime,
}

fn entry(license: &str, why: &str) -> WorklistEntry {
    WorklistEntry {
        key: LicenseId { ubi: Ubi::parse("604001").unwrap(), license: License::parse(license).unwrap() },
        username: Username::parse("ann@example.com").unwrap(),
        name: None,
        ocm_license: None,
        expires: None,
        why: why.into(),
    }
}

fn view(entries: Vec<WorklistEntry>) -> WorklistView {
    WorklistView { profile: "ny".into(), facts: vec![("Company", "Treez Inc".into())], entries }
}

fn three() -> WorklistView {
    view(["L-0", "L-1", "L-2"].map(|license| entry(license, "expired 3 days ago")).into())
}

impl Rig {
    /// What belongs to the page goes to it, the rest is answered as the switchboard does.
    fn new(view: WorklistView) -> Rig {
        let worklist = Worklist::new(&OsRandom, view).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = Listener::bind(LoopbackHost::Ipv4Literal, None).unwrap();
        let port = listener.port();
        let (sender, steps) = channel();
        let page = worklist.clone();
        let handle = move |request: Request| {
            if !page.owns(&request.path) {
                return request.answer(pages::not_found());
            }
            if let Some(step) = page.connect(request) {
                let _ = sender.send(step);
            }
        };
        let serving = listener.serve(runtime.handle(), handle).unwrap();
        Rig { worklist, serving: Some(serving), steps, port, _runtime: runtime }
    }

    /// Sends a request for what lies below the page's path.
    fn send(&self, method: &str, below: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let (path, port) = (self.worklist.path(), self.port);
        write!(stream, "{method} {path}{below} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n").unwrap();
        stream
    }

    fn get(&self, below: &str) -> TcpStream {
        self.send("GET", below, "")
    }

    /// As the page's script does.
    fn post(&self, below: &str) -> TcpStream {
        self.send("POST", below, "Sec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n")
    }

    fn action(&self) -> (WorklistAction, ActionResponder) {
        match self.steps.recv_timeout(LONG).unwrap() {
            SessionEvent::Clicked { action, reply } => (action, reply),
            other => panic!("{other:?}"),
        }
    }
}

/// What came until the peer ended it: head and body.
fn all(mut stream: TcpStream) -> (String, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn status(stream: TcpStream) -> u16 {
    all(stream).0["HTTP/1.1 ".len()..][..3].parse().unwrap()
}

fn state(stream: TcpStream) -> Value {
    let (head, body) = all(stream);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Type: application/json"), "{head}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn the_path_is_long_random_and_the_only_one() {
    let worklist = Worklist::new(&OsRandom, three()).unwrap();
    let path = worklist.path();
    let secret = path.strip_prefix("/worklist/").unwrap();
    assert!(secret.len() >= 22, "128 bits and more: {secret}");
    assert_ne!(path, Worklist::new(&OsRandom, three()).unwrap().path());
    for ours in [path.clone(), format!("{path}/"), format!("{path}/news"), format!("{path}/go/0")] {
        assert!(worklist.owns(&ours), "{ours}");
    }
    let short = &path[..path.len() - 1];
    for other in ["/", "", "/worklist/", "/worklist", short, &format!("{path}x"), &format!("/x{path}")] {
        assert!(!worklist.owns(other), "{other}");
    }
}

#[test]
fn the_page_has_the_strict_policy_and_the_constant_headers() {
    let rig = Rig::new(three());
    let (head, body) = all(rig.get(""));
    let policy = head.lines().find_map(|line| line.strip_prefix("Content-Security-Policy: ")).unwrap();
    for part in [
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.split("; ").any(|it| it == part), "no {part} in {policy}");
    }
    assert_eq!(policy.matches("sha256-").count(), 2);
    assert!(!policy.contains("unsafe"));
    for line in [
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
        "X-Frame-Options: DENY",
        "Content-Type: text/html; charset=utf-8",
    ] {
        assert!(head.lines().any(|it| it == line), "no {line} in {head}");
    }
    assert!(body.contains("L-0") && body.contains("Treez Inc") && body.contains("<title>3 left"));
    assert_eq!(body.matches("<script>").count(), 1);
    // The page itself asks for nothing from elsewhere.
    assert!(!body.contains("http://") && !body.contains("https://") && !body.contains("//fonts"));
}

#[test]
fn every_value_is_text() {
    let mut entry = entry("<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>");
    entry.name = Some(StoreName::parse("</style>'\"&").unwrap());
    let rig = Rig::new(view(vec![entry]));
    rig.worklist.show(0, Progress::Failed, "</td><script>\u{202e}gpj");
    rig.worklist.notice(Some("<b>\u{202e}".into()));
    let (_, body) = all(rig.get("/"));
    assert_eq!(body.matches("<script").count(), 1, "{body}");
    assert_eq!(body.matches("</style>").count(), 1);
    assert!(!body.contains("<img") && !body.contains("<b>\u{fffd}") && !body.contains('\u{202e}'));
    assert!(body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn a_link_leads_on_and_an_action_is_a_post() {
    let rig = Rig::new(three());
    let browser = rig.get("/go/1");
    let (action, reply) = rig.action();
    assert_eq!(action, WorklistAction::Open(1));
    reply.go_to("https://biotr.ac/oauth?state=x");
    let (head, body) = all(browser);
    assert!(head.starts_with("HTTP/1.1 303 "), "{head}");
    assert!(head.contains("\r\nLocation: https://biotr.ac/oauth?state=x\r\n"), "{head}");
    assert!(head.contains("\r\nReferrer-Policy: no-referrer\r\n") && body.is_empty());

    let browser = rig.get("/go/1");
    rig.action().1.go_to("https://biotr.ac/\r\nSet-Cookie: a=b");
    let (head, _) = all(browser);
    assert!(head.starts_with("HTTP/1.1 409 ") && !head.contains("Set-Cookie"), "{head}");

    let browser = rig.get("/go/1");
    rig.action().1.refuse("Already <granted>", "This license is done.");
    let (head, body) = all(browser);
    assert!(head.starts_with("HTTP/1.1 409 ") && body.contains("Already &lt;granted&gt;"), "{body}");

    for (path, wanted) in [
        ("/skip/0", WorklistAction::Skip(0)),
        ("/retry/2", WorklistAction::Retry(2)),
        ("/accept/1?shown=7", WorklistAction::Accept(1, 7)),
        ("/discard/1?shown=7", WorklistAction::Discard(1, 7)),
        ("/on", WorklistAction::GoOn),
    ] {
        let browser = rig.post(path);
        let (action, reply) = rig.action();
        assert_eq!(action, wanted);
        reply.done();
        assert_eq!(status(browser), 204);
    }
    let browser = rig.get("/go/0");
    drop(rig.action());
    assert_eq!(status(browser), 503, "nobody answers");
}

#[test]
fn what_isnt_offered_has_no_effect() {
    let rig = Rig::new(three());
    for below in
        ["/go/3", "/go/-1", "/go/x", "/go/", "/go/0/0", "/skip/0", "/retry/0", "/on", "/x", "/go/%30"]
    {
        assert_eq!(status(rig.get(below)), 404, "{below}");
    }
    for below in ["", "/news", "/go/0", "/skip/3", "/skip/", "/on/0", "/x"] {
        assert_eq!(status(rig.post(below)), 405, "{below}");
    }
    // Another page, a form of another page, and a program that is no browser.
    for headers in [
        "",
        "Sec-Fetch-Site: cross-site\r\n",
        "Origin: https://evil.example\r\n",
        "Sec-Fetch-Site: same-site\r\nOrigin: http://localhost:3000\r\n",
    ] {
        assert_eq!(status(rig.send("POST", "/skip/0", headers)), 405, "{headers:?}");
    }
    let ours = "Sec-Fetch-Site: same-origin\r\n";
    assert_eq!(status(rig.send("POST", "/skip/0", &format!("{ours}Content-Length: 2\r\n"))), 400);
    assert_eq!(status(rig.send("POST", "/skip/0", &format!("{ours}Transfer-Encoding: chunked\r\n"))), 400);
    for method in ["PUT", "DELETE", "HEAD", "OPTIONS"] {
        assert_eq!(status(rig.send(method, "/skip/0", ours)), 405);
    }
    assert!(rig.steps.try_recv().is_err(), "nothing came of any of it");
}

#[test]
fn the_state_is_what_has_changed_since() {
    let rig = Rig::new(three());
    let nothing = json!({ "seq": 0, "ended": null, "notice": null, "rows": [] });
    assert_eq!(state(rig.get("/news?after=0")), nothing);
    rig.worklist.show(1, Progress::Opened, "");
    let opened = json!({ "seq": 1, "ended": null, "notice": null,
        "rows": [{ "n": 1, "progress": "opened", "detail": "", "expires": null, "why": "expired 3 days ago", "awaiting": null, "link": null }] });
    assert_eq!(state(rig.get("/news?after=0")), opened);

    // Nothing new is nothing told.
    rig.worklist.show(1, Progress::Opened, "");
    rig.worklist.show(99, Progress::Failed, "no such row");
    rig.worklist.notice(None);
    assert_eq!(state(rig.get("/news?after=1"))["seq"], 1);
    rig.worklist.notice(Some("Next admin: bob".into()));
    assert_eq!(
        state(rig.get("/news?after=1")),
        json!({ "seq": 2, "ended": null, "notice": "Next admin: bob", "rows": [] })
    );

    rig.worklist.show(0, Progress::Failed, "denied");
    rig.worklist.show(1, Progress::Granted, "until 3 May");
    let told = state(rig.get("/news?after=1"));
    assert_eq!(told["seq"], 4);
    assert_eq!(told["rows"].as_array().unwrap().len(), 2);
    assert_eq!(told["rows"][1]["detail"], "until 3 May");
    // Who asks for what can't be is told all.
    for odd in
        ["/news?after=5", "/news?after=x", "/news", "/news?after=-1", "/news?after=99999999999999999999"]
    {
        assert_eq!(state(rig.get(odd))["rows"].as_array().unwrap().len(), 2, "{odd}");
    }
}

#[test]
fn the_end_is_told_to_all_and_ends_all_actions() {
    let rig = Rig::new(three());
    rig.worklist.ended("All 3 are granted.".into());
    assert_eq!(state(rig.get("/news?after=1"))["ended"], "All 3 are granted.");
    let (head, body) = all(rig.get("/go/0"));
    assert!(head.starts_with("HTTP/1.1 409 ") && body.contains("All 3 are granted."), "{body}");
    assert_eq!(status(rig.post("/skip/0")), 409);
    assert!(rig.steps.try_recv().is_err());
    let (_, body) = all(rig.get(""));
    assert!(body.contains("<title>Ended · worklist") && body.contains("All 3 are granted."));
}

#[test]
fn a_page_between_two_questions_still_hears_of_the_end() {
    let mut rig = Rig::new(three());
    rig.worklist.state().away_at_most = LONG;
    state(rig.get("/news?after=0"));
    rig.worklist.ended("Over.".into());
    assert!(rig.worklist.state().owes_the_end());
    let (worklist, serving) = (rig.worklist.clone(), rig.serving.take());
    let parting = std::thread::spawn(move || {
        worklist.part();
        drop(serving);
    });
    assert_eq!(state(rig.get("/news?after=0"))["ended"], "Over.");
    parting.join().unwrap();
}

#[test]
fn a_page_that_was_closed_is_waited_for_only_a_moment() {
    let rig = Rig::new(three());
    rig.worklist.state().away_at_most = Duration::from_millis(50);
    all(rig.get(""));
    rig.worklist.part();
    assert!(!rig.worklist.state().owes_the_end(), "the run isn't over");
    rig.worklist.ended("Over.".into());
    rig.worklist.part();
    assert!(!rig.worklist.state().owes_the_end());
}

#[test]
fn a_slow_browser_at_a_long_list_holds_up_nobody() {
    let rows = (0..1500).map(|n| entry(&format!("101-X{n:04}-D1"), "expired 3 days ago")).collect();
    let rig = Rig::new(view(rows));
    // These read nothing until the end.
    let slow: Vec<_> = (0..4).map(|_| rig.get("")).collect();
    let browser = rig.get("/go/1499");
    rig.action().1.go_to("https://biotr.ac/");
    assert_eq!(status(browser), 303);
    for each in slow {
        assert!(all(each).1.ends_with("</html>"));
    }
}
