//! A real terminal: what is pasted is read whole and never reaches the shell, and every way out of a question leaves the terminal
//! as it was.

use crate::support::Rig;
use crate::support::screen::Screen;
use std::io::Write;
use std::path::Path;

const LICENSE: &str = "101-X0007-D1";

fn shell(home: &Path) -> Screen {
    let screen = Screen::new(home, 200, &["bash", "--norc", "--noprofile", "-i"]);
    prompted(screen)
}

/// A shell that doesn't see to the terminal itself.
fn plain_shell(home: &Path) -> Screen {
    prompted(Screen::new(home, 120, &["sh"]))
}

fn prompted(screen: Screen) -> Screen {
    screen.types("PS1='$ '; clear").key("Enter");
    screen
}

fn first(more: &str) -> String {
    format!("register --ubi 604001 --license {LICENSE} --username ann@example.com {more}")
}

/// A mail of 20 KB, whose address is broken in two, with a line that a shell would run, and keys that would quit.
fn mail(address: &str, touched: &Path) -> String {
    let (one, two) = address.split_at(address.len() / 2);
    let chat = "quite a long line of a mail that quotes what was said before, q s n r\n".repeat(140);
    let touch = format!("touch {}\n", touched.display());
    format!("q\n{touch}{chat}> {one}\n> {two}\n\n{touch}q\n{chat}{touch}")
}

fn is_active(rig: &Rig) -> bool {
    rig.status()["authorizations"][0]["state"] == "active"
}

#[test]
fn a_whole_mail_is_pasted_at_complete_and_nothing_of_it_reaches_the_shell() {
    for marked in [true, false] {
        let rig = Rig::new();
        let link = rig.hands_out(
            &shlex::split(&first("--no-wait")).unwrap().iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let back = rig.goes_to(&link, &[]);
        let (screen, touched) = (shell(rig.home()), rig.home().join("touched"));
        screen.types("biotrack-auth complete -").key("Enter");
        screen.shows("Paste the address");
        screen.pastes(&mail(&back, &touched), marked);
        if !marked {
            screen.shows("Press Enter when you have pasted everything.");
        }
        screen.key("Enter");
        screen.shows("Created At");
        screen.types("echo do''ne").key("Enter");
        screen.shows("done");
        assert!(is_active(&rig) && !touched.exists(), "{}", screen.whole());
        assert!(!screen.whole().contains("not found"), "{}", screen.whole());
    }
}

#[test]
fn a_whole_mail_is_pasted_at_a_waiting_prompt_and_is_no_keys() {
    for marked in [true, false] {
        let rig = Rig::new();
        let (screen, touched) = (shell(rig.home()), rig.home().join("touched"));
        screen.types(&format!("clear; biotrack-auth {}", first("--no-browser"))).key("Enter");
        screen.shows("paste the address");
        let seen = screen.whole();
        let address = seen.split_whitespace().find(|word| word.contains("redirect_uri")).unwrap().to_owned();
        let back = rig.goes_to(&address, &[]);
        screen.pastes(&mail(&back, &touched), marked);
        if marked {
            screen.key("Enter");
        }
        screen.shows("Created At");
        screen.types("echo do''ne").key("Enter");
        screen.shows("done");
        assert!(is_active(&rig) && !touched.exists(), "{}", screen.whole());
    }
}

#[test]
fn a_paste_that_is_too_long_is_refused_and_nothing_of_it_reaches_the_shell() {
    let rig = Rig::new();
    let (screen, touched) = (shell(rig.home()), rig.home().join("touched"));
    screen.types("biotrack-auth complete -").key("Enter");
    screen.shows("Paste the address");
    let lines = format!("touch {}\n", touched.display());
    screen.pastes(&lines.repeat(300 * 1024 / lines.len()), true);
    screen.key("Enter");
    screen.shows("is too long: paste only the address");
    screen.types("echo do''ne").key("Enter");
    screen.shows("done");
    assert!(!touched.exists());
}

/// A shell in which a question for a secret stands.
fn asked_for_a_secret(rig: &Rig) -> Screen {
    let profile =
        "[profiles.other]\npreset = \"generic\"\nissuer = \"http://127.0.0.1:2\"\nclient_id = \"c\"\n";
    let config = rig.home().join("config.toml");
    std::fs::OpenOptions::new().append(true).open(config).unwrap().write_all(profile.as_bytes()).unwrap();
    let screen = plain_shell(rig.home());
    screen.types("biotrack-auth --profile other config set-secret; echo en''ded $?").key("Enter");
    screen.shows("Client secret of other:");
    screen.hides();
    screen
}

#[test]
fn every_way_out_of_a_question_for_a_secret_brings_the_echo_back() {
    for (way, code) in [("C-c", "130"), ("C-\\", "131"), ("TERM", "130"), ("HUP", "130")] {
        let rig = Rig::new();
        let screen = asked_for_a_secret(&rig);
        screen.types("hidden");
        match way {
            "TERM" | "HUP" => screen.ends_programs(way),
            key => drop(screen.key(key)),
        }
        screen.shows(&format!("ended {code}"));
        screen.echoes();
        screen.types("echo sh''own").key("Enter");
        screen.shows("shown");
        assert!(!screen.whole().contains("hidden"), "{way}: {}", screen.whole());
    }
}

#[test]
fn a_question_for_a_secret_is_asked_anew_after_ctrl_z_and_what_is_typed_ahead_is_not_taken() {
    let rig = Rig::new();
    let screen = asked_for_a_secret(&rig);
    screen.types("for").key("C-z");
    screen.echoes();
    screen.types("clear; fg").key("Enter");
    screen.shows("Client secret of other:");
    screen.hides();
    screen.types("right").key("Enter");
    screen.shows("is in the vault");
    screen.echoes();
    assert!(!screen.whole().contains("right"), "{}", screen.whole());
}

#[test]
fn keys_that_are_waited_for_leave_the_terminal_as_it_was_after_ctrl_z_and_quit() {
    let rig = Rig::new();
    let screen = Screen::new(rig.home(), 200, &["sh"]);
    screen.types("PS1='$ '; clear").key("Enter");
    screen.types(&format!("biotrack-auth {}", first("--no-browser"))).key("Enter");
    screen.shows("paste the address");
    screen.hides();
    screen.key("C-z");
    screen.echoes();
    screen.types("fg").key("Enter");
    screen.hides();
    screen.key("C-\\");
    screen.echoes();
}

#[test]
fn a_list_that_is_left_leaves_the_cursor_and_the_echo() {
    for way in ["C-c", "C-\\", "TERM"] {
        let rig = Rig::unconfigured(&[]);
        let screen = Screen::new(rig.home(), 120, &["sh"]);
        screen.types("PS1='$ '; clear; biotrack-auth config init --vault sealed; echo en''ded").key("Enter");
        screen.shows("Start from");
        screen.hides();
        assert!(!screen.has_cursor());
        match way {
            "TERM" => screen.ends_programs("TERM"),
            key => drop(screen.key(key)),
        }
        screen.shows("ended");
        screen.echoes();
        assert!(screen.has_cursor(), "{way}");
    }
}

#[test]
fn a_secret_that_is_typed_ahead_of_its_question_is_never_shown() {
    let rig = Rig::new();
    let screen = plain_shell(rig.home());
    screen.types("biotrack-auth --profile other config init --preset ny; echo en''ded $?").key("Enter");
    screen.shows("Base address");
    screen.pastes("https://biotrack.example\nclient\nTreez Inc\nTreez\nlater\nhush\n", false);
    let seen = screen.shows("Client secret (leave empty to set it later):");
    assert!(seen.contains("Application (the page's Application): Treez\n"), "{seen}");
    screen.hides();
    screen.key("C-c");
    screen.shows("ended 130");
    screen.echoes();
    assert!(!screen.whole().contains("hush"), "{}", screen.whole());
}

#[test]
fn a_line_can_be_taken_back_and_is_asked_for_anew_after_ctrl_z() {
    let rig = Rig::new();
    let screen = plain_shell(rig.home());
    screen.types("biotrack-auth --profile other config init --preset ny").key("Enter");
    screen.shows("Base address (https://…):");
    screen.types("left").key("C-z");
    screen.echoes();
    screen.types("clear; fg").key("Enter");
    screen.shows("Base address (https://…):");
    screen.hides();
    screen.types("https://biotrack.example").key("Enter");
    screen.shows("Client id:");
    screen.types("one twö").key("C-w").types("fours").key("BSpace").key("Left").key("Enter");
    screen.shows("Client id: one four");
    screen.shows("company");
    screen.key("C-d");
    screen.shows("error: interrupted");
    screen.echoes();
}
