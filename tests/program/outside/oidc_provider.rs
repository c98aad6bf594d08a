//! The whole life of a grant at an OAuth server that isn't ours: npm's `oidc-provider`, with its own pages for login and
//! consent (tests/peers/oidc-provider). `tests/run` installs it.

use crate::support::stored::key;
use crate::support::{Rig, Run, outside};
use biotrack_auth::ledger::Ledger;
use biotrack_auth::model::flow::Role;
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::ids::{Key, Ubi};
use biotrack_auth::vault::Vault;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

/// The server, and what it said of tokens; it ends with its test.
struct Peer {
    child: Child,
    said: BufReader<ChildStdout>,
    issuer: String,
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/oidc-provider").join(name)
}

impl Peer {
    fn start() -> Self {
        let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers/oidc-provider");
        assert!(
            installed.join("node_modules").exists(),
            "oidc-provider isn't installed: tests/run installs it"
        );
        let mut node = outside("node");
        node.arg(source("server.js")).arg(installed);
        let mut child =
            node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut peer = Self { child, said, issuer: String::new() };
        let listening = peer.next();
        assert_eq!(listening["event"], "listening");
        peer.issuer = listening["issuer"].as_str().unwrap().to_owned();
        peer
    }

    /// What it says next.
    fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "the server ended");
            // Its own advice to whoever would run it in earnest stands between.
            if let Ok(said) = serde_json::from_str(&line) {
                return said;
            }
        }
    }

    /// Waits until it says this, and forgets what it said before.
    fn says(&mut self, wanted: &Value) {
        while self.next() != *wanted {}
    }

    /// What it answers to a form.
    fn posted(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let host = self.issuer.trim_start_matches("http://");
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.append_pair("client_id", "biotrack-auth").extend_pairs(fields).finish();
        let mut stream = TcpStream::connect(host).unwrap();
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default()
    }

    fn is_active(&self, token: &str) -> bool {
        self.posted("/token/introspection", &[("token", token)])["active"] == true
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A home whose profile is the one that contrib/ shows, for this server.
fn rig(peer: &Peer) -> Rig {
    let rig = Rig::unconfigured(&[]);
    let arguments = [
        "config",
        "init",
        "--preset",
        "generic",
        "--issuer",
        &peer.issuer,
        "--client-id",
        "biotrack-auth",
        "--vault",
        "sealed",
    ];
    rig.run(&arguments).exits(0);
    let shown = super::read("generic/oidc-provider.toml");
    let (_, lines) = shown.split_once("# --- what the server needs\n").unwrap();
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n{lines}")).unwrap();
    rig
}

fn live(rig: &Rig) -> Granted {
    let env = rig.env();
    let ledger = Ledger::read(&env).unwrap().unwrap();
    let vault = Vault::sealed(&env.paths.identity, Vec::new());
    let key = Key { ubi: Ubi::parse("none").unwrap(), ..key("STORE-1") };
    let (_, place) = ledger.secrets("generic", &key, Role::Live).unwrap().pop().unwrap();
    Granted::from_sealable(&vault.get(&place, "STORE-1").unwrap(), &key).unwrap()
}

fn visited(rig: &Rig, arguments: &[&str]) -> Run {
    let visitor = source("visitor.py");
    rig.run(&[arguments, &["--browser", visitor.to_str().unwrap()]].concat())
}

const REGISTER: [&str; 5] = ["register", "--license", "STORE-1", "--username", "ann@example.com"];
const ALWAYS: [&str; 4] = ["token", "STORE-1", "--min-valid", "2h"];

#[test]
fn a_grant_lives_its_whole_life_at_oidc_provider() {
    let mut peer = Peer::start();
    let rig = rig(&peer);
    let registered = visited(&rig, &REGISTER).exits(0).answers("Created At");
    assert!(!registered.err.contains("Not confirmed"), "{}", registered.err);
    peer.says(&json!({"event": "issued", "by": "authorization_code"}));
    let it = rig.only();
    assert_eq!(
        (&it["state"], &it["ubi"], &it["expires_estimated"]),
        (&json!("active"), &json!("none"), &json!(true))
    );
    rig.run(&["status", "STORE-1"]).exits(0).answers("STORE-1");

    // The token, as it came; then rotated.
    let first = live(&rig);
    assert_eq!(rig.run(&["token", "STORE-1"]).exits(0).out, format!("{}\n", first.access.expose()));
    assert!(peer.is_active(first.access.expose()));
    let refreshed = rig.run(&[&ALWAYS[..], &["--json"]].concat()).exits(0).json();
    peer.says(&json!({"event": "issued", "by": "refresh_token"}));
    let second = live(&rig);
    assert_eq!(
        (&refreshed["token"], &refreshed["refreshed"]),
        (&json!(second.access.expose()), &json!(true))
    );
    let (old, new) = (first.refresh.unwrap(), second.refresh.clone().unwrap());
    assert_ne!(old.expose(), new.expose());
    assert!(peer.is_active(new.expose()) && !peer.is_active(old.expose()));
    assert_eq!(rig.only()["expires_at"], it["expires_at"], "a refresh prolongs nothing");

    let run = rig
        .run(&["exec", "STORE-1", "--", "sh", "-c", "echo $BIOTRACK_LICENSE $BIOTRACK_ACCESS_TOKEN"])
        .exits(0);
    assert_eq!(run.out, format!("STORE-1 {}\n", second.access.expose()));
    rig.run(&["status", "--online"]).exits(0).says_nothing().answers("active");

    // A person consents again; the old grant stays until the new one is stored.
    visited(&rig, &["renew", "STORE-1"]).exits(0);
    let third = live(&rig);
    assert_ne!(third.access.expose(), second.access.expose());
    assert!(peer.is_active(third.access.expose()));

    // Given up there, too.
    rig.run(&["deactivate", "STORE-1", "--yes"]).exits(0).answers("At BioTrack: revoked.");
    peer.says(&json!({"event": "grant_revoked"}));
    assert!(!peer.is_active(third.access.expose()) && !peer.is_active(third.refresh.unwrap().expose()));
    assert_eq!(rig.only()["state"], "deactivated");
    rig.run(&["token", "STORE-1"]).exits(4).answers_nothing().says("biotrack-auth register");
}

#[test]
fn a_replay_ends_the_grant_there_and_both_ways_of_finding_out_say_so() {
    for find_out in [&ALWAYS[..], &["status", "--online"]] {
        let mut peer = Peer::start();
        let rig = rig(&peer);
        visited(&rig, &REGISTER).exits(0);
        let stolen = live(&rig).refresh.unwrap();
        rig.run(&ALWAYS).exits(0);
        // Whoever replays a spent refresh token has the server end the whole grant.
        let answer =
            peer.posted("/token", &[("grant_type", "refresh_token"), ("refresh_token", stolen.expose())]);
        assert_eq!(answer["error"], "invalid_grant");
        peer.says(&json!({"event": "grant_revoked"}));
        assert!(!peer.is_active(live(&rig).refresh.unwrap().expose()));
        assert_eq!(rig.only()["state"], "active", "nobody has asked yet");
        let run = rig.run(find_out);
        assert_eq!(run.code, if find_out[0] == "token" { 4 } else { 0 }, "{run:?}");
        assert_eq!((&rig.only()["state"], &rig.only()["conditions"]), (&json!("invalid"), &json!([])));
        assert_eq!(rig.only()["next_command"], "biotrack-auth renew none/STORE-1");
        visited(&rig, &["renew", "STORE-1"]).exits(0);
        assert_eq!(rig.only()["state"], "active");
        let token = rig.run(&["token", "STORE-1"]).exits(0).out;
        assert!(peer.is_active(token.trim_end()));
    }
}

#[test]
fn thirty_processes_cost_no_grant_though_a_second_refresh_would() {
    let mut peer = Peer::start();
    let rig = rig(&peer);
    visited(&rig, &REGISTER).exits(0);
    let children: Vec<_> = (0..30).map(|_| rig.start(&ALWAYS)).collect();
    for child in children {
        Run::of(child.wait_with_output().unwrap()).exits(0);
    }
    peer.says(&json!({"event": "issued", "by": "refresh_token"}));
    assert!(peer.is_active(live(&rig).refresh.unwrap().expose()));
}
