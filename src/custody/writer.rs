//! The only writer: vault and ledger of one profile, with the flows under way.

use super::flows::in_flight::InFlight;
use super::flows::open_flow_cache::OpenFlowCache;
use super::grants::refused_grant::RefusedGrant;
use super::seals::labeler::{ClientRegistrations, SealLabeler};
use crate::error::{Error, LedgerError, Result};
use crate::ledger::{Claim, CommitReceipt, ExportNote, Ledger, Spool};
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::flow::{Flow, FlowEnd, RecordCommit, SecretPlace};
use crate::model::history::{HistoryEvent, HistoryEventKind};
use crate::model::ids::{FlowId, Generation, LicenseId};
use crate::model::provider::Provider;
use crate::model::vault_kind::VaultKind;
use crate::oauth::{FlowSecrets, ProviderClient};
use crate::system::{Env, InterruptCounter};
use crate::vault::{Opener, Vault};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Beyond what two POSTs and a look in between may take: for re-reading and storing.
const MARGIN: Duration = Duration::from_secs(10);

/// How often something is decided anew, where others have written what it was decided on.
pub(super) const TRIES: usize = 5;

/// Vault and ledger of one profile, with the flows under way.
pub struct Custody<'e> {
    pub(super) env: &'e Env,
    pub(super) provider: Arc<Provider>,
    pub(super) vault: Arc<Vault>,
    pub(super) seals: SealLabeler,
    pub(super) ledger: Ledger,
    pub(super) spool: Option<Spool>,
    pub(super) in_flight: HashMap<FlowId, InFlight>,
    /// What is known of open flows while the ledger can't be read.
    pub(super) known: OpenFlowCache,
    /// Items that nothing names any more, to be forgotten once the browser has been answered.
    pub(super) orphaned_items: Vec<SecretPlace>,
    /// Licenses whose replaced grants are to be cleared away.
    pub(super) changed_keys: BTreeSet<LicenseId>,
    /// Those of them of which what their records say is settled already.
    pub(super) settled_keys: BTreeSet<LicenseId>,
    /// New grants that the provider refused before they were ever proven, and what came of it.
    pub(super) refused_grants: BTreeMap<LicenseId, RefusedGrant>,
    /// Licenses whose discarded grants are to be revoked once the answer has been given.
    pub(super) discarded: BTreeSet<LicenseId>,
    /// How the provider is reached, once it was found to answer.
    pub(super) online: Option<ProviderClient>,
    /// The refresh that this process has under way.
    pub(super) refreshing: Option<FlowId>,
    /// The bundle that is on its way out.
    pub(super) leaving: Option<ExportNote>,
    /// When this command began.
    pub(super) began: Timestamp,
    /// In a run over several licenses, and from a refresh on: what came of Ctrl-C so far.
    pub(super) interrupts: Option<InterruptCounter>,
}

impl<'e> Custody<'e> {
    /// Over an open ledger and a vault, which isn't touched yet.
    pub fn new(env: &'e Env, provider: Arc<Provider>, vault: Vault, ledger: Ledger) -> Self {
        // Where that can't be read, whoever reads the ledger next says why.
        if vault.kind() == VaultKind::Keyring && ledger.names_items().unwrap_or(false) {
            vault.holds_secrets();
        }
        let own = (provider.profile.clone(), provider.as_ref().into());
        let seals = SealLabeler::of(&ledger, ClientRegistrations::from([own]));
        Self {
            env,
            provider,
            vault: Arc::new(vault),
            seals,
            ledger,
            spool: None,
            in_flight: HashMap::new(),
            known: OpenFlowCache::default(),
            orphaned_items: Vec::new(),
            changed_keys: BTreeSet::new(),
            settled_keys: BTreeSet::new(),
            refused_grants: BTreeMap::new(),
            discarded: BTreeSet::new(),
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
    pub fn finish_what_is_under_way(&mut self, interrupts: InterruptCounter) {
        self.interrupts = Some(interrupts);
    }

    /// Whether Ctrl-C came in such a run.
    pub fn is_interrupted(&self) -> bool {
        self.interrupts.as_ref().is_some_and(InterruptCounter::any)
    }

    /// What came of Ctrl-C so far, where it's counted: for what goes on once custody is gone.
    pub fn interrupts(&self) -> Option<InterruptCounter> {
        self.interrupts.clone()
    }

    pub(super) fn online(&self) -> Result<ProviderClient> {
        self.online.clone().ok_or_else(|| Error::Internal("the provider was never reached".into()))
    }

    /// The ledger, for what isn't custody's: the hooks' queue.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn standing(&self, key: &LicenseId) -> Result<Option<AuthorizationWithFlows>> {
        self.ledger.standing(&self.provider.profile, key)
    }

    /// The same, for what is told of work that has ended, well or not: its end stands, whether or not the record can be read.
    pub fn standing_to_tell(&self, key: &LicenseId) -> Option<AuthorizationWithFlows> {
        self.standing(key).unwrap_or_else(|e| {
            tracing::warn!("could not read the record of {key}: {e}");
            None
        })
    }

    /// The same; an error where it isn't there, for somebody may have removed it meanwhile.
    pub fn record(&self, key: &LicenseId) -> Result<AuthorizationWithFlows> {
        let profile = &self.provider.profile;
        self.standing(key)?.ok_or_else(|| Error::NotFound {
            selector: key.to_string(),
            profile: Some(profile.clone()),
            near: Vec::new(),
        })
    }

    /// Sees that the vault works: writes a probe, reads it back and deletes it.
    pub fn probe(&mut self) -> Result<()> {
        self.prepare_vault_write()?;
        let item =
            format!("{}/{}/probe-{}", self.ledger.id(), self.provider.profile, self.env.random.name()?);
        self.vault.probe(&item, self.env.random.as_ref())
    }

    /// Whether ledger and vault can be used now.
    pub fn check_well(&mut self) -> Result<()> {
        self.ledger.check_usable()?;
        self.probe()
    }

    /// Called before the vault is given anything that only a later commit names: a keyring has it at once, for everybody
    /// to see, and nothing names it yet; what is sealed, every host of a team has to be able to open.
    pub(super) fn prepare_vault_write(&mut self) -> Result<()> {
        match self.vault.kind() {
            VaultKind::Keyring => self.ledger.mark_alive(),
            VaultKind::Sealed => self.agrees_on_recipients(),
        }
    }

    /// The ledger has closed a flow, or opened it again.
    pub(super) fn ended_in_the_ledger(&mut self, end: &FlowEnd) {
        let Some(flow) = end.flow() else { return };
        let is_open = matches!(end, FlowEnd::Reopened(..) | FlowEnd::LeftOpen(..));
        if let Some(spool) = &mut self.spool {
            match is_open {
                true => spool.reopened(flow),
                false => spool.settled(flow),
            }
        }
        match self.in_flight.get_mut(flow) {
            Some(asked) if is_open && asked.asked_here => asked.waits_again(),
            _ => drop(self.in_flight.remove(flow)),
        }
    }

    /// The claim on a license's tokens: from before they are read until what was done with them is committed.
    pub(super) fn claim(&self, key: &LicenseId) -> Result<Claim> {
        let provider = &self.provider;
        let issuer = provider.issuer.as_deref().unwrap_or(&provider.url);
        let keyring = self.vault.kind() == VaultKind::Keyring;
        let wait = provider.deadline.saturating_mul(3).saturating_add(MARGIN);
        self.ledger.claim((issuer, &provider.client_id), key, keyring, wait)
    }

    /// Sees that the disk has room for so many answers, which the ledger itself may not be able to take.
    pub(super) fn reserve_room(&mut self, answers: usize) -> Result<()> {
        match &mut self.spool {
            Some(spool) => spool.grow(answers)?,
            None => self.spool = Some(self.ledger.reserve(answers)?),
        }
        Ok(())
    }

    /// Changes a record as it is at this moment; where others write it in between it's read, and decided on, again.
    pub(super) fn commit(
        &mut self,
        key: &LicenseId,
        mut change: impl FnMut(&mut Authorization) -> RecordCommit,
    ) -> Result<CommitReceipt> {
        self.commit_if(key, |_, record| Ok(change(record)))
    }

    /// The same, where the change depends on the record's secrets, too. They are read behind the record, whose revision the
    /// commit compares, so that nobody can come between.
    pub(super) fn commit_if(
        &mut self,
        key: &LicenseId,
        mut change: impl FnMut(&Ledger, &mut Authorization) -> Result<RecordCommit>,
    ) -> Result<CommitReceipt> {
        let mut refused = unknown();
        for _ in 0..TRIES {
            let mut record = self.record(key)?.record;
            let change = change(&self.ledger, &mut record)?;
            if let Some(flow) = change.ends.as_ref().and_then(FlowEnd::flow) {
                self.hand_in_code(flow)?;
            }
            match self.ledger.commit(std::slice::from_ref(&change))?.pop() {
                Some(Ok(kept)) => {
                    change.ends.iter().for_each(|end| self.ended_in_the_ledger(end));
                    return Ok(kept);
                }
                Some(Err(e)) => refused = e,
                None => {}
            }
        }
        Err(refused)
    }

    /// Commits changes that belong together; where others have written a record since it was read, they are decided on anew.
    pub(super) fn commit_all(
        &mut self,
        export: Option<ExportNote>,
        decide: impl Fn(&Self) -> Result<Vec<RecordCommit>>,
    ) -> Result<Vec<RecordCommit>> {
        retry_if_changed(self, |custody| {
            let changes = decide(custody)?;
            custody.ledger.commit_export(&changes, export.as_ref())?;
            Ok(changes)
        })
    }

    /// Forgets what a commit that failed would have named; kept where that commit may show up all the same: then the next
    /// process needs it, and an orphan harms nobody.
    pub(super) fn forget_unless_needed(&self, place: SecretPlace, failed: &Error) {
        if !failed.may_have_committed() {
            self.forget(Some(place));
        }
    }

    /// Forgets a vault's item that nothing names any more. A failure leaves an orphan, which harms nobody.
    pub(super) fn forget(&self, places: impl IntoIterator<Item = SecretPlace>) {
        for place in places {
            if let Err(e) = self.vault.forget(&place) {
                tracing::warn!("a leftover item stays in the vault: {e}");
            }
        }
    }

    pub(super) fn reopen_memo(&self, flow: &Flow) -> Result<(FlowSecrets, Opener)> {
        let place = flow.memo.as_ref().ok_or_else(unknown)?;
        let (memo, opener) = self.vault.reopen_memo(place, &self.memo_row(flow)?)?;
        Ok((FlowSecrets::from_sealable(&memo, flow.key.license.as_str())?, opener))
    }

    /// A license's keyring account: the last part is a secret's generation, or its flow.
    pub(super) fn item(&self, key: &LicenseId, last: impl std::fmt::Display) -> String {
        format!("{}/{}/{}/{}/{last}", self.ledger.id(), self.provider.profile, key.ubi, key.license)
    }

    /// An answer's own item: whoever else stores a generation of the same number never writes over it, and what a process left
    /// that ended before its commit is never named later, so that it may be cleared away at any time.
    pub(super) fn item_of_answer(&self, key: &LicenseId, base: Generation, flow: &FlowId) -> String {
        self.item(key, format_args!("{}-{flow}", base.next().0))
    }

    pub(super) fn item_of_flow(&self, key: &LicenseId, flow: &FlowId) -> String {
        self.item(key, format_args!("flow-{flow}"))
    }
}

/// Does what is decided on what was read; where others have written in between, all of it anew.
pub(super) fn retry_if_changed<C, T>(
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
    Error::Internal("an answer arrived for a request that isn't open".into())
}

pub(super) fn event(
    record: &Authorization,
    happened: HistoryEventKind,
    detail: &str,
    at: Timestamp,
) -> HistoryEvent {
    HistoryEvent {
        at,
        profile: record.profile.clone(),
        key: record.key.clone(),
        happened,
        detail: detail.to_owned(),
        failure: None,
    }
}
