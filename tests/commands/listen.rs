//! `listen`: the redirects of hand-offs, behind a TLS proxy. The test stands where the proxy does.

use crate::rig::{Person, Reply, Rig, Running};
use crate::snapshot;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use url::Url;

const LICENSE: &str = "101-X0007-D1";
const PUBLIC: &str = "https://auth.example.com/callback";
const REGISTER: &str = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com --no-wait";

/// A profile whose links come back to the public address.
fn public() -> Rig {
    let rig = Rig::new();
    rig.adds_to_profile(&format!("redirect.public_url = \"{PUBLIC}\""));
    rig
}

/// Where a listener that has just begun listens.
fn port(running: &Running) -> u16 {
    let said = running.says("Listening on 127.0.0.1:");
    let after = said.split("Listening on 127.0.0.1:").nth(1).unwrap();
    after.split(' ').next().unwrap().parse().unwrap()
}

/// What a request that the proxy passes on is answered with: the status line, and the words of the page.
fn asked(port: u16, method: &str, target: &str, host: &str) -> String {
    asked_from("203.0.113.7", port, method, target, host)
}

/// The same for a visitor from there.
fn asked_from(source: &str, port: u16, method: &str, target: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {source}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    crate::rig::in_words(&page)
}

/// The browser that an admin was sent back to, through the proxy.
fn brought(port: u16, back: &str) -> String {
    let back = Url::parse(back).unwrap();
    assert_eq!(back.host_str(), Some("auth.example.com"));
    asked(port, "GET", &format!("{}?{}", back.path(), back.query().unwrap()), "auth.example.com")
}

/// Runs the listener while this happens at it, then Ctrl-C.
fn while_listening(rig: &Rig, more: &str, meanwhile: impl FnOnce(u16, &Running) + Send) -> crate::rig::Done {
    rig.run_while(&format!("listen --port 0 {more}"), |running| {
        meanwhile(port(running), running);
        running.hand.interrupts();
    })
}

#[test]
fn its_help_says_what_it_takes() {
    snapshot!(Rig::bare().run("listen --help"));
}

#[test]
fn without_a_public_address_it_says_which_to_set() {
    let rig = Rig::new();
    snapshot!(rig.run("listen"));
    snapshot!(rig.run("listen --json").fits("error"));
}

#[test]
fn addresses_that_cannot_be_public_are_refused() {
    let rig = Rig::new();
    let mut said = String::new();
    for address in [
        "http://auth.example.com/callback",
        "https://auth.example.com/callback?a=b",
        "https://auth.example.com/callback#a",
        "https://ann@auth.example.com/callback",
        "auth.example.com",
        "",
    ] {
        let refused = rig.run(&format!("listen --public-url '{address}'")).exits(2);
        assert_eq!(refused.out, "");
        let _ = write!(said, "{address}\n{}", refused.err);
    }
    insta::assert_snapshot!(said);
}

#[test]
fn a_taken_port_is_said() {
    let rig = public();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = rig.run(&format!("listen --port {}", taken.local_addr().unwrap().port())).exits(2);
    assert!(refused.err.starts_with("error: the redirect listener can't use port "), "{}", refused.err);
}

#[test]
fn a_provider_that_is_away_is_told() {
    let rig = public();
    rig.provider.is_away(true);
    snapshot!(rig.run("listen --port 0"));
}

#[test]
fn a_locked_keyring_is_told() {
    let rig = Rig::with_keyring();
    rig.adds_to_profile(&format!("redirect.public_url = \"{PUBLIC}\""));
    rig.keyring.locks(true);
    snapshot!(rig.run("listen --port 0"));
}

#[test]
fn an_answer_is_taken_and_its_admin_and_the_operator_are_told() {
    let rig = public();
    let link = rig.run(REGISTER).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), None);
    let mut pages = String::new();
    snapshot!(while_listening(&rig, "", |port, running| {
        pages.push_str(&brought(port, &back));
        running.says("✓");
        // A browser that asks again is told so.
        pages.push_str(&brought(port, &back));
    }));
    insta::assert_snapshot!("the_pages_of_an_answer_that_is_taken", pages);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
    assert_eq!(rig.provider.asked("/oauth/token"), 1);
}

#[test]
fn answers_are_told_as_lines_of_json() {
    let rig = public();
    let link = rig.run(REGISTER).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), None);
    let told = while_listening(&rig, "--json", |port, running| {
        brought(port, &back);
        running.says("✓");
    });
    snapshot!(told.fits("event"));
}

#[test]
fn a_refusal_and_another_admin_are_told_to_both() {
    let rig = public();
    let links: Vec<_> = ["101-X0007-D1", "101-X0008-D1"]
        .iter()
        .map(|license| rig.run(&REGISTER.replace(LICENSE, license)).exits(0).raw())
        .collect();
    let refused = rig.provider.denies(links[0].trim_end());
    let other = rig.provider.consents(links[1].trim_end(), Some("boss@example.com"));
    let mut pages = String::new();
    snapshot!(while_listening(&rig, "", |port, running| {
        pages.push_str(&brought(port, &refused));
        running.says("✗ 604001/101-X0007-D1");
        pages.push_str(&brought(port, &other));
        running.says("✗ 604001/101-X0008-D1");
    }));
    insta::assert_snapshot!("the_pages_of_a_refusal_and_of_another_admin", pages);
}

/// Who refuses, and then thinks better of it, isn't told that all is done.
#[test]
fn a_consent_behind_a_refusal_is_told_that_it_came_too_late() {
    let rig = public();
    let link = rig.run(REGISTER).exits(0).raw();
    let refused = rig.provider.denies(link.trim_end());
    let granted = rig.provider.consents(link.trim_end(), None);
    let mut pages = Vec::new();
    while_listening(&rig, "", |port, running| {
        pages.push(brought(port, &refused));
        running.says("✗");
        pages.push(brought(port, &granted));
        pages.push(brought(port, &refused));
    });
    assert!(pages[1].contains("had already ended without a grant"), "{}", pages[1]);
    assert!(pages[2].contains("Already received"), "{}", pages[2]);
    assert_eq!(rig.provider.asked("/oauth/token"), 0, "nothing was sent");
    let pasted = rig.with(Person::piping(granted)).run("complete -").exits(6);
    assert!(
        pasted.err.contains("ended without a grant") && pasted.err.contains("To ask again:"),
        "{}",
        pasted.err
    );
}

#[test]
fn a_wrong_grant_and_a_lost_answer_are_told_to_both() {
    let rig = public();
    let backs: Vec<_> = ["101-X0007-D1", "101-X0008-D1"]
        .iter()
        .map(|license| rig.run(&REGISTER.replace(LICENSE, license)).exits(0).raw())
        .map(|link| rig.provider.consents(link.trim_end(), None))
        .collect();
    let wrong = serde_json::json!({"location": "101-X0009-D1"});
    rig.provider.replies("/oauth/token", [Reply::Changed(wrong), Reply::Lost]);
    let mut pages = String::new();
    snapshot!(while_listening(&rig, "", |port, running| {
        pages.push_str(&brought(port, &backs[0]));
        running.says("✗ 604001/101-X0007-D1");
        pages.push_str(&brought(port, &backs[1]));
        running.says("✗ 604001/101-X0008-D1");
    }));
    insta::assert_snapshot!("the_pages_of_a_wrong_grant_and_of_a_lost_answer", pages);
}

#[test]
fn what_waits_for_no_answer_is_told_kindly_and_names_nothing_of_ours() {
    let rig = public();
    let old = rig.run(REGISTER).exits(0).raw();
    let old = rig.provider.consents(old.trim_end(), None);
    let lapsed =
        rig.run(&format!("{} --expires 1h", REGISTER.replace(LICENSE, "101-X0008-D1"))).exits(0).raw();
    let lapsed = rig.provider.consents(lapsed.trim_end(), None);
    rig.run(REGISTER).exits(0);
    rig.minutes_pass(60);
    let mut pages = String::new();
    snapshot!(while_listening(&rig, "", |port, _| {
        pages.push_str(&brought(port, &old));
        pages.push_str(&brought(port, &lapsed));
        pages.push_str(&brought(port, &format!("{PUBLIC}?code=c&state=s")));
        pages.push_str(&asked(port, "GET", "/callback", "auth.example.com"));
        pages.push_str(&asked(port, "GET", "/elsewhere?code=c&state=s", "auth.example.com"));
        pages.push_str(&asked(port, "POST", "/callback", "auth.example.com"));
    }));
    insta::assert_snapshot!("the_pages_of_what_waits_for_no_answer", pages);
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
}

#[test]
fn a_monitor_is_told_whether_all_is_well() {
    let rig = Rig::with_keyring();
    rig.adds_to_profile(&format!("redirect.public_url = \"{PUBLIC}\""));
    let mut said = String::new();
    while_listening(&rig, "", |port, _| {
        said.push_str(&asked(port, "GET", "/healthz", "auth.example.com"));
        rig.keyring.locks(true);
        said.push_str(&asked(port, "GET", "/healthz", "auth.example.com"));
    })
    .exits(0);
    insta::assert_snapshot!(said);
}

#[test]
fn a_monitor_and_an_admin_are_told_while_something_else_keeps_a_ledger_in_a_file_locked() {
    let rig = public();
    let back = granted_link(&rig);
    while_listening(&rig, "", |port, running| {
        let other = rusqlite::Connection::open(rig.file("ledger.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let word = asked(port, "GET", "/healthz", "auth.example.com");
        assert!(word.starts_with("HTTP/1.1 503 ") && word.contains("is not responding"), "{word}");
        let page = brought(port, &back);
        assert!(page.contains("has arrived and is being processed"), "{page}");
        other.execute_batch("ROLLBACK").unwrap();
        running.says("✓ 604001/101-X0007-D1: granted");
        let began = std::time::Instant::now();
        while !asked(port, "GET", "/healthz", "auth.example.com").contains("\"ok\":true") {
            assert!(began.elapsed() < crate::rig::transcript::IN_VAIN);
        }
    })
    .exits(0);
    crate::rig::oracle::rests(&rig);
}

#[test]
fn another_public_address_than_the_profiles_is_noted() {
    let rig = public();
    snapshot!(while_listening(&rig, "--public-url https://other.example.com/back", |_, _| {}));
}

#[test]
fn what_an_earlier_process_left_is_finished_at_the_start() {
    let rig = Rig::with_keyring();
    rig.adds_to_profile(&format!("redirect.public_url = \"{PUBLIC}\""));
    let link = rig.run(REGISTER).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), None);
    snapshot!(while_listening(&rig, "", |port, running| {
        let gate = rig.provider.stops("/oauth/token");
        std::thread::scope(|threads| {
            let browser = threads.spawn(|| brought(port, &back));
            gate.is_reached();
            // The grant is made, and can't be stored.
            rig.keyring.locks(true);
            gate.opens();
            browser.join().unwrap();
        });
        running.says("✗ 604001/101-X0007-D1");
    }));
    assert!(rig.standing(LICENSE).record.created_at.is_none());
    rig.keyring.locks(false);
    snapshot!(while_listening(&rig, "", |_, _| {}));
    assert!(rig.standing(LICENSE).record.created_at.is_some());
}

#[test]
fn a_flood_of_strangers_keeps_no_admin_and_no_monitor_out() {
    let rig = public();
    let backs: Vec<_> = (0..12)
        .map(|n| rig.run(&REGISTER.replace(LICENSE, &format!("L-{n}"))).exits(0).raw())
        .map(|link| rig.provider.consents(link.trim_end(), None))
        .collect();
    while_listening(&rig, "", |port, _| {
        // More than all together may, each from another source.
        let flood = |n: usize| {
            let source = format!("198.51.{}.{}", n / 250, n % 250);
            asked_from(&source, port, "GET", "/callback?code=c&state=s", "auth.example.com")
        };
        let refused = (0..260).filter(|n| flood(*n).starts_with("HTTP/1.1 429 ")).count();
        assert!(refused > 0, "the flood wasn't slowed down");
        for (n, back) in backs.iter().enumerate() {
            flood(n);
            let page = brought(port, back);
            assert!(page.contains("Access granted"), "{n}: {page}");
            let again = brought(port, back);
            assert!(again.contains("Already received"), "{n}: {again}");
        }
        for host in ["auth.example.com".to_owned(), format!("127.0.0.1:{port}")] {
            assert!(asked(port, "GET", "/healthz", &host).starts_with("HTTP/1.1 200 "), "{host}");
        }
    })
    .exits(0);
    assert_eq!(rig.provider.living().len(), 12);
}

#[test]
fn whoever_has_one_answer_makes_no_storm_of_it_and_neither_do_monitors() {
    let rig = public();
    let link = rig.run(REGISTER).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), None);
    while_listening(&rig, "", |port, running| {
        brought(port, &back);
        running.says("✓");
        let slowed = (0..200).filter(|_| brought(port, &back).starts_with("HTTP/1.1 429 ")).count();
        assert!(slowed > 100, "{slowed}");
        let well = (0..300)
            .filter(|_| asked(port, "GET", "/healthz", "auth.example.com").starts_with("HTTP/1.1 200 "));
        assert_eq!(well.count(), 300);
    })
    .exits(0);
}

#[test]
fn another_host_or_port_than_the_public_one_is_told_once_with_what_to_set() {
    let rig = public();
    snapshot!(while_listening(&rig, "", |port, running| {
        let status = |host: &str| {
            let page = asked(port, "GET", "/callback?code=c&state=s", host);
            page.split(' ').nth(1).unwrap().to_owned()
        };
        for host in ["auth.example.com:8443", "AUTH.example.com:8443", "other.example.com"] {
            assert_eq!((status(host).as_str(), status(host).as_str()), ("421", "421"), "{host}");
        }
        assert_eq!(status("auth.example.com"), "400");
        assert_eq!(status("auth.example.com:443"), "400");
        running.says("other.example.com");
    }));
}

#[test]
fn a_public_address_with_a_port_is_asked_for_with_it() {
    let rig = Rig::new();
    rig.adds_to_profile("redirect.public_url = \"https://auth.example.com:8443/callback\"");
    let link = rig.run(REGISTER).exits(0).raw();
    let back = Url::parse(&rig.provider.consents(link.trim_end(), None)).unwrap();
    let target = format!("{}?{}", back.path(), back.query().unwrap());
    while_listening(&rig, "", |port, running| {
        assert!(asked(port, "GET", &target, "auth.example.com").starts_with("HTTP/1.1 421 "));
        running.says("$http_host");
        assert!(asked(port, "GET", &target, "auth.example.com:8443").contains("Access granted"));
    })
    .exits(0);
}

#[test]
fn what_is_no_address_of_a_proxy_is_refused() {
    snapshot!(public().run("listen --trust-proxy proxy.example.com"));
}

#[test]
fn errors_own_words_are_on_no_page() {
    let rig = Rig::with_keyring();
    rig.adds_to_profile(&format!("redirect.public_url = \"{PUBLIC}\""));
    let link = rig.run(REGISTER).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), None);
    let mut pages = String::new();
    snapshot!(while_listening(&rig, "", |port, running| {
        rig.keyring.locks(true);
        // Nothing is noted yet: the same address brings it once more.
        pages.push_str(&brought(port, &back));
        pages.push_str(&brought(port, &back));
        running.says("error: the keyring is locked");
        rig.keyring.locks(false);
        pages.push_str(&brought(port, &back));
        running.says("✓");
    }));
    insta::assert_snapshot!("the_pages_while_nothing_can_be_kept", pages);
}

/// From now on commands run with another host's identity, over the same ledger.
fn turns_to(rig: &Rig, host: &str) {
    let kept = rig.file(host);
    if !kept.exists() {
        biotrack_auth::vault::create_identity(&kept).unwrap();
    }
    let identity = rig.env().paths.identity;
    std::fs::remove_file(&identity).unwrap();
    std::fs::copy(&kept, &identity).unwrap();
}

#[test]
fn a_link_of_another_host_is_finished_where_that_host_has_listened_before() {
    let rig = public();
    // In a ledger that is a file, only hosts that are listed may have made a link.
    turns_to(&rig, "desk.txt");
    while_listening(&rig, "", |_, _| {}).exits(0);
    turns_to(&rig, "web-1.txt");
    while_listening(&rig, "", |_, _| {}).exits(0);
    turns_to(&rig, "desk.txt");
    let link = rig.run(REGISTER).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), None);
    turns_to(&rig, "web-1.txt");
    while_listening(&rig, "", |port, running| {
        let page = brought(port, &back);
        assert!(page.contains("Access granted"), "{page}");
        running.says("✓ 604001/101-X0007-D1: granted");
    })
    .exits(0);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
}

#[test]
fn a_link_that_is_not_sealed_to_this_host_stays_open_and_both_are_told() {
    let rig = public();
    turns_to(&rig, "web-1.txt");
    while_listening(&rig, "", |_, _| {}).exits(0);
    // Not heard of for too long.
    rig.days_pass(31);
    turns_to(&rig, "desk.txt");
    let link = rig.run(REGISTER).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), None);
    turns_to(&rig, "web-1.txt");
    let mut pages = String::new();
    snapshot!(while_listening(&rig, "", |port, running| {
        pages.push_str(&brought(port, &back));
        pages.push_str(&brought(port, &back));
        running.says("complete -");
    }));
    insta::assert_snapshot!("the_pages_of_a_link_of_another_host", pages);
    rig.with(crate::rig::Person::piping(back.clone())).run("complete -").exits(7);
    turns_to(&rig, "desk.txt");
    rig.with(crate::rig::Person::piping(back)).run("complete -").exits(0);
}

/// A link that was handed out, and the address that its admin's browser ends at.
fn granted_link(rig: &Rig) -> String {
    let link = rig.run(REGISTER).exits(0).raw();
    rig.provider.consents(link.trim_end(), None)
}

#[test]
fn a_grant_that_could_not_be_stored_is_stored_by_itself_as_soon_as_it_can() {
    let rig = Rig::with_keyring();
    rig.adds_to_profile(&format!("redirect.public_url = \"{PUBLIC}\""));
    let back = granted_link(&rig);
    snapshot!(while_listening(&rig, "", |port, running| {
        let gate = rig.provider.stops("/oauth/token");
        std::thread::scope(|threads| {
            let browser = threads.spawn(|| brought(port, &back));
            gate.is_reached();
            rig.keyring.locks(true);
            gate.opens();
            let page = browser.join().unwrap();
            assert!(page.contains("has arrived and is being processed"), "{page}");
        });
        running.says("✗ 604001/101-X0007-D1");
        rig.keyring.locks(false);
        running.says("✓ 604001/101-X0007-D1: granted");
    }));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
    crate::rig::oracle::rests(&rig);
}

#[test]
fn what_a_ledger_in_a_file_could_not_take_goes_there_as_soon_as_it_can() {
    for refused in [false, true] {
        let rig = public();
        let link = rig.run(REGISTER).exits(0).raw().trim_end().to_owned();
        let back = rig.provider.consents(&link, None);
        if refused {
            rig.provider
                .replies("/oauth/token", [Reply::Status(400, "{\"error\":\"invalid_grant\"}".into())]);
        }
        while_listening(&rig, "", |port, running| {
            let gate = rig.provider.stops("/oauth/token");
            std::thread::scope(|threads| {
                let browser = threads.spawn(|| brought(port, &back));
                gate.is_reached();
                rig.world().ledger_refuses(true);
                gate.opens();
                browser.join().unwrap();
            });
            running.says("✗ 604001/101-X0007-D1");
            rig.world().ledger_refuses(false);
            match refused {
                // The link works again, for whoever brings its next answer.
                true => {
                    let again = rig.provider.consents(&link, None);
                    let began = std::time::Instant::now();
                    while rig.with(crate::rig::Person::piping(again.as_str())).run("complete -").code != 0 {
                        assert!(began.elapsed() < crate::rig::transcript::IN_VAIN);
                    }
                }
                false => drop(running.says("✓ 604001/101-X0007-D1: granted")),
            }
        })
        .exits(0);
        assert_eq!(rig.provider.living().len(), 1);
        crate::rig::oracle::rests(&rig);
    }
}

#[test]
fn an_answer_that_a_ledger_in_a_file_cannot_take_is_kept_and_finished_by_itself() {
    let rig = public();
    let back = granted_link(&rig);
    while_listening(&rig, "", |port, running| {
        rig.world().ledger_refuses(true);
        let page = brought(port, &back);
        assert!(page.contains("has arrived and is being processed"), "{page}");
        rig.world().ledger_refuses(false);
        running.says("✓ 604001/101-X0007-D1: granted");
    })
    .exits(0);
    crate::rig::oracle::rests(&rig);
}

#[test]
fn a_wrong_client_keeps_the_answer_until_its_secret_is_set() {
    for refusal in ["invalid_client", "unauthorized_client"] {
        let rig = public();
        rig.adds_to_profile("client_id = \"ours\"");
        rig.with(crate::rig::Person::piping("wrong")).run("config set-secret").exits(0);
        let back = granted_link(&rig);
        rig.provider.replies("/oauth/token", [Reply::Status(401, format!("{{\"error\":\"{refusal}\"}}"))]);
        while_listening(&rig, "", |port, running| {
            let page = brought(port, &back);
            assert!(page.contains("has arrived and is being processed"), "{page}");
            running.says("config set-secret");
            rig.with(crate::rig::Person::piping("right")).run("config set-secret").exits(0);
            running.says("✓ 604001/101-X0007-D1: granted");
        })
        .exits(0);
        assert_eq!(rig.provider.asked("/oauth/token"), 2);
        crate::rig::oracle::rests(&rig);
    }
}

#[test]
fn what_exchanges_need_is_tried_at_the_start_and_stops_nobody() {
    let rig = public();
    let back = granted_link(&rig);
    rig.days_pass(1);
    rig.provider.tests_come_to([Reply::Status(401, "{\"error\":\"invalid_client\"}".into())]);
    snapshot!(while_listening(&rig, "", |port, running| {
        running.says("still accepted");
        let page = brought(port, &back);
        assert!(page.contains("Access granted"), "{page}");
    }));
    rig.provider.is_silent_at("/oauth/token");
    snapshot!(
        "an_endpoint_that_is_silent_is_told_at_the_start",
        while_listening(&rig, "", |port, running| {
            running.says("still accepted");
            assert!(asked(port, "GET", "/healthz", "auth.example.com").starts_with("HTTP/1.1 200 "));
        })
    );
}

#[test]
fn a_host_that_listens_is_shown_by_the_doctor_and_taken_off_the_list() {
    let rig = public();
    turns_to(&rig, "web-1.txt");
    while_listening(&rig, "", |_, _| {}).exits(0);
    let listener = rig.recipient();
    rig.days_pass(1);
    turns_to(&rig, "desk.txt");
    let doctor = rig.run("doctor").exits(0);
    let line = doctor.out.lines().find(|line| line.contains("can finish the hand-offs")).unwrap();
    assert!(line.contains("desk") && line.contains("since 2026-03-02T15:00:00Z"), "{line}");
    let done = rig.run(&format!("config recipients remove {listener}"));
    snapshot!(done);
    let doctor = rig.run("doctor").exits(0);
    assert!(!doctor.out.contains("can finish the hand-offs"), "{}", doctor.out);
    // A link that is made now isn't sealed to it any more.
    let back = granted_link(&rig);
    turns_to(&rig, "web-1.txt");
    rig.with(crate::rig::Person::piping(back)).run("complete -").exits(7);
}
