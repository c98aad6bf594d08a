//! What must hold whenever no command is at work, whatever befell the last one: the provider's own word against ours.
//!
//! - **Nothing is lost silently.** A grant that lives at the provider is in use here; or it's kept here in another role,
//!   to be taken or given back; or its record, or at least the history, says that an answer was lost. A record of which
//!   something is open names the next command.
//! - **Nothing is passed off.** What is called active, without a reservation, has tokens that the provider honors; what is
//!   called invalid hasn't.
//! - **The next command mends it.** Once what the records name was run, nothing is open any more, a token can be had of
//!   each living record, and neither vault nor journal nor spool keeps anything that nothing needs.
//!
//! What a command told of on its way, and the contract accepts, is given by the test: numbers of grants that may live on
//! there, for they can't be given back, or nobody was asked to.

use super::{PROFILE, Rig};
use biotrack_auth::ledger::{Ledger, SecretLocation, SecretOwner};
use biotrack_auth::model::authorization::{AuthorizationWithFlows, Condition, State};
use biotrack_auth::model::flow::{Flow, FlowStage, SecretPlace, SecretRole};
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::ids::LicenseId;
use biotrack_auth::model::provider::RevocationScope;
use std::collections::BTreeMap;

/// What is known here at one moment.
pub struct Books<'r> {
    rig: &'r Rig,
    ledger: Ledger,
    /// The records, by license.
    pub records: BTreeMap<String, Shown>,
    /// All token sets that the ledger names.
    pub kept: Vec<Kept>,
}

/// A record as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its state.
    pub state: State,
    /// What holds beside it.
    pub conditions: Vec<Condition>,
    /// The command that a person should run next.
    pub next: Option<String>,
}

/// A token set that the ledger names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Of which license.
    pub license: String,
    /// As what.
    pub role: SecretRole,
    /// Which grant of the provider's it's of.
    pub grant: Option<usize>,
    /// The provider would take it: for a refresh, or where there is no refresh token for a request.
    pub honored: bool,
}

impl Shown {
    fn of(standing: &AuthorizationWithFlows, rig: &Rig) -> Self {
        let (provider, now) = (rig.profile(), rig.now());
        let (window, zone) = (provider.due_window, &provider.zone);
        Self {
            state: standing.record.state(now, window, zone),
            conditions: standing.conditions(now),
            next: standing.next_command(now, window, zone, provider.other_profile),
        }
    }

    /// Whether it shows this condition.
    pub fn says(&self, condition: Condition) -> bool {
        self.conditions.contains(&condition)
    }

    /// Whether something is still to be done about it.
    fn is_open(&self) -> bool {
        const OPEN: [Condition; 4] = [
            Condition::Uncertain,
            Condition::GrantedNotStored,
            Condition::RevocationPending,
            Condition::AwaitingApproval,
        ];
        OPEN.iter().any(|condition| self.says(*condition))
    }

    fn lives(&self) -> bool {
        matches!(self.state, State::Active | State::Due)
    }
}

impl<'r> Books<'r> {
    /// Reads them; nothing is changed.
    pub fn read(rig: &'r Rig) -> Self {
        let ledger = rig.ledger();
        let standings = ledger.standings(PROFILE).unwrap();
        let records =
            standings.iter().map(|it| (it.record.key.license.to_string(), Shown::of(it, rig))).collect();
        let kept = ledger.all_secrets().unwrap().iter().filter_map(|secret| kept(rig, secret)).collect();
        Self { rig, ledger, records, kept }
    }

    /// The token sets of a license, as roles and numbers of grants, the oldest first.
    pub fn of(&self, license: &str) -> Vec<(SecretRole, usize)> {
        let theirs = self.kept.iter().filter(|it| it.license == license);
        let mut theirs: Vec<_> = theirs.filter_map(|it| Some((it.role, it.grant?))).collect();
        theirs.sort_by_key(|(_, number)| *number);
        theirs
    }

    /// What doesn't hold, a sentence each. `told`: grants that may live on unnamed.
    pub fn complaints(&self, told: &[usize]) -> Vec<String> {
        let mut complaints = self.lost(told);
        for (license, record) in &self.records {
            if record.is_open() && record.next.is_none() && !record.says(Condition::Exported) {
                complaints
                    .push(format!("{license}: something is open, and no next command is named: {record:?}"));
            }
            complaints.extend(self.passed_off(license, record));
        }
        complaints
    }

    /// Grants that live there, and that nothing here accounts for.
    fn lost(&self, told: &[usize]) -> Vec<String> {
        // There an older grant is forgotten when a newer one takes its place: revoking it could end that one, too.
        let forgets = self.rig.profile().revocation_scope == RevocationScope::Grant;
        let mut answers = self.lost_answers();
        let mut lost = Vec::new();
        for there in self.rig.provider.grants() {
            if !there.alive || told.contains(&there.number) {
                continue;
            }
            let (license, number) = (&there.location, there.number);
            let Some(record) = self.records.get(license) else {
                lost.push(format!("{license}: grant {number} lives, and there is no record"));
                continue;
            };
            let role = self.kept.iter().find(|it| it.grant == Some(number)).map(|it| it.role);
            let accounted = match role {
                Some(SecretRole::Live | SecretRole::Superseded) => true,
                Some(SecretRole::Held) => record.says(Condition::AwaitingApproval),
                Some(SecretRole::Unwanted) => record.says(Condition::RevocationPending),
                None => {
                    record.says(Condition::Uncertain)
                        || record.says(Condition::GrantedNotStored)
                        || record.says(Condition::Exported)
                        || forgets && self.live(license).is_some_and(|live| live.grant > Some(number))
                        // Nobody here ever had its tokens, and the history says so.
                        || take_one(&mut answers, license)
                }
            };
            if !accounted {
                lost.push(format!(
                    "{license}: grant {number} lives, kept as {role:?}, and nothing says so: {record:?}"
                ));
            }
        }
        lost
    }

    /// How many lost answers the history tells of, by license.
    fn lost_answers(&self) -> BTreeMap<String, usize> {
        let mut answers = BTreeMap::new();
        for link in self.ledger.links(PROFILE, |link| link.event == "uncertain").unwrap() {
            *answers.entry(link.license).or_default() += 1;
        }
        answers
    }

    fn live(&self, license: &str) -> Option<&Kept> {
        self.kept.iter().find(|it| it.license == license && it.role == SecretRole::Live)
    }

    /// What is called what it isn't.
    fn passed_off(&self, license: &str, record: &Shown) -> Option<String> {
        let live = self.live(license);
        let honored = live.is_some_and(|live| live.honored);
        let ended_by_admin = live.and_then(|live| live.grant).is_some_and(|number| {
            self.rig.provider.grants().iter().any(|grant| grant.number == number && grant.ended_by_admin)
        });
        let reserved = [Condition::Uncertain, Condition::GrantedNotStored, Condition::Exported];
        let reserved = reserved.iter().any(|condition| record.says(*condition));
        if record.lives() && !honored && !ended_by_admin && !reserved {
            Some(format!("{license}: active, and the provider takes none of its tokens: {record:?}"))
        } else if record.state == State::Invalid && honored {
            Some(format!("{license}: called invalid, and it lives: {record:?}"))
        } else {
            None
        }
    }

    /// Items of the keyring that nothing names.
    fn orphans(&self) -> Vec<String> {
        let named: Vec<_> = self.ledger.all_secrets().unwrap().into_iter().map(|it| it.place).collect();
        let mut orphans = self.rig.keyring.accounts();
        orphans.retain(|account| !named.contains(&SecretPlace::Item(account.clone())));
        orphans
    }

    /// Token sets that only wait for their end, or for somebody's word.
    fn unneeded(&self) -> Vec<&Kept> {
        self.kept.iter().filter(|it| it.role != SecretRole::Live).collect()
    }
}

/// One token set; none where the vault hasn't got it.
fn kept(rig: &Rig, secret: &SecretLocation) -> Option<Kept> {
    let SecretOwner::Tokens { profile, key, role, .. } = &secret.owner else { return None };
    let granted = tokens(rig, key, secret).filter(|_| profile == PROFILE)?;
    let tokens: Vec<_> =
        std::iter::once(&granted.access).chain(&granted.refresh).map(|it| it.expose()).collect();
    Some(Kept {
        license: key.license.to_string(),
        role: *role,
        grant: tokens.iter().find_map(|token| rig.provider.grant_of(token)),
        // Only its refresh token says whether a grant can still be used once the access token has lapsed.
        honored: tokens.last().is_some_and(|token| rig.provider.honors(token)),
    })
}

/// A token set, as a process of this home reads it.
fn tokens(rig: &Rig, key: &LicenseId, secret: &SecretLocation) -> Option<Granted> {
    let read = rig.vault_of(&secret.place).get(&secret.place, &rig.seals().row_of(secret)).ok()?;
    Granted::from_sealable(&read, key).ok()
}

fn take_one(left: &mut BTreeMap<String, usize>, license: &str) -> bool {
    let some = left.get_mut(license).filter(|left| **left > 0);
    some.map(|left| *left -= 1).is_some()
}

/// Nothing is lost silently, and nothing is passed off.
#[track_caller]
pub fn holds(rig: &Rig) {
    holds_but(rig, &[]);
}

/// The same, where these grants may live on unnamed.
#[track_caller]
pub fn holds_but(rig: &Rig, told: &[usize]) {
    let complaints = Books::read(rig).complaints(told);
    assert!(complaints.is_empty(), "{}\n{}", complaints.join("\n"), rig.provider.log().join("\n"));
}

/// Runs what the records name as their next commands, through admins who grant, until none is named.
#[track_caller]
pub fn goes_on(rig: &Rig) {
    const ROUNDS: usize = 6;
    for _ in 0..ROUNDS {
        let records = Books::read(rig).records;
        // A link is out, and its admin has days: nothing else is to be done.
        let waits = |it: &&Shown| {
            let for_an_answer = it.next.as_deref().is_some_and(|next| next.contains(" complete "));
            for_an_answer && it.conditions.contains(&Condition::RenewalPending)
        };
        let rest = records.values().filter(|it| !waits(it));
        let next: Vec<_> = rest.filter_map(|it| it.next.as_deref().map(unattended)).collect();
        if next.is_empty() {
            return;
        }
        // Nobody has an answer to send back: what waits for one lapses, and the next command is named then.
        for command in next.iter().filter(|it| !it.starts_with("complete ")) {
            let done = rig.run(command);
            // A grant may turn out to be dead, or that may be doubted yet: the record says so, and names the next one.
            let refused = if command.starts_with("exec ") { 125 } else { 4 };
            assert!([0, refused].contains(&done.code), "{command}\n{}", done.transcript());
        }
        // As long as an access token lives, nobody asks what became of a refresh.
        rig.minutes_pass(61);
    }
    panic!("there is always another next command: {:?}", Books::read(rig).records);
}

/// A command that is named to a person, as a script runs it.
fn unattended(command: &str) -> String {
    let command = command.strip_prefix("biotrack-auth ").unwrap();
    match command.split(' ').next().unwrap() {
        "deactivate" => format!("{command} --yes"),
        "renew" if command.contains(" --awaiting") => format!("{command} --yes"),
        "renew" if command.contains(" --break-first") => format!("{command} --yes --browser scripted"),
        "register" | "renew" => format!("{command} --browser scripted"),
        _ => command.to_owned(),
    }
}

/// Nothing is open, and nothing is kept that nothing needs.
#[track_caller]
pub fn rests(rig: &Rig) {
    rests_but(rig, &[]);
}

/// The same, where these grants may live on unnamed.
#[track_caller]
pub fn rests_but(rig: &Rig, told: &[usize]) {
    let mut books = Books::read(rig);
    // A grant that a newer one replaced, and whose end failed, goes with the next command on its license.
    let replaced = books.unneeded().into_iter().filter(|it| it.role == SecretRole::Superseded);
    let licenses: Vec<_> = replaced.map(|it| it.license.clone()).collect();
    for license in licenses {
        drop(rig.run(&format!("renew {license} --browser scripted")).exits(0));
    }
    // What couldn't be deleted harms nobody, and whoever wants it gone has it gone.
    if !books.orphans().is_empty() {
        drop(rig.run("doctor --fix"));
    }
    for (license, record) in &books.records {
        if record.lives() && !record.says(Condition::Exported) {
            let done = rig.run(&format!("token {license}")).exits(0);
            assert!(rig.provider.honors(done.out.trim()), "{license}: a token that isn't honored: {done:?}");
        }
    }
    books = Books::read(rig);
    assert_eq!(books.complaints(told), Vec::<String>::new(), "{}", rig.provider.log().join("\n"));
    let open: Vec<_> = books.records.iter().filter(|(_, record)| record.is_open()).collect();
    assert!(open.is_empty(), "still open: {open:?}");
    assert_eq!(books.unneeded(), Vec::<&Kept>::new());
    assert_eq!(books.orphans(), Vec::<String>::new(), "the keyring keeps what nothing names");
    assert_eq!(books.ledger.leftovers().spools, Vec::<std::path::PathBuf>::new());
    // A question that nobody had answered yet when its process died is dropped by the next command on its license.
    let answered = |flow: &Flow| flow.stage != FlowStage::Asked;
    let left: Vec<_> = books.ledger.all_flows().unwrap().into_iter().filter(answered).collect();
    assert_eq!(left, [], "the journal has nothing that is to be finished");
    assert_eq!(books.ledger.verify_history().unwrap().broken, None);
}
