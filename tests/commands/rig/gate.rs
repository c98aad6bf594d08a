//! A gate that stops a command at one of its steps, so that another one goes first.

use super::keyring::FakeKeyring;
use super::provider::{ScriptedProvider, Wire};
use biotrack_auth::error::Result;
use biotrack_auth::system::{
    Http, HttpOptions, KeyringFault, KeyringStore, Network, PendingResponse, StepObserver, Transport,
    Variables, WatchedStep,
};
use oauth2::HttpRequest;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex};

/// What a command tells of its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It stands at the step where it was to stop: this one.
    Stopped(&'static str),
    /// It waits for a claim that another command has.
    AwaitsClaim,
    /// It ended with this code.
    Ended(u32),
}

/// Counts a command's steps, and stops it at one of them until it's opened.
pub struct Gate {
    stop_at: Option<usize>,
    counted: Mutex<usize>,
    open: Mutex<bool>,
    opened: Condvar,
    news: Mutex<Sender<News>>,
    watch: Watching,
}

/// Who sees each step that a command takes, on the command's own thread.
pub type Watching = Box<dyn Fn(&'static str) + Send + Sync>;

impl Gate {
    /// Stops at this step, counted from 0; `None`: nowhere.
    pub fn new(stop_at: Option<usize>, news: Sender<News>) -> Arc<Self> {
        Self::watched(stop_at, news, Box::new(|_| ()))
    }

    /// The same, with somebody who sees each step.
    pub fn watched(stop_at: Option<usize>, news: Sender<News>, watch: Watching) -> Arc<Self> {
        Arc::new(Self {
            watch,
            stop_at,
            counted: Mutex::default(),
            open: Mutex::default(),
            opened: Condvar::new(),
            news: Mutex::new(news),
        })
    }

    /// Lets the command go on.
    pub fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    /// Tells whoever steers.
    pub fn tell(&self, news: News) {
        let _ = self.news.lock().unwrap().send(news);
    }

    fn pass(&self, step: &'static str) {
        (self.watch)(step);
        let at = {
            let mut counted = self.counted.lock().unwrap();
            *counted += 1;
            *counted - 1
        };
        if self.stop_at == Some(at) {
            self.tell(News::Stopped(step));
            let open = self.open.lock().unwrap();
            drop(self.opened.wait_while(open, |open| !*open).unwrap());
        }
    }
}

impl StepObserver for Gate {
    fn reached(&self, step: WatchedStep) {
        match step {
            WatchedStep::BeforeCommit => self.pass("before a commit"),
            WatchedStep::AfterCommit => self.pass("after a commit"),
            WatchedStep::AfterNote => self.pass("after a note"),
            WatchedStep::AwaitingClaim => self.tell(News::AwaitsClaim),
        }
    }
}

impl super::Rig {
    /// Starts a command, stops it at this step, counted from 0, has `meanwhile` done, and lets the command go on to its end.
    /// With which code it ended; `None` where it ended before that step.
    pub fn stopped_at(&self, line: &str, step: usize, meanwhile: impl FnOnce()) -> Option<u32> {
        let (sender, news) = std::sync::mpsc::channel();
        let gate = Gate::new(Some(step), sender);
        let env = self.env_through(&gate);
        let words = std::iter::once("biotrack-auth".to_owned()).chain(super::words(line));
        let arguments: Vec<_> = words.map(Into::into).collect();
        let at = gate.clone();
        std::thread::spawn(move || {
            let code = biotrack_auth::cli::run(&arguments, env);
            at.tell(News::Ended(code));
        });
        let next = || news.recv_timeout(std::time::Duration::from_secs(120)).unwrap();
        let mut meanwhile = Some(meanwhile);
        loop {
            match (next(), &meanwhile) {
                (News::Ended(code), None) => return Some(code),
                (News::Ended(_), Some(_)) => return None,
                (News::Stopped(_), _) => {
                    meanwhile.take().into_iter().for_each(|work| work());
                    gate.open();
                }
                (News::AwaitsClaim, _) => {}
            }
        }
    }
}

/// The way to the provider, through the gate.
pub struct GatedWire(pub Arc<ScriptedProvider>, pub Arc<Gate>);

impl Network for GatedWire {
    fn client(&self, _: &HttpOptions, _: &Variables) -> Result<Http> {
        Ok(Http::over(Arc::new(Self(self.0.clone(), self.1.clone()))))
    }
}

impl Transport for GatedWire {
    fn send(&self, request: HttpRequest) -> PendingResponse<'_> {
        Box::pin(async move {
            self.1.pass("before a request");
            let answer = Wire(self.0.clone()).send(request).await;
            self.1.pass("after a request");
            answer
        })
    }
}

/// The keyring, through the gate.
pub struct GatedKeyring(pub Arc<FakeKeyring>, pub Arc<Gate>);

impl GatedKeyring {
    fn through<T>(&self, call: impl FnOnce(&FakeKeyring) -> T) -> T {
        self.1.pass("before a call of the keyring");
        call(&self.0)
    }
}

impl KeyringStore for GatedKeyring {
    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringFault> {
        self.through(|keyring| keyring.set(account, secret))
    }

    fn get(&self, account: &str) -> Result<Vec<u8>, KeyringFault> {
        self.through(|keyring| keyring.get(account))
    }

    fn delete(&self, account: &str) -> Result<(), KeyringFault> {
        self.through(|keyring| keyring.delete(account))
    }

    fn accounts(&self) -> Result<Vec<String>, KeyringFault> {
        self.through(KeyringStore::accounts)
    }
}
