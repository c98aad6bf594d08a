//! A crowd of admins: takes a thousand addresses from `--browser`, and answers each page as it's told, in any order.

use biotrack_auth::sandbox::visitor::{AdminChoice, Visitor};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use url::Url;

/// How many admins click at once: a browser waits for its last page until the grant is stored.
const ADMINS: usize = 24;
/// So many pages lie open before one of them is picked.
const SPREAD: usize = 8;
/// And no longer than this after the last one came: at the end of a run there are no more.
const PATIENCE: Duration = Duration::from_millis(10);

/// Whom a page asks about what, by its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub ubi: String,
    pub license: String,
    pub username: String,
}

/// What becomes of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Will {
    Grant,
    /// Another admin grants than the one who was asked.
    GrantAs(String),
    Refuse,
    /// The page is left open.
    Ignore,
}

/// What the crowd did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Addresses that came.
    pub opened: usize,
    /// Clicks whose browser came back to a listener that answered.
    pub granted: usize,
    pub refused: usize,
    pub ignored: usize,
    /// Clicks whose browser found nobody listening: the program had died.
    pub stranded: usize,
    /// Pages that couldn't be answered: the sandbox was away.
    pub troubled: usize,
}

impl Tally {
    /// Whether every page that came has been dealt with.
    pub fn is_idle(&self) -> bool {
        self.opened == self.granted + self.refused + self.ignored + self.stranded + self.troubled
    }
}

/// Numbers drawn from a seed: splitmix64.
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// One of `0..sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides.max(1)).unwrap()).unwrap()
    }
}

/// It takes addresses until it's dropped, whoever dies in between.
pub struct Crowd {
    folder: TempDir,
    street: Arc<Street>,
    /// Open for reading and writing, so that neither end ever finds it closed.
    letter_box: File,
}

/// What the admins share.
struct Street {
    pages: Mutex<Pages>,
    changed: Condvar,
    tally: Mutex<Tally>,
    will: Box<dyn Fn(&Asked) -> Will + Send + Sync>,
    clicked: Box<dyn Fn(&Asked) + Send + Sync>,
}

struct Pages {
    open: Vec<String>,
    dice: Dice,
    closed: bool,
}

impl Crowd {
    /// Admins who do with each page what `will` says.
    pub fn of(seed: u64, will: impl Fn(&Asked) -> Will + Send + Sync + 'static) -> Self {
        Self::telling(seed, will, |_| {})
    }

    /// The same; `clicked` hears of each grant after its click, just before the browser comes back with the code.
    pub fn telling(
        seed: u64,
        will: impl Fn(&Asked) -> Will + Send + Sync + 'static,
        clicked: impl Fn(&Asked) + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("addresses");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let letter_box = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        // Opened for both here too: it never waits for a reader, should the test be over. A line of less than
        // PIPE_BUF bytes is written whole.
        let script = format!(
            "for address; do :; done\nprintf '%s\\n' \"$address\" 1<>{}\n",
            shlex::try_quote(path.to_str().unwrap()).unwrap()
        );
        std::fs::write(folder.path().join("browser.sh"), script).unwrap();
        let street = Arc::new(Street {
            pages: Mutex::new(Pages { open: Vec::new(), dice: Dice::of(seed), closed: false }),
            changed: Condvar::new(),
            tally: Mutex::default(),
            will: Box::new(will),
            clicked: Box::new(clicked),
        });
        let (letters, postman) = (letter_box.try_clone().unwrap(), street.clone());
        std::thread::spawn(move || postman.deliver(letters));
        for _ in 0..ADMINS {
            let street = street.clone();
            std::thread::spawn(move || street.click());
        }
        Self { folder, street, letter_box }
    }

    /// What `--browser` is given.
    pub fn browser(&self) -> String {
        let script: PathBuf = self.folder.path().join("browser.sh");
        format!("sh {}", shlex::try_quote(script.to_str().unwrap()).unwrap())
    }

    /// What has been done so far.
    pub fn tally(&self) -> Tally {
        self.street.tally.lock().unwrap().clone()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.street.pages.lock().unwrap().closed = true;
        self.street.changed.notify_all();
        // The postman wakes up and sees it. No one is waited for: an admin may be looking at a page that never comes.
        let _ = self.letter_box.write_all(b"\n");
    }
}

impl Street {
    /// Lays out each address that comes.
    fn deliver(&self, letters: File) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let browser = runtime.block_on(async { Visitor::new().unwrap() });
        for line in BufReader::new(letters).lines() {
            let pages = self.pages.lock().unwrap();
            if pages.closed {
                return;
            }
            drop(pages);
            self.count(|tally| tally.opened += 1);
            // As soon as it's started, a browser goes where the one-time address leads; to nowhere, where the program has died.
            match runtime.block_on(browser.led(&line.unwrap())) {
                Ok(address) => self.pages.lock().unwrap().open.push(address.into()),
                Err(_) => self.count(|tally| tally.stranded += 1),
            }
            self.changed.notify_all();
        }
    }

    /// Any of the open pages, once there are enough to choose from or no more come.
    fn pick(&self) -> Option<String> {
        let mut pages = self.pages.lock().unwrap();
        let mut settled = false;
        loop {
            let many = pages.open.len();
            if pages.closed {
                return None;
            } else if many >= SPREAD || (many > 0 && settled) {
                let at = pages.dice.roll(many);
                return Some(pages.open.swap_remove(at));
            } else if many > 0 {
                let (woken, waited) = self.changed.wait_timeout(pages, PATIENCE).unwrap();
                (pages, settled) = (woken, waited.timed_out());
            } else {
                (pages, settled) = (self.changed.wait(pages).unwrap(), false);
            }
        }
    }

    /// One admin's day.
    fn click(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let browser = runtime.block_on(async { Visitor::new().unwrap() });
        while let Some(address) = self.pick() {
            let asked = asked(&address);
            let decision = match (self.will)(&asked) {
                Will::Grant => AdminChoice::Grant,
                Will::GrantAs(username) => AdminChoice::GrantAs(username),
                Will::Refuse => AdminChoice::Refuse,
                Will::Ignore => {
                    self.count(|tally| tally.ignored += 1);
                    continue;
                }
            };
            let Ok(back) = runtime.block_on(browser.answer(&address, &decision)) else {
                self.count(|tally| tally.troubled += 1);
                continue;
            };
            if decision != AdminChoice::Refuse {
                (self.clicked)(&asked);
            }
            let seen = runtime.block_on(browser.follow(back));
            self.count(|tally| match (seen, decision) {
                (Err(_), _) => tally.stranded += 1,
                (Ok(_), AdminChoice::Refuse) => tally.refused += 1,
                (Ok(_), _) => tally.granted += 1,
            });
        }
    }

    fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.tally.lock().unwrap());
    }
}

/// The facts in an authorize address.
fn asked(address: &str) -> Asked {
    let address = Url::parse(address).unwrap();
    let fact = |name: &str| {
        address.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    };
    let fact = |name: &str| fact(name).unwrap_or_default();
    Asked { ubi: fact("ubi"), license: fact("license"), username: fact("username") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{Rig, Run, register};

    #[test]
    fn a_crowd_answers_each_page_as_its_told() {
        let rig = Rig::new();
        let will = |asked: &Asked| match asked.license.as_str() {
            "L-refused" => Will::Refuse,
            "L-other" => Will::GrantAs("bob@example.com".into()),
            "L-ignored" => Will::Ignore,
            _ => Will::Grant,
        };
        let clicked = Arc::new(Mutex::new(Vec::new()));
        let heard = clicked.clone();
        let crowd = Crowd::telling(1, will, move |asked| heard.lock().unwrap().push(asked.license.clone()));
        let browser = crowd.browser();
        let licenses: Vec<_> = (0..12).map(|at| format!("L-{at}")).collect();
        let more = ["--browser", browser.as_str()];
        let start = |license: &str, more: &[&str]| rig.start(&register(license, more));
        let granted: Vec<_> = licenses.iter().map(|license| start(license, &more)).collect();
        let (refused, other) = (start("L-refused", &more), start("L-other", &more));
        let ignored = start("L-ignored", &["--browser", &browser, "--timeout", "8s"]);
        for child in granted {
            Run::of(child.wait_with_output().unwrap()).exits(0);
        }
        Run::of(refused.wait_with_output().unwrap()).exits(6).says("refused");
        Run::of(other.wait_with_output().unwrap()).exits(6).says("bob@example.com");
        Run::of(ignored.wait_with_output().unwrap()).exits(5);
        // The last pages may still be on their way to the browser.
        let expected = Tally { opened: 15, granted: 13, refused: 1, ignored: 1, ..Tally::default() };
        rig.until(|| crowd.tally() == expected);
        assert_eq!(clicked.lock().unwrap().len(), 13);
    }

    #[test]
    fn a_crowd_outlives_a_program_that_is_killed() {
        let rig = Rig::new();
        let crowd = Crowd::of(1, |_| Will::Grant);
        let browser = crowd.browser();
        // It's let go of before the page is answered: the browser finds nobody there.
        let gate = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = gate.local_addr().unwrap().port();
        drop(gate);
        let back = format!("http%3A%2F%2F127.0.0.1%3A{closed}%2Fcallback");
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let address = format!(
            "{}/oauth?response_type=code&client_id=biotrack-auth-sandbox&redirect_uri={back}&state=s\
             &code_challenge={challenge}&code_challenge_method=S256&ubi=604001&license=L-1&username=ann",
            rig.sandbox().address()
        );
        let words = shlex::split(&browser).unwrap();
        assert!(Command::new(&words[0]).args(&words[1..]).arg(&address).status().unwrap().success());
        rig.until(|| crowd.tally().stranded == 1);
        rig.run(&register("L-1", &["--browser", &browser])).exits(0);
        assert_eq!(crowd.tally().opened, 2);
    }

    #[test]
    fn dice_roll_the_same_for_a_seed_and_every_side() {
        let rolled = |seed| {
            let mut dice = Dice::of(seed);
            (0..100).map(|_| dice.roll(6)).collect::<Vec<_>>()
        };
        assert_eq!(rolled(1), rolled(1));
        assert_ne!(rolled(1), rolled(2));
        assert!((0..6).all(|side| rolled(1).contains(&side)));
    }
}
