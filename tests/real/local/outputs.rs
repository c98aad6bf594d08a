//! S30: what is written and read by a name that the user gives. A link there is never written through, and what is no
//! plain file isn't replaced by one: `--output /dev/null`, given by root, once was the end of /dev/null.

use super::granted;
use crate::support::{Rig, outside};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Laid {
    Link,
    HardLink,
    LinkToDevice,
    Pipe,
    Folder,
}

const THINGS: [Laid; 5] = [Laid::Link, Laid::HardLink, Laid::LinkToDevice, Laid::Pipe, Laid::Folder];

fn lay(rig: &Rig, path: &Path, laid: Laid) {
    let victim = rig.elsewhere("victim");
    fs::write(&victim, "mine").unwrap();
    match laid {
        Laid::Link => symlink(victim, path).unwrap(),
        Laid::HardLink => fs::hard_link(victim, path).unwrap(),
        Laid::LinkToDevice => symlink("/dev/null", path).unwrap(),
        Laid::Pipe => assert!(outside("mkfifo").arg(path).status().unwrap().success()),
        Laid::Folder => fs::create_dir(path).unwrap(),
    }
}

#[test]
fn an_output_file_is_written_in_no_other_files_place() {
    let rig = granted(&["L-1"]);
    let recipient = rig.run(&["config", "recipients", "list", "--json"]).exits(0).json();
    let recipient = recipient["recipients"][0]["recipient"].as_str().unwrap().to_owned();
    let mut counted = 0;
    let sealed = ["export", "--with-secrets", "--backup", "--recipient", &recipient];
    for (nth, command) in
        [&["status", "--format", "csv"][..], &["status", "--format", "prometheus"], &["export"], &sealed]
            .into_iter()
            .enumerate()
    {
        for laid in THINGS {
            let path = rig.elsewhere(&format!("out-{nth}-{laid:?}"));
            lay(&rig, &path, laid);
            let before = path.symlink_metadata().unwrap();
            let mut arguments = command.to_vec();
            arguments.extend(["--output", path.to_str().unwrap()]);
            let run = rig.ends(&arguments);
            let after = path.symlink_metadata().unwrap();
            assert_eq!(fs::read(rig.elsewhere("victim")).unwrap(), b"mine", "{arguments:?}");
            if command == sealed {
                // Before a secret is read.
                assert!(run.code == 2 && run.err.contains("is never overwritten"), "{arguments:?}: {run:?}");
            }
            if command == sealed || ![Laid::Link, Laid::HardLink].contains(&laid) {
                assert!([1, 2].contains(&run.code), "{arguments:?}: {run:?}");
                assert!(run.err.contains(path.to_str().unwrap()), "{arguments:?}: {run:?}");
                assert_eq!((after.ino(), after.mode()), (before.ino(), before.mode()), "{arguments:?}");
            } else {
                // The name is the new file's, and nothing else is.
                run.exits(0);
                assert!(after.is_file() && after.nlink() == 1, "{arguments:?}");
            }
            counted += 1;
        }
    }
    assert_eq!(counted, 20);
    rig.keeps_secrets(&[]);
}

#[test]
fn a_page_is_written_in_no_other_files_place() {
    let rig = Rig::unconfigured(&[]);
    for laid in THINGS {
        let folder = rig.elsewhere(&format!("man-{laid:?}"));
        fs::create_dir(&folder).unwrap();
        lay(&rig, &folder.join("biotrack-auth.1"), laid);
        let run = rig.ends(&["man", folder.to_str().unwrap()]);
        assert_eq!(fs::read(rig.elsewhere("victim")).unwrap(), b"mine", "{laid:?}");
        let written = [Laid::Link, Laid::HardLink].contains(&laid);
        assert_eq!(run.code == 0, written, "{laid:?}: {run:?}");
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_file_to_read_may_be_anything_and_ends() {
    let rig = granted(&["L-1"]);
    let folder = rig.elsewhere("folder");
    fs::create_dir(&folder).unwrap();
    let mut counted = 0;
    for path in [folder.to_str().unwrap(), "/dev/null", "/dev/zero", "/proc/self/mem", "/nowhere"] {
        for command in [
            &["register", "--from", path, "--no-wait"][..],
            &["renew", "--from", path, "--no-wait"],
            &["import", path, "--yes"],
            &["import", path, "--yes", "--identity", path],
            &["status", "--config", path],
        ] {
            let run = rig.ends(command);
            assert!([1, 2, 7].contains(&run.code), "{command:?}: {run:?}");
            counted += 1;
        }
    }
    assert_eq!(counted, 25);
    assert_eq!(rig.only()["state"], "active");
}
