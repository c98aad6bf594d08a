//! What the pages hold, load and let in: no script, nothing from elsewhere, and every value as text.

use super::{Browser, at_the_page, grant, register};
use crate::support::Rig;

/// Everything in the page that would run or fetch something.
const ACTIVE: &str = "return document.querySelectorAll('script, link, img, iframe, object, embed, video, audio, \
                      [src], [style], [onclick], [onload], [onerror], [onsubmit]').length";

#[track_caller]
fn is_quiet(browser: &Browser) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
    is_inert(browser);
}

#[track_caller]
fn is_inert(browser: &Browser) {
    assert_eq!(browser.script(ACTIVE), 0);
    // Its one style is let through by the policy.
    assert_eq!(browser.script("return document.styleSheets.length"), 1);
}

#[test]
fn the_pages_run_nothing_and_load_nothing_from_elsewhere() {
    let rig = Rig::new();
    let (asked, browser) = at_the_page(&rig, &register("L-1"));
    is_quiet(&browser);
    browser.enter("#ubi", "604001");
    browser.enter("#password", "wrong");
    browser.click("#grant");
    // The console notes the status under which a wrong password is told, and nothing else. Both pages have one
    // heading, so that this alone says that the second is there.
    let complaints = browser.awaited_complaints();
    assert!(complaints.len() == 1 && complaints[0].contains("status of 422"), "{complaints:?}");
    browser.headed("Grant Access");
    is_inert(&browser);
    grant(&browser);
    browser.headed("Access granted");
    is_quiet(&browser);

    let address = browser.address();
    assert!(address.starts_with("http://127.0.0.1:") && address.contains("/callback?"), "{address}");
    let sandbox = rig.sandbox().address();
    assert!(!address.starts_with(&sandbox));
    let page = browser.script("return document.documentElement.outerHTML");
    let code = address.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).unwrap();
    assert!(!page.as_str().unwrap().contains(code));

    let (here, back) = (format!("{sandbox}/"), address.split('?').next().unwrap());
    for url in browser.requested() {
        // A new tab's own page comes first.
        let own = ["about:", "data:", "chrome:"].iter().any(|scheme| url.starts_with(scheme));
        assert!(own || url.starts_with(&here) || url.starts_with(back), "{url}");
    }
    asked.ended().exits(0);
}

#[test]
fn markup_in_a_license_is_shown_as_it_is() {
    const LICENSE: &str = "<b>x</b>&\"'";
    for end in ["#grant", "#refuse"] {
        let rig = Rig::new();
        let (asked, browser) = at_the_page(&rig, &register(LICENSE));
        assert!(browser.text("dl").contains(LICENSE), "{}", browser.text("dl"));
        browser.enter("#ubi", "604001");
        browser.enter("#password", "sandbox");
        browser.click(end);
        browser.headed(if end == "#grant" { "Access granted" } else { "Not authorized" });
        // The one bold thing is the license, and it is text alone.
        assert_eq!(browser.text("main b"), LICENSE);
        assert_eq!(browser.script("return document.querySelectorAll('b').length"), 1);
        is_quiet(&browser);
        asked.ended().exits(if end == "#grant" { 0 } else { 6 });
        assert_eq!(rig.only()["license"], LICENSE);
    }
}

#[test]
fn a_stranger_at_the_listener_is_shown_a_page_and_nothing_more() {
    let rig = Rig::new();
    let (asked, browser) = at_the_page(&rig, &register("L-1"));
    let back = browser.script("return new URL(location).searchParams.get('redirect_uri')");
    let back = back.as_str().unwrap();
    browser.open(&format!("{back}?code=stolen&state=guessed"));
    browser.headed("This address was ignored");
    browser.open(&asked.address);
    grant(&browser);
    browser.headed("Access granted");
    asked.ended().exits(0);
    assert_eq!(rig.counted("token_issued"), 1);
}
