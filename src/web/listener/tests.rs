//! Drives the listener over real sockets, as a browser and as whoever means it ill.

#[cfg(target_os = "linux")]
mod alone;
mod bounds;
// What it costs is read in /proc.
#[cfg(target_os = "linux")]
mod storm;

use super::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use tokio::runtime::Runtime;

/// Far beyond what anything here takes; only a hang reaches it.
const LONG: Duration = Duration::from_secs(20);

/// A served port and what came through it.
struct Rig {
    serving: Option<Serving>,
    requests: mpsc::Receiver<Request>,
    port: u16,
    runtime: Runtime,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn page(html: impl Into<String>) -> Page {
    Page::html(200, html)
}

impl Rig {
    fn new(host: LoopbackHost) -> Rig {
        Rig::within(front_server::HEAD_TIME, host)
    }

    /// The handler only passes on.
    fn within(head_time: Duration, host: LoopbackHost) -> Rig {
        let (sender, requests) = mpsc::channel();
        Rig::with(head_time, host, requests, move |request| drop(sender.send(request)))
    }

    /// The handler answers at once, naming the path.
    fn echo(host: LoopbackHost) -> Rig {
        Rig::echo_within(front_server::HEAD_TIME, host)
    }

    fn echo_within(head_time: Duration, host: LoopbackHost) -> Rig {
        let handle = |request: Request| {
            let html = format!("you asked for {}", request.path);
            request.answer(page(html));
        };
        Rig::with(head_time, host, mpsc::channel().1, handle)
    }

    fn with(
        head_time: Duration,
        host: LoopbackHost,
        requests: mpsc::Receiver<Request>,
        handle: impl FnMut(Request) + Send + 'static,
    ) -> Rig {
        let runtime = runtime();
        let listener = Listener::bind(host, None).unwrap();
        let port = listener.port();
        let serving = listener.serve_within(head_time, runtime.handle(), handle).unwrap();
        Rig { serving: Some(serving), requests, port, runtime }
    }

    fn connect(&self) -> TcpStream {
        connect(self.port)
    }

    fn send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).unwrap();
        stream
    }

    fn ask(&self, target: &str) -> TcpStream {
        self.send(get(self.port, target))
    }

    fn next(&self) -> Request {
        self.requests.recv_timeout(LONG).unwrap()
    }

    /// The status of a request whose head is all after `GET `.
    fn status(&self, head: &str) -> u16 {
        let head = head.replace("OURS", &format!("127.0.0.1:{}", self.port));
        status(&all(self.send(head)))
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn get(port: u16, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n")
}

/// What came until the peer ended it, properly.
fn all(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).map_or(0, |code| code.parse().unwrap())
}

/// The true callback is answered.
fn callback(port: u16) {
    let mut stream = connect(port);
    stream.write_all(get(port, "/callback?code=true").as_bytes()).unwrap();
    let answer = all(stream);
    assert!(answer.ends_with("you asked for /callback"), "{answer:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn s15_nothing_but_loopback_listens() {
    for host in [LoopbackHost::Ipv4Literal, LoopbackHost::Localhost] {
        let rig = Rig::echo(host);
        let mut found = Vec::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let Ok(table) = std::fs::read_to_string(table) else { continue };
            for line in table.lines().skip(1) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let (address, port) = fields[1].split_once(':').unwrap();
                if fields[3] == "0A" && port == format!("{:04X}", rig.port) {
                    found.push(address.to_owned());
                }
            }
        }
        let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() && host == LoopbackHost::Localhost;
        let mut expected = vec!["0100007F".to_owned()];
        expected.extend(ipv6.then(|| "00000000000000000000000001000000".to_owned()));
        assert_eq!(found, expected);
    }
}

#[test]
fn localhost_answers_in_both_families() {
    let rig = Rig::echo(LoopbackHost::Localhost);
    for family in [SocketAddr::from((Ipv4Addr::LOCALHOST, rig.port)), (Ipv6Addr::LOCALHOST, rig.port).into()]
    {
        if family.is_ipv6() && TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
            continue;
        }
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            let mut stream = TcpStream::connect(family).unwrap();
            write!(stream, "GET /x HTTP/1.1\r\nHost: {name}:{}\r\n\r\n", rig.port).unwrap();
            assert_eq!(status(&all(stream)), 200, "{name} over {family}");
        }
    }
}

#[test]
fn s16_a_taken_port_is_in_use_in_either_family() {
    let taken = Listener::bind(LoopbackHost::Ipv4Literal, None).unwrap();
    for host in [LoopbackHost::Ipv4Literal, LoopbackHost::Localhost] {
        let error = Listener::bind(host, Some(taken.port())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
    if let Ok(taken) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        let error =
            Listener::bind(LoopbackHost::Localhost, Some(taken.local_addr().unwrap().port())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}

#[test]
fn s16_the_socket_bound_is_the_socket_served() {
    let runtime = runtime();
    let listener = Listener::bind(LoopbackHost::Ipv4Literal, None).unwrap();
    let port = listener.port();
    // It waits in the socket's queue, which a second bind would have lost.
    let mut early = connect(port);
    early.write_all(get(port, "/early").as_bytes()).unwrap();
    let _serving = listener.serve(runtime.handle(), |request| request.answer(page("in time")));
    assert!(all(early).ends_with("in time"));
}

#[test]
fn s17_what_is_not_the_callback_leaves_the_flow_alone() {
    let rig = Rig::echo(LoopbackHost::Ipv4Literal);
    for path in ["/favicon.ico", "/", "/other", "//evil.example", "/callback%00"] {
        assert!(all(rig.ask(path)).ends_with(&format!("you asked for {path}")));
    }
    for method in ["HEAD", "OPTIONS", "POST", "PUT"] {
        let answer = all(rig.send(get(rig.port, "/callback?code=true").replace("GET", method)));
        assert_eq!(status(&answer), 405);
        assert!(answer.contains("\r\nAllow: GET\r\n"));
        assert_eq!(answer.ends_with("\r\n\r\n"), method == "HEAD", "{answer}");
    }
    assert_eq!(rig.status("GET http://OURS/callback?code=1 HTTP/1.1\r\nHost: OURS\r\n\r\n"), 404);
    assert_eq!(rig.status("OPTIONS * HTTP/1.1\r\nHost: OURS\r\n\r\n"), 405);
    assert_eq!(rig.status("GET * HTTP/1.1\r\nHost: OURS\r\n\r\n"), 404);
    callback(rig.port);
}

#[test]
fn s20_another_name_for_us_is_misdirected() {
    let rig = Rig::echo(LoopbackHost::Ipv4Literal);
    assert_eq!(rig.status("GET / HTTP/1.1\r\nHost: OURS\r\n\r\n"), 200);
    assert_eq!(rig.status("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(rig.status("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 421);
    assert_eq!(rig.status("GET / HTTP/1.1\r\nHost: OURS\r\nHost: OURS\r\n\r\n"), 421);
    assert_eq!(rig.status("GET / HTTP/1.1\r\nHost: OURS\r\nHost: evil.example\r\n\r\n"), 421);
    // The profile says 127.0.0.1, so localhost isn't ours.
    assert_eq!(rig.status(&format!("GET / HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", rig.port)), 421);
    let smuggled =
        "GET / HTTP/1.1\r\nHost: OURS\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(rig.status(smuggled), 400);
    callback(rig.port);
}

#[test]
fn the_handler_gets_the_target_as_sent() {
    let rig = Rig::new(LoopbackHost::Ipv4Literal);
    let browser = rig.ask("/call%62ack?code=a%2Fb&state=c?d");
    let request = rig.next();
    assert_eq!(request.path, "/call%62ack");
    assert_eq!(request.query.as_deref(), Some("code=a%2Fb&state=c?d"));
    request.answer(page("done"));
    let answer = all(browser);
    assert!(answer.contains("\r\nContent-Security-Policy: default-src 'none'\r\n"), "{answer}");
    let browser = rig.ask("/callback");
    assert_eq!(rig.next().query, None);
    assert_eq!(status(&all(browser)), 503, "the request was dropped unanswered");
}

#[test]
fn a_request_held_blocks_no_other() {
    let rig = Rig::new(LoopbackHost::Ipv4Literal);
    let held: Vec<_> = (0..20).map(|_| (rig.ask("/held"), rig.next())).collect();
    let browser = rig.ask("/other");
    rig.next().answer(page("other"));
    assert!(all(browser).ends_with("other"));
    for (browser, request) in held {
        request.answer(page("at last"));
        assert!(all(browser).ends_with("at last"));
    }
}

#[test]
fn an_answer_may_come_long_after_the_heads_deadline() {
    let rig = Rig::within(Duration::from_millis(50), LoopbackHost::Ipv4Literal);
    let browser = rig.ask("/callback");
    let request = rig.next();
    // An idle connection opened now and ended by its deadline shows that the deadline passed.
    assert_eq!(all(rig.send("GET /")), "");
    request.answer(page("at last"));
    assert!(all(browser).ends_with("at last"));
}

#[test]
fn a_page_of_any_size_holds_up_nobody_and_arrives_whole() {
    let rig = Rig::new(LoopbackHost::Ipv4Literal);
    let html = "0123456789".repeat(300_000);
    // These read nothing until all are answered.
    let browsers: Vec<_> = (0..30).map(|_| rig.ask("/")).collect();
    for _ in &browsers {
        rig.next().answer(page(html.clone()));
    }
    for browser in browsers {
        assert!(all(browser).ends_with(&html));
    }
}

#[test]
fn where_the_handler_is_gone_a_browser_is_told_at_once() {
    let rig = Rig::with(front_server::HEAD_TIME, LoopbackHost::Ipv4Literal, mpsc::channel().1, |request| {
        assert_ne!(request.path, "/bug", "a panic, which ends the handler's thread");
        request.answer(page("well"));
    });
    assert_eq!(status(&all(rig.ask("/"))), 200);
    for path in ["/bug", "/", "/callback"] {
        assert_eq!(status(&all(rig.ask(path))), 503, "{path}");
    }
}

#[test]
fn a_post_from_a_page_of_ours_reaches_the_handler_as_one() {
    let rig = Rig::new(LoopbackHost::Ipv4Literal);
    let head = get(rig.port, "/x").replace("GET", "POST");
    let ours = format!("Origin: http://127.0.0.1:{}\r\nContent-Length: 0\r\nAccept", rig.port);
    let browser = rig.send(head.replace("Accept", &ours));
    let request = rig.next();
    assert_eq!((request.method, request.path.as_str()), (Method::Post, "/x"));
    request.answer(Page::done());
    let answer = all(browser);
    assert_eq!(status(&answer), 204);
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(rig.requests.try_iter().count(), 0);
    let browser = rig.ask("/x");
    assert_eq!(rig.next().method, Method::Get);
    all(browser);
}

#[test]
fn a_page_answered_arrives_though_the_port_closes_at_once() {
    let runtime = runtime();
    for round in 0..200 {
        let html = "whole".repeat(if round % 2 == 0 { 2_000 } else { 20_000 });
        let (sender, requests) = mpsc::channel();
        let listener = Listener::bind(LoopbackHost::Ipv4Literal, None).unwrap();
        let port = listener.port();
        let serving = listener.serve(runtime.handle(), move |request| drop(sender.send(request))).unwrap();
        let mut browser = connect(port);
        browser.write_all(get(port, "/callback").as_bytes()).unwrap();
        let request: Request = requests.recv_timeout(LONG).unwrap();
        request.answer(page(html.as_str()));
        drop(serving);
        assert!(all(browser).ends_with(&html), "round {round}");
    }
}

#[test]
fn a_page_still_being_copied_arrives_though_the_port_closes_at_once() {
    // More than the kernel holds, to a browser slower than we are. The kernel makes room in large steps,
    // so only some of these sizes end in the midst of a wait.
    for size in (6_000_000..7_500_000).step_by(75_000) {
        let mut rig = Rig::new(LoopbackHost::Ipv4Literal);
        let html = "x".repeat(size);
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let address = (Ipv4Addr::LOCALHOST, rig.port).into();
        let mut browser = rig.runtime.block_on(socket.connect(address)).unwrap().into_std().unwrap();
        browser.set_nonblocking(false).unwrap();
        browser.write_all(get(rig.port, "/").as_bytes()).unwrap();
        let reader = std::thread::spawn(move || {
            let (mut all, mut some) = (Vec::new(), [0; 4096]);
            while let size @ 1.. = browser.read(&mut some).unwrap() {
                all.extend_from_slice(&some[..size]);
            }
            all
        });
        rig.next().answer(page(html.as_str()));
        rig.serving = None;
        assert!(reader.join().unwrap().ends_with(html.as_bytes()), "{size}");
    }
}

#[test]
fn a_request_left_unanswered_holds_up_nothing_and_gets_a_word() {
    let mut rig = Rig::new(LoopbackHost::Ipv4Literal);
    let browser = rig.ask("/callback");
    let held = rig.next();
    rig.serving = None;
    assert_eq!(status(&all(browser)), 503);
    held.answer(page("too late, and harmless"));
}

#[test]
fn a_handler_that_never_returns_does_not_stop_the_end() {
    let (block, never) = mpsc::channel::<()>();
    let (sender, handled) = mpsc::channel();
    let mut rig = Rig::with(front_server::HEAD_TIME, LoopbackHost::Ipv4Literal, handled, move |request| {
        let _ = sender.send(request);
        let _ = never.recv();
    });
    let browser = rig.ask("/callback");
    let held = rig.next();
    rig.serving = None;
    assert_eq!(status(&all(browser)), 503);
    drop((block, held));
}

/// A process that another test starts holds copies of our sockets until it has become another program: where ports are to be
/// closed, no other test may be at work.
#[cfg(target_os = "linux")]
fn alone_on_linux(name: &str, _: fn()) {
    alone::alone(name, 1024);
}

#[cfg(not(target_os = "linux"))]
fn alone_on_linux(_: &str, test: fn()) {
    test();
}

#[test]
fn s23_the_ports_are_closed_after_the_drop() {
    alone_on_linux("ports_close_run_alone_by_its_parent", ports_close_run_alone_by_its_parent);
}

#[test]
#[ignore = "run by s23_the_ports_are_closed_after_the_drop, alone"]
fn ports_close_run_alone_by_its_parent() {
    for host in [LoopbackHost::Ipv4Literal, LoopbackHost::Localhost] {
        let mut rig = Rig::echo(host);
        let idle = rig.connect();
        let half = rig.send("GET /callb");
        callback(rig.port);
        rig.serving = None;
        for address in
            [SocketAddr::from((Ipv4Addr::LOCALHOST, rig.port)), (Ipv6Addr::LOCALHOST, rig.port).into()]
        {
            assert!(TcpStream::connect(address).is_err(), "{address}");
        }
        drop((idle, half));
        // Nothing of ours is left in the way of the same port either.
        Listener::bind(host, Some(rig.port)).unwrap();
    }
}

#[test]
fn the_end_holds_when_the_runtime_went_first() {
    alone_on_linux("without_runtime_run_alone_by_its_parent", without_runtime_run_alone_by_its_parent);
}

#[test]
#[ignore = "run by the_end_holds_when_the_runtime_went_first, alone"]
fn without_runtime_run_alone_by_its_parent() {
    let mut rig = Rig::echo(LoopbackHost::Ipv4Literal);
    callback(rig.port);
    let runtime = std::mem::replace(&mut rig.runtime, runtime());
    runtime.shutdown_background();
    rig.serving = None;
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, rig.port)).is_err());
}
