//! `listen` behind Debian's nginx with TLS in front, asked by curl and by Chromium.

use super::{read, shipped};
use crate::browser::chromium::Browser;
use crate::support::proxy::Proxy;
use crate::support::{Rig, Run, admin, outside, register, send};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

const PUBLIC: &str = "https://auth.example.com/callback";

/// A rig whose links lead to the public address.
fn rig() -> Rig {
    let rig = Rig::new();
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\nredirect.public_url = \"{PUBLIC}\"\n")).unwrap();
    rig
}

/// The listening program, with nginx before it; both end when dropped.
struct Front {
    listen: Child,
    said: BufReader<ChildStderr>,
    port: u16,
    nginx: Child,
    tls: u16,
}

impl Front {
    fn of(rig: &Rig) -> Self {
        let mut listen = rig.start(&["listen", "--port", "0", "--json"]);
        let mut said = BufReader::new(listen.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.split_whitespace().nth(2).unwrap_or_else(|| panic!("{line}"));
        let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
        let tls = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let nginx = nginx(rig, port, tls);
        Self { listen, said, port, nginx, tls }
    }

    /// What curl gets: the status and the text.
    fn curl(&self, arguments: &[&str]) -> (u16, String) {
        let output = outside("curl")
            .args(["-sk", "--max-time", "60", "-w", "\n%{http_code}", "--connect-to"])
            .arg(format!("auth.example.com:443:127.0.0.1:{}", self.tls))
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (text, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), text.to_owned())
    }

    /// Past nginx, as a monitor does.
    fn direct(&self, path: &str, more: &[&str]) -> (u16, String) {
        let address = format!("http://127.0.0.1:{}{path}", self.port);
        self.curl(&[&[address.as_str()], more].concat())
    }

    fn stops(mut self) -> Run {
        send("TERM", &self.listen);
        let mut err = String::new();
        std::io::Read::read_to_string(&mut self.said, &mut err).unwrap();
        let mut out = String::new();
        std::io::Read::read_to_string(self.listen.stdout.as_mut().unwrap(), &mut out).unwrap();
        Run { code: self.listen.wait().unwrap().code().unwrap_or(-1), out, err }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        for child in [&mut self.listen, &mut self.nginx] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// nginx with the shipped server, at a port of its own and with a certificate of its own.
fn nginx(rig: &Rig, port: u16, tls: u16) -> Child {
    let (key, certificate) = (rig.elsewhere("key.pem"), rig.elsewhere("cert.pem"));
    let made = outside("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=auth.example.com",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let folder = rig.elsewhere("nginx");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.display();
    let server = read("nginx/biotrack-auth.conf")
        .replace("listen 443 ssl", &format!("listen 127.0.0.1:{tls} ssl"))
        .replace("/etc/ssl/certs/auth.example.com.pem", &certificate.display().to_string())
        .replace("/etc/ssl/private/auth.example.com.key", &key.display().to_string())
        .replace("/var/log/nginx/biotrack-auth.log", "stderr")
        .replace("127.0.0.1:8787", &format!("127.0.0.1:{port}"));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let whole = format!(
        "daemon off; master_process off; pid {folder}/pid; error_log stderr;\nevents {{}}\nhttp {{\n{temporary}{server}}}\n"
    );
    let config = rig.elsewhere("nginx.conf");
    std::fs::write(&config, whole).unwrap();
    let checked = outside("nginx").arg("-t").arg("-c").arg(&config).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let nginx = outside("nginx").arg("-c").arg(&config).stderr(Stdio::null()).spawn().unwrap();
    rig.until(|| std::net::TcpStream::connect(("127.0.0.1", tls)).is_ok());
    nginx
}

fn link(rig: &Rig, license: &str) -> String {
    rig.run(&register(license, &["--no-wait", "-q"])).exits(0).out.trim_end().to_owned()
}

/// The admin clicks the link, and their browser is sent on to this.
fn clicked(rig: &Rig, address: &str, options: &[&str]) -> String {
    let back = rig.elsewhere("back");
    let done = Command::new(admin()).arg("--back").arg(&back).args(options).arg(address).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::read_to_string(back).unwrap()
}

#[test]
fn admins_answers_come_through_nginx() {
    let rig = rig();
    let front = Front::of(&rig);
    let back = clicked(&rig, &link(&rig, "L-1"), &[]);
    assert!(back.starts_with(PUBLIC), "{back}");
    let (status, page) = front.curl(&[&back]);
    assert!(status == 200 && page.contains("Access granted"), "{status} {page}");
    assert!(!page.contains("terminal") && !page.contains("this computer"), "{page}");
    assert_eq!(rig.only()["state"], "active");
    // The same again, and what isn't an answer of ours.
    let (status, page) = front.curl(&[&back]);
    assert!(status == 200 && page.contains("Already received"), "{status} {page}");
    for (address, status) in [
        (back.replace("state=", "state=x"), 400),
        (format!("{PUBLIC}?code=x"), 400),
        (PUBLIC.to_owned(), 400),
        ("https://auth.example.com/other".to_owned(), 404),
        ("https://auth.example.com/healthz".to_owned(), 404),
    ] {
        assert_eq!(front.curl(&[&address]).0, status, "{address}");
    }
    assert_eq!(front.curl(&["-X", "POST", "-d", "a=b", &back]).0, 405);
    // A refusal closes its question.
    let refused = clicked(&rig, &link(&rig, "L-2"), &["--refuse"]);
    let (_, page) = front.curl(&[&refused]);
    assert!(page.contains("Not authorized") && !page.contains("terminal"), "{page}");
    // Another admin of the store: held.
    let other = clicked(&rig, &link(&rig, "L-3"), &["--user", "bob@example.com"]);
    let (_, page) = front.curl(&[&other]);
    assert!(page.contains("bob@example.com") && !page.contains("terminal"), "{page}");
    assert_eq!(rig.counted("token_issued"), 2);
    let run = front.stops().exits(0);
    let events: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = events.iter().map(|it| (it["license"].clone(), it["event"].clone())).collect();
    let expected = [("L-1", "granted"), ("L-2", "failed"), ("L-3", "awaiting_approval")];
    assert_eq!(told, expected.map(|(license, event)| (json!(license), json!(event))));
    rig.keeps_secrets(&[]);
}

#[test]
fn a_browser_goes_through_it_as_an_admin_does() {
    let rig = rig();
    let front = Front::of(&rig);
    let address = link(&rig, "L-1");
    let rules = format!("--host-resolver-rules=MAP auth.example.com:443 127.0.0.1:{}", front.tls);
    let browser = Browser::start_with(&["--ignore-certificate-errors", &rules]);
    browser.open(&address);
    browser.enter("#ubi", "604001");
    browser.enter("#password", "sandbox");
    browser.click("#grant");
    browser.headed("Access granted");
    assert!(browser.address().starts_with(PUBLIC), "{}", browser.address());
    assert!(browser.text("main").contains("Thank you"));
    assert_eq!(rig.only()["state"], "active");
    front.stops().exits(0);
}

#[test]
fn a_monitor_hears_whether_it_is_well() {
    let rig = rig();
    let front = Front::of(&rig);
    let (status, text) = front.direct("/healthz", &[]);
    assert_eq!(
        (status, serde_json::from_str::<Value>(&text).unwrap()),
        (200, json!({ "ok": true, "reason": null }))
    );
    // Under its own name it tells nothing else; and a foreign one is none of ours.
    assert_eq!(front.direct("/callback?code=x&state=y", &[]).0, 421);
    assert_eq!(front.direct("/healthz", &["-H", "Host: evil.example"]).0, 421);
    let ledger = rig.file("ledger.db");
    std::fs::rename(&ledger, rig.file("away.db")).unwrap();
    let (status, text) = front.direct("/healthz", &[]);
    assert!(status == 503 && text.contains("ledger"), "{status} {text}");
    std::fs::rename(rig.file("away.db"), &ledger).unwrap();
    assert_eq!(front.direct("/healthz", &[]).0, 200);
    front.stops().exits(0);
}

#[test]
fn one_source_is_slowed_down_and_another_is_not() {
    let rig = rig();
    let front = Front::of(&rig);
    let from = |source: &str| {
        let header = format!("X-Forwarded-For: {source}");
        front.direct("/callback?code=x&state=y", &["-H", "Host: auth.example.com", "-H", &header]).0
    };
    let passed = (0..40).map(|_| from("192.0.2.1")).collect::<Vec<_>>();
    assert!(passed[..20].iter().all(|status| *status == 400) && passed.contains(&429), "{passed:?}");
    assert_eq!(from("192.0.2.2"), 400);
    // What the client wrote itself before the proxy's word counts for nothing.
    assert_eq!(from("203.0.113.9, 192.0.2.1"), 429);
    front.stops().exits(0);
}

#[test]
fn a_signal_waits_for_the_exchange_under_way() {
    let rig = rig();
    let proxy = Proxy::of(&rig);
    let front = Front::of(&rig);
    let back = clicked(&rig, &link(&rig, "L-1"), &[]);
    let (status, page) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| front.curl(&[&back]));
        proxy.seen.recv().unwrap();
        // The same browser again, meanwhile: nothing is sent twice.
        assert!(front.curl(&[&back]).1.contains("Already received"));
        send("TERM", &front.listen);
        proxy.go.send(()).unwrap();
        asked.join().unwrap()
    });
    assert!(status == 200 && page.contains("Access granted"), "{status} {page}");
    assert_eq!(rig.only()["state"], "active");
    let mut front = front;
    assert_eq!(front.listen.wait().unwrap().code(), Some(0));
}

#[test]
fn killed_in_the_middle_it_says_so_when_it_starts_again() {
    let rig = rig();
    let proxy = Proxy::of(&rig);
    let mut front = Front::of(&rig);
    let back = clicked(&rig, &link(&rig, "L-1"), &[]);
    let status = std::thread::scope(|scope| {
        let asked = scope.spawn(|| front.curl(&[&back]).0);
        proxy.seen.recv().unwrap();
        send("KILL", &front.listen);
        let status = asked.join().unwrap();
        proxy.go.send(()).unwrap();
        status
    });
    assert_eq!(status, 502, "nginx asks nobody twice");
    front.listen.wait().unwrap();
    assert_eq!(rig.only()["conditions"], json!(["uncertain"]));
    drop(front);
    std::fs::remove_dir_all(rig.elsewhere("nginx")).unwrap();
    let front = Front::of(&rig);
    let (status, page) = front.curl(&[&back]);
    assert!(status == 200 && page.contains("Already received"), "{status} {page}");
    front.stops().exits(0).says("uncertain");
    assert_eq!(rig.counted("token_issued"), 1);
}

#[test]
fn what_cannot_be_a_public_address_is_refused() {
    let rig = Rig::new();
    rig.run(&["listen"]).exits(2).says("--public-url");
    for bad in
        ["http://auth.example.com/", "https://auth.example.com/?a=b", "https://u@auth.example.com/", "x"]
    {
        rig.run(&["listen", "--public-url", bad]).exits(2).says("the public address");
    }
    assert!(shipped("nginx/biotrack-auth.conf").is_file());
}
