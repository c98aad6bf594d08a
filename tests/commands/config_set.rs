//! `config set`: one setting is changed, everything else of the file stays to the byte, and nothing wrong is ever written.

use crate::rig::Rig;
use crate::snapshot;

const FILE: &str = "\
# Of this host.
default_profile = \"local-sandbox\"   # the only one
vault = \"sealed\"

[sealed]
recipients = [\"RECIPIENT\"]

[profiles.local-sandbox]
preset = \"local-sandbox\"
url = \"http://127.0.0.1:2\" # of the sandbox
due_window = \"14d\"   # two weeks

#timeout = \"20s\"  # to be looked at

[profiles.second] # another one
preset = \"local-sandbox\"
url = \"http://127.0.0.1:2\"
";

fn rig() -> Rig {
    let rig = Rig::new();
    rig.write("config.toml", &FILE.replace("RECIPIENT", &rig.recipient()));
    rig
}

fn file(rig: &Rig) -> String {
    std::fs::read_to_string(rig.file("config.toml")).unwrap().replace(&rig.recipient(), "RECIPIENT")
}

/// The lines that are there and weren't, with a sign.
fn changed(rig: &Rig) -> String {
    let (before, after) = (FILE, file(rig));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(&after));
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}\n"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}\n"));
    gone.chain(new).collect()
}

#[test]
fn a_value_takes_the_place_of_the_one_before_and_nothing_else_changes() {
    let rig = rig();
    snapshot!("another_value", rig.run("config set profiles.local-sandbox.due_window 21d"));
    assert_eq!(changed(&rig), "- due_window = \"14d\"   # two weeks\n+ due_window = \"21d\"   # two weeks\n");
    assert_eq!(file(&rig).lines().count(), FILE.lines().count());
    rig.run("config check").exits(0);
    let before = rig.file("config.toml").metadata().unwrap().modified().unwrap();
    snapshot!("the_same_value", rig.run("config set profiles.local-sandbox.due_window 21d"));
    assert_eq!(rig.file("config.toml").metadata().unwrap().modified().unwrap(), before, "not written");
}

#[test]
fn what_was_not_there_is_added_where_it_belongs() {
    let rig = rig();
    let lines = [
        "config set timeout 30s --profile second",
        "config set redirect.port 8400 --profile local-sandbox",
        "config set hooks.days 30,14,7",
        "config set hooks.digest true",
        "config set profiles.local-sandbox.scopes '[\"a b\", \"c\"]'",
        "config set hooks.due 'notify-send \"BioTrack grants\"'",
    ];
    for line in lines {
        rig.run(line).exits(0);
    }
    insta::assert_snapshot!("added", file(&rig));
    rig.run("config check").exits(0);
    assert_eq!(rig.profile().redirect.port, Some(8400));
}

#[test]
fn as_json_it_tells_both_values() {
    let rig = rig();
    snapshot!("set_as_json", rig.run("config set hooks.days 30 --json").fits("config-set"));
    let text = rig.run("config set profiles.local-sandbox.due_window 14d --json").fits("config-set").json();
    assert_eq!((text["before"].as_str(), text["changed"].as_bool()), (Some("14d"), Some(false)));
}

#[test]
fn what_cannot_be_right_is_refused_with_what_was_meant_and_never_written() {
    let rig = rig();
    let lines = [
        // Keys that there aren't.
        "config set profiles.local-sandbox.due_windw 21d",
        "config set due_windw 21d --profile second",
        "config set hooks.dyas 3",
        "config set redirect.prot 8400 --profile second",
        "config set due_window 21d",
        "config set profiles.local-sandbox.hooks.days 3",
        "config set hooks.days 3 --profile second",
        "config set nothing-of-the-kind x",
        "config set profiles.local-sandbox x",
        "config set '' x",
        // Profiles that there aren't.
        "config set profiles.third.due_window 21d",
        "config set due_window 21d --profile third",
        "config set profiles.second.due_window 21d --profile local-sandbox",
        "config set default_profile third",
        // Values that can't be.
        "config set profiles.second.due_window soon",
        "config set profiles.second.url http://elsewhere.example",
        "config set profiles.second.redirect.port high",
        "config set profiles.second.redirect.port 70000",
        "config set profiles.second.introspect perhaps",
        "config set profiles.second.ca_file nowhere.pem",
        "config set hooks.days 0",
        "config set hooks.days ''",
        "config set profiles.second.preset mars",
        // What has a command of its own, and secrets.
        "config set vault keyring",
        "config set ledger postgres://ann@db.example/ledger",
        "config set sealed.recipients age1x",
        "config set profiles.second.client_secret hunter2",
        "config set profiles.second.company AGE-SECRET-KEY-1ABC",
        "config set password hunter2",
        "config set due_window",
        "config set",
    ];
    let mut told = String::new();
    for line in lines {
        let done = rig.run(line).exits(2);
        assert!(!done.err.contains("hunter2") && !done.err.contains("AGE-SECRET-KEY-1ABC"), "{}", done.err);
        told += &format!("> {line}\n{}", done.err);
        assert_eq!(file(&rig), FILE, "{line}");
    }
    insta::assert_snapshot!("what_is_refused", told);
}

/// A program of Windows takes a quote that nothing closes as one that its line's end closes.
#[cfg(unix)]
#[test]
fn a_hook_whose_quote_nothing_closes_is_refused() {
    let rig = rig();
    snapshot!(rig.run("config set hooks.due \"sh -c 'x\""));
    assert_eq!(file(&rig), FILE);
}

#[test]
fn a_file_that_is_wrong_is_put_right_setting_by_setting() {
    let rig = rig();
    let wrong =
        file(&rig).replace("\"14d\"", "\"soon\"").replace("url = \"http://127.0.0.1:2\"\n", "url = 7\n");
    rig.write("config.toml", &wrong.replace("RECIPIENT", &rig.recipient()));
    rig.run("status").exits(2);
    snapshot!("one_put_right", rig.run("config set profiles.local-sandbox.due_window 14d"));
    rig.run("config set url http://127.0.0.1:2 --profile second").exits(0);
    rig.run("config check").exits(0);
    rig.write("config.toml", "this isn't [TOML");
    rig.run("config set hooks.days 3").exits(2);
    assert_eq!(std::fs::read_to_string(rig.file("config.toml")).unwrap(), "this isn't [TOML");
}

#[test]
fn without_a_file_it_says_how_to_make_one() {
    snapshot!(Rig::bare().run("config set hooks.days 3"));
}

/// Another terminal changes a setting at each step of a move between vaults: both are in the file afterwards.
#[test]
fn in_a_file_a_setting_and_a_move_of_the_vault_do_not_write_over_each_other() {
    for step in 0.. {
        let rig = Rig::new();
        rig.grant("L-1");
        let other = Rig::of(rig.world().clone());
        let set = || drop(other.run("config set profiles.local-sandbox.due_window 21d").exits(0));
        let Some(code) = rig.stopped_at("config vault keyring", step, set) else {
            assert!(step > 2, "a move has more steps than {step}");
            break;
        };
        assert_eq!(code, 0, "step {step}");
        let text = std::fs::read_to_string(rig.file("config.toml")).unwrap();
        assert!(
            text.contains("vault = \"keyring\"") && text.contains("due_window = \"21d\""),
            "step {step}: {text}"
        );
        rig.run("token L-1").exits(0);
    }
}
