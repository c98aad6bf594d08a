//! A browser that goes where it's told: to the scripted provider, and with what that says to the loopback redirect.

use super::provider::ScriptedProvider;
use biotrack_auth::edge::{Browser, BrowserChoice, Opened, Variables};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use url::Url;

/// What the person at the browser does with one address.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// What it was told, and what it saw.
pub struct ScriptedBrowser {
    provider: Arc<ScriptedProvider>,
    next: Mutex<VecDeque<Visit>>,
    under_way: Mutex<Vec<JoinHandle<String>>>,
    pages: Mutex<Vec<String>>,
}

impl ScriptedBrowser {
    pub fn of(provider: Arc<ScriptedProvider>) -> Self {
        Self { provider, next: Mutex::default(), under_way: Mutex::default(), pages: Mutex::default() }
    }

    pub fn does(&self, visits: impl IntoIterator<Item = Visit>) {
        self.next.lock().unwrap().extend(visits);
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
    fn open(&self, address: &str, _: &BrowserChoice, _: &Variables) -> Opened {
        let visit = self.next.lock().unwrap().pop_front().unwrap_or(Visit::Grants);
        let back = match &visit {
            Visit::IsMissing(why) => return Opened::Failed(why.clone()),
            Visit::Leaves => return Opened::Started,
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
        Opened::Started
    }
}

/// What a GET is answered with; nothing where nobody listens any more.
pub fn get(address: &str) -> String {
    let address = Url::parse(address).unwrap();
    let place = format!("{}:{}", address.host_str().unwrap(), address.port().unwrap());
    let target = format!("{}?{}", address.path(), address.query().unwrap_or_default());
    let mut page = String::new();
    let Ok(mut stream) = TcpStream::connect(&place) else { return page };
    let asked = write!(stream, "GET {target} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n");
    let _ = asked.and_then(|()| stream.read_to_string(&mut page));
    page
}
