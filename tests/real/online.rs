//! `status --online`: only the provider's own word makes a grant invalid.

use crate::support::proxy::{json as answer, read_request};
use crate::support::{Rig, Run, admin};
use biotrack_auth::sandbox::Mishap;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

fn granted(licenses: &[&str]) -> Rig {
    let rig = Rig::new();
    licenses.iter().for_each(|license| drop(rig.register(license).exits(0)));
    rig
}

/// Somebody at the provider ends a grant.
fn revoke(rig: &Rig, license: &str) {
    let address = rig.sandbox().address();
    let host = address.trim_start_matches("http://");
    let body = format!(
        "client_id=biotrack-auth-sandbox&client_secret=sandbox-secret&token={}",
        rig.live(license).unwrap().access.expose()
    );
    let mut stream = TcpStream::connect(host).unwrap();
    let head =
        "POST /oauth/revoke HTTP/1.1\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded";
    write!(stream, "{head}\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

fn look(rig: &Rig, more: &[&str]) -> Run {
    rig.run(&[&["status", "--online", "--json"], more].concat()).exits(0)
}

fn states(document: &Value) -> Vec<&str> {
    document["authorizations"].as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap()).collect()
}

#[test]
fn what_the_provider_calls_inactive_becomes_invalid_and_nothing_else() {
    let rig = granted(&["L-1", "L-2", "L-3"]);
    rig.run(&["deactivate", "L-3", "--yes"]).exits(0);
    revoke(&rig, "L-2");
    assert_eq!(states(&rig.status()), ["active", "active", "deactivated"], "the ledger alone can't know");
    let run = look(&rig, &[]).says("The provider calls 1 grant inactive: L-2.");
    let document = run.json();
    assert_eq!(states(&document), ["active", "invalid", "deactivated"]);
    assert_eq!(document["authorizations"][1]["next_command"], "biotrack-auth renew 604001/L-2");
    let schema = serde_json::from_str(include_str!("../../schemas/status.json")).unwrap();
    assert!(jsonschema::options().should_validate_formats(true).build(&schema).unwrap().is_valid(&document));
    assert_eq!(states(&rig.status()), states(&document));
    rig.run(&["status", "L-2"]).exits(0).answers("refused the refresh: the grant is no longer valid");
    assert!(rig.live("L-2").is_some(), "nothing is erased");
    // Only what is named is asked about.
    let asked = rig.counted("introspected");
    look(&rig, &["L-1"]).says_nothing();
    assert_eq!(rig.counted("introspected"), asked + 1);
    rig.run(&["status", "--online", "--check", "L-1"]).exits(0);
    rig.run(&["status", "--online", "--check"]).exits(2);
    rig.run(&["status", "--online", "--at", "2036-01-01T00:00:00Z"]).exits(2);
}

#[test]
fn an_outage_marks_nothing_and_is_0_with_a_note() {
    let rig = granted(&["L-1"]);
    revoke(&rig, "L-1");
    rig.sandbox().set_fail(&[Mishap::Down]);
    let document = look(&rig, &[]).says("Note: could not check").json();
    assert_eq!(states(&document), ["active"]);
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    rig.sandbox().set_fail(&[]);
    // Where nobody listens; where a page says nothing; where there is no such place.
    for address in
        ["http://127.0.0.1:2/introspect".to_owned(), format!("{}/oauth/token", rig.sandbox().address())]
    {
        std::fs::write(&config, format!("{text}\nintrospection_url = \"{address}\"\n")).unwrap();
        let document = look(&rig, &[]).says("could not check L-1").json();
        assert_eq!(states(&document), ["active"], "{address}");
    }
    std::fs::write(&config, text).unwrap();
    assert_eq!(states(&look(&rig, &[]).json()), ["invalid"]);
}

#[test]
fn a_lapsed_access_token_is_no_dead_grant() {
    let rig = granted(&["L-1", "L-2"]);
    rig.age("L-1");
    rig.age("L-2");
    look(&rig, &[]).says_nothing();
    // One that the provider calls active shows that it knows refresh tokens: then its word on another counts.
    revoke(&rig, "L-2");
    assert_eq!(states(&look(&rig, &[]).json()), ["active", "invalid"]);
    // Alone it doesn't: many providers look no refresh token up, and call each inactive.
    let rig = granted(&["L-1"]);
    rig.age("L-1");
    revoke(&rig, "L-1");
    let document = look(&rig, &[]).says("`token` finds out").json();
    assert_eq!(states(&document), ["active"]);
    rig.run(&["token", "L-1"]).exits(4);
    assert_eq!(states(&rig.status()), ["invalid"]);
}

#[test]
fn a_token_that_is_rotated_meanwhile_is_asked_about_again() {
    let rig = granted(&["L-1"]);
    let stale = rig.live("L-1").unwrap();
    rig.run(&["token", "L-1", "--min-valid", "60m"]).exits(0);
    // As if the look had begun before: the old refresh token is inactive, the old access token lapsed.
    let fresh = rig.live("L-1").unwrap();
    rig.remake("L-1", |granted| granted.refresh = stale.refresh.clone());
    rig.age("L-1");
    assert_eq!(states(&look(&rig, &[]).json()), ["active"]);
    rig.remake("L-1", |granted| *granted = fresh.clone());
    assert_eq!(states(&look(&rig, &[]).says_nothing().json()), ["active"]);
}

/// S12 S36: the old grant is inactive, truly, and a new one stands by the time the answer comes.
#[test]
fn a_grant_that_is_renewed_while_its_forerunner_is_asked_about_stays_good() {
    let rig = granted(&["L-1"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let address = listener.local_addr().unwrap();
    std::fs::write(&config, format!("{text}\nintrospection_url = \"http://{address}/introspect\"\n"))
        .unwrap();
    let looking = rig.start(&["status", "--online", "--json"]);
    // About access and refresh token; then about both once more, under the claim.
    for look in ["access", "refresh", "access again", "refresh again"] {
        let mut stream = listener.accept().unwrap().0;
        read_request(&mut stream);
        if look == "refresh again" {
            // Before a renewal each endpoint is tried, and nobody else is answered here.
            std::fs::write(&config, &text).unwrap();
            rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
        }
        stream.write_all(answer("200 OK", r#"{"active":false}"#).as_bytes()).unwrap();
    }
    Run::of(looking.wait_with_output().unwrap()).exits(0);
    assert_eq!(states(&rig.status()), ["active"], "the new grant was taken for the old one");
    assert!(rig.accepts(&rig.live("L-1").unwrap()));
}

#[test]
fn many_are_asked_about_few_at_a_time() {
    let licenses: Vec<_> = (0..30).map(|n| format!("L-{n}")).collect();
    let rig = granted(&licenses.iter().map(String::as_str).collect::<Vec<_>>());
    look(&rig, &["--tag", "nothing-has-it"]).says_nothing();
    assert_eq!(rig.counted("introspected"), 0);
    look(&rig, &[]).says_nothing();
    assert_eq!(rig.counted("introspected"), 30);
    assert_eq!(rig.status()["summary"]["active"], json!(30));
}
