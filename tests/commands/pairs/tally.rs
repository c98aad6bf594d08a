//! What was tried, and what went wrong; which steps are left out, and which pairs an earlier run has done.

use crate::rig::STRIDE;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

/// What was tried, and what went wrong.
#[derive(Default)]
pub struct Tally {
    tried: usize,
    wrong: Vec<String>,
}

impl Tally {
    /// Where to begin, and how many steps to go on by: others for each name.
    pub fn stride(&self, name: &str, usual: usize) -> (usize, usize) {
        if variable("BIOTRACK_TEST_ALL").is_some() {
            return (0, 1);
        }
        let mixed = mixed(name);
        let stride = usual * STRIDE + mixed % 3;
        (mixed / 3 % stride, stride)
    }

    /// Tries a pair, unless an earlier run has noted that nothing of it was wrong; notes it where nothing is. A home on a
    /// server takes long to make: there a usual run takes a part of the pairs alone.
    pub fn pair(&mut self, name: &str, tries: impl FnOnce(&mut Self)) {
        const PART: usize = 4;
        let is_left_out = variable("BIOTRACK_TEST_LEDGER").is_some() && !mixed(name).is_multiple_of(PART);
        if is_left_out && variable("BIOTRACK_TEST_ALL").is_none() {
            return;
        }
        let ledger = variable("BIOTRACK_TEST_LEDGER").map_or("sqlite".into(), |it| it.display().to_string());
        let name = format!("{ledger} {name}");
        let note = variable("BIOTRACK_TEST_DONE").map(PathBuf::from);
        let noted = note.as_ref().and_then(|note| fs::read_to_string(note).ok()).unwrap_or_default();
        let of_it = |line: &str| line.strip_prefix(&name)?.strip_prefix(": ")?.parse::<usize>().ok();
        if let Some(tried) = noted.lines().find_map(of_it) {
            self.tried += tried;
            return;
        }
        let (tried, wrong) = (self.tried, self.wrong.len());
        tries(self);
        if let (Some(note), true) = (note, self.wrong.len() == wrong) {
            let mut line = String::new();
            writeln!(line, "{name}: {}", self.tried - tried).unwrap();
            // One write: tests that run beside this one note theirs, too.
            let mut file = fs::OpenOptions::new().create(true).append(true).open(note).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
    }

    pub fn count(&mut self, done: Result<(), String>) {
        self.tried += 1;
        self.wrong.extend(done.err());
    }

    #[expect(clippy::disallowed_macros, reason = "the figures of a whole run")]
    pub fn end(self) {
        println!("{} tried, {} wrong", self.tried, self.wrong.len());
        assert!(self.wrong.is_empty(), "{} of {}:\n{}", self.wrong.len(), self.tried, self.wrong.join("\n"));
    }
}

/// FNV-1a: the same at every run, and another for each name.
fn mixed(name: &str) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from(hash >> 33).unwrap()
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    std::env::var_os(name)
}
