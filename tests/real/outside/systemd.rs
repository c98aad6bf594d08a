//! systemd on the shipped units, and sudo on the shipped rule.

use super::{read, shipped};
use crate::support::{PROGRAM, Run, outside};
use std::fs;

const UNITS: [&str; 6] = [
    "systemd/biotrack-auth.service",
    "systemd/biotrack-auth.timer",
    "systemd/biotrack-auth-mail@.service",
    "systemd/biotrack-auth-listen.service",
    "prometheus/biotrack-auth-textfile.service",
    "prometheus/biotrack-auth-textfile.timer",
];

/// The units with the program where it's here, and the pages they name where `man` finds them.
fn laid_out(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    fs::create_dir(folder.join("man1")).unwrap();
    for page in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/man")).unwrap() {
        let page = page.unwrap();
        fs::copy(page.path(), folder.join("man1").join(page.file_name())).unwrap();
    }
    let lay = |unit: &str| {
        let path = folder.join(unit.rsplit('/').next().unwrap());
        fs::write(&path, read(unit).replace("/usr/bin/biotrack-auth", PROGRAM)).unwrap();
        path
    };
    UNITS.map(lay).into()
}

#[test]
fn systemd_finds_nothing_wrong_in_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let mut analyze = outside("systemd-analyze");
    analyze.arg("verify").args(laid_out(folder.path())).env("MANPATH", folder.path());
    let run = Run::of(analyze.output().unwrap());
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));
}

/// What has no walls, so that mailers and hooks work: all else has.
const UNWALLED: [&str; 2] = ["biotrack-auth.service", "biotrack-auth-mail@.service"];

#[test]
fn systemd_calls_the_services_well_walled() {
    let folder = tempfile::tempdir().unwrap();
    let is_walled = |unit: &&std::path::PathBuf| {
        let name = unit.file_name().unwrap().to_str().unwrap();
        name.ends_with(".service") && !UNWALLED.contains(&name)
    };
    for unit in laid_out(folder.path()).iter().filter(is_walled) {
        let mut analyze = outside("systemd-analyze");
        // 0 is best, 10 worst; it fails above the threshold (here 2.5).
        analyze.args(["security", "--offline=yes", "--threshold=25"]).arg(unit);
        Run::of(analyze.output().unwrap()).exits(0).answers("Overall exposure level");
    }
}

#[test]
fn sudo_finds_nothing_wrong_in_its_rule() {
    let mut visudo = outside("visudo");
    visudo.arg("-cf").arg(shipped("monitoring/biotrack-auth.sudoers"));
    Run::of(visudo.output().unwrap()).exits(0).answers("parsed OK");
}

/// Where hooks and mailers run: systemd.exec(5) names what implies NoNewPrivileges=yes, NoNewPrivileges=.
#[test]
fn nothing_keeps_a_mailer_from_its_group_where_hooks_are_run() {
    for unit in UNWALLED.map(|unit| read(&format!("systemd/{unit}"))) {
        for setting in [
            "NoNewPrivileges",
            "DynamicUser",
            "LockPersonality",
            "MemoryDenyWriteExecute",
            "Private",
            "Protect",
            "Restrict",
            "SystemCall",
            "CapabilityBoundingSet",
        ] {
            assert!(!unit.lines().any(|line| line.starts_with(setting)), "{setting}: {unit}");
        }
    }
}

/// The unit's own command, with a journal and a mailer that are files here.
#[test]
fn what_a_failed_unit_has_said_is_mailed() {
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, script: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        Run::of(outside("chmod").arg("755").arg(&path).output().unwrap()).exits(0);
        path.display().to_string()
    };
    let mail = folder.path().join("mail");
    let sendmail = program("sendmail", &format!("exec cat > {}", mail.display()));
    program("journalctl", "echo \"$@\"; echo 'BIOTRACK CRITICAL: 1 expired'");
    let unit = read("systemd/biotrack-auth-mail@.service");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/bin/sh -c '")).unwrap();
    let command = command
        .trim_end_matches('\'')
        .replace("%i", "biotrack-auth.service")
        .replace("%H", "auth.example.com")
        .replace("/usr/sbin/sendmail", &sendmail);
    let mut sh = outside("sh");
    sh.args(["-c", &command]).env("MAILTO", "ops@example.com");
    sh.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
    Run::of(sh.output().unwrap()).exits(0);
    assert_eq!(
        fs::read_to_string(mail).unwrap(),
        "To: ops@example.com\nSubject: biotrack-auth.service on auth.example.com\n\n\
         --unit biotrack-auth.service --since -15min --output cat --no-pager\nBIOTRACK CRITICAL: 1 expired\n"
    );
    assert!(read("systemd/biotrack-auth.service").contains("\nOnFailure=biotrack-auth-mail@%n.service\n"));
}
