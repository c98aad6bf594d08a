//! The only writer: vault and ledger of one profile, with the questions under way.

use crate::error::{ConfigError, Error, HandoffError, LedgerError, ProviderError, Result};
use crate::ledger::{Export, Intended, Intent, Ledger, Spool};
use crate::model::authorization::{Authorization, Standing};
use crate::model::flow::{Change, Flow, Logged, Owner, Place, Purpose, Sealed, Stage};
use crate::model::history::{Event, Happened};
use crate::model::ids::{FlowId, Generation, Key, Username};
use crate::model::instant::for_machines;
use crate::model::provider::{ClientAuth, Provider};
use crate::model::secret::{Sealable, Secret, fingerprint};
use crate::model::vault_kind::VaultKind;
use crate::oauth::{Ask, Code, Memo, ProviderClient};
use crate::system::{Env, Interrupts, Random};
use crate::vault::{Seal, Vault};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The name of a profile's client secret in the ledger.
const CLIENT_SECRET: &str = "client_secret";

/// Where a profile's client secret is. It is sealed to its own host alone: on a shared ledger each host has its own, by its
/// recipient, and whoever moved the ledger there the one that came with it.
pub fn client_secret_place(ledger: &Ledger, vault: &Vault, profile: &str) -> Result<Option<Place>> {
    let own = ledger.profile_secret(profile, &client_secret_name(ledger, vault)?)?;
    match own {
        Some(place) => Ok(Some(place)),
        None => {
            let came = ledger.profile_secret(profile, CLIENT_SECRET)?;
            Ok(came.filter(|place| !ledger.is_shared() || vault.get(place, CLIENT_SECRET).is_ok()))
        }
    }
}

fn client_secret_name(ledger: &Ledger, vault: &Vault) -> Result<String> {
    Ok(match (ledger.is_shared(), vault.own_recipient()?) {
        (true, Some(recipient)) => format!("{CLIENT_SECRET} of {recipient}"),
        _ => CLIENT_SECRET.to_owned(),
    })
}

/// How often something is decided anew, where others have written what it was decided on.
const TRIES: usize = 5;

/// What a record shall be while a question about it is open, out of what is there at that moment; or why it isn't asked about.
/// Asked again where others have written the record meanwhile.
pub type Decision<'q> = Box<dyn Fn(Option<Authorization>) -> Result<Authorization> + 'q>;

/// A question that a command wants to put.
pub struct Question<'q> {
    /// The question itself.
    pub ask: Ask,
    /// The record as it shall be while the question is open.
    pub record: Decision<'q>,
    /// What for.
    pub purpose: Purpose,
    /// Until when an answer counts.
    pub deadline: Timestamp,
    /// Its answer comes from elsewhere, whenever it comes: nobody waits for it here.
    pub handed_off: bool,
}

/// A question that the ledger holds, ready to be put.
pub type Asked = Logged<(FlowId, Ask)>;

/// How a question ended well.
#[derive(Debug)]
pub enum Kept {
    /// The grant is live.
    Live {
        /// What the provider didn't report, or told so that it can't be, in words.
        unconfirmed: Vec<String>,
    },
    /// Another admin granted; that grant is set aside.
    Held {
        /// Who, cleaned.
        granted_by: String,
    },
}

/// Vault and ledger of one profile, with the questions under way.
pub struct Custody<'e> {
    pub(super) env: &'e Env,
    pub(super) provider: Arc<Provider>,
    pub(super) vault: Vault,
    pub(super) ledger: Ledger,
    pub(super) spool: Option<Spool>,
    pub(super) in_flight: HashMap<FlowId, InFlight>,
    /// Items that nothing names any more, to be forgotten once the browser has been answered.
    pub(super) orphaned_items: Vec<Place>,
    /// Licenses whose replaced grants are to be cleared away.
    pub(super) changed_keys: BTreeSet<Key>,
    /// How the provider is reached, once it was found to answer.
    pub(super) online: Option<ProviderClient>,
    /// The refresh that this process has under way.
    pub(super) refreshing: Option<FlowId>,
    /// The bundle that is on its way out.
    pub(super) leaving: Option<Export>,
    /// When this command began.
    pub(super) began: Timestamp,
    /// In a run over several licenses, and from a refresh on: what came of Ctrl-C so far.
    pub(super) interrupts: Option<Interrupts>,
}

/// What is remembered of a question until it's closed.
pub(super) struct InFlight {
    pub(super) key: Key,
    pub(super) username: Username,
    pub(super) purpose: Purpose,
    pub(super) redirect_uri: String,
    /// `None` where only the answer is needed, which other hosts' recipients can open, and the memo can't be opened here.
    pub(super) memo: Option<Memo>,
    /// Where the memo is kept: what opens the envelope's content is there too.
    pub(super) kept: Place,
    /// Used for the code, then gone.
    pub(super) code_seal: Option<Seal>,
    /// Used for the answer, then gone.
    pub(super) answer_seal: Option<Seal>,
    /// The sealed code, in case not a byte of it could be sent.
    pub(super) code: Option<Sealed>,
    /// The ledger has the code: whoever takes the question over may send it.
    pub(super) handed_in: bool,
    /// It was taken up with its answer, and not asked here.
    pub(super) taken_up: bool,
    /// Who was at the question before its answer was taken up here: nobody, where it was handed out, or a process that
    /// has ended. `None` where it was asked here, and once it's taken up.
    pub(super) from: Option<Option<Owner>>,
}

impl<'e> Custody<'e> {
    /// Over an open ledger and a vault, which isn't touched yet.
    pub fn new(env: &'e Env, provider: Arc<Provider>, vault: Vault, ledger: Ledger) -> Self {
        Self {
            env,
            provider,
            vault,
            ledger,
            spool: None,
            in_flight: HashMap::new(),
            orphaned_items: Vec::new(),
            changed_keys: BTreeSet::new(),
            online: None,
            refreshing: None,
            leaving: None,
            began: env.clock.now(),
            interrupts: None,
        }
    }

    /// The provider whose grants these are.
    pub fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }

    /// The provider was found to answer, and this is how it's reached.
    pub fn connect(&mut self, exchange: ProviderClient) {
        self.online = Some(exchange);
    }

    /// From now on Ctrl-C lets what is under way be finished; whoever runs over several licenses sees to the rest.
    pub fn finish_what_is_under_way(&mut self, interrupts: Interrupts) {
        self.interrupts = Some(interrupts);
    }

    /// Whether Ctrl-C came in such a run.
    pub fn is_interrupted(&self) -> bool {
        self.interrupts.as_ref().is_some_and(Interrupts::any)
    }

    /// What came of Ctrl-C so far, where it's counted: for what goes on once custody is gone.
    pub fn interrupts(&self) -> Option<Interrupts> {
        self.interrupts.clone()
    }

    pub(super) fn online(&self) -> Result<ProviderClient> {
        self.online.clone().ok_or_else(|| Error::Internal("the provider was never reached".into()))
    }

    /// The ledger, for what isn't custody's: the hooks' queue.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The ledger, for reading.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// One record as it is now.
    pub fn standing(&self, key: &Key) -> Result<Option<Standing>> {
        self.ledger.standing(&self.provider.profile, key)
    }

    /// Sees that the vault works: writes a probe, reads it back and deletes it.
    pub fn probe(&mut self) -> Result<()> {
        self.puts_items()?;
        let item =
            format!("{}/{}/probe-{}", self.ledger.id(), self.provider.profile, self.env.random.name()?);
        self.vault.probe(&item, self.env.random.as_ref())
    }

    /// Called before the vault is given anything that only a later commit names: a keyring has it at once, for everybody
    /// to see, and nothing names it yet.
    pub(super) fn puts_items(&mut self) -> Result<()> {
        match self.vault.kind() {
            VaultKind::Keyring => self.ledger.shows_that_we_live(),
            VaultKind::Sealed => Ok(()),
        }
    }

    /// The client's secret, where the profile needs one.
    pub fn client_secret(&self) -> Result<Option<Secret>> {
        if self.provider.client_auth == ClientAuth::None {
            return Ok(None);
        }
        if let Some(published) = self.provider.published_secret {
            return Ok(Some(Secret::new(published)));
        }
        let profile = &self.provider.profile;
        let place = client_secret_place(&self.ledger, &self.vault, profile)?;
        let place = place.ok_or_else(|| ConfigError::Incomplete {
            profile: profile.clone(),
            key: "client secret".into(),
            how: format!("Give it to the vault: biotrack-auth config set-secret --profile {profile}."),
        })?;
        let kept = self.vault.get(&place, &format!("{profile}'s client secret"))?;
        kept.read(&format!("{profile}'s client secret")).map(|text: String| Some(Secret::new(text)))
    }

    /// Whether a dead process left a grant of a license that can be finished without a person.
    pub fn can_finish_alone(&mut self, key: &Key) -> Result<bool> {
        let open = self.ledger.unfinished(&self.provider.profile, Some(key))?;
        Ok(open.iter().any(|flow| {
            flow.owner.is_some()
                && matches!(flow.purpose, Purpose::Register | Purpose::Renew)
                && matches!(flow.stage, Stage::Arrived(_) | Stage::Answered(_))
        }))
    }

    /// Commits questions to the journal, with all that their answers will need: before any browser opens.
    /// A license that someone else is at is refused alone.
    pub fn ask(&mut self, questions: Vec<Question<'_>>) -> Result<Vec<Result<Asked>>> {
        self.puts_items()?;
        let here = questions.iter().filter(|question| !question.handed_off).count();
        let room = self.in_flight.len() + here;
        match &mut self.spool {
            _ if here == 0 => {}
            Some(spool) => spool.grow(room)?,
            None => self.spool = Some(self.ledger.reserve(room)?),
        }
        let mut memos = Vec::with_capacity(questions.len());
        for Question { ask, purpose, handed_off, .. } in &questions {
            let (envelope, memo) =
                self.vault.envelope(&self.item_of_flow(&ask.key, &ask.flow), &ask.memo.to_sealable())?;
            let in_flight = InFlight {
                key: ask.key.clone(),
                username: ask.username.clone(),
                purpose: *purpose,
                redirect_uri: ask.redirect_uri.clone(),
                memo: Some(ask.memo.clone()),
                kept: memo.clone(),
                code_seal: Some(envelope.code),
                answer_seal: Some(envelope.answer),
                code: None,
                handed_in: false,
                taken_up: false,
                from: None,
            };
            if !handed_off {
                self.in_flight.insert(ask.flow.clone(), in_flight);
            }
            memos.push(memo);
        }
        let logged = self.intend(&questions, &memos).inspect_err(|e| {
            memos.iter().for_each(|memo| self.forget_unless_needed(memo.clone(), e));
        })?;
        let mut outcomes = Vec::with_capacity(questions.len());
        for ((Question { ask, .. }, logged), memo) in questions.into_iter().zip(logged).zip(memos) {
            outcomes.push(match logged {
                Ok((intended, flow)) => {
                    if let (Some(spool), true) = (&mut self.spool, self.in_flight.contains_key(&flow.id)) {
                        spool.about(&flow);
                    }
                    self.orphaned_items.extend(intended.replaced);
                    Ok(intended.flow.with(ask))
                }
                Err(e) => {
                    self.in_flight.remove(&ask.flow);
                    self.forget(Some(memo));
                    Err(e)
                }
            });
        }
        Ok(outcomes)
    }

    /// Commits the intents together, each decided on its record as it is at that moment. Those whose records others have
    /// written in between are decided on anew, and committed after the others.
    pub(super) fn intend(
        &mut self,
        questions: &[Question<'_>],
        memos: &[Place],
    ) -> Result<Vec<Result<(Intended, Flow)>>> {
        let mut outcomes: Vec<_> = questions.iter().map(|_| Err(unknown())).collect();
        let all = (0..questions.len()).collect();
        let mut left = self.intend_once(questions, memos, all, &mut outcomes)?;
        for _ in 1..TRIES {
            if left.is_empty() {
                break;
            }
            left = match self.intend_once(questions, memos, left, &mut outcomes) {
                Ok(left) => left,
                // The others are on disk already, and are put all the same.
                Err(e) => {
                    tracing::warn!("what others had written meanwhile wasn't decided on anew: {e}");
                    break;
                }
            };
        }
        Ok(outcomes)
    }

    /// One commit of those that are left; which of them must be decided on anew.
    pub(super) fn intend_once(
        &mut self,
        questions: &[Question<'_>],
        memos: &[Place],
        left: Vec<usize>,
        outcomes: &mut [Result<(Intended, Flow)>],
    ) -> Result<Vec<usize>> {
        let (mut intents, mut places) = (Vec::with_capacity(left.len()), Vec::with_capacity(left.len()));
        for at in left {
            let question = &questions[at];
            let known = self.standing(&question.ask.key)?.map(|standing| standing.record);
            match (question.record)(known) {
                Ok(record) => {
                    intents.push(self.intent(question, record, memos[at].clone()));
                    places.push(at);
                }
                Err(e) => outcomes[at] = Err(e),
            }
        }
        let flows: Vec<_> = intents.iter().map(|intent| intent.flow.clone()).collect();
        let mut again = Vec::new();
        for ((at, flow), intended) in places.into_iter().zip(flows).zip(self.ledger.intend(intents)?) {
            if was_changed(&intended) {
                again.push(at);
            }
            outcomes[at] = intended.map(|intended| (intended, flow));
        }
        Ok(again)
    }

    /// A code came: it's sealed and noted. As long as no more is, whoever finds it may send it.
    pub fn arrived(&mut self, flow: &FlowId, code: &Secret) -> Result<()> {
        let asked = self.in_flight.get_mut(flow).ok_or_else(unknown)?;
        tracing::info!("a code for {} came", asked.key);
        if let Some(seal) = asked.code_seal.take() {
            asked.code = Some(seal.close(&Sealable::of(&code.expose()))?);
        }
        let Some(sealed) = asked.code.clone() else { return Ok(()) };
        let Some(from) = asked.from.take() else {
            return self.note(flow, &Stage::Arrived(sealed)).map(drop);
        };
        let license = asked.key.license.to_string();
        asked.taken_up = true;
        if !self.ledger.take_up(flow, from.as_ref(), &Stage::Arrived(sealed), self.vault.kind())? {
            return Err(HandoffError::Used { license }.into());
        }
        self.handed_in(flow);
        Ok(())
    }

    /// A code's turn has come: that it's being sent is noted, before a byte of it leaves, and no sooner than it really is.
    pub fn sending(&mut self, flow: &FlowId, code: &Secret) -> Result<Logged<(FlowId, Code)>> {
        let asked = self.in_flight.get(flow).ok_or_else(unknown)?;
        let whole = Code {
            key: asked.key.clone(),
            username: asked.username.clone(),
            code: code.clone(),
            verifier: asked.memo.as_ref().ok_or_else(unknown)?.verifier.clone(),
            redirect_uri: asked.redirect_uri.clone(),
        };
        // Of one that was taken up, the synced intent says that it waits: a power cut now must not bring that back.
        let noted = match asked.taken_up {
            true => self.ledger.note_synced(flow, &Stage::Sent)?,
            false => self.note(flow, &Stage::Sent)?,
        };
        tracing::info!("the code for {} is noted as being sent", whole.key);
        Ok(noted.with(whole))
    }

    /// Notes in the journal, or in the spool where the journal can't take it. But not that a code is being sent which others
    /// may send soon, because they take this process for one that has ended: it's left to them.
    pub(super) fn note(&mut self, flow: &FlowId, stage: &Stage) -> Result<Logged<FlowId>> {
        /// Longer than an exchange takes.
        const SENDING: Duration = Duration::from_secs(40);
        let noted = self.ledger.note(flow, stage);
        match (&noted, stage) {
            (Ok(_), Stage::Arrived(_)) => self.handed_in(flow),
            (Err(Error::Ledger(LedgerError::TakenOver)), _) => return noted,
            (Err(_), Stage::Sent)
                if self.ledger.lease() < SENDING
                    && self.in_flight.get(flow).is_some_and(|asked| asked.handed_in) =>
            {
                return noted;
            }
            _ => {}
        }
        match (noted, &mut self.spool) {
            (Err(_), Some(spool)) => spool.keep(flow, stage),
            (noted, _) => noted,
        }
    }

    pub(super) fn handed_in(&mut self, flow: &FlowId) {
        if let Some(asked) = self.in_flight.get_mut(flow) {
            asked.handed_in = true;
        }
    }

    /// The ledger has closed these questions.
    pub(super) fn settled<'f>(&mut self, closed: impl IntoIterator<Item = &'f FlowId>) {
        if let Some(spool) = &mut self.spool {
            closed.into_iter().for_each(|flow| spool.settled(flow));
        }
    }

    /// A question ended without a grant: it's closed, and the history says why. What was lost on the way stays
    /// visible as uncertain; what never left stays open for the next run.
    pub fn ended(&mut self, flow: &FlowId, error: Error) -> Error {
        let Some(asked) = self.in_flight.get(flow) else { return error };
        let never_left = matches!(error, Error::Provider(ProviderError::Unreachable { .. }));
        if let (true, Some(code)) = (never_left, asked.code.clone()) {
            // Unused, so it can still be sent within its few minutes.
            return self.note(flow, &Stage::Arrived(code)).err().unwrap_or(error);
        }
        let happened = if error.answer_lost() { Happened::Uncertain } else { Happened::Failed };
        let key = asked.key.clone();
        self.in_flight.remove(flow);
        self.close(flow, &key, Some((happened, &error.to_string()))).err().unwrap_or(error)
    }

    /// Nobody wants a question answered any more: it's closed, and nothing is said of it.
    pub fn dropped(&mut self, flow: &FlowId) -> Result<()> {
        let Some(asked) = self.in_flight.remove(flow) else { return Ok(()) };
        self.close(flow, &asked.key, None)
    }

    /// Closes a question, and says why where there is anything to say: its record is changed by nothing but an answer
    /// that was lost, which makes it uncertain. The memo goes with the question.
    pub(super) fn close(&mut self, flow: &FlowId, key: &Key, told: Option<(Happened, &str)>) -> Result<()> {
        let now = self.env.clock.now();
        let kept = self.commit(key, |record| {
            if matches!(told, Some((Happened::Uncertain, _))) {
                record.uncertain_at = Some(now);
            }
            Change {
                moves: Vec::new(),
                closes: Some(flow.clone()),
                events: told.iter().map(|(happened, detail)| event(record, *happened, detail, now)).collect(),
                record: record.clone(),
            }
        })?;
        self.forget(kept.memo);
        Ok(())
    }

    /// Changes a record as it is at this moment; where others write it in between it's read, and decided on, again.
    pub(super) fn commit(
        &mut self,
        key: &Key,
        mut change: impl FnMut(&mut Authorization) -> Change,
    ) -> Result<crate::ledger::CommitReceipt> {
        self.commit_if(key, |_, record| Ok(change(record)))
    }

    /// The same, where the change depends on the record's secrets, too. They are read behind the record, whose revision the
    /// commit compares, so that nobody can come between.
    pub(super) fn commit_if(
        &mut self,
        key: &Key,
        mut change: impl FnMut(&Ledger, &mut Authorization) -> Result<Change>,
    ) -> Result<crate::ledger::CommitReceipt> {
        let mut refused = unknown();
        for _ in 0..TRIES {
            let mut record = self.standing(key)?.ok_or_else(unknown)?.record;
            let change = change(&self.ledger, &mut record)?;
            match self.ledger.commit(std::slice::from_ref(&change))?.pop() {
                Some(Ok(kept)) => {
                    self.settled(&change.closes);
                    return Ok(kept);
                }
                Some(Err(e)) => refused = e,
                None => {}
            }
        }
        Err(refused)
    }

    /// Forgets what a commit that failed would have named; kept where that commit may show up all the same: then the next
    /// process needs it, and an orphan harms nobody.
    pub(super) fn forget_unless_needed(&self, place: Place, failed: &Error) {
        if !failed.may_show_up() {
            self.forget(Some(place));
        }
    }

    /// Forgets a vault's item that nothing names any more. A failure leaves an orphan, which harms nobody.
    pub(super) fn forget(&self, place: Option<Place>) {
        if let Some(place) = place
            && let Err(e) = self.vault.forget(&place)
        {
            tracing::warn!("an item stays in the vault that nothing names any more: {e}");
        }
    }

    pub(super) fn intent(&self, question: &Question<'_>, record: Authorization, memo: Place) -> Intent {
        let Question { ask, purpose, deadline, handed_off, .. } = question;
        let (deadline, handed_off) = (*deadline, *handed_off);
        let now = self.env.clock.now();
        let detail = match handed_off {
            true => format!("{}, handed out, until {}", ask.username, for_machines(deadline)),
            false => ask.username.to_string(),
        };
        Intent {
            flow: Flow {
                id: ask.flow.clone(),
                profile: record.profile.clone(),
                key: ask.key.clone(),
                purpose: *purpose,
                username: ask.username.clone(),
                base: record.generation,
                redirect_uri: ask.redirect_uri.clone(),
                opened: now,
                deadline,
                // The ledger puts this process's own mark, where it waits here.
                owner: None,
                memo: Some(memo),
                stage: Stage::Asked,
            },
            change: Change {
                moves: Vec::new(),
                closes: None,
                events: vec![event(&record, Happened::Asked, &detail, now)],
                record,
            },
            state: Some(fingerprint(ask.memo.state.expose())),
            handed_off,
        }
    }

    /// A license's keyring account (DESIGN, Files and vaults): the last part is a secret's generation, or its question.
    pub(super) fn item(&self, key: &Key, last: impl std::fmt::Display) -> String {
        format!("{}/{}/{}/{}/{last}", self.ledger.id(), self.provider.profile, key.ubi, key.license)
    }

    /// An answer's own item: whoever else stores a generation of the same number never writes over it, and what a process left
    /// that ended before its commit is never named later, so that it may be cleared away at any time.
    pub(super) fn item_of_answer(&self, key: &Key, base: Generation, flow: &FlowId) -> String {
        self.item(key, format_args!("{}-{flow}", base.next().0))
    }

    pub(super) fn item_of_flow(&self, key: &Key, flow: &FlowId) -> String {
        self.item(key, format_args!("flow-{flow}"))
    }
}

/// Keeps a profile's client secret in the vault, and forgets an older one.
pub fn keep_client_secret(
    vault: &Vault,
    ledger: &mut Ledger,
    profile: &str,
    secret: &Secret,
    random: &dyn Random,
) -> Result<()> {
    if vault.kind() == VaultKind::Keyring {
        ledger.shows_that_we_live()?;
    }
    let item = format!("{}/{profile}/client-secret-{}", ledger.id(), random.name()?);
    let place = vault.put_own(&item, &Sealable::of(&secret.expose()))?;
    let name = client_secret_name(ledger, vault)?;
    let set = ledger.set_profile_secret(profile, &name, &place).inspect_err(|e| {
        if !e.may_show_up() {
            let _ = vault.forget(&place);
        }
    });
    set?.map_or(Ok(()), |old| vault.forget(&old))
}

/// Does what is decided on what was read; where others have written in between, all of it anew.
pub(super) fn anew_where_changed<C, T>(
    custody: &mut C,
    mut decide: impl FnMut(&mut C) -> Result<T>,
) -> Result<T> {
    for _ in 1..TRIES {
        match decide(custody) {
            refused if was_changed(&refused) => {}
            done => return done,
        }
    }
    decide(custody)
}

/// Whether the ledger refused something because others have written its record since it was read.
pub(super) fn was_changed<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(Error::Ledger(LedgerError::Changed { .. })))
}

pub(super) fn unknown() -> Error {
    Error::Internal("an answer came to a question that isn't open".into())
}

pub(super) fn event(record: &Authorization, happened: Happened, detail: &str, at: Timestamp) -> Event {
    Event {
        at,
        profile: record.profile.clone(),
        key: record.key.clone(),
        happened,
        detail: detail.to_owned(),
    }
}
