//! A refresh: a new access token inside a living grant, with nobody asked (RFC 6749 6).
//!
//! Under the claim on the licence's tokens, which spans processes: re-read, decide; envelope and intent, synced, before
//! the one POST; a new item in the vault; one synced commit; only then the access token is seen. A rotated refresh token
//! that can't be kept in its place is kept sealed in the journal, and in the spool where the ledger itself can't.

use super::{Custody, event, unknown};
use crate::error::{Error, FactDifference, LedgerError, ProviderError, Result, VaultError};
use crate::grant::Spent;
use crate::ledger::Claim;
use crate::model::authorization::{Authorization, Standing, State, next, register_again};
use crate::model::consent::compare;
use crate::model::expiry::estimate;
use crate::model::flow::{Change, Flow, Logged, Move, Place, Purpose, Role, Sealed, Stage};
use crate::model::granted::Granted;
use crate::model::history::Happened;
use crate::model::ids::{FlowId, Key};
use crate::model::secret::{Sealable, Secret};
use crate::model::vault_kind::VaultKind;
use crate::vault::Seal;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long an access token is taken to live whose provider doesn't say (RFC 6749 5.1 only recommends `expires_in`).
const ASSUMED: SignedDuration = SignedDuration::from_hours(1);

/// A token that was received later than now was received by another clock.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Beyond what two POSTs may take: for re-reading and storing.
const MARGIN: Duration = Duration::from_secs(10);

/// An access token to be handed out: it's durable already, with the refresh token that came with it.
#[derive(Debug)]
pub struct Fresh {
    /// The access token.
    pub token: Secret,
    /// Its type, as the provider named it (RFC 6749 7.1).
    pub token_type: String,
    /// When it ends, where the provider said so.
    pub expires_at: Option<Timestamp>,
    /// This process refreshed it.
    pub refreshed: bool,
    /// The record of its grant.
    pub record: Authorization,
}

/// What the vault has of an access token, before the provider is asked anything.
#[derive(Debug)]
pub enum AtHand {
    /// It lasts for as long as it must.
    Lasts(Fresh),
    /// It lasts, but the answer to an earlier refresh is lost, and that is to be settled first where it can be.
    Unsettled(Fresh),
    /// It must be refreshed.
    Stale,
}

/// The live grant of a record, as it was read at one moment.
pub(super) struct Live {
    standing: Standing,
    place: Place,
    pub(super) granted: Granted,
}

/// A refresh that the journal holds.
struct Refreshing {
    flow: Flow,
    go: Logged<FlowId>,
    seal: Option<Seal>,
    /// It may have been sent before: a failure now doesn't make it unsent.
    sent_before: bool,
}

impl Custody<'_> {
    /// The access token without the network: whether it's valid for `min` more.
    pub fn at_hand(&self, key: &Key, min: SignedDuration) -> Result<AtHand> {
        let live = self.live(key)?;
        let unsettled = live.standing.has_lost_refresh();
        Ok(match (self.lasts(&live.granted, min), unsettled) {
            (true, false) => AtHand::Lasts(self.handed_out(live, false)?),
            (true, true) => AtHand::Unsettled(self.handed_out(live, false)?),
            (false, _) => AtHand::Stale,
        })
    }

    /// The access token of a living grant, refreshed first where it isn't valid for `min` more. The provider must have
    /// been [connected](Self::connect).
    ///
    /// # Errors
    /// [`Error::NoToken`] where a person must consent, also once the provider says that the grant is dead: then the
    /// record is marked invalid, and nothing is erased. The provider's failures leave the record as it was; where an
    /// answer may have been lost the refresh stays open in the journal, which is what `uncertain` means.
    pub fn fresh(&mut self, key: &Key, min: SignedDuration) -> Result<Fresh> {
        const ROUNDS: usize = 3;
        let claim = self.claim(key)?;
        let mut refused = unknown();
        for _ in 0..ROUNDS {
            // Decided inside the claim: another process may have refreshed while this one waited.
            let left = self.left_refresh(key, &claim)?;
            let live = self.live(key)?;
            if left.is_none() && self.lasts(&live.granted, min) {
                return self.handed_out(live, false);
            }
            let Some(token) = live.granted.refresh.clone() else {
                let state = "without a refresh token, and its access token has lapsed".into();
                return Err(self.no_token(&live.standing, state));
            };
            let refreshing = match left {
                Some(flow) => self.take_up(flow)?,
                None => self.begin(&live)?,
            };
            match self.spend(refreshing, &live, &token)? {
                Sent::Answered(flow, seal, answer) => return self.answered(&flow, seal, live, &answer),
                // The record was read while somebody else changed it.
                Sent::Overtaken(e) => refused = e,
            }
        }
        Err(refused)
    }

    /// The claim on a licence's tokens: from before they are read until what was done with them is committed.
    pub(super) fn claim(&self, key: &Key) -> Result<Claim> {
        let provider = &self.provider;
        let issuer = provider.issuer.as_deref().unwrap_or(&provider.url);
        let keyring = self.vault.kind() == VaultKind::Keyring;
        let wait = provider.deadline.saturating_mul(2).saturating_add(MARGIN);
        self.ledger.claim((issuer, &provider.client_id), key, keyring, wait)
    }

    /// The record with its live grant; an error where it has none that a token may be had of.
    pub(super) fn live(&self, key: &Key) -> Result<Live> {
        let standing = self.standing(key)?.ok_or_else(unknown)?;
        let record = &standing.record;
        if record.held_elsewhere {
            return Err(Error::HeldElsewhere { license: key.license.to_string() });
        }
        let now = self.env.clock.now();
        let state = record.state(now, self.provider.due_window, &self.provider.zone);
        if !matches!(state, State::Active | State::Due) {
            return Err(self.no_token(&standing, state.word().into()));
        }
        let found = self.ledger.secrets(&self.provider.profile, key, Role::Live)?.pop();
        let Some((_, place)) = found else {
            return Err(self.no_token(&standing, format!("{}, but its tokens aren't here", state.word())));
        };
        let granted = Granted::from_sealable(&self.vault.get(&place, key.license.as_str())?, key)?;
        Ok(Live { standing, place, granted })
    }

    fn no_token(&self, standing: &Standing, state: String) -> Error {
        let (record, provider, now) = (&standing.record, &self.provider, self.env.clock.now());
        let other = provider.other_profile;
        let next = match record.state(now, provider.due_window, &provider.zone) {
            State::Active | State::Due => next("renew", record, other),
            _ => standing
                .next_command(now, provider.due_window, &provider.zone, other)
                .unwrap_or_else(|| register_again(record, other)),
        };
        Error::NoToken { license: record.key.license.to_string(), state, next }
    }

    /// Whether an access token is good for `min` more; one that came since this command began is as good as any gets.
    fn lasts(&self, granted: &Granted, min: SignedDuration) -> bool {
        let now = self.env.clock.now();
        let received = granted.received_at;
        let assumed = || received.checked_add(ASSUMED).unwrap_or(received);
        let ends = granted.access_expires_at.unwrap_or_else(assumed);
        let until = now.checked_add(min).unwrap_or(Timestamp::MAX);
        // Otherwise the clock was moved, and nothing is known.
        let sane = received.duration_since(now) <= SKEW;
        sane && now < ends && (until <= ends || received >= self.began)
    }

    fn handed_out(&self, live: Live, refreshed: bool) -> Result<Fresh> {
        let Live { standing, granted, .. } = live;
        let record = standing.record;
        // RFC 6749 A.12: anything else would make two headers of one, or two variables.
        if !granted.access.expose().bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
            return Err(ProviderError::Useless {
                host: self.provider.host(),
                what: "the token request",
                answer: "an access token with characters that no token may have".into(),
            }
            .into());
        }
        Ok(Fresh {
            token: granted.access,
            token_type: granted.token_type,
            expires_at: granted.access_expires_at,
            refreshed,
            record,
        })
    }

    /// Finishes what can be finished of a refresh that a dead process left, and takes it over where it can't: then it
    /// may be sent once more. Inside the claim.
    fn left_refresh(&mut self, key: &Key, claim: &Claim) -> Result<Option<Flow>> {
        for flow in self.abandoned_refreshes(key)? {
            let just_now = flow.stage == Stage::Sent && flow.opened.as_second() >= self.began.as_second();
            if claim.waited && just_now {
                // Many that wait for one refresh don't each ask again when its answer is lost.
                return Err(ProviderError::Lost {
                    host: self.provider.host(),
                    what: "the refresh",
                    reason: "another process asked just now, and heard nothing that can be used".into(),
                }
                .into());
            }
            if let Some(flow) = self.settle(flow)? {
                return Ok(Some(flow));
            }
        }
        Ok(None)
    }

    fn abandoned_refreshes(&mut self, key: &Key) -> Result<Vec<Flow>> {
        if !self.standing(key)?.is_some_and(|it| it.has_lost_refresh()) {
            return Ok(Vec::new());
        }
        let mut open = self.ledger.unfinished(&self.provider.profile, Some(key))?;
        open.retain(|flow| flow.purpose == Purpose::Refresh);
        Ok(open)
    }

    /// A refresh that a dead process left: stored where its answer is there, closed where a newer grant made it
    /// pointless; returned where nobody knows whether it was answered.
    fn settle(&mut self, flow: Flow) -> Result<Option<Flow>> {
        let key = flow.key.clone();
        if !self.ledger.adopt(&flow)? {
            return Ok(None);
        }
        let stored = match &flow.stage {
            Stage::Answered(sealed) => {
                let memo = flow.memo.as_ref().ok_or_else(unknown)?;
                let (_, opener) = self.vault.unfold(memo, key.license.as_str())?;
                let place = match self.vault.kind() {
                    VaultKind::Sealed => Place::Blob(sealed.clone()),
                    VaultKind::Keyring => {
                        let content = opener.open(sealed, key.license.as_str())?;
                        self.vault.put(&self.item_of_refresh(&flow), &content)?
                    }
                };
                Some(place)
            }
            // Killed between vault and ledger: the item is there, under the name that this refresh alone has.
            _ if self.vault.kind() == VaultKind::Keyring => {
                let place = Place::Item(self.item_of_refresh(&flow));
                match self.vault.get(&place, key.license.as_str()) {
                    Ok(_) => Some(place),
                    Err(Error::Vault(VaultError::Gone { .. })) => None,
                    Err(e) => return Err(e),
                }
            }
            _ => None,
        };
        if let Some(place) = stored {
            let granted = Granted::from_sealable(&self.vault.get(&place, key.license.as_str())?, &key)?;
            self.commit_refresh(&flow, None, place, &granted)?;
            return Ok(None);
        }
        let standing = self.standing(&key)?.ok_or_else(unknown)?;
        if standing.record.generation != flow.base {
            self.close(&flow.id, &key, None)?;
            return Ok(None);
        }
        Ok(Some(flow))
    }

    /// What dead processes left of a licence's refreshes is finished, once a newer grant stands or all of it is given
    /// up. Inside the claim.
    pub(super) fn settle_refreshes(&mut self, key: &Key, given_up: bool) -> Result<()> {
        for flow in self.abandoned_refreshes(key)? {
            if let Some(flow) = self.settle(flow)?
                && given_up
            {
                self.close(&flow.id, key, None)?;
            }
        }
        Ok(())
    }

    /// The intent of a refresh: room on the disk and the envelope, then one synced commit that also says that it may
    /// have been sent.
    fn begin(&mut self, live: &Live) -> Result<Refreshing> {
        match &mut self.spool {
            Some(spool) => spool.grow(1)?,
            None => self.spool = Some(self.ledger.reserve(1)?),
        }
        let record = &live.standing.record;
        let id = FlowId(self.env.random.name()?);
        let item = self.item_of_flow(&record.key, &id);
        let (envelope, memo) = self.vault.envelope(&item, &Sealable::of(&"refresh"))?;
        let (opened, deadline) = self.times();
        let flow = Flow {
            id,
            profile: record.profile.clone(),
            key: record.key.clone(),
            purpose: Purpose::Refresh,
            username: record.username.clone(),
            base: record.generation,
            redirect_uri: String::new(),
            opened,
            deadline,
            // The ledger puts this process's own mark.
            owner: None,
            memo: Some(memo.clone()),
            stage: Stage::Sent,
        };
        let go = self.ledger.intend_refresh(flow.clone()).inspect_err(|_| self.forget(Some(memo)))?;
        Ok(Refreshing { flow, go, seal: Some(envelope.answer), sent_before: false })
    }

    /// A refresh of a dead process is sent once more: noted, synced, with another envelope for the same memo.
    fn take_up(&mut self, flow: Flow) -> Result<Refreshing> {
        match &mut self.spool {
            Some(spool) => spool.grow(1)?,
            None => self.spool = Some(self.ledger.reserve(1)?),
        }
        let memo = flow.memo.as_ref().ok_or_else(unknown)?;
        let (_, opener) = self.vault.unfold(memo, flow.key.license.as_str())?;
        let seal = self.vault.another_envelope(&opener)?.answer;
        tracing::info!("the answer to an earlier refresh of {} is lost; it's sent once more", flow.key);
        let (opened, deadline) = self.times();
        let flow = Flow { opened, deadline, ..flow };
        let go = self.ledger.intend_again(&flow)?;
        Ok(Refreshing { flow, go, seal: Some(seal), sent_before: true })
    }

    /// Now, and when a POST that begins now is over.
    fn times(&self) -> (Timestamp, Timestamp) {
        let now = self.env.clock.now();
        let deadline = SignedDuration::try_from(self.provider.deadline).unwrap_or(SignedDuration::MAX);
        (now, now.checked_add(deadline).unwrap_or(Timestamp::MAX))
    }

    /// One POST; where its answer is lost on the way, one more after re-reading (SECURITY S37), unless this is that.
    fn spend(&mut self, mut it: Refreshing, live: &Live, token: &Secret) -> Result<Sent> {
        let key = it.flow.key.clone();
        let mut may_ask_again = !it.sent_before;
        if self.interrupts.is_none() {
            // What the provider has rotated is worth waiting for: only a second Ctrl-C gives it up.
            self.interrupts = Some(self.env.interrupts()?);
        }
        let interrupts = self.interrupts.clone().ok_or_else(unknown)?;
        loop {
            let spent = Spent {
                key: key.clone(),
                username: live.standing.record.username.clone(),
                token: token.clone(),
            };
            let (go, exchange) = (it.go.clone().with(spent), self.online()?);
            let answer =
                self.env.wait_and_tell(Some(&interrupts), |_| async move { exchange.refresh(go).await });
            let error = match answer.and_then(|answer| answer) {
                Ok(answer) => {
                    let seal = it.seal.take().ok_or_else(unknown)?;
                    return Ok(Sent::Answered(it.flow, seal, answer));
                }
                Err(error) => error,
            };
            tracing::info!("the refresh of {key} failed: {error}");
            match meaning(&error) {
                Meaning::Dead => return self.dead(&it.flow, live, error),
                Meaning::Unsent if !it.sent_before => {
                    self.close(&it.flow.id, &key, None)?;
                    return Err(error);
                }
                Meaning::LostOnTheWay if may_ask_again && !interrupts.any() => {
                    may_ask_again = false;
                    if !self.is_still(live)? {
                        self.close(&it.flow.id, &key, None)?;
                        return Ok(Sent::Overtaken(error));
                    }
                    it.sent_before = true;
                    (it.flow.opened, it.flow.deadline) = self.times();
                    it.go = self.ledger.intend_again(&it.flow)?;
                }
                // The question stays open, which is what `uncertain` means; the history says so once.
                Meaning::Unsent | Meaning::LostOnTheWay | Meaning::Uncertain => {
                    if !matches!(error, Error::Interrupted { .. }) {
                        self.told_uncertain(&it.flow, &error)?;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Whether the live grant is the one that was read.
    fn is_still(&self, live: &Live) -> Result<bool> {
        let key = &live.standing.record.key;
        let found = self.ledger.secrets(&self.provider.profile, key, Role::Live)?.pop();
        Ok(found.is_some_and(|(_, place)| place == live.place))
    }

    /// The provider says that the grant is dead. If it's still the one that was asked about, the record says so too.
    fn dead(&mut self, flow: &Flow, live: &Live, error: Error) -> Result<Sent> {
        if !self.is_still(live)? {
            self.close(&flow.id, &flow.key, None)?;
            return Ok(Sent::Overtaken(error));
        }
        self.mark_invalid(&flow.key, Some(&flow.id), &error.to_string())?;
        Err(self.no_token(&live.standing, State::Invalid.word().into()))
    }

    /// Marks a record invalid, by the provider's own word; its tokens stay.
    pub(super) fn mark_invalid(&mut self, key: &Key, closes: Option<&FlowId>, why: &str) -> Result<()> {
        let now = self.env.clock.now();
        let kept = self.commit(key, |record| {
            record.invalid_at = Some(now);
            Change {
                expect: record.generation,
                moves: Vec::new(),
                closes: closes.cloned(),
                events: vec![event(record, Happened::Invalid, why, now)],
                record: record.clone(),
            }
        })?;
        self.forget(kept.memo);
        Ok(())
    }

    fn told_uncertain(&mut self, flow: &Flow, error: &Error) -> Result<()> {
        let (now, said) = (self.env.clock.now(), error.to_string());
        if self
            .ledger
            .last_lines(&flow.profile, &flow.key, 1)?
            .first()
            .is_some_and(|last| last.detail == said)
        {
            return Ok(());
        }
        self.commit(&flow.key, |record| Change {
            expect: record.generation,
            moves: Vec::new(),
            closes: None,
            events: vec![event(record, Happened::Uncertain, &said, now)],
            record: record.clone(),
        })
        .map(drop)
    }

    /// The answer is compared, sealed, stored and committed, in that order.
    fn answered(&mut self, flow: &Flow, seal: Seal, live: Live, answer: &Granted) -> Result<Fresh> {
        let differences = self.differences(&flow.key, answer);
        let granted = match differences[..] {
            [] => live.granted.refreshed(answer.clone()),
            // Its access token is of no use. Its refresh token is: where the provider rotates, the old one is spent.
            _ => live.granted.with_refresh_of(answer),
        };
        let sealed = seal.close(&granted.to_sealable(&flow.key))?;
        let stored = match self.vault.kind() {
            VaultKind::Sealed => Ok(Place::Blob(sealed.clone())),
            VaultKind::Keyring => {
                self.vault.put(&self.item_of_refresh(flow), &granted.to_sealable(&flow.key))
            }
        };
        let base = Some(&live.place);
        let committed = stored.and_then(|place| self.commit_refresh(flow, base, place, &granted));
        let record = match committed {
            Ok(Some(record)) => record,
            // A newer grant is in its place: that one is asked for its token.
            Ok(None) => return self.live(&flow.key).and_then(|live| self.handed_out(live, false)),
            Err(e) => return Err(self.set_refresh_aside(flow, sealed, &e)),
        };
        if !differences.is_empty() {
            let license = flow.key.license.to_string();
            return Err(ProviderError::OtherToken { license, differences }.into());
        }
        tracing::info!("{} is refreshed", flow.key);
        let standing = Standing { record, ..live.standing };
        self.handed_out(Live { standing, granted, ..live }, true)
    }

    /// What the answer itself shows to be something else than what was granted (RFC 6749 5.1, 6 and 7.1). Who granted
    /// isn't compared: a refresh asks nobody.
    fn differences(&self, key: &Key, answer: &Granted) -> Vec<FactDifference> {
        let Some(username) = self.standing(key).ok().flatten().map(|it| it.record.username) else {
            return Vec::new();
        };
        let mut found = compare(&self.provider, key, &username, &answer.reported).differences;
        found.extend(super::keep::protocol_differences(answer));
        found
    }

    /// One synced commit: the new tokens in the old ones' place. Where a newer grant came between, they are an older
    /// one's, and go the way of those; then there is no record to return.
    fn commit_refresh(
        &mut self,
        flow: &Flow,
        base: Option<&Place>,
        place: Place,
        granted: &Granted,
    ) -> Result<Option<Authorization>> {
        const TRIES: usize = 5;
        let key = &flow.key;
        let now = self.env.clock.now();
        let mut refused = unknown();
        for _ in 0..TRIES {
            let standing = self.standing(key)?.ok_or_else(unknown)?;
            let mut record = standing.record;
            let expect = record.generation;
            let live = self.ledger.secrets(&self.provider.profile, key, Role::Live)?.pop();
            // Another admin's grant that is set aside moves the generation as well, but not the live grant.
            let old = live.filter(|(_, live)| match base {
                Some(base) => base == live,
                None => record.generation == flow.base,
            });
            let mut events = Vec::new();
            let moves = match &old {
                Some((id, _)) => {
                    record.generation = record.generation.next();
                    if self.provider.rolling {
                        events.extend(self.prolonged(&mut record, granted, now));
                    }
                    // Not superseded: its refresh token is spent, and revoking it would end the whole grant.
                    vec![Move::Drop(*id), Move::Put(Role::Live, place.clone())]
                }
                None => vec![Move::Put(Role::Superseded, place.clone())],
            };
            let change =
                Change { record: record.clone(), expect, moves, closes: Some(flow.id.clone()), events };
            match self.ledger.commit(std::slice::from_ref(&change))?.pop() {
                Some(Ok(kept)) => {
                    // Forgotten only once nobody waits for the token any more.
                    self.loose.extend(kept.memo);
                    let Some((_, old)) = old else {
                        self.touched.insert(key.clone());
                        return Ok(None);
                    };
                    self.loose.push(old);
                    return Ok(Some(record));
                }
                Some(Err(e)) => refused = e,
                None => {}
            }
        }
        Err(refused)
    }

    /// Where the provider prolongs a grant with each refresh, its end moves.
    fn prolonged(
        &self,
        record: &mut Authorization,
        granted: &Granted,
        now: Timestamp,
    ) -> Option<crate::model::history::Event> {
        let provider = &self.provider;
        let told = granted.expires_at;
        let ends = told.unwrap_or_else(|| estimate(granted.received_at, provider.lifetime, &provider.zone));
        let ends = Timestamp::from_second(ends.as_second()).unwrap_or(ends);
        if record.expires_at == Some(ends) {
            return None;
        }
        record.expires_at = Some(ends);
        record.expires_estimated = told.is_none();
        Some(event(record, Happened::Prolonged, &format!("by a refresh, until {ends}"), now))
    }

    /// The tokens can't be kept in their place: they are kept sealed in the journal, else in the spool.
    fn set_refresh_aside(&mut self, flow: &Flow, sealed: Sealed, why: &Error) -> Error {
        let stage = Stage::Answered(sealed);
        let kept = self.ledger.keep_answer(&flow.id, &stage).or_else(|e| match &mut self.spool {
            Some(spool) => spool.keep(&flow.id, &stage).map(drop),
            None => Err(e),
        });
        let license = flow.key.license.to_string();
        match kept {
            Ok(()) => LedgerError::NotRefreshed { license, reason: why.to_string() }.into(),
            Err(e) => Error::Failed(format!(
                "{license} was refreshed, but neither vault, ledger nor spool could keep its new tokens ({why}; {e}): it may have to be consented again"
            )),
        }
    }

    /// A refresh's own item: whoever else stores a generation of the same number never writes over it.
    fn item_of_refresh(&self, flow: &Flow) -> String {
        self.item(&flow.key, format_args!("{}-{}", flow.base.next().0, flow.id))
    }
}

/// What came of sending.
enum Sent {
    /// An answer, and what seals it.
    Answered(Flow, Seal, Granted),
    /// The live grant was replaced meanwhile: to be decided again.
    Overtaken(Error),
}

/// What a failed refresh says about the refresh token.
enum Meaning {
    /// The provider says that the grant is dead.
    Dead,
    /// It certainly wasn't used.
    Unsent,
    /// It was sent, and the connection broke or stayed silent.
    LostOnTheWay,
    /// Something came back that doesn't say.
    Uncertain,
}

fn meaning(error: &Error) -> Meaning {
    const TOO_MANY_REQUESTS: u16 = 429;
    match error {
        Error::Provider(ProviderError::TokenRefused { code, .. }) if code == "invalid_grant" => Meaning::Dead,
        Error::Provider(ProviderError::Lost { .. }) => Meaning::LostOnTheWay,
        Error::Provider(ProviderError::Overloaded { status, .. }) if *status != TOO_MANY_REQUESTS => {
            Meaning::Uncertain
        }
        Error::Provider(ProviderError::Useless { .. }) | Error::Interrupted { .. } | Error::Failed(_) => {
            Meaning::Uncertain
        }
        _ => Meaning::Unsent,
    }
}
