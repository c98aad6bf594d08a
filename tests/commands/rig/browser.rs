//! A browser that goes where it's told: to the scripted provider, and with what that says to the loopback redirect.

use super::person::Hand;
use super::provider::ScriptedProvider;
use biotrack_auth::system::{Browser, BrowserChoice, LaunchOutcome, Variables};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use url::Url;

/// What the person at the browser does with one address.
#[derive(Debug, Clone)]
pub enum Visit {
    /// Signs in as the admin who was asked, and grants.
    Grants,
    /// Signs in as somebody else, and grants.
    GrantsAs(String),
    /// Says no.
    Denies,
    /// Closes the page.
    Leaves,
    /// There is no browser: this is why.
    IsMissing(String),
    /// Grants, and comes back to another address than the one it was sent to: the parameters are changed so.
    ReturnsWith(Vec<(String, String)>),
    /// Grants in a browser elsewhere, which can't connect here. The address that it ended at is pasted at the terminal,
    /// as this makes it, one after the other.
    IsPasted(fn(&str) -> Vec<String>),
    /// Whoever sits at the terminal types these keys; then this.
    Types(&'static str, Box<Visit>),
    /// Whoever sits at the terminal presses Ctrl-C, and nothing else happens.
    Interrupts,
}

/// What it was told, and what it saw.
pub struct ScriptedBrowser {
    provider: Arc<ScriptedProvider>,
    next: Mutex<VecDeque<Visit>>,
    under_way: Mutex<Vec<JoinHandle<String>>>,
    pages: Mutex<Vec<String>>,
    /// Every address that it was told to open.
    launched: Mutex<Vec<String>>,
    /// Where those led.
    opened: Mutex<Vec<String>>,
    /// Of whoever sits at the terminal meanwhile.
    hand: Mutex<Hand>,
}

impl ScriptedBrowser {
    pub fn of(provider: Arc<ScriptedProvider>) -> Self {
        Self {
            provider,
            next: Mutex::default(),
            under_way: Mutex::default(),
            pages: Mutex::default(),
            launched: Mutex::default(),
            opened: Mutex::default(),
            hand: Mutex::default(),
        }
    }

    pub fn does(&self, visits: impl IntoIterator<Item = Visit>) {
        self.next.lock().unwrap().extend(visits);
    }

    /// Who sits at the terminal from now on.
    pub fn is_beside(&self, hand: Hand) {
        *self.hand.lock().unwrap() = hand;
    }

    /// Every address that it was told to open so far: what stands in its arguments.
    pub fn launched(&self) -> Vec<String> {
        self.launched.lock().unwrap().clone()
    }

    /// The provider's addresses that those led to.
    pub fn opened(&self) -> Vec<String> {
        self.opened.lock().unwrap().clone()
    }

    /// Waits for the visits under way.
    pub fn wait(&self) {
        let under_way = std::mem::take(&mut *self.under_way.lock().unwrap());
        let seen = under_way.into_iter().map(|visit| visit.join().unwrap());
        self.pages.lock().unwrap().extend(seen);
    }

    /// The page that the last visit ended at: status line, headers and all.
    pub fn last_page(&self) -> String {
        self.wait();
        self.pages.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl Browser for ScriptedBrowser {
    fn open(&self, address: &str, _: &BrowserChoice, _: &Variables) -> LaunchOutcome {
        self.launched.lock().unwrap().push(address.to_owned());
        let led = led(address);
        self.opened.lock().unwrap().push(led.clone());
        let address = led.as_str();
        let mut visit = self.next.lock().unwrap().pop_front().unwrap_or(Visit::Grants);
        while let Visit::Types(keys, then) = visit {
            self.hand.lock().unwrap().types(keys);
            visit = *then;
        }
        let back = match &visit {
            Visit::IsMissing(why) => return LaunchOutcome::Failed(why.clone()),
            Visit::Leaves | Visit::Types(..) => return LaunchOutcome::Started,
            Visit::Interrupts => {
                self.hand.lock().unwrap().interrupts();
                return LaunchOutcome::Started;
            }
            Visit::IsPasted(made) => {
                let hand = self.hand.lock().unwrap();
                made(&self.provider.consents(address, None)).iter().for_each(|text| hand.pastes(text));
                return LaunchOutcome::Started;
            }
            Visit::Grants => self.provider.consents(address, None),
            Visit::GrantsAs(who) => self.provider.consents(address, Some(who)),
            Visit::Denies => self.provider.denies(address),
            Visit::ReturnsWith(changed) => {
                let mut back = Url::parse(&self.provider.consents(address, None)).unwrap();
                let kept: Vec<(String, String)> = back
                    .query_pairs()
                    .filter(|(name, _)| !changed.iter().any(|(changed, _)| changed == name))
                    .map(|(name, value)| (name.into_owned(), value.into_owned()))
                    .collect();
                back.query_pairs_mut().clear().extend_pairs(kept.iter().chain(changed));
                back.into()
            }
        };
        self.under_way.lock().unwrap().push(std::thread::spawn(move || get(&back)));
        LaunchOutcome::Started
    }
}

/// Where a one-time address leads.
fn led(address: &str) -> String {
    let page = get(address);
    let led = page.lines().find_map(|line| line.strip_prefix("Location: "));
    led.unwrap_or_else(|| panic!("{address} leads nowhere:\n{page}")).to_owned()
}

/// What a GET is answered with; nothing where nobody listens any more.
pub fn get(address: &str) -> String {
    let address = Url::parse(address).unwrap();
    let place = format!("{}:{}", address.host_str().unwrap(), address.port().unwrap());
    let target = &address[url::Position::BeforePath..url::Position::AfterQuery];
    let mut page = String::new();
    let Ok(mut stream) = TcpStream::connect(&place) else { return page };
    let asked = write!(stream, "GET {target} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n");
    let _ = asked.and_then(|()| stream.read_to_string(&mut page));
    page
}

/// A page as its reader sees it: its status, then its words, a line for each heading and paragraph.
pub fn in_words(page: &str) -> String {
    let (head, html) = page.split_once("\r\n\r\n").unwrap_or((page, ""));
    let mut words = format!("{}\n", head.lines().next().unwrap_or_default());
    let body = html.split_once("<body>").map_or(html, |(_, body)| body);
    for line in body.split("</h1>").flat_map(|part| part.split("</p>")) {
        let mut shown = String::new();
        for (at, part) in line.split('<').enumerate() {
            shown.push_str(if at == 0 { part } else { part.split_once('>').map_or("", |(_, text)| text) });
        }
        words.push_str(&shown);
        words.push('\n');
    }
    words
}
