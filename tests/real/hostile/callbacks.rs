//! S2, S3, S6, S17–S21: hostile redirects at the waiting program. None has an effect, and then the one true
//! answer still has its own.

use super::strangers::{
    True, Try, contradictions, malformed, markup, other_hosts, other_methods, other_paths, strangers,
};
use super::{get, granted, is_guarded, is_harmless, parameter, send, status};
use crate::support::asked::Asked;
use crate::support::proxy::Proxy;
use crate::support::{Rig, register};
use serde_json::json;
use url::Url;

/// Sends them all; no answer tells, echoes or lets in anything.
#[track_caller]
fn send_all(port: u16, it: &True, tries: &[Try]) {
    for one in tries {
        let answer = send(port, &one.bytes);
        let found = status(&answer);
        assert!(one.statuses.contains(&found), "{}: {found}\n{answer}", one.what);
        if found == 0 {
            assert_eq!(answer, "", "{}", one.what);
            continue;
        }
        is_guarded(&one.what, &answer);
        for never in [&it.code, &it.state, "alert(1)", "7*7", "AAAA", "\u{1b}", "\u{202e}"] {
            assert!(!answer.contains(never), "{}: {never:?} in\n{answer}", one.what);
        }
    }
}

#[test]
fn no_stranger_has_an_effect_and_then_the_true_answer_has() {
    let rig = Rig::new();
    let exchanged = Proxy::lossy(&rig, 0);
    // Another flow in flight, and a finished one: their states open nothing here, nor theirs with our code.
    let other = Asked::start(&rig, &register("L-other", &["--no-browser"]));
    let finished = Asked::start(&rig, &register("L-finished", &["--no-browser"]));
    let used = granted(&finished.address);
    assert_eq!(status(&send(used.port().unwrap(), &get(used.authority(), &path_and_query(&used)))), 200);
    finished.ended().exits(0);
    let before = (exchanged.asked(), rig.truth().len());

    let waiting = Asked::start(&rig, &register("L-1", &["--no-browser"]));
    let port = waiting.port();
    let back = granted(&waiting.address);
    let it = True::of(&back);
    let others = [parameter(&used, "state"), parameter(&granted(&other.address), "state")];
    let tries: Vec<_> = [
        strangers(&it, &others),
        other_paths(&it),
        other_methods(&it),
        other_hosts(&it),
        malformed(&it),
        markup(&it),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(tries.len(), 2_733);
    send_all(port, &it, &tries);

    assert_eq!(exchanged.asked(), before.0, "no code was exchanged");
    let issued = rig.truth().split_off(before.1);
    assert!(issued.iter().all(|line| line["event"] != "token_issued"), "{issued:?}");
    let pending = rig.run(&["status", "L-1", "--json"]).json();
    assert_eq!(pending["authorizations"][0]["state"], "pending");
    // The true one.
    let answer = send(port, &get(&it.host, &it.target()));
    assert_eq!(status(&answer), 200, "{answer}");
    is_guarded("the true answer", &answer);
    let run = waiting.ended().exits(0).says("was ignored");
    is_harmless("the whole run", &run);
    assert_eq!(exchanged.asked(), before.0 + 1);
    let active = rig.run(&["status", "L-1", "--json"]).json();
    assert_eq!(active["authorizations"][0]["state"], "active");
}

#[test]
fn the_true_answer_fifty_times_is_one_exchange() {
    let rig = Rig::new();
    let proxy = Proxy::of(&rig);
    let waiting = Asked::start(&rig, &register("L-1", &["--no-browser"]));
    let (port, it) = (waiting.port(), True::of(&granted(&waiting.address)));
    let request = get(&it.host, &it.target());
    let first = std::thread::spawn({
        let request = request.clone();
        move || send(port, &request)
    });
    // The code is at the provider.
    proxy.seen.recv().unwrap();
    for _ in 1..50 {
        let answer = send(port, &request);
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(answer.contains("Already received"), "{answer}");
        is_guarded("the same again", &answer);
    }
    proxy.go.send(()).unwrap();
    assert!(first.join().unwrap().contains("L-1"));
    waiting.ended().exits(0);
    assert_eq!(rig.counted("token_issued"), 1);
}

fn path_and_query(url: &Url) -> String {
    format!("{}?{}", url.path(), url.query().unwrap())
}

#[test]
fn a_contradiction_under_the_right_state_is_told_and_stores_nothing() {
    let rig = Rig::new();
    let exchanged = Proxy::lossy(&rig, 0);
    let many = contradictions(&True {
        host: String::new(),
        query: String::new(),
        code: String::new(),
        state: String::new(),
        iss: rig.sandbox().address(),
    })
    .len();
    assert_eq!(many, 37);
    let mut told = Vec::with_capacity(many);
    for nth in 0..many {
        let license = format!("L-{nth}");
        let waiting = Asked::start(&rig, &register(&license, &["--no-browser", "--timeout", "5s"]));
        let it = True::of(&granted(&waiting.address));
        let (query, exit) = contradictions(&it).swap_remove(nth);
        let answer = send(waiting.port(), &get(&it.host, &format!("/callback?{query}")));
        is_guarded(&query, &answer);
        for never in ["\u{1b}", "<img", "\u{202e}", &"A".repeat(300), &it.code, &it.state] {
            assert!(!answer.contains(never), "{query}: {never:?} in\n{answer}");
        }
        told.push((query, exit, waiting));
    }
    // None but a refusal ends the waiting for a better answer.
    for (query, exit, waiting) in told {
        let run = waiting.ended().exits(exit).answers_nothing();
        is_harmless(&query, &run);
        assert!(run.err.len() < 3_000, "{}", run.err);
    }
    assert_eq!(exchanged.asked(), 0);
    assert_eq!(rig.counted("token_issued"), 0);
    for it in rig.status()["authorizations"].as_array().unwrap() {
        assert_eq!((&it["state"], &it["conditions"]), (&json!("pending"), &json!([])), "{it}");
    }
    rig.register("L-0").exits(0);
}
