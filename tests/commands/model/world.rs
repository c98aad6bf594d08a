//! What there is in the small world: one license at a provider, one ledger, and two processes.

/// A refresh token: of which grant, and which of its tokens, for each refresh makes a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    pub grant: usize,
    pub number: u8,
}

/// A grant as the provider knows it. `waived`: its loss was told, and a person consented anew since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    pub lives: bool,
    pub current: u8,
    pub waived: bool,
}

/// A provider that rotates refresh tokens, and ends a grant whose spent one comes again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provider {
    /// A new consent ends the grant before it.
    pub one_grant_a_license: bool,
    pub grants: Vec<Grant>,
}

impl Provider {
    /// A code is exchanged.
    pub fn grant(&mut self) -> Token {
        if self.one_grant_a_license {
            self.grants.iter_mut().for_each(|grant| grant.lives = false);
        }
        self.grants.push(Grant { lives: true, current: 0, waived: false });
        Token { grant: self.grants.len() - 1, number: 0 }
    }

    /// `None`: `invalid_grant`.
    pub fn refresh(&mut self, token: Token) -> Option<Token> {
        let good = self.is_good(token);
        let grant = &mut self.grants[token.grant];
        if !good {
            grant.lives = false;
            return None;
        }
        grant.current += 1;
        Some(Token { number: grant.current, ..token })
    }

    /// A token that isn't known any more is answered like one that is (RFC 7009, 2.2), and ends nothing.
    pub fn revoke(&mut self, token: Token) {
        if self.is_good(token) {
            self.grants[token.grant].lives = false;
        }
    }

    pub fn is_good(&self, token: Token) -> bool {
        self.grants[token.grant].lives && self.grants[token.grant].current == token.number
    }
}

/// A row that names tokens, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Secret {
    pub row: u8,
    pub place: u8,
    pub token: Token,
}

/// What a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    Consent,
    Refresh,
    Deactivation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Asked,
    Arrived,
    Sent,
}

/// Who is at a question: a process, and the start of the machine in which it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// At which of the two terminals, and its how many-th command it is.
    pub process: (usize, usize),
    pub boot: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    pub id: u8,
    pub purpose: Purpose,
    pub stage: Stage,
    pub owner: Owner,
}

/// The record's columns that commands decide by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// There is none any more: it was taken out of the ledger.
    pub removed: bool,
    pub deactivated: bool,
    pub exported: bool,
    pub invalid: bool,
    pub uncertain: bool,
    pub revocation_pending: bool,
    pub generation: u8,
    pub revision: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ledger {
    pub record: Record,
    pub live: Option<Secret>,
    pub waiting: Option<Secret>,
    /// Replaced, or unwanted: to be revoked.
    pub leaving: Vec<Secret>,
    pub flows: Vec<Flow>,
    /// The next row's number, and the next question's.
    pub next: u8,
}

impl Ledger {
    pub fn secret(&mut self, token: Token) -> Secret {
        Secret { row: self.number(), place: 0, token }
    }

    pub fn number(&mut self) -> u8 {
        self.next += 1;
        self.next
    }

    pub fn flow(&mut self, id: u8) -> Option<&mut Flow> {
        self.flows.iter_mut().find(|flow| flow.id == id)
    }

    pub fn close(&mut self, id: u8) {
        self.flows.retain(|flow| flow.id != id);
    }

    pub fn secrets(&self) -> Vec<Secret> {
        self.live.into_iter().chain(self.waiting).chain(self.leaving.iter().copied()).collect()
    }
}

/// What a process does, one command of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    Renew,
    Refresh,
    Deactivate,
    /// `renew` of a grant that awaits approval.
    Approve,
    /// `export` with secrets.
    Export,
    /// `config vault`, `config recipients`.
    MoveSecrets,
    /// `import` of a record's other columns, with a question to a person.
    Import,
    Edit,
    Remove,
}

pub const JOBS: [Job; 9] = [
    Job::Renew,
    Job::Refresh,
    Job::Deactivate,
    Job::Approve,
    Job::Export,
    Job::MoveSecrets,
    Job::Import,
    Job::Edit,
    Job::Remove,
];

/// Where a command is, with what it remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Start,
    Claimed,
    Read(Record, Vec<Secret>),
    Asked {
        flow: u8,
        read: Vec<Secret>,
    },
    Arrived {
        flow: u8,
    },
    Sent {
        flow: u8,
        read: Vec<Secret>,
    },
    Answered {
        flow: u8,
        read: Vec<Secret>,
        token: Token,
    },
    Lost {
        flow: u8,
    },
    Revoked {
        flow: u8,
        read: Vec<Secret>,
    },
    Clearing,
    Cleared(Vec<Secret>),
    /// It has come to an end, its own or another, and was the last.
    Over,
}

/// A terminal, at which one command is run after the other: each a process of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terminal {
    pub jobs: Vec<Job>,
    /// Which of them runs.
    pub turn: usize,
    pub at: At,
}

/// What may still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mishaps {
    pub kills: u8,
    pub cuts: u8,
    pub lost_answers: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub provider: Provider,
    /// The ledger as it was last synced, and each state since that only a power cut brings back; the last is what is read.
    pub ledger: Vec<Ledger>,
    /// What left with exports.
    pub bundles: Vec<Token>,
    pub terminals: [Terminal; 2],
    /// At which terminal the claim on the license's tokens is held. It goes with its process.
    pub claim: Option<usize>,
    /// Which start of the machine this is.
    pub boot: u8,
    pub mishaps: Mishaps,
}

impl World {
    /// A license that reports, with another admin's grant that awaits approval or none.
    pub fn at_first(jobs: [Vec<Job>; 2], waiting: bool, one_grant_a_license: bool, mishaps: Mishaps) -> Self {
        let mut provider = Provider { one_grant_a_license: false, grants: Vec::new() };
        let mut ledger = Ledger::default();
        let token = provider.grant();
        ledger.live = Some(ledger.secret(token));
        if waiting {
            let token = provider.grant();
            ledger.waiting = Some(ledger.secret(token));
        }
        provider.one_grant_a_license = one_grant_a_license;
        let terminals = jobs.map(|jobs| Terminal { jobs, turn: 0, at: At::Start });
        Self { provider, ledger: vec![ledger], bundles: Vec::new(), terminals, claim: None, boot: 0, mishaps }
    }

    pub fn read(&self) -> &Ledger {
        self.ledger.last().expect("there is always one")
    }

    /// A transaction that is on the disk when it's done.
    pub fn synced(&mut self, write: impl FnOnce(&mut Ledger)) {
        let mut ledger = self.read().clone();
        write(&mut ledger);
        self.ledger = vec![ledger];
    }

    /// A note that outlives its process, but no power cut.
    pub fn noted(&mut self, write: impl FnOnce(&mut Ledger)) {
        let mut ledger = self.read().clone();
        write(&mut ledger);
        self.ledger.push(ledger);
    }

    pub fn runs(&self, terminal: usize) -> bool {
        self.terminals[terminal].at != At::Over
    }

    /// Who runs at a terminal.
    pub fn owner(&self, terminal: usize) -> Owner {
        Owner { process: (terminal, self.terminals[terminal].turn), boot: self.boot }
    }

    /// Whether a living process is at a question.
    pub fn is_worked_on(&self, flow: &Flow) -> bool {
        let (terminal, _) = flow.owner.process;
        self.owner(terminal) == flow.owner && self.runs(terminal)
    }

    /// A command has ended, and the next one at its terminal begins.
    pub fn over(&mut self, terminal: usize) {
        if self.claim == Some(terminal) {
            self.claim = None;
        }
        let it = &mut self.terminals[terminal];
        if it.turn + 1 < it.jobs.len() {
            (it.turn, it.at) = (it.turn + 1, At::Start);
        } else {
            it.at = At::Over;
        }
    }

    /// Nobody is at work: what the ledger says now is what a person hears.
    pub fn is_quiet(&self) -> bool {
        self.terminals.iter().all(|it| matches!(it.at, At::Start | At::Over))
    }
}
