//! Whole flows, limits and errors.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::*;

#[test]
fn a_whole_life_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let sandbox = start_with(Options { log: Some(log.clone()), ..Options::default() });
    let way = consent(&sandbox);
    assert_eq!(way.back("state").unwrap(), "s t");
    assert_eq!(way.back("iss").unwrap(), sandbox.address());
    assert_eq!(way.back("keep").unwrap(), "1");
    let first = exchange(&sandbox, &way.back("code").unwrap());
    assert_eq!((first.status, first.header("cache-control")), (200, Some("no-store")));
    let first = first.json();
    for (key, value) in [
        ("token_type", "Bearer"),
        ("company", "Treez Inc"),
        ("application", "Treez"),
        ("ubi", "0042"),
        ("access_type", "Integrator"),
        ("location", "OCM-RETL-24-000064"),
        ("resource", "*"),
        ("operation", "read_write"),
        ("username", "ann"),
        ("created_at", "2026-01-01T00:00:00Z"),
        ("expiration_date", "2026-04-11T00:00:00Z"),
    ] {
        assert_eq!(first[key], value);
    }
    assert_eq!(first["expires_in"], 3600);
    let access = text(&first, "access_token");
    assert_eq!(ping(&sandbox, &access), 200);
    sandbox.set_now("2026-01-02T00:00:00Z".parse().unwrap());
    assert_eq!(ping(&sandbox, &access), 401);
    let second = refresh(&sandbox, &text(&first, "refresh_token")).json();
    assert_eq!(second["expiration_date"], first["expiration_date"]);
    let access = text(&second, "access_token");
    let live = as_client(&sandbox, "/oauth/introspect", &[("token", &access)]).json();
    assert_eq!((&live["active"], &live["exp"]), (&true.into(), &1_767_315_600_i64.into()));
    assert_eq!(as_client(&sandbox, "/oauth/revoke", &[("token", &access)]).status, 200);
    let dead = as_client(&sandbox, "/oauth/introspect", &[("token", &access)]).json();
    assert_eq!(dead, serde_json::json!({"active": false}));
    assert_eq!(ping(&sandbox, &access), 401);
    assert_eq!(refresh(&sandbox, &text(&second, "refresh_token")).json()["error"], "invalid_grant");

    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        [
            "code_issued",
            "token_issued",
            "refused",
            "token_rotated",
            "introspected",
            "token_revoked",
            "introspected",
            "refused",
            "refused",
        ]
    );
    assert_eq!(lines[1]["grant"], lines[0]["grant"]);
    assert_eq!(lines[1]["expires_at"], "2026-04-11T00:00:00Z");
    assert_eq!(lines[3]["old_refresh_sha256"], lines[1]["refresh_sha256"]);
    assert_eq!(lines[5]["why"], "asked");
    assert!(!log.contains(&access) && !log.contains("sandbox-access") && !log.contains("sandbox-code"));
}

#[test]
fn a_request_that_names_nobody_we_know_is_never_redirected() {
    let sandbox = start(&[]);
    for change in [
        ("client_id", "other"),
        ("client_id", ""),
        ("redirect_uri", "http://example.com/"),
        ("redirect_uri", ""),
        ("ubi", ""),
        ("license", ""),
        ("license", "a\nb"),
    ] {
        let reply = authorize(&sandbox, &[change]);
        assert_eq!((reply.status, reply.header("location")), (400, None), "{change:?}");
    }
    assert!(authorize(&sandbox, &[("license", "")]).body.contains("The license is missing"));
}

#[test]
fn a_wrong_request_is_told_to_its_client() {
    let sandbox = start(&[]);
    for (name, value, error) in [
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
    ] {
        let reply = authorize(&sandbox, &[(name, value)]);
        assert_eq!(reply.back("error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(reply.back("state").as_deref(), Some("s t"));
        assert_eq!(reply.back("iss"), Some(sandbox.address()));
    }
}

#[test]
fn the_page_says_what_is_wrong_keeps_the_username_and_escapes() {
    let sandbox = start(&[]);
    let page = authorize(&sandbox, &[("license", "<b>&\"")]);
    assert!(page.body.contains("&lt;b&gt;&amp;&quot;") && !page.body.contains("<b>&"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("form-action") && !policy.contains("unsafe"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    let request = request_of(&page);
    let again = click(&sandbox, &request, "grant", ["42", "bo<b", "hunter2"]);
    assert_eq!(again.status, 422);
    assert!(again.body.contains("aria-describedby=\"password-error password-hint\""));
    assert!(again.body.contains("id=\"ubi-error\" role=\"alert\""));
    assert!(again.body.contains("value=\"bo&lt;b\"") && !again.body.contains("hunter2"));
    let way = click(&sandbox, &request, "grant", ["0042", "bo", "sandbox"]);
    assert!(way.back("code").is_some());
    assert_eq!(click(&sandbox, &request, "grant", ["0042", "bo", "sandbox"]).status, 400);
}

#[test]
fn a_refusal_needs_no_sign_in() {
    let sandbox = start(&[]);
    let request = request_of(&authorize(&sandbox, &[("state", "")]));
    let way = click(&sandbox, &request, "refuse", ["", "", ""]);
    assert_eq!(way.back("error").as_deref(), Some("access_denied"));
    assert_eq!((way.back("state"), way.back("iss")), (None, Some(sandbox.address())));
    assert_eq!(click(&sandbox, "no such page", "refuse", ["", "", ""]).status, 400);
    assert_eq!(click(&sandbox, "no such page", "", ["", "", ""]).status, 400);
}

#[test]
fn a_client_must_prove_itself_one_way_or_the_other() {
    let sandbox = start(&[]);
    let form = [("token", "t")];
    let basic = "authorization: Basic YmlvdHJhY2stYXV0aC1zYW5kYm94OnNhbmRib3gtc2VjcmV0\r\n";
    assert_eq!(post_with(&sandbox, "/oauth/introspect", &form, basic).status, 200);
    let wrong = post_with(&sandbox, "/oauth/introspect", &form, "authorization: Basic eDp5\r\n");
    assert_eq!((wrong.status, &wrong.json()["error"]), (401, &"invalid_client".into()));
    assert!(wrong.header("www-authenticate").is_some());
    assert_eq!(post(&sandbox, "/oauth/token", &form).status, 401);
    let both = post_with(&sandbox, "/oauth/token", &CLIENT, basic);
    assert_eq!((both.status, &both.json()["error"]), (400, &"invalid_request".into()));
    let twice = [CLIENT[0], CLIENT[1], ("code", "a"), ("code", "b")];
    assert_eq!(post(&sandbox, "/oauth/token", &twice).json()["error"], "invalid_request");
    let kind = as_client(&sandbox, "/oauth/token", &[("grant_type", "password")]);
    assert_eq!(kind.json()["error"], "unsupported_grant_type");
    let none = as_client(&sandbox, "/oauth/token", &[]);
    assert_eq!(none.json()["error"], "invalid_request");
    assert_eq!(exchange(&sandbox, "unknown").json()["error"], "invalid_grant");
}

#[test]
fn limits_other_paths_and_head() {
    let sandbox = start(&[]);
    assert_eq!(get(&sandbox, "/favicon.ico", "").status, 404);
    assert_eq!(get(&sandbox, "/oauth/token", "").status, 405);
    assert_eq!(get(&sandbox, "/", "").status, 200);
    let head = send(&sandbox, "HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(get(&sandbox, &format!("/oauth?{}", "a".repeat(16 * 1024 + 1)), "").status, 414);
    let long = "a".repeat(64 * 1024);
    assert_eq!(post(&sandbox, "/oauth/token", &[("a", &long)]).status, 413);
}

#[test]
fn the_metadata_tells_all() {
    let sandbox = start(&[]);
    let metadata = get(&sandbox, "/.well-known/oauth-authorization-server", "").json();
    assert_eq!(metadata["issuer"], sandbox.address());
    assert_eq!(metadata["token_endpoint"], format!("{}/oauth/token", sandbox.address()));
    assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    let sandbox = start(&[Mishap::RevocationUnsupported]);
    let metadata = get(&sandbox, "/.well-known/oauth-authorization-server", "").json();
    assert!(metadata.get("revocation_endpoint").is_none());
    assert_eq!(as_client(&sandbox, "/oauth/revoke", &[("token", "t")]).status, 404);
}

#[test]
fn kept_connections_answer_at_once() {
    let sandbox = start(&[]);
    let mut stream = TcpStream::connect(&sandbox.address()["http://".len()..]).unwrap();
    let head =
        "POST /oauth/introspect HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    let form = Serializer::new(String::new()).extend_pairs(CLIENT).append_pair("token", "t").finish();
    let request = format!("{head}content-length: {}\r\n\r\n{form}", form.len());
    let began = std::time::Instant::now();
    for _ in 0..100 {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"{\"active\":false}") {
            let mut some = [0; 2048];
            let read = stream.read(&mut some).unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&some[..read]);
        }
    }
    // A held-back segment would make it 4 s; the rest is room for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}
