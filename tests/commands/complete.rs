//! `complete`: the redirect address that an admin sent back finishes a hand-off; anything else sends nothing.

use crate::rig::{Done, PROFILE, Person, Reply, Rig, Visit};
use crate::snapshot;
use serde_json::json;

const LICENSE: &str = "101-X0007-D1";
const REGISTER: &str = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com --no-wait";
const RENEW: &str = "renew 101-X0007-D1 --no-wait";

/// Hands a link out; the address that the admin's browser ends at, once they have granted.
fn handed_back(rig: &Rig, line: &str) -> String {
    let link = rig.run(line).exits(0).raw();
    rig.provider.consents(link.trim_end(), None)
}

/// `complete -` with this on standard input.
fn complete(rig: &Rig, pasted: impl Into<Vec<u8>>) -> Done {
    rig.with(Person::piping(pasted)).run("complete -")
}

/// A license that was granted sixty days ago.
fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant(LICENSE);
    rig.days_pass(60);
    rig
}

#[test]
fn its_help_says_what_it_takes() {
    snapshot!(Rig::bare().run("complete --help"));
}

#[test]
fn a_bare_complete_is_refused() {
    snapshot!(Rig::new().run("complete"));
}

#[test]
fn an_answer_registers_the_license() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    rig.days_pass(3);
    snapshot!(complete(&rig, back.as_str()));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
}

#[test]
fn an_answer_registers_the_license_as_json() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    snapshot!(rig.with(Person::piping(back)).run("complete - --json").fits("results"));
}

#[test]
fn an_answer_is_asked_for_at_a_terminal() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    snapshot!(rig.with(Person::pasting(&format!("{back}\n"))).run("complete -"));
}

#[test]
fn an_answer_is_taken_as_an_argument_too_and_however_it_is_pasted() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    rig.run_words(&["complete", &back]).exits(0);
    let spoils: [fn(&str) -> String; 4] = [
        |url| format!("  <{url}>  \r\n"),
        |url| format!("“{url}”\n"),
        |url| format!("> {}\n> {}\n", &url[..50], &url[50..]),
        |url| url.replace('&', "&amp;"),
    ];
    for spoil in spoils {
        let back = handed_back(&rig, RENEW);
        let done = complete(&rig, spoil(&back)).exits(0);
        assert!(done.out.contains("Renewed"), "{}", done.transcript());
    }
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-5".into())]);
}

#[test]
fn a_code_that_is_wanted_later_is_sent_again_and_one_of_a_wrong_client_by_the_same_paste() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    let refusal = Reply::Status(401, "{\"error\":\"invalid_client\"}".into());
    rig.provider.replies("/oauth/token", [Reply::Busy(429, 2), refusal]);
    let refused = complete(&rig, back.as_str()).exits(8);
    assert!(refused.err.contains("Sending the code again in"), "{}", refused.err);
    assert!(refused.err.contains("The consent is kept"), "{}", refused.err);
    complete(&rig, back.as_str()).exits(0).err.clear();
    assert_eq!(rig.provider.living().len(), 1);
}

#[test]
fn what_is_no_answer_of_ours_sends_nothing_and_the_link_still_counts() {
    let rig = Rig::new();
    let link = rig.run(REGISTER).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), None);
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let mut said = String::new();
    for (what, pasted) in [
        ("another state", back.replace(state, "another")),
        ("another address", back.replace("127.0.0.1", "127.0.0.2")),
        ("another name of it", back.replace("127.0.0.1", "localhost")),
        ("another port", back.replace(":18273", ":18274")),
        ("another path", back.replace("/callback", "/other")),
        ("another scheme", back.replacen("http://", "https://", 1)),
        ("the state twice", format!("{back}&state={state}")),
        ("no address", "nothing at all".into()),
        ("nothing", String::new()),
        ("too much", "x".repeat(20_000)),
        ("the link itself", link.clone()),
    ] {
        let refused = complete(&rig, pasted);
        assert_eq!(refused.out, "");
        assert!(!refused.err.contains("code-1"), "{}", refused.err);
        said.push_str(&format!("{what}, exit code {}\n{}", refused.code, refused.err));
    }
    insta::assert_snapshot!(said);
    snapshot!("what_is_no_text_is_no_address", complete(&rig, b"\xff\xfe\0nonsense"));
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
    complete(&rig, back.as_str()).exits(0);
}

#[test]
fn what_was_pasted_is_refused_as_json_too() {
    let rig = Rig::new();
    snapshot!(rig.with(Person::piping("nothing at all")).run("complete - --json").fits("error"));
    let stranger = "http://127.0.0.1:18273/callback?code=c&state=s";
    snapshot!(rig.with(Person::piping(stranger)).run("complete - --json").fits("error"));
}

#[test]
fn an_answer_is_taken_once() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    complete(&rig, back.as_str()).exits(0);
    snapshot!(complete(&rig, back.as_str()));
    assert_eq!(rig.provider.asked("/oauth/token"), 1);
}

#[test]
fn several_links_are_answered_each_for_itself_and_in_any_order() {
    let rig = Rig::new();
    let licenses = ["101-X0001-D1", "101-X0002-D1", "101-X0003-D1"];
    rig.seed(licenses.map(|license| rig.record(license, "ann@example.com", 5)));
    let links = rig.run("renew --due --no-wait").exits(0).raw();
    let links: Vec<_> = links.lines().map(|line| line.split_once('\t').unwrap().1).collect();
    for at in [2, 0, 1] {
        let done = complete(&rig, rig.provider.consents(links[at], None)).exits(0);
        assert!(done.out.starts_with(licenses[at]), "{}", done.out);
    }
    assert_eq!(rig.run("status --json").exits(0).json()["summary"]["active"], 3);
    assert!(licenses.iter().all(|license| rig.standing(license).flows.is_empty()));
}

#[test]
fn an_answer_to_a_public_address_can_be_pasted_too() {
    let rig = Rig::new();
    rig.adds_to_profile("redirect.public_url = \"https://auth.example.com/callback\"");
    let back = handed_back(&rig, REGISTER);
    assert!(back.starts_with("https://auth.example.com/callback?"), "{back}");
    complete(&rig, back).exits(0);
}

#[test]
fn an_answer_whose_state_stands_in_the_path_is_taken() {
    let rig = Rig::new();
    rig.adds_to_profile("state_in = \"path\"");
    let back = handed_back(&rig, REGISTER);
    complete(&rig, back).exits(0);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
}

#[test]
fn a_newer_link_replaces_the_older() {
    let rig = granted();
    let old = handed_back(&rig, RENEW);
    let new = handed_back(&rig, RENEW);
    snapshot!(complete(&rig, old));
    complete(&rig, new).exits(0);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

#[test]
fn who_renews_at_the_terminal_replaces_a_link() {
    let rig = granted();
    let old = handed_back(&rig, RENEW);
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
    snapshot!(complete(&rig, old));
}

#[test]
fn a_deactivation_closes_a_link() {
    let rig = granted();
    let old = handed_back(&rig, RENEW);
    rig.run(&format!("deactivate {LICENSE} --yes")).exits(0);
    assert!(rig.standing(LICENSE).flows.is_empty());
    snapshot!(complete(&rig, old));
    assert!(rig.provider.living().is_empty());
}

#[test]
fn a_lapsed_link_is_refused_with_the_command_for_a_new_one() {
    let rig = granted();
    let back = handed_back(&rig, RENEW);
    rig.days_pass(7);
    snapshot!(complete(&rig, back.as_str()));
    snapshot!("the_check_of_a_lapsed_link", rig.run("status --check"));
    assert_eq!(rig.provider.asked("/oauth/token"), 1);
    // The next change clears it away.
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
    assert!(rig.standing(LICENSE).flows.is_empty());
}

#[test]
fn the_answer_of_another_profile_says_which() {
    let rig = Rig::new();
    let init = "config init --profile other --preset local-sandbox --url http://127.0.0.1:2 --vault sealed";
    rig.run(init).exits(0);
    let back = handed_back(&rig, &format!("{REGISTER} --profile other"));
    snapshot!(rig.with(Person::piping(back.as_str())).run(&format!("complete - --profile {PROFILE}")));
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
    rig.with(Person::piping(back)).run("complete - --profile other").exits(0);
}

#[test]
fn a_refusal_closes_the_link() {
    let rig = granted();
    let back = handed_back(&rig, RENEW);
    let refused = complete(&rig, back.replace("code=code-2", "error=access_denied")).exits(6);
    snapshot!(refused);
    assert!(rig.standing(LICENSE).flows.is_empty());
    complete(&rig, back.as_str()).exits(6);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
}

#[test]
fn an_error_that_is_no_error_code_closes_nothing() {
    let rig = granted();
    let back = handed_back(&rig, RENEW);
    for error in ["error=", "error", "error=%22", "error=no%0Aaccess"] {
        let refused = complete(&rig, back.replace("code=code-2", error));
        assert!([2, 6].contains(&refused.code), "{}", refused.transcript());
    }
    complete(&rig, back).exits(0);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

#[test]
fn what_is_glued_to_a_code_is_never_sent_with_it() {
    let rig = granted();
    let with_code_last = |back: &str| {
        let (place, query) = back.split_once('?').unwrap();
        let (codes, others): (Vec<_>, Vec<_>) = query.split('&').partition(|pair| pair.starts_with("code="));
        format!("{place}?{}&{}", others.join("&"), codes[0])
    };
    let mut granted = 1;
    for around in
        ["{{}}", "{}\\", "{}👍", "{}—Ann", "see {}/Ann.", "[url]{}[/url]", "_{}_", "\u{1b}[200~{}\u{1b}[201~"]
    {
        let back = with_code_last(&handed_back(&rig, RENEW));
        let sent = rig.provider.asked("/oauth/token");
        let done = complete(&rig, around.replace("{}", &back));
        match done.code {
            0 => granted += 1,
            // Nobody can tell where the code ends: nothing was sent, and the address alone is taken.
            _ => {
                done.exits(2);
                assert_eq!(rig.provider.asked("/oauth/token"), sent, "{around}");
                complete(&rig, format!("{back}.\n")).exits(0);
                granted += 1;
            }
        }
    }
    assert_eq!(granted, 9);
}

#[test]
fn an_answer_of_another_sender_or_with_two_codes_is_refused_and_the_right_one_is_taken_afterwards() {
    type Spoil = fn(String) -> String;
    let spoils: [(&str, u8, Spoil); 3] = [
        ("another sender", 6, |url| url.replace("iss=http", "iss=https")),
        ("no sender", 6, |url| url.split("&iss=").next().unwrap().to_owned()),
        ("two codes", 2, |url| format!("{url}&code=another")),
    ];
    let mut said = String::new();
    for (what, code, spoil) in spoils {
        let rig = granted();
        let back = handed_back(&rig, RENEW);
        let refused = complete(&rig, spoil(back.clone())).exits(code.into());
        said.push_str(&format!("{what}\n{}", refused.err));
        complete(&rig, back.as_str()).exits(0);
        assert_eq!(rig.provider.asked("/oauth/token"), 2);
    }
    insta::assert_snapshot!(said);
}

#[test]
fn whatever_stands_around_the_answer_it_is_found() {
    let rig = Rig::new();
    rig.grant(LICENSE).exits(0);
    let quoted = |url: &str| url.replace('=', "=3D").replace("&state", "=\n&state");
    let filtered = |url: &str| {
        let escaped: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
        format!("https://eur01.safelinks.protection.outlook.com/?url={escaped}&data=05%7C02&reserved=0")
    };
    let texts: [&dyn Fn(&str) -> String; 7] = [
        &|url| format!("{url}.\n"),
        &|url| format!("Hi,\n\nmy browser says ({url}).\n\nSent from my iPhone\n"),
        &|url| format!("<p>See <a href=\"{}\">this</a></p>", url.replace('&', "&amp;")),
        &|url| format!("[what it shows]({url})"),
        &quoted,
        &filtered,
        &|url| format!("Ann wrote:\n> {}\n> {}\n> \n> Ann\n", &url[..50], &url[50..]),
    ];
    for text in texts {
        let back = handed_back(&rig, RENEW);
        complete(&rig, text(&back)).exits(0);
    }
    // The link that was sent, in the mail that quotes it, isn't the answer.
    let link = rig.run(RENEW).exits(0).raw();
    snapshot!("the_link_that_was_sent", complete(&rig, format!("You wrote:\n> {link}\nIt doesn't work!")));
    let back = rig.provider.consents(link.trim_end(), None);
    complete(&rig, format!("You wrote:\n> {link}\n\n{back}\n\nAnn")).exits(0);
}

#[test]
fn a_refusal_is_a_result_in_json() {
    let rig = granted();
    let link = rig.run(RENEW).exits(0).raw();
    let back = rig.provider.denies(link.trim_end());
    snapshot!(rig.with(Person::piping(back)).run("complete - --json").fits("results"));
}

#[test]
fn another_admins_grant_is_held_here_too() {
    let rig = granted();
    let link = rig.run(RENEW).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), Some("boss@example.com"));
    snapshot!(rig.with(Person::piping(back)).run("complete - --json").fits("results"));
    rig.run(&format!("renew {LICENSE} --awaiting --yes")).exits(0);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

#[test]
fn a_person_who_pasted_it_is_asked_about_another_admin() {
    let rig = granted();
    let link = rig.run(RENEW).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), Some("boss@example.com"));
    let person = Person::answering(&[("Accept this grant?", "y")]);
    let words = ["complete", back.as_str()];
    snapshot!(rig.with(person).run_words(&words));
}

#[test]
fn a_wrong_grant_is_refused_here_too() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"location": "101-X0007-D2"}))]);
    snapshot!(complete(&rig, back.as_str()));
    assert!(rig.provider.living().is_empty());
}

#[test]
fn a_lost_answer_is_uncertain() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    rig.provider.replies("/oauth/token", [Reply::Lost]);
    snapshot!(complete(&rig, back.as_str()));
    snapshot!(complete(&rig, back.as_str()));
    assert_eq!(rig.provider.asked("/oauth/token"), 1);
}

#[test]
fn while_the_provider_is_away_the_answer_is_not_used_up() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    rig.provider.is_away(true);
    snapshot!(complete(&rig, back.as_str()));
    rig.provider.is_away(false);
    complete(&rig, back.as_str()).exits(0);
}

#[test]
fn a_code_of_which_no_byte_left_is_sent_by_the_same_paste() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    rig.provider.replies("/oauth/token", vec![Reply::Unreachable; 3]);
    snapshot!(complete(&rig, back.as_str()));
    snapshot!(complete(&rig, back.as_str()));
    assert_eq!(rig.provider.living().len(), 1);
}

#[test]
fn a_locked_keyring_is_told_and_the_answer_is_not_used_up() {
    let rig = Rig::with_keyring();
    let back = handed_back(&rig, REGISTER);
    rig.keyring.locks(true);
    snapshot!(complete(&rig, back.as_str()));
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
    rig.keyring.locks(false);
    complete(&rig, back.as_str()).exits(0);
    assert_eq!(rig.keyring.accounts().len(), 1);
}

#[test]
fn a_process_that_waits_keeps_its_question() {
    let rig = Rig::new();
    rig.visits([Visit::Leaves]);
    rig.run_while(&crate::rig::register(LICENSE), |running| {
        running.says("Opening it in a browser");
        let back = rig.provider.consents(&rig.opened()[0], None);
        snapshot!("a_process_that_waits_keeps_its_question", complete(&rig, back.as_str()));
        crate::rig::get(&back);
    })
    .exits(0);
}

#[test]
fn ctrl_c_lets_the_exchange_be_finished() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    let gate = rig.provider.stops("/oauth/token");
    let done = rig.with(Person::piping(back)).run_while("complete -", |running| {
        gate.is_reached();
        running.hand.interrupts();
        running.says("Finishing the current step");
        gate.opens();
    });
    snapshot!(done);
    assert_eq!(rig.provider.living().len(), 1);
}

#[test]
fn a_second_ctrl_c_ends_it_and_what_becomes_of_the_grant_is_uncertain() {
    let rig = Rig::new();
    let back = handed_back(&rig, REGISTER);
    let gate = rig.provider.stops("/oauth/token");
    let done = rig.with(Person::piping(back.as_str())).run_while("complete -", |running| {
        gate.is_reached();
        running.hand.interrupts();
        running.says("Finishing the current step");
        running.hand.interrupts();
    });
    snapshot!(done);
    snapshot!("the_card_after_a_second_ctrl_c", rig.run(&format!("status {LICENSE}")));
    snapshot!(complete(&rig, back.as_str()));
}
