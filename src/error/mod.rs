//! One error: what happened, to which license, and the next command; the exit-code table; the one printer.

mod config;
mod custody;
mod handoff;
mod kind;
mod ledger;
mod provider;
mod rows;
mod shell;
mod text;
mod vault;

pub use config::ConfigError;
pub use custody::CustodyError;
pub use handoff::HandoffError;
pub use kind::{EXIT_CODES, ErrorCode, Report};
pub use ledger::LedgerError;
pub use provider::{CodeStillUsable, FactDifference, ProviderError};
pub use rows::RowProblem;
pub use shell::{CommandStyle, shell};
pub use text::{clean, counted, excerpt, first_few, is_clean, is_unprintable, licenses};
pub use vault::{UnsealError, VaultError};

use std::time::Duration;

/// A result whose error is the program's own.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Variants carry data; the sentences stand here and nowhere else.
/// No variant ever carries a secret, or a server's body that might hold one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file, its folder or a profile is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The vault does not work.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The ledger does not work.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The provider refused, failed or did not answer.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// An answer to a hand-off can't be used.
    #[error(transparent)]
    Handoff(#[from] HandoffError),
    /// A grant can't be stored, or secrets can't be moved.
    #[error(transparent)]
    Custody(#[from] CustodyError),

    /// The arguments don't fit together.
    #[error("{what}")]
    Usage { what: String, hint: String },
    #[error("missing {}: {}", if .flags.len() == 1 { "argument" } else { "arguments" }, .flags.join(", "))]
    MissingFlags {
        /// The flags, as typed.
        flags: Vec<&'static str>,
    },
    #[error("the {name} {problem}")]
    BadValue {
        /// What the value is: "license", "UBI", …
        name: &'static str,
        problem: String,
    },
    #[error("no authorization matches \"{selector}\" in {}", .profile.as_ref().map_or("any profile".to_owned(), |it| format!("profile {it}")))]
    NotFound {
        selector: String,
        /// Where; `None`: in all profiles.
        profile: Option<String>,
        /// Those whose names are nearest to it, the nearest first.
        near: Vec<String>,
    },
    #[error("\"{selector}\" matches {} authorizations: {}", .candidates.len(), .candidates.join(", "))]
    Ambiguous {
        selector: String,
        /// `UBI/LICENSE` of each, with its profile where they are of several.
        candidates: Vec<String>,
        several_profiles: bool,
    },
    #[error("{license} is already registered ({state})")]
    AlreadyRegistered { license: String, state: String, next: String },
    #[error("{license} is {state}: it has no grant to renew")]
    NotRenewable { license: String, state: String, next: String },
    #[error("{license} can't be removed: {why}")]
    NotRemovable { license: String, why: &'static str, next: String },
    #[error("{license} is busy: {why}")]
    Busy { license: String, why: String },
    #[error("{} a person to grant access, and this session is not interactive", needing(.licenses))]
    NeedsPerson {
        licenses: Vec<String>,
        /// The command that asks them in a terminal.
        command: String,
    },
    #[error("can't ask a question: this command runs in the background of its terminal")]
    InBackground,
    #[error("{license} is {state}: no token is available")]
    NoToken {
        license: String,
        /// Its state, or what it lacks.
        state: String,
        next: String,
    },
    #[error("{license} is {state}: a new grant is sealed here and not yet stored")]
    NotStoredYet {
        license: String,
        /// Its state, or what it lacks.
        state: String,
        next: String,
    },
    #[error("{license} can't be used here: {}", if *.came_with_a_backup { "its tokens came from a backup, and only one host may use them" } else { "its tokens were exported, and only one host may use them" })]
    HeldElsewhere {
        license: String,
        /// Its tokens are here, and not in use.
        came_with_a_backup: bool,
    },
    /// A command that can't replace this process.
    #[error("{command}: {reason}")]
    NotRun { command: String, reason: String },
    #[error("confirmation needed {action}, and this session is not interactive")]
    NeedsYes { action: String },
    /// An error about the secrets or the grant of a license, with the license, so that the hint can name the command for it.
    #[error("{error}")]
    OfLicense {
        /// What names it behind a command, quoted for a shell.
        selector: String,
        error: Box<Error>,
    },
    /// A consent brought nothing that could be stored.
    #[error("{}", named(license.as_deref(), error))]
    NoGrant {
        /// Which license; `None`: each of a run.
        license: Option<String>,
        error: Box<ProviderError>,
        /// The command that asks about the license once more.
        next: String,
    },
    #[error("nobody granted access to {license} within {minutes}")]
    Timeout {
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
    #[error("the provider has not responded for {lasted}: {reason}")]
    Away {
        /// How long was waited, in words.
        lasted: String,
        reason: String,
    },
    #[error("the redirect listener can't use port {port} on this machine: {reason}")]
    ListenerTaken { port: u16, reason: String },
    #[error("the redirect listener can't be started: {reason}")]
    Listener { reason: String },
    #[error("nothing was changed: the answer to \"{what}\" was no")]
    NotConfirmed { what: String },
    #[error("{license} was granted by {granted_by}, not {username}: the grant awaits approval")]
    OtherAdmin { license: String, granted_by: String, username: String, accept: String, discard: String },
    /// Ctrl-C, or a polite signal.
    #[error("interrupted")]
    Interrupted { next: Option<String> },
    #[error("{failed} of {} failed", licenses(*.total))]
    Partial {
        failed: usize,
        total: usize,
        /// What all of them failed with, where it was the same.
        alike: Option<ErrorCode>,
        /// The command that tries the failed ones again.
        again: String,
    },
    #[error("{failed} of {total} hooks failed")]
    HooksFailed { failed: usize, total: usize },
    /// A file that can't be read or written.
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    /// Rows of a file of licenses that can't be right; none of the file was used.
    #[error("{}", rows::told(path, complaints))]
    Rows {
        path: String,
        /// What is wrong, in the file's order.
        complaints: Vec<RowProblem>,
    },
    #[error("can't write to standard output: {0}")]
    Output(#[source] std::io::Error),
    #[error("another process is already running the hooks")]
    HooksRunning,
    #[error("the sandbox can't be started: {reason}")]
    Sandbox { reason: String },
    #[error("a command of the demo failed with exit code {code}")]
    Demo { code: u8 },
    /// The operating system refused what the program can't run without.
    #[error("{what}: {reason}")]
    System {
        /// What it refused, as a sentence: "no thread can be started", …
        what: &'static str,
        reason: String,
    },
    #[error("this command needs {wanted} more threads, and only {got} can be started: {reason}")]
    Threads { wanted: usize, got: usize, reason: String },
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
    pub fn without_license(&self, license: &str) -> String {
        let said = self.to_string();
        let rest = said.strip_prefix(license).and_then(|rest| rest.strip_prefix([':', ' ']));
        rest.map(|rest| rest.trim_start().to_owned()).unwrap_or(said)
    }

    pub fn kind(&self) -> ErrorCode {
        match self {
            Self::Config(_) => ErrorCode::Config,
            Self::Vault(_) => ErrorCode::Vault,
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
            | Self::ListenerTaken { .. } => ErrorCode::Usage,
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::Ambiguous { .. } => ErrorCode::Ambiguous,
            Self::Busy { .. } => ErrorCode::Busy,
            Self::NeedsPerson { .. } | Self::NoToken { .. } => ErrorCode::NeedsPerson,
            Self::NotStoredYet { .. } => ErrorCode::Vault,
            Self::OfLicense { error, .. } => error.kind(),
            Self::NoGrant { error, .. } => error.kind(),
            Self::Timeout { .. } => ErrorCode::Timeout,
            Self::Away { .. } => ErrorCode::Network,
            Self::OtherAdmin { .. } => ErrorCode::Mismatch,
            Self::Interrupted { .. } => ErrorCode::Interrupted,
            Self::Partial { alike, .. } => alike.unwrap_or(ErrorCode::Partial),
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
            | Self::Internal(_) => ErrorCode::Failed,
        }
    }

    /// The process's exit code for it.
    pub fn exit(&self) -> u8 {
        self.kind().exit()
    }

    /// Whether a request may have had its effect, and its answer was lost or can't be used.
    pub fn answer_lost(&self) -> bool {
        use ProviderError::{Lost, Overloaded, Useless};
        matches!(self, Self::Provider(Lost { .. } | Useless { .. } | Overloaded { .. }))
    }

    /// Whether a request whose answer is lost on the way may have been acted on.
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::Provider(ProviderError::Lost { .. }))
    }

    /// Why a code that was to be exchanged is as good as before, where it is.
    pub fn unused_code(&self) -> Option<CodeStillUsable> {
        match self {
            Self::Provider(e) => e.unused_code(),
            _ => None,
        }
    }

    /// Whether what couldn't be committed may show up all the same. Where only the sync failed, SQLite's log holds the
    /// whole commit, and the next process to open it takes what is whole.
    pub fn may_have_committed(&self) -> bool {
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
                Some(format!("Pass {}, or run the command in a terminal, which asks.", flags.join(" and ")))
            }
            Self::NotFound { profile, near, .. } => {
                let nearest = match near.as_slice() {
                    [] => String::new(),
                    near => format!("Nearest matches: {}. ", near.join(", ")),
                };
                Some(match profile {
                    Some(_) => format!(
                        "{nearest}List all authorizations: biotrack-auth status; of every profile: biotrack-auth status --all-profiles"
                    ),
                    None => format!("{nearest}List the authorizations of every profile: biotrack-auth status --all-profiles"),
                })
            }
            Self::Ambiguous { several_profiles: true, .. } => {
                Some("Name one as UBI/LICENSE, and its profile with --profile.".into())
            }
            Self::Ambiguous { .. } => Some("Name one as UBI/LICENSE.".into()),
            Self::AlreadyRegistered { next, .. } => Some(format!("Ask the admin to grant access again: {next}")),
            Self::NotRenewable { next, .. } => Some(format!("Register it instead: {next}")),
            Self::NotRemovable { next, .. } => Some(format!("Deactivate it first: {next}")),
            Self::Busy { .. } => Some("Wait until it has finished, then run the command again.".into()),
            Self::NeedsPerson { command, .. } => Some(format!(
                "Run it in a terminal: {command}. Or add --no-browser to print the address and wait, --browser CMD to open it with CMD, or --no-wait to print a link to send and exit."
            )),
            Self::NoToken { next, .. } => Some(match next.split_whitespace().nth(1) {
                Some("complete") => format!("Finish it with the address that the admin sends back: {next}"),
                _ if next.contains(" --awaiting") => format!("Accept the grant that awaits approval: {next}"),
                _ => format!("Ask the admin to grant access: {next}"),
            }),
            Self::NotStoredYet { next, .. } => Some(format!("Store the grant (the admin need not grant access again): {next}")),
            Self::HeldElsewhere { came_with_a_backup: true, .. } => {
                Some("If no other host uses them anymore, activate them here: biotrack-auth import --adopt".into())
            }
            Self::HeldElsewhere { .. } => Some("Run the command on the host that imported the tokens.".into()),
            Self::Threads { .. } => Some(
                "Raise the process limit of this user or container (threads count as processes): ulimit -u, TasksMax= of a systemd unit, --pids-limit of a container, or podPidsLimit of a kubelet. A consent needs about 16 threads, and the browser needs its own.".into(),
            ),
            Self::InBackground => Some(
                "Pass the answers as arguments, or run the command in the foreground (fg; timeout --foreground).".into(),
            ),
            Self::NeedsYes { .. } => Some("Add --yes if you are sure.".into()),
            Self::NotConfirmed { .. } => Some("Run the same command again if you change your mind.".into()),
            Self::NoGrant { error, next, .. } => error.hint(Some(next)),
            Self::Timeout { strays, next, .. } if *strays > 0 => Some(format!(
                "{} (an old link?). Run {next}, and use only the address that it prints.", counted(*strays, "callback was ignored because its state is unknown", "callbacks were ignored because their state is unknown")
            )),
            Self::Timeout { complete, next, .. } => Some(format!(
                "If the admin clicked Grant Access and the browser then showed an error, paste the address from its address bar within 10 minutes: {complete}. To ask again: {next}. To wait longer, add --timeout 30m."
            )),
            Self::Away { .. } => {
                Some("The rest of the run is kept. Resume it: biotrack-auth renew --resume".into())
            }
            Self::ListenerTaken { .. } => Some(
                "Stop the program that uses this port, or choose another port with --port or redirect.port in the profile."
                    .into(),
            ),
            Self::OtherAdmin { accept, discard, .. } => Some(format!(
                "If that admin may grant access for this store, accept the grant: {accept}. Otherwise discard it: {discard}"
            )),
            Self::Interrupted { next } => next.as_ref().map(|next| format!("To continue: {next}")),
            Self::Partial { again, .. } => Some(format!("To retry the failed ones: {again}")),
            Self::HooksFailed { .. } => Some(
                "Fix the hooks. The next biotrack-auth remind runs them again, and no reminder is lost.".into(),
            ),
            Self::Rows { .. } => Some(
                "Nothing was changed, and no admin was asked. Fix the file, then run the command again.".into(),
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

    /// A license at which somebody is.
    pub fn busy(license: String, holder: impl std::fmt::Display) -> Self {
        Self::Busy { license, why: format!("{holder} is working on it") }
    }

    /// Whether the vault answered that what it was asked for is not there, or in pieces: no later try brings it back. One that is
    /// locked or can't be reached says nothing of the kind.
    pub fn is_lost_for_good(&self) -> bool {
        matches!(self, Self::Vault(VaultError::Gone { .. } | VaultError::Broken { .. }))
    }

    /// The error as one of this license, where what is to be done about it hangs on that.
    pub fn for_license(self, selector: &str) -> Self {
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
