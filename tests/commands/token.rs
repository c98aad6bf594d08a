//! `token`, in this process: printed fresh, refreshed where it wouldn't last, and never an older one over a newer.

use crate::rig::{Person, Reply, Rig, Visit, register};
use crate::snapshot;
use biotrack_auth::model::flow::SecretRole;
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::secret::Secret;
use serde_json::{Value, json};

/// Refreshes whatever there is.
const ALWAYS: &str = "token L-1 --min-valid 60m";

/// A license that was granted a minute ago.
fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant("L-1").exits(0);
    rig.minutes_pass(1);
    rig
}

/// The same, once its access token has lapsed.
fn lapsed() -> Rig {
    let rig = granted();
    rig.minutes_pass(61);
    rig
}

/// The one authorization that there is.
fn only(rig: &Rig) -> Value {
    rig.run("status --json").exits(0).json()["authorizations"][0].clone()
}

/// State, conditions and what to do next.
fn now(rig: &Rig) -> (Value, Value, Value) {
    let it = only(rig);
    (it["state"].clone(), it["conditions"].clone(), it["next_command"].clone())
}

fn is(state: &str, conditions: &[&str], next: Option<&str>) -> (Value, Value, Value) {
    (state.into(), conditions.into(), next.map(|next| format!("biotrack-auth {next}")).into())
}

fn refreshes(rig: &Rig) -> usize {
    rig.provider.log().iter().filter(|line| line.starts_with("refreshed")).count()
}

/// What is printed is what is stored, the provider takes it, and nothing stays open.
#[track_caller]
fn prints_the_live_one(rig: &Rig, line: &str) {
    let done = rig.run(line);
    let live = rig.live("L-1");
    done.is(0, &format!("{}\n", live.access.expose()), "");
    assert!(rig.provider.honors(live.access.expose()));
    assert!(rig.standing("L-1").flows.is_empty());
}

fn answers(rig: &Rig, status: u16, body: impl Into<String>) {
    rig.provider.replies("/oauth/token", [Reply::Status(status, body.into())]);
}

#[test]
fn a_token_that_lasts_is_printed_as_it_is_and_nobody_is_asked() {
    let rig = granted();
    let before = rig.provider.log();
    snapshot!("raw", rig.run("token L-1"));
    snapshot!("header", rig.run("token 604001/L-1 --format header"));
    snapshot!("json", rig.run("token L-1 --json"));
    rig.run("token L-1 --format json").is(0, &rig.run("token L-1 --json").out, "");
    assert_eq!(rig.provider.log(), before);
}

#[test]
fn one_that_would_not_last_is_refreshed_and_the_grants_end_stays() {
    let rig = granted();
    let (before, old) = (only(&rig), rig.live("L-1"));
    prints_the_live_one(&rig, ALWAYS);
    assert_eq!(rig.provider.log().last().unwrap(), "refreshed L-1: access-1.1");
    assert_ne!(rig.live("L-1").refresh.unwrap().expose(), old.refresh.unwrap().expose());
    let mut after = only(&rig);
    assert_eq!(after["last_used_at"].take(), rig.now().to_string(), "and that it was used is noted");
    assert_eq!(after, before, "a refresh moves nothing else that is shown");
    for role in [SecretRole::Superseded, SecretRole::Unwanted, SecretRole::Held] {
        assert!(rig.grants("L-1", role).is_empty());
    }
    prints_the_live_one(&rig, "token L-1");
    assert_eq!(refreshes(&rig), 1);
    rig.minutes_pass(55);
    snapshot!("refreshed_as_json", rig.run("token L-1 --json"));
    // And it can still be given up, whole.
    rig.run("deactivate L-1 --yes").exits(0);
    assert!(rig.provider.living().is_empty());
}

#[test]
fn a_token_whose_end_is_not_known_has_none_in_json() {
    let rig = granted();
    rig.remakes("L-1", |granted| granted.access_expires_at = None);
    assert_eq!(rig.run("token L-1 --json").exits(0).json()["expires_at"], Value::Null);
}

#[test]
fn only_a_rolling_profile_moves_the_grants_end() {
    let rig = granted();
    rig.changes("L-1", |record| record.expires_at = Some("2026-05-01T00:00:00Z".parse().unwrap()));
    rig.run(ALWAYS).exits(0);
    assert_eq!(only(&rig)["expires_at"], "2026-05-01T00:00:00Z");
    rig.adds_to_profile("rolling = true");
    rig.minutes_pass(1);
    rig.run(ALWAYS).exits(0);
    assert_eq!(only(&rig)["expires_at"], "2026-06-10T15:00:00Z");
    snapshot!("prolonged", rig.run("status L-1"));
}

#[test]
fn on_a_terminal_it_needs_reveal() {
    let rig = granted();
    let seen = |line: &str| rig.with(Person::watching()).run(line);
    snapshot!("at_a_terminal", seen(ALWAYS));
    assert_eq!(refreshes(&rig), 0, "nothing is asked in vain");
    seen("token L-1 --reveal").is(0, "access-1\n", "");
}

#[test]
fn without_a_living_grant_it_is_4_and_names_the_command() {
    let rig = granted();
    rig.changes("L-1", |record| record.invalid_at = record.created_at);
    snapshot!("invalid", rig.run("token L-1"));
    rig.changes("L-1", |record| record.invalid_at = None);
    rig.days_pass(100);
    snapshot!("expired", rig.run("token L-1"));
    snapshot!("expired_as_json", rig.run("token L-1 --json"));
    rig.changes("L-1", |record| record.held_elsewhere = true);
    snapshot!("held_elsewhere", rig.run("token L-1"));
    rig.changes("L-1", |record| record.held_elsewhere = false);
    rig.run("deactivate L-1 --yes").exits(0);
    snapshot!("deactivated", rig.run("token L-1"));
    rig.visits([Visit::Denies]);
    rig.run(&register("L-2")).exits(6);
    snapshot!("pending", rig.run("token L-2"));
    assert_eq!(refreshes(&rig), 0);
}

#[test]
fn a_wish_that_no_token_can_meet_is_said_and_does_not_refresh_at_each_call() {
    let rig = Rig::new();
    let short = || Reply::Changed(json!({"expires_in": 300}));
    rig.provider.replies("/oauth/token", [short(), short()]);
    rig.grant("L-1").exits(0);
    for _ in 0..3 {
        rig.run("token L-1").is(0, "access-1\n", "");
    }
    snapshot!("cannot_be_met", rig.run("token L-1 --min-valid 10m"));
    rig.minutes_pass(2);
    assert_eq!(rig.run("token L-1 --min-valid 10m").exits(0).out, "access-1\n");
    assert_eq!(refreshes(&rig), 0);
    rig.minutes_pass(1);
    assert_eq!(rig.run("token L-1 --min-valid 10m").exits(0).out, "access-1.1\n", "less than half is left");
    assert_eq!(rig.run("exec L-1 -- true").code, 0);
    assert_eq!(refreshes(&rig), 1);
}

#[test]
fn what_is_not_there_or_cannot_be_is_refused() {
    let rig = granted();
    snapshot!("not_found", rig.run("token nobody"));
    snapshot!("two_formats", rig.run("token L-1 --format raw --json"));
    snapshot!("no_time", rig.run("token L-1 --min-valid soon"));
}

#[test]
fn a_grant_that_the_provider_calls_dead_becomes_invalid_and_nothing_is_erased() {
    let rig = granted();
    // Somebody replays: the provider ends the whole grant.
    rig.remakes("L-1", |granted| granted.refresh = Some(Secret::new("not-a-token-of-theirs")));
    snapshot!("called_dead", rig.run(ALWAYS));
    assert_eq!(now(&rig), is("invalid", &[], Some("renew 604001/L-1")));
    assert_eq!(rig.live("L-1").access.expose(), "access-1", "nothing is erased");
    let asked = rig.provider.log();
    rig.run(ALWAYS).exits(4);
    assert_eq!(rig.provider.log(), asked, "it isn't asked again");
    rig.run("renew L-1 --browser scripted").exits(0);
    rig.minutes_pass(1);
    prints_the_live_one(&rig, ALWAYS);
}

#[test]
fn without_a_refresh_token_it_is_good_until_it_lapses() {
    let rig = granted();
    rig.remakes("L-1", |granted| granted.refresh = None);
    prints_the_live_one(&rig, "token L-1");
    rig.minutes_pass(60);
    snapshot!("no_refresh_token", rig.run("token L-1"));
    assert_eq!(now(&rig), is("expired", &[], Some("renew 604001/L-1")));
}

#[test]
fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let rig = granted();
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"refresh_token": null}))]);
    prints_the_live_one(&rig, ALWAYS);
    assert_eq!(rig.live("L-1").refresh.unwrap().expose(), "refresh-1");
}

#[test]
fn odd_lifetimes_are_unknown_ones() {
    for odd in ["-1", "1e30", "\"soon\"", "null", "[]", "99999999999999999999"] {
        let rig = granted();
        let answer = r#"{"access_token":"another-access-token","token_type":"Bearer","expires_in":"#;
        answers(&rig, 200, format!("{answer}{odd}}}"));
        assert_eq!(rig.run(&format!("{ALWAYS} --json")).exits(0).json()["expires_at"], Value::Null, "{odd}");
        rig.run("token L-1").is(0, "another-access-token\n", "");
    }
}

#[test]
fn another_type_narrower_scope_or_other_location_is_refused_and_the_refresh_token_kept() {
    for (name, changed) in [
        ("another_type", json!({"token_type": "mac"})),
        ("a_narrower_scope", json!({"scope": "read"})),
        ("another_location", json!({"location": "L-1-D2"})),
    ] {
        let rig = granted();
        rig.adds_to_profile("scopes = [\"read\", \"write\"]");
        rig.provider.replies("/oauth/token", [Reply::Changed(changed)]);
        snapshot!(name, rig.run(ALWAYS));
        let kept = rig.live("L-1");
        assert_eq!(kept.access.expose(), "access-1");
        assert_eq!(kept.refresh.unwrap().expose(), "refresh-1.1");
        assert_eq!(now(&rig), is("active", &[], None));
    }
}

#[test]
fn a_token_that_would_break_a_header_is_never_printed() {
    let rig = granted();
    rig.remakes("L-1", |granted| granted.access = Secret::new("one\r\nX-Evil: two"));
    snapshot!(rig.run("token L-1 --format header"));
}

#[test]
fn refusals_and_outages_that_used_nothing_up_are_8_and_change_nothing() {
    let rig = lapsed();
    let before = only(&rig);
    let unchanged = || {
        assert_eq!(only(&rig), before);
        assert!(rig.standing("L-1").flows.is_empty());
        assert_eq!(rig.live("L-1").refresh.unwrap().expose(), "refresh-1");
    };
    rig.provider.replies("/.well-known/oauth-authorization-server", vec![Reply::Unreachable; 9]);
    snapshot!("provider_away", rig.run(ALWAYS));
    unchanged();
    let rig = lapsed();
    rig.provider.replies("/oauth/token", vec![Reply::Unreachable; 9]);
    snapshot!("token_address_away", rig.run(ALWAYS));
    unchanged();
    let mut told = Vec::new();
    for code in [
        "invalid_client",
        "unauthorized_client",
        "invalid_request",
        "invalid_scope",
        "unsupported_grant_type",
        "purple",
    ] {
        let rig = lapsed();
        answers(&rig, 400, json!({"error": code}).to_string());
        let done = rig.run(ALWAYS).exits(8);
        assert_eq!(done.out, "");
        told.push(format!("> {code}\n{}", done.err));
        unchanged();
    }
    insta::assert_snapshot!("refusals", told.join("\n"));
}

#[test]
fn an_answer_that_cannot_be_used_is_8_and_uncertain_until_the_next_token() {
    let rig = granted();
    answers(&rig, 200, "<!DOCTYPE html><title>canary</title>");
    snapshot!("no_answer_while_one_lasts", rig.run(ALWAYS));
    let rig = lapsed();
    answers(&rig, 200, "<!DOCTYPE html><title>canary</title>");
    snapshot!("no_answer", rig.run(ALWAYS));
    assert_eq!(now(&rig), is("active", &["uncertain"], Some("exec 604001/L-1 -- true")));
    snapshot!("uncertain_card", rig.run("status L-1"));
    // What is at hand still lasts, and reporting goes on while the provider is away.
    let rig = granted();
    answers(&rig, 503, "");
    rig.run(ALWAYS).exits(0);
    rig.provider.replies("/.well-known/oauth-authorization-server", vec![Reply::Unreachable; 9]);
    snapshot!("at_hand_while_away", rig.run("token L-1"));
    assert_eq!(now(&rig).1, json!(["uncertain"]));
}

#[test]
fn what_was_lost_before_the_provider_heard_it_is_asked_once_more_and_good() {
    let rig = lapsed();
    rig.provider.replies("/oauth/token", [Reply::Unheard]);
    assert_eq!(rig.run(ALWAYS).exits(0).out, format!("{}\n", rig.live("L-1").access.expose()));
    assert_eq!((refreshes(&rig), now(&rig)), (1, is("active", &[], None)));
    // Twice is too often: it stays uncertain, and the next command finds out.
    rig.minutes_pass(61);
    rig.provider.replies("/oauth/token", [Reply::Unheard, Reply::Unheard]);
    snapshot!("lost_twice", rig.run(ALWAYS));
    assert_eq!(now(&rig), is("active", &["uncertain"], Some("exec 604001/L-1 -- true")));
    rig.minutes_pass(1);
    prints_the_live_one(&rig, "token L-1");
    assert_eq!((refreshes(&rig), now(&rig)), (2, is("active", &[], None)));
}

#[test]
fn a_lost_answer_that_had_rotated_is_found_out() {
    let rig = lapsed();
    rig.provider.replies("/oauth/token", [Reply::Lost]);
    // One refusal behind a lost answer may only mean the try before it.
    snapshot!("had_rotated", rig.run(ALWAYS));
    assert_eq!(now(&rig), is("active", &["uncertain"], Some("exec 604001/L-1 -- true")));
    rig.minutes_pass(1);
    snapshot!("had_rotated_said_again", rig.run(ALWAYS));
    assert_eq!(now(&rig), is("invalid", &[], Some("renew 604001/L-1")));
    assert!(rig.standing("L-1").flows.is_empty());
}

#[test]
fn a_renewal_settles_what_a_refresh_had_left_and_so_does_an_end() {
    let rig = lapsed();
    answers(&rig, 200, "no answer");
    rig.run(ALWAYS).exits(8);
    rig.run("renew L-1 --browser scripted").exits(0);
    assert_eq!(now(&rig), is("active", &[], None));
    rig.minutes_pass(61);
    answers(&rig, 200, "no answer");
    rig.run(ALWAYS).exits(8);
    rig.run("deactivate L-1 --yes").exits(0);
    assert_eq!(now(&rig), is("deactivated", &[], None));
    assert!(rig.standing("L-1").flows.is_empty());
}

#[test]
fn a_clock_that_was_moved_back_makes_no_token_live_longer() {
    let rig = granted();
    rig.remakes("L-1", |granted: &mut Granted| {
        let day = jiff::SignedDuration::from_hours(24);
        granted.received_at += day;
        granted.access_expires_at = granted.access_expires_at.map(|at| at + day);
    });
    prints_the_live_one(&rig, "token L-1");
    assert_eq!(refreshes(&rig), 1);
}

#[test]
fn a_host_that_only_seals_names_the_recipient_whose_host_can_open() {
    let rig = Rig::new();
    let foreign = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";
    let config = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    rig.write("config.toml", &config.replace(&rig.recipient(), foreign));
    rig.grant("L-1").exits(0);
    snapshot!("sealed_elsewhere", rig.run("token L-1"));
    snapshot!("sealed_elsewhere_exec", rig.run("exec L-1 -- true"));
    assert_eq!(refreshes(&rig), 0);
}

#[test]
fn a_keyring_that_is_locked_is_named() {
    let rig = Rig::with_keyring();
    rig.grant("L-1").exits(0);
    rig.keyring.locks(true);
    snapshot!(rig.run("token L-1"));
}

/// A process that was killed while the provider answered a revocation has left a grant that may have ended.
#[test]
fn after_a_lost_revocation_a_token_comes_with_a_note() {
    let rig = Rig::new();
    rig.grant("L-1").exits(0);
    let asked = rig.provider.holds("/oauth/revoke");
    let killed = rig.start("deactivate L-1 --yes");
    asked.is_reached();
    let later = rig.restarted(Some("another start of the machine"));
    snapshot!("a_lost_revocation", later.run("token L-1"));
    asked.opens();
    killed.join().unwrap();
}
