//! `register`, as its users meet it.

use crate::support::{Rig, Run, admin, register};

#[test]
fn a_license_is_registered_through_the_page() {
    let rig = Rig::new();
    rig.run(&register(
        "L-1",
        &["--name", "Hudson St", "--tag", "downstate", "--ocm-license", "OCM-RETL-24-000064"],
    ))
    .exits(0)
    .says("If Company doesn't say Treez Inc, stop.")
    .says("enters the password on BioTrack's page only")
    .answers("Created At")
    .answers("EST");
    let it = rig.only();
    assert_eq!(it["state"], "active");
    assert_eq!(it["granted_by"], "ann@example.com");
    assert_eq!(it["expires_estimated"], false);
    assert_eq!(it["days_left"], 100);
    assert_eq!(it["tags"], serde_json::json!(["downstate"]));
    let issued = rig.truth().into_iter().find(|line| line["event"] == "token_issued").unwrap();
    assert_eq!(it["expires_at"], issued["expires_at"]);
}

#[test]
fn two_registers_of_one_license_at_once_make_one_grant() {
    let rig = Rig::new();
    let gate = rig.file("go");
    let browser = format!("{} --wait {}", admin(), gate.display());
    let arguments = register("L-1", &["--browser", &browser]);
    let both = [rig.start(&arguments), rig.start(&arguments)];
    // One of them is refused while the other waits for its admin, who waits for that.
    let mut waiting: Vec<_> = both.into_iter().collect();
    rig.until(|| {
        waiting.retain_mut(|child| match child.try_wait().unwrap() {
            Some(_) => {
                let mut err = String::new();
                std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut err).unwrap();
                assert!(err.contains("is busy: "), "{err}");
                assert_eq!(child.wait().unwrap().code(), Some(1));
                false
            }
            None => true,
        });
        waiting.len() < 2
    });
    std::fs::write(&gate, "").unwrap();
    Run::of(waiting.pop().unwrap().wait_with_output().unwrap()).exits(0);
    assert_eq!(rig.counted("token_issued"), 1);
    assert_eq!(rig.only()["state"], "active");
}

#[test]
fn errors_are_json_too() {
    let rig = Rig::new();
    let answer = rig.run(&["register", "--json", "--ubi", "1"]).exits(2).json();
    assert_eq!(answer["schema"], 2);
    assert_eq!(answer["error"]["code"], "usage");
    assert_eq!(answer["error"]["exit"], 2);
    let answer = rig.run(&["status", "--json", "nobody"]).exits(9).json();
    assert_eq!(answer["error"]["code"], "not_found");
    let answer = rig.run(&["--json", "no-such-command"]).exits(2).json();
    assert_eq!(answer["error"]["code"], "usage");
}
