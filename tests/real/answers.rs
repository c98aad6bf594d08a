//! S9 S12 S43 What the provider may answer, read as the program reads it but without a network: one clear object, or nothing.

use biotrack_auth::config::Config;
use biotrack_auth::error::{Error, ProviderError};
use biotrack_auth::model::ids::License;
use biotrack_auth::model::provider::Provider;
use biotrack_auth::model::secret::Secret;
use biotrack_auth::oauth::GrantValidity;
use biotrack_auth::oauth::fuzz_entry::{RawResponse, described, exchanged, looked_up, refreshed};
use jiff::Timestamp;
use std::path::Path;

fn provider() -> Provider {
    let text = "[profiles.p]\npreset = \"generic\"\nissuer = \"https://a.example\"\nclient_id = \"c\"\n";
    Config::parse(Path::new("config.toml"), text).0.provider("p").unwrap()
}

fn heard(status: u16, body: &[u8]) -> RawResponse<'_> {
    RawResponse { status, content_type: Some("application/json"), body }
}

/// Both kinds of token answer.
fn told(heard: &RawResponse<'_>) -> [biotrack_auth::error::Result<String>; 2] {
    let (sent, now) = (Secret::new("what-was-sent"), Timestamp::UNIX_EPOCH);
    let exchanged = exchanged(&provider(), &License::parse("L-1").unwrap(), &sent, heard, now);
    let refreshed = refreshed(&provider(), &sent, heard, now);
    [exchanged, refreshed].map(|it| it.map(|granted| granted.access.expose().to_owned()))
}

#[test]
fn an_answer_that_is_no_single_object_is_no_answer() {
    let deep = [b"{\"access_token\":\"a\",\"x\":".as_slice(), &[b'['; 4096]].concat();
    for body in [
        b"".as_slice(),
        b"{\"access_token\":\"a\"",
        b"{\"access_token\":\"a\"}{\"access_token\":\"b\"}",
        b"{\"access_token\":\"a\"} <!-- a proxy was here -->",
        b"{\"access_token\":\"a\",\"access_token\":\"b\"}",
        b"{\"access_token\":\"a\0\"}",
        b"{\"access_token\":\"\xff\"}",
        b"<!DOCTYPE html><title>Sign in</title>",
        b"[\"a\"]",
        &deep,
    ] {
        for answer in told(&heard(200, body)) {
            let found = matches!(&answer, Err(Error::Provider(ProviderError::Useless { .. })));
            assert!(found, "{}: {answer:?}", body.escape_ascii());
        }
    }
    let html = RawResponse { content_type: Some("text/html"), ..heard(200, b"{\"access_token\":\"a\"}") };
    assert!(told(&html).iter().all(Result::is_err));
    for body in [b" {\"access_token\":\"a\"}\r\n".as_slice(), b"\xef\xbb\xbf{\"access_token\":\"a\"}"] {
        assert!(told(&heard(200, body)).iter().all(Result::is_ok), "{}", body.escape_ascii());
    }
}

#[test]
fn only_a_clear_refusal_calls_a_grant_dead() {
    let dead = |body: &[u8]| {
        let [code, token] = told(&heard(400, body)).map(Result::unwrap_err);
        let lapsed = matches!(code, Error::Provider(ProviderError::CodeLapsed { .. }));
        let refused = matches!(token, Error::Provider(ProviderError::TokenRefused { code, .. }) if code == "invalid_grant");
        assert_eq!(lapsed, refused, "{}", body.escape_ascii());
        lapsed
    };
    assert!(dead(b"{\"error\":\"invalid_grant\"}"));
    for unclear in [
        b"[\"invalid_grant\"]".as_slice(),
        b"{\"error\":\"invalid_grant\"}{\"error\":\"invalid_client\"}",
        b"{\"error\":\"invalid_grant\"}<html>",
        b"{\"error\":\"invalid_grant\",\"error\":\"server_error\"}",
        b"{\"error\":\"Invalid_Grant\"}",
        b"{\"error\":[\"invalid_grant\"]}",
        b"",
    ] {
        assert!(!dead(unclear), "{}", unclear.escape_ascii());
    }
}

#[test]
fn only_a_clear_word_calls_a_token_inactive() {
    let says = |status, body: &[u8]| looked_up(&provider(), &heard(status, body)).unwrap();
    assert_eq!(says(200, b"{\"active\":false}"), GrantValidity::Inactive);
    assert_eq!(says(200, b"{\"active\":true}"), GrantValidity::Active);
    for body in [
        b"{\"active\":false}<html>".as_slice(),
        b"{\"active\":false,\"active\":true}",
        b"[false]",
        b"{}",
        b"",
    ] {
        assert_eq!(says(200, body), GrantValidity::Unknown, "{}", body.escape_ascii());
    }
    assert_eq!(says(401, b"{\"active\":false}"), GrantValidity::Unknown);
}

#[test]
fn metadata_are_one_object_too() {
    let good = r#"{"issuer":"https://a.example","authorization_endpoint":"https://a.example/a","token_endpoint":"https://a.example/t"}"#;
    assert_eq!(described(&provider(), good.as_bytes()).unwrap().token, "https://a.example/t");
    let list =
        r#"["https://a.example","https://a.example/a","https://a.example/t",null,null,null,false,false]"#;
    for bad in [list.to_owned(), format!("{good}{good}"), good.replace("token_endpoint", "issuer")] {
        assert!(described(&provider(), bad.as_bytes()).is_err(), "{bad}");
    }
}
