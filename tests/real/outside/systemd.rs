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

#[test]
fn systemd_calls_the_services_well_walled() {
    let folder = tempfile::tempdir().unwrap();
    for unit in laid_out(folder.path()).iter().filter(|unit| unit.extension().unwrap() == "service") {
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
