//! `register` of one license: what is asked, what is refused before anybody is, and the card at the end.

use crate::rig::{Person, Rig, Visit, get, register};
use crate::snapshot;

#[test]
fn its_help_says_what_it_takes() {
    snapshot!(Rig::bare().run("register --help"));
}

#[test]
fn one_license_is_granted() {
    let rig = Rig::new();
    snapshot!(rig.run(&register("101-X0007-D1")));
    assert_eq!(
        rig.provider.log(),
        ["consented 101-X0007-D1 by ann@example.com: code-1", "issued 101-X0007-D1: access-1"]
    );
    insta::assert_snapshot!("the_page_that_the_admin_ends_at", rig.page_in_words());
}

#[test]
fn one_license_is_granted_as_json() {
    let rig = Rig::new();
    snapshot!(rig.run(&format!("{} --json", register("101-X0007-D1"))).fits("results"));
}

#[test]
fn all_that_can_be_said_of_a_store_is_on_its_card() {
    let rig = Rig::new();
    let more = "--name 'Hudson St' --ocm-license OCM-RETL-24-000064 --contact manager@hudson.example --tag downstate --tag sold";
    snapshot!(rig.run(&format!("{} {more}", register("101-X0007-D1"))));
}

#[test]
fn quiet_leaves_the_address_and_the_card() {
    let rig = Rig::new();
    snapshot!(rig.run(&format!("{} --quiet", register("101-X0007-D1"))));
}

#[test]
fn the_admin_says_no() {
    let rig = Rig::new();
    rig.visits([Visit::Denies]);
    snapshot!(rig.run(&register("101-X0007-D1")));
    insta::assert_snapshot!("the_page_after_a_no", rig.page_in_words());
    assert!(rig.provider.log().is_empty());
}

#[test]
fn the_admin_says_no_as_json() {
    let rig = Rig::new();
    rig.visits([Visit::Denies]);
    snapshot!(rig.run(&format!("{} --json", register("101-X0007-D1"))).fits("results"));
}

#[test]
fn a_person_is_asked_for_what_is_not_given() {
    let rig = Rig::new();
    let answers = [("UBI", "604001"), ("icen", "101-X0007-D1"), ("ser", "ann@example.com")];
    snapshot!(rig.with(Person::answering(&answers)).run("register"));
}

#[test]
fn ctrl_c_at_a_question_ends_it_with_nothing_asked() {
    let rig = Rig::new();
    let answers = [("UBI", "604001"), ("icen", "^C")];
    snapshot!(rig.with(Person::answering(&answers)).run("register"));
    rig.run("status --json").exits(0).json()["summary"]["total"]
        .as_u64()
        .filter(|total| *total == 0)
        .unwrap();
}

#[test]
fn what_is_missing_is_named_where_nobody_can_be_asked() {
    let rig = Rig::new();
    snapshot!(rig.run("register --ubi 604001"));
    snapshot!(rig.run("register --ubi 604001 --license 101-X0007-D1 --json").fits("error"));
    // Somebody who wants no questions is asked none.
    snapshot!(rig.with(Person::watching()).run("register --ubi 604001 --no-input"));
}

#[test]
fn a_password_is_never_taken() {
    let rig = Rig::new();
    let refused = rig.run(&format!("{} --password hunter2", register("101-X0007-D1")));
    assert!(!refused.transcript().contains("hunter2"));
    snapshot!(refused);
    assert!(rig.opened().is_empty());
}

#[test]
fn what_cannot_be_right_is_refused_and_nothing_is_kept() {
    let rig = Rig::new();
    let long = "x".repeat(65);
    let said: Vec<_> = ["", "  ", "a\u{1b}[31m", &long, "a\u{202e}b", "a\nb"]
        .into_iter()
        .map(|license| {
            let words = [
                "register",
                "--ubi=604001",
                "--license",
                license,
                "--username=ann@example.com",
                "--browser=scripted",
            ];
            let refused = rig.run_words(&words).exits(2);
            assert_eq!(refused.out, "");
            format!("{license:?}: {}", refused.err)
        })
        .collect();
    insta::assert_snapshot!(said.concat());
    snapshot!(
        "a_username_that_cannot_be_right",
        rig.run("register --ubi 604001 --license 101-X0007-D1 --username '' --browser scripted")
    );
    assert!(rig.opened().is_empty());
    assert!(rig.ledger().standings(crate::rig::PROFILE).unwrap().is_empty());
}

#[test]
fn an_odd_license_is_kept_as_it_was_typed_and_named_as_odd() {
    let rig = Rig::new();
    snapshot!(rig.run("register --ubi=\"604 001\" --license=\"00'; DROP TABLE authorization;--\" --username=ann@example.com --browser=scripted"));
    for license in ["../../etc/passwd", "-D1", "%s{ubi}$(id)", "Ünï 店"] {
        let words = [
            "register",
            "--ubi=604001",
            &format!("--license={license}"),
            "--username=ann@example.com",
            "--browser=scripted",
        ];
        let granted = rig.run_words(&words).exits(0);
        assert!(granted.out.starts_with(&format!("{license}\n")), "{}", granted.out);
        assert!(rig.run_words(&["status", "--", license]).exits(0).out.contains(license));
    }
}

#[test]
fn a_likely_slip_is_noted_and_not_refused() {
    let rig = Rig::new();
    rig.grant("OCM-RETL-24-000064");
    snapshot!(rig.run(&register("ocm-retl-24-000064-D1")));
}

#[test]
fn a_registered_license_has_renew() {
    let rig = Rig::new();
    rig.grant("101-X0007-D1");
    snapshot!(rig.run(&register("101-X0007-D1")));
    snapshot!(rig.run(&format!("{} --json", register("101-X0007-D1"))).fits("results"));
    assert_eq!(rig.provider.living().len(), 1);
}

#[test]
fn a_pending_license_is_asked_again() {
    let rig = Rig::new();
    rig.visits([Visit::Denies]);
    rig.run(&register("101-X0007-D1")).exits(6);
    rig.minutes_pass(5);
    snapshot!(rig.run(&register("101-X0007-D1")));
}

#[test]
fn a_deactivated_license_is_reopened_and_its_history_kept() {
    let rig = Rig::new();
    rig.grant("101-X0007-D1");
    rig.days_pass(30);
    rig.run("deactivate 101-X0007-D1 --yes --reason 'store closed'").exits(0);
    rig.days_pass(30);
    snapshot!(rig.run(&register("101-X0007-D1")));
    assert_eq!(rig.provider.living(), [("101-X0007-D1".into(), "access-2".into())]);
}

#[test]
fn unattended_without_a_browser_nobody_is_asked() {
    let rig = Rig::new();
    let asked = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com";
    snapshot!(rig.run(asked));
    snapshot!(rig.run(&format!("{asked} --json")).fits("results"));
    snapshot!(rig.with(Person::watching()).run(&format!("{asked} --no-input")));
    assert!(rig.opened().is_empty());
    assert!(rig.ledger().standings(crate::rig::PROFILE).unwrap().is_empty());
}

#[test]
fn without_a_browser_the_address_is_printed_and_waited_for() {
    let rig = Rig::new();
    let asked = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com --no-browser";
    snapshot!(rig.run_while(asked, |running| {
        let said = running.says("redirect_uri=");
        let address = said.split_whitespace().find(|word| word.contains("redirect_uri=")).unwrap();
        let page = get(&rig.provider.consents(address, None));
        assert!(page.contains("Access granted"), "{page}");
    }));
}

#[test]
fn a_browser_that_does_not_start_is_said_and_the_address_still_counts() {
    let rig = Rig::new();
    rig.visits([Visit::IsMissing("the program \"scripted\" was not found".into())]);
    snapshot!(rig.run_while(&register("101-X0007-D1"), |running| {
        running.says("No browser could be opened");
        get(&rig.provider.consents(&rig.opened()[0], None));
    }));
}

#[test]
fn nobody_in_time_is_told() {
    let rig = Rig::new();
    rig.visits([Visit::Leaves]);
    snapshot!(rig.run(&format!("{} --timeout 1s", register("101-X0007-D1"))));
    snapshot!("the_card_after_nobody_came", rig.run("status 101-X0007-D1"));
    assert!(rig.provider.log().is_empty());
}

#[test]
fn ctrl_c_while_the_page_is_open_says_how_to_go_on() {
    let rig = Rig::new();
    rig.visits([Visit::Interrupts, Visit::Interrupts]);
    snapshot!(rig.run(&register("101-X0007-D1")));
    snapshot!(rig.run(&format!("{} --json", register("101-X0007-D1"))).fits("results"));
}

#[test]
fn an_answer_that_is_sent_back_can_be_pasted() {
    let rig = Rig::new();
    rig.visits([Visit::IsPasted(|back| vec![back.replace("127.0.0.1", "127.0.0.2"), format!("<{back}>")])]);
    let line = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com";
    snapshot!(rig.with(Person::watching()).run(line));
    assert_eq!(rig.provider.living().len(), 1);
}

#[test]
fn a_paste_is_offered_only_where_it_is_read() {
    let rig = Rig::new();
    let line = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com";
    let said = rig.with(Person::without_keys()).run(line).exits(0).err;
    assert!(said.contains("Open this address in a browser") && !said.contains("paste"), "{said}");
}

#[test]
fn times_that_cannot_be_are_refused() {
    let rig = Rig::new();
    let timeout = |time| rig.run(&format!("{} --timeout {time}", register("101-X0007-D1")));
    snapshot!(timeout("0m"));
    snapshot!(timeout("soon"));
    // To a program of Windows that's a quote like any other character.
    #[cfg(unix)]
    snapshot!(rig.run(&format!(
        "{} --browser \"'\"",
        "register --ubi 604001 --license 101-X0007-D1 --username a@b.example"
    )));
    assert!(rig.opened().is_empty());
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let rig = Rig::new();
    snapshot!(rig.run(&format!("{} --no-browser", register("101-X0007-D1"))));
    snapshot!(rig.run(&format!("{} --from stores.csv", register("101-X0007-D1"))));
    snapshot!(rig.run(&format!("{} --dry-run", register("101-X0007-D1"))));
    snapshot!(rig.run(&format!("{} --message", register("101-X0007-D1"))));
    assert!(rig.opened().is_empty());
}

#[test]
fn a_taken_port_is_said_before_anybody_is_asked() {
    let rig = Rig::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = rig.run(&format!("{} --port {port}", register("101-X0007-D1"))).exits(2);
    // The reason is the system's own word.
    assert!(refused.err.starts_with("error: the redirect listener can't use port "), "{}", refused.err);
    let hint = "choose another port with --port or redirect.port in the profile.\n";
    assert!(refused.err.ends_with(hint), "{}", refused.err);
    assert!(rig.opened().is_empty());
    assert!(rig.ledger().standings(crate::rig::PROFILE).unwrap().is_empty());
}

#[test]
fn somebody_else_at_the_license_is_named() {
    let rig = Rig::new();
    let waits = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com --no-browser";
    rig.run_while(waits, |running| {
        running.says("redirect_uri=");
        snapshot!("somebody_else_at_the_license_is_named", rig.run(&register("101-X0007-D1")));
        snapshot!(
            "somebody_else_at_the_license_is_named_as_json",
            rig.run(&format!("{} --json", register("101-X0007-D1"))).fits("results")
        );
        running.hand.interrupts();
    })
    .exits(130);
    rig.grant("101-X0007-D1");
}

#[test]
fn without_a_configuration_it_says_how_to_begin() {
    let rig = Rig::bare();
    snapshot!(rig.run(&register("101-X0007-D1")));
    snapshot!(rig.run(&format!("{} --json", register("101-X0007-D1"))).fits("error"));
}

#[test]
fn a_profile_that_is_not_there_is_refused() {
    let rig = Rig::new();
    snapshot!(rig.run(&format!("{} --profile ny", register("101-X0007-D1"))));
}
