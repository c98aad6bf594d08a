//! Completion in the shells themselves: typed at a terminal, with the scripts that are shipped.

use crate::support::Rig;
use crate::support::screen::Screen;
use crate::support::seed::{named, store};
use biotrack_auth::model::authorization::Authorization;
use std::time::{Duration, Instant};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/completions");

fn rig() -> Rig {
    let rig = Rig::new();
    let tagged = Authorization {
        tags: vec!["downstate".parse().unwrap()],
        ..named("101-X0007-D1", "Hudson St", "2036-03-12T12:00:00Z")
    };
    let given_up = Authorization {
        deactivated_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        ..store("999-GONE", "2026-03-11T12:00:00Z")
    };
    rig.seed(&[tagged, given_up, store("999-$(reboot)", "2036-03-11T12:00:00Z")]);
    rig
}

/// What a person sees: a license, a tag and a profile are finished for them.
fn finishes_names(screen: &Screen) {
    screen.types("biotrack-auth renew 101").key("Tab").shows("renew 101-X0007-D1");
    screen.key("C-u").types("biotrack-auth renew 999").key("Tab").key("C-u");
    screen.types("biotrack-auth status --tag down").key("Tab").shows("--tag downstate");
    screen.key("C-u").types("biotrack-auth status --profile loc").key("Tab").shows("--profile local-sandbox");
    screen.key("C-u").types("biotrack-auth stat").key("Tab").shows("biotrack-auth status");
    let seen = screen.key("C-u").types("biotrack-auth config set-s").key("Tab").shows("config set-secret");
    assert!(!seen.contains("reboot") && !seen.contains("999-GONE"), "{seen}");
}

#[test]
fn bash_finishes_names() {
    let rig = rig();
    let screen = Screen::new(rig.home(), 100, &["bash", "--norc", "--noprofile", "-i"]);
    screen
        .types(&format!("PS1='> '; . {SCRIPTS}/biotrack-auth.bash; echo read''y"))
        .key("Enter")
        .shows("ready");
    finishes_names(&screen);
}

#[test]
fn zsh_finishes_names_with_the_file_in_its_fpath() {
    let rig = rig();
    let screen = Screen::new(rig.home(), 100, &["zsh", "-f", "-i"]);
    let prepare =
        format!("PS1='> '; fpath=({SCRIPTS} $fpath); autoload -U compinit; compinit -u; echo read''y");
    screen.types(&prepare).key("Enter").shows("ready");
    finishes_names(&screen);
}

#[test]
fn fish_finishes_names() {
    let rig = rig();
    let screen = Screen::new(rig.home(), 100, &["fish", "--no-config", "--interactive"]);
    screen.types(&format!("source {SCRIPTS}/biotrack-auth.fish; echo read''y")).key("Enter").shows("ready");
    finishes_names(&screen);
}

fn asked(rig: &Rig, words: &[&str]) -> crate::support::Run {
    let mut arguments = vec!["--"];
    arguments.extend(words);
    let mut command = rig.command(&arguments);
    command.env("BIOTRACK_AUTH_COMPLETE", "bash");
    command.env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
    crate::support::Run::of(command.output().unwrap())
}

#[test]
fn names_follow_the_profile_and_the_state() {
    let rig = rig();
    let offered = |words: &[&str]| asked(&rig, words).exits(0).says_nothing().out;
    assert_eq!(offered(&["biotrack-auth", "renew", "9"]), "");
    assert_eq!(offered(&["biotrack-auth", "status", "9"]), "999-GONE");
    assert_eq!(offered(&["biotrack-auth", "renew", "604001/"]), "604001/101-X0007-D1");
    assert_eq!(offered(&["biotrack-auth", "--profile", "nobody", "renew", "1"]), "");
    assert_eq!(offered(&["biotrack-auth", "renew", "101-X0007-D1", "--userna"]), "--username");
}

#[test]
fn it_is_silent_whatever_is_wrong() {
    let rig = rig();
    let nothing = |words: &[&str]| asked(&rig, words).exits(0).says_nothing().answers_nothing();
    rig.spoil_the_ledger();
    nothing(&["biotrack-auth", "renew", "1"]);
    std::fs::write(rig.file("config.toml"), "this is = = wrong").unwrap();
    nothing(&["biotrack-auth", "renew", "1"]);
    nothing(&["biotrack-auth", "--profile", "l"]);
    std::fs::remove_file(rig.file("config.toml")).unwrap();
    nothing(&["biotrack-auth", "renew", "1"]);
}

#[test]
fn a_thousand_names_come_at_once() {
    let rig = Rig::new();
    let stores: Vec<_> =
        (0..1000).map(|number| store(&format!("101-X{number:04}-D1"), "2036-03-12T12:00:00Z")).collect();
    rig.seed(&stores);
    let began = Instant::now();
    let offered = asked(&rig, &["biotrack-auth", "renew", "101-X00"]).exits(0).out;
    let took = began.elapsed();
    assert_eq!(offered.split(['\n', '\u{b}']).count(), 100);
    assert!(took < Duration::from_secs(1), "{took:?}, where a person is typing");
}
