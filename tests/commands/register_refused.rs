//! `register`, where what comes back isn't what was asked for, or doesn't come: nothing wrong is stored, nothing is lost.

use crate::rig::{Person, Reply, Rig, Visit, get, register};
use crate::snapshot;
use biotrack_auth::system::KeyringFault;
use serde_json::json;

const LICENSE: &str = "101-X0007-D1";

/// The same, answered as JSON.
fn as_json() -> String {
    format!("{} --json", register(LICENSE))
}

/// What `status` says of the one license: its state, its conditions and the next command.
fn standing(rig: &Rig) -> (String, Vec<String>, String) {
    let status = rig.run("status --json").exits(0).json();
    let it = &status["authorizations"][0];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let conditions = it["conditions"].as_array().unwrap().iter().map(text).collect();
    (text(&it["state"]), conditions, text(&it["next_command"]))
}

/// Whether that's how the one license stands.
#[track_caller]
fn stands(rig: &Rig, state: &str, conditions: &[&str]) {
    let (found, all, _) = standing(rig);
    assert_eq!(
        (found.as_str(), all.iter().map(String::as_str).collect::<Vec<_>>()),
        (state, conditions.to_vec())
    );
}

#[test]
fn another_admins_grant_is_held_and_both_commands_are_named() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    snapshot!(rig.run(&register(LICENSE)));
    insta::assert_snapshot!("the_page_of_another_admin", rig.page_in_words());
    snapshot!("the_card_of_a_held_first_grant", rig.run(&format!("status {LICENSE}")));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
}

#[test]
fn another_admins_grant_is_held_as_json() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    snapshot!(rig.run(&as_json()).fits("results"));
}

#[test]
fn a_person_who_says_yes_takes_another_admins_grant() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    snapshot!(rig.with(Person::answering(&[("Accept this grant?", "y")])).run(&register(LICENSE)));
    stands(&rig, "active", &[]);
}

#[test]
fn a_person_who_says_no_leaves_it_held() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    snapshot!(rig.with(Person::answering(&[("Accept this grant?", "n")])).run(&register(LICENSE)));
    stands(&rig, "pending", &["awaiting_approval"]);
}

#[test]
fn ctrl_c_at_the_question_about_another_admin_leaves_it_held() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    snapshot!(rig.with(Person::answering(&[("Accept this grant?", "^C")])).run(&register(LICENSE)));
    stands(&rig, "pending", &["awaiting_approval"]);
}

#[test]
fn an_account_is_the_same_in_any_case() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("ANN@Example.com".into())]);
    snapshot!(rig.run(&register(LICENSE)));
}

#[test]
fn a_held_first_grant_is_taken_without_a_new_consent() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    rig.run(&register(LICENSE)).exits(6);
    let (_, _, next) = standing(&rig);
    snapshot!(rig.run(next.strip_prefix("biotrack-auth ").unwrap()));
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (1, 1));
}

#[test]
fn a_grant_for_another_location_is_refused_and_revoked() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"location": "101-X0007-D2"}))]);
    snapshot!(rig.run(&register(LICENSE)));
    insta::assert_snapshot!("the_page_of_a_wrong_grant", rig.page_in_words());
    assert_eq!(rig.provider.log().last().unwrap(), "revoked 101-X0007-D1: access-1");
    assert!(rig.provider.living().is_empty());
    stands(&rig, "pending", &[]);
}

#[test]
fn each_fact_that_differs_is_named() {
    let rig = Rig::new();
    let changed = json!({
        "company": "Other Vendor LLC", "application": "Other", "ubi": "604002", "access_type": "Reader",
        "resource": "sales", "operation": "read",
    });
    rig.provider.replies("/oauth/token", [Reply::Changed(changed)]);
    snapshot!(rig.run(&as_json()).fits("results"));
    assert!(rig.provider.living().is_empty());
}

#[test]
fn a_token_of_another_kind_is_refused_and_revoked() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"token_type": "mac"}))]);
    snapshot!(rig.run(&register(LICENSE)));
    assert!(rig.provider.living().is_empty());
}

#[test]
fn a_wrong_grant_that_cannot_be_revoked_alone_is_said_to_stay() {
    let rig = Rig::new();
    rig.adds_to_profile("revocation_scope = \"grant\"");
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"company": "Other Vendor LLC"}))]);
    snapshot!(rig.run(&register(LICENSE)));
    assert_eq!(rig.provider.asked("/oauth/revoke"), 0);
    stands(&rig, "pending", &[]);
}

#[test]
fn a_wrong_grant_whose_revocation_is_not_answered_is_kept_until_it_is() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"location": "101-X0007-D2"}))]);
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    snapshot!(rig.run(&register(LICENSE)));
    stands(&rig, "pending", &["revocation_pending"]);
    rig.grant(LICENSE);
    stands(&rig, "active", &[]);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

#[test]
fn facts_that_are_not_reported_are_called_not_confirmed() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"company": null, "operation": null}))]);
    snapshot!(rig.run(&register(LICENSE)));
    // Nobody can do without it: it's no talk.
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"company": null, "operation": null}))]);
    let quiet = rig.run(&format!("renew {LICENSE} --browser scripted --quiet")).exits(0);
    assert!(quiet.err.contains("Not confirmed by BioTrack's answer: Company, Operation."), "{}", quiet.err);
}

#[test]
fn an_expiry_that_is_not_told_is_estimated() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"expiration_date": null}))]);
    snapshot!(rig.run(&register(LICENSE)));
    assert_eq!(rig.run("status --json").exits(0).json()["authorizations"][0]["expires_estimated"], true);
}

#[test]
fn an_expiry_that_cannot_be_is_told_as_it_came_and_estimated() {
    for odd in
        [json!(0), json!("0"), json!(-5), json!("2026-03-02T14:59:59Z"), json!("soon"), json!(1_000_000_000)]
    {
        let rig = Rig::new();
        rig.provider.replies("/oauth/token", [Reply::Changed(json!({"expiration_date": odd}))]);
        let done = rig.run(&register(LICENSE)).exits(0);
        let told = odd.as_str().map_or_else(|| odd.to_string(), str::to_owned);
        let told = format!("Expiration Date (told as {told})");
        assert!(done.err.contains(&format!("Not confirmed by BioTrack's answer: {told}.")), "{}", done.err);
        stands(&rig, "active", &[]);
        let history = rig.run(&format!("history {LICENSE}")).exits(0).out;
        assert!(history.contains(&format!("; not confirmed: {told}")), "{history}");
        assert_eq!(rig.run("status --json").exits(0).json()["authorizations"][0]["expires_estimated"], true);
    }
}

#[test]
fn a_lost_answer_is_uncertain_and_the_same_command_asks_again() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Lost]);
    snapshot!(rig.run(&register(LICENSE)));
    insta::assert_snapshot!("the_page_of_a_lost_answer", rig.page_in_words());
    stands(&rig, "pending", &["uncertain"]);
    let (_, _, next) = standing(&rig);
    assert_eq!(next, "biotrack-auth register --ubi 604001 --license 101-X0007-D1 --username ann@example.com");
    snapshot!("the_card_of_an_uncertain_license", rig.run(&format!("status {LICENSE}")));
    rig.grant(LICENSE);
    stands(&rig, "active", &[]);
}

#[test]
fn a_lost_answer_as_json() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Lost]);
    snapshot!(rig.run(&as_json()).fits("results"));
}

#[test]
fn an_answer_that_cannot_be_used_is_uncertain_and_none_of_it_is_shown() {
    let html = "<!DOCTYPE html><title>Sign in</title>";
    let answers = [
        Reply::Status(200, "{\"access_token\":\"sandbox-access-9\"".into()),
        Reply::Status(200, html.into()),
        Reply::Status(200, "{}".into()),
        Reply::Status(302, String::new()),
        Reply::Status(500, html.into()),
        Reply::Busy(503, 3600),
    ];
    let mut said = String::new();
    for answer in answers {
        let rig = Rig::new();
        rig.provider.replies("/oauth/token", [answer.clone()]);
        let refused = rig.run(&register(LICENSE)).exits(8);
        assert_eq!(refused.out, "");
        assert!(!refused.err.contains("access-"), "{}", refused.err);
        let told = &refused.err[refused.err.find("error: ").unwrap()..];
        said.push_str(&format!("{answer:?}\n{told}"));
        stands(&rig, "pending", &["uncertain"]);
        rig.grant(LICENSE);
        stands(&rig, "active", &[]);
    }
    insta::assert_snapshot!(said);
}

#[test]
fn a_code_that_has_lapsed_is_told_and_leaves_nothing() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Status(400, "{\"error\":\"invalid_grant\"}".into())]);
    snapshot!(rig.run(&register(LICENSE)));
    stands(&rig, "pending", &[]);
}

#[test]
fn a_client_that_is_not_accepted_is_told_what_to_set() {
    let rig = Rig::new();
    let refusal = "{\"error\":\"invalid_client\",\"error_description\":\"no such client\"}";
    rig.provider.replies("/oauth/token", [Reply::Status(401, refusal.into())]);
    snapshot!(rig.run(&register(LICENSE)));
    stands(&rig, "pending", &[]);
    // With the right one the same code is sent again: nobody has to consent twice.
    rig.run(&register(LICENSE)).exits(0).err.clear();
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (1, 1));
    stands(&rig, "active", &[]);
}

#[test]
fn a_client_that_is_still_not_accepted_keeps_the_code_and_asks_nobody() {
    let rig = Rig::new();
    let refusal = Reply::Status(401, "{\"error\":\"invalid_client\"}".into());
    rig.provider.replies("/oauth/token", vec![refusal; 2]);
    rig.run(&register(LICENSE)).exits(8).err.clear();
    let again = rig.run(&register(LICENSE)).exits(8);
    assert!(again.err.contains("config show --origin. The consent is kept"), "{}", again.err);
    rig.grant(LICENSE);
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (1, 1));
}

#[test]
fn a_code_that_is_wanted_later_is_sent_again_as_the_provider_asks() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Busy(429, 1), Reply::Busy(429, 0)]);
    snapshot!(rig.run(&register(LICENSE)));
    assert_eq!((rig.opened().len(), rig.provider.asked("/oauth/token")), (1, 3));
    stands(&rig, "active", &[]);
}

#[test]
fn a_code_that_is_wanted_only_after_its_life_is_told_and_nothing_is_uncertain() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Busy(429, 3600)]);
    snapshot!(rig.run(&register(LICENSE)));
    stands(&rig, "pending", &[]);
    rig.grant(LICENSE);
    stands(&rig, "active", &[]);
}

#[test]
fn ctrl_c_while_a_code_waits_leaves_it_to_the_next_command() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Busy(429, 300)]);
    rig.visits([Visit::Leaves]);
    let stopped = rig.run_while(&register(LICENSE), |running| {
        running.says("Opening it in a browser");
        let back = rig.provider.consents(&rig.opened()[0], None);
        std::thread::scope(|threads| {
            threads.spawn(|| get(&back));
            running.says("Sending the code again in");
            running.hand.interrupts();
        });
    });
    assert_eq!((stopped.code, rig.provider.asked("/oauth/token")), (130, 1), "{}", stopped.transcript());
    stands(&rig, "pending", &[]);
    rig.run(&register(LICENSE)).exits(0).err.clear();
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (1, 1));
}

#[test]
fn a_code_of_which_no_byte_left_is_sent_by_the_next_command() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", vec![Reply::Unreachable; 3]);
    snapshot!(rig.run(&register(LICENSE)));
    stands(&rig, "pending", &[]);
    snapshot!(rig.run(&register(LICENSE)));
    // Nobody had to consent twice.
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (1, 1));
}

/// The redirect, with these parameters in the place of its own.
fn returning(changed: &[(&str, &str)]) -> Rig {
    let rig = Rig::new();
    let changed = changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    rig.visits([Visit::ReturnsWith(changed.collect())]);
    rig
}

#[test]
fn a_redirect_of_another_sender_is_refused() {
    let rig = returning(&[("iss", "https://evil.example")]);
    snapshot!(rig.run(&format!("{} --timeout 1s", register(LICENSE))));
    stands(&rig, "pending", &[]);
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
}

#[test]
fn a_redirect_with_a_parameter_twice_is_refused() {
    let rig = returning(&[("code", "code-1"), ("code", "code-2")]);
    snapshot!(rig.run(&format!("{} --timeout 1s", register(LICENSE))));
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
}

#[test]
fn an_answer_with_another_state_is_ignored_and_said_once() {
    let rig = returning(&[("state", "another")]);
    snapshot!(rig.run(&format!("{} --timeout 1s", register(LICENSE))));
    insta::assert_snapshot!("the_page_of_a_stray_answer", rig.page_in_words());
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
}

#[test]
fn what_the_provider_refuses_before_its_page_is_told_in_words() {
    let mut said = String::new();
    for error in ["server_error", "temporarily_unavailable", "unauthorized_client", "invalid_request", "odd"]
    {
        let rig = Rig::new();
        rig.visits([Visit::Leaves]);
        let refused = rig.run_while(&register(LICENSE), |running| {
            running.says("Opening it in a browser");
            let back = rig.provider.denies(&rig.opened()[0]).replace("access_denied", error);
            get(&format!("{back}&error_description=Try%20later"));
        });
        let told = &refused.err[refused.err.find("error: ").unwrap()..];
        said.push_str(&format!("{error}, exit code {}\n{told}", refused.code));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn a_provider_that_is_away_is_told_before_anybody_is_asked() {
    let rig = Rig::new();
    rig.provider.is_away(true);
    snapshot!(rig.run(&register(LICENSE)));
    snapshot!(rig.run(&as_json()).fits("results"));
    assert!(rig.opened().is_empty());
    assert!(rig.ledger().standings(crate::rig::PROFILE).unwrap().is_empty());
}

#[test]
fn an_endpoint_that_does_not_answer_is_named_before_anybody_is_asked() {
    for (path, setting) in [
        ("/oauth", "authorize_url"),
        ("/oauth/token", "token_url"),
        ("/oauth/revoke", "revocation_url"),
        ("/oauth/introspect", "introspection_url"),
    ] {
        let rig = Rig::new();
        rig.adds_to_profile("introspect = true");
        rig.provider.is_silent_at(path);
        for line in [register(LICENSE), format!("{} --no-wait", register(LICENSE))] {
            let line = line.replace("--browser scripted --no-wait", "--no-wait");
            let refused = rig.run(&line).exits(8);
            assert!(
                refused.err.contains(&format!("127.0.0.1:2 ({setting}) can't be reached")),
                "{}",
                refused.err
            );
            assert!(refused.err.contains(&format!("the profile's {setting}")), "{}", refused.err);
        }
        assert!(rig.opened().is_empty() && rig.provider.tests().is_empty());
        rig.provider.is_silent_nowhere();
        rig.grant(LICENSE);
    }
}

#[test]
fn an_endpoint_that_a_living_grant_does_not_need_keeps_no_token_back() {
    let rig = Rig::new();
    rig.grant(LICENSE);
    rig.minutes_pass(61);
    rig.provider.is_silent_at("/oauth");
    rig.provider.is_silent_at("/oauth/revoke");
    drop(rig.run(&format!("token {LICENSE}")).exits(0));
}

#[test]
fn a_wrong_client_is_told_before_anybody_is_asked() {
    let rig = Rig::new();
    let refusals = [
        Reply::Status(401, "{\"error\":\"invalid_client\"}".into()),
        Reply::Status(400, "{\"error\":\"invalid_client\"}".into()),
        Reply::Status(401, "{\"error\":\"unauthorized_client\"}".into()),
        Reply::Status(401, "<html>".into()),
    ];
    for refusal in refusals {
        rig.provider.tests_come_to([refusal.clone()]);
        let refused = rig.run(&register(LICENSE)).exits(2);
        let told = "error: 127.0.0.1:2 doesn't accept the client id biotrack-auth-sandbox with the secret in the vault\n  No admin was asked. Check client_id, and set the secret that BioTrack gave you: biotrack-auth config set-secret\n";
        assert_eq!(refused.err, told, "{refusal:?}");
    }
    rig.provider.tests_come_to([Reply::Status(401, "{\"error\":\"invalid_client\"}".into())]);
    let answer = rig.run(&as_json()).exits(2).fits("results").json();
    assert_eq!(answer["results"][0]["error"]["code"], "config");
    assert!(rig.opened().is_empty() && rig.provider.asked("/oauth/token") == 0);
    rig.grant(LICENSE);
}

#[test]
fn an_address_at_which_there_is_nothing_is_told_before_anybody_is_asked() {
    let rig = Rig::new();
    for (status, body) in [(404, "<html>"), (404, "{}"), (405, ""), (410, "-")] {
        rig.provider.tests_come_to([Reply::Status(status, body.into())]);
        let refused = rig.run(&register(LICENSE)).exits(2);
        let told = format!(
            "error: 127.0.0.1:2 has no endpoint at token_url: it answered with HTTP {status}\n  No admin was asked. Set the token_url that BioTrack gave you; to see where it comes from: biotrack-auth config show --origin\n"
        );
        assert_eq!(refused.err, told);
    }
    rig.provider.has_nothing_at("/oauth");
    let refused = rig.run(&register(LICENSE)).exits(2);
    assert!(
        refused.err.contains("has no endpoint at authorize_url: it answered with HTTP 404"),
        "{}",
        refused.err
    );
    assert!(rig.opened().is_empty() && rig.provider.asked("/oauth/token") == 0);
}

#[test]
fn a_secret_that_was_set_since_is_tested_on_the_same_day() {
    let rig = Rig::new();
    rig.adds_to_profile("client_id = \"ours\"");
    rig.with(Person::piping("right")).run("config set-secret").exits(0);
    rig.grant(LICENSE);
    rig.with(Person::piping("wrong")).run("config set-secret").exits(0);
    rig.provider.tests_come_to([Reply::Status(401, "{\"error\":\"invalid_client\"}".into())]);
    drop(rig.run(&format!("renew {LICENSE} --browser scripted")).exits(2));
    assert_eq!(rig.provider.tests().len(), 2);
    rig.with(Person::piping("right")).run("config set-secret").exits(0);
    drop(rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0));
    assert_eq!(rig.provider.tests().len(), 3);
}

#[test]
fn the_client_is_tested_once_a_day_as_a_real_exchange_would_and_anew_once_it_was_refused() {
    let rig = Rig::new();
    rig.grant(LICENSE);
    drop(rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0));
    let tests = rig.provider.tests();
    assert_eq!(tests.len(), 1, "{tests:?}");
    for name in ["code", "code_verifier", "redirect_uri", "client_id", "client_secret"] {
        assert!(tests[0].contains_key(name), "{name}: {tests:?}");
    }
    assert!(tests[0]["code"].starts_with("biotrack-auth-preflight-not-a-code-"));
    assert!((43..=128).contains(&tests[0]["code_verifier"].len()));
    rig.days_pass(1);
    rig.provider.replies("/oauth/token", [Reply::Status(401, "{\"error\":\"invalid_client\"}".into())]);
    let renew = format!("renew {LICENSE} --browser scripted");
    drop(rig.run(&renew).exits(8));
    assert_eq!(rig.provider.tests().len(), 2);
    // The code is sent again, and whoever is asked next is asked after another test.
    drop(rig.run(&renew).exits(0));
    drop(rig.run(&renew).exits(0));
    assert_eq!(rig.provider.tests().len(), 3);
}

#[test]
fn an_answer_that_says_nothing_of_the_client_stops_nobody_and_preflight_can_be_off() {
    let odd = [
        Reply::Status(500, String::new()),
        Reply::Status(503, String::new()),
        Reply::Status(429, String::new()),
        // It's a token endpoint that says this.
        Reply::Status(404, "{\"error\":\"invalid_request\"}".into()),
        Reply::Status(200, "<html>".into()),
        Reply::Status(400, "{\"error\":\"invalid_request\"}".into()),
        Reply::Status(401, "{\"error\":\"invalid_grant\"}".into()),
        Reply::Unheard,
    ];
    for reply in odd {
        let rig = Rig::new();
        rig.provider.tests_come_to([reply]);
        rig.grant(LICENSE);
    }
    let rig = Rig::new();
    rig.adds_to_profile("preflight = false");
    rig.grant(LICENSE);
    assert!(rig.provider.tests().is_empty());
}

#[test]
fn a_provider_that_wants_to_be_left_alone_is_told_before_anybody_is_asked() {
    let rig = Rig::new();
    rig.provider.replies("/.well-known/oauth-authorization-server", [Reply::Busy(503, 3600)]);
    snapshot!(rig.run(&register(LICENSE)));
    assert!(rig.opened().is_empty());
}

#[test]
fn a_locked_keyring_is_told_before_anybody_is_asked() {
    let rig = Rig::with_keyring();
    rig.keyring.locks(true);
    snapshot!(rig.run(&register(LICENSE)));
    snapshot!(rig.run(&as_json()).fits("results"));
    assert!(rig.opened().is_empty());
    rig.keyring.locks(false);
    rig.grant(LICENSE);
    assert_eq!(rig.keyring.accounts().len(), 1);
}

#[test]
fn a_keyring_that_gives_nothing_back_is_told_before_anybody_is_asked() {
    let rig = Rig::with_keyring();
    rig.keyring.fails_after(1, KeyringFault::Failed("the service went away".into()));
    snapshot!(rig.run(&register(LICENSE)));
    assert!(rig.opened().is_empty());
}

#[test]
fn a_keyring_that_locks_as_the_grant_comes_keeps_it_sealed_and_the_next_command_stores_it() {
    let rig = Rig::with_keyring();
    rig.visits([Visit::Leaves]);
    let refused = rig.run_while(&register(LICENSE), |running| {
        running.says("Opening it in a browser");
        rig.keyring.locks(true);
        get(&rig.provider.consents(&rig.opened()[0], None));
    });
    snapshot!(refused);
    rig.keyring.locks(false);
    snapshot!(rig.run(&register(LICENSE)));
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (1, 1));
    stands(&rig, "active", &[]);
}

/// It would be opened in each admin's browser, which goes nowhere.
#[test]
fn a_page_at_a_port_that_browsers_refuse_is_found_before_anyone_is_asked() {
    let rig = Rig::new();
    let page = json!({"authorization_endpoint": "http://127.0.0.1:6000/oauth"});
    rig.provider.replies("/.well-known/oauth-authorization-server", [Reply::Changed(page)]);
    snapshot!(rig.run(&register("L-1")));
}
