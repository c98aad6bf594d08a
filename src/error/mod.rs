//! One error: what happened, to which license, and the next command; the exit-code table; the one printer.

mod config;
mod custody;
mod handoff;
mod kind;
mod ledger;
mod provider;
mod rows;
mod text;
mod vault;

pub use config::ConfigError;
pub use custody::CustodyError;
pub use handoff::HandoffError;
pub use kind::{EXIT_CODES, Kind, Report};
pub use ledger::LedgerError;
pub use provider::{FactDifference, ProviderError, UnusedCode};
pub use rows::RowProblem;
pub use text::{clean, counted, excerpt, first_few, is_clean, is_unprintable, licenses, shell};
pub use vault::{Unopened, VaultError};

use std::time::Duration;

/// A result whose error is the program's own.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Variants carry data; the sentences stand here and nowhere else.
/// No variant ever carries a secret, or a server's body that might hold one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the configuration file, its folder or a profile has wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What keeps the vault from working.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What keeps the ledger from working.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What came, or didn't come, from the provider.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// What is wrong with an answer that came from elsewhere.
    #[error(transparent)]
    Handoff(#[from] HandoffError),
    /// What keeps grants from being stored, and secrets from being moved.
    #[error(transparent)]
    Custody(#[from] CustodyError),

    /// The arguments don't fit together.
    #[error("{what}")]
    Usage {
        /// What is wrong with them.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// Flags that a command can't do without, where nobody can be asked.
    #[error("{} needed: {}", if .flags.len() == 1 { "an argument is" } else { "arguments are" }, .flags.join(", "))]
    MissingFlags {
        /// The flags, as typed.
        flags: Vec<&'static str>,
    },
    /// A value that can't be right.
    #[error("the {name} {problem}")]
    BadValue {
        /// What the value is: "license", "UBI", …
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// No authorization is named so.
    #[error("no authorization matches \"{selector}\" in {}", .profile.as_ref().map_or("any profile".to_owned(), |it| format!("profile {it}")))]
    NotFound {
        /// What was asked for.
        selector: String,
        /// Where; `None`: in all profiles.
        profile: Option<String>,
        /// Those whose names are nearest to it, the nearest first.
        near: Vec<String>,
    },
    /// Several authorizations are named so.
    #[error("\"{selector}\" names {} authorizations: {}", .candidates.len(), .candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        selector: String,
        /// `UBI/LICENSE` of each, with its profile where they are of several.
        candidates: Vec<String>,
        /// They are of several profiles.
        several_profiles: bool,
    },
    /// The license is registered already.
    #[error("{license} is registered already ({state})")]
    AlreadyRegistered {
        /// Which.
        license: String,
        /// Its state.
        state: String,
        /// The command that renews it.
        next: String,
    },
    /// The license was deactivated, or never granted, so there is nothing to renew.
    #[error("{license} is {state}: there is no grant to renew")]
    NotRenewable {
        /// Which.
        license: String,
        /// Its state.
        state: String,
        /// The command that registers it again.
        next: String,
    },
    /// The license has a grant, or something of one is left: its record stays.
    #[error("{license} can't be removed: {why}")]
    NotRemovable {
        /// Which.
        license: String,
        /// What is left of it, as a sentence.
        why: &'static str,
        /// The command that comes first.
        next: String,
    },
    /// Another process is at that license.
    #[error("{license} is being worked on by {holder}")]
    Busy {
        /// Which.
        license: String,
        /// Who: user, host and process.
        holder: String,
    },
    /// A person must click, and none can be asked here.
    #[error("{} a person to consent, and nobody can be asked here", needing(.licenses))]
    NeedsPerson {
        /// Which.
        licenses: Vec<String>,
        /// The command that asks them in a terminal.
        command: String,
    },
    /// A question that nobody can be asked, because the terminal is another process's at this moment.
    #[error("nobody can be asked: this runs in the background of its terminal")]
    InBackground,
    /// There is no living grant, so there is no token.
    #[error("{license} is {state}: there is no token to be had of it")]
    NoToken {
        /// Which.
        license: String,
        /// Its state, or what it lacks.
        state: String,
        /// The command that has it consented.
        next: String,
    },
    /// There is no living grant in its place; a new one waits sealed, for the vault or the ledger couldn't take it.
    #[error("{license} is {state}: a new grant of it was given and waits, sealed, to be stored")]
    NotStoredYet {
        /// Which.
        license: String,
        /// Its state, or what it lacks.
        state: String,
        /// The command that stores it.
        next: String,
    },
    /// The grant was exported with its secrets and lives where it was imported, or it came with a backup.
    #[error("{license} is held elsewhere: {}", if *.came_with_a_backup { "its tokens came with a backup, and only one place may use them" } else { "it was exported with its tokens, and only one place may use them" })]
    HeldElsewhere {
        /// Which.
        license: String,
        /// Its tokens are here, and not in use.
        came_with_a_backup: bool,
    },
    /// A command that can't be run in this process's place.
    #[error("{command}: {reason}")]
    NotRun {
        /// Which.
        command: String,
        /// The system's word.
        reason: String,
    },
    /// A yes is needed, and nobody can be asked.
    #[error("{action} needs a yes, and nobody can be asked here")]
    NeedsYes {
        /// What needs it.
        action: String,
    },
    /// What keeps a license's secrets from being used, or its grant from being revoked, where the license is known.
    #[error("{error}")]
    OfLicense {
        /// What names it behind a command, quoted for a shell.
        selector: String,
        /// What is wrong.
        error: Box<Error>,
    },
    /// A consent brought nothing that could be stored.
    #[error("{}", named(license.as_deref(), error))]
    NoGrant {
        /// Which license; `None`: each of a run.
        license: Option<String>,
        /// Why.
        error: Box<ProviderError>,
        /// The command that asks about the license once more.
        next: String,
    },
    /// Nobody answered within the time.
    #[error("nobody granted access to {license} within {minutes}")]
    Timeout {
        /// Which.
        license: String,
        /// How long was waited, in words.
        minutes: String,
        /// Answers that came and were ignored, because their state was of no grant under way.
        strays: usize,
        /// The command that takes an answer which still comes.
        complete: String,
        /// The command that asks once more.
        next: String,
    },
    /// The provider was away for so long that an unattended run over several licenses ended.
    #[error("the provider hasn't answered for {lasted}: {reason}")]
    Away {
        /// How long was waited, in words.
        lasted: String,
        /// Its last failure.
        reason: String,
    },
    /// The loopback listener can't be bound.
    #[error("the redirect listener can't use port {port} on this machine: {reason}")]
    ListenerTaken {
        /// The port asked for.
        port: u16,
        /// The system's word.
        reason: String,
    },
    /// The loopback listener can't be made at all.
    #[error("the redirect listener can't be started: {reason}")]
    Listener {
        /// The system's word.
        reason: String,
    },
    /// The person at the terminal said no.
    #[error("nothing was changed: the answer to \"{what}\" was no")]
    NotConfirmed {
        /// What wasn't.
        what: String,
    },
    /// Another admin granted than the one named, and nobody could be asked.
    #[error("{license} was granted by {granted_by}, not {username}: the grant awaits approval")]
    OtherAdmin {
        /// Which.
        license: String,
        /// Who really granted.
        granted_by: String,
        /// Who was named.
        username: String,
        /// The command that accepts the grant.
        accept: String,
        /// The command that discards it.
        discard: String,
    },
    /// Ctrl-C, or a polite signal.
    #[error("interrupted")]
    Interrupted {
        /// The command to go on with, where there is one.
        next: Option<String>,
    },
    /// Some of several failed.
    #[error("{failed} of {} failed", licenses(*.total))]
    Partial {
        /// How many failed.
        failed: usize,
        /// Of how many.
        total: usize,
        /// What all of them failed with, where it was the same.
        alike: Option<Kind>,
        /// The command that tries the failed ones again.
        again: String,
    },
    /// Hooks failed; they will be run again.
    #[error("{failed} of {total} hooks failed")]
    HooksFailed {
        /// How many failed.
        failed: usize,
        /// Of how many.
        total: usize,
    },
    /// A file that can't be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// The system's word.
        reason: String,
    },
    /// Rows of a file of licenses that can't be right; none of the file was used.
    #[error("{}", rows::told(path, complaints))]
    Rows {
        /// Which file.
        path: String,
        /// What is wrong, in the file's order.
        complaints: Vec<RowProblem>,
    },
    /// The answer could not be written to standard output.
    #[error("standard output can't be written: {0}")]
    Output(#[source] std::io::Error),
    /// Another process runs the hooks.
    #[error("another process is running the hooks: it reminds of what is due")]
    HooksRunning,
    /// The stand-in provider can't listen.
    #[error("the sandbox can't be started: {reason}")]
    Sandbox {
        /// The system's word.
        reason: String,
    },
    /// A command that the demo shows failed.
    #[error("the demo's command ended with exit code {code}")]
    Demo {
        /// Its exit code.
        code: u8,
    },
    /// The operating system refused what the program can't run without.
    #[error("{what}: {reason}")]
    System {
        /// What it refused, as a sentence: "no thread can be started", …
        what: &'static str,
        /// The system's word.
        reason: String,
    },
    /// The system lets this process have too few threads.
    #[error("{wanted} more threads are needed here, and only {got} can be started: {reason}")]
    Threads {
        /// How many are needed at once.
        wanted: usize,
        /// How many could be started.
        got: usize,
        /// The system's word.
        reason: String,
    },
    /// A bug: something that this program should never meet.
    #[error("{0}")]
    Internal(String),
}

/// An error that names its license: once.
fn named(license: Option<&str>, error: &ProviderError) -> String {
    let said = error.to_string();
    match license {
        Some(license) if !said.strip_prefix(license).is_some_and(|rest| rest.starts_with(':')) => {
            format!("{license}: {said}")
        }
        _ => said,
    }
}

/// One license, or how many and which.
fn needing(licenses: &[String]) -> String {
    const NAMED: usize = 50;
    match licenses {
        [only] => format!("{only} needs"),
        _ => {
            format!("{} ({}) need", text::licenses(licenses.len()), first_few(licenses, NAMED))
        }
    }
}

impl Error {
    /// What happened, for a line that names the license already.
    pub fn about(&self, license: &str) -> String {
        let said = self.to_string();
        let rest = said.strip_prefix(license).and_then(|rest| rest.strip_prefix([':', ' ']));
        rest.map(|rest| rest.trim_start().to_owned()).unwrap_or(said)
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Config(_) => Kind::Config,
            Self::Vault(_) => Kind::Vault,
            Self::Ledger(e) => e.kind(),
            Self::Provider(e) => e.kind(),
            Self::Handoff(e) => e.kind(),
            Self::Usage { .. }
            | Self::MissingFlags { .. }
            | Self::BadValue { .. }
            | Self::AlreadyRegistered { .. }
            | Self::NotRenewable { .. }
            | Self::NotRemovable { .. }
            | Self::HeldElsewhere { .. }
            | Self::NeedsYes { .. }
            | Self::InBackground
            | Self::Rows { .. }
            | Self::ListenerTaken { .. } => Kind::Usage,
            Self::NotFound { .. } => Kind::NotFound,
            Self::Ambiguous { .. } => Kind::Ambiguous,
            Self::Busy { .. } => Kind::Busy,
            Self::NeedsPerson { .. } | Self::NoToken { .. } => Kind::NeedsPerson,
            Self::NotStoredYet { .. } => Kind::Vault,
            Self::OfLicense { error, .. } => error.kind(),
            Self::NoGrant { error, .. } => error.kind(),
            Self::Timeout { .. } => Kind::Timeout,
            Self::Away { .. } => Kind::Network,
            Self::OtherAdmin { .. } => Kind::Mismatch,
            Self::Interrupted { .. } => Kind::Interrupted,
            Self::Partial { alike, .. } => alike.unwrap_or(Kind::Partial),
            Self::Listener { .. }
            | Self::NotRun { .. }
            | Self::NotConfirmed { .. }
            | Self::File { .. }
            | Self::HooksFailed { .. }
            | Self::HooksRunning
            | Self::Sandbox { .. }
            | Self::Demo { .. }
            | Self::System { .. }
            | Self::Threads { .. }
            | Self::Custody(_)
            | Self::Output(_)
            | Self::Internal(_) => Kind::Failed,
        }
    }

    /// The process's exit code for it.
    pub fn exit(&self) -> u8 {
        self.kind().exit()
    }

    /// Whether a question may have had its effect, and its answer was lost or can't be used.
    pub fn answer_lost(&self) -> bool {
        use ProviderError::{Lost, Overloaded, Useless};
        matches!(self, Self::Provider(Lost { .. } | Useless { .. } | Overloaded { .. }))
    }

    /// Whether a request whose answer is lost on the way may have been acted on.
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::Provider(ProviderError::Lost { .. }))
    }

    /// Why a code that was to be exchanged is as good as before, where it is.
    pub fn unused_code(&self) -> Option<UnusedCode> {
        match self {
            Self::Provider(e) => e.unused_code(),
            _ => None,
        }
    }

    /// Whether what couldn't be committed may show up all the same. Where only the sync failed, SQLite's log holds the
    /// whole commit, and the next process to open it takes what is whole.
    pub fn may_show_up(&self) -> bool {
        // defense: S38 failed-commit-may-show-up
        matches!(
            self,
            Self::Ledger(
                LedgerError::Io { .. }
                    | LedgerError::FileSystem { .. }
                    | LedgerError::ServerFailed { .. }
                    | LedgerError::Away { .. }
            )
        )
    }

    /// Whether the provider is away or overloaded: others would fare no better now.
    pub fn is_outage(&self) -> bool {
        use ProviderError::{Lost, Overloaded, Unreachable};
        matches!(self, Self::Provider(Lost { .. } | Unreachable { .. } | Overloaded { .. }))
    }

    /// How long the provider asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Provider(ProviderError::Overloaded { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }

    /// What to do about it: a sentence that usually holds a command.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(e) => e.hint(),
            Self::Vault(e) => e.hint(None),
            Self::Ledger(e) => e.hint(None),
            Self::Provider(e) => e.hint(None),
            Self::OfLicense { selector, error } => error.hint_of(selector),
            Self::Handoff(e) => e.hint(),
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::MissingFlags { flags } => {
                Some(format!("Give {}, or run the command in a terminal to be asked.", flags.join(" and ")))
            }
            Self::NotFound { profile, near, .. } => {
                let nearest = match near.as_slice() {
                    [] => String::new(),
                    near => format!("The nearest: {}. ", near.join(", ")),
                };
                Some(match profile {
                    Some(_) => format!(
                        "{nearest}See what there is: biotrack-auth status; in every profile: biotrack-auth status --all-profiles."
                    ),
                    None => format!("{nearest}See what there is: biotrack-auth status --all-profiles."),
                })
            }
            Self::Ambiguous { several_profiles: true, .. } => {
                Some("Name one of them as UBI/LICENSE, and its profile with --profile.".into())
            }
            Self::Ambiguous { .. } => Some("Name one of them as UBI/LICENSE.".into()),
            Self::AlreadyRegistered { next, .. } => Some(format!("To have it consented again: {next}")),
            Self::NotRenewable { next, .. } => Some(format!("Instead: {next}")),
            Self::NotRemovable { next, .. } => Some(format!("Deactivate it first: {next}")),
            Self::Busy { .. } => Some("Wait until that has ended, then run the command again.".into()),
            Self::NeedsPerson { command, .. } => Some(format!(
                "At a terminal: {command}. Elsewhere add --no-browser to print the address and wait, --browser CMD to have CMD open it, or --no-wait to print a link for elsewhere and leave."
            )),
            Self::NoToken { next, .. } => Some(format!("A person must consent: {next}")),
            Self::NotStoredYet { next, .. } => Some(format!("Store it; nobody is asked again: {next}")),
            Self::HeldElsewhere { came_with_a_backup: true, .. } => {
                Some("Where no other place uses them any more: biotrack-auth import --adopt".into())
            }
            Self::HeldElsewhere { .. } => Some("Run it where the tokens were imported.".into()),
            Self::Threads { .. } => Some(
                "Raise this user's or container's limit of processes, of which threads are some: ulimit -u, TasksMax= of a systemd unit, --pids-limit of a container, podPidsLimit of a kubelet. A consent needs about 16, and the browser's own.".into(),
            ),
            Self::InBackground => Some(
                "Give what it asks for as arguments, or run it in the foreground (fg; timeout --foreground).".into(),
            ),
            Self::NeedsYes { .. } => Some("Add --yes if you are sure.".into()),
            Self::NotConfirmed { .. } => Some("Run the same command again if you change your mind.".into()),
            Self::NoGrant { error, next, .. } => error.hint(Some(next)),
            Self::Timeout { strays, next, .. } if *strays > 0 => Some(format!(
                "{strays} answer(s) came whose state belongs to no grant under way, and were ignored. Run {next}, and use only the address that it prints."
            )),
            Self::Timeout { complete, next, .. } => Some(format!(
                "If Grant Access was clicked and the browser couldn't come back, paste the address in its bar, within 10 minutes: {complete}. To ask once more: {next}; --timeout 30m waits longer."
            )),
            Self::Away { .. } => {
                Some("What wasn't done is kept: biotrack-auth renew --resume goes on.".into())
            }
            Self::ListenerTaken { .. } => Some(
                "Stop what uses that port, or choose another with --port, or redirect.port in the profile."
                    .into(),
            ),
            Self::OtherAdmin { accept, discard, .. } => Some(format!(
                "If that admin may grant for this store, accept it: {accept}. To discard it: {discard}."
            )),
            Self::Interrupted { next } => next.as_ref().map(|next| format!("To go on: {next}")),
            Self::Partial { again, .. } => Some(format!("To try those again: {again}")),
            Self::HooksFailed { .. } => Some(
                "Fix them; the next biotrack-auth remind runs them again, and no reminder is lost.".into(),
            ),
            Self::Rows { .. } => Some(
                "Nothing was changed and nobody was asked. Fix the file, then run the command again.".into(),
            ),
            Self::BadValue { .. }
            | Self::Listener { .. }
            | Self::NotRun { .. }
            | Self::File { .. }
            | Self::HooksRunning
            | Self::Sandbox { .. }
            | Self::Demo { .. }
            | Self::System { .. }
            | Self::Custody(_)
            | Self::Output(_)
            | Self::Internal(_) => None,
        }
    }

    /// The same, where it's known whose secrets or grant it's about.
    fn hint_of(&self, selector: &str) -> Option<String> {
        match self {
            Self::Vault(e) => e.hint(Some(selector)),
            Self::Ledger(e) => e.hint(Some(selector)),
            Self::Provider(e) => e.hint_of(selector),
            other => other.hint(),
        }
    }

    /// The error as one of this license, where what is to be done about it hangs on that.
    pub fn of_license(self, selector: &str) -> Self {
        match self.hint_of(selector) == self.hint() {
            true => self,
            false => Self::OfLicense { selector: selector.to_owned(), error: Box::new(self) },
        }
    }

    /// The error as scripts get it.
    pub fn report(&self) -> Report {
        Report { code: self.kind(), exit: self.exit(), message: self.to_string(), hint: self.hint() }
    }
}
