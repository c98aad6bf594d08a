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
            start_with(Options { log: Some(log.clone()), fail: vec![mishap], ..Options::default() });
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
