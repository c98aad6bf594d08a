//! A real browser at the pages: Chromium without a screen opens them, types and clicks as an admin user does.

mod accessible;
pub mod chromium;
mod granting;
mod person;
mod refusing;
mod safety;
mod service_worker;
mod webdriver;
mod worklist;

use crate::support::Rig;
use crate::support::asked::Asked;
use chromium::Browser;

/// Arguments that register a license and leave the address to whoever reads it.
fn register(license: &str) -> Vec<&str> {
    crate::support::register(license, &["--no-browser"])
}

/// The program waiting for a license's consent, and a browser at the page that it named.
fn at_the_page(rig: &Rig, arguments: &[&str]) -> (Asked, Browser) {
    let asked = Asked::start(rig, arguments);
    let browser = Browser::start();
    browser.open(&asked.address);
    assert_eq!(browser.text("h1"), "Grant Access");
    (asked, browser)
}

/// Signs in as the page asks, and grants.
fn grant(browser: &Browser) {
    browser.enter("#ubi", "604001");
    browser.enter("#password", "sandbox");
    browser.click("#grant");
}
