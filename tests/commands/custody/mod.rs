//! The rules of custody: storing, superseding, holding, refreshing, revoking, recovering; hand-offs, moves and bundles.
//! Where a rule is custody's own a test drives it step by step, through [`Process`], which alone knows the names of its
//! methods; where the order of a command matters, the command is run.

mod bundles;
mod handing_off;
mod holding;
mod looking_up;
mod moving;
mod recovering;
mod refreshing;
mod revoking;
mod storing;
mod superseding;
mod sweeps;

use crate::rig::{Moment, PROFILE, Rig, key};
use biotrack_auth::custody::{
    Asked, Asking, AtHand, Custody, Extent, Found, Kept, Question, Recovered, Revocation,
};
use biotrack_auth::edge::{Env, HttpOptions};
use biotrack_auth::error::{Error, Result};
use biotrack_auth::grant::{self, Code, Patience, Returned};
use biotrack_auth::model::authorization::{Authorization, State};
use biotrack_auth::model::flow::{Flow, Logged, Purpose, Role};
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::ids::{FlowId, Username};
use biotrack_auth::model::provider::Provider;
use biotrack_auth::session::Exchange;
use jiff::SignedDuration;
use std::sync::Arc;

/// Where a listener would be, if one listened.
const REDIRECT: &str = "http://127.0.0.1:18273/callback";

/// A process that has reached the provider. When its work is over it's gone, and whatever it left is a dead one's.
struct Process<'p> {
    rig: &'p Rig,
    env: &'p Env,
    provider: Arc<Provider>,
    custody: Custody<'p>,
}

/// One that has just begun.
fn process<T>(rig: &Rig, work: impl FnOnce(&mut Process<'_>) -> T) -> T {
    process_with(rig, |_| (), work)
}

/// The same under another profile than the configured one.
fn process_with<T>(
    rig: &Rig,
    profile: impl FnOnce(&mut Provider),
    work: impl FnOnce(&mut Process<'_>) -> T,
) -> T {
    let env = rig.env();
    let mut provider = rig.profile();
    profile(&mut provider);
    let provider = Arc::new(provider);
    let custody = rig.custody_of(&env, provider.clone());
    let mut process = Process { rig, env: &env, provider, custody };
    let exchange = process.exchange();
    process.custody.connect(exchange);
    work(&mut process)
}

impl Process<'_> {
    /// The way to the provider.
    fn exchange(&self) -> Exchange {
        let options = HttpOptions { deadline: self.provider.deadline, ca_file: None, loopback: true };
        let (http, clock) = (self.env.http(&options).unwrap(), self.env.clock.clone());
        let (http_there, provider, now) = (http.clone(), self.provider.clone(), clock.now());
        let look = async move { grant::prepare(&http_there, &provider, now).await };
        let endpoints = Arc::new(self.env.wait(look).unwrap().unwrap());
        Exchange {
            http,
            provider: self.provider.clone(),
            endpoints,
            secret: self.custody.client_secret().unwrap(),
            clock,
        }
    }

    /// What is to be asked about a license, of an admin, as its record is now.
    fn question(&self, license: &str, admin: &str, handed_off: bool) -> Question {
        let (key, admin) = (key(license), Username::parse(admin).unwrap());
        let endpoints = self.exchange().endpoints;
        let random = self.env.random.as_ref();
        let ask = grant::ask(&self.provider, &endpoints, &key, &admin, REDIRECT, random).unwrap();
        let known = self.custody.standing(&key).unwrap().map(|it| it.record);
        let renews = known.as_ref().is_some_and(|it| it.created_at.is_some() && it.deactivated_at.is_none());
        Question {
            ask,
            record: known.unwrap_or_else(|| Authorization::asked(PROFILE, key, admin)),
            purpose: if renews { Purpose::Renew } else { Purpose::Register },
            deadline: self.rig.now() + SignedDuration::from_mins(10),
            handed_off,
        }
    }

    /// Puts questions, all in one commit.
    fn asks(&mut self, questions: Vec<Question>) -> Result<Vec<Result<Asked>>> {
        self.custody.ask(questions)
    }

    /// Asks about one license, and waits for the answer here.
    fn ask(&mut self, license: &str) -> Result<Asked> {
        self.ask_of(license, crate::rig::ADMIN)
    }

    fn ask_of(&mut self, license: &str, admin: &str) -> Result<Asked> {
        let question = self.question(license, admin, false);
        self.asks(vec![question])?.pop().unwrap()
    }

    /// Hands a link out; where an admin who follows it and grants is sent back to.
    fn hand_out(&mut self, license: &str) -> Link {
        let question = self.question(license, crate::rig::ADMIN, true);
        let asked = self.asks(vec![question]).unwrap().pop().unwrap().unwrap();
        let (flow, ask) = asked.get();
        Link { flow: flow.clone(), address: ask.address.clone() }
    }

    /// The admin grants; the code that comes back.
    fn code(&self, asked: &Asked) -> biotrack_auth::model::secret::Secret {
        self.code_of(asked, None)
    }

    fn code_of(&self, asked: &Asked, who: Option<&str>) -> biotrack_auth::model::secret::Secret {
        let back = url::Url::parse(&self.rig.provider.consents(&asked.get().1.address, who)).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        biotrack_auth::model::secret::Secret::new(code)
    }

    /// A code came, and is about to leave.
    fn arrived(&mut self, asked: &Asked) -> Result<Logged<(FlowId, Code)>> {
        let code = self.code(asked);
        self.custody.arrived(&asked.get().0, &code)
    }

    /// The one POST.
    fn exchanged(&self, go: Logged<(FlowId, Code)>) -> Result<Granted> {
        let exchange = self.exchange();
        self.env.wait(async move { exchange.run(go).await }).unwrap()
    }

    /// A question is asked, answered by this admin and exchanged: all but stored.
    fn granted(&mut self, license: &str, who: Option<&str>) -> (FlowId, Result<Granted>) {
        let asked = self.ask(license).unwrap();
        let flow = asked.get().0.clone();
        let code = self.code_of(&asked, who);
        let go = self.custody.arrived(&flow, &code).unwrap();
        (flow, self.exchanged(go))
    }

    /// What came of exchanges is stored, together.
    fn store(&mut self, answers: Vec<(FlowId, Result<Granted>)>) -> Vec<Result<Kept>> {
        self.custody.all_exchanged(answers)
    }

    /// From the question to the stored grant.
    fn grant(&mut self, license: &str) -> Result<Kept> {
        self.grant_by(license, None)
    }

    fn grant_by(&mut self, license: &str, who: Option<&str>) -> Result<Kept> {
        let answer = self.granted(license, who);
        self.store(vec![answer]).pop().unwrap()
    }

    /// A question has ended without a grant.
    fn ended(&mut self, flow: &FlowId, error: Error) -> Error {
        self.custody.ended(flow, error)
    }

    /// Nobody wants a question answered any more.
    fn dropped(&mut self, flow: &FlowId) -> Result<()> {
        self.custody.dropped(flow)
    }

    /// The waiting grant of another admin is taken.
    fn take_held(&mut self, license: &str) -> Result<()> {
        self.custody.take_held(&key(license))
    }

    /// What dead processes left of a license is finished or reported.
    fn recover(&mut self, license: &str) -> Result<Vec<Recovered>> {
        self.custody.recover(&key(license))
    }

    /// The same of a license that is given up without asking the provider.
    fn abandon(&mut self, license: &str) -> Result<()> {
        self.custody.abandon(&key(license))
    }

    /// Whether a person isn't needed for what a dead process left.
    fn can_finish_alone(&mut self, license: &str) -> bool {
        self.custody.can_finish_alone(&key(license)).unwrap()
    }

    /// Clears away what newer grants replaced.
    fn tidy(&mut self) {
        self.custody.tidy();
    }

    /// The access token without the network, valid for `min` more.
    fn at_hand(&self, license: &str, min: SignedDuration) -> Result<AtHand> {
        self.custody.at_hand(&key(license), min)
    }

    /// Finds the question that an address answers.
    fn find(&mut self, address: &str) -> Result<Found> {
        self.custody.find(&returned(address))
    }

    /// Takes the question up with its answer.
    fn take_up(&mut self, address: &str) -> Result<Logged<(FlowId, Code)>> {
        let (Found::Waiting(flow) | Found::Left(flow)) = self.find(address)?;
        let endpoints = self.exchange().endpoints;
        self.custody.take_up(*flow, returned(address), &endpoints)
    }

    /// The same, exchanged and stored.
    fn complete(&mut self, address: &str) -> Result<Kept> {
        let go = self.take_up(address)?;
        let interrupts = self.env.interrupts().unwrap();
        self.custody.finish(go, &interrupts)
    }
}

/// A link that was handed out.
struct Link {
    flow: FlowId,
    address: String,
}

impl Link {
    /// Where an admin who follows it and grants is sent back to.
    fn granted(&self, rig: &Rig) -> String {
        rig.provider.consents(&self.address, None)
    }
}

fn returned(address: &str) -> Returned {
    Returned::of(address).unwrap()
}

/// The open questions of a license.
fn flows(rig: &Rig, license: &str) -> Vec<Flow> {
    let mut flows = rig.ledger().all_flows().unwrap();
    flows.retain(|flow| flow.key == key(license));
    flows
}

/// The words of a license's history.
fn history(rig: &Rig, license: &str) -> Vec<String> {
    let lines = rig.ledger().last_lines(PROFILE, &key(license), 100).unwrap();
    lines.into_iter().map(|line| line.event).collect()
}

/// The last line of a license's history, with its details.
fn last_line(rig: &Rig, license: &str) -> String {
    let line = rig.ledger().last_lines(PROFILE, &key(license), 1).unwrap().pop().unwrap();
    format!("{} {}", line.event, line.detail)
}

/// A license's token sets, as roles and the provider's numbers of their grants.
fn kept(rig: &Rig, license: &str) -> Vec<(Role, usize)> {
    crate::rig::oracle::Books::read(rig).of(license)
}

/// A license as `status` shows it: state, conditions and next command, in words.
fn shown(rig: &Rig, license: &str) -> (State, Vec<&'static str>, Option<String>) {
    let record = crate::rig::oracle::Books::read(rig).records.remove(license).unwrap();
    let conditions = record.conditions.into_iter().map(|condition| condition.word());
    (record.state, conditions.collect(), record.next)
}

/// The record itself.
fn record(rig: &Rig, license: &str) -> Authorization {
    rig.standing(license).record
}

/// How often the provider did so.
fn times(rig: &Rig, what: &str) -> usize {
    rig.provider.log().iter().filter(|line| line.starts_with(what)).count()
}

/// Does this at the first moment of its kind, once.
fn at(rig: &Rig, moment: Moment, work: impl FnOnce() + Send + 'static) {
    let mut work = Some(work);
    rig.world().watch(move |now| {
        if *now == moment
            && let Some(work) = work.take()
        {
            // A command there waits for the network's runtime of its own.
            std::thread::scope(|scope| scope.spawn(work).join().unwrap());
        }
    });
}

/// A request to this path has come to the provider.
fn arrives(path: &str) -> Moment {
    Moment::Arrives(path.into())
}

/// The provider has acted on a request to this path.
fn answered(path: &str) -> Moment {
    Moment::Answered(path.into())
}

const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";
const INTROSPECT: &str = "/oauth/introspect";
/// The admin who is nobody's own.
const BOB: &str = "bob@example.com";
