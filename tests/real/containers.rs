//! What containers, service managers and network homes give a program: few threads, folders by links, volumes of a group, no
//! locks, no place for temporary files. It works, or says why and what to do before anybody is asked.

use crate::support::{PROGRAM, Rig, Run, outside, register};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

/// A user with nothing else running, whose limits count this test's processes alone.
const USER: u32 = 24_601;

/// The program as that user with root's group, as OpenShift starts it; only root can become that.
fn as_user(home: &Path, before: &[&str], arguments: &[&str]) -> Run {
    let mut command = outside("setpriv");
    command.args(["--reuid", &USER.to_string(), "--regid=0", "--clear-groups", "--bounding-set=-all", "--"]);
    command.args(before).arg(PROGRAM).args(arguments);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("BIOTRACK_AUTH_HOME", home);
    Run::of(command.stdin(Stdio::null()).output().unwrap())
}

fn give(path: &Path, user: u32) {
    chown(path, Some(user), None).expect("only root may give a file away");
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|it| give(&it.unwrap().path(), user));
    }
}

fn init(rig: &Rig) -> Vec<String> {
    let url = rig.sandbox().address();
    let words = ["config", "init", "--preset", "local-sandbox", "--url", &url, "--vault", "sealed"];
    words.map(str::to_owned).to_vec()
}

fn words(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

#[test]
fn too_few_threads_are_told_before_a_browser_opens_and_are_no_bug() {
    let rig = Rig::with_file(&[]);
    give(rig.home(), USER);
    let opened = rig.elsewhere("opened");
    let touch = format!("touch {}", opened.display());
    for threads in ["2", "4", "6", "8"] {
        let limit = format!("--nproc={threads}");
        let run = as_user(rig.home(), &["prlimit", &limit], &register("L-1", &["--browser", &touch]));
        let run = run.exits(1).says("more threads, and only").says("ulimit -u").says_not("bug");
        run.answers_nothing();
        assert!(!opened.exists(), "{threads}");
    }
    as_user(rig.home(), &["prlimit", "--nproc=64"], &register("L-1", &[])).exits(0);
}

#[test]
fn what_reads_the_ledger_alone_needs_no_thread() {
    let rig = Rig::with_file(&[]);
    give(rig.home(), USER);
    as_user(rig.home(), &["prlimit", "--nproc=1"], &["status"]).exits(0);
}

#[test]
fn a_file_system_without_locks_or_shared_memory_is_named_as_the_cause() {
    for (call, error) in [("fcntl", "ENOLCK"), ("flock", "ENOLCK")] {
        let rig = Rig::unconfigured(&[]);
        let run = rig.faulted(call, error, 1, true, &words(&init(&rig)));
        run.exits(7)
            .says("its file system doesn't support file locks")
            .says("No locks available")
            .says("PostgreSQL");
        assert_eq!(fs::read_dir(rig.home()).unwrap().count(), 0, "{call}: something was made");
    }
    let rig = Rig::with_file(&[]);
    for (call, error) in [("fcntl", "ENOLCK"), ("flock", "ENOLCK")] {
        let run = rig.faulted(call, error, 1, true, &register("L-1", &["--no-wait"]));
        run.exits(7).says("its file system doesn't support file locks").says_not("other process");
    }
    let index = rig.file("ledger.db-shm");
    let options = [
        "-o",
        "/dev/null",
        "-P",
        index.to_str().unwrap(),
        "-e",
        "trace=mmap",
        "-e",
        "inject=mmap:error=ENODEV",
    ];
    let run = Run::of(rig.traced(&options, &register("L-1", &["--no-wait"])).output().unwrap());
    run.exits(7).says("its file system doesn't support shared memory");
    rig.run(&register("L-1", &["--no-wait"])).exits(0);
}

#[test]
fn a_home_behind_a_link_of_ours_or_roots_is_used_and_another_users_is_refused() {
    let rig = Rig::unconfigured(&[]);
    // As systemd lays out the state of a dynamic user.
    let (state, private) = (rig.elsewhere("state"), rig.elsewhere("private"));
    fs::create_dir_all(private.join("biotrack-auth")).unwrap();
    symlink("private/biotrack-auth", &state).unwrap();
    give(&private.join("biotrack-auth"), USER);
    fs::set_permissions(rig.elsewhere(""), Permissions::from_mode(0o755)).unwrap();
    as_user(&state, &[], &words(&init(&rig))).exits(0);
    as_user(&state, &[], &register("L-1", &[])).exits(0);
    as_user(&state, &[], &["token", "L-1"]).exits(0);
    as_user(&state, &[], &["doctor"]).answers("private, in ");
    lchown(&state, Some(USER + 1), None).unwrap();
    for arguments in [&words(&init(&rig))[..], &["--profile", "other", "config", "init"], &["token", "L-1"]] {
        let run = as_user(&state, &[], arguments);
        assert!(run.code != 0 && run.err.contains("a link that another user"), "{run:?}");
    }
}

#[test]
fn on_a_volume_of_roots_group_init_names_a_folder_in_it_and_that_is_used() {
    let rig = Rig::unconfigured(&[]);
    let volume = rig.elsewhere("volume");
    fs::create_dir(&volume).unwrap();
    fs::set_permissions(&volume, Permissions::from_mode(0o2775)).unwrap();
    fs::set_permissions(rig.elsewhere(""), Permissions::from_mode(0o755)).unwrap();
    let below = volume.join("biotrack-auth");
    let run = as_user(&volume, &[], &words(&init(&rig))).exits(7);
    run.says(&format!("BIOTRACK_AUTH_HOME={}", below.display())).says("its group can change it");
    assert_eq!(fs::read_dir(&volume).unwrap().count(), 0);
    as_user(&below, &[], &words(&init(&rig))).exits(0);
    as_user(&below, &[], &register("L-1", &[])).exits(0);
    as_user(&below, &[], &["token", "L-1"]).exits(0);
}

#[test]
fn where_the_ledger_cannot_be_written_init_says_so_and_makes_nothing() {
    let rig = Rig::unconfigured(&[]);
    fs::set_permissions(rig.elsewhere(""), Permissions::from_mode(0o755)).unwrap();
    let (settings, data) = (rig.elsewhere("settings"), rig.elsewhere("data"));
    fs::create_dir(&settings).unwrap();
    fs::create_dir_all(data.join("biotrack-auth")).unwrap();
    give(&settings, USER);
    let run = {
        let (settings, data) =
            (format!("XDG_CONFIG_HOME={}", settings.display()), format!("XDG_DATA_HOME={}", data.display()));
        let before = ["env", "-u", "BIOTRACK_AUTH_HOME", "HOME=/", &settings, &data];
        as_user(rig.home(), &before, &words(&init(&rig)))
    };
    run.exits(7).says("Permission denied");
    assert_eq!(fs::read_dir(&settings).unwrap().count(), 0);
}

/// The whole machine is read-only but for the home, as a container's root is.
#[test]
fn a_read_only_root_with_one_volume_is_enough() {
    let rig = Rig::with_file(&[]);
    let home = rig.home().display().to_string();
    // The home is a mount of its own, and stays writable.
    let all = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind / && ! touch /tmp/written 2>/dev/null && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", all, &home, PROGRAM]).args(register("L-1", &[]));
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("BIOTRACK_AUTH_HOME", &home);
    Run::of(command.stdin(Stdio::null()).output().unwrap()).exits(0);
}
