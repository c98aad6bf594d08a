//! S30: something else lies where a file or folder of the program should: a link, a second name, a pipe, a folder, another
//! user's, or one that others may write. It's refused, with a word about it, or made right; nothing is written through it,
//! no browser is opened, and nothing hangs.

use super::granted;
use crate::support::{Rig, Run, admin, outside};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Laid {
    Link,
    LinkToNothing,
    HardLink,
    Pipe,
    Folder,
    File,
    Others,
    Mode(u32),
}

const FILES: [&str; 5] = ["config.toml", "identity.txt", "ledger.db", "ledger.db-wal", "ledger.db-shm"];
const IN_A_FILES_PLACE: [Laid; 9] = [
    Laid::Link,
    Laid::LinkToNothing,
    Laid::HardLink,
    Laid::Pipe,
    Laid::Folder,
    Laid::Others,
    Laid::Mode(0o604),
    Laid::Mode(0o620),
    Laid::Mode(0o602),
];
/// The home itself, and what is made in it.
const FOLDERS: [&str; 4] = ["", "spool", "owners", "claims"];
/// The home may be a link of ours: see `containers`.
const HOME: &str = FOLDERS[0];
const IN_A_FOLDERS_PLACE: [Laid; 7] = [
    Laid::Link,
    Laid::LinkToNothing,
    Laid::Pipe,
    Laid::File,
    Laid::Others,
    Laid::Mode(0o770),
    Laid::Mode(0o707),
];

/// Lays it; where what was there is now, if it still is.
fn lay(path: &Path, aside: &Path, laid: Laid) -> Option<PathBuf> {
    match laid {
        Laid::Others => chown(path, Some(12_345), None).expect("only root may give a file away"),
        Laid::Mode(mode) => fs::set_permissions(path, Permissions::from_mode(mode)).unwrap(),
        Laid::HardLink => fs::hard_link(path, aside).unwrap(),
        _ => fs::rename(path, aside).unwrap(),
    }
    match laid {
        Laid::Link => symlink(aside, path).unwrap(),
        Laid::LinkToNothing => symlink(aside.with_extension("nothing"), path).unwrap(),
        Laid::Pipe => {
            let mode = "--mode=600";
            assert!(outside("mkfifo").args([mode.as_ref(), path.as_os_str()]).status().unwrap().success());
        }
        Laid::Folder => fs::DirBuilder::new().create(path).unwrap(),
        Laid::File => {
            fs::write(path, "a file").unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        }
        _ => {}
    }
    aside.symlink_metadata().is_ok().then(|| aside.into())
}

/// Everything below a path, by name: what it holds and its mode.
fn seen(path: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let found = path.symlink_metadata().unwrap();
    let mode = found.mode();
    if !found.is_dir() {
        // What reads the ledger through a link to its folder marks its place in SQLite's index of the log.
        let index = path.to_string_lossy().ends_with("-shm");
        let bytes = if index { Vec::new() } else { fs::read(path).unwrap() };
        return vec![(path.into(), mode, bytes)];
    }
    let mut below: Vec<_> = fs::read_dir(path).unwrap().map(|it| it.unwrap().path()).collect();
    below.sort();
    let below = below.iter().flat_map(|it| seen(it));
    std::iter::once((path.into(), mode, Vec::new())).chain(below).collect()
}

/// Lays each thing in each place in turn, and lets commands meet it.
fn each(names: &[&str], things: &[Laid], mut meet: impl FnMut(&Rig, &str, Laid)) -> usize {
    let rig = granted(&["L-1"]);
    for folder in FOLDERS {
        fs::create_dir_all(rig.file(folder)).unwrap();
        fs::set_permissions(rig.file(folder), Permissions::from_mode(0o700)).unwrap();
    }
    rig.age("L-1");
    let (kept, aside) = (rig.snapshot(), tempfile::tempdir().unwrap());
    let mut counted = 0;
    for name in names {
        for laid in things.iter().filter(|laid| (*name, **laid) != (HOME, Laid::Link)) {
            rig.put_back(&kept);
            let what = aside.path().join(format!("{counted}"));
            let path = match *name {
                "" => rig.home().to_owned(),
                name => rig.file(name),
            };
            let aside = lay(&path, &what, *laid);
            let before = aside.as_deref().map(seen);
            meet(&rig, name, *laid);
            assert_eq!(aside.as_deref().map(seen), before, "{name} {laid:?}: written through it");
            counted += 1;
        }
    }
    rig.put_back(&kept);
    // The control: with nothing laid, what was refused is done.
    rig.ends(&["renew", "L-1", "--browser", &admin()]).exits(0);
    counted
}

/// A person or the system provides it, and may do that by a link.
fn is_provided(name: &str) -> bool {
    ["config.toml", "identity.txt"].contains(&name)
}

/// It says what is wrong, and where: by a file's name, or in JSON's error.
#[track_caller]
fn refused(run: Run, name: &str, laid: Laid) {
    assert!([2, 7].contains(&run.code), "{name} {laid:?}: {run:?}");
    assert!(run.err.contains(name), "{name} {laid:?}: {run:?}");
    assert_eq!(run.out, "", "{name} {laid:?}");
}

#[test]
fn what_lies_in_a_files_place_is_refused() {
    let counted = each(&FILES, &IN_A_FILES_PLACE, |rig, name, laid| {
        let known = rig.truth().len();
        rig.ends(&["status"]);
        // The configuration holds no secret; and it may, as an identity, be a link of ours to one of ours.
        if (name, laid) == ("config.toml", Laid::Mode(0o604)) || is_provided(name) && laid == Laid::Link {
            rig.ends(&["config", "recipients", "list"]).exits(0);
            return;
        }
        refused(rig.ends(&["renew", "L-1", "--browser", &admin()]), name, laid);
        refused(rig.ends(&["token", "L-1"]), name, laid);
        assert_eq!(rig.truth().len(), known, "{name} {laid:?}: the provider was talked to");
        assert_ne!(rig.ends(&["doctor"]).code, 0, "{name} {laid:?}: doctor finds nothing");
    });
    assert_eq!(counted, 45);
}

#[test]
fn what_lies_in_a_folders_place_is_refused_or_closed() {
    let counted = each(&FOLDERS, &IN_A_FOLDERS_PLACE, |rig, name, laid| {
        let known = rig.truth().len();
        let command: &[&str] = match name {
            "claims" => &["token", "L-1"],
            _ => &["renew", "L-1", "--browser", &admin()],
        };
        if name.is_empty() && matches!(laid, Laid::Mode(_)) {
            // Others could have laid another configuration there: a person closes it.
            refused(rig.ends(command), "chmod go-w", laid);
        }
        for arguments in [&["status"][..], &["doctor"], &["doctor", "--fix"]] {
            rig.ends(arguments);
        }
        let run = rig.ends(command);
        if matches!(laid, Laid::Mode(_)) {
            // The home was put back, the provider wasn't: 4 is a refresh token that an earlier case has rotated.
            assert!(run.code == 0 || name == "claims" && run.code == 4, "{name} {laid:?}: {run:?}");
            assert_eq!(rig.file(name).metadata().unwrap().mode() & 0o777, 0o700, "{name}");
        } else {
            refused(run, name, laid);
            assert_eq!(rig.truth().len(), known, "{name} {laid:?}: the provider was talked to");
        }
    });
    assert_eq!(counted, 27);
}

#[test]
fn what_lies_in_the_folders_is_neither_followed_nor_waited_for() {
    let rig = granted(&["L-1"]);
    for folder in ["owners", "spool"] {
        fs::create_dir_all(rig.file(folder)).unwrap();
        fs::set_permissions(rig.file(folder), Permissions::from_mode(0o700)).unwrap();
    }
    let kept = rig.snapshot();
    let target = rig.elsewhere("target");
    fs::write(&target, "mine").unwrap();
    for folder in ["owners", "spool"] {
        for laid in [Laid::Link, Laid::LinkToNothing, Laid::Pipe, Laid::Folder] {
            rig.put_back(&kept);
            let place = rig.file(folder).join("laid");
            fs::write(&place, "").unwrap();
            lay(&place, &rig.elsewhere("aside"), laid);
            for arguments in
                [&["status"][..], &["doctor"], &["doctor", "--fix"], &["renew", "L-1", "--browser", &admin()]]
            {
                rig.ends(arguments);
            }
            assert_eq!(fs::read(rig.elsewhere("aside")).unwrap(), b"", "{folder} {laid:?}");
        }
    }
    assert_eq!(fs::read(&target).unwrap(), b"mine");
}

#[test]
fn an_identity_named_elsewhere_is_looked_at_as_sharply() {
    let rig = granted(&["L-1"]);
    let named = rig.elsewhere("identity.txt");
    for laid in IN_A_FILES_PLACE {
        let _ = fs::remove_file(&named);
        let _ = fs::remove_dir(&named);
        let _ = fs::remove_file(rig.elsewhere("aside"));
        fs::copy(rig.file("identity.txt"), &named).unwrap();
        let mut command = rig.under(&[], &["token", "L-1"]);
        command.env("BIOTRACK_AUTH_IDENTITY", &named);
        Run::of(command.output().unwrap()).calmly(&["token"]).exits(0);
        lay(&named, &rig.elsewhere("aside"), laid);
        if laid == Laid::Link {
            Run::of(command.output().unwrap()).calmly(&["token"]).exits(0);
            continue;
        }
        refused(Run::of(command.output().unwrap()).calmly(&["token"]), "identity.txt", laid);
    }
}
