//! S29: another process of the same user can't look into this one's memory, environment or files, and no signal makes it
//! leave a core file. Beside each, a program that protects itself from nothing.

use super::granted;
use crate::support::{PROGRAM, Rig, outside, register};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

/// Debian's nobody: a user with no capability at all.
const NOBODY: u32 = 65_534;

/// As nobody; only root can become that.
fn as_nobody(program: &str) -> Command {
    let mut command = outside("setpriv");
    let user = NOBODY.to_string();
    command.args([
        "--reuid",
        &user,
        "--regid",
        &user,
        "--clear-groups",
        "--bounding-set=-all",
        "--",
        program,
    ]);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ways into a process; 0 is the exit code of one that gets in.
const WAYS: [&str; 7] = [
    "tr '\\0' '\\n' < /proc/PID/environ | grep -q .",
    "grep -q . /proc/PID/maps",
    "readlink /proc/PID/fd/0 >/dev/null",
    "readlink /proc/PID/cwd >/dev/null",
    "ls /proc/PID/map_files >/dev/null",
    "exec 3< /proc/PID/mem",
    "timeout 10 strace -qq -o /dev/null -p PID -e trace=none & s=$!; sleep 1; kill $s",
];

fn gets_in(way: &str, into: u32) -> bool {
    let script = way.replace("PID", &into.to_string());
    as_nobody("sh").args(["-c", &script]).output().unwrap().status.success()
}

/// Its folders are nobody's, and so is a copy of the program that nobody may run.
fn for_nobody(rig: &Rig) -> String {
    let program = rig.elsewhere("biotrack-auth");
    fs::copy(PROGRAM, &program).unwrap();
    for folder in [program.parent().unwrap(), rig.home()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        for file in std::iter::once(folder.to_owned()).chain(crate::support::leaks::files(folder)) {
            chown(file, Some(NOBODY), Some(NOBODY)).expect("only root may give a file away");
        }
    }
    for folder in ["owners", "spool", "claims"] {
        let _ = chown(rig.file(folder), Some(NOBODY), Some(NOBODY));
    }
    fs::set_permissions(rig.home(), fs::Permissions::from_mode(0o700)).unwrap();
    program.display().to_string()
}

fn ended(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_of_the_same_user_sees_nothing_of_it() {
    let rig = granted(&["L-1"]);
    let program = for_nobody(&rig);
    let mut command = as_nobody(&program);
    command.args(register("L-2", &["--no-browser"])).env("BIOTRACK_AUTH_HOME", rig.home());
    command.stderr(Stdio::null());
    // It waits for an answer, with the verifier and its identity in memory.
    let child = command.spawn().unwrap();
    rig.until(|| rig.counted_asked() == 1);
    let control = as_nobody("sleep").arg("600").env("A", "B").spawn().unwrap();
    rig.until(|| fs::read_to_string(format!("/proc/{}/comm", control.id())).unwrap_or_default() == "sleep\n");
    for way in WAYS {
        assert!(!gets_in(way, child.id()), "{way}");
    }
    // Yama may forbid the last two to everyone.
    for way in &WAYS[..4] {
        assert!(gets_in(way, control.id()), "the control: {way}");
    }
    // What anyone sees of anyone.
    let line = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    assert!(!line.is_empty());
    rig.keeps_secrets(&[]);
    ended(child);
    ended(control);
}

#[test]
fn no_signal_makes_it_leave_its_memory_in_a_file() {
    for signal in ["ABRT", "SEGV", "TRAP", "SYS"] {
        let rig = Rig::new();
        let folder = rig.elsewhere("cores");
        fs::create_dir(&folder).unwrap();
        let died = |program: &[&str]| {
            let mut command = Command::new("sh");
            command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""]).args(program);
            command.env("BIOTRACK_AUTH_HOME", rig.home()).current_dir(&folder);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let ours = program[0] == PROGRAM;
            rig.until(|| match ours {
                true => rig.counted_asked() == 1,
                false => fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap() == "sleep\n",
            });
            let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
            // Rust's own handler of SIGSEGV takes the first one for an overflown stack, and lets the next one through.
            let mut status = None;
            rig.until(|| {
                crate::support::send(signal, &child);
                status = child.try_wait().unwrap();
                status.is_some()
            });
            (status.unwrap(), core)
        };
        let (control, _) = died(&["sleep", "600"]);
        let arguments = register("L-1", &["--no-browser"]);
        let ours: Vec<_> = std::iter::once(PROGRAM).chain(arguments).collect();
        let before = fs::read_dir(&folder).unwrap().count();
        let (status, core) = died(&ours);
        assert!(status.signal().is_some() && !status.core_dumped(), "{signal}: {status}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), before, "{signal}");
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        rig.keeps_secrets(&[]);
        // Where cores go to a file at all, the other program left one.
        let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
        assert!(pattern.starts_with('|') || control.core_dumped(), "{signal}: {control}, to {pattern}");
    }
}

/// Members of types that hold a secret for longer than a line does.
const SECRET_MEMBERS: [&str; 12] = [
    "access",
    "refresh",
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "verifier",
    "passphrase",
    "password",
    "memo",
    "code_verifier",
    "identity_key",
];

#[test]
fn no_type_keeps_a_secret_in_memory_that_is_not_wiped() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked = 0;
    for path in crate::support::leaks::files(&source) {
        // The stand-in provider's tokens are worth nothing; an error holds codes of errors.
        let below = path.strip_prefix(&source).unwrap();
        if below.starts_with("sandbox") || below.starts_with("error") {
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines() {
            let text = line.trim().trim_start_matches("pub(super) ").trim_start_matches("pub ");
            let Some((name, kind)) = text.split_once(": ") else { continue };
            if SECRET_MEMBERS.contains(&name) && kind.ends_with(',') {
                let bare =
                    ["String", "&'static str", "Vec<u8>", "Box<str>"].iter().any(|it| kind.contains(it));
                let wiped = ["Secret", "Sealed", "Sealable"].iter().any(|it| kind.contains(it));
                // Hidden and refused.
                let refused = below.ends_with("register.rs") && name == "password";
                assert!(!bare || wiped || refused, "{}: {line}", path.display());
                looked += 1;
            }
        }
    }
    assert!(looked >= 8, "{looked}");
    let types = fs::read_to_string(source.join("model/secret.rs")).unwrap();
    for (head, inside) in
        [("Secret", "SecretString"), ("Sealable", "Zeroizing<Vec<u8>>"), ("SecretText", "Secret")]
    {
        let whole = format!("#[derive(Clone)]\npub struct {head}({inside});");
        assert!(types.contains(&whole), "{head} derives Debug, or holds something else than {inside}");
    }
}
