//! A private D-Bus session with its own keyring daemon, in which a test runs itself again.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// What the test finds when it asks for a keyring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// A keyring that is open.
    Unlocked,
    /// A session that would start a keyring, which nobody ever set up.
    NeverSetUp,
    /// A session on which nothing offers a keyring.
    NoProvider,
    /// No session at all, as under cron.
    NoBus,
}

/// Tells the test that it's inside, and where the daemon's number is.
const INSIDE: &str = "KEYRING_TEST_DAEMON";

/// Waits for the daemon to own its name and to have an open collection, then runs the test beside it.
const UNLOCKED: &str = r#"
printf testpw | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 &
daemon=$!
trap 'kill -CONT $daemon; kill $daemon; wait $daemon' EXIT
owned() { dbus-send --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets; }
open() { dbus-send --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets/aliases/default \
    org.freedesktop.DBus.Properties.Get string:org.freedesktop.Secret.Collection string:Locked; }
until owned | grep -q true; do sleep 0.02; done
until open 2>/dev/null | grep -q false; do sleep 0.02; done
export KEYRING_TEST_DAEMON=$daemon
"$0" "$@"
"#;

const BARE: &str = r#"KEYRING_TEST_DAEMON=none exec "$0" "$@""#;

const NO_PROVIDER: &str = r#"<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>"#;

/// Runs the test in such a session: a process of its own, since the bus's address is in the environment
/// and the connection is one for the process. Returns how long that process lived; inside, nothing.
pub fn within(session: Session, test: impl FnOnce()) -> Option<Duration> {
    if daemon().is_some() {
        test();
        return None;
    }
    // The closure's type is `binary::module::test::{{closure}}`.
    let name = std::any::type_name_of_val(&test);
    let name = name.split_once("::").unwrap().1.strip_suffix("::{{closure}}").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("bus.conf");
    std::fs::write(&config, NO_PROVIDER).unwrap();

    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", if thorough() { "12h" } else { "900" }]);
    match session {
        Session::Unlocked | Session::NeverSetUp => command.args(["dbus-run-session", "--"]),
        Session::NoProvider => command.args(["dbus-run-session", "--config-file"]).arg(&config).arg("--"),
        Session::NoBus => &mut command,
    };
    command.args(["bash", "-c", if session == Session::Unlocked { UNLOCKED } else { BARE }]);
    command.arg(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--include-ignored"]);
    surroundings(&mut command, folder.path());

    let began = Instant::now();
    let output = command.output().expect("apt-get install gnome-keyring dbus libsecret-tools");
    let took = began.elapsed();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{name}: {}\n{out}\n{err}", output.status);
    say(&out);
    Some(took)
}

/// Only what the test is to see: no display for a prompt, no bus and no keyring of whoever runs it.
fn surroundings(command: &mut Command, folder: &Path) {
    let runtime = folder.join("run");
    std::fs::create_dir(&runtime).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    let (path, told) = (
        std::env::var_os("PATH").unwrap(),
        ["BIOTRACK_TEST_ALL", "BIOTRACK_TEST_SEED"].map(|it| (it, std::env::var_os(it))),
    );
    // secret-tool shows names as the locale allows.
    command
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", path)
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", runtime)
        .envs(told.into_iter().filter_map(|(name, value)| Some((name, value?))));
}

/// Whether everything is tried, however long it takes.
fn thorough() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    std::env::var_os("BIOTRACK_TEST_ALL").is_some()
}

/// The daemon's number, inside.
fn daemon() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    std::env::var(INSIDE).ok()
}

/// What a test measured.
fn say(out: &str) {
    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    for line in out.lines().filter(|line| line.contains(" ms") || line.contains(" fired")) {
        println!("{line}");
    }
}

/// Sends whichever daemon offers the keyring now a signal, if any does.
pub fn signal(name: &str) {
    let bus = [
        "--print-reply",
        "--dest=org.freedesktop.DBus",
        "/",
        "org.freedesktop.DBus.GetConnectionUnixProcessID",
    ];
    let output = Command::new("dbus-send").args(bus).arg("string:org.freedesktop.secrets").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if let Some((_, number)) = told.rsplit_once("uint32 ") {
        run("kill", &[name, number.trim()]);
    }
}

/// Locks the keyring, as a screen's lock does.
pub fn lock() {
    let collection = "/org/freedesktop/secrets/collection/login";
    let lock = "org.freedesktop.Secret.Service.Lock";
    let objects = format!("array:objpath:{collection}");
    run(
        "dbus-send",
        &["--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets", lock, &objects],
    );
}

/// Has another program read an item, of a new daemon that is unlocked: a running one takes no password
/// without a display.
pub fn look_up_after_login(account: &str) -> String {
    log_in_again();
    look_up(account)
}

/// Has another program read an item.
pub fn look_up(account: &str) -> String {
    let mut tool = Command::new("secret-tool");
    let output =
        tool.args(["lookup", "--", "service", "biotrack-auth", "username", account]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Ends the daemon and starts a new one that is unlocked. It ends with the session's bus.
pub fn log_in_again() {
    signal("-KILL");
    const LOG_IN: &str = r#"
        owned() { dbus-send --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets; }
        while owned | grep -q true; do sleep 0.02; done
        printf testpw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
        until owned | grep -q true; do sleep 0.02; done"#;
    run("bash", &["-c", LOG_IN]);
}

/// The accounts of all items that the program has in the keyring, by the word of another program.
pub fn accounts() -> Vec<String> {
    // It answers 1 where there is none; attributes go to standard error.
    let output =
        Command::new("secret-tool").args(["search", "--all", "service", "biotrack-auth"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().filter_map(|line| line.strip_prefix("attribute.username = ")).map(Into::into).collect()
}

/// Has another program remove an item.
pub fn clear(account: &str) {
    run("secret-tool", &["clear", "--", "service", "biotrack-auth", "username", account]);
}

/// Runs it, and it must succeed.
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}
