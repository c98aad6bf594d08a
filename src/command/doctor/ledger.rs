//! The ledger: its files, SQLite's own look at it, its schema, its history, and what dead processes left.

use super::Examination;
use crate::command::{blind_spots, ledger_of, ledger_place, missing};
use crate::error::{Error, LedgerError, clean, counted, first_few};
use crate::ledger::{Ledger, Migration, SCHEMA};
use crate::model::authorization::{AuthorizationWithFlows, Condition, next_of};
use crate::model::instant::for_machines;
use crate::model::server::LedgerPlace;
use crate::system::files::{self, FileSensitivity};
use std::time::Duration;

/// With less on the disk, a consent is refused before it begins, or soon will be.
const LEAST_ROOM: u64 = 16 * 1024 * 1024;

/// No longer is looked at the whole file.
const LONGEST: Duration = Duration::from_secs(20);

impl Examination<'_, '_> {
    pub(super) fn ledger(&mut self) {
        self.files();
        self.room();
        match self.examined_ledger() {
            Ok(Some(ledger)) => {
                self.leftovers(&ledger);
                if let Err(e) = self.look_into(&ledger) {
                    self.failed("ledger", &e);
                }
            }
            Ok(None) if self.config.is_some() => {
                let missing = self.ledger_place().map(|place| missing(self.call.env, &place));
                self.failed("ledger", &missing.unwrap_or_else(|e| e));
            }
            Ok(None) => self.note("ledger", "there is none yet: biotrack-auth config init makes it", None),
            Err(Error::Ledger(LedgerError::Older { found, known, .. })) if self.is_in_a_file() => {
                let found =
                    format!("schema {found}; the next command makes it {known}, and keeps a copy beside it");
                self.note("ledger", found, Some("biotrack-auth doctor --fix does so now.".into()));
            }
            Err(e) => self.failed("ledger", &e),
        }
    }

    /// Who receives what finishes a hand-off, wherever its link is made.
    fn listening_hosts(&mut self, ledger: &Ledger) -> Result<(), Error> {
        let now = self.call.env.clock.now();
        for host in ledger.listening_hosts(now)? {
            let found = format!(
                "{} can finish the hand-offs of every host: it has listened since {}, and was heard of last {} ({})",
                clean(&host.name),
                for_machines(host.since),
                for_machines(host.listened),
                clean(&host.recipient),
            );
            let remove = next_of("config", &["recipients", "remove", host.recipient.as_str()], None, &[]);
            self.note("hosts", found, Some(format!("If it shouldn't: {remove}")));
        }
        Ok(())
    }

    /// The ledger; one that is older than this program is migrated with `--fix`, and else left as it is.
    fn examined_ledger(&mut self) -> Result<Option<Ledger>, Error> {
        let env = self.call.env;
        let place = self.ledger_place()?;
        match Ledger::read_current(env, &place) {
            Err(Error::Ledger(LedgerError::Older { .. })) if self.fix => {
                if let Some(Migration { from, to, copy }) = Ledger::migrate(env, &place)? {
                    let kept = copy.map_or_else(String::new, |copy| format!("; {copy} is what it was"));
                    self.fixed("ledger", format!("it had schema {from}, and has schema {to} now{kept}"));
                }
                Ledger::read_current(env, &place)
            }
            read => read,
        }
    }

    fn ledger_place(&self) -> Result<LedgerPlace, Error> {
        let env = self.call.env;
        match &self.config {
            Some(config) => config.ledger_place(&env.variables, &env.who.user),
            None => ledger_place(env),
        }
    }

    fn is_in_a_file(&self) -> bool {
        matches!(self.ledger_place(), Ok(LedgerPlace::File))
    }

    fn look_into(&mut self, ledger: &Ledger) -> Result<(), Error> {
        match ledger.integrity(LONGEST)? {
            Some(complaints) if complaints.is_empty() => {
                self.well("ledger", format!("{}, schema {SCHEMA}: sound", clean(ledger.place())));
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
        if let Some(why) = ledger.a_failover_loses()? {
            let found = format!(
                "replication isn't synchronous ({why}): a failover may lose the last commits, and with them tokens that were refreshed just before"
            );
            self.note("ledger", found, Some("Set synchronous_standby_names on the primary, or know that each host tells of it: docs/team.md.".into()));
        }
        if let Err(e) = ledger.can_remember() {
            let found = format!("what this host has seen of it can't be remembered: {e}");
            self.problem(
                "ledger",
                found,
                "Make that file writable for you: by it a ledger is known that goes back in time.",
            );
        }
        if let Some(licenses) = ledger.went_back()? {
            let whose = if licenses.is_empty() { "none".into() } else { first_few(&licenses, 10) };
            let found = format!(
                "went back in time: it lacks what this host had done there; licenses it changed since: {whose}"
            );
            self.problem(
                "ledger",
                clean(&found),
                "The next command that writes notes it for all hosts, and says what to do.",
            );
        }
        self.listening_hosts(ledger)?;
        self.blind_spots(ledger)?;
        for profile in ledger.profiles()? {
            self.unstored(&ledger.standings(&profile)?);
            let doubted = ledger.doubted(&profile)?;
            if !doubted.is_empty() {
                let found = format!(
                    "refresh tokens that may be spent, because the ledger went back in time: {}",
                    first_few(&doubted.iter().map(|key| key.license.as_str()).collect::<Vec<_>>(), 10)
                );
                let renew =
                    next_of("renew", &[], Some(&profile), &doubted.iter().take(10).collect::<Vec<_>>());
                let fix = format!("Ask for them anew: {renew}; or try them: biotrack-auth import --adopt");
                self.problem("ledger", clean(&found), fix);
            }
        }
        for (export, _) in ledger.exports_cut_short()? {
            let found =
                format!("an export by {} was cut short: {}", export.owner(), export.licenses.join(", "));
            self.problem(
                "ledger",
                clean(&found),
                "The next command that changes something on its host finishes it, or takes it back.",
            );
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

    /// What cron's lines would pass over in silence.
    fn blind_spots(&mut self, ledger: &Ledger) -> Result<(), Error> {
        if let Some(config) = &self.config {
            for spot in blind_spots::of_all_profiles(ledger, config)? {
                self.problem("profiles", spot.in_words(), spot.hint());
            }
        }
        if let Some(spot) = blind_spots::of_the_clock(ledger, self.call)? {
            self.problem("clock", spot.in_words(), spot.hint());
        }
        Ok(())
    }

    /// Grants, and tokens of refreshes, that wait sealed because vault or ledger couldn't take them.
    fn unstored(&mut self, standings: &[AuthorizationWithFlows]) {
        let now = self.call.env.clock.now();
        let waiting = standings.iter().filter(|it| it.conditions(now).contains(&Condition::GrantedNotStored));
        let waiting: Vec<_> = waiting.map(|it| it.record.key.license.to_string()).collect();
        if !waiting.is_empty() {
            let found =
                format!("granted, but not stored yet, each waits sealed: {}", first_few(&waiting, 10));
            let fix = "Nobody is asked again: run the next command that biotrack-auth status names for each.";
            self.problem("grants", clean(&found), fix);
        }
    }

    fn files(&mut self) {
        let paths = &self.call.env.paths;
        if files::check_private_folder(&paths.data).is_err()
            && self.fix
            && files::provided_folder(&paths.data).is_ok()
        {
            self.fixed("files", "the data folder was open to others, and is 0700 now");
        }
        let mut fine = true;
        if let Err(e) = files::check_private_folder(&paths.data) {
            fine = false;
            self.failed("files", &e);
        }
        let settings = files::open_provided(&paths.config, FileSensitivity::Settings).map(drop);
        let ours = [paths.ledger()].into_iter().chain(paths.beside_ledger());
        for judged in [settings].into_iter().chain(ours.map(|file| files::check_private_file(&file))) {
            if let Err(e) = judged {
                fine = false;
                self.failed("files", &e);
            }
        }
        match files::can_be_made(&paths.data) {
            _ if !fine => {}
            Ok(()) => self.well("files", format!("safe from other users, in {}", paths.data.display())),
            Err(why) => {
                let found = format!("the folder {} can't be made: {why}", paths.data.display());
                self.problem(
                    "files",
                    found,
                    "Make it yours, or set BIOTRACK_AUTH_HOME to a folder of your own.",
                );
            }
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
