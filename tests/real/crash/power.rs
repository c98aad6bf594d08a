//! The power is cut: each command that talks to the provider is killed at a call that writes or talks, on a file system of
//! its own (ext4 on a loop device), whose image is copied at once. What had reached the device is mounted from the copy, and
//! the commands that follow belong to another start of the machine. CI takes a few points of each kind;
//! `BIOTRACK_TEST_ALL=1` takes all. Only root mounts a disk: somebody else is told that it isn't tried.

use super::points::at_each_point_slowly;
use super::truth::{
    Found, LICENSE, go_on, holds, holds_given_up, holds_in_use, holds_refreshed, is_recovered, is_whole,
};
use crate::hostile::granted;
use crate::support::{Rig, admin, register};
use biotrack_auth::sandbox::Mishap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A disk of the home's own.
struct Disk {
    image: PathBuf,
    home: PathBuf,
}

impl Disk {
    /// An empty one, in the place of a home that is still empty.
    fn under(rig: &Rig) -> Self {
        let disk = Self { image: rig.elsewhere("disk"), home: rig.home().to_owned() };
        std::fs::File::create(&disk.image).unwrap().set_len(32 << 20).unwrap();
        done(Command::new("/usr/sbin/mkfs.ext4").arg("-q").arg(&disk.image));
        disk.mount();
        // The program's folder is its owner's alone, and a disk's is everybody's.
        done(Command::new("chmod").arg("700").arg(&disk.home));
        disk
    }

    /// What has reached the device by now is all that there is from here on.
    fn is_cut_off(&mut self) {
        let left = self.image.with_extension("left");
        done(Command::new("cp").arg("--sparse=always").args([&self.image, &left]));
        unmount(&self.home);
        self.image = left;
        self.mount();
    }

    fn mount(&self) {
        done(Command::new("mount").args(["-o", "loop"]).args([&self.image, &self.home]));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.home);
    }
}

fn unmount(at: &Path) {
    done(Command::new("umount").arg("--lazy").arg(at));
}

#[track_caller]
fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A home on a disk of its own. The disk goes first.
fn rig() -> (Disk, Rig) {
    let rig = Rig::unconfigured(&[]);
    let disk = Disk::under(&rig);
    rig.initialize("sealed");
    (disk, rig)
}

/// Cuts the power at each point of a command; `prepare` makes what there is before it, `judge` says how it stands after.
fn is_cut_at_each_point(
    command: &str,
    prepare: impl Fn(&Rig),
    arguments: impl Fn(&Rig) -> Vec<String>,
    judge: impl Fn(&Rig, usize) -> Found,
) {
    is_cut_in_phases(command, 3, prepare, arguments, judge);
}

/// The same of a command that is hit in so many phases.
fn is_cut_in_phases(
    command: &str,
    phases: usize,
    prepare: impl Fn(&Rig),
    arguments: impl Fn(&Rig) -> Vec<String>,
    judge: impl Fn(&Rig, usize) -> Found,
) {
    #[expect(clippy::disallowed_macros, reason = "what wasn't tried is said")]
    if !rustix::process::geteuid().is_root() {
        return println!("{command}: not tried, for only root mounts a disk");
    }
    let whole = {
        let (_disk, rig) = rig();
        prepare(&rig);
        let arguments = arguments(&rig);
        rig.calls(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    at_each_point_slowly(command, phases, &whole, |call, nth| {
        let (mut disk, mut rig) = rig();
        prepare(&rig);
        let arguments = arguments(&rig);
        let known = rig.truth().len();
        done(Command::new("sync").arg("--file-system").arg(rig.home()));
        rig.killed(call, nth, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).then(|| {
            disk.is_cut_off();
            rig.starts_anew();
            judge(&rig, known)
        })
    });
}

fn words(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&word| word.to_owned()).collect()
}

fn registered(rig: &Rig) {
    rig.register(LICENSE).exits(0);
}

#[test]
fn register_is_cut_off_everywhere() {
    let arguments = register(LICENSE, &[]);
    is_cut_at_each_point(
        "register, power",
        |_| {},
        |_| words(&arguments),
        |rig, known| {
            let found = holds(rig, known);
            if found != Found::Done {
                go_on(rig, &arguments);
            }
            found
        },
    );
}

#[test]
fn renew_is_cut_off_everywhere() {
    let browser = admin();
    let arguments = ["renew", LICENSE, "--browser", &browser];
    is_cut_at_each_point(
        "renew, power",
        registered,
        |_| words(&arguments),
        |rig, known| {
            let found = holds(rig, known);
            go_on(rig, &arguments);
            is_whole(rig);
            found
        },
    );
}

#[test]
fn renew_of_all_is_cut_off_everywhere() {
    let browser = admin();
    let arguments = ["renew", "--all", "--browser", &browser];
    is_cut_at_each_point(
        "renew --all, power",
        registered,
        |_| words(&arguments),
        |rig, known| {
            let found = holds(rig, known);
            go_on(rig, &["renew", LICENSE]);
            is_whole(rig);
            found
        },
    );
}

#[test]
fn a_refresh_is_cut_off_everywhere() {
    is_cut_at_each_point(
        "token, power",
        |rig| {
            rig.adds_to_profile("timeout = \"1s\"");
            registered(rig);
        },
        // Longer than any access token lives: it refreshes.
        |_| words(&["token", LICENSE, "--min-valid", "60m"]),
        |rig, known| {
            let found = holds_refreshed(rig, known);
            is_recovered(rig);
            found
        },
    );
}

#[test]
fn deactivate_is_cut_off_everywhere() {
    is_cut_at_each_point(
        "deactivate, power",
        registered,
        |_| words(&["deactivate", LICENSE, "--yes"]),
        |rig, known| {
            let found = holds_given_up(rig, known);
            go_on(rig, &["deactivate", LICENSE, "--yes"]);
            found
        },
    );
}

/// A grant of another admin awaits approval.
fn awaiting(rig: &Rig) {
    registered(rig);
    rig.sandbox().set_fail(&[Mishap::OtherUser]);
    rig.run(&["renew", LICENSE, "--browser", &admin()]).exits(6);
    rig.sandbox().set_fail(&[]);
}

#[test]
fn accepting_and_discarding_are_cut_off_everywhere() {
    for (verb, phases) in [("renew", 2), ("deactivate", 3)] {
        let arguments = [verb, LICENSE, "--awaiting", "--yes"];
        is_cut_in_phases(
            &format!("{verb} --awaiting, power"),
            phases,
            awaiting,
            |_| words(&arguments),
            |rig, _| {
                let found = holds_in_use(rig);
                rig.run(&arguments).exits(0);
                assert_eq!(holds_in_use(rig), Found::Done);
                found
            },
        );
    }
}

#[test]
fn complete_is_cut_off_everywhere() {
    is_cut_at_each_point(
        "complete, power",
        |_| {},
        |rig| {
            let link = register(LICENSE, &["--no-browser"]);
            let link: Vec<_> =
                link.into_iter().filter(|it| *it != "--no-browser").chain(["--no-wait", "-q"]).collect();
            let link = rig.run(&link).exits(0).out.trim_end().to_owned();
            words(&["complete", granted(&link).as_str()])
        },
        |rig, known| {
            let found = holds(rig, known);
            if found != Found::Done {
                go_on(rig, &register(LICENSE, &[]));
            }
            found
        },
    );
}
