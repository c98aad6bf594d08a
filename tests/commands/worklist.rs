//! The worklist of a run, as its page's script posts to it: what is accepted, discarded, handed off and taken back there.

use crate::rig::{Reply, Rig, Running, Visit};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Three due licenses of Ann; the boss granted the first two instead, and those grants await approval.
fn fleet() -> Rig {
    let rig = Rig::new();
    rig.seed([
        rig.record("L-1", "ann@example.com", 2),
        rig.record("L-2", "ann@example.com", 3),
        rig.record("L-3", "ann@example.com", 4),
    ]);
    for license in ["L-1", "L-2"] {
        rig.visits([Visit::GrantsAs("boss@example.com".into())]);
        rig.run(&format!("renew {license} --browser scripted")).exits(6);
    }
    rig
}

/// The page of a run that is under way.
struct Page {
    place: String,
    path: String,
}

impl Page {
    fn of(running: &Running) -> Self {
        running.says("/worklist/");
        // The whole line.
        let said = running.says("redirect_uri=");
        let address = said.split_whitespace().find(|word| word.contains("/worklist/")).unwrap();
        let address = url::Url::parse(address).unwrap();
        let place = format!("127.0.0.1:{}", address.port().unwrap());
        Self { place, path: address.path().to_owned() }
    }

    fn asks(&self, method: &str, below: &str) -> String {
        let mut stream = TcpStream::connect(&self.place).unwrap();
        let path = format!("{}{below}", self.path);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n",
            self.place
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn posts(&self, below: &str) -> Value {
        let answer = self.asks("POST", below);
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }

    /// The rows that have changed since the run began.
    fn rows(&self) -> Value {
        serde_json::from_str::<Value>(&self.asks("GET", "/news")).unwrap()["rows"].clone()
    }

    fn row(&self, n: u64) -> Value {
        self.rows().as_array().unwrap().iter().find(|row| row["n"] == n).unwrap().clone()
    }

    /// Accepts or discards what a row shows.
    fn decides(&self, wish: &str, n: u64) -> Value {
        let id = self.row(n)["awaiting"]["id"].as_str().unwrap().to_owned();
        self.posts(&format!("/{wish}/{n}?shown={id}"))
    }
}

fn shown(rig: &Rig, license: &str) -> (String, Value) {
    let found = rig.run(&format!("status {license} --json")).exits(0).json();
    let record = &found["authorizations"][0];
    (record["state"].as_str().unwrap().to_owned(), record["conditions"].clone())
}

#[test]
fn what_awaits_approval_is_accepted_and_discarded_there() {
    let rig = fleet();
    let done = rig.run_while("renew --due --no-browser --json", |running| {
        let page = Page::of(running);
        assert_eq!(page.row(0)["awaiting"]["by"], "boss@example.com");
        assert_eq!(page.decides("accept", 0), json!({ "said": null }));
        let row = page.row(0);
        assert_eq!(
            (&row["progress"], &row["awaiting"], &row["why"]),
            (&json!("granted"), &json!(null), &json!(""))
        );
        assert_eq!(row["detail"], "by boss@example.com");
        assert_eq!(row["expires"], "2026-06-10", "the new end");
        assert_eq!(page.decides("discard", 1), json!({ "said": null }));
        let row = page.row(1);
        assert!(
            row["awaiting"].is_null() && ["waiting", "opened"].contains(&row["progress"].as_str().unwrap()),
            "{row}"
        );
        running.hand.interrupts();
    });
    assert_eq!(done.exits(130).json()["results"][0]["outcome"], "granted");
    assert_eq!(shown(&rig, "L-1"), ("active".into(), json!([])));
    assert_eq!(shown(&rig, "L-2"), ("due".into(), json!([])));
    // It was revoked when the run was over, and nothing of the license itself was.
    assert_eq!(rig.provider.living().iter().filter(|(license, _)| license == "L-2").count(), 0);
    // What was discarded is still to be done.
    let left = rig.run("renew --resume --dry-run").exits(0);
    assert!(left.err.contains("2 licenses left") && left.out.contains("L-2"), "{}", left.transcript());
}

#[test]
fn only_what_was_shown_is_accepted_there() {
    let rig = fleet();
    let done = rig.run_while("renew --due --no-browser", |running| {
        let page = Page::of(running);
        let id = page.row(0)["awaiting"]["id"].as_str().unwrap().to_owned();
        // Somebody else discards it meanwhile.
        rig.run("deactivate L-1 --awaiting --yes").exits(0);
        for wish in ["accept", "discard"] {
            let said = page.posts(&format!("/{wish}/0?shown={id}"))["said"].clone();
            assert!(said.as_str().unwrap().contains("has changed since this page was loaded"), "{said}");
        }
        assert_eq!(page.row(0)["awaiting"], json!(null));
        for odd in ["/accept/0", "/accept/0?shown=x", "/accept/9?shown=1"] {
            assert!(!page.asks("POST", odd).contains("said"), "{odd}");
        }
        running.hand.interrupts();
    });
    done.exits(130);
    assert_eq!(shown(&rig, "L-1"), ("due".into(), json!([])));
}

#[test]
fn a_revocation_that_fails_behind_the_page_is_told_and_tried_again() {
    let rig = fleet();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    rig.run_while("renew --due --no-browser", |running| {
        let page = Page::of(running);
        page.decides("discard", 0);
        running.hand.interrupts();
    })
    .exits(130);
    assert_eq!(shown(&rig, "L-1").1, json!(["revocation_pending"]));
    rig.run("deactivate L-1 --awaiting --yes").exits(0);
    assert_eq!(shown(&rig, "L-1"), ("due".into(), json!([])));
}

#[test]
fn a_link_that_is_out_stays_on_the_page_with_its_message() {
    let rig = fleet();
    rig.run_while("renew --due --no-browser", |running| {
        let page = Page::of(running);
        let address = page.posts("/handoff/2")["address"].as_str().unwrap().to_owned();
        let link = page.row(2)["link"].clone();
        assert_eq!(link["address"], address);
        let message = link["message"].as_str().unwrap();
        assert!(message.contains(&address) && message.contains("ann@example.com"), "{message}");
        // A reload has it, too.
        let again = page.asks("GET", "");
        assert!(again.contains("data-link") && again.contains("state="), "{again}");
        running.hand.interrupts();
    })
    .exits(130);
}

#[test]
fn a_whole_mail_that_is_pasted_there_comes_in_pieces() {
    let rig = fleet();
    rig.run_while("renew --due --no-browser", |running| {
        let page = Page::of(running);
        let address = page.posts("/handoff/2")["address"].as_str().unwrap().to_owned();
        let back = rig.provider.answer_to(&address);
        let (head, tail) = back.split_at(back.len() / 2);
        let mail = format!("{}\n> Here it is:\n> {head}\n> {tail}.\n> Ann\n", "Please click.\n".repeat(500));
        let characters: Vec<char> = mail.chars().collect();
        let mut said = String::new();
        for (n, piece) in characters.chunks(1000).enumerate() {
            let text: String = piece.iter().collect();
            let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let more = if (n + 1) * 1000 < characters.len() { "&more=1" } else { "" };
            said = page.asks("POST", &format!("/answer?after={}{more}&text={text}", n * 1000));
        }
        assert!(said.contains("\"taken\":true"), "{said}");
        running.hand.interrupts();
    })
    .exits(130);
    assert_eq!(shown(&rig, "L-3"), ("active".into(), json!([])));
}

#[test]
fn what_was_taken_back_is_left_for_resume() {
    let rig = fleet();
    rig.run_while("renew --due --no-browser", |running| {
        let page = Page::of(running);
        for n in 1..3 {
            page.asks("POST", &format!("/skip/{n}"));
            page.asks("POST", &format!("/retry/{n}"));
        }
        page.posts("/handoff/2");
        page.asks("POST", "/retry/2");
        running.hand.interrupts();
    })
    .exits(130);
    let left = rig.run("renew --resume --dry-run").exits(0);
    assert!(left.err.contains("3 licenses left"), "{}", left.transcript());
}

#[test]
fn a_token_that_is_refreshed_meanwhile_leaves_nothing_undone() {
    let rig = Rig::new();
    for license in ["L-1", "L-2"] {
        rig.grant(license);
    }
    rig.days_pass(90);
    rig.visits([Visit::Interrupts]);
    let browser = rig.browser_program();
    rig.run(&format!("renew --all --browser '{browser}'")).exits(130);
    rig.run("token L-2").exits(0);
    let left = rig.run("renew --resume --dry-run").exits(0);
    assert!(left.err.contains("2 licenses left"), "{}", left.transcript());
    rig.run(&format!("renew --resume --browser '{browser}'")).exits(0);
    assert_eq!(rig.run("status --json").exits(0).json()["summary"]["due"], 0);
    // The same while the run is under way.
    rig.days_pass(90);
    rig.visits([Visit::Grants, Visit::Grants]);
    let done = rig.run_while("renew --all --no-browser --json", |running| {
        let page = Page::of(running);
        rig.run("token L-2").exits(0);
        page.asks("POST", "/skip/0");
        assert!(running.says("L-2").contains("L-2"));
        page.asks("POST", "/skip/1");
    });
    assert!(!done.err.contains("meanwhile"), "{}", done.err);
}

#[test]
fn a_dry_run_of_what_is_left_takes_nothing_over() {
    let rig = fleet();
    rig.visits([Visit::Interrupts]);
    let browser = rig.browser_program();
    rig.run(&format!("renew --due --browser '{browser}'")).exits(130);
    let ledger = rig.env().paths.ledger();
    let log = ledger.with_file_name(format!("{}-wal", ledger.file_name().unwrap().display()));
    let written = || (std::fs::read(&ledger).unwrap(), std::fs::read(&log).ok());
    let before = written();
    for line in [
        "renew --resume --dry-run",
        "renew --due --dry-run",
        "renew --awaiting --dry-run",
        "deactivate L-1 --dry-run",
        "deactivate L-1 --awaiting --dry-run",
    ] {
        rig.run(line).exits(0);
        assert!(written() == before, "{line}");
    }
}

#[test]
fn a_grant_that_could_not_be_stored_is_stored_when_its_license_is_tried_again_there() {
    let rig = Rig::with_keyring();
    rig.seed([rig.record("L-1", "ann@example.com", 2), rig.record("L-2", "ann@example.com", 3)]);
    let gate = rig.provider.stops("/oauth/token");
    let done = rig.run_while("renew --due --no-browser --tabs 2", |running| {
        let page = Page::of(running);
        running.says("license=L-2");
        let said = running.says("license=L-1");
        let asked = said.split_whitespace().find(|word| word.contains("license=L-1")).unwrap().to_owned();
        let back = rig.provider.consents(&asked, None);
        std::thread::scope(|threads| {
            let browser = threads.spawn(|| crate::rig::get(&back));
            gate.is_reached();
            rig.keyring.locks(true);
            gate.opens();
            let page = browser.join().unwrap();
            assert!(page.contains("has arrived and is kept"), "{page}");
        });
        running.says("can't be stored yet");
        rig.keyring.locks(false);
        page.asks("POST", "/retry/0");
        running.says("✓ 604001/L-1");
        running.hand.interrupts();
    });
    drop(done.exits(130));
    assert_eq!((rig.provider.living().len(), rig.provider.asked("/oauth/token")), (1, 1));
    assert_eq!(shown(&rig, "L-1"), ("active".into(), json!([])));
}
