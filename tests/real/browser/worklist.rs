//! The worklist in a real browser: what it shows, how it follows the run, and what a click does.

use super::Browser;
use super::accessible::{is_for_everybody, tabbed};
use crate::support::Rig;
use biotrack_auth::config::Config;
use biotrack_auth::model::granted::AwaitingGrant;
use biotrack_auth::model::ids::{License, LicenseId, OcmLicense, StoreName, Ubi, Username};
use biotrack_auth::model::plan::Progress;
use biotrack_auth::oauth;
use biotrack_auth::oauth::ProviderClient;
use biotrack_auth::system::{Env, HttpOptions, OsRandom, Paths, SystemBrowser, SystemClock};
use biotrack_auth::web::{
    ActionResponder, HandedOffLink, ListeningSession, SessionEvent, Worklist, WorklistAction, WorklistEntry,
    WorklistView,
};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A run's page, served, and a browser at it.
struct Shown {
    browser: Browser,
    worklist: Worklist,
    session: Option<ListeningSession>,
    // After the session, whose runtime it holds.
    _env: Env,
    rig: Rig,
}

/// One license as the page shows it.
fn entry(admin: &str, license: &str, name: Option<&str>) -> WorklistEntry {
    WorklistEntry {
        key: LicenseId { ubi: Ubi::parse("604001").unwrap(), license: License::parse(license).unwrap() },
        username: Username::parse(admin).unwrap(),
        name: name.map(|name| StoreName::parse(name).unwrap()),
        ocm_license: Some(OcmLicense::parse(&format!("OCM-{license}")).unwrap()),
        expires: Some("3 May 2026".into()),
        why: "expires in 4 days".into(),
    }
}

fn three() -> Vec<WorklistEntry> {
    vec![
        entry("ann@example.com", "101-X0001-D1", Some("Green Leaf Albany")),
        entry("ann@example.com", "101-X0002-D1", Some("Green Leaf Buffalo")),
        entry("bob@example.com", "101-X0003-D1", None),
    ]
}

impl Shown {
    fn new(entries: Vec<WorklistEntry>) -> Self {
        let rig = Rig::new();
        let paths = Paths::within(rig.home());
        let provider = Arc::new(Config::load(&paths).unwrap().provider("local-sandbox").unwrap());
        let env = Env::system().unwrap().within(paths, Arc::new(SystemClock), Arc::new(SystemBrowser));
        let options = HttpOptions { deadline: provider.deadline, ca_file: None, loopback: true };
        let http = env.http(&options).unwrap();
        let endpoints = {
            let (http, provider, now) = (http.clone(), provider.clone(), env.clock.now());
            env.wait(async move { oauth::prepare(&http, &provider, now).await }).unwrap().unwrap()
        };
        let exchange = ProviderClient {
            http,
            provider,
            endpoints: Arc::new(endpoints),
            secret: None,
            clock: env.clock.clone(),
        };
        let facts = [
            ("Company", "Treez Inc"),
            ("Application", "Treez"),
            ("Access type", "Integrator"),
            ("Resource", "All"),
            ("Operation", "read_write"),
        ];
        let facts = facts.map(|(label, value)| (label, value.to_owned())).into();
        let worklist =
            Worklist::new(&OsRandom, WorklistView { profile: "local-sandbox".into(), facts, entries })
                .unwrap();
        let mut session = ListeningSession::bind(&env, exchange, None).unwrap();
        assert_eq!(session.worklist_address(), None);
        session.show_worklist(worklist.clone());
        let browser = Browser::start();
        browser.resize(1280, 960);
        browser.open(&session.worklist_address().unwrap());
        Self { browser, worklist, session: Some(session), _env: env, rig }
    }

    fn session(&self) -> &ListeningSession {
        self.session.as_ref().unwrap()
    }

    /// What was clicked.
    #[track_caller]
    fn action(&self) -> (WorklistAction, ActionResponder) {
        match self.session().next(Instant::now() + Duration::from_secs(60)) {
            Some(SessionEvent::Clicked { action, reply }) => (action, reply),
            other => panic!("{other:?}"),
        }
    }

    /// The licenses of the rows that are seen.
    #[track_caller]
    fn seen(&self) -> serde_json::Value {
        self.browser.script(
            "return [...document.querySelectorAll('tr[data-n]')].filter((it) => it.checkVisibility())\
             .map((it) => it.querySelector('.license bdi').textContent)",
        )
    }

    #[track_caller]
    fn is_quiet(&self) {
        assert_eq!(self.browser.complaints(), Vec::<String>::new());
    }

    /// Waits until the page is what a look says.
    #[track_caller]
    fn until(&self, look: &str) {
        self.browser.until(&format!("return {look}"));
    }
}

#[test]
fn the_page_shows_every_license_and_what_must_be_granted_and_asks_nobody_else() {
    let shown = Shown::new(three());
    let browser = &shown.browser;
    assert_eq!(browser.text("h1"), "Worklist");
    assert_eq!(shown.seen(), json!(["101-X0001-D1", "101-X0002-D1", "101-X0003-D1"]));
    let facts = browser.text("dl");
    for fact in ["Treez Inc", "Integrator", "All", "read_write"] {
        assert!(facts.contains(fact), "no {fact} in {facts}");
    }
    let row = browser.text("tr[data-n='0']");
    for part in
        ["Waiting", "Green Leaf Albany", "OCM-101-X0001-D1", "604001", "3 May 2026", "expires in 4 days"]
    {
        assert!(row.contains(part), "no {part} in {row}");
    }
    assert!(browser.text("tr.admin").contains("sign in to BioTrack as this admin"));
    // What a screen reader is told.
    assert_eq!(browser.script("return document.title"), "3 left · worklist");
    assert_eq!(browser.script("return document.documentElement.lang"), "en");
    assert_eq!(browser.script("return document.querySelector('#counts').getAttribute('role')"), "status");
    assert_eq!(browser.script("return document.querySelectorAll('table caption').length"), 1);
    assert_eq!(browser.script("return document.querySelectorAll('thead th[scope=col]').length"), 6);
    assert_eq!(browser.script("return document.querySelectorAll('tr[data-n] > th[scope=row]').length"), 3);
    let named = "return [...document.querySelectorAll('.do a, .do button')].every((it) =>\
                 it.getAttribute('aria-label').includes('101-X000'))";
    assert_eq!(browser.script(named), true);
    shown.is_quiet();
    let own = shown.session().worklist_address().unwrap();
    for url in browser.requested() {
        let ours =
            url.starts_with(&own) || ["about:", "data:", "chrome:"].iter().any(|it| url.starts_with(it));
        assert!(ours, "{url}");
    }
}

#[test]
fn what_happens_is_seen_without_a_reload() {
    let shown = Shown::new(three());
    let browser = &shown.browser;
    browser.script("window.same = true");
    shown.worklist.show(0, Progress::Opened, "");
    shown.until("document.querySelector('[data-n=\"0\"]').dataset.state === 'opened'");
    shown.worklist.show(0, Progress::Granted, "until 11 Aug 2026");
    shown.worklist.show(1, Progress::Failed, "denied by the admin <b>");
    shown.until("document.title === '1 left · worklist'");
    assert!(browser.text("[data-n='0']").contains("until 11 Aug 2026"));
    assert!(browser.text("[data-n='1']").contains("denied by the admin <b>"));
    let counts = browser.text("#counts");
    assert!(
        counts.contains("1 left") && counts.contains("1 granted") && counts.contains("1 failed"),
        "{counts}"
    );
    // Done is done, what failed may be tried again, and the rest is to be granted.
    let offered = |n: u8| browser.text(&format!("[data-n='{n}'] .do")).replace('\n', "");
    assert_eq!((offered(0), offered(1)), (String::new(), "RetryHand off".into()));
    assert!(offered(2).contains("Grant Access") && offered(2).contains("Skip"));

    shown.worklist.notice(Some("Next admin: bob@example.com".into()));
    shown.until("document.querySelector('#notice').innerText.includes('bob@example.com')");
    assert_eq!(browser.script("return document.querySelector('#notice').getAttribute('role')"), "alert");
    shown.worklist.notice(None);
    shown.until("document.querySelector('#notice').children.length === 0");

    shown.worklist.ended("The run is over: 1 granted, 1 failed.".into());
    shown.until("document.querySelector('#end').innerText.includes('The run is over')");
    assert_eq!(browser.script("return document.title"), "Ended · worklist");
    assert_eq!(browser.script("return document.querySelectorAll('button, .do a:not([hidden])').length"), 0);
    assert_eq!(browser.script("return window.same"), true);
    shown.is_quiet();
}

#[test]
fn the_list_is_narrowed_by_words_and_by_state() {
    let shown = Shown::new(three());
    let browser = &shown.browser;
    for (words, found) in [
        ("x0002", json!(["101-X0002-D1"])),
        ("green leaf", json!(["101-X0001-D1", "101-X0002-D1"])),
        ("leaf albany", json!(["101-X0001-D1"])),
        ("BOB@", json!(["101-X0003-D1"])),
        ("604001 ocm-101-x0003", json!(["101-X0003-D1"])),
        ("<none>", json!([])),
    ] {
        browser.enter("#filter", words);
        assert_eq!(shown.seen(), found, "{words}");
    }
    assert!(browser.text("#nothing").contains("No license matches"));
    browser.press("\u{e00c}");
    assert_eq!(shown.seen().as_array().unwrap().len(), 3);

    shown.worklist.show(1, Progress::Failed, "denied");
    shown.until("document.title === '2 left · worklist'");
    browser.click("[value=failed]");
    assert_eq!(shown.seen(), json!(["101-X0002-D1"]));
    // A band without rows goes too.
    assert!(!browser.text("#list").contains("bob@example.com"));
    browser.click("[value=left]");
    assert_eq!(shown.seen(), json!(["101-X0001-D1", "101-X0003-D1"]));
    shown.worklist.show(0, Progress::Granted, "");
    shown.until("document.title === '1 left · worklist'");
    assert_eq!(shown.seen(), json!(["101-X0003-D1"]));
    shown.is_quiet();
}

#[test]
fn a_link_opens_the_grant_access_page_in_a_tab_of_its_own() {
    let shown = Shown::new(three());
    let browser = &shown.browser;
    let before = browser.tabs();
    browser.click("[data-n='1'] .do a");
    let (action, reply) = shown.action();
    assert_eq!(action, WorklistAction::Open(1));
    reply.go_to(&format!("{}/", shown.rig.sandbox().address()));
    let opened = browser.tabs().into_iter().find(|it| !before.contains(it)).unwrap();
    browser.switch(&opened);
    browser.headed("BioTrack sandbox");
    assert_eq!(browser.script("return [document.referrer, window.opener]"), json!(["", null]));
    browser.switch(&before[0]);
    assert_eq!(browser.text("h1"), "Worklist");

    browser.click("[data-n='2'] .do a");
    shown.action().1.refuse("Not now", "Somebody else is at this license.");
    let tabs = browser.tabs();
    let refused = tabs.iter().find(|it| **it != before[0] && **it != opened).unwrap();
    browser.switch(refused);
    browser.headed("Not now");
    assert!(browser.text("main").contains("Somebody else is at this license."));
}

#[test]
fn buttons_say_what_is_to_be_done() {
    let shown = Shown::new(three());
    let browser = &shown.browser;
    browser.click("[data-n='2'] .do button");
    let (action, reply) = shown.action();
    assert_eq!(action, WorklistAction::Skip(2));
    shown.worklist.show(2, Progress::Skipped, "");
    reply.done();
    shown.until("document.querySelector('[data-n=\"2\"] .do button')?.innerText === 'Reopen'");
    // The button is gone; who pressed it is still in its row.
    shown.until("document.activeElement.closest('tr')?.dataset.n === '2'");
    browser.click("[data-n='2'] .do button");
    let (action, reply) = shown.action();
    assert_eq!(action, WorklistAction::Retry(2));
    reply.done();
    shown.worklist.notice(Some("BioTrack is not responding; retrying at 14:05".into()));
    browser.until("return document.querySelector('#notice button')");
    browser.click("#notice button");
    let (action, reply) = shown.action();
    assert_eq!(action, WorklistAction::GoOn);
    reply.done();
    shown.is_quiet();
}

#[test]
fn nothing_else_on_the_port_takes_a_post() {
    let shown = Shown::new(three());
    let status = |method: &str, path: &str| {
        let asked = format!("return fetch('{path}', {{ method: '{method}' }}).then((it) => it.status)");
        shown.browser.script(&asked)
    };
    let back = shown.session().redirect_uri();
    let own = shown.session().worklist_address().unwrap();
    for path in [&back, "/", "/worklist/guessed/skip/0", &own, &format!("{own}/go/0")] {
        assert_eq!(status("POST", path), 405, "{path}");
    }
    assert_eq!(status("GET", "/worklist/guessed"), 404);
    assert_eq!(status("GET", &back), 400, "an answer without a state");
    assert_eq!(shown.session().strays(), 1);
}

#[test]
fn keys_lead_through_the_list_and_the_place_in_it_is_kept() {
    let shown = Shown::new(three());
    let browser = &shown.browser;
    let focused = "return document.activeElement.closest('tr')?.dataset.n ?? document.activeElement.id";
    shown.worklist.show(1, Progress::Granted, "");
    shown.until("document.title === '2 left · worklist'");
    for at in ["0", "2", "0"] {
        browser.press("n");
        assert_eq!(browser.script(focused), at);
    }
    // Its link goes, and the focus stays in its row, though the row would no longer be shown.
    browser.click("[value=left]");
    browser.press("n");
    let at = browser.script(focused);
    shown.worklist.show(at.as_str().unwrap().parse().unwrap(), Progress::Granted, "");
    shown.until("document.title === '1 left · worklist'");
    assert_eq!(browser.script(focused), at);
    assert_eq!(shown.seen().as_array().unwrap().len(), 2);
    browser.press("n");
    assert_ne!(browser.script(focused), at);
    shown.until(
        "[...document.querySelectorAll('tr[data-n]')].filter((it) => it.checkVisibility()).length === 1",
    );

    browser.press("/");
    assert_eq!(browser.script(focused), "filter");
    browser.press("n");
    assert_eq!(browser.script("return document.querySelector('#filter').value"), "n");
    browser.press("\u{e00c}");
    // Who speaks to the machine can turn single keys off.
    browser.click("#keys");
    browser.press("/");
    assert_eq!(browser.script(focused), "keys");
}

#[test]
fn it_is_for_everybody_at_each_stage_and_by_keys_alone() {
    let shown = Shown::new(three());
    let browser = &shown.browser;
    is_for_everybody(browser);
    let reached = tabbed(browser);
    let controls = browser.script(
        "return [...document.querySelectorAll('a[href],button,input,textarea,select')]\
         .filter((it) => it.checkVisibility() && it.tabIndex >= 0 && !it.disabled).length",
    );
    // Radio buttons of one name are one stop.
    let radios = browser.script("return document.querySelectorAll('[type=radio]').length").as_u64().unwrap();
    let stops = controls.as_u64().unwrap() - radios.saturating_sub(1);
    assert_eq!(reached.len() as u64, stops, "{reached:?}");

    shown.worklist.show(0, Progress::Granted, "until 11 Aug 2026");
    shown.worklist.show(1, Progress::Failed, "denied by the admin");
    shown.worklist.show(2, Progress::HandedOff, "a link is open");
    shown.worklist.notice(Some("Next admin: bob@example.com".into()));
    shown.until("document.querySelector('#notice').innerText.includes('bob@example.com')");
    is_for_everybody(browser);
    shown.worklist.ended("The run is over: 1 granted, 1 failed.".into());
    shown.until("document.querySelector('#end').innerText.includes('The run is over')");
    is_for_everybody(browser);
}

#[test]
fn what_others_typed_is_text() {
    const NAME: &str = "<script>alert(1)</script> \"<img src=x>\" \u{5d0}\u{5d1}";
    let mut hostile = entry("ann@example.com", "<b>1</b>&\"'", Some(NAME));
    hostile.why = "why \u{202e}gpj.exe".into();
    let shown = Shown::new(vec![hostile]);
    shown.worklist.show(0, Progress::Failed, "</td><script>alert(2)</script>\u{202e}x");
    shown.until("document.title === '0 left · worklist'");
    let browser = &shown.browser;
    assert_eq!(browser.text("[data-n='0'] .license > bdi"), "<b>1</b>&\"'");
    assert_eq!(browser.text("[data-n='0'] .license small bdi"), NAME);
    let known = browser.text("[data-n='0'] .known");
    assert!(
        known.contains("</td><script>alert(2)</script>\u{fffd}x") && known.contains("why \u{fffd}gpj"),
        "{known}"
    );
    assert_eq!(browser.script("return document.querySelectorAll('script, img, .known b').length"), 1);
    shown.is_quiet();
}

#[test]
fn a_program_that_is_gone_is_said_with_what_to_run() {
    let mut shown = Shown::new(three());
    shown.session = None;
    shown.until("document.querySelector('#end').innerText.includes('biotrack-auth renew --resume')");
    let browser = &shown.browser;
    assert_eq!(browser.script("return document.title"), "Stopped · worklist");
    assert_eq!(browser.script("return document.querySelectorAll('button, .do a:not([hidden])').length"), 0);
}

#[test]
fn the_end_is_told_though_the_program_goes_at_once() {
    let mut shown = Shown::new(three());
    for n in 0..3 {
        shown.worklist.show(n, Progress::Granted, "until 11 Aug 2026");
    }
    shown.worklist.ended("All 3 are granted.".into());
    shown.session = None;
    shown.until("document.querySelector('#end').innerText === 'All 3 are granted.'");
    assert_eq!(shown.browser.script("return document.title"), "Ended · worklist");
    assert!(shown.browser.text("#counts").contains("3 granted"));
}

#[test]
fn fifteen_hundred_licenses_are_shown_and_found() {
    let entries = (0..1500)
        .map(|n| {
            entry(&format!("admin{}@example.com", n / 50), &format!("101-X{n:04}-D1"), Some("Green Leaf"))
        })
        .collect();
    let shown = Shown::new(entries);
    let browser = &shown.browser;
    assert_eq!(shown.seen().as_array().unwrap().len(), 1500);
    browser.enter("#filter", "x1499");
    assert_eq!(shown.seen(), json!(["101-X1499-D1"]));
    // All of them at once, while the page follows.
    for n in 0..1500 {
        shown.worklist.show(n, Progress::Granted, "until 11 Aug 2026");
    }
    shown.until("document.title === '0 left · worklist'");
    assert!(browser.text("#counts").contains("1500 granted"));
    shown.is_quiet();
}

#[test]
fn a_link_for_elsewhere_is_shown_and_what_comes_back_is_given_to_the_program() {
    const LINK: &str = "https://biotr.ac/oauth?state=%3Cb%3E&a=b";
    let shown = Shown::new(three());
    let browser = &shown.browser;
    browser.click("[data-n='1'] .do button[data-wish^=handoff]");
    let (action, reply) = shown.action();
    assert_eq!(action, WorklistAction::HandOff(1));
    shown.worklist.show(1, Progress::HandedOff, "a link is open");
    let message = format!("Please open {LINK}");
    shown.worklist.handed_off(1, HandedOffLink { address: LINK.into(), message });
    reply.tell(&json!({ "address": LINK }));
    shown.until("document.querySelector('[data-n=\"1\"] .link input')?.value");
    assert_eq!(browser.script("return document.querySelector('.link input').value"), LINK);
    assert_eq!(browser.text("[data-n='1'] .state span"), "Handed off");
    shown.until("document.activeElement.matches('.link input')");
    // It's selected, and the button puts it into the clipboard where the browser lets it.
    assert_eq!(browser.script("return getSelection().toString() || document.activeElement.value"), LINK);
    browser.click(".link button");
    shown.until("document.querySelector('.link button').innerText !== 'Copy'");
    shown.until("document.querySelector('#counts').innerText.includes('1 handed off')");

    let pasted = "<http://127.0.0.1:18273/callback?code=a%2Bb&state=s+t>";
    browser.enter("#pasted", pasted);
    browser.click("#take");
    let text = match shown.session().next(Instant::now() + Duration::from_secs(60)) {
        Some(SessionEvent::Pasted { text, from: Some(page) }) => {
            page.tell(&json!({ "taken": false, "said": "That <b>isn't</b> one." }));
            text
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(text.expose(), pasted);
    shown.until("document.querySelector('#said').innerText === \"That <b>isn't</b> one.\"");
    assert_eq!(browser.script("return document.querySelector('#pasted').value"), pasted);
    browser.press("\u{e007}");
    browser.script("document.querySelector('#pasted').focus()");
    browser.press("\u{e007}");
    match shown.session().next(Instant::now() + Duration::from_secs(60)) {
        Some(SessionEvent::Pasted { from: Some(page), .. }) => {
            page.tell(&json!({ "taken": true, "said": "Taken." }))
        }
        other => panic!("{other:?}"),
    }
    shown.until("document.querySelector('#pasted').value === ''");
    // Once granted, the link goes; at the end, the field.
    shown.worklist.show(1, Progress::Granted, "until 11 Aug 2026");
    shown.until("!document.querySelector('.link')");
    shown.worklist.ended("Over.".into());
    shown.until("!document.querySelector('#answer')");
    shown.is_quiet();
}

/// Bob's grant of a license of Ann's, which awaits approval.
fn bobs(license: &str, id: i64) -> AwaitingGrant {
    let key = LicenseId { ubi: Ubi::parse("604001").unwrap(), license: License::parse(license).unwrap() };
    AwaitingGrant { key, granted_by: "bob@example.com".into(), id }
}

#[test]
fn what_awaits_approval_is_accepted_by_a_click_and_discarded_by_two() {
    // Longer than JavaScript's own numbers.
    const ID: i64 = (1 << 61) + 1;
    let shown = Shown::new(three());
    let browser = &shown.browser;
    shown.worklist.awaits(0, Some(bobs("101-X0001-D1", ID)));
    shown.worklist.show(1, Progress::Held, "granted by bob@example.com");
    shown.worklist.awaits(1, Some(bobs("101-X0002-D1", ID + 2)));
    shown.until("document.querySelectorAll('[data-wish^=accept]').length === 2");
    assert!(browser.text("[data-n='0'] .known").contains("The grant of bob@example.com awaits approval."));
    assert_eq!(browser.text("[data-n='1'] .state span").to_lowercase(), "awaiting approval");
    is_for_everybody(browser);
    browser.click("[data-n='0'] [data-wish^=accept]");
    let (action, reply) = shown.action();
    assert_eq!(action, WorklistAction::Accept(0, ID));
    shown.worklist.awaits(0, None);
    shown.worklist.granted(0, Some("11 Aug 2026".into()), "by bob@example.com");
    reply.tell(&json!({ "said": null }));
    shown.until("document.querySelector('[data-n=\"0\"]').dataset.state === 'granted'");
    let row = browser.text("[data-n='0']");
    assert!(row.contains("11 Aug 2026") && row.contains("by bob@example.com"), "{row}");
    assert!(!row.contains("3 May 2026") && !row.contains("4 days") && !row.contains("Accept"), "{row}");

    browser.click("[data-n='1'] [data-wish^=discard]");
    shown.until(
        "document.querySelector('[data-n=\"1\"] [data-wish^=discard]').innerText === 'Really discard?'",
    );
    browser.click("[data-n='1'] [data-wish^=discard]");
    let (action, reply) = shown.action();
    assert_eq!(action, WorklistAction::Discard(1, ID + 2));
    reply.tell(&json!({ "said": "101-X0002-D1 has changed." }));
    shown.until("document.querySelector('#shown').innerText === '101-X0002-D1 has changed.'");
    shown.is_quiet();
}

#[test]
fn a_reload_shows_all_of_it_again() {
    let shown = Shown::new(three());
    let browser = &shown.browser;
    let link = HandedOffLink {
        address: "https://biotr.ac/oauth?a=\"b\"&c=<d>".into(),
        message: "Hello\nAnn".into(),
    };
    shown.worklist.show(0, Progress::HandedOff, "a link is open");
    shown.worklist.handed_off(0, link.clone());
    shown.worklist.awaits(1, Some(bobs("101-X0002-D1", 7)));
    for _ in 0..2 {
        browser.open(&shown.session().worklist_address().unwrap());
        shown.until("document.querySelector('[data-n=\"0\"] .link input')?.value");
        assert_eq!(browser.script("return document.querySelector('.link input').value"), link.address);
        assert_eq!(browser.text("[data-n='0'] .link").replace('\n', ""), "CopyCopy message");
        assert_eq!(
            browser.script("return document.querySelectorAll('[data-n=\"1\"] [data-wish^=accept]').length"),
            1
        );
    }
    is_for_everybody(browser);
    shown.is_quiet();
}

#[test]
fn a_whole_mail_is_pasted_as_it_is() {
    let shown = Shown::new(three());
    let browser = &shown.browser;
    let mail = format!(
        "{}> http://127.0.0.1:1/callback?code=sand\n> box&state=\u{1f600}",
        "caf\u{e9}\n".repeat(900)
    );
    let value = serde_json::to_string(&mail).unwrap();
    browser.script(&format!("document.querySelector('#pasted').value = {value}"));
    browser.click("#take");
    match shown.session().next(Instant::now() + Duration::from_secs(60)) {
        Some(SessionEvent::Pasted { text, from: Some(page) }) => {
            assert_eq!(text.expose(), mail);
            page.tell(&json!({ "taken": true, "said": "Taken." }));
        }
        other => panic!("{other:?}"),
    }
    shown.until("document.querySelector('#said').innerText === 'Taken.'");
    // Letters that are typed there are no keys of the page.
    browser.enter("#pasted", "n/");
    assert_eq!(browser.script("return document.querySelector('#pasted').value"), "n/");
    shown.is_quiet();
}
