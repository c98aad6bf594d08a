//! Every page as people use it who see little, hear the page, or have no mouse: npm's axe-core finds nothing against it, in
//! light and in dark, wide and narrow, and what can be done is done by keys.

use super::{Browser, at_the_page, grant, register};
use crate::support::Rig;
use crate::support::asked::Asked;
use biotrack_auth::sandbox::Mishap;
use serde_json::json;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// axe-core's own text, where `tests/run` puts it.
fn axe() -> String {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/peers/axe-core/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(path).expect("axe-core isn't installed: tests/run installs it")
}

/// The page that the browser is at has nothing that axe-core knows to keep people from using it.
#[track_caller]
pub fn is_for_everybody(browser: &Browser) {
    let axe = axe();
    let address = browser.address();
    for scheme in ["light", "dark"] {
        for width in [1280, 400] {
            browser.prefers(scheme);
            browser.resize(width, 900);
            browser.script(&axe);
            let against = browser.script(
                "return axe.run().then(({ violations, passes }) => [passes.length, violations.flatMap(
                    (it) => it.nodes.map((node) => `${it.id}: ${node.html} ${node.failureSummary}`))])",
            );
            assert_eq!(against[1], json!([]), "{address}, {scheme}, {width} wide");
            // It really looked.
            assert!(against[0].as_u64().is_some_and(|passes| passes > 10), "{against}");
            let wide = browser.script("return document.documentElement.scrollWidth - innerWidth");
            assert!(wide.as_i64().is_some_and(|wide| wide <= 0), "{address}: {wide} px don't fit in {width}");
        }
    }
    browser.resize(1280, 900);
}

/// Presses Tab through the page: what has the focus, in its order, each time with a ring around it that is seen.
#[track_caller]
pub fn tabbed(browser: &Browser) -> Vec<String> {
    const FOCUSED: &str = "
        const it = document.activeElement, style = getComputedStyle(it);
        if (it === document.body) return null;
        const ring = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
        return [it.id || it.getAttribute('value') || it.innerText.trim() || it.name, ring];";
    let mut found: Vec<String> = Vec::new();
    loop {
        browser.press(TAB);
        let focused = browser.script(FOCUSED);
        let Some(name) = focused[0].as_str() else { return found };
        assert_eq!(focused[1], true, "no ring around {name}");
        if found.first().is_some_and(|first| first == name) {
            return found;
        }
        found.push(name.to_owned());
        assert!(found.len() < 100, "Tab never comes round: {found:?}");
    }
}

#[test]
fn the_grant_access_page_and_its_answer_are_for_everybody() {
    let rig = Rig::new();
    let (asked, browser) = at_the_page(&rig, &register("101-X0007-D1"));
    is_for_everybody(&browser);
    browser.enter("#ubi", "604001");
    browser.enter("#password", "swordfish");
    browser.click("#grant");
    browser.until("return document.querySelector('[aria-invalid=true]') !== null");
    is_for_everybody(&browser);
    grant(&browser);
    browser.headed("Access granted");
    is_for_everybody(&browser);
    asked.ended().exits(0);
}

#[test]
fn keys_alone_grant_access() {
    let rig = Rig::new();
    let (asked, browser) = at_the_page(&rig, &register("101-X0007-D1"));
    browser.script("document.activeElement.blur()");
    assert_eq!(tabbed(&browser), ["ubi", "username", "password", "grant", "refuse"]);
    browser.script("document.getElementById('ubi').focus()");
    for key in "604001".chars() {
        browser.press(&key.to_string());
    }
    browser.press(TAB);
    browser.press(TAB);
    for key in "sandbox".chars() {
        browser.press(&key.to_string());
    }
    browser.press(ENTER);
    browser.headed("Access granted");
    asked.ended().exits(0);
    assert_eq!(rig.only()["state"], "active");
}

#[test]
fn each_other_answer_is_for_everybody() {
    for (mishap, heading) in [
        (Mishap::WrongLocation, "Not authorized"),
        (Mishap::OtherUser, "Waiting for approval"),
        (Mishap::ServerError, ""),
        (Mishap::Denied, "Not authorized"),
    ] {
        let rig = Rig::with(&[mishap]);
        let (asked, browser) = at_the_page(&rig, &register("101-X0007-D1"));
        grant(&browser);
        browser.until("return document.querySelector('#grant') === null");
        browser.headed(heading);
        is_for_everybody(&browser);
        drop(asked);
    }
}

#[test]
fn what_strangers_get_is_for_everybody() {
    let rig = Rig::new();
    let asked = Asked::start(&rig, &register("101-X0007-D1"));
    let browser = Browser::start();
    for path in ["callback?state=nobodys&code=x", "elsewhere"] {
        browser.open(&format!("http://127.0.0.1:{}/{path}", asked.port()));
        is_for_everybody(&browser);
    }
    // And the stand-in's own refusal of an address that somebody has changed.
    browser.open(&asked.address.replace("client_id=", "client_id=x"));
    is_for_everybody(&browser);
}
