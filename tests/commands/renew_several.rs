//! `renew` of several licenses in one run: who is asked and why, how each ends, and what is left for `--resume`.

use crate::rig::{Done, Person, Reply, Rig, Visit};
use crate::snapshot;

/// Three due licenses of Ann, of which one has lapsed, and one of Bob that isn't due.
fn fleet() -> Rig {
    let rig = Rig::new();
    rig.seed([
        rig.record("101-X0001-D1", "ann@example.com", -3),
        rig.record("101-X0002-D1", "ann@example.com", 2),
        rig.record("101-X0003-D1", "ann@example.com", 5),
        rig.record("101-X0004-D1", "bob@example.com", 60),
    ]);
    rig
}

/// Renews them through a browser.
fn renew(rig: &Rig, more: &str) -> Done {
    let browser = rig.browser_program();
    rig.run(&format!("renew {more} --browser '{browser}'"))
}

#[test]
fn all_that_is_due_is_renewed() {
    let rig = fleet();
    snapshot!(renew(&rig, "--due"));
    assert_eq!(rig.provider.living().len(), 3);
    snapshot!(renew(&rig, "--due"));
    assert_eq!(rig.provider.living().len(), 3);
}

#[test]
fn all_that_is_due_is_renewed_as_json() {
    snapshot!(renew(&fleet(), "--due --json").fits("results"));
}

#[test]
fn all_that_is_due_is_renewed_as_lines_of_json() {
    snapshot!(renew(&fleet(), "--due --format jsonl").fits("event"));
}

#[test]
fn quiet_leaves_the_sum() {
    snapshot!(renew(&fleet(), "--due --quiet"));
}

#[test]
fn where_nothing_is_due_nobody_is_needed() {
    let rig = Rig::new();
    rig.seed([rig.record("101-X0004-D1", "bob@example.com", 60)]);
    snapshot!(rig.run("renew --due"));
    snapshot!(rig.run("renew --due --json").fits("results"));
    snapshot!(rig.run("renew --due --format jsonl").fits("event"));
    rig.run("renew --due --quiet").is(0, "", "");
    snapshot!(rig.run("renew --due --dry-run"));
}

#[test]
fn a_dry_run_says_who_would_be_asked_and_why() {
    let rig = fleet();
    rig.seed([rig.record("101-X0009-D1", "ann@example.com", 40)]);
    snapshot!(rig.run("renew --due --dry-run"));
    snapshot!(rig.run("renew --due --dry-run --json").fits("plan"));
    snapshot!(rig.run("renew --due --dry-run --format jsonl").fits("event"));
    assert!(rig.opened().is_empty());
}

#[test]
fn a_dry_run_of_one_license_is_a_plan_too() {
    snapshot!(fleet().run("renew 101-X0004-D1 --dry-run"));
}

#[test]
fn selections_are_by_due_expired_all_tag_user_and_name() {
    let rig = fleet();
    let mut tagged = rig.record("101-X0005-D1", "cat@example.com", 50);
    tagged.tags = vec!["downstate".parse().unwrap()];
    rig.seed([tagged]);
    let mut said = String::new();
    for which in [
        "--due",
        "--due=3d",
        "--expired",
        "--all",
        "--all --tag downstate",
        "--tag downstate",
        "--tag upstate",
        "--user BOB@example.com",
        "101-X0004-D1 604001/101-X0001-D1 101-X0004-D1",
        "101-X0001-D1 101-X0005-D1 --tag downstate",
    ] {
        let plan = rig.run(&format!("renew {which} --dry-run --json")).exits(0).json();
        let planned = plan["planned"].as_array().unwrap().iter().map(|it| it["license"].as_str().unwrap());
        said.push_str(&format!("{which}: {}\n", planned.collect::<Vec<_>>().join(" ")));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let rig = fleet();
    snapshot!(rig.run("renew 101-X0001-D1 nobody"));
    snapshot!(rig.run("renew 101-X0001-D1 nobody --json").fits("error"));
    snapshot!(rig.run("renew 101-X0001-D1 nobody --format jsonl").fits("event"));
    snapshot!(rig.run("renew --due --all"));
    snapshot!(rig.run("renew --due 14d"));
    snapshot!(rig.run("renew --due=soon"));
    snapshot!(rig.run("renew --all --spread"));
    snapshot!(rig.run("renew --due --json --format text"));
    snapshot!(rig.run("renew --due --any-user --username bob@example.com"));
    snapshot!(rig.run("renew --due --no-browser --qr"));
}

#[test]
fn a_spread_is_proposed_and_applied_only_when_asked() {
    let rig = Rig::new();
    rig.seed(
        (0..40)
            .map(|at| rig.record(&format!("101-X00{at:02}-D1"), "ann@example.com", 12))
            .collect::<Vec<_>>(),
    );
    snapshot!(rig.run("renew --due --dry-run"));
    snapshot!(rig.run("renew --due --spread --dry-run"));
    let plan = rig.run("renew --due --spread --dry-run --json").exits(0).fits("plan").json();
    let (planned, left) =
        (plan["planned"].as_array().unwrap().len(), plan["left_out"].as_array().unwrap().len());
    assert!((1..40).contains(&planned) && planned + left == 40, "{planned} of 40, {left} left out");
}

#[test]
fn a_license_whose_tokens_live_elsewhere_is_left_out() {
    let rig = Rig::new();
    let mut exported = rig.record("101-X0001-D1", "ann@example.com", 2);
    exported.held_elsewhere = true;
    rig.seed([exported]);
    snapshot!(rig.run("renew --all --dry-run"));
}

#[test]
fn unattended_without_a_browser_all_that_need_a_person_are_named() {
    let rig = fleet();
    snapshot!(rig.run("renew --due"));
    snapshot!(rig.run("renew --due --json").fits("results"));
    snapshot!(rig.run("renew --due --format jsonl").fits("event"));
}

#[test]
fn a_browser_that_is_not_there_is_said_before_anybody_is_asked() {
    let rig = fleet();
    snapshot!(rig.run("renew --due --browser /nowhere/browser"));
    assert!(rig.opened().is_empty());
}

#[test]
fn one_failure_stops_no_other_and_the_command_that_tries_it_again_is_named() {
    let rig = fleet();
    rig.visits([Visit::Grants, Visit::Denies]);
    snapshot!(renew(&rig, "--due"));
    assert_eq!(rig.provider.living().len(), 2);
}

#[test]
fn when_all_fail_alike_the_exit_code_is_theirs() {
    let rig = fleet();
    rig.visits([Visit::Denies, Visit::Denies, Visit::Denies]);
    snapshot!(renew(&rig, "--due --json").fits("results"));
}

#[test]
fn a_lost_answer_among_several_is_uncertain_alone() {
    let rig = fleet();
    rig.provider.replies("/oauth/token", [Reply::Lost]);
    snapshot!(renew(&rig, "--due"));
}

#[test]
fn nobody_in_time_ends_each_alone() {
    let rig = fleet();
    rig.visits([Visit::Leaves]);
    let done = renew(&rig, "--due --tabs 3 --timeout 1s").exits(3);
    // Which of the other two comes first, nobody knows.
    let mut lines: Vec<_> = done.err.lines().collect();
    lines.sort_unstable();
    insta::assert_snapshot!(format!("{}----- stderr, sorted -----\n{}", done.out, lines.join("\n")));
    assert_eq!(rig.provider.living().len(), 2);
}

#[test]
fn another_admins_grants_are_held_and_any_user_takes_them_all() {
    let rig = fleet();
    rig.visits((0..3).map(|_| Visit::GrantsAs("boss@example.com".into())));
    snapshot!(renew(&rig, "--due"));
    snapshot!(rig.run("renew --due --dry-run"));
    snapshot!(rig.run("renew 101-X0001-D1 101-X0002-D1 101-X0003-D1 --awaiting --yes"));
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (3, 3));
}

#[test]
fn held_grants_are_taken_as_lines_of_json() {
    let rig = fleet();
    rig.visits((0..3).map(|_| Visit::GrantsAs("boss@example.com".into())));
    renew(&rig, "--due").exits(6);
    snapshot!(
        rig.run("renew 101-X0001-D1 101-X0002-D1 101-X0003-D1 --awaiting --yes --format jsonl").fits("event")
    );
}

#[test]
fn held_ones_and_failed_ones_have_a_command_each() {
    let rig = fleet();
    rig.visits([Visit::GrantsAs("boss@example.com".into()), Visit::Denies]);
    snapshot!(renew(&rig, "--due"));
}

#[test]
fn another_admin_for_all_is_recorded_with_their_grants() {
    let rig = fleet();
    // A script that forgot to say so asks nobody else.
    snapshot!("another_admin_for_all_needs_a_yes", renew(&rig, "--due --username bob@example.com"));
    assert!(rig.opened().is_empty());
    snapshot!(renew(&rig, "--due --username bob@example.com --yes"));
    assert!(rig.provider.log().iter().filter(|line| line.contains(" by bob@example.com")).count() == 3);
}

#[test]
fn a_person_confirms_another_admin_for_all_first() {
    let rig = fleet();
    let answers = [("3 licenses were granted by other admins", "n")];
    snapshot!(rig.with(Person::answering(&answers)).run("renew --due --username bob@example.com"));
    assert!(rig.opened().is_empty());
}

#[test]
fn ctrl_c_leaves_the_rest_for_resume() {
    let rig = fleet();
    rig.visits([Visit::Grants, Visit::Interrupts]);
    snapshot!(renew(&rig, "--due"));
    snapshot!(rig.run("renew --resume --dry-run"));
    snapshot!(rig.run("renew --resume"));
    snapshot!(renew(&rig, "--resume"));
    assert_eq!(rig.provider.living().len(), 3);
    snapshot!(rig.run("renew --resume"));
}

#[test]
fn in_a_file_a_run_whose_end_cannot_be_recorded_has_ended_as_it_did() {
    let rig = fleet();
    rig.world().step_refused("DELETE", "run", true);
    snapshot!(renew(&rig, "--due --quiet"));
    assert_eq!(rig.provider.living().len(), 3);
    snapshot!(rig.run("renew --resume"));
}

#[test]
fn in_a_file_links_are_told_though_the_end_of_their_run_cannot_be_recorded() {
    let rig = fleet();
    rig.visits([Visit::Interrupts]);
    renew(&rig, "--due").exits(130);
    rig.world().step_refused("DELETE", "run", true);
    let told = rig.run("renew --resume --no-wait").exits(0);
    assert_eq!(told.raw().lines().count(), 3, "{}", told.raw());
    snapshot!(told);
}

#[test]
fn ctrl_c_is_told_as_lines_of_json_too() {
    let rig = fleet();
    rig.visits([Visit::Interrupts]);
    snapshot!(renew(&rig, "--due --format jsonl").fits("event"));
    snapshot!(renew(&rig, "--resume --json").fits("results"));
}

#[test]
fn what_was_renewed_by_hand_meanwhile_is_left_out() {
    let rig = fleet();
    rig.visits([Visit::Interrupts]);
    renew(&rig, "--due").exits(130);
    rig.run("renew 101-X0003-D1 --browser scripted").exits(0);
    snapshot!(renew(&rig, "--resume"));
    assert_eq!(rig.provider.living().len(), 3);
}

#[test]
fn in_a_file_a_second_run_over_the_same_licenses_is_told_who_is_at_it() {
    let rig = fleet();
    rig.run_while("renew 101-X0001-D1 101-X0002-D1 --no-browser", |running| {
        running.says("redirect_uri=");
        snapshot!("in_a_file_a_second_run_over_the_same_licenses_is_told_who_is_at_it", renew(&rig, "--due"));
        // Other licenses are nobody's business.
        renew(&rig, "--user bob@example.com").exits(0);
        running.hand.interrupts();
    })
    .exits(130);
    renew(&rig, "--due").exits(0);
}

#[test]
fn keys_skip_and_quit() {
    let rig = fleet();
    rig.visits([Visit::Types("s", Box::new(Visit::Leaves)), Visit::Types("q", Box::new(Visit::Leaves))]);
    let browser = rig.browser_program();
    snapshot!(rig.with(Person::watching()).run(&format!("renew --due --browser '{browser}'")));
    assert!(rig.provider.living().is_empty());
}

#[test]
fn a_page_is_opened_again_by_a_key() {
    let rig = fleet();
    rig.visits([Visit::Types("r", Box::new(Visit::Leaves))]);
    let browser = rig.browser_program();
    let line = format!("renew --due --browser '{browser}'");
    rig.with(Person::watching()).run(&line).exits(0);
    let opened = rig.opened();
    assert_eq!((opened.len(), &opened[0]), (4, &opened[1]));
}

#[test]
fn a_person_takes_another_admins_grants_with_one_yes() {
    let rig = fleet();
    let boss = || Visit::GrantsAs("boss@example.com".into());
    rig.visits([boss(), Visit::Types("y", Box::new(boss())), boss()]);
    let browser = rig.browser_program();
    snapshot!(rig.with(Person::watching()).run(&format!("renew --due --browser '{browser}'")));
    assert_eq!(rig.provider.living().len(), 3);
}

#[test]
fn an_answer_that_is_sent_back_can_be_pasted_into_a_run() {
    let rig = fleet();
    rig.visits([Visit::IsPasted(|back| vec![back.into()])]);
    let browser = rig.browser_program();
    snapshot!(rig.with(Person::watching()).run(&format!("renew --due --browser '{browser}'")));
}

#[test]
fn a_provider_that_goes_away_in_the_middle_is_waited_for_and_no_code_is_lost() {
    let rig = fleet();
    // The three tries of one exchange.
    rig.provider.replies("/oauth/token", vec![Reply::Unreachable; 3]);
    snapshot!(renew(&rig, "--due"));
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (3, 3));
}

#[test]
fn codes_that_could_not_leave_are_sent_once_another_answer_shows_that_the_provider_is_back() {
    let rig = fleet();
    // Of three exchanges at once, with three tries each, all tries but one.
    rig.provider.replies("/oauth/token", vec![Reply::Unreachable; 8]);
    let done = renew(&rig, "--due --tabs 3");
    assert_eq!(done.code, 0, "{}", done.transcript());
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (3, 3));
}

#[test]
fn a_client_that_is_not_accepted_stops_the_run_and_resume_sends_the_code_again() {
    let rig = fleet();
    let refusal = Reply::Status(401, "{\"error\":\"invalid_client\"}".into());
    rig.provider.replies("/oauth/token", [refusal]);
    snapshot!(renew(&rig, "--due"));
    assert_eq!(rig.opened().len(), 1, "nobody else was asked in vain");
    snapshot!(renew(&rig, "--resume"));
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (3, 3));
}

#[test]
fn a_code_of_a_run_that_is_wanted_later_is_sent_again() {
    let rig = fleet();
    rig.provider.replies("/oauth/token", [Reply::Busy(429, 1)]);
    renew(&rig, "--due").exits(0).err.clear();
    assert_eq!((rig.opened().len(), rig.provider.living().len()), (3, 3));
}

#[test]
fn a_provider_that_is_away_is_told_before_anybody_is_asked() {
    let rig = fleet();
    rig.provider.is_away(true);
    snapshot!(renew(&rig, "--due --format jsonl").fits("event"));
    assert!(rig.opened().is_empty());
}

#[test]
fn a_file_of_renewals_says_whom_to_ask() {
    let rig = fleet();
    let path = rig.write("due.csv", "license,username\n101-X0001-D1,\n101-X0004-D1,cat@example.com\n");
    renew(&rig, &format!("--from '{path}'")).exits(2);
    snapshot!(renew(&rig, &format!("--from '{path}' --yes")));
    let status = rig.run("status 101-X0004-D1 --json").exits(0).json();
    assert_eq!(status["authorizations"][0]["username"], "cat@example.com");
}

#[test]
fn a_file_of_renewals_must_name_known_licenses() {
    let rig = fleet();
    let path = rig.write("due.csv", "license,username\n101-X0001-D1,\n101-X0007-D1,\nHudson,\n");
    snapshot!(renew(&rig, &format!("--from '{path}'")));
    snapshot!(renew(&rig, &format!("--from '{path}' --json")).fits("error"));
    let twice = rig.write("due.csv", "license\n101-X0001-D1\n604001/101-X0001-D1\n101-X0001-D1\n");
    snapshot!(renew(&rig, &format!("--from '{twice}'")));
    assert!(rig.opened().is_empty());
}

#[test]
fn what_a_file_names_and_has_no_grant_is_left_out() {
    let rig = fleet();
    rig.visits([Visit::Denies]);
    rig.run(&crate::rig::register("101-X0007-D1")).exits(6);
    let path = rig.write("due.csv", "license\n101-X0001-D1\n101-X0007-D1\n");
    snapshot!(renew(&rig, &format!("--from '{path}'")));
}

#[test]
fn what_was_exported_is_read_back_as_it_was() {
    let rig = fleet();
    let sheet = rig.run("status --due --format csv").exits(0).out;
    snapshot!(rig.with(Person::piping(sheet)).run("renew --from - --dry-run"));
}
