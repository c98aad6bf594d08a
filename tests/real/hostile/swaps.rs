//! S55: another local user, made by `useradd`, swaps files while the program, which runs as root, uses them: what they lay
//! is never obeyed, and no other file is changed. Between a file's opening and its judging there is a pause here (strace
//! puts it in), so that each run is met in the middle of many swaps. The tests run as root: only root can make users.

use super::neighbors::Neighbor;
use crate::support::{Rig, Run, send};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout};

const SWAPPER: &str = include_str!("swapper.py");

/// So often each command runs.
const TRIES: usize = 60;

/// A folder that everybody can reach, and somebody who swaps what is in it.
struct Swapped {
    rig: Rig,
    neighbor: Neighbor,
    reachable: tempfile::TempDir,
}

/// A swapper at work.
struct Swapper(Child, BufReader<ChildStdout>);

impl Swapper {
    /// What they did.
    fn ends(mut self) -> Value {
        drop(self.0.stdin.take());
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        assert!(self.0.wait().unwrap().success(), "{line}");
        serde_json::from_str(&line).unwrap()
    }
}

impl Swapped {
    fn new() -> Self {
        let reachable = tempfile::tempdir().unwrap();
        fs::set_permissions(reachable.path(), Permissions::from_mode(0o755)).unwrap();
        let rig = Rig::new();
        rig.register("L-1").exits(0);
        Self { rig, neighbor: Neighbor::moves_in(), reachable }
    }

    /// A folder of an owner and mode.
    fn folder(&self, name: &str, owner: u32, mode: u32) -> PathBuf {
        let folder = self.reachable.path().join(name);
        fs::create_dir(&folder).unwrap();
        chown(&folder, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        folder
    }

    fn file(&self, path: PathBuf, content: &str, owner: u32, mode: u32) -> PathBuf {
        fs::write(&path, content).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn swaps(&self, what: &str, folder: &Path, name: &str, theirs: &Path) -> Swapper {
        let script = self.reachable.path().join("swapper.py");
        fs::write(&script, SWAPPER).unwrap();
        fs::set_permissions(&script, Permissions::from_mode(0o644)).unwrap();
        let arguments = [script.as_path(), Path::new(what), folder, Path::new(name), theirs];
        let arguments: Vec<_> = arguments.iter().map(|it| it.to_str().unwrap()).collect();
        let mut child = self.neighbor.python(&arguments).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Swapper(child, out)
    }

    /// Runs the program with a pause behind each of these calls.
    fn paused(&self, calls: &str, more: &[(&str, &Path)], arguments: &[&str]) -> Run {
        let pause = format!("inject={calls}:delay_exit=3000");
        let trace = format!("trace={calls}");
        let mut command = self.rig.traced(&["-o", "/dev/null", "-e", &trace, "-e", &pause], arguments);
        command.envs(more.iter().copied());
        Run::of(command.output().unwrap())
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            send("KILL", &self.0);
        }
    }
}

/// A configuration or an identity that another user lays, in a folder that is shared as /tmp is and in one of their own.
#[test]
fn as_root_no_configuration_and_no_identity_that_another_user_lays_is_read() {
    let it = Swapped::new();
    let them = it.neighbor.number();
    let own = fs::read_to_string(it.rig.file("config.toml")).unwrap();
    let stolen =
        own.replace("preset = \"local-sandbox\"", "preset = \"local-sandbox\"\ncompany = \"stolen\"");
    let identity = fs::read_to_string(it.rig.file("identity.txt")).unwrap();
    let other = tempfile::tempdir().unwrap();
    let recipient = biotrack_auth::vault::create_identity(&other.path().join("other")).unwrap();
    let other = fs::read_to_string(other.path().join("other")).unwrap();
    // The control: what they lay is read where it's root's.
    let laid = it.file(it.rig.elsewhere("laid"), &stolen, 0, 0o600);
    it.rig.run(&["config", "show", "--config", laid.to_str().unwrap()]).exits(0).answers("stolen");

    for (kind, mode, owner) in [("in-a-shared-folder", 0o1777, 0), ("in-my-folder", 0o755, them)] {
        for (name, ours, theirs, sign) in [
            ("config.toml", &own, &stolen, "stolen"),
            ("identity.txt", &identity, &other, recipient.as_str()),
        ] {
            let folder = it.folder(&format!("{kind}-{name}"), owner, mode);
            it.file(folder.join("mine"), theirs, them, 0o600);
            let good = match owner {
                0 => it.file(it.reachable.path().join(format!("good-{name}")), ours, 0, 0o600),
                _ => it.file(folder.join("theirs"), ours, 0, 0o600),
            };
            let swapper = it.swaps(kind, &folder, name, &good);
            let path = folder.join(name);
            let mut refused = std::collections::BTreeSet::new();
            for _ in 0..TRIES {
                let run = match name {
                    "config.toml" => {
                        let named = path.to_str().unwrap();
                        it.paused(
                            "openat,fstat,newfstatat,statx",
                            &[],
                            &["config", "show", "--config", named],
                        )
                    }
                    _ => {
                        let named = [("BIOTRACK_AUTH_IDENTITY", path.as_path())];
                        it.paused("openat,fstat,newfstatat,statx", &named, &["config", "recipients", "list"])
                    }
                };
                assert!(!run.out.contains(sign), "{kind} {name}: {run:?}");
                assert!([2, 7].contains(&run.code), "{kind} {name}: {run:?}");
                let why = ["is no configuration", "o such file", "another user", "a link"];
                let why = why.iter().find(|why| run.err.contains(**why));
                refused.insert(*why.unwrap_or_else(|| panic!("{kind} {name}: {run:?}")));
            }
            let swaps = swapper.ends()["swaps"].as_u64().unwrap();
            assert!(swaps > 2 * TRIES as u64, "{kind} {name}: the runs weren't met: {swaps} swaps");
            // The runs met it in its several states; of what lies in a folder of theirs, whose the folder is comes first.
            assert!(refused.len() > 1 || owner == them && refused.contains("another user"), "{refused:?}");
            assert!(owner == 0 || !refused.contains("a link"), "{kind} {name}: {refused:?}");
        }
    }
}

/// A file that is just being written for all to read, in a folder in which another user can swap it.
#[test]
fn as_root_no_output_changes_another_file_whatever_its_name_leads_to_meanwhile() {
    let it = Swapped::new();
    let folder = it.folder("metrics", it.neighbor.number(), 0o755);
    let victim = it.file(it.reachable.path().join("victim"), "private", 0, 0o600);
    let swapper = it.swaps("outputs", &folder, "out.csv", &victim);
    let path = folder.join("out.csv");
    for _ in 0..TRIES {
        let arguments = ["status", "--format", "csv", "--output", path.to_str().unwrap()];
        let run = it.paused("openat,write,fsync,chmod,fchmod,fchmodat,rename,renameat", &[], &arguments);
        assert!([0, 1].contains(&run.code), "{run:?}");
        let found = victim.metadata().unwrap();
        assert_eq!((found.mode() & 0o777, fs::read(&victim).unwrap()), (0o600, b"private".to_vec()));
    }
    let met = swapper.ends();
    assert!(
        met["taken"].as_u64().unwrap() > 0,
        "no run was met between its making a file and naming it: {met}"
    );
    let left = fs::read(folder.join("taken")).unwrap();
    assert!(left.is_empty() || String::from_utf8_lossy(&left).contains("L-1"), "{left:?}");
}

/// A keyring's session that the environment names and another user could answer at, as after `su` or `sudo`.
#[test]
fn as_root_no_secret_goes_to_a_session_of_another_user() {
    let it = Swapped::new();
    let folder = it.folder("runtime", it.neighbor.number(), 0o700);
    let bus = UnixListener::bind(folder.join("bus")).unwrap();
    bus.set_nonblocking(true).unwrap();
    let address = format!("unix:path={}", folder.join("bus").display());
    let home = it.reachable.path().join("home");
    for (name, value) in
        [("DBUS_SESSION_BUS_ADDRESS", address.as_str()), ("XDG_RUNTIME_DIR", folder.to_str().unwrap())]
    {
        let arguments = [
            "config",
            "init",
            "--preset",
            "local-sandbox",
            "--url",
            "http://127.0.0.1:2",
            "--vault",
            "keyring",
            "--no-input",
        ];
        let mut command = it.rig.command(&arguments);
        command.env("BIOTRACK_AUTH_HOME", &home).env(name, value);
        Run::of(command.output().unwrap()).exits(7).says("belongs to another user");
        assert!(bus.accept().is_err(), "{name}: it was asked");
    }
}

/// What is judged is what was opened: each file that must be private is opened once, by its name in a folder that is
/// open, and no other call takes its name. So there is no second look for a swap to come before.
#[test]
fn each_private_file_is_opened_once_and_never_looked_at_by_its_path() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let kinds = [
        "open",
        "openat",
        "openat2",
        "stat",
        "lstat",
        "newfstatat",
        "statx",
        "access",
        "faccessat",
        "faccessat2",
        "chmod",
        "fchmodat",
        "fchmodat2",
        "chown",
        "fchownat",
        "readlink",
        "readlinkat",
    ];
    let output = rig.elsewhere("out.csv");
    for arguments in [&["token", "L-1"][..], &["status"], &["export", "--output", output.to_str().unwrap()]] {
        let calls = rig.trace(&kinds, arguments);
        for name in ["config.toml", "identity.txt"] {
            let of: Vec<_> = calls
                .iter()
                .map(|(_, what)| what)
                .filter(|what| what.contains(&format!("{name}\"")))
                .collect();
            // Not every command needs the identity.
            let expected = usize::from(name == "config.toml" || arguments[0] == "token");
            assert_eq!(of.len(), expected, "{arguments:?}: {of:#?}");
            for what in of {
                assert!(what.starts_with("openat(") && what.contains(&format!(">, \"{name}\"")), "{what}");
                assert!(what.contains("O_NOFOLLOW"), "{what}");
            }
        }
        let changed =
            calls.iter().any(|(_, what)| what.starts_with("chmod(") || what.starts_with("fchmodat"));
        assert!(!changed, "{arguments:?}: {calls:#?}");
    }
    assert_eq!(output.metadata().unwrap().mode() & 0o777, 0o644);
}
