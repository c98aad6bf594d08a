//! Hand-offs: a link for an admin who sits elsewhere, and the address that they send back.

use crate::crash::points::at_each_point;
use crate::crash::truth::{Found, LICENSE, go_on, holds, is_whole};
use crate::keyring::session::{Session, accounts, within};
use crate::support::proxy::Proxy;
use crate::support::screen::Screen;
use crate::support::seed::store;
use crate::support::{Rig, Run, admin, outside, register, send};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

impl Rig {
    /// Hands a link out for a license; the address.
    #[track_caller]
    pub fn hands_out(&self, arguments: &[&str]) -> String {
        self.run(arguments).exits(0).out.trim_end().to_owned()
    }

    /// The admin clicks the link, and says where their browser ended up.
    #[track_caller]
    pub fn goes_to(&self, address: &str, options: &[&str]) -> String {
        let back = self.elsewhere("back");
        let done = Command::new(admin())
            .args(["--back", back.to_str().unwrap()])
            .args(options)
            .arg(address)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::read_to_string(back).unwrap()
    }

    /// `complete -` with this on standard input.
    fn completes(&self, pasted: &str, more: &[&str]) -> Run {
        let mut command = self.command(&["complete", "-"]);
        let mut child = command.args(more).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(pasted.as_bytes()).unwrap();
        Run::of(child.wait_with_output().unwrap())
    }
}

fn first<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec![
        "register",
        "--ubi",
        "604001",
        "--license",
        LICENSE,
        "--username",
        "ann@example.com",
        "--no-wait",
    ];
    arguments.extend(more);
    arguments
}

#[test]
fn a_process_that_waits_keeps_its_question_and_one_that_died_leaves_it() {
    let rig = Rig::new();
    let mut child = rig.start(&register(LICENSE, &["--no-browser"]));
    rig.until(|| rig.counted_asked() == 1);
    let mut said = String::new();
    let mut err = std::io::BufReader::new(child.stderr.take().unwrap());
    while !said.contains("redirect_uri") {
        std::io::BufRead::read_line(&mut err, &mut said).unwrap();
    }
    let address = said.split_whitespace().find(|word| word.contains("redirect_uri")).unwrap().to_owned();
    let back = rig.goes_to(&address, &[]);
    rig.completes(&back, &[]).exits(1).says("is waiting for this answer");
    child.kill().unwrap();
    child.wait().unwrap();
    // Its consent isn't wasted.
    rig.completes(&back, &[]).exits(0);
    is_whole(&rig);
}

#[track_caller]
fn fits(schema: &str, value: &Value) {
    let path = format!("{}/schemas/{schema}.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    if let Err(e) = jsonschema::validate(&schema, value) {
        panic!("{e}: {value}");
    }
}

#[test]
fn no_secret_lies_in_the_clear() {
    let rig = Rig::new();
    let proxy = Proxy::of(&rig);
    let address = rig.hands_out(&first(&["-vv"]));
    let state = address.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    rig.keeps_secrets(std::slice::from_ref(&state));
    let back = rig.goes_to(&address, &[]);
    let mut child = rig.command(&["complete", "-", "-vv"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(back.as_bytes()).unwrap();
    let seen = proxy.seen.recv().unwrap();
    let mut secrets = seen.secrets();
    secrets.push(state);
    let command_line = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    proxy.go.send(()).unwrap();
    let run = Run::of(child.wait_with_output().unwrap()).exits(0);
    for secret in &secrets {
        for place in [&command_line[..], run.out.as_bytes(), run.err.as_bytes()] {
            assert!(!crate::support::leaks::holds(place, secret));
        }
    }
    rig.keeps_secrets(&secrets);
}

#[test]
fn complete_is_killed_everywhere() {
    complete_with("complete", &Rig::new());
}

#[test]
fn complete_with_a_keyring_is_killed_everywhere() {
    within(Session::Unlocked, || complete_with("complete, keyring", &Rig::with_keyring(&[])));
}

fn complete_with(command: &str, rig: &Rig) {
    rig.register(LICENSE).exits(0);
    let back = || rig.goes_to(&rig.hands_out(&["renew", LICENSE, "--no-wait", "-q"]), &[]);
    let calls = rig.calls(&["complete", &back()]);
    at_each_point(command, 3, &calls, |call, nth| {
        let back = back();
        let known = rig.truth().len();
        rig.killed(call, nth, &["complete", &back]).then(|| {
            let found = holds(rig, known);
            // The same paste again finishes it, unless it had been sent.
            let again = rig.completes(&back, &[]);
            match found {
                Found::Before => assert_eq!(again.code, 0, "{again:?}"),
                // Its code had come, and was never sent.
                Found::Uncertain if again.code == 0 => assert!(again.err.contains("Finished"), "{again:?}"),
                Found::Uncertain => {
                    assert_eq!(again.code, 8, "{again:?}");
                    go_on(rig, &["renew", LICENSE]);
                }
                Found::Done if rig.only()["next_command"].is_string() => drop(go_on(rig, &[])),
                Found::Done => {}
            }
            rig.run(&["renew", LICENSE, "--browser", &admin()]).exits(0);
            is_whole(rig);
            found
        })
    });
}

#[test]
fn with_a_keyring_no_memo_is_left_behind() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        let old = rig.hands_out(&first(&[]));
        assert_eq!(accounts().len(), 1);
        let new = rig.hands_out(&first(&["--expires", "1s"]));
        assert_eq!(accounts().len(), 1, "the replaced one's is gone");
        rig.until(|| rig.only()["conditions"] == json!(["handoff_lapsed"]));
        rig.completes(&rig.goes_to(&new, &[]), &[]).exits(5);
        rig.completes(&rig.goes_to(&old, &[]), &[]).exits(6);
        // The next change clears the lapsed one's away.
        let back = rig.goes_to(&rig.hands_out(&first(&[])), &[]);
        rig.completes(&back, &[]).exits(0);
        assert_eq!(accounts().len(), 1, "only the grant's");
        is_whole(&rig);
        rig.hands_out(&["renew", LICENSE, "--no-wait"]);
        rig.run(&["deactivate", LICENSE, "--yes"]).exits(0);
        assert!(accounts().is_empty());
    });
}

#[test]
fn the_worklist_hands_off_and_takes_what_comes_back() {
    let rig = Rig::new();
    rig.seed(&["L-1", "L-2"].map(|license| store(license, "2026-06-01T12:00:00Z")));
    let mut child = rig.start(&["renew", "--due", "--no-browser", "--tabs", "2", "--json"]);
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("/worklist/") {
        line.clear();
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    }
    let page = line.trim().to_owned();
    // As the page's script posts.
    let post = |below: &str| {
        let address = format!("{page}/{below}");
        let curl = ["-s", "--max-time", "60", "-X", "POST", "-H", "Sec-Fetch-Site: same-origin", &address];
        let text = String::from_utf8(outside("curl").args(curl).output().unwrap().stdout).unwrap();
        serde_json::from_str::<Value>(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    };
    let answer = |pasted: &str| {
        let text: String = url::form_urlencoded::byte_serialize(pasted.as_bytes()).collect();
        post(&format!("answer?text={text}"))
    };
    let old = rig.goes_to(post("handoff/0")["address"].as_str().unwrap(), &[]);
    let link = post("handoff/0")["address"].as_str().unwrap().to_owned();
    assert_eq!(rig.status()["authorizations"][0]["conditions"], json!(["renewal_pending"]));
    for (pasted, words) in [
        ("nothing", "contains no redirect address"),
        (old.as_str(), "which a newer link has replaced"),
        ("http://127.0.0.1:1/callback?code=a&state=b", "matches no pending request"),
    ] {
        let said = answer(pasted);
        assert!(said["taken"] == false && said["said"].as_str().unwrap().contains(words), "{said}");
    }
    let back = rig.goes_to(&link, &[]);
    assert_eq!(answer(&back)["taken"], true);
    rig.until(|| rig.status()["authorizations"][0]["state"] == "active");
    assert!(post("handoff/0")["said"].as_str().unwrap().contains("nothing more to do"));
    // The other one's link outlives the run.
    let back = rig.goes_to(post("handoff/1")["address"].as_str().unwrap(), &[]);
    send("INT", &child);
    let run = Run::of(child.wait_with_output().unwrap()).exits(0);
    let json = run.json();
    fits("results", &json);
    assert_eq!(json["results"][0]["outcome"], "granted");
    assert_eq!(json["results"][1]["outcome"], "handed_off");
    rig.completes(&back, &[]).exits(0);
    assert_eq!(rig.status()["summary"]["active"], 2);
}

#[test]
fn what_a_run_left_can_be_handed_out() {
    let rig = Rig::new();
    rig.seed(&["L-1", "L-2"].map(|license| store(license, "2026-06-01T12:00:00Z")));
    let mut child = rig.start(&["renew", "--due", "--no-browser"]);
    rig.until(|| rig.counted_asked() == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(rig.hands_out(&["renew", "--resume", "--no-wait"]).lines().count(), 2);
    assert_eq!(rig.counted_asked(), 3, "the two links, and what the killed run had asked");
    rig.run(&["renew", "--resume", "--no-wait"]).exits(0).answers_nothing();
}

fn shell(home: &Path) -> Screen {
    let screen = Screen::new(home, 600, &["bash", "--norc", "--noprofile", "-i"]);
    screen.types("PS1='$ '; clear").key("Enter");
    screen
}

#[test]
fn an_answer_is_pasted_at_the_prompt() {
    let rig = Rig::new();
    let screen = shell(rig.home());
    let command = register(LICENSE, &["--no-browser"]).join(" ");
    screen.types(&format!("biotrack-auth {command}")).key("Enter");
    let seen = screen.shows("redirect_uri");
    let address = seen.split_whitespace().find(|word| word.contains("redirect_uri")).unwrap().to_owned();
    screen.shows("paste the address");
    let back = rig.goes_to(&address, &[]);
    screen.types(&back.replace("127.0.0.1", "127.0.0.2")).key("Enter");
    screen.shows("isn't at the redirect address");
    screen.types(&back).key("Enter");
    screen.shows("Created At");
    is_whole(&rig);
}

#[test]
fn in_a_run_a_pasted_answer_and_keys_go_side_by_side() {
    let rig = Rig::new();
    rig.seed(&["L-1", "L-2"].map(|license| store(license, "2026-06-01T12:00:00Z")));
    let link = rig.hands_out(&["renew", "L-2", "--no-wait"]);
    let back = rig.goes_to(&link, &[]);
    let screen = shell(rig.home());
    screen.types("biotrack-auth renew --due --browser true").key("Enter");
    screen.shows("n next");
    screen.types(&back).key("Enter");
    screen.shows("✓ 604001/L-2");
    screen.types("s");
    screen.shows("2 licenses: 1 granted, 1 skipped");
    assert_eq!(rig.status()["summary"]["active"], 1);
}

#[test]
fn the_clipboard_and_a_qr_code_are_the_terminals() {
    let rig = Rig::new();
    let screen = shell(rig.home());
    let command = first(&["--qr", "--copy"]).join(" ");
    screen.types(&format!("clear; biotrack-auth {command} >/dev/null; echo do''ne")).key("Enter");
    let seen = screen.shows("done");
    assert!(seen.contains("█") && seen.contains("to the clipboard"), "{seen}");
    // Nothing is copied where there is no terminal.
    rig.run(&first(&["--copy"])).exits(0).says("Nothing was copied");
}

#[test]
fn within_tmux_what_is_copied_is_in_its_buffer() {
    let rig = Rig::new();
    let screen = Screen::new(rig.home(), 120, &["bash", "--norc", "--noprofile", "-i"]);
    let file = rig.elsewhere("link");
    let line = shlex::try_join(first(&["--copy"])).unwrap();
    screen
        .types(&format!("{} biotrack-auth {line} >'{}'; echo do''ne", screen.variable(), file.display()))
        .key("Enter");
    screen.shows("done");
    let address = std::fs::read_to_string(&file).unwrap();
    assert!(address.contains("/oauth?"), "{address}");
    assert_eq!(screen.copied().trim_end(), address.trim_end());
}
