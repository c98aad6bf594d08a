//! The ledger: its files, SQLite's own look at it, its schema, its history, and what dead processes left.

use super::Examination;
use crate::command::{ledger_of, ledger_to_read, read_ledger};
use crate::edge::files;
use crate::error::{Error, clean, counted};
use crate::ledger::Ledger;
use std::time::Duration;

/// With less on the disk, a consent is refused before it begins, or soon will be.
const LEAST_ROOM: u64 = 16 * 1024 * 1024;

/// No longer is looked at the whole file.
const LONGEST: Duration = Duration::from_secs(20);

impl Examination<'_, '_> {
    pub(super) fn ledger(&mut self) {
        self.files();
        self.room();
        let found = match &self.config {
            Some(config) => read_ledger(self.call.env, config),
            None => ledger_to_read(self.call.env),
        };
        let ledger = match found {
            Ok(Some(ledger)) => ledger,
            Ok(None) => {
                return self.note(
                    "ledger",
                    "there is none yet: the first command that writes makes it",
                    None,
                );
            }
            Err(e) => return self.failed("ledger", &e),
        };
        self.leftovers(&ledger);
        if let Err(e) = self.look_into(&ledger) {
            self.failed("ledger", &e);
        }
    }

    fn look_into(&mut self, ledger: &Ledger) -> Result<(), Error> {
        let (schema, newest) = ledger.schema();
        if schema < newest {
            let found = format!("schema {schema}; the next command that writes makes it {newest}");
            self.note("ledger", found, None);
        }
        match ledger.integrity(LONGEST)? {
            Some(complaints) if complaints.is_empty() => {
                self.well("ledger", format!("{}, schema {schema}: sound", clean(ledger.place())));
            }
            Some(complaints) => {
                let fix = "Keep the file, and restore the last backup beside it (with its -wal file).";
                self.problem("ledger", format!("SQLite finds it damaged: {}", complaints.join("; ")), fix);
            }
            None => {
                let found = format!("larger than could be looked through in {} s", LONGEST.as_secs());
                self.note("ledger", found, None);
            }
        }
        let chain = ledger.verify_history()?;
        match chain.broken {
            None => self.well("history", format!("whole, {}", counted(chain.links, "link", "links"))),
            Some(broken) => {
                let found = format!("broken at link {}: {}", broken.seq, broken.why);
                self.problem(
                    "history",
                    found,
                    "See biotrack-auth history verify. Keep the file, and compare it with a backup.",
                );
            }
        }
        Ok(())
    }

    fn files(&mut self) {
        let paths = &self.call.env.paths;
        if files::check_private_folder(&paths.data).is_err()
            && self.fix
            && files::private_folder(&paths.data).is_ok()
        {
            self.fixed("files", "the data folder was open to others, and is 0700 now");
        }
        let ledger = paths.ledger();
        let beside = |end: &str| {
            let mut name = ledger.clone().into_os_string();
            name.push(end);
            name.into()
        };
        let mut fine = true;
        if let Err(e) = files::check_private_folder(&paths.data) {
            fine = false;
            self.failed("files", &e);
        }
        for file in [paths.config.clone(), ledger.clone(), beside("-wal"), beside("-shm")] {
            if let Err(e) = files::check_private_file(&file) {
                fine = false;
                self.failed("files", &e);
            }
        }
        if fine {
            self.well("files", format!("ours alone, in {}", paths.data.display()));
        }
    }

    fn room(&mut self) {
        match files::room(&self.call.env.paths.data) {
            Some(free) if free < LEAST_ROOM => {
                let found = format!("{} KiB are left for the ledger", free / 1024);
                self.problem("disk", found, "Make room: a consent isn't begun on a full disk.");
            }
            Some(free) => self.well("disk", format!("{} MiB free", free / 1024 / 1024)),
            None => {}
        }
    }

    fn leftovers(&mut self, ledger: &Ledger) {
        let left = ledger.leftovers();
        let count = left.marks.len() + left.spools.len();
        if count == 0 {
            return;
        }
        let found = format!(
            "{} marks and {} spools of processes that have ended",
            left.marks.len(),
            left.spools.len()
        );
        if !self.fix {
            return self.problem(
                "leftovers",
                found,
                "biotrack-auth doctor --fix clears them away, and keeps what the spools hold.",
            );
        }
        match ledger_of(self.call.env).and_then(|mut ledger| ledger.clear_leftovers()) {
            Ok(cleared) => {
                self.fixed("leftovers", format!("{cleared} files of processes that have ended are gone"))
            }
            Err(e) => self.failed("leftovers", &e),
        }
    }
}
