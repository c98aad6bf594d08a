//! Hand-offs: `--no-wait` makes a link for an admin who sits elsewhere, and leaves.

use crate::rig::{Done, Person, Rig};
use crate::snapshot;
use base64::{Engine, prelude::BASE64_STANDARD};

const REGISTER: &str = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com --no-wait";

/// Three licenses of two admins, one of whom has somebody who reads their mail.
fn fleet() -> Rig {
    let rig = Rig::new();
    let named = |license: &str, name: &str, days| {
        let mut record = rig.record(license, "ann@example.com", days);
        record.name = Some(name.parse().unwrap());
        record
    };
    let mut other = rig.record("101-X0003-D1", "bob@example.com", 5);
    other.contact = Some("store@example.com".parse().unwrap());
    rig.seed([
        named("101-X0001-D1", "Green Leaf Albany", -3),
        named("101-X0002-D1", "Green Leaf Buffalo", 2),
        other,
    ]);
    rig
}

/// No line of it but the links is too long: paste only the address.
#[track_caller]
fn is_mailable(message: Done) -> Done {
    for line in message.out.lines().filter(|line| !line.contains("/oauth?")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    message
}

#[test]
fn a_link_is_printed_and_nobody_waits() {
    let rig = Rig::new();
    snapshot!(rig.run(REGISTER));
    assert!(rig.opened().is_empty());
    snapshot!("the_card_of_a_license_whose_link_is_out", rig.run("status 101-X0007-D1"));
    // No process is at it.
    assert_eq!(std::fs::read_dir(rig.file("owners")).map_or(0, Iterator::count), 0);
}

#[test]
fn a_link_is_in_the_json() {
    snapshot!(Rig::new().run(&format!("{REGISTER} --json")).fits("results"));
}

#[test]
fn a_link_of_another_profile_names_it_in_the_next_command() {
    let rig = Rig::new();
    let init = "config init --profile other --preset local-sandbox --url http://127.0.0.1:2 --vault sealed";
    rig.run(init).exits(0);
    snapshot!(rig.run(&format!("{REGISTER} --profile other")));
}

#[test]
fn a_link_lives_as_long_as_is_said() {
    let rig = Rig::new();
    snapshot!(rig.run(&format!("{REGISTER} --expires 2h")));
    rig.minutes_pass(119);
    assert_eq!(rig.run("status --json").json()["authorizations"][0]["conditions"][0], "renewal_pending");
    rig.minutes_pass(1);
    assert_eq!(rig.run("status --json").json()["authorizations"][0]["conditions"][0], "handoff_lapsed");
    snapshot!("the_card_of_a_lapsed_link", rig.run("status 101-X0007-D1"));
}

#[test]
fn a_message_says_to_a_person_what_to_do() {
    let rig = Rig::new();
    snapshot!(is_mailable(rig.run(&format!("{REGISTER} --name 'Hudson St' --message"))));
}

#[test]
fn one_message_goes_to_each_admin_with_all_their_locations() {
    let rig = fleet();
    snapshot!(is_mailable(rig.run("renew --all --no-wait --message")));
}

#[test]
fn a_message_goes_to_one_mailbox_and_to_nobody_that_a_comma_makes_of_it() {
    let rig = Rig::new();
    let mut record = rig.record("101-X0001-D1", "ann@example.com", 2);
    record.contact = Some("liu@queens,example".parse().unwrap());
    rig.seed([record]);
    let message = rig.run("renew 101-X0001-D1 --no-wait --message").exits(0).out;
    assert!(message.starts_with("To: ann@example.com\nSubject: "), "{message}");
}

#[test]
fn several_links_are_printed_a_line_each() {
    let rig = fleet();
    snapshot!(rig.run("renew --due --no-wait"));
    snapshot!("a_table_of_licenses_whose_links_are_out", rig.run("status"));
}

#[test]
fn several_links_are_in_the_json() {
    snapshot!(fleet().run("renew --due --no-wait --json").fits("results"));
}

#[test]
fn several_links_are_lines_of_json() {
    snapshot!(fleet().run("renew --due --no-wait --format jsonl").fits("event"));
}

#[test]
fn links_for_a_file_of_licenses_leave_out_what_is_registered() {
    let rig = fleet();
    let rows =
        "ubi,license,username\n604001,101-X0001-D1,ann@example.com\n604001,101-X0008-D1,cat@example.com\n";
    let path = rig.write("stores.csv", rows);
    snapshot!(rig.run(&format!("register --from '{path}' --no-wait")));
}

#[test]
fn what_a_run_left_can_be_handed_out() {
    let rig = fleet();
    rig.visits([crate::rig::Visit::Interrupts]);
    let browser = rig.browser_program();
    rig.run(&format!("renew --due --browser '{browser}'")).exits(130);
    snapshot!(rig.run("renew --resume --no-wait"));
    snapshot!(rig.run("renew --resume --no-wait"));
}

#[test]
fn a_profile_with_a_public_address_sends_admins_there() {
    let rig = Rig::new();
    rig.adds_to_profile("redirect.public_url = \"https://auth.example.com/callback\"");
    snapshot!(is_mailable(rig.run(&format!("{REGISTER} --message"))));
}

#[test]
fn the_state_may_stand_in_the_path() {
    let rig = Rig::new();
    rig.adds_to_profile("state_in = \"path\"");
    snapshot!(rig.run(REGISTER));
    snapshot!("a_message_whose_state_stands_in_the_path", rig.run(&format!("{REGISTER} --message")));
}

#[test]
fn the_clipboard_and_a_picture_are_the_terminals() {
    let rig = Rig::new();
    let there = rig.with(Person::watching()).run(&format!("{REGISTER} --qr --copy")).exits(0);
    assert!(there.err.contains("█") && there.err.contains("Copied to the clipboard"), "{}", there.err);
    let copied = there.err.split("\x1b]52;c;").nth(1).unwrap().split('\x07').next().unwrap();
    assert_eq!(BASE64_STANDARD.decode(copied).unwrap(), there.raw().trim_end().as_bytes());
    // Where there is no terminal, nothing is copied.
    snapshot!(rig.run(&format!("{REGISTER} --copy")));
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let rig = fleet();
    for more in ["--no-browser", "--browser scripted", "--timeout 1m"] {
        let refused = rig.run(&format!("{REGISTER} {more}")).exits(2);
        assert_eq!(refused.out, "");
        assert!(refused.err.contains("cannot be used with"), "{}", refused.err);
    }
    snapshot!(rig.run(&format!("{REGISTER} --expires 0d")));
    snapshot!(rig.run(&format!("{REGISTER} --expires soon")));
    snapshot!(rig.run(&format!("{REGISTER} --message --json")));
    snapshot!(rig.run("renew --due --no-wait --message --format jsonl"));
    assert_eq!(rig.run("status --json").json()["summary"]["total"], 3);
}

#[test]
fn a_provider_that_is_away_is_told_and_no_link_is_made() {
    let rig = fleet();
    rig.provider.is_away(true);
    snapshot!(rig.run("renew 101-X0001-D1 --no-wait"));
    assert!(rig.standing("101-X0001-D1").flows.is_empty());
}

#[test]
fn a_locked_keyring_is_told_and_no_link_is_made() {
    let rig = Rig::with_keyring();
    rig.keyring.locks(true);
    snapshot!(rig.run(REGISTER));
    assert!(rig.ledger().standings(crate::rig::PROFILE).unwrap().is_empty());
}

#[test]
fn a_registered_license_has_renew_and_a_pending_one_register() {
    let rig = fleet();
    let registered = "register --ubi 604001 --license 101-X0001-D1 --username ann@example.com --no-wait";
    snapshot!(rig.run(registered));
    rig.run(REGISTER).exits(0);
    snapshot!(rig.run("renew 101-X0007-D1 --no-wait"));
}

#[test]
fn in_a_keyring_the_replaced_links_item_goes() {
    let rig = Rig::with_keyring();
    rig.run(REGISTER).exits(0);
    let first = rig.keyring.accounts();
    rig.run(REGISTER).exits(0);
    let second = rig.keyring.accounts();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
}
