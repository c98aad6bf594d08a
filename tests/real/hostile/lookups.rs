//! S4, S11–S13, S42–S45: hostile metadata, revocations and introspections.

use super::answers::{Hostile, Sort, by_form, json, odd_waits};
use super::{cut, is_harmless};
use crate::support::crowd::{Crowd, Will};
use crate::support::scripted::Scripted;
use crate::support::{Rig, Run, register};
use serde_json::{Value, json as value};

/// A rig whose metadata come from a hostile place.
struct Announced {
    rig: Rig,
    metadata: Scripted,
    crowd: Crowd,
}

impl Announced {
    fn new() -> Self {
        let rig = Rig::new();
        let metadata = Scripted::start();
        rig.adds_to_profile(&format!("issuer = \"{}\"\ntimeout = \"2s\"", metadata.address()));
        Self { rig, metadata, crowd: Crowd::of(1, |_| Will::Grant) }
    }

    /// Right metadata, with a member more or another value of one.
    fn with(&self, changed: &Value) -> String {
        let (issuer, sandbox) = (self.metadata.address(), self.rig.sandbox().address());
        let mut all = value!({
            "issuer": issuer,
            "authorization_endpoint": format!("{sandbox}/oauth"),
            "token_endpoint": format!("{sandbox}/oauth/token"),
            "revocation_endpoint": format!("{sandbox}/oauth/revoke"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        });
        for (name, changed) in changed.as_object().unwrap() {
            all[name] = changed.clone();
        }
        all.to_string()
    }

    #[track_caller]
    fn registers(&self, what: &str) -> Run {
        let run = self.rig.run(&register("L-1", &["--browser", &self.crowd.browser()]));
        is_harmless(what, &run);
        run
    }

    /// Nobody was asked, and nothing is in the ledger.
    #[track_caller]
    fn asked_nobody(&self, what: &str) {
        assert_eq!(self.crowd.tally().opened, 0, "{what}");
        assert!(self.rig.truth().is_empty(), "{what}: {:?}", self.rig.truth());
        assert_eq!(self.rig.status()["summary"]["total"], 0, "{what}");
    }
}

#[test]
fn no_form_of_wrong_metadata_has_anybody_asked() {
    let it = Announced::new();
    let trap = Scripted::start();
    let good = it.with(&value!({}));
    // What the label says is of no consequence where the issuer stands in it to the letter, and what a member holds
    // that nobody reads isn't looked at.
    let lenient =
        ["JSON labeled HTML", "a refresh header elsewhere", "bad UTF-8", "a lone surrogate", "a deep member"];
    let cases: Vec<_> = by_form(&good, trap.address())
        .into_iter()
        .chain(odd_waits())
        .filter(|case| !lenient.contains(&case.what.as_str()))
        .collect();
    assert_eq!(cases.len(), 122);
    for case in cut(cases) {
        it.metadata.says(case.answer);
        it.registers(&case.what).exits(8).answers_nothing();
        it.asked_nobody(&case.what);
    }
    assert_eq!(trap.asked(), 0, "a redirect was followed");
}

#[test]
fn metadata_of_another_issuer_or_with_other_demands_are_refused() {
    let it = Announced::new();
    let issuer = it.metadata.address().to_owned();
    let port = issuer.rsplit_once(':').unwrap().1.to_owned();
    let mut tried = 0;
    let mut refused = |changed: Value, exit: i32, says: &str| {
        it.metadata.says(json("200 OK", it.with(&changed)));
        it.registers(&changed.to_string()).exits(exit).answers_nothing().says(says);
        it.asked_nobody(&changed.to_string());
        tried += 1;
    };
    for other in [
        format!("{issuer}/"),
        format!("{issuer}//"),
        issuer.to_uppercase(),
        issuer.replace("http", "HTTP"),
        issuer.replace("http", "https"),
        issuer.replace("127.0.0.1", "localhost"),
        issuer.replace("127.0.0.1", "127.0.0.1."),
        issuer.replace(&port, "80"),
        issuer.replace(&format!(":{port}"), ""),
        format!("{issuer}/.well-known/oauth-authorization-server"),
        format!("{issuer}?"),
        format!("{issuer}#"),
        format!(" {issuer}"),
        format!("{issuer}\u{200b}"),
        "https://evil.example".into(),
        "\u{1b}]52;c;aGk=\u{7}\u{202e}".into(),
        String::new(),
    ] {
        refused(value!({"issuer": other}), 8, "name the issuer");
    }
    for odd in [value!(null), value!(1), value!([issuer]), value!({"a": issuer}), value!(true)] {
        refused(value!({"issuer": odd}), 8, "RFC 8414");
    }
    for methods in
        [value!(["plain"]), value!([]), value!(["s256"]), value!(["S256 "]), value!(["plain", "S512"])]
    {
        refused(value!({"code_challenge_methods_supported": methods}), 8, "PKCE without S256");
    }
    for odd in [value!("S256"), value!([256]), value!({"S256": true})] {
        refused(value!({"code_challenge_methods_supported": odd}), 8, "RFC 8414");
    }
    refused(value!({"require_pushed_authorization_requests": true}), 8, "pushed authorization requests");
    refused(value!({"require_pushed_authorization_requests": "true"}), 8, "RFC 8414");
    assert_eq!(tried, 32);
    // The control, and metadata that say nothing of PKCE.
    for (nth, changed) in [value!({}), value!({"code_challenge_methods_supported": null})].iter().enumerate()
    {
        it.metadata.says(json("200 OK", it.with(changed)));
        let license = format!("L-good-{nth}");
        let browser = it.crowd.browser();
        // The redirect names the sandbox, which this issuer isn't: told, but only then, and no better one comes.
        it.rig.run(&register(&license, &["--browser", &browser, "--timeout", "3s"])).exits(6);
    }
    assert_eq!(it.crowd.tally().opened, 2);
}

/// A revocation that the provider answers so.
#[track_caller]
fn gives_up(rig: &Rig, revocation: &Scripted, crowd: &Crowd, nth: usize, case: Hostile) {
    let license = format!("L-{nth}");
    rig.run(&register(&license, &["--browser", &crowd.browser()])).exits(0);
    let (kept, before) = (rig.live(&license).unwrap(), revocation.asked());
    revocation.says(case.answer);
    let run = rig.run(&["deactivate", &license, "--yes"]);
    is_harmless(&case.what, &run);
    let record = rig.run(&["status", &license, "--json"]).exits(0).json()["authorizations"][0].clone();
    assert_eq!(record["state"], "deactivated", "{}", case.what);
    let asked = revocation.asked() - before;
    assert!((1..=3).contains(&asked), "{}: asked {asked} times", case.what);
    // RFC 7009 2.2: the status says it all; what stands in the body is ignored.
    // Where no whole answer came, the revocation may have taken effect.
    let lost = run.err.contains("the revocation was lost");
    let (exit, conditions): (_, &[&str]) = match case.sort {
        Sort::Nonsense => (0, &[]),
        _ if lost => (8, &["uncertain", "revocation_pending"]),
        _ => (8, &["revocation_pending"]),
    };
    assert_eq!((run.code, &record["conditions"]), (exit, &value!(conditions)), "{}: {run:?}", case.what);
    if exit == 8 {
        assert!(rig.accepts(&kept), "{}: its tokens are kept for another try", case.what);
        run.answers(if lost { "the answer to the revocation was lost" } else { "NOT revoked" });
    }
}

#[test]
fn a_revocation_counts_only_where_the_provider_says_so() {
    let rig = Rig::new();
    rig.adds_to_profile("timeout = \"2s\"");
    let revocation = Scripted::instead_of(&rig, "revocation_url");
    let (crowd, trap) = (Crowd::of(1, |_| Will::Grant), Scripted::start());
    let all = by_form("{}", trap.address()).into_iter().chain(odd_waits());
    // Of bodies that nobody reads, one in ten.
    let cases: Vec<_> = all
        .enumerate()
        .filter(|(at, case)| case.sort != Sort::Nonsense || at % 10 == 0)
        .map(|(_, it)| it)
        .collect();
    for (nth, case) in cut(cases).into_iter().enumerate() {
        gives_up(&rig, &revocation, &crowd, nth, case);
    }
    assert_eq!(trap.asked(), 0, "a redirect was followed");
    rig.keeps_secrets(&[]);
}

#[test]
fn a_provider_that_wants_to_be_left_alone_for_long_is_asked_once() {
    let rig = Rig::new();
    let revocation = Scripted::instead_of(&rig, "revocation_url");
    for (nth, wait) in ["61", "1000000000", "18446744073709551615"].into_iter().enumerate() {
        let license = format!("L-{nth}");
        rig.register(&license).exits(0);
        let head = format!("503 Away\r\nretry-after: {wait}");
        revocation.says(json(&head, ""));
        rig.run(&["deactivate", &license, "--yes"]).exits(8);
        assert_eq!(revocation.asked(), nth + 1, "{wait}");
    }
}

#[test]
fn only_a_clear_inactive_makes_a_grant_invalid() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.adds_to_profile("timeout = \"2s\"");
    let introspection = Scripted::instead_of(&rig, "introspection_url");
    let trap = Scripted::start();
    let dead = r#"{"active":false}"#;
    // What a member holds that nobody reads isn't looked at.
    let lenient = ["a lone surrogate", "a deep member"];
    let forms = by_form(dead, trap.address());
    let cases: Vec<_> =
        cut(forms.into_iter().filter(|case| !lenient.contains(&case.what.as_str())).collect())
            .into_iter()
            .map(|case| (case.what, case.answer))
            .chain(
                [
                    r#"{"active":false}]"#,
                    r#"{"active":false}{"active":true}"#,
                    r#"[false]"#,
                    r#"{"active":"false"}"#,
                    r#"{"active":0}"#,
                    r#"{"active":null}"#,
                    r#"{"Active":false}"#,
                    r#"{"active":[false]}"#,
                    r#"{"active":{}}"#,
                    r#"{"active":false,"active":true}"#,
                    r#"{"active":true,"active":false}"#,
                    r#"{"error":"invalid_token"}"#,
                    r#"{"active":true}"#,
                    r#"{"active":true,"username":"\u001b[2J","exp":-1}"#,
                    r#"{"active":true,"exp":1}"#,
                ]
                .map(|body| (body.to_owned(), json("200 OK", body))),
            )
            .chain(
                ["401 Unauthorized", "403 Forbidden", "404 Not Found"]
                    .map(|head| (head.to_owned(), json(head, dead))),
            )
            .collect();
    for (what, answer) in cases {
        introspection.says(answer);
        let run = rig.run(&["status", "--online", "--json"]).exits(0);
        is_harmless(&what, &run);
        assert_eq!(run.json()["authorizations"][0]["state"], "active", "{what}");
    }
    assert_eq!((trap.asked(), rig.only()["state"].clone()), (0, value!("active")));
    // Not even that does, where its refresh proves the contrary: it's also said to whoever may not look.
    introspection.says(json("200 OK", dead));
    rig.run(&["status", "--online"]).exits(0).says_nothing();
    assert_eq!(rig.only()["state"], "active");
    // The control.
    let token = Scripted::instead_of(&rig, "token_url");
    token.says(json("400 Bad Request", r#"{"error":"invalid_grant"}"#));
    rig.run(&["status", "--online"]).exits(0).says("calls 1 grant inactive");
    assert_eq!(rig.only()["state"], "invalid");
    assert!(rig.live("L-1").is_some(), "nothing is erased");
}
