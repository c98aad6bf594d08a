//! The admin user refuses, or slips and is told beside the field.

use super::{at_the_page, grant, register};
use crate::support::Rig;
use serde_json::json;

/// The field that is marked as wrong, the message beside it that it points at, and what has the focus.
const WRONG: &str = "
    const field = document.querySelector('[aria-invalid=true]');
    if (field !== document.activeElement) return null;
    const message = field.closest('.field').querySelector('[role=alert]');
    const named = field.getAttribute('aria-describedby').split(' ').includes(message.id);
    return [field.id, named ? message.innerText : 'another', document.activeElement.id];";

#[test]
fn a_refusal_is_said_on_both_sides_and_nothing_is_stored() {
    let rig = Rig::new();
    let (asked, browser) = at_the_page(&rig, &register("101-X0007-D1"));
    browser.click("#refuse");
    browser.headed("Not authorized");
    let page = browser.text("main");
    assert!(page.contains("101-X0007-D1") && page.contains("Go back to the terminal"), "{page}");
    asked.ended().exits(6).answers_nothing();
    assert_eq!(rig.only()["state"], "pending");
    assert_eq!(rig.counted("token_issued"), 0);
}

#[test]
fn a_refused_renewal_leaves_the_grant() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let before = rig.only();
    let (asked, browser) = at_the_page(&rig, &["renew", "L-1", "--no-browser"]);
    browser.click("#refuse");
    browser.headed("Not authorized");
    asked.ended().exits(6);
    assert_eq!(rig.only(), before);
}

#[test]
fn a_wrong_password_is_told_beside_the_field_and_the_right_one_goes_through() {
    let rig = Rig::new();
    let (asked, browser) = at_the_page(&rig, &register("L-1"));
    browser.enter("#ubi", "604001");
    browser.enter("#password", "swordfish");
    browser.click("#grant");
    browser.headed("Grant Access");
    assert_eq!(browser.until(WRONG), json!(["password", "The password is wrong.", "password"]));
    // What was right stays, the password doesn't.
    assert_eq!(browser.script("return document.getElementById('ubi').value"), "604001");
    assert_eq!(browser.script("return document.getElementById('password').value"), "");
    grant(&browser);
    browser.headed("Access granted");
    asked.ended().exits(0);
    assert_eq!(rig.only()["state"], "active");
}

#[test]
fn a_wrong_ubi_is_told_beside_the_field() {
    let rig = Rig::new();
    let (asked, browser) = at_the_page(&rig, &register("L-1"));
    browser.enter("#ubi", "604002");
    browser.enter("#password", "sandbox");
    browser.click("#grant");
    browser.headed("Grant Access");
    assert_eq!(browser.until(WRONG), json!(["ubi", "This isn’t the UBI shown above.", "ubi"]));
    grant(&browser);
    browser.headed("Access granted");
    asked.ended().exits(0);
}

#[test]
fn an_empty_field_is_stopped_by_the_browser_itself() {
    let rig = Rig::new();
    let (asked, browser) = at_the_page(&rig, &register("L-1"));
    // A page under load may miss a click; a person clicks again.
    rig.until(|| {
        browser.click("#grant");
        browser.script("return document.querySelector(':user-invalid')?.id ?? ''") == "ubi"
    });
    // What is refused is the code that tests the client, before anybody was asked.
    assert_eq!(rig.counted("refused"), 1);
    drop(asked);
}
