//! Job control at a real terminal, by a real shell: in the background the terminal isn't touched, in the foreground keys are
//! heard, a browser is a person's own, and a process that was stopped looks for the answer that waits.

use crate::support::asked::Asked;
use crate::support::proxy::Proxy;
use crate::support::screen::Screen;
use crate::support::{Rig, admin, outside, register};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const FIRST: &str = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com";

/// A shell that doesn't see to the terminal's modes itself.
fn shell(rig: &Rig) -> Screen {
    let screen = Screen::new(rig.home(), 200, &["sh"]);
    screen.types("PS1='$ '; clear").key("Enter");
    screen
}

fn script(rig: &Rig, text: &str) -> PathBuf {
    let path = rig.elsewhere("script");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The address that the screen shows.
fn address(screen: &Screen) -> String {
    screen.shows("redirect_uri");
    let seen = screen.whole();
    seen.split_whitespace().find(|word| word.contains("redirect_uri")).unwrap().to_owned()
}

/// An admin grants access in a browser that comes back by itself.
fn grants(address: &str) {
    assert!(Command::new(admin()).arg(address).output().unwrap().status.success());
}

#[test]
fn a_browser_that_we_started_outlives_ctrl_c_and_the_terminal() {
    for hangs_up in [false, true] {
        let rig = Rig::new();
        let told = rig.elsewhere("browser");
        let told = told.display();
        let browser = script(&rig, &format!("echo $$ > {told}.new; mv {told}.new {told}; exec sleep 600"));
        let screen = shell(&rig);
        let command = format!("biotrack-auth {FIRST} --browser {}", browser.display());
        screen.types(&format!("{command}; echo en''ded $?")).key("Enter");
        screen.shows("paste the address from its address bar here");
        until("the browser runs", || rig.elsewhere("browser").exists());
        let id = fs::read_to_string(rig.elsewhere("browser")).unwrap().trim().to_owned();
        match hangs_up {
            false => drop(screen.key("C-c").shows("ended 130")),
            true => drop(screen),
        }
        // Of the two, the program alone still has the script among its arguments.
        let ours = browser.display().to_string();
        until("the program ends", || !outside("pgrep").args(["-f", &ours]).status().unwrap().success());
        let name = fs::read_to_string(Path::new("/proc").join(&id).join("comm")).unwrap_or_default();
        assert_eq!(name.trim(), "sleep", "hung up: {hangs_up}");
        assert!(outside("kill").arg(&id).status().unwrap().success());
    }
}

#[test]
fn in_the_background_of_a_script_the_address_is_shown_and_timeout_can_end_it() {
    let rig = Rig::new();
    let screen = shell(&rig);
    let path = script(&rig, &format!("timeout 600 biotrack-auth {FIRST} --no-browser\necho said $?"));
    screen.types(path.to_str().unwrap()).key("Enter");
    screen.shows("redirect_uri");
    screen.echoes();
    screen.ends("timeout", "TERM");
    screen.shows("said 130");
    screen.echoes();
}

#[test]
fn a_question_in_the_background_is_an_error_and_no_stop() {
    let rig = Rig::new();
    let screen = shell(&rig);
    let path = script(&rig, "timeout 600 biotrack-auth config init\necho said $?");
    screen.types(path.to_str().unwrap()).key("Enter");
    screen.shows("said 2");
    let seen = screen.whole();
    assert!(
        seen.contains("in the background of its terminal") && seen.contains("timeout --foreground"),
        "{seen}"
    );
}

#[test]
fn a_command_begun_in_the_background_hears_keys_once_it_is_in_the_foreground() {
    let rig = Rig::new();
    let screen = shell(&rig);
    screen.types(&format!("biotrack-auth {FIRST} --no-browser &")).key("Enter");
    let address = address(&screen);
    screen.echoes();
    let back = rig.goes_to(&address, &[]);
    screen.types("fg").key("Enter");
    screen.hides();
    screen.pastes(&format!("{back}\n"), false);
    screen.shows("Created At");
    screen.echoes();
}

#[test]
fn after_ctrl_z_and_bg_a_command_goes_on_to_its_end() {
    let rig = Rig::new();
    let screen = shell(&rig);
    screen.types(&format!("biotrack-auth {FIRST} --no-browser")).key("Enter");
    let address = address(&screen);
    screen.hides();
    screen.key("C-z");
    screen.echoes();
    screen.types("bg").key("Enter");
    grants(&address);
    screen.shows("Created At");
    screen.types("wait; echo sh''own").key("Enter");
    screen.shows("shown");
    screen.echoes();
}

#[test]
fn after_ctrl_z_and_fg_a_key_needs_no_enter() {
    let rig = Rig::new();
    for license in ["L-1", "L-2"] {
        rig.register(license).exits(0);
    }
    let screen = shell(&rig);
    screen.types("biotrack-auth renew --all --no-browser").key("Enter");
    screen.shows("n next");
    screen.hides();
    screen.key("C-z");
    screen.echoes();
    screen.types("clear; fg").key("Enter");
    screen.hides();
    screen.types("q");
    screen.shows("renew --resume");
    screen.echoes();
}

/// Whether something that was sent to a port of this machine waits to be read.
fn waits_at(port: u16) -> bool {
    let local = format!("0100007F:{port:04X}");
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|words| {
        // Established, with bytes in its queue: to be sent, and to be read.
        words.get(1) == Some(&local.as_str())
            && words.get(3) == Some(&"01")
            && words
                .get(4)
                .and_then(|queues| queues.split_once(':'))
                .is_some_and(|(_, read)| read != "00000000")
    })
}

#[test]
fn an_answer_that_waits_for_a_process_stopped_beyond_its_time_is_taken() {
    const TIMEOUT: Duration = Duration::from_secs(5);
    let rig = Rig::new();
    let asked = Asked::start(&rig, &register("L-1", &["--no-browser", "--timeout", "5s"]));
    let (began, id) = (Instant::now(), asked.id().to_string());
    assert!(outside("kill").args(["-STOP", &id]).status().unwrap().success());
    let mut admin = Command::new(admin()).arg(&asked.address).spawn().unwrap();
    until("the answer waits", || waits_at(asked.port()));
    until("its time is over", || began.elapsed() > TIMEOUT + Duration::from_secs(1));
    assert!(outside("kill").args(["-CONT", &id]).status().unwrap().success());
    asked.ended().exits(0);
    assert!(admin.wait().unwrap().success());
    assert_eq!(rig.only()["state"], "active");
}

/// The code has left when the process is stopped, and its grant waits in a socket: beyond the time that an admin has, and beyond
/// what the provider has to answer in.
#[test]
fn a_grant_that_waits_for_a_process_stopped_in_the_midst_of_the_exchange_is_stored() {
    const TIMEOUT: Duration = Duration::from_secs(5);
    let rig = Rig::new();
    rig.adds_to_profile("timeout = \"5s\"");
    let proxy = Proxy::of(&rig);
    let asked = Asked::start(&rig, &register("L-1", &["--no-browser", "--timeout", "5s"]));
    let id = asked.id().to_string();
    let mut admin = Command::new(admin()).arg(&asked.address).spawn().unwrap();
    proxy.seen.recv().unwrap();
    assert!(outside("kill").args(["-STOP", &id]).status().unwrap().success());
    let began = Instant::now();
    proxy.go.send(()).unwrap();
    until("its time is over", || began.elapsed() > TIMEOUT + Duration::from_secs(1));
    assert!(outside("kill").args(["-CONT", &id]).status().unwrap().success());
    asked.ended().exits(0);
    assert!(admin.wait().unwrap().success());
    assert_eq!(rig.only()["state"], "active");
    assert_eq!(rig.counted("token_issued"), 1);
}

#[test]
fn a_process_stopped_beyond_its_time_without_an_answer_says_so() {
    let rig = Rig::new();
    let asked = Asked::start(&rig, &register("L-1", &["--no-browser", "--timeout", "2s"]));
    let (began, id) = (Instant::now(), asked.id().to_string());
    assert!(outside("kill").args(["-STOP", &id]).status().unwrap().success());
    until("its time is over", || began.elapsed() > Duration::from_secs(3));
    assert!(outside("kill").args(["-CONT", &id]).status().unwrap().success());
    asked.ended().exits(5).says("nobody granted access");
}
