//! A provider that answers out of memory, as the `local-sandbox` preset expects, and does what a test scripts. Its log is
//! what a test asks for the truth.

use super::clock::StandingClock;
use super::moments::{Moment, Watch};
use super::transcript::IN_VAIN;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use biotrack_auth::error::Result;
use biotrack_auth::oauth::TEST_CODE;
use biotrack_auth::system::{Http, HttpFault, HttpOptions, Network, PendingResponse, Transport, Variables};
use jiff::{SignedDuration, Timestamp};
use oauth2::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use url::{Url, form_urlencoded};

/// Where it says that it is. Nothing listens there.
pub const URL: &str = "http://127.0.0.1:2";

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What comes of a request instead of the usual answer.
#[derive(Debug, Clone)]
pub enum Reply {
    /// No byte of it left.
    Unreachable,
    /// It was acted on, and the answer was lost.
    Lost,
    /// It was acted on, and this status and body came instead of the answer.
    Garbled(u16, String),
    /// It wasn't acted on, and no answer came.
    Unheard,
    /// It wasn't acted on; this status and body.
    Status(u16, String),
    /// It was acted on; the answer's members are changed so, and removed where the value is null.
    Changed(Value),
    /// It wasn't acted on; this status, and the wish to be left alone for so many seconds.
    Busy(u16, u64),
}

/// A request that waits until a test lets it go on.
#[derive(Clone)]
pub struct HeldRequest {
    /// How many have come.
    come: watch::Sender<usize>,
    opened: watch::Sender<bool>,
}

impl HeldRequest {
    /// Waits until the request has come.
    #[track_caller]
    pub fn is_reached(&self) {
        self.is_reached_by(1);
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn is_reached_by(&self, requests: usize) {
        let mut come = self.come.subscribe();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let waited = runtime.block_on(async {
            tokio::time::timeout(IN_VAIN, come.wait_for(|it| *it >= requests)).await.is_ok()
        });
        assert!(waited, "the request never came");
    }

    /// Lets it go on.
    pub fn opens(&self) {
        self.opened.send_replace(true);
    }

    async fn passes(&self) {
        self.come.send_modify(|come| *come += 1);
        let _ = self.opened.subscribe().wait_for(|it| *it).await;
    }
}

/// The provider.
pub struct ScriptedProvider {
    clock: Arc<StandingClock>,
    watch: Arc<Watch>,
    state: Mutex<State>,
}

#[derive(Default, Clone)]
struct State {
    codes: HashMap<String, Consent>,
    grants: Vec<Grant>,
    log: Vec<String>,
    next: BTreeMap<String, VecDeque<Reply>>,
    /// For the request, to whatever path, after so many others.
    later: Vec<(usize, Reply)>,
    revokes: bool,
    keeps_refresh_tokens: bool,
    ends_earlier_tokens: bool,
    lifetime: Option<SignedDuration>,
    /// How far its clock is ahead.
    ahead: SignedDuration,
    away: bool,
    asked: BTreeMap<String, usize>,
    /// Endpoints that nothing reaches.
    silent: Vec<String>,
    /// Paths at which there is nothing.
    gone: Vec<String>,
    /// What requests with a code that can't be right come to; an accepted client, where nothing is scripted.
    tests: VecDeque<Reply>,
    tested: Vec<HashMap<String, String>>,
    gates: BTreeMap<String, HeldRequest>,
    /// At these all requests wait.
    closed: BTreeMap<String, HeldRequest>,
}

#[derive(Clone)]
struct Consent {
    facts: Map<String, Value>,
    redirect_uri: String,
    challenge: Option<String>,
    used: bool,
}

#[derive(Clone)]
struct Grant {
    facts: Map<String, Value>,
    created_at: Timestamp,
    expires_at: Timestamp,
    access: String,
    /// Access tokens from before the last refresh: they live on, as RFC 6749 leaves it.
    earlier: Vec<String>,
    refresh: String,
    /// Refresh tokens that were used; one that comes again ends the grant (RFC 9700 4.14.2).
    spent: Vec<String>,
    alive: bool,
    /// An admin ended it on the provider's own page.
    ended_by_admin: bool,
}

/// A grant as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantThere {
    /// Which, counted from 1 as they were issued.
    pub number: usize,
    /// Of which license.
    pub location: String,
    /// It lives.
    pub alive: bool,
    /// An admin ended it, not a request of ours.
    pub ended_by_admin: bool,
}

impl ScriptedProvider {
    pub fn new(clock: Arc<StandingClock>, watch: Arc<Watch>) -> Self {
        Self { clock, watch, state: Mutex::new(State { revokes: true, ..State::default() }) }
    }

    /// Another one that has issued and ended the same, and has no mishaps before it.
    pub fn copied(&self, clock: Arc<StandingClock>, watch: Arc<Watch>) -> Self {
        let mut state = self.state.lock().unwrap().clone();
        state.next.clear();
        state.later.clear();
        state.gates.clear();
        state.closed.clear();
        Self { clock, watch, state: Mutex::new(state) }
    }

    /// What the next requests to a path (`/oauth/token`, …) come to, one after the other.
    pub fn replies(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().next.entry(path.into()).or_default().extend(replies);
    }

    /// What the request, to whatever path, after so many others comes to.
    pub fn replies_after(&self, requests: usize, reply: Reply) {
        self.state.lock().unwrap().later.push((requests, reply));
    }

    /// How many of those are still to come.
    pub fn replies_to_come(&self) -> usize {
        self.state.lock().unwrap().later.len()
    }

    /// A refresh leaves the refresh token as it is from now on, and doesn't repeat it.
    pub fn keeps_refresh_tokens(&self) {
        self.state.lock().unwrap().keeps_refresh_tokens = true;
    }

    /// A refresh ends the access tokens before it from now on.
    pub fn ends_earlier_tokens(&self) {
        self.state.lock().unwrap().ends_earlier_tokens = true;
    }

    /// All grants that it ever issued.
    pub fn grants(&self) -> Vec<GrantThere> {
        let state = self.state.lock().unwrap();
        let grants = state.grants.iter().zip(1..).map(|(grant, number)| GrantThere {
            number,
            location: text(&grant.facts, "location"),
            alive: grant.alive,
            ended_by_admin: grant.ended_by_admin,
        });
        grants.collect()
    }

    /// The number of the grant that a token, of either kind, is or was of.
    pub fn grant_of(&self, token: &str) -> Option<usize> {
        let state = self.state.lock().unwrap();
        state.grants.iter().position(|grant| grant.has_had(token)).map(|at| at + 1)
    }

    /// It offers no revocation from now on.
    pub fn revokes_nothing(&self) {
        self.state.lock().unwrap().revokes = false;
    }

    /// Nothing reaches it from now on, or everything does again.
    pub fn is_away(&self, away: bool) {
        self.state.lock().unwrap().away = away;
    }

    /// Nothing reaches one of its endpoints from now on.
    pub fn is_silent_at(&self, path: &str) {
        self.state.lock().unwrap().silent.push(path.into());
    }

    /// There is nothing at this path from now on.
    pub fn has_nothing_at(&self, path: &str) {
        self.state.lock().unwrap().gone.push(path.into());
    }

    /// Everything reaches all of its endpoints again.
    pub fn is_silent_nowhere(&self) {
        self.state.lock().unwrap().silent.clear();
    }

    /// What the next requests with a code that can't be right come to.
    pub fn tests_come_to(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().tests.extend(replies);
    }

    /// The forms of those that came so far. They are no requests otherwise: not counted, and nothing's script is used up.
    pub fn tests(&self) -> Vec<HashMap<String, String>> {
        self.state.lock().unwrap().tested.clone()
    }

    /// How many requests to a path reached it, whatever came of them.
    pub fn asked(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// The next request to a path waits at a gate.
    pub fn stops(&self, path: &str) -> HeldRequest {
        let gate = HeldRequest { come: watch::Sender::new(0), opened: watch::Sender::new(false) };
        self.state.lock().unwrap().gates.insert(path.into(), gate.clone());
        gate
    }

    /// All requests to a path from now on wait at a gate.
    pub fn holds(&self, path: &str) -> HeldRequest {
        let gate = HeldRequest { come: watch::Sender::new(0), opened: watch::Sender::new(false) };
        self.state.lock().unwrap().closed.insert(path.into(), gate.clone());
        gate
    }

    /// Grants live this long from now on.
    pub fn grants_for(&self, lifetime: SignedDuration) {
        self.state.lock().unwrap().lifetime = Some(lifetime);
    }

    /// Its clock is ahead by so much from now on.
    pub fn clock_is_ahead(&self, by: SignedDuration) {
        self.state.lock().unwrap().ahead = by;
    }

    /// All that it did, a line each, in order.
    pub fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().log.clone()
    }

    /// Whether a token, of either kind, is of a grant that lives.
    pub fn honors(&self, token: &str) -> bool {
        let state = self.state.lock().unwrap();
        state.grants.iter().any(|grant| grant.alive && grant.takes(token))
    }

    /// The access tokens of all grants that live, by their location.
    pub fn living(&self) -> Vec<(String, String)> {
        let state = self.state.lock().unwrap();
        let alive = state.grants.iter().filter(|grant| grant.alive);
        alive.map(|grant| (text(&grant.facts, "location"), grant.access.clone())).collect()
    }

    /// What an admin's browser is sent back to, who granted at an authorize address that was handed out.
    pub fn answer_to(&self, authorize: &str) -> String {
        self.consents(authorize, None)
    }

    /// Ends the grants of a location, as an admin does on the provider's own page.
    pub fn ends_grants_of(&self, location: &str) {
        let mut state = self.state.lock().unwrap();
        let of_it = |grant: &&mut Grant| text(&grant.facts, "location") == location;
        state.grants.iter_mut().filter(of_it).for_each(|grant| {
            grant.ended_by_admin |= grant.alive;
            grant.alive = false;
        });
    }

    /// An admin grants at an authorize address: whoever was asked, or somebody else. The address they are sent back to.
    pub fn consents(&self, authorize: &str, who: Option<&str>) -> String {
        self.watch.sees(&Moment::Consents);
        let asked = query(authorize);
        let mut state = self.state.lock().unwrap();
        let code = format!("code-{}", state.codes.len() + 1);
        let username = who.unwrap_or(&asked["username"]);
        let facts = json!({
            "company": "Treez Inc", "application": "Treez", "ubi": asked["ubi"], "access_type": "Integrator",
            "location": asked["license"], "resource": "*", "operation": "read_write", "username": username,
        });
        let consent = Consent {
            facts: facts.as_object().unwrap().clone(),
            redirect_uri: asked["redirect_uri"].clone(),
            challenge: asked.get("code_challenge").cloned(),
            used: false,
        };
        state.log.push(format!("consented {} by {username}: {code}", asked["license"]));
        state.codes.insert(code.clone(), consent);
        back(&asked, &[("code", &code)])
    }

    /// An admin says no.
    pub fn denies(&self, authorize: &str) -> String {
        back(&query(authorize), &[("error", "access_denied")])
    }

    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, HttpFault> {
        let path = request.uri().path().to_owned();
        if let Some(answer) = self.rehearsed(request, &path) {
            return answer;
        }
        self.watch.sees(&Moment::Arrives(path.clone()));
        let answer = self.act(request, &path);
        self.watch.sees(&Moment::Answered(path));
        answer
    }

    /// What is asked before anybody consents: a try of each endpoint, and a code that can't be right.
    fn rehearsed(&self, request: &HttpRequest, path: &str) -> Option<Result<HttpResponse, HttpFault>> {
        let mut state = self.state.lock().unwrap();
        if request.method() == "HEAD" {
            let silent = state.away || state.silent.iter().any(|it| it == path);
            let status = if state.gone.iter().any(|it| it == path) { 404 } else { 405 };
            return Some(match silent {
                true => Err(HttpFault::Connect("Connection refused".into())),
                false => Ok(response(status, String::new(), self.clock.shown())),
            });
        }
        let form: HashMap<String, String> = form_urlencoded::parse(request.body()).into_owned().collect();
        form.get("code").filter(|code| code.starts_with(TEST_CODE))?;
        state.tested.push(form);
        Some(match state.tests.pop_front() {
            None => Ok(response(400, json!({"error": "invalid_grant"}).to_string(), self.clock.shown())),
            Some(Reply::Status(status @ (429 | 500..), _)) => {
                Err(HttpFault::Status { status, retry_after: None })
            }
            Some(Reply::Status(status, body)) => Ok(response(status, body, self.clock.shown())),
            Some(_) => Err(HttpFault::Timeout),
        })
    }

    fn act(&self, request: &HttpRequest, path: &str) -> Result<HttpResponse, HttpFault> {
        let reply = {
            let mut state = self.state.lock().unwrap();
            if state.away {
                return Err(HttpFault::Connect("Connection refused".into()));
            }
            *state.asked.entry(path.to_owned()).or_default() += 1;
            state.reply(path)
        };
        match &reply {
            Some(Reply::Unreachable) => return Err(HttpFault::Connect("Connection refused".into())),
            Some(Reply::Unheard) => return Err(HttpFault::Timeout),
            Some(Reply::Status(status @ (429 | 500..), _)) => {
                return Err(HttpFault::Status { status: *status, retry_after: None });
            }
            Some(Reply::Busy(status, seconds)) => {
                let retry_after = Some(Duration::from_secs(*seconds));
                return Err(HttpFault::Status { status: *status, retry_after });
            }
            Some(Reply::Status(status, body)) => return Ok(response(*status, body.clone(), self.time())),
            _ => {}
        }
        let form: HashMap<String, String> = form_urlencoded::parse(request.body()).into_owned().collect();
        let its_time = self.time();
        let mut state = self.state.lock().unwrap();
        let now = self.clock.shown();
        let (status, mut body) = match path {
            "/.well-known/oauth-authorization-server" => (200, state.metadata()),
            "/oauth/token" => state.token(&form, now),
            "/oauth/revoke" => (200, state.revoke(&form["token"])),
            "/oauth/introspect" => (200, state.introspect(&form["token"], now)),
            _ => (404, json!({"error": "not_found"})),
        };
        match reply {
            Some(Reply::Lost) => Err(HttpFault::Timeout),
            Some(Reply::Garbled(status @ (429 | 500..), _)) => {
                Err(HttpFault::Status { status, retry_after: None })
            }
            Some(Reply::Garbled(status, body)) => Ok(response(status, body, its_time)),
            Some(Reply::Changed(changes)) => {
                for (name, value) in changes.as_object().unwrap() {
                    let members = body.as_object_mut().unwrap();
                    match value {
                        Value::Null => drop(members.remove(name)),
                        value => drop(members.insert(name.clone(), value.clone())),
                    }
                }
                Ok(response(status, body.to_string(), its_time))
            }
            _ => Ok(response(status, body.to_string(), its_time)),
        }
    }

    fn time(&self) -> Timestamp {
        self.clock.shown() + self.state.lock().unwrap().ahead
    }
}

impl Grant {
    /// Whether a token is one that a living grant is used with.
    fn takes(&self, token: &str) -> bool {
        self.access == token || self.refresh == token || self.earlier.iter().any(|it| it == token)
    }

    fn has_had(&self, token: &str) -> bool {
        self.takes(token) || self.spent.iter().any(|it| it == token)
    }
}

impl State {
    /// What is scripted for this request.
    fn reply(&mut self, path: &str) -> Option<Reply> {
        let due = self.later.iter().position(|(requests, _)| *requests == 0);
        let due = due.map(|at| self.later.remove(at).1);
        self.later.iter_mut().for_each(|(requests, _)| *requests -= 1);
        due.or_else(|| self.next.get_mut(path)?.pop_front())
    }

    fn metadata(&self) -> Value {
        let mut metadata = json!({
            "issuer": URL,
            "authorization_endpoint": format!("{URL}/oauth"),
            "token_endpoint": format!("{URL}/oauth/token"),
            "introspection_endpoint": format!("{URL}/oauth/introspect"),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        if self.revokes {
            metadata["revocation_endpoint"] = json!(format!("{URL}/oauth/revoke"));
        }
        metadata
    }

    fn token(&mut self, form: &HashMap<String, String>, now: Timestamp) -> (u16, Value) {
        let refused = |state: &mut Self, why: &str| {
            state.log.push(format!("refused {}: {why}", form["grant_type"]));
            (400, json!({"error": "invalid_grant"}))
        };
        if form["grant_type"] == "refresh_token" {
            return match self.refresh(&form["refresh_token"]) {
                Ok(at) => (200, self.told_again(at)),
                Err(why) => refused(self, why),
            };
        }
        let code = &form["code"];
        let Some(consent) = self.codes.get_mut(code) else { return refused(self, "unknown code") };
        let verifier =
            form.get("code_verifier").map(|verifier| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
        if std::mem::replace(&mut consent.used, true) {
            return refused(self, "code replayed");
        } else if consent.redirect_uri != form["redirect_uri"] || consent.challenge != verifier {
            return refused(self, "another redirect address or verifier");
        }
        let (facts, number) = (consent.facts.clone(), self.grants.len() + 1);
        let whole = Timestamp::from_second(now.as_second()).unwrap();
        let lifetime = self.lifetime.unwrap_or(DAY * 100);
        self.log.push(format!("issued {}: access-{number}", text(&facts, "location")));
        self.grants.push(Grant {
            facts,
            created_at: whole,
            expires_at: whole + lifetime,
            access: format!("access-{number}"),
            earlier: Vec::new(),
            refresh: format!("refresh-{number}"),
            spent: Vec::new(),
            alive: true,
            ended_by_admin: false,
        });
        (200, self.told(number - 1))
    }

    fn refresh(&mut self, token: &str) -> Result<usize, &'static str> {
        if let Some(grant) =
            self.grants.iter_mut().find(|grant| grant.spent.iter().any(|spent| spent == token))
        {
            grant.alive = false;
            return Err("a spent refresh token: the grant has ended");
        }
        let found = self.grants.iter().position(|grant| grant.refresh == token && grant.alive);
        let at = found.ok_or("an unknown refresh token")?;
        let grant = &mut self.grants[at];
        let generation = grant.earlier.len() + 1;
        if !self.keeps_refresh_tokens {
            let next = format!("refresh-{}.{generation}", at + 1);
            grant.spent.push(std::mem::replace(&mut grant.refresh, next));
        }
        let next = format!("access-{}.{generation}", at + 1);
        grant.earlier.push(std::mem::replace(&mut grant.access, next));
        let line = format!("refreshed {}: {}", text(&grant.facts, "location"), grant.access);
        self.log.push(line);
        Ok(at)
    }

    /// What a refresh is answered with.
    fn told_again(&self, at: usize) -> Value {
        let mut answer = self.told(at);
        if self.keeps_refresh_tokens {
            answer.as_object_mut().unwrap().remove("refresh_token");
        }
        answer
    }

    fn told(&self, at: usize) -> Value {
        let grant = &self.grants[at];
        let mut answer = json!({
            "access_token": grant.access,
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": grant.refresh,
            "created_at": grant.created_at.to_string(),
            "expiration_date": grant.expires_at.to_string(),
        });
        answer.as_object_mut().unwrap().extend(grant.facts.clone());
        answer
    }

    fn revoke(&mut self, token: &str) -> Value {
        let of_it = |grant: &&mut Grant| grant.alive && grant.takes(token);
        match self.grants.iter_mut().find(of_it) {
            Some(grant) => {
                grant.alive = false;
                let line = format!("revoked {}: {}", text(&grant.facts, "location"), grant.access);
                self.log.push(line);
            }
            None => self.log.push("revoked nothing".into()),
        }
        json!({})
    }

    fn introspect(&mut self, token: &str, now: Timestamp) -> Value {
        self.log.push("introspected".into());
        let ended =
            |grant: &Grant| self.ends_earlier_tokens && grant.earlier.iter().any(|earlier| earlier == token);
        let living =
            |grant: &&Grant| grant.alive && grant.expires_at > now && grant.takes(token) && !ended(grant);
        match self.grants.iter().find(living) {
            Some(grant) => json!({"active": true, "iss": URL, "exp": grant.expires_at.as_second()}),
            None => json!({"active": false}),
        }
    }
}

/// The network that leads to the provider alone.
pub struct Wire(pub Arc<ScriptedProvider>);

impl Network for Wire {
    fn client(&self, _: &HttpOptions, _: &Variables) -> Result<Http> {
        Ok(Http::over(Arc::new(Wire(self.0.clone()))))
    }
}

impl Transport for Wire {
    fn send(&self, request: HttpRequest) -> PendingResponse<'_> {
        Box::pin(async move {
            let gate = {
                let (mut state, path) = (self.0.state.lock().unwrap(), request.uri().path());
                if is_rehearsal(&request) {
                    drop(state);
                    return self.0.answer(&request);
                }
                state.gates.remove(path).or_else(|| state.closed.get(path).cloned())
            };
            if let Some(gate) = gate {
                gate.passes().await;
            }
            self.0.answer(&request)
        })
    }
}

/// Whether a request only tries what a later one will need.
fn is_rehearsal(request: &HttpRequest) -> bool {
    request.method() == "HEAD" || String::from_utf8_lossy(request.body()).contains(TEST_CODE)
}

fn response(status: u16, body: String, at: Timestamp) -> HttpResponse {
    let mut response = HttpResponse::new(body.into_bytes());
    *response.status_mut() = status.try_into().unwrap();
    let headers = response.headers_mut();
    headers.insert("content-type", "application/json".parse().unwrap());
    // RFC 9110 5.6.7
    headers.insert("date", at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string().parse().unwrap());
    response
}

fn text(facts: &Map<String, Value>, name: &str) -> String {
    facts[name].as_str().unwrap_or_default().to_owned()
}

fn query(address: &str) -> HashMap<String, String> {
    Url::parse(address).unwrap().query_pairs().into_owned().collect()
}

fn back(asked: &HashMap<String, String>, answer: &[(&str, &str)]) -> String {
    let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
    back.query_pairs_mut().extend_pairs(answer).append_pair("state", &asked["state"]).append_pair("iss", URL);
    back.into()
}
