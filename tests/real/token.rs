//! `token`: printed fresh, refreshed once however many ask, and never a rotated token lost or an older one over a newer.

use crate::support::proxy::{Proxy, json};
use crate::support::stored::hashed;
use crate::support::{Rig, Run, admin, send};
use biotrack_auth::model::flow::SecretRole;
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::secret::Secret;
use biotrack_auth::sandbox::Mishap;
use serde_json::{Value, json as value};
use std::io::{BufRead, BufReader, Read};
use std::process::Child;

/// How many ask at once.
pub const MANY: usize = 50;

/// Refreshes whatever there is.
const ALWAYS: [&str; 4] = ["token", "L-1", "--min-valid", "60m"];

fn granted() -> Rig {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig
}

/// The same, once its access token has lapsed; a request is over within a second.
fn lapsed() -> Rig {
    let rig = granted();
    rig.adds_to_profile("timeout = \"1s\"");
    rig.age("L-1");
    rig
}

/// State, conditions and what to do next.
fn now(rig: &Rig) -> (Value, Value, Value) {
    let it = rig.only();
    (it["state"].clone(), it["conditions"].clone(), it["next_command"].clone())
}

fn is(state: &str, conditions: &[&str], next: Option<&str>) -> (Value, Value, Value) {
    (state.into(), conditions.into(), next.map(|next| format!("biotrack-auth {next}")).into())
}

fn live(rig: &Rig) -> Granted {
    rig.live("L-1").unwrap()
}

/// What is printed is what is stored, and the provider takes it.
#[track_caller]
fn is_live(rig: &Rig, run: &Run) {
    assert_eq!(run.out, format!("{}\n", live(rig).access.expose()));
    assert!(rig.accepts(&live(rig)));
    assert_eq!(rig.counted_asked(), 0);
    rig.keeps_secrets(&[]);
}

#[test]
fn a_token_that_lasts_is_printed_as_it_is_and_nobody_is_asked() {
    let rig = granted();
    let before = rig.truth().len();
    is_live(&rig, &rig.run(&["token", "L-1"]).exits(0).says_nothing());
    let header = rig.run(&["token", "604001/L-1", "--format", "header"]).exits(0).says_nothing();
    assert_eq!(header.out, format!("Authorization: Bearer {}\n", live(&rig).access.expose()));
    assert_eq!(rig.truth().len(), before);
    rig.run(&["token", "L-1", "--format", "raw", "--json"]).exits(2);
    rig.run(&["token", "nobody"]).exits(9).answers_nothing();
}

#[test]
fn one_that_would_not_last_is_refreshed_and_the_grants_end_stays() {
    let rig = granted();
    let (before, old) = (rig.only(), live(&rig));
    is_live(&rig, &rig.run(&ALWAYS).exits(0).says_nothing());
    assert_eq!(rig.counted("token_rotated"), 1);
    assert_ne!(live(&rig).access.expose(), old.access.expose());
    assert_ne!(live(&rig).refresh.unwrap().expose(), old.refresh.unwrap().expose());
    let mut after = rig.only();
    after["last_used_at"] = Value::Null;
    assert_eq!(after, before, "a refresh moves nothing that is shown, but that it was used");
    // Nothing is left of the old one, and the claim and the mark are gone.
    for role in [SecretRole::Superseded, SecretRole::Unwanted, SecretRole::Held] {
        assert!(rig.grants("L-1", role).is_empty());
    }
    assert!(rig.left_beside().is_empty(), "{:?}", rig.left_beside());
    is_live(&rig, &rig.run(&["token", "L-1"]).exits(0));
    assert_eq!((rig.counted("token_rotated"), rig.counted("token_revoked")), (1, 0));
    // And it can still be given up, whole.
    let last = live(&rig);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    assert!(!rig.accepts(&last));
}

#[test]
fn fifty_processes_cause_one_refresh_and_print_one_token() {
    fifty(&granted());
}

/// Each of many prints the same token, which one of them refreshed.
#[track_caller]
pub fn fifty(rig: &Rig) {
    rig.age("L-1");
    let children: Vec<_> = (0..MANY).map(|_| rig.start(&["token", "L-1"])).collect();
    let runs: Vec<_> =
        children.into_iter().map(|child| Run::of(child.wait_with_output().unwrap()).exits(0)).collect();
    assert_eq!((rig.counted("token_rotated"), rig.counted("token_revoked")), (1, 0));
    runs.iter().for_each(|run| assert_eq!(run.out, runs[0].out));
    is_live(rig, &runs[0]);
}

#[test]
fn a_grant_that_the_provider_calls_dead_becomes_invalid_and_nothing_is_erased() {
    let rig = granted();
    let old = live(&rig);
    // Somebody replays: the provider ends the whole grant.
    rig.remake("L-1", |granted| granted.refresh = Some(Secret::new("not-a-token-of-theirs")));
    rig.run(&ALWAYS).exits(4).answers_nothing().says("L-1 is invalid").says("biotrack-auth renew 604001/L-1");
    assert_eq!(now(&rig), is("invalid", &[], Some("renew 604001/L-1")));
    assert_eq!(live(&rig).access.expose(), old.access.expose(), "nothing is erased");
    let asked = rig.truth().len();
    rig.run(&ALWAYS).exits(4);
    assert_eq!(rig.truth().len(), asked, "it isn't asked again");
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    is_live(&rig, &rig.run(&ALWAYS).exits(0));
}

#[test]
fn without_a_refresh_token_it_is_good_until_it_lapses() {
    let rig = granted();
    rig.remake("L-1", |granted| granted.refresh = None);
    is_live(&rig, &rig.run(&["token", "L-1"]).exits(0));
    rig.age("L-1");
    rig.run(&["token", "L-1"]).exits(4).answers_nothing().says("without a refresh token");
    assert_eq!(now(&rig), is("expired", &[], Some("renew 604001/L-1")));
}

#[test]
fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let rig = granted();
    let old = live(&rig);
    Proxy::answering(&rig, |_| {
        json("200 OK", r#"{"access_token":"another-access-token","token_type":"bearer","expires_in":3600}"#)
    });
    assert_eq!(rig.run(&ALWAYS).exits(0).out, "another-access-token\n");
    assert_eq!(live(&rig).refresh.unwrap().expose(), old.refresh.unwrap().expose());
    assert_eq!(rig.run(&["token", "L-1"]).exits(0).out, "another-access-token\n");
}

#[test]
fn another_type_narrower_scope_or_other_location_is_refused_and_the_refresh_token_kept() {
    for (body, says) in [
        (r#""token_type":"mac""#, "Token type"),
        (r#""token_type":"Bearer","scope":"read""#, "Scope"),
        (r#""token_type":"Bearer","location":"L-1-D2""#, "Location"),
    ] {
        let rig = granted();
        rig.adds_to_profile("scopes = [\"read\", \"write\"]");
        let old = live(&rig);
        Proxy::answering(&rig, move |_| {
            let tokens = r#""access_token":"another-access-token","refresh_token":"rotated-refresh-token""#;
            json("200 OK", &format!("{{{tokens},{body}}}"))
        });
        rig.run(&ALWAYS).exits(6).answers_nothing().says(says);
        let kept = live(&rig);
        assert_eq!(kept.access.expose(), old.access.expose());
        assert_eq!(kept.refresh.unwrap().expose(), "rotated-refresh-token");
        assert_eq!(now(&rig), is("active", &[], None));
        rig.keeps_secrets(&["another-access-token".into(), "rotated-refresh-token".into()]);
    }
}

#[test]
fn refusals_and_outages_that_used_nothing_up_leave_the_token_that_lives() {
    let rig = granted();
    let old = live(&rig);
    let handed_out = || {
        let run = rig.run(&ALWAYS).exits(0).says("The previous token is still valid");
        assert_eq!(run.out.trim(), old.access.expose());
        run
    };
    rig.sandbox().set_fail(&[Mishap::RateLimit]);
    // That it was used is noted once a day.
    handed_out();
    let before = rig.only();
    let unchanged = || {
        assert_eq!((rig.only(), rig.counted_asked()), (before.clone(), 0));
        assert_eq!(live(&rig).refresh.unwrap().expose(), old.refresh.clone().unwrap().expose());
    };
    for mishap in [Mishap::RateLimit, Mishap::Down] {
        rig.sandbox().set_fail(&[mishap]);
        handed_out();
        unchanged();
    }
    rig.sandbox().set_fail(&[]);
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    rig.adds_to_profile("token_url = \"http://127.0.0.1:2/token\"");
    handed_out().says("can't be reached");
    unchanged();
    for (code, says) in [
        ("invalid_client", "client id or secret"),
        ("unauthorized_client", "this client isn't allowed"),
        ("invalid_request", "malformed"),
        ("invalid_scope", "scope"),
        ("unsupported_grant_type", "kind of request"),
        ("purple", "purple"),
    ] {
        std::fs::write(&config, &text).unwrap();
        Proxy::answering(&rig, move |_| json("400 Bad Request", &format!(r#"{{"error":"{code}"}}"#)));
        handed_out().says(says);
        unchanged();
    }
    std::fs::write(&config, &text).unwrap();
    is_live(&rig, &rig.run(&ALWAYS).exits(0));
}

#[test]
fn an_answer_that_cannot_be_used_is_8_and_uncertain_until_the_next_token() {
    for mishap in [Mishap::BadJson, Mishap::Html, Mishap::ServerError, Mishap::Redirect, Mishap::Huge] {
        let rig = granted();
        rig.adds_to_profile("timeout = \"1s\"");
        rig.sandbox().set_fail(&[mishap]);
        rig.run(&ALWAYS).exits(0).says("The previous token is still valid");
        assert_eq!(now(&rig), is("active", &["uncertain"], Some("exec 604001/L-1 -- true")), "{mishap}");
        // What is at hand still lasts, and reporting goes on while the provider is away.
        rig.sandbox().set_fail(&[Mishap::Down]);
        assert_eq!(rig.run(&["token", "L-1"]).exits(0).out, format!("{}\n", live(&rig).access.expose()));
        assert_eq!(now(&rig).1, value!(["uncertain"]));
        // The stand-in had rotated: the lost token is the only good one, and a replay ends the grant. So there is none as
        // long as there is something to lose.
        rig.sandbox().set_fail(&[]);
        assert_eq!(rig.run(&["token", "L-1"]).exits(0).out, format!("{}\n", live(&rig).access.expose()));
        assert!(rig.accepts(&live(&rig)));
        rig.age("L-1");
        rig.run(&["token", "L-1"]).exits(8).answers_nothing().says("that isn't certain");
        assert_eq!(now(&rig), is("active", &["uncertain"], Some("exec 604001/L-1 -- true")), "{mishap}");
        rig.run(&["token", "L-1"]).exits(4).says("biotrack-auth renew");
        assert_eq!(now(&rig), is("invalid", &[], Some("renew 604001/L-1")), "{mishap}");
        assert_eq!(rig.counted_asked(), 0);
    }
}

#[test]
fn what_was_lost_before_the_provider_heard_it_is_asked_once_more_and_good() {
    let rig = lapsed();
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let proxy = Proxy::lossy(&rig, 1);
    is_live(&rig, &rig.run(&ALWAYS).exits(0));
    assert_eq!((proxy.asked(), rig.counted("token_rotated")), (2, 1));
    // Twice is too often: it stays uncertain, and the next command finds out.
    std::fs::write(&config, &text).unwrap();
    rig.age("L-1");
    let proxy = Proxy::lossy(&rig, 2);
    rig.run(&ALWAYS).exits(8).answers_nothing();
    assert_eq!((proxy.asked(), rig.counted("token_rotated")), (2, 1));
    assert_eq!(now(&rig), is("active", &["uncertain"], Some("exec 604001/L-1 -- true")));
    rig.run(&["status", "L-1"]).exits(0).answers("uncertain");
    is_live(&rig, &rig.run(&["token", "L-1"]).exits(0));
    assert_eq!((proxy.asked(), rig.counted("token_rotated")), (3, 2));
    assert_eq!(now(&rig), is("active", &[], None));
}

#[test]
fn a_lost_answer_that_had_rotated_is_found_out_under_the_claim() {
    let rig = lapsed();
    rig.sandbox().set_fail(&[Mishap::Lost]);
    rig.run(&ALWAYS).exits(8).answers_nothing();
    assert_eq!(now(&rig).1, value!(["uncertain"]));
    rig.sandbox().set_fail(&[]);
    rig.run(&["token", "L-1"]).exits(8).answers_nothing().says("that isn't certain");
    rig.run(&["token", "L-1"]).exits(4);
    assert_eq!(now(&rig), is("invalid", &[], Some("renew 604001/L-1")));
}

#[test]
fn a_provider_that_never_answers_is_8_within_its_deadline() {
    let rig = lapsed();
    rig.sandbox().set_fail(&[Mishap::Slow]);
    rig.run(&ALWAYS).exits(8).answers_nothing().says("lost");
    assert_eq!(now(&rig).1, value!(["uncertain"]));
}

#[test]
fn many_that_wait_for_a_refresh_that_is_lost_don_t_each_ask_again() {
    let rig = lapsed();
    let proxy = Proxy::lossy(&rig, usize::MAX);
    let children: Vec<_> = (0..20).map(|_| rig.start(&["token", "L-1"])).collect();
    for child in children {
        Run::of(child.wait_with_output().unwrap()).exits(8).answers_nothing();
    }
    assert!(proxy.asked() < 20, "{} were asked", proxy.asked());
    assert_eq!(now(&rig).1, value!(["uncertain"]));
}

#[test]
fn a_refresh_while_a_person_consents_is_normal() {
    let rig = granted();
    let gate = rig.file("go");
    let browser = format!("{} --wait {}", admin(), gate.display());
    let renewing = rig.start(&["renew", "L-1", "--browser", &browser]);
    rig.until(|| rig.counted_asked() == 1);
    let printed = rig.run(&ALWAYS).exits(0).out;
    assert_eq!(printed, format!("{}\n", live(&rig).access.expose()));
    std::fs::write(&gate, "").unwrap();
    Run::of(renewing.wait_with_output().unwrap()).exits(0);
    assert_ne!(printed, format!("{}\n", live(&rig).access.expose()));
    is_live(&rig, &rig.run(&["token", "L-1"]).exits(0));
    assert_eq!(now(&rig), is("active", &[], None));
}

/// A refresh whose answer is held back, while something else is done with the rig's own configuration.
#[track_caller]
fn during_a_refresh(rig: &Rig, meanwhile: impl FnOnce()) -> (Run, Proxy) {
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let proxy = Proxy::of(rig);
    let asking = rig.start(&ALWAYS);
    proxy.seen.recv().unwrap();
    std::fs::write(&config, text).unwrap();
    meanwhile();
    proxy.go.send(()).unwrap();
    (Run::of(asking.wait_with_output().unwrap()), proxy)
}

#[test]
fn an_older_refresh_never_lies_over_a_newer_grant() {
    for vault in ["token", "grant"] {
        let rig = granted();
        rig.adds_to_profile(&format!("revocation_scope = \"{vault}\""));
        let (run, _) =
            during_a_refresh(&rig, || drop(rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0)));
        // The newer grant's token is the one to be had.
        is_live(&rig, &run.exits(0));
        let truth = rig.truth();
        let newest = truth.iter().rfind(|line| line["event"] == "token_issued").unwrap();
        assert_eq!(newest["access_sha256"], hashed(live(&rig).access.expose()));
        assert!(rig.grants("L-1", SecretRole::Superseded).is_empty());
        assert_eq!(now(&rig), is("active", &[], None));
        is_live(&rig, &rig.run(&ALWAYS).exits(0));
    }
}

#[test]
fn a_deactivation_waits_for_the_refresh_and_gives_up_what_it_brought() {
    let rig = granted();
    let (old, mut giving_up) = (live(&rig), None);
    let (run, _) = during_a_refresh(&rig, || giving_up = Some(rig.start(&["deactivate", "L-1", "--yes"])));
    Run::of(giving_up.unwrap().wait_with_output().unwrap()).exits(0).answers("At BioTrack: revoked.");
    let brought = run.exits(0).out;
    assert_eq!(rig.counted("token_rotated"), 1);
    assert_eq!(now(&rig), is("deactivated", &[], None));
    let old = Granted { access: Secret::new(brought.trim_end()), ..old };
    assert!(!rig.accepts(&old), "what the refresh brought lives on");
}

fn until_it_says(words: &str, child: &mut Child) -> impl Read + use<> {
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert!(talk.read_line(&mut line).unwrap() > 0, "it never said \"{words}\"");
    }
    talk
}

#[test]
fn ctrl_c_during_a_refresh_stores_what_comes_and_prints_nothing() {
    let rig = granted();
    let proxy = Proxy::of(&rig);
    let mut child = rig.start(&ALWAYS);
    proxy.seen.recv().unwrap();
    send("INT", &child);
    let _talk = until_it_says("Finishing the current step", &mut child);
    proxy.go.send(()).unwrap();
    Run::of(child.wait_with_output().unwrap()).exits(130).answers_nothing();
    assert_eq!((now(&rig), rig.counted_asked()), (is("active", &[], None), 0));
    let truth = rig.truth();
    let rotated = truth.iter().rfind(|line| line["event"] == "token_rotated").unwrap();
    assert_eq!(rotated["access_sha256"], hashed(live(&rig).access.expose()));
}

#[test]
fn a_second_ctrl_c_leaves_it_uncertain() {
    let rig = granted();
    let proxy = Proxy::of(&rig);
    let mut child = rig.start(&ALWAYS);
    proxy.seen.recv().unwrap();
    send("INT", &child);
    let _talk = until_it_says("Finishing the current step", &mut child);
    send("TERM", &child);
    Run::of(child.wait_with_output().unwrap()).exits(130).answers_nothing();
    assert_eq!(now(&rig), is("active", &["uncertain"], Some("exec 604001/L-1 -- true")));
}

#[test]
fn a_renewal_settles_what_a_refresh_had_left() {
    let rig = lapsed();
    rig.sandbox().set_fail(&[Mishap::Html]);
    rig.run(&ALWAYS).exits(8);
    rig.sandbox().set_fail(&[]);
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    assert_eq!((now(&rig), rig.counted_asked()), (is("active", &[], None), 0));
    rig.age("L-1");
    rig.sandbox().set_fail(&[Mishap::Html]);
    rig.run(&ALWAYS).exits(8);
    rig.sandbox().set_fail(&[]);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    assert_eq!((now(&rig), rig.counted_asked()), (is("deactivated", &[], None), 0));
}

#[test]
fn a_clock_that_was_moved_back_makes_no_token_live_longer() {
    let rig = granted();
    rig.remake("L-1", |granted| {
        let day = jiff::SignedDuration::from_hours(24);
        granted.received_at += day;
        granted.access_expires_at = granted.access_expires_at.map(|at| at + day);
    });
    is_live(&rig, &rig.run(&["token", "L-1"]).exits(0));
    assert_eq!(rig.counted("token_rotated"), 1);
}

#[cfg(unix)]
#[test]
fn on_a_terminal_it_needs_reveal() {
    use crate::support::screen::Screen;
    let rig = granted();
    let screen = Screen::new(rig.home(), 120, &["bash", "--norc", "--noprofile", "-i"]);
    screen.types("PS1=; clear; biotrack-auth token L-1 --min-valid 60m; echo co''de $?").key("Enter");
    let seen = screen.shows("code 2");
    assert!(seen.contains("--reveal") && !seen.contains("sandbox-access-"), "{seen}");
    assert_eq!(rig.counted("token_rotated"), 0, "nothing is asked in vain");
    screen.types("clear; biotrack-auth token L-1 --reveal; echo co''de $?").key("Enter");
    let seen = screen.shows("code 0");
    assert!(seen.contains("sandbox-access-"), "{seen}");
}
