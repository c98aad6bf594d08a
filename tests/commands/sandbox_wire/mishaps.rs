//! Each kind of failure does what it says, and no more.

use super::*;

#[test]
fn mishaps_on_the_way_back() {
    let answered = |mishap| consent(&start(&[mishap]));
    assert_eq!(answered(Mishap::Denied).back("error").as_deref(), Some("access_denied"));
    assert_ne!(answered(Mishap::WrongState).back("state").as_deref(), Some("s t"));
    assert_eq!(answered(Mishap::WrongIss).back("iss").as_deref(), Some("https://other-issuer.example"));
    assert_eq!(answered(Mishap::MissingIss).back("iss"), None);
}

#[test]
fn mishaps_in_what_is_reported() {
    let answer = |mishap| {
        let sandbox = start(&[mishap]);
        exchange(&sandbox, &code(&sandbox)).json()
    };
    assert_eq!(answer(Mishap::WrongLocation)["location"], "OCM-RETL-24-000064-D2");
    assert_eq!(answer(Mishap::WrongCompany)["company"], "Other Vendor LLC");
    assert_eq!(answer(Mishap::OtherUser)["username"], "other.admin@example.com");
    assert!(answer(Mishap::NoExpiry).get("expiration_date").is_none());
    let page = authorize(&start(&[Mishap::WrongLocation]), &[]);
    assert!(page.body.contains("OCM-RETL-24-000064</dd>"));
    assert!(authorize(&start(&[Mishap::WrongCompany]), &[]).body.contains("Other Vendor LLC"));
}

#[test]
fn an_answer_lost_on_the_way_has_its_grant_made_and_logged() {
    for (mishap, status) in
        [(Mishap::BadJson, 200), (Mishap::Html, 200), (Mishap::ServerError, 503), (Mishap::Redirect, 302)]
    {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let sandbox =
            start_with(Options { log: Some(log.clone()), fail: vec![mishap.into()], ..Options::default() });
        let code = code(&sandbox);
        let answer = exchange(&sandbox, &code);
        assert_eq!(answer.status, status, "{mishap}");
        assert!(serde_json::from_str::<Value>(&answer.body).is_err(), "{mishap}");
        assert!(std::fs::read_to_string(&log).unwrap().contains("token_issued"), "{mishap}");
        sandbox.set_fail(&[]);
        assert_eq!(exchange(&sandbox, &code).json()["error_description"], "code replayed");
    }
}

#[test]
fn a_stalled_answer_stalls_nobody_else_and_stops_with_the_sandbox() {
    let sandbox = start(&[Mishap::Slow]);
    let code = code(&sandbox);
    let mut stream = TcpStream::connect(&sandbox.address()["http://".len()..]).unwrap();
    let form =
        Serializer::new(String::new()).extend_pairs(CLIENT).extend_pairs(exchange_form(&code)).finish();
    let head = "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{form}", form.len()).as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    assert_eq!(get(&sandbox, "/", "").status, 200);
    sandbox.set_fail(&[]);
    assert_eq!(exchange(&sandbox, &code).json()["error_description"], "code replayed");
    let address = sandbox.address();
    sandbox.stop();
    stream.set_read_timeout(None).unwrap();
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    assert!(TcpStream::connect(&address["http://".len()..]).is_err());
}

#[test]
fn an_endless_answer_ends_after_200_mb() {
    let sandbox = start(&[Mishap::Huge]);
    let answer = exchange(&sandbox, &code(&sandbox));
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > 200 * 1024 * 1024);
}

/// The events of a log, each with its reason.
fn logged(log: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    lines.map(|line| format!("{} {}", word(&line, "event"), word(&line, "why")).trim().to_owned()).collect()
}

#[test]
fn a_lost_answer_has_its_grant_made_and_not_a_byte_sent() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let fail = vec![Mishap::Lost.into()];
    let sandbox = start_with(Options { log: Some(log.clone()), fail, ..Options::default() });
    let code = code(&sandbox);
    let form = exchange_form(&code);
    assert_eq!(raw_post(&sandbox, "/oauth/token", &[&CLIENT[..], &form].concat(), ""), "");
    assert_eq!(logged(&log), ["code_issued", "token_issued", "answer_spoilt lost"]);
    sandbox.set_fail(&[]);
    assert_eq!(exchange(&sandbox, &code).json()["error_description"], "code replayed");
}

#[test]
fn a_rate_limit_uses_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let sandbox = start_with(Options { log: Some(log.clone()), ..Options::default() });
    let code = code(&sandbox);
    let limited = |answer: &Reply| (answer.status, answer.header("retry-after").map(str::to_owned));
    sandbox.set_fail(&[Mishap::RateLimit]);
    assert_eq!(limited(&exchange(&sandbox, &code)), (429, Some("2".to_owned())));
    sandbox.set_fail(&[]);
    let tokens = exchange(&sandbox, &code).json();
    let (access, token) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    sandbox.set_fail(&[Mishap::RateLimit]);
    assert_eq!(limited(&refresh(&sandbox, &token)), (429, Some("2".to_owned())));
    assert_eq!(limited(&as_client(&sandbox, "/oauth/revoke", &[("token", &token)])).0, 429);
    assert_eq!(ping(&sandbox, &access), 200);
    sandbox.set_fail(&[]);
    assert_eq!(refresh(&sandbox, &token).status, 200);
    let limit = "refused rate-limit";
    assert_eq!(logged(&log), ["code_issued", limit, "token_issued", limit, limit, "token_rotated"]);
}

#[test]
fn an_outage_is_of_every_page_and_endpoint() {
    let sandbox = start(&[Mishap::Down]);
    for target in ["/", "/oauth?ubi=1", "/.well-known/oauth-authorization-server", "/api/ping", "/nowhere"] {
        let answer = get(&sandbox, target, "");
        assert_eq!(answer.status, 503, "{target}");
        assert!(answer.header("date").is_some() && answer.header("content-security-policy").is_some());
    }
    for path in ["/oauth/grant", "/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
        assert_eq!(as_client(&sandbox, path, &[]).status, 503, "{path}");
    }
    sandbox.set_fail(&[]);
    assert_eq!(get(&sandbox, "/", "").status, 200);
}

#[test]
fn an_outage_of_a_share_is_of_so_many_requests() {
    let sandbox = start(&[]);
    sandbox.set_fail_shares(&[MishapRule { mishap: Mishap::Down, percent: 50 }]);
    let down = (0..100).filter(|_| get(&sandbox, "/", "").status == 503).count();
    assert!((25..=75).contains(&down), "{down}");
}

#[test]
fn a_share_befalls_those_that_were_drawn_and_no_one_else() {
    let (seed, ubi) = (7, "0042");
    let shares = [(Mishap::Denied, 30), (Mishap::ServerError, 30)]
        .map(|(mishap, percent)| MishapRule { mishap, percent });
    let [denied, server_error] = shares;
    let sandbox = start_with(Options { fail: shares.to_vec(), seed, ..Options::default() });
    let mut seen = [0; 3];
    for at in 0..40 {
        let license = format!("L-{at}");
        let request = request_of(&authorize(&sandbox, &[("license", &license)]));
        let answer = click(&sandbox, &request, "grant", [ubi, "ann", "sandbox"]);
        if denied.befalls(seed, ubi, &license, 0) {
            assert_eq!(answer.back("error").as_deref(), Some("access_denied"), "{license}");
            seen[0] += 1;
            continue;
        }
        let drawn = server_error.befalls(seed, ubi, &license, 1);
        let answer = exchange(&sandbox, &answer.back("code").unwrap());
        assert_eq!(answer.status, if drawn { 503 } else { 200 }, "{license}");
        seen[if drawn { 1 } else { 2 }] += 1;
        if !drawn {
            // Its second request is another draw.
            let drawn = server_error.befalls(seed, ubi, &license, 2);
            let answer = refresh(&sandbox, &text(&answer.json(), "refresh_token"));
            assert_eq!(answer.status, if drawn { 503 } else { 200 }, "{license}");
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}
