//! `register`, as its users meet it.

use crate::support::{Rig, Run, admin, register};
use biotrack_auth::sandbox::Mishap;

#[test]
fn a_licence_is_registered_through_the_page() {
    let rig = Rig::new();
    rig.run(&register(
        "L-1",
        &["--name", "Hudson St", "--tag", "downstate", "--ocm-license", "OCM-RETL-24-000064"],
    ))
    .exits(0)
    .says("If Company doesn't say Treez Inc, stop.")
    .says("their password belongs on BioTrack's page only")
    .answers("Created At")
    .answers("EST");
    let it = rig.only();
    assert_eq!(it["state"], "active");
    assert_eq!(it["granted_by"], "ann@example.com");
    assert_eq!(it["expires_estimated"], false);
    assert_eq!(it["days_left"], 99);
    assert_eq!(it["tags"], serde_json::json!(["downstate"]));
    let issued = rig.truth().into_iter().find(|line| line["event"] == "token_issued").unwrap();
    assert_eq!(it["expires_at"], issued["expires_at"]);
}

#[test]
fn unattended_without_a_browser_nobody_is_asked_and_nothing_opens() {
    let rig = Rig::new();
    let run = rig.run(&["register", "--ubi", "1", "--license", "L-1", "--username", "a@b.example"]);
    run.exits(4).answers_nothing().says("--no-browser").says("--browser CMD");
    assert_eq!(rig.status()["summary"]["total"], 0);
    assert!(rig.truth().is_empty());
}

#[test]
fn missing_arguments_are_named_where_nobody_can_be_asked() {
    Rig::new().run(&["register", "--ubi", "1"]).exits(2).says("--license, --username");
}

#[test]
fn what_cannot_be_right_is_refused_and_nothing_is_kept() {
    let rig = Rig::new();
    for license in ["", "  ", "a\u{1b}[31m", &"x".repeat(65), "a\u{202e}b", "a\nb"] {
        rig.run(&register(license, &[])).exits(2).answers_nothing().says("licence");
    }
    assert_eq!(rig.status()["summary"]["total"], 0);
}

#[test]
fn odd_licences_are_kept_exactly_and_handled() {
    let rig = Rig::new();
    for license in ["../../etc/passwd", "00'; DROP TABLE authorization;--", "-D1", "%s{ubi}$(id)", "Ünï 店"]
    {
        let with_equals = format!("--license={license}");
        let arguments =
            ["register", "--ubi=604001", &with_equals, "--username=ann@example.com", "--browser", &admin()];
        rig.run(&arguments).exits(0);
        let shown = rig.run(&["status", "--json", "--", license]).exits(0).json();
        assert_eq!(shown["authorizations"][0]["license"], license);
    }
}

#[test]
fn a_likely_slip_is_noted_and_not_refused() {
    let rig = Rig::new();
    rig.register("OCM-RETL-24-000064").exits(0);
    rig.register("ocm-retl-24-000064-D1").exits(0).says("very like OCM-RETL-24-000064");
}

#[test]
fn a_password_is_never_taken() {
    let rig = Rig::new();
    let run = rig.run(&register("L-1", &["--password", "hunter2"]));
    let run = run.exits(2).says("never takes the admin user's password");
    assert!(!run.err.contains("hunter2"));
}

#[test]
fn a_registered_licence_has_renew_a_pending_and_a_deactivated_one_are_asked_again() {
    let rig = Rig::with(&[Mishap::Denied]);
    rig.register("L-1").exits(6);
    assert_eq!(rig.only()["state"], "pending");
    rig.sandbox().set_fail(&[]);
    rig.register("L-1").exits(0);
    let first = rig.only();
    rig.register("L-1").exits(2).answers_nothing().says("biotrack-auth renew 604001/L-1");
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    rig.register("L-1").exits(0);
    let again = rig.only();
    assert_eq!(again["state"], "active");
    assert!(again["created_at"].as_str().unwrap() >= first["created_at"].as_str().unwrap());
    assert_eq!(again["renewed_at"], serde_json::Value::Null);
    let history = rig.run(&["status", "L-1"]).exits(0).out;
    assert!(history.contains("deactivated"), "{history}");
}

#[test]
fn two_registers_of_one_licence_at_once_make_one_grant() {
    let rig = Rig::new();
    let gate = rig.file("go");
    let browser = format!("{} --wait {}", admin(), gate.display());
    let arguments = register("L-1", &["--browser", &browser]);
    let both = [rig.start(&arguments), rig.start(&arguments)];
    // One of them is refused while the other waits for its admin, who waits for that.
    let mut ended = Vec::new();
    let mut waiting: Vec<_> = both.into_iter().collect();
    while ended.is_empty() {
        waiting.retain_mut(|child| match child.try_wait().unwrap() {
            Some(_) => {
                ended.push(());
                let mut err = String::new();
                std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut err).unwrap();
                assert!(err.contains("is being worked on by"), "{err}");
                assert_eq!(child.wait().unwrap().code(), Some(1));
                false
            }
            None => true,
        });
        std::thread::yield_now();
    }
    std::fs::write(&gate, "").unwrap();
    Run::of(waiting.pop().unwrap().wait_with_output().unwrap()).exits(0);
    assert_eq!(rig.counted("token_issued"), 1);
    assert_eq!(rig.only()["state"], "active");
}

#[test]
fn json_carries_the_result_and_nothing_else() {
    let rig = Rig::new();
    let run = rig.run(&register("L-1", &["--json"])).exits(0);
    let answer = run.json();
    assert_eq!(answer["results"][0]["outcome"], "granted");
    assert_eq!(answer["results"][0]["exit"], 0);
    assert_eq!(answer["results"][0]["authorization"]["state"], "active");
    assert_eq!(answer["results"][0]["error"], serde_json::Value::Null);
}

#[test]
fn errors_are_json_too() {
    let rig = Rig::new();
    let answer = rig.run(&["register", "--json", "--ubi", "1"]).exits(2).json();
    assert_eq!(answer["schema"], 1);
    assert_eq!(answer["error"]["code"], "usage");
    assert_eq!(answer["error"]["exit"], 2);
    let answer = rig.run(&["status", "--json", "nobody"]).exits(9).json();
    assert_eq!(answer["error"]["code"], "not_found");
    let answer = rig.run(&["--json", "no-such-command"]).exits(2).json();
    assert_eq!(answer["error"]["code"], "usage");
}
