//! Hand-offs: a link for an admin who sits elsewhere, and the address that they send back.

use crate::crash::points::at_each_point;
use crate::crash::truth::{Found, LICENSE, go_on, holds, is_whole};
use crate::keyring::session::{Session, accounts, within};
use crate::support::proxy::Proxy;
use crate::support::screen::Screen;
use crate::support::seed::{named, store};
use crate::support::{Rig, Run, admin, outside, register, send};
use biotrack_auth::sandbox::Mishap;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

impl Rig {
    /// Hands a link out for a licence; the address.
    #[track_caller]
    fn hands_out(&self, arguments: &[&str]) -> String {
        self.run(arguments).exits(0).out.trim_end().to_owned()
    }

    /// The admin clicks the link, and says where their browser ended up.
    #[track_caller]
    fn goes_to(&self, address: &str, options: &[&str]) -> String {
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
        self.completes_bytes(pasted.as_bytes(), more)
    }

    fn completes_bytes(&self, pasted: &[u8], more: &[&str]) -> Run {
        let mut command = self.command(&["complete", "-"]);
        let mut child = command.args(more).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(pasted).unwrap();
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
fn a_link_is_handed_out_and_its_answer_registers_the_licence() {
    let rig = Rig::new();
    let run = rig.run(&first(&[])).exits(0).says("complete -").says("a code lives minutes");
    let address = run.out.trim_end().to_owned();
    assert!(address.starts_with(&rig.sandbox().address()) && !address.contains('\n'), "{}", run.out);
    let it = rig.only();
    assert_eq!((&it["state"], &it["conditions"]), (&json!("pending"), &json!(["renewal_pending"])));
    let until: jiff::Timestamp = it["pending_until"].as_str().unwrap().parse().unwrap();
    let left = until.as_second() - rig.env().clock.now().as_second();
    assert!((7 * 86_400 - 60..=7 * 86_400).contains(&left), "{left}");
    rig.run(&["status", LICENSE]).exits(0).answers("Handed out").answers(" ago, until ");
    // Nobody is at it, and no port is open.
    assert_eq!(std::fs::read_dir(rig.file("owners")).map_or(0, |all| all.count()), 0);
    let back = rig.goes_to(&address, &[]);
    assert!(back.starts_with("http://127.0.0.1:18273/callback?"), "{back}");
    rig.completes(&back, &[]).exits(0).answers("Created At").answers("Expiration Date");
    is_whole(&rig);
    // The same once more: nothing is sent.
    let known = rig.truth().len();
    rig.completes(&back, &[])
        .exits(6)
        .answers_nothing()
        .says("has been taken already")
        .says("nothing was sent");
    assert_eq!(rig.truth().len(), known);
}

#[test]
fn an_answer_is_taken_as_an_argument_too_and_however_it_is_pasted() {
    let rig = Rig::new();
    let back = rig.goes_to(&rig.hands_out(&first(&[])), &[]);
    rig.run(&["complete", &back]).exits(0);
    for spoil in [
        |url: &str| format!("  <{url}>  \r\n"),
        |url: &str| format!("“{url}”\n"),
        |url: &str| format!("> {}\n> {}\n", &url[..50], &url[50..]),
        |url: &str| url.replace('&', "&amp;"),
    ] {
        let back = rig.goes_to(&rig.hands_out(&["renew", LICENSE, "--no-wait"]), &[]);
        rig.completes(&spoil(&back), &[]).exits(0).answers("Renewed");
    }
    is_whole(&rig);
    assert_eq!(rig.counted("token_issued"), 5);
}

#[test]
fn what_is_no_answer_of_ours_sends_nothing_and_the_link_still_counts() {
    let rig = Rig::new();
    let back = rig.goes_to(&rig.hands_out(&first(&[])), &[]);
    let known = rig.truth().len();
    let swap = |from: &str, to: &str| back.replace(from, to);
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    for (pasted, exit, words) in [
        (swap(state, "another"), 6, "belongs to no question under way here"),
        (swap("127.0.0.1", "127.0.0.2"), 6, "isn't at the redirect address"),
        (swap("127.0.0.1", "localhost"), 6, "isn't at the redirect address"),
        (swap(":18273", ":18274"), 6, "isn't at the redirect address"),
        (swap("/callback", "/other"), 6, "isn't at the redirect address"),
        (swap("http://", "https://"), 6, "isn't at the redirect address"),
        (format!("{back}&state={state}"), 6, "belongs to no question under way here"),
        ("nothing at all".into(), 2, "isn't whole"),
        (String::new(), 2, "is empty"),
        ("x".repeat(20_000), 2, "too long"),
    ] {
        rig.completes(&pasted, &[]).exits(exit).answers_nothing().says(words);
    }
    assert_eq!(rig.truth().len(), known, "nothing was sent");
    rig.completes(&back, &[]).exits(0);
    is_whole(&rig);
}

#[test]
fn a_refusal_and_another_sender_close_the_question() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let before = rig.only();
    type Spoil = fn(String) -> String;
    let spoils: [(&[&str], Spoil, &str); 4] = [
        (&["--refuse"], |url| url, "the admin refused"),
        (&[], |url| url.replace("iss=http", "iss=https"), "the redirect came from"),
        (
            &[],
            |url| url.split("&iss=").next().unwrap().to_owned(),
            "the redirect came from an unnamed issuer",
        ),
        (&[], |url| format!("{url}&code=another"), "a parameter stands there twice"),
    ];
    for (options, spoil, words) in spoils {
        let back = rig.goes_to(&rig.hands_out(&["renew", LICENSE, "--no-wait"]), options);
        let run = rig.completes(&spoil(back.clone()), &["--json"]).exits(6).says(words);
        assert_eq!(run.json()["results"][0]["outcome"], "failed");
        rig.completes(&back, &[]).exits(6).says("has been taken already");
        assert_eq!(rig.counted_asked(), 0);
        assert_eq!(rig.only(), before);
    }
    assert_eq!(rig.counted("token_issued"), 1);
}

#[test]
fn a_newer_link_replaces_the_older() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let old = rig.goes_to(&rig.hands_out(&["renew", LICENSE, "--no-wait"]), &[]);
    let new = rig.hands_out(&["renew", LICENSE, "--no-wait"]);
    assert_eq!(rig.counted_asked(), 1);
    rig.completes(&old, &[]).exits(6).says("was replaced by a newer one");
    rig.completes(&rig.goes_to(&new, &[]), &[]).exits(0);
    is_whole(&rig);
    // Who is at the terminal replaces it too, and so does a deactivation.
    let old = rig.goes_to(&rig.hands_out(&["renew", LICENSE, "--no-wait"]), &[]);
    rig.run(&["renew", LICENSE, "--browser", &admin()]).exits(0);
    rig.completes(&old, &[]).exits(6).says("was replaced");
    rig.hands_out(&["renew", LICENSE, "--no-wait"]);
    rig.run(&["deactivate", LICENSE, "--yes"]).exits(0);
    assert_eq!(rig.counted_asked(), 0);
}

#[test]
fn a_lapsed_link_is_refused_with_the_command_for_a_new_one() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let back = rig.goes_to(&rig.hands_out(&["renew", LICENSE, "--no-wait", "--expires", "1s"]), &[]);
    rig.until(|| rig.only()["conditions"] == json!(["handoff_lapsed"]));
    let known = rig.truth().len();
    rig.completes(&back, &[])
        .exits(5)
        .answers_nothing()
        .says("had lapsed")
        .says("biotrack-auth renew 604001/L-1 --no-wait");
    assert_eq!(rig.truth().len(), known);
    rig.run(&["status", LICENSE]).answers("has lapsed").answers("Handed out").answers("--no-wait");
    rig.run(&["status", "--check"]).exits(1);
    // The next change clears it away.
    rig.run(&["renew", LICENSE, "--browser", &admin()]).exits(0);
    is_whole(&rig);
}

#[test]
fn another_admin_is_held_here_too() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let back = rig.goes_to(&rig.hands_out(&["renew", LICENSE, "--no-wait"]), &["--user", "bob@example.com"]);
    let run = rig.completes(&back, &["--json"]).exits(6).says("was granted by bob@example.com");
    assert_eq!(run.json()["results"][0]["outcome"], "held");
    rig.run(&["renew", LICENSE, "--any-user"]).exits(0);
    assert_eq!(rig.only()["granted_by"], "bob@example.com");
}

#[test]
fn a_wrong_grant_is_refused_here_too() {
    let rig = Rig::with(&[Mishap::WrongLocation]);
    let back = rig.goes_to(&rig.hands_out(&first(&[])), &[]);
    rig.completes(&back, &[]).exits(6).says("Location is");
    assert_eq!(rig.only()["state"], "pending");
}

#[test]
fn the_answer_of_another_profile_says_which() {
    let rig = Rig::new();
    let url = rig.sandbox().address();
    let init = [
        "config",
        "init",
        "--profile",
        "other",
        "--preset",
        "local-sandbox",
        "--url",
        &url,
        "--vault",
        "sealed",
    ];
    rig.run(&init).exits(0);
    let mut arguments = first(&[]);
    arguments.extend(["--profile", "other"]);
    let back = rig.goes_to(&rig.hands_out(&arguments), &[]);
    let known = rig.truth().len();
    rig.completes(&back, &["--profile", "local-sandbox"])
        .exits(2)
        .says("profile other")
        .says("complete --profile other -");
    assert_eq!(rig.truth().len(), known);
    rig.completes(&back, &["--profile", "other"]).exits(0);
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
    rig.completes(&back, &[]).exits(1).says("is being worked on by");
    child.kill().unwrap();
    child.wait().unwrap();
    // Its consent isn't wasted.
    rig.completes(&back, &[]).exits(0);
    is_whole(&rig);
}

#[test]
fn the_message_says_to_a_person_what_to_do() {
    let rig = Rig::new();
    rig.seed(&[
        named("101-X0001-D1", "Green Leaf Albany", "2026-06-01T12:00:00Z"),
        named("101-X0002-D1", "Green Leaf Buffalo", "2026-06-02T12:00:00Z"),
        biotrack_auth::model::authorization::Authorization {
            username: biotrack_auth::model::ids::Username::parse("bob@example.com").unwrap(),
            contact: Some("store@example.com".parse().unwrap()),
            ..store("101-X0003-D1", "2026-06-03T12:00:00Z")
        },
    ]);
    let text =
        rig.run(&["renew", "--all", "--no-wait", "--message"]).exits(0).says("3 licenses: 3 handed off").out;
    let (ann, bob) = text.split_once(&"-".repeat(72)).unwrap();
    assert!(ann.starts_with("To: ann@example.com\nSubject: ") && bob.contains("To: store@example.com\n"));
    assert_eq!((ann.matches("/oauth?").count(), bob.matches("/oauth?").count()), (2, 1));
    for words in
        ["Green Leaf Albany", "101-X0002-D1", "the UBI that stands above the link", "with one link after"]
    {
        assert!(ann.contains(words), "{words} in\n{ann}");
    }
    for words in [
        "Company       Treez Inc",
        "Location      101-X0003-D1",
        "read_write",
        "bob@example.com and its password",
        "We never ask for it",
        "can't connect",
        "http://127.0.0.1:18273/callback",
        "AT ONCE",
        "few minutes",
        "If anything is different, don't go on",
    ] {
        assert!(bob.contains(words), "{words} in\n{bob}");
    }
    for line in text.lines().filter(|line| !line.contains("/oauth?")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    rig.run(&["renew", "--all", "--no-wait", "--message", "--json"]).exits(2).says("authorize_url");
}

#[test]
fn several_are_handed_out_at_once_in_each_form() {
    let rig = Rig::new();
    rig.seed(&["L-1", "L-2", "L-3"].map(|license| store(license, "2026-06-01T12:00:00Z")));
    let text = rig.run(&["renew", "--due", "--no-wait"]).exits(0).out;
    let lines: Vec<_> = text.lines().map(|line| line.split_once('\t').unwrap()).collect();
    assert_eq!(
        lines.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
        ["604001/L-1", "604001/L-2", "604001/L-3"]
    );
    let json = rig.run(&["renew", "--due", "--no-wait", "--json"]).exits(0).json();
    fits("results", &json);
    for result in json["results"].as_array().unwrap() {
        assert_eq!((&result["outcome"], &result["exit"]), (&json!("handed_off"), &json!(0)));
        assert_eq!(result["authorization"]["conditions"], json!(["renewal_pending"]));
    }
    let lines = rig.run(&["renew", "--due", "--no-wait", "--format", "jsonl"]).exits(0).out;
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    events.iter().for_each(|event| fits("event", event));
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["planned", "planned", "planned", "handed_off", "handed_off", "handed_off", "summary"]);
    assert_eq!(events[6]["counts"]["handed_off"], 3);
    // Each is answered for itself, in any order.
    for at in [5, 3, 4] {
        let back = rig.goes_to(events[at]["authorize_url"].as_str().unwrap(), &[]);
        let done = rig.completes(&back, &["--json"]).exits(0).json();
        fits("results", &done);
        assert_eq!(done["results"][0]["license"], events[at]["license"]);
    }
    assert_eq!(rig.status()["summary"]["active"], 3);
    assert_eq!(rig.counted_asked(), 0);
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
fn flags_that_do_not_go_together_are_refused() {
    let rig = Rig::new();
    for more in [
        &["--no-browser"][..],
        &["--browser", "true"],
        &["--timeout", "1m"],
        &["--expires", "0d"],
        &["--expires", "soon"],
    ] {
        rig.run(&first(more)).exits(2).answers_nothing();
    }
    rig.run(&register(LICENSE, &["--message"])).exits(2);
    assert_eq!(rig.counted_asked(), 0);
}

#[test]
fn a_profile_with_a_public_address_sends_admins_there() {
    let rig = Rig::new();
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let public = "redirect.public_url = \"https://auth.example.com/callback\"";
    std::fs::write(&config, format!("{text}\n{public}\n")).unwrap();
    let run = rig.run(&first(&["--message"])).exits(0).says("biotrack-auth listen");
    assert!(run.out.contains("nothing to send back") && !run.out.contains("can't connect"), "{}", run.out);
    let address = run.out.split_whitespace().find(|word| word.contains("redirect_uri=")).unwrap().to_owned();
    let back = rig.goes_to(&address, &[]);
    assert!(back.starts_with("https://auth.example.com/callback?"), "{back}");
    // Where nobody listens yet, it can be pasted all the same.
    rig.completes(&back, &[]).exits(0);
}

#[test]
fn the_state_may_stand_in_the_path() {
    let rig = Rig::new();
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\nstate_in = \"path\"\n")).unwrap();
    let back = rig.goes_to(&rig.hands_out(&first(&[])), &[]);
    rig.completes(&back, &[]).exits(0);
    is_whole(&rig);
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
        ("nothing", "isn't whole"),
        (old.as_str(), "was replaced by a newer one"),
        ("http://127.0.0.1:1/callback?code=a&state=b", "belongs to no question under way"),
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
    assert_eq!(rig.counted_asked(), 2);
    rig.run(&["renew", "--resume", "--no-wait"]).exits(0).answers_nothing().says("Nothing to renew");
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
    assert!(seen.contains("█") && seen.contains("in the clipboard"), "{seen}");
    // Nothing is copied where there is no terminal.
    rig.run(&first(&["--copy"])).exits(0).says("Nothing was copied");
}

#[test]
fn what_is_no_text_is_no_address() {
    let rig = Rig::new();
    rig.completes_bytes(b"\xff\xfe\x00nonsense", &[]).exits(2).says("Paste the whole address");
}
