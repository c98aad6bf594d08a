//! A process at work, step by step: the one place that knows custody's methods by their names.

use crate::rig::{ADMIN, PROFILE, Rig, key};
use biotrack_auth::consent::answer;
use biotrack_auth::custody::{
    AccessToken, CachedToken, Custody, FoundFlow, IntrospectionSummary, NewFlow, RecordedFlow,
    RecoveryOutcome, Revocation, RevocationMode, SealedExport, StoreOutcome, has_something_to_revoke,
};
use biotrack_auth::error::{Error, Result};
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::{Flow, Logged, Purpose};
use biotrack_auth::model::granted::{AwaitingGrant, Granted};
use biotrack_auth::model::ids::{FlowId, Username};
use biotrack_auth::model::provider::Provider;
use biotrack_auth::model::secret::Secret;
use biotrack_auth::oauth::ProviderClient;
use biotrack_auth::oauth::{self, CodeExchange, PastedCandidates, RetryPolicy, ReturnedAddress};
use biotrack_auth::system::{Env, HttpOptions};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;

/// Where a listener would be, if one listened.
const REDIRECT: &str = "http://127.0.0.1:18273/callback";

/// A process that has reached the provider. When its work is over it's gone, and whatever it left is a dead one's.
pub(super) struct Process<'p> {
    pub(super) rig: &'p Rig,
    env: &'p Env,
    provider: Arc<Provider>,
    custody: Custody<'p>,
}

/// One that has just begun.
pub(super) fn process<T>(rig: &Rig, work: impl FnOnce(&mut Process<'_>) -> T) -> T {
    process_with(rig, |_| (), work)
}

/// The same under another profile than the configured one.
pub(super) fn process_with<T>(
    rig: &Rig,
    profile: impl FnOnce(&mut Provider),
    work: impl FnOnce(&mut Process<'_>) -> T,
) -> T {
    offline_with(rig, profile, |process| {
        let exchange = process.exchange();
        process.custody.connect(exchange);
        work(process)
    })
}

/// One that hasn't asked for the provider yet.
pub(super) fn offline<T>(rig: &Rig, work: impl FnOnce(&mut Process<'_>) -> T) -> T {
    offline_with(rig, |_| (), work)
}

/// The same under another profile than the configured one.
pub(super) fn offline_with<T>(
    rig: &Rig,
    profile: impl FnOnce(&mut Provider),
    work: impl FnOnce(&mut Process<'_>) -> T,
) -> T {
    let env = rig.env();
    let mut provider = rig.profile();
    profile(&mut provider);
    let provider = Arc::new(provider);
    let custody = rig.custody_of(&env, provider.clone());
    work(&mut Process { rig, env: &env, provider, custody })
}

impl Process<'_> {
    /// The way to the provider.
    pub(super) fn exchange(&self) -> ProviderClient {
        let options = HttpOptions { deadline: self.provider.deadline, ca_file: None, loopback: true };
        let (http, clock) = (self.env.http(&options).unwrap(), self.env.clock.clone());
        let (http_there, provider, now) = (http.clone(), self.provider.clone(), clock.now());
        let look = async move { oauth::prepare(&http_there, &provider, now).await };
        let endpoints = Arc::new(self.env.wait(look).unwrap().unwrap());
        ProviderClient {
            http,
            provider: self.provider.clone(),
            endpoints,
            secret: self.custody.client_secret().unwrap(),
            clock,
        }
    }

    /// What is to be asked about a license, of an admin, as its record is now.
    pub(super) fn question(&self, license: &str, admin: &str, handed_off: bool) -> NewFlow<'static> {
        let (key, admin) = (key(license), Username::parse(admin).unwrap());
        let endpoints = self.exchange().endpoints;
        let random = self.env.random.as_ref();
        let ask = oauth::ask(&self.provider, &endpoints, &key, &admin, REDIRECT, random).unwrap();
        let known = self.custody.standing(&key).unwrap().map(|it| it.record);
        let renews = known.as_ref().is_some_and(|it| it.created_at.is_some() && it.deactivated_at.is_none());
        NewFlow {
            ask,
            record: Box::new(move |known| {
                Ok(known.unwrap_or_else(|| Authorization::asked(PROFILE, key.clone(), admin.clone())))
            }),
            purpose: if renews { Purpose::Renew } else { Purpose::Register },
            deadline: self.rig.now() + SignedDuration::from_mins(10),
            handed_off,
        }
    }

    /// Starts flows, all in one commit.
    pub(super) fn asks(&mut self, flows: Vec<NewFlow<'_>>) -> Result<Vec<Result<RecordedFlow>>> {
        self.custody.record_flows(flows)
    }

    /// Asks about one license, and waits for the answer here.
    pub(super) fn ask(&mut self, license: &str) -> Result<RecordedFlow> {
        self.ask_of(license, ADMIN)
    }

    pub(super) fn ask_of(&mut self, license: &str, admin: &str) -> Result<RecordedFlow> {
        let question = self.question(license, admin, false);
        self.asks(vec![question])?.pop().unwrap()
    }

    /// Hands a link out; where an admin who follows it and grants is sent back to.
    pub(super) fn hand_out(&mut self, license: &str) -> Link {
        let question = self.question(license, ADMIN, true);
        let asked = self.asks(vec![question]).unwrap().pop().unwrap().unwrap();
        let (flow, ask) = asked.get();
        Link { flow: flow.clone(), address: ask.address.clone() }
    }

    /// An admin grants; the code that comes back.
    fn code_of(&self, asked: &RecordedFlow, who: Option<&str>) -> Secret {
        let back = url::Url::parse(&self.rig.provider.consents(&asked.get().1.address, who)).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        Secret::new(code)
    }

    /// A code came, and is about to leave.
    pub(super) fn arrived(&mut self, asked: &RecordedFlow) -> Result<Logged<(FlowId, CodeExchange)>> {
        let code = self.code_of(asked, None);
        self.arrived_for(&asked.get().0, &code)
    }

    pub(super) fn arrived_for(
        &mut self,
        flow: &FlowId,
        code: &Secret,
    ) -> Result<Logged<(FlowId, CodeExchange)>> {
        self.custody.record_code(flow, code)?;
        self.custody.sending(flow, code)
    }

    /// A code came.
    pub(super) fn arrives(&mut self, flow: &FlowId, code: &Secret) -> Result<()> {
        self.custody.record_code(flow, code)
    }

    /// It's about to leave.
    pub(super) fn sends(&mut self, flow: &FlowId, code: &Secret) -> Result<Logged<(FlowId, CodeExchange)>> {
        self.custody.sending(flow, code)
    }

    /// The one POST.
    pub(super) fn exchanged(&self, go: Logged<(FlowId, CodeExchange)>) -> Result<Granted> {
        let exchange = self.exchange();
        self.env.wait(async move { exchange.exchange(go).await }).unwrap()
    }

    /// A question is asked, answered by this admin and exchanged: all but stored.
    pub(super) fn granted(&mut self, license: &str, who: Option<&str>) -> (FlowId, Result<Granted>) {
        let asked = self.ask(license).unwrap();
        let flow = asked.get().0.clone();
        let code = self.code_of(&asked, who);
        let go = self.arrived_for(&flow, &code).unwrap();
        (flow, self.exchanged(go))
    }

    /// What came of exchanges is stored, together.
    pub(super) fn store(&mut self, answers: Vec<(FlowId, Result<Granted>)>) -> Vec<Result<StoreOutcome>> {
        self.custody.store_grants(answers)
    }

    /// From the question to the stored grant.
    pub(super) fn grant(&mut self, license: &str) -> Result<StoreOutcome> {
        self.grant_by(license, None)
    }

    pub(super) fn grant_by(&mut self, license: &str, who: Option<&str>) -> Result<StoreOutcome> {
        let answer = self.granted(license, who);
        self.store(vec![answer]).pop().unwrap()
    }

    /// A question has ended without a grant.
    pub(super) fn ended(&mut self, flow: &FlowId, error: Error) -> Error {
        self.custody.record_end(flow, error)
    }

    /// Nobody waits for a question's answer any more.
    pub(super) fn left_open(&mut self, flow: &FlowId) -> Result<Option<StoreOutcome>> {
        self.custody.left_open(flow, None)
    }

    /// The grant of another admin that awaits approval, as somebody is shown it.
    pub(super) fn awaiting(&self, license: &str) -> Option<AwaitingGrant> {
        self.custody.awaiting(&key(license)).unwrap()
    }

    /// It's accepted.
    pub(super) fn accept(&mut self, shown: &AwaitingGrant) -> Result<()> {
        self.custody.accept(shown)
    }

    /// It's discarded, and revoked where that can't end the living grant.
    pub(super) fn discard(&mut self, shown: &AwaitingGrant) -> Result<Revocation> {
        match self.custody.discard(shown, true, "")? {
            true => self.custody.revoke_discarded(&shown.key, RevocationMode::Provider(RetryPolicy::NONE)),
            false => Ok(Revocation::NotOffered),
        }
    }

    /// What dead processes left of a license is finished or reported.
    pub(super) fn recover(&mut self, license: &str) -> Result<Vec<RecoveryOutcome>> {
        self.custody.recover(&key(license))
    }

    /// The same of a license that is canceled without asking the provider.
    pub(super) fn abandon(&mut self, license: &str) -> Result<()> {
        self.custody.close_abandoned(&key(license)).map(drop)
    }

    /// Whether a person isn't needed for what a dead process left.
    pub(super) fn can_finish_alone(&mut self, license: &str) -> bool {
        self.custody.can_finish_alone(&key(license)).unwrap()
    }

    /// Gives a license up.
    pub(super) fn deactivate(&mut self, license: &str) -> Result<Revocation> {
        let given_up =
            self.custody.deactivate(&key(license), RevocationMode::Provider(RetryPolicy::NONE), "")?;
        Ok(given_up.revocation)
    }

    /// Whether anything of a license is still to be given up.
    pub(super) fn has_left(&self, license: &str) -> bool {
        has_something_to_revoke(
            self.custody.ledger(),
            &self.custody.standing(&key(license)).unwrap().unwrap(),
        )
        .unwrap()
    }

    /// Clears away what newer grants replaced.
    pub(super) fn clean_up(&mut self) {
        self.custody.clean_up();
    }

    /// Whether that would need the provider, which wasn't reached yet.
    pub(super) fn tidy_needs_provider(&self) -> bool {
        self.custody.tidy_needs_provider().unwrap()
    }

    /// The client's secret.
    pub(super) fn client_secret(&self) -> Result<Option<String>> {
        let secret = self.custody.client_secret()?;
        Ok(secret.map(|secret| secret.expose().to_owned()))
    }

    /// Whether ledger and vault can be used now.
    pub(super) fn is_well(&mut self) -> Result<()> {
        self.custody.check_well()
    }

    /// Asks the provider whether the grants of licenses live.
    pub(super) fn look_up(&mut self, licenses: &[&str]) -> IntrospectionSummary {
        let keys: Vec<_> = licenses.iter().map(|license| key(license)).collect();
        self.custody.introspect_all(&keys, |_| ()).unwrap()
    }

    /// Seals all records with their tokens, for a move.
    pub(super) fn packed(&self, recipient: &str) -> SealedExport {
        let standings = self.rig.ledger().standings(PROFILE).unwrap();
        self.custody.pack(&standings, false, &[recipient.to_owned()], false).unwrap()
    }

    /// What was sealed is given away.
    pub(super) fn hand_over(&mut self, packed: SealedExport) -> Result<()> {
        self.custody.hand_over(packed, false, "x")
    }

    /// The access token, valid for ten minutes more.
    pub(super) fn refresh(&mut self, license: &str) -> Result<AccessToken> {
        self.custody.fresh(&key(license), SignedDuration::from_mins(10))
    }

    /// The same without the network.
    pub(super) fn at_hand(&self, license: &str, min: SignedDuration) -> Result<CachedToken> {
        self.custody.at_hand(&key(license), min)
    }

    /// Finds the question that an address answers.
    pub(super) fn find(&mut self, address: &str) -> Result<FoundFlow> {
        self.custody.find(&returned(address))
    }

    /// Takes the question up with its answer.
    pub(super) fn take_up(&mut self, address: &str) -> Result<Logged<(FlowId, CodeExchange)>> {
        let (FoundFlow::Waiting(flow) | FoundFlow::Left(flow)) = self.find(address)?;
        self.take_up_found(*flow, address)
    }

    /// The same of one that was found before.
    pub(super) fn take_up_found(
        &mut self,
        flow: Flow,
        address: &str,
    ) -> Result<Logged<(FlowId, CodeExchange)>> {
        let (endpoints, id) = (self.exchange().endpoints, flow.id.clone());
        let code = self.custody.claim_flow(flow, returned(address), &endpoints)?;
        self.custody.sending(&id, &code)
    }

    /// Takes the question up, whose code waits for its turn.
    pub(super) fn only_taken_up(&mut self, address: &str) -> Result<()> {
        let (FoundFlow::Waiting(flow) | FoundFlow::Left(flow)) = self.find(address)?;
        let endpoints = self.exchange().endpoints;
        self.custody.claim_flow(*flow, returned(address), &endpoints).map(drop)
    }

    /// The same, exchanged and stored.
    pub(super) fn complete(&mut self, address: &str) -> Result<StoreOutcome> {
        let client = self.exchange();
        answer(self.env, &mut self.custody, &client, &PastedCandidates::of(address).unwrap())
            .map(|(_, kept)| kept)
    }
}

/// A link that was handed out.
pub(super) struct Link {
    /// Which question it puts.
    pub(super) flow: FlowId,
    /// Where it leads.
    pub(super) address: String,
}

impl Link {
    /// Where an admin who follows it and grants is sent back to.
    pub(super) fn granted(&self, rig: &Rig) -> String {
        rig.provider.consents(&self.address, None)
    }
}

fn returned(address: &str) -> ReturnedAddress {
    ReturnedAddress::of(url::Url::parse(address).unwrap()).unwrap()
}

/// Whether somebody has the claim on a license's tokens.
pub(super) fn is_claimed(rig: &Rig, license: &str) -> bool {
    let provider = rig.profile();
    let credential = (provider.issuer.as_deref().unwrap_or(&provider.url), provider.client_id.as_str());
    rig.ledger().claim(credential, &key(license), false, Duration::ZERO).is_err()
}
