//! A private D-Bus session with its own keyring daemon, in which a test runs itself again.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What the test finds when it asks for a keyring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// A keyring that is open: GNOME's.
    Unlocked,
    /// Another one that is open.
    Other(Keeper),
    /// A session that would start a keyring, which nobody ever set up.
    NeverSetUp,
    /// A session on which nothing offers a keyring.
    NoProvider,
    /// No session at all, as under cron.
    NoBus,
}

/// The programs that offer a Secret Service, beside GNOME's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeper {
    /// KDE's, as its login module opens it.
    KWallet,
    /// KDE's at its first start, before there is any wallet.
    KWalletWithoutWallet,
    /// KeePassXC with one database.
    KeePassXc,
    /// The same, which asks on the desktop before it lets anybody have an item.
    KeePassXcThatAsks,
    /// oo7's daemon.
    Oo7,
}

impl Keeper {
    /// What starts it, and waits until it's there.
    fn script(self) -> String {
        let start = match self {
            Self::KWallet => {
                format!(r#"{KWALLET} start; until [ -e "$wallet" ]; do sleep 0.02; done; end; start"#)
            }
            Self::KWalletWithoutWallet => format!("{KWALLET} start"),
            Self::KeePassXc => KEEPASSXC.replace("ASKS", "false") + "start",
            Self::KeePassXcThatAsks => KEEPASSXC.replace("ASKS", "true") + "start",
            Self::Oo7 => format!("{OO7} start"),
        };
        format!("{OTHER}\n{start}\n{BESIDE}")
    }
}

/// What all of them need. They are programs of a desktop, which draw nowhere here.
const OTHER: &str = r#"
export QT_QPA_PLATFORM=offscreen TMPDIR=$XDG_RUNTIME_DIR
mkdir -p "$HOME/.config" "$HOME/.cache" "$HOME/.local/share"
owned() { dbus-send --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true; }
owner() { dbus-send --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets; }
end() { kill -KILL $(owner | sed -n 's/.*uint32 //p'); while owned; do sleep 0.02; done; } 2>/dev/null
collection() { dbus-send --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.ReadAlias string:default; }
open() { dbus-send --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets/collection/$1 \
    org.freedesktop.DBus.Properties.Get string:org.freedesktop.Secret.Collection string:Locked | grep -q false; } 2>/dev/null
there() { until owned; do kill -0 $daemon || exit 1; sleep 0.02; done; }
"#;

const KWALLET: &str = r#"
cat > "$HOME/.config/kwalletrc" <<'END'
[Wallet]
Default Wallet=kdewallet
First Use=false
Leave Open=true
Prompt on Open=false
[org.freedesktop.secrets]
apiEnabled=true
END
wallet=$HOME/.local/share/kwalletd/kdewallet.kwl
start() {
    python3 "$KEYRING_TEST_FOLDER/kwallet.py" >/dev/null 2>&1 &
    daemon=$!
    there
    until dbus-send --print-reply --dest=org.kde.kwalletd5 /modules/kwalletd5 org.kde.KWallet.isOpen string:kdewallet | grep -q true
    do sleep 0.02; done
}
"#;

/// The group is the database's root, exposed by what KeePassXC itself writes where that is chosen.
const KEEPASSXC: &str = r#"
mkdir -p "$HOME/.config/keepassxc"
cat > "$HOME/.config/keepassxc/keepassxc.ini" <<'END'
[General]
ConfigVersion=2
UpdateCheckMessageShown=true
[FdoSecrets]
Enabled=true
ShowNotification=false
ConfirmAccessItem=ASKS
ConfirmDeleteItem=false
UnlockBeforeSearch=false
END
cat > "$HOME/database.xml" <<'END'
<KeePassFile><Meta><DatabaseName>secrets</DatabaseName><RecycleBinEnabled>True</RecycleBinEnabled><CustomData><Item>
<Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>{6b1f3c00-93d1-4a63-9f70-5dcf7ae1a4b2}</Value></Item></CustomData></Meta>
<Root><Group><UUID>ax88AJPRSmOfcF3PeuGksg==</UUID><Name>Root</Name></Group></Root></KeePassFile>
END
printf 'testpw\ntestpw\n' | keepassxc-cli import -p "$HOME/database.xml" "$HOME/database.kdbx" >/dev/null 2>&1
start() {
    printf 'testpw\n' | keepassxc --pw-stdin "$HOME/database.kdbx" >/dev/null 2>&1 &
    daemon=$!
    there
    until open database; do sleep 0.02; done
}
"#;

/// It takes over the keyring that GNOME's daemon made: it opens one at its start and makes none.
const OO7: &str = r#"
printf testpw | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 &
daemon=$!
there
until [ -e "$HOME/.local/share/keyrings/login.keyring" ]; do sleep 0.02; done
end
start() {
    # As root it would give its capabilities up, which only a whole machine's root can.
    as_anybody=()
    [[ $(id -u) != 0 ]] || as_anybody=(setpriv --bounding-set=-all --inh-caps=-all)
    printf testpw | "${as_anybody[@]}" "$KEYRING_TEST_PEERS/oo7/bin/oo7-daemon" --login >/dev/null 2>&1 &
    daemon=$!
    there
    until collection | grep -q collection/; do sleep 0.02; done
}
"#;

/// The test, beside it.
const BESIDE: &str = r#"
trap end EXIT
export KEYRING_TEST_DAEMON=$daemon
export -f owned there open collection start
"$0" "$@"
"#;

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
    // The harness names each test's thread after it.
    let name = std::thread::current().name().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("bus.conf");
    std::fs::write(&config, NO_PROVIDER).unwrap();

    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", if thorough() { "12h" } else { "900" }]);
    match session {
        Session::Unlocked | Session::Other(_) | Session::NeverSetUp => {
            command.args(["dbus-run-session", "--"])
        }
        Session::NoProvider => command.args(["dbus-run-session", "--config-file"]).arg(&config).arg("--"),
        Session::NoBus => &mut command,
    };
    let script = match session {
        Session::Unlocked => UNLOCKED.to_owned(),
        Session::Other(keeper) => keeper.script(),
        Session::NeverSetUp | Session::NoProvider | Session::NoBus => BARE.to_owned(),
    };
    command.args(["bash", "-c", &script]);
    command.arg(std::env::current_exe().unwrap());
    command.args([&name, "--exact", "--nocapture", "--include-ignored"]);
    surroundings(&mut command, folder.path());

    // In files: a daemon that the bus started outlives it for a while, and would hold a pipe open.
    let said = ["out", "err"].map(|name| folder.path().join(name));
    let [out, err] = said.each_ref().map(|path| std::fs::File::create(path).unwrap());
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(out).stderr(err).status();
    let status = status.expect("apt-get install gnome-keyring dbus libsecret-tools");
    let took = began.elapsed();
    let [out, err] = said.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
    assert!(status.success() && out.contains("1 passed"), "{name}: {status}\n{out}\n{err}");
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
        .env("KEYRING_TEST_FOLDER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/keyring"))
        .env("KEYRING_TEST_PEERS", concat!(env!("CARGO_TARGET_TMPDIR"), "/peers"))
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
    lock_collection("login");
}

/// The same of the collection that another one keeps secrets in.
pub fn lock_collection(name: &str) {
    let collection = format!("/org/freedesktop/secrets/collection/{name}");
    let lock = "org.freedesktop.Secret.Service.Lock";
    let objects = format!("array:objpath:{collection}");
    run(
        "dbus-send",
        &["--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets", lock, &objects],
    );
}

/// KeePassXC would ask on the desktop before it locks for another program. What it was given before that is in its file a
/// little later, and isn't always where it's locked at once: that's waited for.
pub fn lock_keepassxc() {
    const SAVED: &str = r#"until printf 'testpw\n' | keepassxc-cli export "$HOME/database.kdbx" 2>/dev/null | grep -q /flow-; do sleep 0.02; done"#;
    run("bash", &["-c", SAVED]);
    run("keepassxc", &["--lock"]);
    run("bash", &["-c", "while open database; do sleep 0.02; done"]);
}

/// Has another program read an item, of a new daemon that is unlocked: a running one takes no password
/// without a display.
pub fn look_up_after_login(account: &str) -> String {
    log_in_again();
    look_up(account)
}

/// Has another program read an item that is there.
pub fn look_up(account: &str) -> String {
    let arguments = ["lookup", "--", "service", "biotrack-auth", "username", account];
    let output = secret_tool(&arguments, |output| output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Another program's run that had a whole session. KWallet spoils about one key exchange in a hundred, and forgets sessions:
/// this program fails there, with a message or without, and a person would start it again.
fn secret_tool(arguments: &[&str], is_whole: impl Fn(&Output) -> bool) -> Output {
    let mut last = None;
    for _ in 0..5 {
        let output = Command::new("secret-tool").args(arguments).output().unwrap();
        if is_whole(&output) {
            return output;
        }
        last = Some(output);
    }
    panic!("secret-tool {arguments:?}: {last:?}");
}

/// The same with one of the others.
pub fn log_in_again_with_another() {
    signal("-KILL");
    // What it starts outlives this shell, and has none of its outputs.
    run("bash", &["-c", "while owned; do sleep 0.02; done; start"]);
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
    let output = secret_tool(&["search", "--all", "service", "biotrack-auth"], |output| {
        let said = String::from_utf8_lossy(&output.stderr);
        !["public key size is invalid", "Can't find session"].iter().any(|sign| said.contains(sign))
    });
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().filter_map(|line| line.strip_prefix("attribute.username = ")).map(Into::into).collect()
}

/// The secrets of the entries in KeePassXC's recycle bin, by the word of another program that reads its format. It's
/// saved a little after each change: that something is in the recycle bin is waited for.
pub fn keepassxcs_recycle_bin() -> Vec<String> {
    const READ: &str = r#"
import json, os, pykeepass
database = pykeepass.PyKeePass(os.environ["HOME"] + "/database.kdbx", password="testpw")
deleted = database.recyclebin_group
if deleted is not None and deleted.entries:
    print(json.dumps([it.data.decode() for entry in deleted.entries for it in entry.attachments]))
"#;
    loop {
        let output = Command::new("/usr/bin/python3").args(["-c", READ]).output().unwrap();
        // While it's written there may be no whole file.
        if output.status.success() && !output.stdout.is_empty() {
            return serde_json::from_slice(&output.stdout).unwrap();
        }
    }
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
