//! S20: a service worker that another server left in the browser while it had the redirect's port answers in our place there.
//! What begins with us is served where nobody was before, and an answer that it takes is wasted on nobody.

use super::{Browser, grant};
use crate::support::asked::Asked;
use crate::support::{Rig, Run, register};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

const PAGE: &str = "<!doctype html><title>x</title><h1>Another server</h1>\
                    <script>navigator.serviceWorker.register('/worker.js')</script>";
const WORKER: &str = "
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', event => event.respondWith(new Response(
  '<!doctype html><title>x</title><h1>Taken over</h1>', { headers: { 'Content-Type': 'text/html' } })));
";

/// Another server, until it's stopped.
struct Another {
    port: u16,
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Another {
    fn starts() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = stopped.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream.unwrap());
            }
        });
        Self { port, stopped, thread }
    }

    /// The port is free again; what it left in browsers stays.
    fn stops(self) -> u16 {
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        self.thread.join().unwrap();
        self.port
    }
}

fn serve(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            // A browser opens connections that it may need.
            _ => return,
        }
    }
    let (kind, body) = match head.starts_with(b"GET /worker.js") {
        true => ("text/javascript", WORKER),
        false => ("text/html", PAGE),
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
    let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
}

/// A browser in which a worker answers for a port, which is free.
fn taken_over() -> (Browser, u16) {
    let (browser, another) = (Browser::start(), Another::starts());
    browser.open(&format!("http://127.0.0.1:{}/", another.port));
    browser.until("return navigator.serviceWorker.controller !== null");
    let port = another.stops();
    browser.open(&format!("http://127.0.0.1:{port}/callback?code=x"));
    browser.headed("Taken over");
    (browser, port)
}

#[test]
fn the_page_opens_all_the_same_and_what_the_worker_takes_still_counts() {
    let (browser, port) = taken_over();
    let rig = Rig::new();
    let (opener, noted) = (rig.elsewhere("opener"), rig.elsewhere("noted"));
    let script = format!("#!/bin/sh\nprintf %s \"$1\" > {0}.new\nmv {0}.new {0}\n", noted.display());
    std::fs::write(&opener, script).unwrap();
    std::fs::set_permissions(&opener, PermissionsExt::from_mode(0o755)).unwrap();
    let (opener, wanted) = (opener.to_str().unwrap().to_owned(), port.to_string());
    let child = rig.start(&register("L-1", &["--browser", &opener, "--port", &wanted]));
    rig.until(|| noted.exists());
    browser.open(&std::fs::read_to_string(&noted).unwrap());
    browser.headed("Grant Access");
    grant(&browser);
    // The redirect's own address is registered with the provider: there the worker answers.
    browser.headed("Taken over");
    assert!(rig.only()["state"] == "pending");
    let back = url::Url::parse(&browser.address()).unwrap();
    assert_eq!(back.port(), Some(port));
    let mut by_hand = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let target = &back[url::Position::BeforePath..];
    write!(by_hand, "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").unwrap();
    let mut page = String::new();
    by_hand.read_to_string(&mut page).unwrap();
    assert!(page.contains("Access granted"), "{page}");
    Run::of(child.wait_with_output().unwrap()).exits(0);
}

#[test]
fn the_worklist_is_where_no_worker_of_another_site_is() {
    let (browser, port) = taken_over();
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.register("L-2").exits(0);
    let asked = Asked::start(&rig, &["renew", "--all", "--no-browser", "--port", &port.to_string()]);
    let worklist = url::Url::parse(&asked.address).unwrap();
    assert!(worklist.path().starts_with("/worklist/") && worklist.port() != Some(port), "{worklist}");
    browser.open(worklist.as_str());
    browser.headed("Worklist");
    // There it would have been the worker's.
    browser.open(&format!("http://127.0.0.1:{port}{}", worklist.path()));
    browser.headed("Taken over");
}
