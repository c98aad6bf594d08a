//! Nobody waits for whoever reads the talk: a log pipe that is full, a terminal at which Ctrl-S was pressed, a reader of events that
//! stalls, a hook that hangs. Exchange, store and the browser's answer come first, and TERM ends each command.

use crate::hostile::granted;
use crate::support::crowd::{Crowd, Will};
use crate::support::screen::Screen;
use crate::support::seed::store;
use crate::support::{Rig, outside, past_the_proxy, register, send};
use std::fs::{self, OpenOptions};
use std::io::{PipeReader, Read, Write, pipe};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

pub const PUBLIC: &str = "redirect.public_url = \"https://auth.example.com/callback\"";

/// What a pipe of Linux holds.
const ROOM: u64 = 64 * 1024;

/// Fills a pipe that nobody reads, and keeps it full.
pub fn fill(reader: &PipeReader, mut writer: impl Write + Send + 'static) {
    std::thread::spawn(move || while writer.write_all(&[b'x'; 4096]).is_ok() {});
    while rustix::io::ioctl_fionread(reader).unwrap() < ROOM {
        std::thread::yield_now();
    }
}

/// A listener whose log is a pipe that nobody reads any more.
pub struct Unread {
    pub listen: Child,
    port: u16,
    _log: PipeReader,
}

impl Unread {
    /// Begun by this command, with `--port 0` in it.
    pub fn of(mut command: std::process::Command) -> Self {
        let (mut log, writer) = pipe().unwrap();
        command.stderr(writer).stdout(Stdio::null());
        let listen = command.spawn().unwrap();
        // So that the pipe has an end where the listener has one.
        drop(command);
        // No further than the line's end: what comes behind it is nobody's.
        let mut line = String::new();
        while !line.starts_with("Listening on ") {
            let (mut bytes, mut byte) = (Vec::new(), [0]);
            while byte != *b"\n" {
                log.read_exact(&mut byte).unwrap();
                bytes.extend(byte);
            }
            line = String::from_utf8(bytes).unwrap();
        }
        let address = line.split_whitespace().nth(2).unwrap_or_else(|| panic!("{line}"));
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        let writer = OpenOptions::new().write(true).open(format!("/proc/{}/fd/2", listen.id())).unwrap();
        fill(&log, writer);
        Self { listen, port, _log: log }
    }

    /// What curl gets there past its proxy: the status and the page; 0 where nothing came within this time.
    pub fn asks(&self, target: &str, seconds: u32) -> (u16, String) {
        self.asks_for("127.0.0.1", target, seconds)
    }

    /// The same for a browser elsewhere, whose address the proxy names.
    pub fn asks_for(&self, browser: &str, target: &str, seconds: u32) -> (u16, String) {
        let (limit, named) = (seconds.to_string(), format!("X-Forwarded-For: {browser}"));
        past_the_proxy(self.port, target, &["-m", &limit, "-H", &named])
    }

    /// It ends at TERM, as it should.
    #[track_caller]
    pub fn ends(mut self) {
        send("TERM", &self.listen);
        let ended = self.listen.wait().unwrap();
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.listen.kill();
        let _ = self.listen.wait();
    }
}

/// Where the admin's browser is sent on to, below the proxy's address.
pub fn target(link: &str) -> String {
    let back = granted(link.trim_end());
    format!("{}?{}", back.path(), back.query().unwrap())
}

fn link(rig: &Rig, license: &str) -> String {
    target(&rig.run(&register(license, &["--no-wait", "-q"])).exits(0).out)
}

fn are_active(rig: &Rig) -> bool {
    let status = rig.status();
    status["authorizations"].as_array().unwrap().iter().all(|it| it["state"] == "active")
}

/// A hook that notes its process, and hangs; the file of the note.
fn hanging(rig: &Rig, occasion: &str) -> PathBuf {
    let (script, note) = (rig.file("hang"), rig.file("hanging"));
    fs::write(&script, "#!/bin/sh\necho $$ >\"$0ing.new\"; mv \"$0ing.new\" \"$0ing\"; exec sleep 86000\n")
        .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    rig.adds_to_profile(&format!("[hooks]\n{occasion} = \"{}\"", script.display()));
    note
}

fn is_there(note: &PathBuf) -> bool {
    PathBuf::from(format!("/proc/{}", fs::read_to_string(note).unwrap().trim())).exists()
}

#[test]
fn a_listener_whose_log_is_full_answers_each_admin_and_a_monitor_and_ends() {
    let rig = Rig::new();
    rig.adds_to_profile(PUBLIC);
    let server = Unread::of(rig.command(&["listen", "--port", "0", "-vv"]));
    for license in ["L-1", "L-2", "L-3"] {
        let (status, page) = server.asks(&link(&rig, license), 60);
        assert!(status == 200 && page.contains("Access granted"), "{license}: {status} {page}");
        assert_eq!(server.asks("/healthz", 60).0, 200);
    }
    server.ends();
    assert!(are_active(&rig) && rig.counted("token_issued") == 3);
}

#[test]
fn a_hook_that_hangs_holds_up_no_admin_no_monitor_and_no_end_and_is_run_by_the_next() {
    let rig = Rig::new();
    rig.adds_to_profile(PUBLIC);
    let note = hanging(&rig, "granted");
    let server = Unread::of(rig.command(&["listen", "--port", "0"]));
    for license in ["L-1", "L-2"] {
        let (status, page) = server.asks(&link(&rig, license), 60);
        assert!(status == 200 && page.contains("Access granted"), "{license}: {status} {page}");
    }
    rig.until(|| note.exists());
    assert!(is_there(&note));
    assert_eq!(server.asks("/healthz", 60).0, 200);
    server.ends();
    assert!(!is_there(&note), "the hook goes with the program");
    fs::write(rig.file("hang"), "#!/bin/sh\ncat >/dev/null\n").unwrap();
    rig.run(&["remind"]).exits(0).says("2 hooks were run.");
}

#[test]
fn a_signal_ends_remind_with_its_hook_which_is_run_again() {
    let rig = Rig::with_lifetime("6d");
    rig.register("L-1").exits(0);
    let note = hanging(&rig, "due");
    for signal in ["TERM", "INT", "HUP"] {
        let _ = fs::remove_file(&note);
        let remind = rig.start(&["remind"]);
        rig.until(|| note.exists());
        send(signal, &remind);
        let output = remind.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!is_there(&note), "{signal}");
    }
    fs::write(rig.file("hang"), "#!/bin/sh\ncat >/dev/null\n").unwrap();
    rig.run(&["remind"]).exits(0).says("1 hook was run.");
}

#[test]
fn a_reader_of_events_that_stalls_costs_no_code_and_a_signal_ends_the_run() {
    let rig = Rig::new();
    rig.seed(&[store("L-1", "2026-01-01T00:00:00Z"), store("L-2", "2026-01-01T00:00:00Z")]);
    let crowd = Crowd::of(1, |_| Will::Grant);
    let (stalled, writer) = pipe().unwrap();
    let mut command = rig.command(&["renew", "--all", "--format", "jsonl", "--browser", &crowd.browser()]);
    fill(&stalled, writer.try_clone().unwrap());
    let mut run = command.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    rig.until(|| are_active(&rig));
    // What is left to do is the answer, which is whole or not at all.
    send("TERM", &run);
    assert_eq!(run.wait().unwrap().code(), Some(130));
}

/// A shell in which a license's admin is waited for; the address.
fn waiting(rig: &Rig) -> (Screen, String) {
    let screen = Screen::new(rig.home(), 200, &["sh"]);
    screen.types("PS1='$ '; clear").key("Enter");
    let command = "register --ubi 604001 --license L-1 --username ann@example.com --no-browser";
    screen.types(&format!("biotrack-auth {command}; echo en''ded $?")).key("Enter");
    screen.shows("Waiting for the admin");
    let seen = screen.whole();
    let address = seen.split_whitespace().find(|word| word.contains("redirect_uri")).unwrap().to_owned();
    screen.key("C-s");
    (screen, address)
}

#[test]
fn while_a_person_holds_the_terminal_with_ctrl_s_the_answer_is_stored_and_the_browser_hears_of_it() {
    let rig = Rig::new();
    let (screen, address) = waiting(&rig);
    let back = rig.goes_to(&address, &[]);
    let page = outside("curl").args(["-s", "-m", "60", &back]).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("Access granted"), "{page}");
    assert!(are_active(&rig));
    screen.key("C-q");
    screen.shows("ended 0");
    assert!(screen.whole().contains("Created At"), "{}", screen.whole());
}

#[test]
fn a_signal_ends_a_command_whose_terminal_is_held_with_ctrl_s() {
    let rig = Rig::new();
    let (screen, _) = waiting(&rig);
    screen.ends_programs("TERM");
    rig.until(|| !screen.has_programs());
    screen.key("C-q");
    screen.shows("ended 130");
    screen.echoes();
}
