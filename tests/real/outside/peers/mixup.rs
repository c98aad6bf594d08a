//! S3 S5: two servers in flight at once, and somebody who brings the answers of one to the question of the other. The
//! servers themselves tell whether a code reached the wrong token endpoint.

use super::{Kind, Peer, REGISTER, rig, visitor};
use crate::support::{Rig, Run, outside, send};
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use url::Url;

/// A program that waits at its listener, and the address that it asked to be opened.
struct Waiting {
    child: Child,
    err: BufReader<std::process::ChildStderr>,
    address: Url,
}

impl Waiting {
    fn of(rig: &Rig) -> Self {
        let mut child = rig.start(&[&REGISTER[..], &["--no-browser", "--timeout", "60s"]].concat());
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(err.read_line(&mut line).unwrap() > 0, "it ended");
            if let Some(address) = line.split_whitespace().find(|word| word.starts_with("http://")) {
                break Url::parse(address).unwrap();
            }
        };
        Self { child, err, address }
    }

    /// A parameter of the question.
    fn asked(&self, name: &str) -> String {
        let found = self.address.query_pairs().find(|(found, _)| found == name);
        found.unwrap_or_else(|| panic!("no {name}: {}", self.address)).1.into_owned()
    }

    /// Where its own listener is, with this query.
    fn listener(&self, query: &[(String, String)]) -> Url {
        let mut address = Url::parse(&self.asked("redirect_uri")).unwrap();
        address.query_pairs_mut().extend_pairs(query);
        address
    }

    /// It would wait on for a better answer.
    fn stopped(self) -> Run {
        send("TERM", &self.child);
        self.ended()
    }

    fn ended(mut self) -> Run {
        let mut err = String::new();
        self.err.read_to_string(&mut err).unwrap();
        let run = Run::of(self.child.wait_with_output().unwrap());
        Run { err, ..run }
    }
}

/// The redirect that a person is sent back with, held back.
fn held_back(rig: &Rig, address: &Url) -> Url {
    let file = rig.elsewhere("back");
    let _ = std::fs::remove_file(&file);
    let visited = outside("python3")
        .arg(visitor())
        .args(["--back", file.to_str().unwrap(), address.as_str()])
        .status()
        .unwrap();
    assert!(visited.success());
    Url::parse(&std::fs::read_to_string(&file).unwrap()).unwrap()
}

fn query(address: &Url) -> Vec<(String, String)> {
    address.query_pairs().into_owned().collect()
}

fn with(mut query: Vec<(String, String)>, name: &str, value: Option<&str>) -> Vec<(String, String)> {
    query.retain(|(found, _)| found != name);
    query.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    query
}

/// A browser goes there; the answer's status.
fn visit(address: &Url) -> u16 {
    let output = outside("curl")
        .args(["--silent", "--noproxy", "*", "--output", "/dev/null", "--write-out", "%{http_code}"])
        .arg(address.as_str())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().parse().unwrap()
}

/// Both servers, a home for each, and their programs in flight.
struct Both {
    peers: [Peer; 2],
    rigs: [Rig; 2],
}

impl Both {
    fn new() -> Self {
        let peers = [Kind::OidcProvider, Kind::DjangoOAuthToolkit].map(Peer::start);
        let rigs = [rig(&peers[0]), rig(&peers[1])];
        let mut both = Self { peers, rigs };
        both.peers.iter_mut().for_each(|peer| drop(peer.heard()));
        both
    }

    fn in_flight(&self) -> [Waiting; 2] {
        [Waiting::of(&self.rigs[0]), Waiting::of(&self.rigs[1])]
    }

    /// Token requests at each since somebody last asked.
    fn token_requests(&mut self) -> [(usize, usize); 2] {
        let [one, other] = &mut self.peers;
        [one.token_requests(), other.token_requests()]
    }
}

/// The rightful answers, each at the other's listener: whose state isn't ours is turned away, and both go on.
#[test]
fn an_answer_at_the_other_listener_reaches_no_token_endpoint_and_both_go_on() {
    let mut both = Both::new();
    let waiting = both.in_flight();
    let back = [0, 1].map(|at| held_back(&both.rigs[at], &waiting[at].address));
    for (at, other) in [(0, 1), (1, 0)] {
        assert_eq!(visit(&waiting[other].listener(&query(&back[at]))), 400);
    }
    assert_eq!(both.token_requests(), [(0, 0), (0, 0)]);
    for at in [0, 1] {
        assert_eq!(visit(&back[at]), 200);
    }
    for it in waiting {
        it.ended().exits(0);
    }
    assert_eq!(both.token_requests(), [(1, 1), (1, 1)]);
}

/// The code of one with the state of the other, and with every `iss` that might pass: its own, the other's, none, both.
#[test]
fn the_code_of_one_with_the_state_of_the_other_reaches_no_token_endpoint() {
    let mut both = Both::new();
    let issuers = [both.peers[0].issuer.clone(), both.peers[1].issuer.clone()];
    let mut tried = 0;
    // At the one that promises `iss`, all but its own name are refused; at the other, the first one's name is.
    for (victim, iss) in
        [(0, Some(issuers[1].as_str())), (0, None), (0, Some("")), (1, Some(&issuers[0])), (1, Some(""))]
    {
        let waiting = both.in_flight();
        let foreign = held_back(&both.rigs[1 - victim], &waiting[1 - victim].address);
        let mixed = with(query(&foreign), "state", Some(&waiting[victim].asked("state")));
        let mixed = with(mixed, "iss", iss);
        visit(&waiting[victim].listener(&mixed));
        let [first, second] = waiting;
        let (cheated, other) = if victim == 0 { (first, second) } else { (second, first) };
        cheated.stopped().exits(130).answers_nothing().says("the redirect came from");
        assert_eq!(both.token_requests(), [(0, 0), (0, 0)], "{victim} {iss:?}");
        // The other one's question is still open, and its own answer is good.
        assert_eq!(visit(&foreign), 200);
        other.ended().exits(0);
        let mut expected = [(0, 0), (0, 0)];
        expected[1 - victim] = (1, 1);
        assert_eq!(both.token_requests(), expected);
        both.rigs[1 - victim].run(&["deactivate", "STORE-1", "--yes"]).exits(0);
        tried += 1;
    }
    assert_eq!(tried, 5);
    assert_eq!(both.rigs[0].status()["summary"]["active"], 0);
}

/// The mix-up itself (RFC 9700 4.4.1): a server sends the person who came to it on to the other one, with its own
/// question's redirect address, state and challenge. The other one's honest redirect names who it is.
#[test]
fn a_question_that_one_server_passes_on_to_the_other_brings_it_no_code() {
    let mut both = Both::new();
    let waiting = Waiting::of(&both.rigs[1]);
    // The honest server's own page, asked in the program's name.
    let honest = Waiting::of(&both.rigs[0]);
    let mut passed_on = honest.address.clone();
    let question = ["redirect_uri", "state", "code_challenge"].map(|name| (name, waiting.asked(name)));
    let mut asked = query(&honest.address);
    for (name, value) in &question {
        asked = with(asked, name, Some(value));
    }
    passed_on.query_pairs_mut().clear().extend_pairs(asked);
    let back = held_back(&both.rigs[0], &passed_on);
    assert_eq!(back.port(), waiting.listener(&[]).port(), "it's sent to the other question's listener");
    assert!(query(&back).iter().any(|(name, _)| name == "code"));
    visit(&back);
    waiting.stopped().exits(130).answers_nothing().says("the redirect came from");
    assert_eq!(both.token_requests(), [(0, 0), (0, 0)]);
    let good = held_back(&both.rigs[0], &honest.address);
    assert_eq!(visit(&good), 200);
    honest.ended().exits(0);
}

/// Where the honest server names itself in no redirect, a redirect path for each profile does it (RFC 9700 4.4.2.2).
#[test]
fn where_no_issuer_is_named_a_redirect_path_of_its_own_keeps_the_code_at_home() {
    let mut both = Both::new();
    let config = both.rigs[0].file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}redirect.path = \"/callback/other\"\n")).unwrap();
    let (waiting, honest) = (Waiting::of(&both.rigs[0]), Waiting::of(&both.rigs[1]));
    let mut asked = query(&honest.address);
    for name in ["redirect_uri", "state", "code_challenge"] {
        asked = with(asked, name, Some(&waiting.asked(name)));
    }
    let mut passed_on = honest.address.clone();
    passed_on.query_pairs_mut().clear().extend_pairs(asked);
    // The server knows that path for none of its clients': it sends nobody there.
    let file = both.rigs[1].elsewhere("back");
    let visited = outside("python3")
        .arg(visitor())
        .args(["--back", file.to_str().unwrap(), passed_on.as_str()])
        .status()
        .unwrap();
    assert!(visited.success() && !file.exists());
    crate::support::send("INT", &waiting.child);
    waiting.ended().exits(130);
    assert_eq!(visit(&held_back(&both.rigs[1], &honest.address)), 200);
    honest.ended().exits(0);
    assert_eq!(both.token_requests(), [(0, 0), (1, 1)]);
}
