//! `register`, in this process.

use crate::rig::{Person, Rig, Visit, register};
use crate::snapshot;

#[test]
fn one_license_is_granted() {
    let rig = Rig::new();
    snapshot!(rig.run(&register("101-X0007-D1")));
    assert_eq!(
        rig.provider.log(),
        ["consented 101-X0007-D1 by ann@example.com: code-1", "issued 101-X0007-D1: access-1"]
    );
}

#[test]
fn one_license_is_granted_as_json() {
    let rig = Rig::new();
    snapshot!(rig.run(&format!("{} --json", register("101-X0007-D1"))));
}

#[test]
fn the_admin_says_no() {
    let rig = Rig::new();
    rig.visits([Visit::Denies]);
    snapshot!(rig.run(&register("101-X0007-D1")));
}

#[test]
fn a_person_is_asked_for_what_is_not_given() {
    let rig = Rig::new();
    let answers = [("UBI", "604001"), ("icen", "101-X0007-D1"), ("ser", "ann@example.com")];
    snapshot!(rig.with(Person::answering(&answers)).run("register"));
}
