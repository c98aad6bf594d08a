//! OAuth servers that aren't ours (tests/peers), each as a process of its own that tells what it answers. `tests/run`
//! installs them.

mod django_oauth_toolkit;
mod life;
mod mixup;
mod oidc_provider;

use crate::support::stored::key;
use crate::support::{Rig, Run, outside};
use biotrack_auth::ledger::Ledger;
use biotrack_auth::model::flow::SecretRole;
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::ids::{LicenseId, Ubi};
use biotrack_auth::model::server::LedgerPlace;
use biotrack_auth::vault::Vault;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Which server, and what about it the program or its profile doesn't read from its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    OidcProvider,
    DjangoOAuthToolkit,
}

impl Kind {
    /// Its folder below tests/peers, its file below contrib/generic, and its profile.
    fn name(self) -> &'static str {
        match self {
            Self::OidcProvider => "oidc-provider",
            Self::DjangoOAuthToolkit => "django-oauth-toolkit",
        }
    }

    /// What runs it, out of what tests/run installed.
    fn command(self) -> Command {
        let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers").join(self.name());
        assert!(
            installed.join("installed").exists(),
            "{} isn't installed: tests/run installs it",
            self.name()
        );
        match self {
            Self::OidcProvider => {
                let mut node = outside("node");
                node.arg(source("oidc-provider/server.js")).arg(installed);
                node
            }
            Self::DjangoOAuthToolkit => {
                let mut python = Command::new(installed.join("bin/python"));
                python.arg(source("django-oauth-toolkit/server.py"));
                python
            }
        }
    }

    /// The client's secret, where it has one.
    fn secret(self) -> Option<&'static str> {
        match self {
            Self::OidcProvider => None,
            Self::DjangoOAuthToolkit => Some("a-secret"),
        }
    }

    /// Where it answers token requests.
    fn token_path(self) -> &'static str {
        match self {
            Self::OidcProvider => "/token",
            Self::DjangoOAuthToolkit => "/o/token/",
        }
    }

    /// Where it tells whether a token of either kind lives.
    fn lives_path(self) -> &'static str {
        match self {
            Self::OidcProvider => "/token/introspection",
            Self::DjangoOAuthToolkit => "/lives/",
        }
    }
}

/// The server, and what it said; it ends with its test.
pub struct Peer {
    kind: Kind,
    child: Child,
    said: BufReader<ChildStdout>,
    issuer: String,
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

impl Peer {
    fn start(kind: Kind) -> Self {
        let mut command = kind.command();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut peer = Self { kind, child, said, issuer: String::new() };
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

    /// What it has said until now and nobody has heard.
    fn heard(&mut self) -> Vec<Value> {
        // It says what it answered before it answers, so that this is said last.
        let nonsense = "/is/nowhere";
        self.asked(&format!("GET {nonsense} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host()));
        let mut heard = Vec::new();
        loop {
            let said = self.next();
            if said["path"] == nonsense {
                return heard;
            }
            heard.push(said);
        }
    }

    /// How many token requests it has answered since somebody last listened, and how many of them well.
    fn token_requests(&mut self) -> (usize, usize) {
        let path = self.kind.token_path();
        let answers: Vec<_> = self
            .heard()
            .into_iter()
            .filter(|said| said["path"] == path && said["method"] == "POST")
            .collect();
        (answers.len(), answers.iter().filter(|said| said["status"] == 200).count())
    }

    /// Host and port.
    fn host(&self) -> &str {
        let address = self.issuer.trim_start_matches("http://");
        address.split_once('/').map_or(address, |(host, _)| host)
    }

    fn asked(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.host()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What it answers to the client's form.
    fn posted(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", "biotrack-auth").extend_pairs(fields);
        form.extend_pairs(self.kind.secret().map(|secret| ("client_secret", secret)));
        let body = form.finish();
        let (host, length) = (self.host(), body.len());
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let answer = self.asked(&format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default()
    }

    /// Whether a token of either kind lives there.
    fn is_active(&self, token: &str) -> bool {
        self.posted(self.kind.lives_path(), &[("token", token)])["active"] == true
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
    let mut arguments = vec!["config", "init", "--preset", "generic", "--issuer", &peer.issuer];
    arguments.extend(["--client-id", "biotrack-auth", "--vault", "sealed"]);
    let mut command = match peer.kind.secret() {
        Some(_) => rig.command(&[&arguments[..], &["--client-secret-stdin"]].concat()),
        None => rig.command(&arguments),
    };
    super::fed(&mut command, peer.kind.secret().unwrap_or_default()).exits(0);
    let shown = super::read(&format!("generic/{}.toml", peer.kind.name()));
    let (_, lines) = shown.split_once("# --- what the server needs\n").unwrap();
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    // Each token request is counted, and a test of the client is one.
    std::fs::write(&config, format!("{text}\n{lines}\npreflight = false\n")).unwrap();
    rig
}

/// The grant in use of the one license.
fn live(rig: &Rig) -> Granted {
    let env = rig.env();
    let ledger = Ledger::read(&env, &LedgerPlace::File).unwrap().unwrap();
    let vault = Vault::sealed(&env.paths.identity, Vec::new());
    let key = LicenseId { ubi: Ubi::parse("none").unwrap(), ..key("STORE-1") };
    let live = ledger.secrets("generic", &key, SecretRole::Live).unwrap().pop().unwrap();
    let kept = vault.get(&live.place, &rig.seals().row("generic", &key, &live)).unwrap();
    Granted::from_sealable(&kept, &key).unwrap()
}

/// The person at the server's own pages.
fn visitor() -> String {
    source("visitor.py").to_str().unwrap().to_owned()
}

fn visited(rig: &Rig, arguments: &[&str]) -> Run {
    rig.run(&[arguments, &["--browser", &visitor()]].concat())
}

const REGISTER: [&str; 5] = ["register", "--license", "STORE-1", "--username", "ann@example.com"];
const ALWAYS: [&str; 4] = ["token", "STORE-1", "--min-valid", "60m"];
