//! The admin user grants: at once, after a slip, again, and by each way back.

use super::{at_the_page, grant, register};
use crate::support::Rig;
use std::io::Write;

/// Writes more keys of the profile, which is the file's last table.
fn configure(rig: &Rig, keys: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(rig.file("config.toml")).unwrap();
    writeln!(file, "{keys}").unwrap();
}

#[test]
fn a_click_registers_the_license_and_the_page_names_it() {
    let rig = Rig::new();
    let (asked, browser) = at_the_page(&rig, &register("101-X0007-D1"));
    let facts = browser.text("dl");
    for fact in ["Treez Inc", "604001", "Integrator", "101-X0007-D1", "read_write"] {
        assert!(facts.contains(fact), "no {fact} in {facts}");
    }
    assert_eq!(browser.script("return document.getElementById('username').value"), "ann@example.com");
    grant(&browser);
    browser.headed("Access granted");
    let page = browser.text("main");
    assert!(page.contains("101-X0007-D1") && page.contains("Go back to the terminal"), "{page}");
    asked.ended().exits(0).answers("Expiration Date");
    assert_eq!(rig.only()["state"], "active");
    assert_eq!(rig.only()["granted_by"], "ann@example.com");
}

#[test]
fn a_click_renews_it() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let before = rig.only();
    let (asked, browser) = at_the_page(&rig, &["renew", "L-1", "--no-browser"]);
    grant(&browser);
    browser.headed("Access granted");
    asked.ended().exits(0).answers("Renewed");
    assert_eq!(rig.only()["created_at"], before["created_at"]);
    assert!(rig.only()["renewed_at"].is_string());
    assert_eq!(rig.counted("token_issued"), 2);
}

#[test]
fn the_way_back_may_be_named_localhost() {
    let rig = Rig::new();
    configure(&rig, "redirect.host = \"localhost\"");
    let (asked, browser) = at_the_page(&rig, &register("L-1"));
    grant(&browser);
    browser.headed("Access granted");
    assert!(browser.address().starts_with("http://localhost:"), "{}", browser.address());
    asked.ended().exits(0);
    assert_eq!(rig.only()["state"], "active");
}

#[test]
fn the_state_may_come_back_in_the_path() {
    let rig = Rig::new();
    configure(&rig, "state_in = \"path\"");
    let (asked, browser) = at_the_page(&rig, &register("L-1"));
    grant(&browser);
    browser.headed("Access granted");
    let address = browser.address();
    let state = asked.address.split(['?', '&']).find_map(|pair| pair.strip_prefix("state=")).unwrap();
    assert!(address.contains(&format!("/callback/{state}?")), "{address}");
    asked.ended().exits(0);
    assert_eq!(rig.only()["state"], "active");
}
