//! Answers that come while they can't be noted, exchanged or stored: what their pages say, and how they are finished.

use crate::rig::{Person, Reply, Rig, Visit, get, in_words, key, register};
use crate::snapshot;

const LICENSE: &str = "101-X0007-D1";
const TOKEN: &str = "/oauth/token";

/// The command of somebody at a terminal, who goes on waiting after a code that was refused.
const ATTENDED: &str =
    "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com --browser scripted";

fn lapsed() -> Reply {
    Reply::Status(400, "{\"error\":\"invalid_grant\"}".into())
}

fn refusal(code: &str) -> Reply {
    Reply::Status(401, format!("{{\"error\":\"{code}\"}}"))
}

#[test]
fn a_second_answer_that_cannot_be_noted_for_a_moment_is_finished_by_itself() {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [lapsed()]);
    let mut page = String::new();
    let done = rig.with(Person::watching()).run_while(ATTENDED, |running| {
        running.says("ask the admin to click Grant Access there");
        rig.world().ledger_refuses(true);
        let back = rig.provider.consents(&rig.opened()[0], None);
        page = in_words(&get(&back));
        rig.world().ledger_refuses(false);
    });
    drop(done.exits(0));
    assert!(page.contains("has arrived and is being processed"), "{page}");
    assert_eq!(rig.provider.living().len(), 1);
}

#[test]
fn an_answer_that_can_be_kept_nowhere_counts_when_its_page_is_loaded_again() {
    let rig = Rig::with_keyring();
    rig.provider.replies(TOKEN, [lapsed()]);
    let mut pages = String::new();
    let done = rig.with(Person::watching()).run_while(ATTENDED, |running| {
        running.says("ask the admin to click Grant Access there");
        let back = rig.provider.consents(&rig.opened()[0], None);
        // What seals the next code can't be had.
        rig.keyring.locks(true);
        pages.push_str(&in_words(&get(&back)));
        running.says("reload its page");
        rig.keyring.locks(false);
        pages.push_str(&in_words(&get(&back)));
    });
    drop(done.exits(0));
    insta::assert_snapshot!(pages);
    assert_eq!((rig.provider.living().len(), rig.provider.asked(TOKEN)), (1, 2));
}

#[test]
fn the_page_of_a_code_that_is_kept_says_so() {
    let replies = [
        vec![refusal("invalid_client")],
        // Keycloak's word for a wrong secret.
        vec![refusal("unauthorized_client")],
        vec![Reply::Busy(429, 3600)],
        vec![Reply::Unreachable; 3],
    ];
    for replies in replies {
        let rig = Rig::new();
        rig.provider.replies(TOKEN, replies.clone());
        drop(rig.run(&register(LICENSE)).exits(8));
        let page = rig.page_in_words();
        assert!(page.contains("has arrived and is kept"), "{replies:?}: {page}");
        assert!(!page.contains("ot authorized"), "{replies:?}: {page}");
        // The next command finishes it: nobody is asked.
        rig.grant(LICENSE);
        assert_eq!((rig.opened().len(), rig.provider.living().len()), (1, 1), "{replies:?}");
    }
}

#[test]
fn the_page_of_a_grant_that_is_kept_sealed_says_so() {
    let rig = Rig::with_keyring();
    let keyring = rig.keyring.clone();
    rig.visits([Visit::Leaves]);
    let gate = rig.provider.stops(TOKEN);
    let mut page = String::new();
    let done = rig.run_while(&register(LICENSE), |running| {
        running.says("Opening it in a browser");
        let back = rig.provider.consents(&rig.opened()[0], None);
        std::thread::scope(|threads| {
            let browser = threads.spawn(|| in_words(&get(&back)));
            gate.is_reached();
            keyring.locks(true);
            gate.opens();
            page = browser.join().unwrap();
        });
    });
    drop(done.exits(7));
    assert!(page.contains("has arrived and is kept"), "{page}");
}

#[test]
fn a_code_that_waits_is_told_as_kept_where_the_command_ends_first() {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Busy(429, 300)]);
    rig.visits([Visit::Leaves]);
    let mut page = String::new();
    let done = rig.run_while(&register(LICENSE), |running| {
        running.says("Opening it in a browser");
        let back = rig.provider.consents(&rig.opened()[0], None);
        std::thread::scope(|threads| {
            let browser = threads.spawn(|| in_words(&get(&back)));
            running.says("Sending the code again in");
            running.hand.interrupts();
            page = browser.join().unwrap();
        });
    });
    drop(done.exits(130));
    assert!(page.contains("has arrived and is kept"), "{page}");
}

#[test]
fn a_run_that_a_wrong_client_ends_names_the_command_that_sends_the_code_again() {
    let rig = Rig::new();
    rig.seed([rig.record("L-1", "ann@example.com", 5), rig.record("L-2", "ann@example.com", 5)]);
    rig.provider.replies(TOKEN, [refusal("invalid_client")]);
    let browser = format!("--browser '{}'", rig.browser_program());
    let stopped = rig.run(&format!("renew --due --tabs 1 {browser}")).exits(8);
    let hint = "The consent is kept: run biotrack-auth renew --resume within 10 minutes of the admin's click, and the admin need not click again.";
    assert!(stopped.err.contains(hint), "{}", stopped.err);
    drop(rig.run(&format!("renew --resume {browser}")).exits(0));
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (2, 2));
}

#[test]
fn a_question_about_an_admin_goes_where_another_answer_brings_the_grant() {
    let rig = Rig::new();
    rig.seed([rig.record("L-1", "ann@example.com", 5), rig.record("L-2", "ann@example.com", 5)]);
    rig.visits([Visit::GrantsAs("bob@example.com".into()), Visit::Leaves]);
    let command = format!("renew --due --tabs 2 --browser '{}'", rig.browser_program());
    let done = rig.with(Person::watching()).run_while(&command, |running| {
        running.says("bob@example.com");
        // The page is still open: its own admin grants, too.
        drop(get(&rig.provider.consents(&rig.opened()[0], None)));
        drop(get(&rig.provider.consents(&rig.opened()[1], None)));
    });
    // Nobody had to say anything about Bob.
    drop(done.exits(0));
    assert_eq!(rig.ledger().awaiting(crate::rig::PROFILE, Some(&key("L-1"))).unwrap().len(), 0);
}

#[test]
fn an_endpoint_that_this_consent_does_not_need_keeps_nobody_from_granting() {
    let rig = Rig::new();
    rig.adds_to_profile("revocation_scope = \"grant\"\nintrospect = false");
    rig.provider.is_silent_at("/oauth/revoke");
    rig.provider.is_silent_at("/oauth/introspect");
    rig.grant(LICENSE);
    let told = rig.run("doctor").exits(1);
    assert!(told.out.contains("revocation_url") && told.out.contains("introspection_url"), "{}", told.out);
}

#[test]
fn an_answer_that_a_command_waits_for_is_left_to_it_with_what_to_do() {
    let rig = Rig::new();
    rig.visits([Visit::Leaves]);
    let mut told = None;
    let done = rig.run_while(&register(LICENSE), |running| {
        running.says("Opening it in a browser");
        let back = rig.provider.consents(&rig.opened()[0], None);
        let other = Rig::of(rig.world().clone());
        told = Some(other.with(Person::piping(back.as_str())).run("complete -"));
        // As it says.
        drop(get(&back));
    });
    drop(done.exits(0));
    snapshot!(told.unwrap());
}
