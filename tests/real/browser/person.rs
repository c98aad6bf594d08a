//! A person renews three licenses from the worklist: the program, its page, BioTrack's page, a real browser.

use super::{Browser, grant};
use crate::support::Rig;
use crate::support::screen::Screen;
use crate::support::seed::named;
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::ids::Username;
use jiff::SignedDuration;

/// The words in a license's row.
fn row(license: &str) -> String {
    format!(
        "[...document.querySelectorAll('[role=row],tr')].find(row => row.innerText.includes('{license}'))"
    )
}

/// Clicks a license's link or button, which may open a tab; goes there.
fn press(browser: &Browser, license: &str, label: &str) {
    let control = format!(
        "const it = [...{}.querySelectorAll('a,button')].find(it => it.innerText.trim() === '{label}' && it.checkVisibility()); \
         if (it) it.click(); return !!it;",
        row(license)
    );
    browser.until(&control);
}

fn says(browser: &Browser, license: &str, words: &str) {
    browser.until(&format!("return {}.innerText.includes('{words}')", row(license)));
}

/// In the tab that was just opened: does this, closes nothing, and comes back to the worklist.
fn in_its_tab(browser: &Browser, before: usize, work: impl FnOnce()) {
    let worklist = browser.tabs()[0].clone();
    let began = std::time::Instant::now();
    while browser.tabs().len() <= before {
        assert!(began.elapsed().as_secs() < 60, "no tab was opened");
        std::thread::yield_now();
    }
    browser.switch(browser.tabs().last().unwrap());
    work();
    browser.switch(&worklist);
}

#[test]
fn three_licenses_are_granted_refused_retried_and_skipped_from_the_worklist() {
    let rig = Rig::new();
    let store = |license: &str, name: &str, admin: &str, days: i64| {
        let ends = rig.env().clock.now() + SignedDuration::from_hours(days * 24 + 12);
        Authorization { username: Username::parse(admin).unwrap(), ..named(license, name, &ends.to_string()) }
    };
    rig.seed(&[
        store("101-X0007-D1", "Hudson Street", "ann@example.com", -3),
        store("101-X0012-D1", "Old Mill Road", "ann@example.com", 2),
        store("101-X0031-D1", "Seneca Lake", "ray@example.com", 5),
    ]);
    let screen = Screen::new(rig.home(), 100, &["sh"]);
    screen.types("biotrack-auth renew --due --no-browser").key("Enter");
    let seen = screen.shows("3 licenses: 3 left");
    let address = seen.split_whitespace().find(|word| word.contains("/worklist/")).unwrap();
    let browser = Browser::start();
    browser.open(address);
    browser.headed("Worklist");

    // The first is granted, and the page follows without a reload.
    press(&browser, "101-X0007-D1", "Grant Access");
    in_its_tab(&browser, 1, || {
        browser.headed("Grant Access");
        grant(&browser);
        browser.headed("Access granted");
    });
    says(&browser, "101-X0007-D1", "Granted");
    assert!(rig.counted("token_issued") == 1);

    // The second is refused, and taken up again.
    press(&browser, "101-X0012-D1", "Grant Access");
    in_its_tab(&browser, 2, || {
        browser.headed("Grant Access");
        browser.click("#refuse");
        browser.headed("Not authorized");
    });
    says(&browser, "101-X0012-D1", "Failed");
    press(&browser, "101-X0012-D1", "Retry");
    says(&browser, "101-X0012-D1", "Waiting");
    press(&browser, "101-X0012-D1", "Grant Access");
    in_its_tab(&browser, 3, || {
        browser.headed("Grant Access");
        grant(&browser);
        browser.headed("Access granted");
    });
    says(&browser, "101-X0012-D1", "Granted");

    // The third is left for another day, and with it the run has ended.
    press(&browser, "101-X0031-D1", "Skip");
    browser.until("return document.body.innerText.includes('This run has ended')");
    screen.shows("3 licenses: 2 granted, 1 skipped.");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let status = rig.status();
    assert_eq!((&status["summary"]["active"], &status["summary"]["due"]), (&2.into(), &1.into()), "{status}");
}
