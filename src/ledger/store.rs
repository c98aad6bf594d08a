//! The ledger, open: its one transaction boundary.

use super::engine::{Db, DbError, Engine, LedgerFile, Session, values};
use super::exports::{self, Export};
use super::journal::ClosedFlow;
use super::journal::{self, Closed};
use super::process_locks::{self as owners, Liveness, ProcessLock};
use super::schema::Migration;
use super::secret_locations as places;
use super::spool::{Spool, Spooled};
use super::{heads, records};
use crate::error::{Error, LedgerError, Result};
use crate::model::flow::{Change, Flow, Logged, Move, Owner, Place, Role, Stage};
use crate::model::ids::{FlowId, Key};
use crate::model::reminder::Occasion;
use crate::model::secret::Fingerprint;
use crate::model::server::LedgerPlace;
use crate::model::vault_kind::VaultKind;
use crate::system::{Clock, Env, Paths, Random, Step, Steps, Who, files};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The ledger, open.
pub struct Ledger {
    pub(super) engine: Engine,
    pub(super) paths: Paths,
    /// Where it is, for messages.
    pub(super) path: String,
    /// Where answers go that it can't take.
    pub(super) spool: PathBuf,
    pub(super) id: String,
    pub(super) who: Who,
    pub(super) random: Arc<dyn Random>,
    pub(super) steps: Arc<dyn Steps>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) boot: Option<String>,
    pub(super) mark: Option<ProcessLock>,
    pub(super) hooks: BTreeSet<Occasion>,
    /// The log of commits was taken into the file by us.
    pub(super) log_is_fresh: bool,
    /// What this process knows to be in the ledger.
    pub(super) seen: heads::Seen,
    /// What the transaction that is open has written.
    pub(super) written: Rc<RefCell<heads::Written>>,
    /// The connection by which that was seen.
    pub(super) connection: u64,
}

/// What a commit replaced: for the vault to forget.
#[derive(Debug, Default)]
pub struct CommitReceipt {
    /// The closed question's memo.
    pub memo: Option<Place>,
}

/// The roles in which a secret only waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetiredRole {
    /// A newer grant is stored in its place.
    Superseded,
    /// It's refused, or given up.
    Unwanted,
}

/// A question with the record it's about: what is committed before anything is asked.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The question.
    pub flow: Flow,
    /// The record as it shall be while the question is open, and its event; a new license becomes pending here.
    pub change: Change,
    /// What an answer is matched by; `None` for a question that no browser answers.
    pub state: Option<Fingerprint>,
    /// Its answer comes from elsewhere, whenever it comes: no process owns it.
    pub handed_off: bool,
}

/// A question that is on disk.
#[derive(Debug)]
pub struct Intended {
    /// The proof.
    pub flow: Logged<FlowId>,
    /// The memo of a hand-off that it replaced: for the vault to forget.
    pub replaced: Option<Place>,
}

impl Ledger {
    /// Opens the ledger for writing, and makes it where there is none. A file is migrated where it's older than this program.
    ///
    /// # Errors
    /// Where a newer program migrated it, or, on a server, its owner didn't yet: nothing is changed.
    pub fn open(env: &Env, place: &LedgerPlace) -> Result<Self> {
        let mut ledger = match place {
            LedgerPlace::File => {
                Self::of_file(LedgerFile::write(&env.paths, env.random.as_ref(), env.steps.as_ref())?, env)
            }
            LedgerPlace::Server(server) => {
                // Marks and spools are here all the same.
                files::private_folder(&env.paths.data)?;
                Self::of_server(Session::write(server, env.random.as_ref())?, env)
            }
        };
        tracing::info!("ledger {} in {}", ledger.id, ledger.path);
        ledger.connection = ledger.engine.connection();
        ledger.looks_back(env.clock.now())?;
        Ok(ledger)
    }

    /// Opens the ledger for reading; `None` where there is none yet. A file that is older than this program is migrated first:
    /// it's our own.
    ///
    /// # Errors
    /// Where a newer program migrated it, or an older one can't be migrated from here.
    pub fn read(env: &Env, place: &LedgerPlace) -> Result<Option<Self>> {
        match (Self::read_current(env, place), place) {
            (Err(Error::Ledger(LedgerError::Older { path, found, known })), LedgerPlace::File) => {
                Self::migrate(env, place).map_err(|e| match e {
                    Error::Ledger(LedgerError::Open { reason, .. } | LedgerError::Io { reason, .. }) => {
                        LedgerError::NotMigrated { path, found, known, reason }.into()
                    }
                    other => other,
                })?;
                Self::read_current(env, place)
            }
            (read, _) => read,
        }
    }

    /// Opens the ledger for reading, and changes nothing whatever its schema is; `None` where there is none yet.
    ///
    /// # Errors
    /// Where it has another schema than this program works with.
    pub fn read_current(env: &Env, place: &LedgerPlace) -> Result<Option<Self>> {
        Ok(match place {
            LedgerPlace::File => {
                tracing::info!("ledger {}, for reading", env.paths.ledger().display());
                LedgerFile::read(&env.paths)?.map(|file| Self::of_file(file, env))
            }
            LedgerPlace::Server(server) => {
                tracing::info!("ledger {}, for reading", server.address);
                Session::read(server)?.map(|session| Self::of_server(session, env))
            }
        })
    }

    /// Brings the ledger up to date where it's older than this program: a file after a copy of it was put beside it, a server's as
    /// the role that owns it. What that did; `None` where it was up to date.
    ///
    /// # Errors
    /// Where a newer program migrated it, or it can't be migrated from here: nothing is changed.
    pub fn migrate(env: &Env, place: &LedgerPlace) -> Result<Option<Migration>> {
        let migration = match place {
            LedgerPlace::File => LedgerFile::migrate(&env.paths, env.random.as_ref(), env.steps.as_ref())?,
            LedgerPlace::Server(server) => Session::migrate(server)?,
        };
        if let Some(Migration { from, to, copy }) = &migration {
            let copy = copy.as_deref().unwrap_or("nowhere else");
            tracing::info!("the ledger had schema {from}, and has {to}; as it was, it is kept in {copy}");
        }
        Ok(migration)
    }

    pub(super) fn of_file(file: LedgerFile, env: &Env) -> Self {
        let (id, place) = (file.id().to_owned(), (file.place().to_owned(), env.paths.spool()));
        Self::of(Engine::Sqlite(file), id, place, env)
    }

    pub(super) fn of_server(session: Session, env: &Env) -> Self {
        let id = session.id().to_owned();
        // What it couldn't take is for this very ledger, whatever others are used here.
        let place = (session.place(), env.paths.spool_of(&id));
        Self::of(Engine::Postgres(Rc::new(session)), id, place, env)
    }

    pub(super) fn of(engine: Engine, id: String, (path, spool): (String, PathBuf), env: &Env) -> Self {
        Self {
            engine,
            id,
            path,
            spool,
            paths: env.paths.clone(),
            who: env.who.clone(),
            random: env.random.clone(),
            steps: env.steps.clone(),
            clock: env.clock.clone(),
            boot: env.boot.clone(),
            mark: None,
            hooks: BTreeSet::new(),
            log_is_fresh: false,
            seen: heads::Seen::default(),
            written: Rc::default(),
            connection: 0,
        }
    }

    /// Whether the file that is open is still the one at its place, and can be written to.
    pub fn is_usable(&mut self) -> Result<()> {
        if let Engine::Sqlite(_) = self.engine {
            let found = LedgerFile::read(&self.paths)?.map(|file| file.id().to_owned());
            if found.as_deref() != Some(&self.id) {
                let reason = "it isn't the ledger that was opened".to_owned();
                return Err(LedgerError::Open { path: self.path.clone(), reason }.into());
            }
        }
        self.transaction("be written", |_| Ok(()))
    }

    /// Whether other hosts use it too.
    pub fn is_shared(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }

    /// Where it is: a path, or a server's address.
    pub fn place(&self) -> &str {
        &self.path
    }

    /// How long nobody else takes over what this process is at, though it can't be heard of: on this host always.
    pub fn lease(&self) -> Duration {
        match &self.engine {
            Engine::Sqlite(_) => Duration::MAX,
            Engine::Postgres(session) => session.lease(),
        }
    }

    /// Whether a question was put by a process of this host, which ended here.
    pub fn is_of_this_host(&self, flow: &Flow) -> bool {
        let mark = flow.owner.as_ref().map(|owner| self.paths.owners().join(&owner.mark));
        !self.is_shared() || mark.is_some_and(|mark| mark.symlink_metadata().is_ok())
    }

    pub(super) fn living(&self) -> Liveness {
        Liveness { marks: self.paths.owners() }
    }

    /// Its own random name: the first part of every keyring account.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// This process's mark, made on first use: who else sees it knows that we live.
    pub(super) fn mark(&mut self) -> Result<&ProcessLock> {
        if self.mark.is_none() {
            let made = ProcessLock::make(
                &self.paths.owners(),
                &self.who,
                self.boot.as_deref(),
                self.random.as_ref(),
            );
            let made = made.map_err(|e| self.unusable(e))?;
            if let Engine::Postgres(session) = &self.engine {
                let Owner { mark, label } = made.owner();
                session.enter(&mark, &label)?;
            }
            self.mark = Some(made);
        }
        self.mark.as_ref().ok_or_else(|| Error::Internal("the owner's mark vanished".into()))
    }

    /// From now on whoever clears away what nobody names sees that this process lives: called before the vault is given
    /// what only a later commit names.
    pub fn shows_that_we_live(&mut self) -> Result<()> {
        self.mark().map(drop)
    }

    /// Commits questions before they are asked, one commit for all, synced. A license that a living process is
    /// asking about is refused, and so is one whose record others have written since it was read; a hand-off is replaced
    /// (also by one that is deactivated); what a dead process left must have been recovered before.
    pub fn intend(&mut self, intents: Vec<Intent>) -> Result<Vec<Result<Intended>>> {
        let owner = self.mark()?.owner();
        let living = self.living();
        let context = self.write_context();
        let mut outcomes = Vec::with_capacity(intents.len());
        if !std::mem::replace(&mut self.log_is_fresh, true) {
            // Now, and not after a redirect. This commit then begins the log anew, and pays the sync of its head.
            self.engine.checkpoint();
        }
        self.transaction("write the intent", |tx| {
            for mut intent in intents {
                if let Some(memo) = &intent.flow.memo {
                    places::is_the_vault(tx, memo.vault())?;
                }
                intent.flow.owner = (!intent.handed_off).then(|| owner.clone());
                let mut replaced = None;
                let license = intent.flow.key.license.to_string();
                match journal::of_license(tx, &intent.flow.profile, &intent.flow.key)? {
                    Some(open) if open.owner.is_none() => replaced = Some(open),
                    Some(open) => {
                        let holder = match open.owner {
                            Some(owner) if living.has(tx, &owner)? => owner.label,
                            Some(owner) => {
                                format!("{} (which has ended; its work is not recovered yet)", owner.label)
                            }
                            None => String::new(),
                        };
                        outcomes.push(Err(Error::Busy { license, holder }));
                        continue;
                    }
                    None => {}
                }
                match records::apply(tx, &intent.change, &context)? {
                    true => {
                        if let Some(open) = &replaced {
                            journal::close(tx, &open.id, Closed::Replaced)?;
                        }
                        journal::insert(tx, &intent.flow, intent.state.as_ref())?;
                        outcomes.push(Ok(Intended {
                            flow: Logged::attested_by_the_ledger(intent.flow.id),
                            replaced: replaced.and_then(|open| open.memo),
                        }));
                    }
                    false => outcomes.push(Err(changed(&intent.change.record.key))),
                }
            }
            Ok(())
        })?;
        Ok(outcomes)
    }

    /// Commits that a refresh token is about to be sent, synced; and that it may have been, for no later note is needed.
    /// Refused where the record isn't any more what it was read as, its tokens aren't any more where they were read
    /// (sealed to others, or in another vault), or another process is at it.
    pub fn intend_refresh(&mut self, mut flow: Flow, id: i64, place: &Place) -> Result<Logged<FlowId>> {
        flow.owner = Some(self.mark()?.owner());
        let living = self.living();
        self.transaction("write the intent", |tx| {
            if let Some(open) = journal::refresh_of_license(tx, &flow.profile, &flow.key)? {
                let refused = match open.owner {
                    Some(owner) if living.has(tx, &owner)? => {
                        Error::Busy { license: flow.key.license.to_string(), holder: owner.label }
                    }
                    // It has ended just now: whoever asks looks again.
                    _ => changed(&flow.key),
                };
                return Err(refused.into());
            }
            heads::refuse_doubted(tx, &flow.profile, &flow.key)?;
            let found = records::secrets(tx, &flow.profile, &flow.key, Role::Live)?;
            let is_there = found.iter().any(|(found, there)| *found == id && there == place);
            if !is_there || records::generation(tx, &flow.profile, &flow.key)? != Some(flow.base) {
                return Err(changed(&flow.key).into());
            }
            journal::insert(tx, &flow, None)
        })?;
        Ok(Logged::attested_by_the_ledger(flow.id))
    }

    /// Lets go of a question of ours that stays open, before this process ends.
    pub fn leave(&mut self, flow: &FlowId) -> Result<()> {
        let ours = self.mark()?.owner();
        self.relaxed(|tx| journal::leave(tx, flow, &ours))
    }

    /// Commits that a refresh token of ours is sent once more, synced. Refused where it may be spent, because the ledger went
    /// back in time, and where others have taken the question over.
    pub fn intend_again(&mut self, flow: &Flow) -> Result<Logged<FlowId>> {
        let ours = self.mark()?.owner();
        self.transaction("write the intent", |tx| {
            heads::refuse_doubted(tx, &flow.profile, &flow.key)?;
            match journal::again(tx, flow, &ours)? {
                true => Ok(()),
                false => Err(LedgerError::TakenOver.into()),
            }
        })?;
        Ok(Logged::attested_by_the_ledger(flow.id.clone()))
    }

    /// Notes how far a question has come. Survives the process's end at once, a power cut only once something is
    /// committed: until then the synced intent stands, whose owner is of an earlier start of the machine, and
    /// [`Self::as_it_may_be`] takes it for one that was sent. Where starts can't be told apart, it's synced.
    pub fn note(&mut self, flow: &FlowId, stage: &Stage) -> Result<Logged<FlowId>> {
        if self.boot.is_none() && *stage == Stage::Sent {
            return self.note_synced(flow, stage);
        }
        let ours = self.mark()?.owner();
        match self.relaxed(|tx| journal::note_own(tx, flow, stage, &ours))? {
            true => Ok(Logged::attested_by_the_ledger(flow.clone())),
            false => Err(LedgerError::TakenOver.into()),
        }
    }

    /// The same, synced: for a question whose synced intent alone would look like one that still waits.
    pub fn note_synced(&mut self, flow: &FlowId, stage: &Stage) -> Result<Logged<FlowId>> {
        let ours = self.mark()?.owner();
        match self.transaction("note", |tx| journal::note_own(tx, flow, stage, &ours))? {
            true => Ok(Logged::attested_by_the_ledger(flow.clone())),
            false => Err(LedgerError::TakenOver.into()),
        }
    }

    /// The open question, of any profile, that a state belongs to. What a spool holds of it is merged first.
    pub fn question_of(&mut self, state: &Fingerprint) -> Result<Option<Flow>> {
        self.merge_spools()?;
        journal::of_state(self.engine.db(), state).map_err(|e| self.fault("read the journal", e))
    }

    /// What is remembered of a closed question by its state.
    pub fn spent(&self, state: &Fingerprint) -> Result<Option<ClosedFlow>> {
        journal::spent(self.engine.db(), state).map_err(|e| self.fault("read the journal", e))
    }

    /// A question that a dead process left, as far as it may have come. Where the machine has started anew since, the last
    /// notes may be gone, for they weren't synced: then one that wasn't sent, by what is there, counts as sent. On a server
    /// every note is synced.
    pub(super) fn as_it_may_be(&self, flow: Flow) -> Flow {
        let Some(owner) = &flow.owner else { return flow };
        Flow { stage: self.stage_it_may_be_at(owner, flow.stage), ..flow }
    }

    pub(super) fn stage_it_may_be_at(&self, owner: &Owner, stage: Stage) -> Stage {
        let noted_all = self.is_shared() || owners::has_noted_all(owner, self.boot.as_deref());
        match stage {
            Stage::Asked | Stage::Arrived(_) if !noted_all => Stage::Sent,
            stage => stage,
        }
    }

    /// Whether a living process is at a question.
    pub fn is_worked_on(&self, flow: &Flow) -> Result<bool> {
        let Some(owner) = &flow.owner else { return Ok(false) };
        self.living().has(self.engine.db(), owner).map_err(|e| self.fault("read who is at work", e))
    }

    /// Takes a question over that waits for its answer and that nobody is at, together with the sealed code that came:
    /// one commit, so that it's either still waiting or can be gone on with. Not synced: what is noted before the code
    /// is sent is. `false` where somebody else was quicker; refused where the secrets were moved to another vault than
    /// the one in which the grant will be kept.
    pub fn take_up(
        &mut self,
        flow: &FlowId,
        from: Option<&Owner>,
        code: &Stage,
        vault: VaultKind,
    ) -> Result<bool> {
        let ours = self.mark()?.owner();
        self.relaxed(|tx| {
            places::is_the_vault(tx, vault)?;
            journal::take_up(tx, flow, from, &ours, code)
        })
    }

    /// Keeps an answer in the journal, synced, because its proper place couldn't take it.
    pub fn keep_answer(&mut self, flow: &FlowId, stage: &Stage) -> Result<()> {
        let ours = self.mark()?.owner();
        match self.transaction("keep the answer", |tx| journal::note_own(tx, flow, stage, &ours))? {
            true => Ok(()),
            false => Err(LedgerError::TakenOver.into()),
        }
    }

    /// Commits changes, one synced commit for all. One whose record others have written since it was read is refused
    /// alone; the others are kept.
    pub fn commit(&mut self, changes: &[Change]) -> Result<Vec<Result<CommitReceipt>>> {
        let context = self.write_context();
        self.transaction("commit", |tx| {
            let mut kept = Vec::with_capacity(changes.len());
            for change in changes {
                match records::apply(tx, change, &context)? {
                    true => {
                        let memo = match &change.closes {
                            Some(flow) => {
                                let memo = journal::memo(tx, flow)?;
                                journal::close(tx, flow, Closed::Ended)?;
                                memo
                            }
                            None => None,
                        };
                        kept.push(Ok(CommitReceipt { memo }));
                    }
                    false => kept.push(Err(changed(&change.record.key))),
                }
            }
            Ok(kept)
        })
    }

    /// Commits changes that belong together, one synced commit: all of them, or none where others have written any record
    /// since it was read, or somebody is at a license: what they bring belongs to what they began with. Secrets of another
    /// vault than the one that all were moved to are refused: no question stood open that would have held up the move.
    pub fn commit_all(&mut self, changes: &[Change]) -> Result<()> {
        self.commit_export(changes, None)
    }

    /// The same for changes with which a bundle's tokens leave.
    pub fn commit_export(&mut self, changes: &[Change], export: Option<&Export>) -> Result<()> {
        let context = self.write_context();
        self.transaction("commit", |tx| {
            for change in changes {
                let record = &change.record;
                let open = journal::of_key(tx, &record.profile, &record.key)?;
                if let Some(owner) = open.into_iter().find_map(|flow| flow.owner) {
                    let license = record.key.license.to_string();
                    return Err(Error::Busy { license, holder: owner.label }.into());
                }
                for step in &change.moves {
                    if let Move::Put(_, place) = step {
                        places::is_the_vault(tx, place.vault())?;
                    }
                }
                if !records::apply(tx, change, &context)? {
                    return Err(changed(&change.record.key).into());
                }
            }
            export.map_or(Ok(()), |export| exports::leaves(tx, export))
        })
    }

    /// Questions about a license, or a whole profile, that nobody works on any more: a dead process left them,
    /// or they were handed off. What a spool holds of them is merged first.
    pub fn unfinished(&mut self, profile: &str, key: Option<&Key>) -> Result<Vec<Flow>> {
        self.merge_spools()?;
        let mut left = Vec::new();
        for flow in self.open_questions(profile, key)? {
            if !self.is_worked_on(&flow)? {
                left.push(flow);
            }
        }
        let dead: BTreeSet<_> =
            left.iter().filter_map(|flow| flow.owner.as_ref()).map(|it| &it.mark).collect();
        if !dead.is_empty() {
            // Once more: an owner may have spooled an answer and ended between the two looks above. From here on none of
            // them does.
            self.merge_spools()?;
            let mut settled = self.open_questions(profile, key)?;
            settled.retain(|flow| flow.owner.as_ref().is_none_or(|owner| dead.contains(&owner.mark)));
            left = settled;
        }
        Ok(left.into_iter().map(|flow| self.as_it_may_be(flow)).collect())
    }

    pub(super) fn open_questions(&self, profile: &str, key: Option<&Key>) -> Result<Vec<Flow>> {
        let open = match key {
            Some(key) => journal::of_key(self.engine.db(), profile, key),
            None => journal::of_profile(self.engine.db(), profile),
        };
        open.map_err(|e| self.fault("read the journal", e))
    }

    /// Closes a hand-off whose time is over. Its memo, for the vault to forget; nothing is closed where its answer was taken up
    /// meanwhile.
    pub fn close_lapsed(&mut self, flow: &FlowId) -> Result<Option<Place>> {
        self.transaction("close the question", |tx| {
            if !journal::waits_for_anybody(tx, flow)? {
                return Ok(None);
            }
            let memo = journal::memo(tx, flow)?;
            journal::close(tx, flow, Closed::Ended)?;
            Ok(memo)
        })
    }

    /// Takes over a question that a dead process left. `false` where another process was quicker.
    pub fn adopt(&mut self, flow: &Flow) -> Result<bool> {
        let ours = self.mark()?.owner();
        let theirs = flow.owner.clone();
        self.transaction("take the question over", |tx| journal::adopt(tx, &flow.id, theirs.as_ref(), &ours))
    }

    /// Reserves room on the disk for answers that the ledger itself may not be able to take.
    pub fn reserve(&mut self, answers: usize) -> Result<Spool> {
        let mark = self.mark()?.owner().mark;
        Spool::reserve(&self.spool, &mark, answers).map_err(|e| self.unusable(e))
    }

    pub(super) fn merge_spools(&mut self) -> Result<()> {
        for left in Spool::left_behind(&self.spool, &self.paths.owners())? {
            let shared = self.is_shared();
            let merged = self.transaction("merge the spool", |tx| {
                let mut merged = true;
                for spooled in &left.notes {
                    let Spooled { flow, stage, .. } = spooled;
                    match journal::stage_of(tx, flow)? {
                        // Never back: the ledger may have taken what came later.
                        Some(noted) if noted.order() < stage.order() => journal::note(tx, flow, stage)?,
                        Some(_) => {}
                        None if shared => merged &= journal::put_again(tx, spooled)?,
                        // Nobody else can have closed it here.
                        None => {}
                    }
                }
                Ok(merged)
            })?;
            if merged {
                left.remove();
            }
        }
        Ok(())
    }

    /// Where a license's secrets of a role are.
    pub fn secrets(&self, profile: &str, key: &Key, role: Role) -> Result<Vec<(i64, Place)>> {
        records::secrets(self.engine.db(), profile, key, role).map_err(|e| self.fault("read", e))
    }

    /// The secrets that are on their way out: synced in a role that says so, which is the intent of their revocation.
    pub fn leaving(&self, profile: &str, key: &Key, role: RetiredRole) -> Result<Logged<Vec<(i64, Place)>>> {
        let role = match role {
            RetiredRole::Superseded => Role::Superseded,
            RetiredRole::Unwanted => Role::Unwanted,
        };
        self.secrets(profile, key, role).map(Logged::attested_by_the_ledger)
    }

    /// Where a profile's own secret is.
    pub fn profile_secret(&self, profile: &str, name: &str) -> Result<Option<Place>> {
        profile_secret(self.engine.db(), profile, name).map_err(|e| self.fault("read", e))
    }

    /// Sets a profile's own secret; says where the old one was.
    pub fn set_profile_secret(&mut self, profile: &str, name: &str, place: &Place) -> Result<Option<Place>> {
        let (item, blob) = journal::columns(place);
        self.transaction("keep the secret", |tx| {
            places::is_the_vault(tx, place.vault())?;
            let old = profile_secret(tx, profile, name)?;
            tx.execute(
                "INSERT INTO profile_secret (profile, name, item, blob) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (profile, name) DO UPDATE SET item = excluded.item, blob = excluded.blob",
                values![profile, name, item, blob],
            )?;
            Ok(old)
        })
    }

    /// Who writes, and which hooks are wanted.
    pub(super) fn write_context(&self) -> WriteContext {
        WriteContext { who: self.who.clone(), hooks: self.hooks.clone(), written: self.written.clone() }
    }

    /// One synced transaction; others wait for it, and it for them.
    pub(super) fn transaction<T>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T> {
        self.steps.reached(Step::BeforeCommit);
        self.written.take();
        let file = self.heads();
        let (path, known, engine, seen) = (&self.path, self.connection, &self.engine, &self.seen);
        let mut connection = known;
        let mut went_back = false;
        let done = engine.transaction(|tx| {
            connection = engine.connection();
            went_back = connection != known && !Self::is_still_there(tx, seen, &file)?;
            if went_back {
                let licenses = "what the next command says".to_owned();
                return Err(Error::from(LedgerError::WentBack { path: path.clone(), licenses }).into());
            }
            work(tx)
        });
        if went_back {
            // It's noted at once for all hosts, and a process that goes on, a listener, measures by what is there now.
            self.connection = connection;
            self.looks_back(self.clock.now())?;
        }
        if done.is_ok() {
            self.connection = connection;
            self.remembers();
        }
        self.steps.reached(Step::AfterCommit);
        done.map_err(|e| self.fault(what, e))
    }

    pub(super) fn relaxed<T>(&mut self, work: impl FnOnce(Db<'_>) -> Result<T, DbError>) -> Result<T> {
        self.steps.reached(Step::BeforeCommit);
        let done = self.engine.relaxed(work);
        self.steps.reached(Step::AfterNote);
        done.map_err(|e| self.fault("note", e))
    }

    /// A folder or file beside the ledger that can't be used is the ledger's failure.
    pub(super) fn unusable(&self, e: Error) -> Error {
        match e {
            Error::File { path, reason } => LedgerError::Open { path, reason }.into(),
            other => other,
        }
    }

    pub(super) fn fault(&self, what: &'static str, e: DbError) -> Error {
        e.named(&self.path, what)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Where others still take this process for one that lives, or it leaves something that this host alone can finish,
        // its mark stays: by its lock, which goes, this host knows better.
        let Some(mark) = &mut self.mark else { return };
        let Engine::Postgres(session) = &self.engine else { return };
        let exports = || exports::of_process(self.engine.db(), &mark.owner().mark).is_ok_and(|left| left > 0);
        if !session.leaves() || exports() {
            mark.stays();
        }
    }
}

fn profile_secret(db: Db<'_>, profile: &str, name: &str) -> Result<Option<Place>, DbError> {
    let place = "SELECT item, blob FROM profile_secret WHERE profile = ?1 AND name = ?2";
    Ok(db.row(place, values![profile, name], |row| journal::place(row, 0))?.flatten())
}

/// Others have written a license's record since it was read.
pub(crate) fn changed(key: &Key) -> Error {
    LedgerError::Changed { license: key.license.to_string() }.into()
}

/// Who writes, and which hooks are wanted: what each event of the history needs.
pub(super) struct WriteContext {
    pub(super) who: Who,
    pub(super) hooks: BTreeSet<Occasion>,
    pub(super) written: Rc<RefCell<heads::Written>>,
}
