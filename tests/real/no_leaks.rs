//! Promise 4: no token, code, verifier or client secret anywhere but in the vault; and files that only we can read.

use crate::support::leaks::{PREFIXES, files, holds};
use crate::support::proxy::{Proxy, Seen};
use crate::support::{PROGRAM, Rig, Run, admin, register};
use biotrack_auth::sandbox::Mishap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every secret that was seen so far, and where none of them may be.
#[derive(Default)]
struct Watch {
    secrets: Vec<String>,
}

impl Watch {
    fn sees(&mut self, seen: &Seen) {
        self.secrets.extend(seen.secrets());
    }

    #[track_caller]
    fn clean(&self, what: &str, bytes: &[u8]) {
        for secret in self.secrets.iter().map(String::as_str).chain(PREFIXES) {
            assert!(!holds(bytes, secret), "{what} holds {secret}:\n{}", String::from_utf8_lossy(bytes));
        }
    }

    /// What others on the machine see of a process and of what it started.
    #[track_caller]
    fn clean_from_outside(&self, id: u32) {
        for name in ["cmdline", "environ", "comm", "wchan", "status"] {
            self.clean(name, &fs::read(format!("/proc/{id}/{name}")).unwrap_or_default());
        }
        for task in fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            children.split_whitespace().for_each(|child| self.clean_from_outside(child.parse().unwrap()));
        }
    }

    /// Runs a command that exchanges a code, and looks while it does and afterwards.
    #[track_caller]
    fn through(&mut self, rig: &Rig, proxy: &Proxy, arguments: &[&str]) -> Run {
        let child = rig.start(arguments);
        let seen = proxy.seen.recv().unwrap();
        self.sees(&seen);
        self.clean_from_outside(child.id());
        proxy.go.send(()).unwrap();
        let run = Run::of(child.wait_with_output().unwrap());
        self.after(rig, run)
    }

    #[track_caller]
    fn after(&self, rig: &Rig, run: Run) -> Run {
        self.clean("standard output", run.out.as_bytes());
        self.clean("standard error", run.err.as_bytes());
        rig.keeps_secrets(&self.secrets);
        run
    }
}

#[test]
fn nothing_shows_in_the_whole_life_of_a_grant() {
    let rig = Rig::new();
    let proxy = Proxy::of(&rig);
    let mut watch = Watch::default();
    watch.through(&rig, &proxy, &register("L-1", &["-vv"])).exits(0);
    watch.through(&rig, &proxy, &["renew", "L-1", "-vv", "--browser", &admin()]).exits(0);
    for arguments in [
        &["status", "-vv"][..],
        &["status", "-vv", "--json"],
        &["status", "-vv", "L-1"],
        &["config", "show", "--origin", "-vv"],
        &["deactivate", "L-1", "--yes", "-vv", "--json"],
        &["status", "-vv", "L-1"],
    ] {
        watch.after(&rig, rig.run(arguments)).exits(0);
    }
    // Code, verifier, client secret and two tokens, twice.
    assert_eq!(watch.secrets.len(), 10);
    let wal = files(rig.home()).into_iter().find(|path| path.ends_with("ledger.db-wal"));
    assert!(
        fs::metadata(wal.unwrap()).unwrap().len() > 0,
        "the log that was looked through has something in it"
    );
}

#[test]
fn nothing_shows_when_something_goes_wrong() {
    for (mishap, exit) in [
        (Mishap::BadJson, 8),
        (Mishap::WrongLocation, 6),
        (Mishap::WrongCompany, 6),
        (Mishap::OtherUser, 6),
        (Mishap::NoExpiry, 0),
        (Mishap::RevocationUnsupported, 0),
    ] {
        let rig = Rig::with(&[mishap]);
        let proxy = Proxy::of(&rig);
        let mut watch = Watch::default();
        let run = watch.through(&rig, &proxy, &register("L-1", &["-vv"])).exits(exit);
        assert!(watch.secrets.iter().any(|it| it.starts_with("sandbox-access-")), "{mishap}");
        let told = watch.after(&rig, rig.run(&["status", "L-1", "-vv"]));
        let gone = watch.after(&rig, rig.run(&["deactivate", "L-1", "--yes", "-vv"]));
        assert!(told.code == 0 && gone.code == 0, "{mishap}: {run:?} {told:?} {gone:?}");
    }
}

#[test]
fn what_a_provider_echoes_of_our_secrets_is_not_passed_on() {
    for shape in [
        r#"{"error":"invalid_grant","error_description":"code CODE is unknown"}"#,
        r#"{"error":"invalid_client","error_description":"SECRET is wrong"}"#,
        r#"{"error":"VERIFIER","error_description":"-"}"#,
        r#"{"access_token":"sandbox-access-0123456789","token_type":"sandbox-access-0123456789"}"#,
        r#"{"access_token":["sandbox-access-0123456789"],"token_type":"Bearer"}"#,
        r#"{"access_token":"sandbox-access-0123456789","token_type":"Bearer","company":"CODE"}"#,
        "<h1>sandbox-access-0123456789</h1>",
    ] {
        let rig = Rig::new();
        let proxy = Proxy::spoiling(&rig, shape);
        let mut watch = Watch::default();
        let run = watch.through(&rig, &proxy, &register("L-1", &["-vv"]));
        assert!([5, 6, 8].contains(&run.code), "{shape}: {run:?}");
        watch.after(&rig, rig.run(&["status", "L-1", "-vv"])).exits(0);
    }
}

/// The program as a home finds it that has no protection but the program's own.
fn under_no_umask(home: &Path, arguments: &[&str]) -> Run {
    let output = Command::new("sh")
        .args(["-c", "umask 000; exec \"$0\" \"$@\"", PROGRAM])
        .args(arguments)
        .env_clear()
        .env("BIOTRACK_AUTH_HOME", home)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .unwrap();
    Run::of(output)
}

fn modes(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let it = entry.path().symlink_metadata().unwrap();
        found.push((entry.path(), it.mode() & 0o7777));
        if it.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

#[test]
fn files_are_ours_alone_whatever_the_umask() {
    let rig = Rig::unconfigured(&[]);
    let home = rig.elsewhere("new").join("home");
    let url = rig.sandbox().address();
    let init = ["config", "init", "--preset", "local-sandbox", "--url", &url, "--vault", "sealed"];
    under_no_umask(&home, &init).exits(0);
    // Killed while it waits, so that spool and mark are there to be looked at.
    let mut child = Command::new("sh")
        .args(["-c", "umask 000; exec \"$0\" \"$@\"", PROGRAM])
        .args(register("L-1", &["--no-browser"]))
        .env_clear()
        .env("BIOTRACK_AUTH_HOME", &home)
        .env("TMPDIR", rig.home())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    rig.until(|| crate::support::open_questions(&home.join("ledger.db")) == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut found = vec![(home.clone(), home.metadata().unwrap().mode() & 0o7777)];
    modes(&home, &mut found);
    let of = |name: &str| {
        found.iter().filter(|(path, _)| path.components().any(|it| it.as_os_str() == name)).count()
    };
    for name in ["config.toml", "identity.txt", "ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        assert_eq!(of(name), 1, "{name} in {found:?}");
    }
    assert_eq!((of("spool"), of("owners")), (2, 2));
    for (path, mode) in &found {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
        assert_eq!(*mode, wanted, "{} is {mode:o}", path.display());
    }
}

#[test]
fn a_link_in_the_place_of_a_file_is_refused() {
    for name in ["ledger.db", "config.toml", "identity.txt"] {
        for hard in [false, true] {
            let rig = Rig::new();
            rig.register("L-1").exits(0);
            let known = rig.truth().len();
            let target = rig.home().parent().unwrap().join(format!("target-{}", std::process::id()));
            fs::rename(rig.file(name), &target).unwrap();
            let laid =
                if hard { fs::hard_link(&target, rig.file(name)) } else { symlink(&target, rig.file(name)) };
            laid.unwrap();
            let before = fs::read(&target).unwrap();
            let run = rig.run(&["renew", "L-1", "--browser", &admin()]);
            // What a person provides may be a link of theirs to a file of theirs: it's read, and stays as it is.
            if name != "ledger.db" && !hard {
                run.exits(0);
                assert_eq!(fs::read(&target).unwrap(), before);
                assert!(rig.file(name).is_symlink());
                fs::remove_file(&target).unwrap();
                continue;
            }
            let run = run.answers_nothing();
            assert!([1, 2, 7].contains(&run.code), "{name}, hard {hard}: {run:?}");
            assert_eq!(rig.truth().len(), known, "{name}: the browser was opened");
            assert_eq!(fs::read(&target).unwrap(), before);
            fs::remove_file(&target).unwrap();
        }
    }
}

#[test]
fn a_home_or_a_file_of_another_user_is_refused() {
    for (name, exit) in [("", 2), ("config.toml", 2), ("ledger.db", 7), ("identity.txt", 7)] {
        let rig = Rig::new();
        rig.register("L-1").exits(0);
        let known = rig.truth().len();
        std::os::unix::fs::chown(rig.file(name), Some(12_345), None)
            .expect("only root may give a file away, and this test needs that");
        let run = rig.run(&["renew", "L-1", "--browser", &admin()]).exits(exit).answers_nothing();
        run.says("it belongs to another user");
        assert_eq!(rig.truth().len(), known);
        std::os::unix::fs::chown(rig.file(name), Some(0), None).unwrap();
    }
}

#[test]
fn a_file_that_others_can_read_is_refused_and_the_remedy_named() {
    for name in ["ledger.db", "identity.txt"] {
        let rig = Rig::new();
        rig.register("L-1").exits(0);
        fs::set_permissions(rig.file(name), fs::Permissions::from_mode(0o644)).unwrap();
        rig.run(&["renew", "L-1", "--browser", &admin()]).exits(7).answers_nothing().says("chmod 600");
    }
}
