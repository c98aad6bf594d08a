//! The ledger: its files, SQLite's own look at it, its schema, its history, and what dead processes left.

use super::Examination;
use crate::command::{blind_spots, ledger_of, ledger_place, missing};
use crate::error::{Error, LedgerError, clean, counted, first_few};
use crate::ledger::{Ledger, Migration, SCHEMA};
use crate::model::authorization::{AuthorizationWithFlows, Condition, command_with};
use crate::model::instant::for_machines;
use crate::model::server::LedgerPlace;
use crate::system::files::{self, FileSensitivity};
use std::time::Duration;

/// With less on the disk, a consent is refused before it begins, or soon will be.
const LEAST_ROOM: u64 = 16 * 1024 * 1024;

/// No longer is looked at the whole file.
const LONGEST: Duration = Duration::from_secs(20);

/// So many of a kind are named.
const NAMED: usize = 10;

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
            Ok(None) => {
                self.note("ledger", "there is no ledger yet: biotrack-auth config init creates it", None)
            }
            Err(Error::Ledger(LedgerError::Older { found, known, .. })) if self.is_in_a_file() => {
                let found = format!(
                    "schema {found}; the next command migrates it to schema {known}, and keeps a copy beside it"
                );
                self.note("ledger", found, Some("To migrate it now: biotrack-auth doctor --fix".into()));
            }
            Err(e) => self.failed("ledger", &e),
        }
    }

    /// Who receives what finishes a hand-off, wherever its link is made.
    fn listening_hosts(&mut self, ledger: &Ledger) -> Result<(), Error> {
        let now = self.call.env.clock.now();
        for host in ledger.listening_hosts(now)? {
            let found = format!(
                "{} can finish the hand-offs of every host: it has run listen since {}, and was last seen {} ({})",
                clean(&host.name),
                for_machines(host.since),
                for_machines(host.listened),
                clean(&host.recipient),
            );
            let remove =
                command_with("config", &["recipients", "remove", host.recipient.as_str()], None, &[]);
            self.note("hosts", found, Some(format!("To stop that: {remove}")));
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
                    let kept =
                        copy.map_or_else(String::new, |copy| format!("; the old ledger is kept as {copy}"));
                    self.fixed("ledger", format!("migrated from schema {from} to schema {to}{kept}"));
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
                self.well("ledger", format!("{}, schema {SCHEMA}: OK", clean(ledger.place())));
            }
            Some(complaints) => {
                let fix = "Keep the file, and restore the last backup beside it (with its -wal file).";
                self.problem("ledger", format!("SQLite reports damage: {}", complaints.join("; ")), fix);
            }
            None => {
                let found = format!("too large to check within {} s", LONGEST.as_secs());
                self.note("ledger", found, None);
            }
        }
        if let Some(why) = ledger.failover_risk()? {
            let found = format!(
                "replication isn't synchronous ({why}): a failover may lose the last commits, including recently refreshed tokens"
            );
            self.note("ledger", found, Some("Set synchronous_standby_names on the primary, or accept that each host reports such a loss: docs/team.md.".into()));
        }
        if let Err(e) = ledger.can_remember() {
            let found = format!("this host can't remember the state of the ledger: {e}");
            self.problem(
                "ledger",
                found,
                "Make that file writable for your user: it is needed to notice that a ledger was restored from an older copy.",
            );
        }
        if let Some(licenses) = ledger.went_back()? {
            let whose = if licenses.is_empty() { "none".into() } else { first_few(&licenses, NAMED) };
            let found = format!(
                "the ledger went back in time: it lacks changes that this host made; licenses that this host changed since: {whose}"
            );
            self.problem(
                "ledger",
                clean(&found),
                "Run any command that writes: it records this for all hosts, and prints what to do.",
            );
        }
        self.made_by_hand(ledger)?;
        self.listening_hosts(ledger)?;
        self.blind_spots(ledger)?;
        self.lost_grants(ledger)?;
        for profile in ledger.profiles()? {
            self.unstored(&ledger.standings(&profile)?);
            let doubted = ledger.possibly_spent(&profile)?;
            if !doubted.is_empty() {
                let found = format!(
                    "refresh tokens that may already be used, because the ledger went back in time: {}",
                    first_few(&doubted.iter().map(|key| key.license.as_str()).collect::<Vec<_>>(), NAMED)
                );
                let renew = command_with(
                    "renew",
                    &[],
                    Some(&profile),
                    &doubted.iter().take(NAMED).collect::<Vec<_>>(),
                );
                let fix = format!(
                    "Ask the admins to grant access again: {renew}; or try the tokens: biotrack-auth import --adopt"
                );
                self.problem("ledger", clean(&found), fix);
            }
        }
        for (export, _) in ledger.exports_cut_short()? {
            let found =
                format!("an export by {} was interrupted: {}", export.owner(), export.licenses.join(", "));
            self.problem(
                "ledger",
                clean(&found),
                "To finish it or undo it, run any command that writes on that host.",
            );
        }
        let chain = ledger.verify_history()?;
        match chain.broken {
            None => self.well("history", format!("intact, {}", counted(chain.links, "entry", "entries"))),
            Some(broken) => {
                let found = format!("broken at entry {}: {}", broken.seq, broken.why);
                self.problem(
                    "history",
                    found,
                    "To find the break: biotrack-auth history verify. Keep the file, and compare it with a backup.",
                );
            }
        }
        Ok(())
    }

    /// What somebody put there by hand that no program can use: commands leave it out, or refuse to count on from it.
    fn made_by_hand(&mut self, ledger: &Ledger) -> Result<(), Error> {
        let unread = match ledger.unreadable_rows() {
            // A reader sees no queue.
            Err(Error::Ledger(LedgerError::Refused { .. })) => Vec::new(),
            unread => unread?,
        };
        let damaged = ledger.damaged_counters()?;
        if unread.is_empty() && damaged.is_empty() {
            return Ok(());
        }
        if self.fix {
            let mended = ledger_of(self.call.env)
                .and_then(|mut ledger| Ok((ledger.remove_unreadable_rows()?, ledger.mend_counters()?)));
            match mended {
                Ok((removed, counters)) => {
                    let rows = counted(removed, "row that can't be read", "rows that can't be read");
                    let counters = counted(counters, "damaged counter", "damaged counters");
                    self.fixed("ledger", format!("removed {rows}, repaired {counters}"));
                }
                Err(e) => self.failed("ledger", &e),
            }
            return Ok(());
        }
        for row in unread.iter().take(NAMED) {
            let found = format!("{} can't be read, and is left out: {}", row.what, row.why);
            self.problem("ledger", clean(&found), "To remove it: biotrack-auth doctor --fix");
        }
        if unread.len() > NAMED {
            let found = counted(unread.len() - NAMED, "more row can't be read", "more rows can't be read");
            self.problem("ledger", found, "To remove them: biotrack-auth doctor --fix");
        }
        if !damaged.is_empty() {
            let whose: Vec<_> =
                damaged.iter().map(|it| format!("{} ({})", it.key.license, it.profile)).collect();
            let found = format!("the counters of these licenses are damaged: {}", first_few(&whose, NAMED));
            self.problem("ledger", clean(&found), "To repair them: biotrack-auth doctor --fix");
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

    /// What was granted or changed in the time that the ledger lost, and of which it has no tokens.
    fn lost_grants(&mut self, ledger: &Ledger) -> Result<(), Error> {
        for (profile, lost) in ledger.possibly_lost()? {
            let licenses: Vec<_> = lost.iter().map(|key| key.license.as_str()).collect();
            let found = format!(
                "this host changed licenses of {profile} whose grants the ledger lacks, because it went back in time: {}",
                first_few(&licenses, NAMED)
            );
            let fix = "BioTrack may still honor those grants. Register each license again, and ask its admin to grant access.";
            self.problem("ledger", clean(&found), fix);
        }
        Ok(())
    }

    /// Grants, and tokens of refreshes, that wait sealed because vault or ledger couldn't take them.
    fn unstored(&mut self, standings: &[AuthorizationWithFlows]) {
        let now = self.call.env.clock.now();
        let waiting = standings.iter().filter(|it| it.conditions(now).contains(&Condition::GrantedNotStored));
        let waiting: Vec<_> = waiting.map(|it| it.record.key.license.to_string()).collect();
        if !waiting.is_empty() {
            let found = format!(
                "granted, but not stored yet; each grant is kept sealed: {}",
                first_few(&waiting, NAMED)
            );
            let fix = "To store them, run the next command that biotrack-auth status shows for each. The admins need not grant access again.";
            self.problem("grants", clean(&found), fix);
        }
    }

    fn files(&mut self) {
        let paths = &self.call.env.paths;
        if files::check_private_folder(&paths.data).is_err()
            && self.fix
            && files::ensure_folder(&paths.data).is_ok()
        {
            self.fixed("files", "the data folder was open to other users; its mode is now 0700");
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
        if let Some(left) = paths.left_home() {
            let found = format!(
                "{} has a configuration or a ledger of an earlier version, which isn't used: there is one in {}, too",
                left.display(),
                paths.data.display()
            );
            let fix = "Keep the one that you need: move the other folder away while no command runs.";
            self.note("files", clean(&found), Some(fix.into()));
        }
        match files::can_be_made(&paths.data) {
            _ if !fine => {}
            Ok(()) => self.private_files(),
            Err(why) => {
                let found = format!("the folder {} can't be created: {why}", paths.data.display());
                self.problem(
                    "files",
                    found,
                    "Change its owner to you, or set BIOTRACK_AUTH_HOME to a folder that you own.",
                );
            }
        }
    }

    #[cfg(not(windows))]
    fn private_files(&mut self) {
        self.well("files", format!("private, in {}", self.call.env.paths.data.display()));
    }

    /// What the folder's access list says. Nothing is said of files that have a list of their own.
    #[cfg(windows)]
    fn private_files(&mut self) {
        use crate::system::files::FolderAccess;
        let folder = &self.call.env.paths.data;
        let place = folder.display();
        if !folder.exists() {
            return self.well("files", format!("none yet, in {place}"));
        }
        let mut access = files::look(folder);
        if matches!(access, FolderAccess::Others(_)) && self.fix && files::close(folder).is_ok() {
            access = files::look(folder);
            if access == FolderAccess::OursAlone {
                self.fixed("files", format!("the data folder was open to other users; its access list now names only you, SYSTEM and Administrators: {place}"));
            }
        }
        match access {
            FolderAccess::OursAlone => {
                self.well(
                    "files",
                    format!("private, in {place}: its access list names only you, SYSTEM and Administrators"),
                );
            }
            FolderAccess::Others(accounts) => {
                let found = format!("{place} is open to other users: {}", first_few(&accounts, NAMED));
                self.problem("files", clean(&found), "To close it: biotrack-auth doctor --fix.");
            }
            FolderAccess::Unseen(reason) => {
                let found = format!(
                    "in {place}; who else can read them is unknown, because the access list can't be read: {reason}"
                );
                self.note("files", clean(&found), None);
            }
        }
    }

    fn room(&mut self) {
        match files::free_bytes(&self.call.env.paths.data) {
            Some(free) if free < LEAST_ROOM => {
                let found = format!("only {} KiB are free for the ledger", free / 1024);
                self.problem("disk", found, "Free some space: no authorization can start on a full disk.");
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
            "{} lock files and {} spool files of processes that have ended",
            left.marks.len(),
            left.spools.len()
        );
        if !self.fix {
            return self.problem(
                "leftovers",
                found,
                "To remove them and store the spools' contents: biotrack-auth doctor --fix",
            );
        }
        match ledger_of(self.call.env).and_then(|mut ledger| ledger.clear_leftovers()) {
            Ok(cleared) => {
                self.fixed("leftovers", format!("removed {cleared} files of processes that have ended"))
            }
            Err(e) => self.failed("leftovers", &e),
        }
    }
}
