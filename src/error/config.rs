//! What the configuration can have wrong.

use super::clean;

/// What the configuration file, its folder or a profile has wrong. Never carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no configuration at {path}")]
    Missing { path: String },
    /// The file can't be read or written.
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("another process changed {path} in the meantime")]
    Changed { path: String },
    /// The file isn't TOML, or a key or value doesn't fit.
    #[error("{path}:{line}: {problem}")]
    Invalid {
        path: String,
        /// The line, from 1.
        line: usize,
        problem: String,
        /// The right key or form, where it's known.
        right: Option<String>,
    },
    #[error("there is no profile \"{name}\"")]
    NoProfile { name: String, known: Vec<String> },
    #[error("there are several profiles, and none is selected: {}", .known.join(", "))]
    WhichProfile { known: Vec<String> },
    #[error("profile {name} already exists in {path}")]
    ProfileExists { name: String, path: String },
    #[error("profile {profile} has no {key}")]
    Incomplete { profile: String, key: String, how: String },
    /// A setting that can't work, found after the file was read.
    #[error("profile {profile}: {key} {problem}")]
    Unfit { profile: String, key: String, problem: String },
    /// The ledger's server can't be found out from address and files.
    #[error("{reason}")]
    Ledger { reason: String, hint: String },
    /// This host seals to others than the team's ledger lists.
    #[error("this host's recipients differ from the ledger's list: {}", told(.missing, .unlisted))]
    OtherRecipients {
        /// Those that the ledger lists and this host doesn't name, with the host that listed each.
        missing: Vec<(String, String)>,
        /// Those that this host names and the ledger doesn't list.
        unlisted: Vec<String>,
    },
    #[error("the vault is already {current}, and a configuration has only one vault")]
    OtherVault { current: String },
}

/// Who is listed and not named here, and the reverse.
fn told(missing: &[(String, String)], unlisted: &[String]) -> String {
    let missing = missing.iter().map(|(recipient, host)| {
        format!("{} (listed by {}) isn't configured here", clean(recipient), clean(host))
    });
    let unlisted =
        unlisted.iter().map(|it| format!("{} is configured here, but isn't in the ledger's list", clean(it)));
    missing.chain(unlisted).collect::<Vec<_>>().join("; ")
}

impl ConfigError {
    /// What doesn't fit in the file, without a secret key that was pasted to where something else belongs.
    pub fn invalid(path: String, line: usize, problem: String, right: Option<String>) -> Self {
        if !problem.to_uppercase().contains("AGE-SECRET-KEY") {
            return Self::Invalid { path, line, problem, right };
        }
        let right = "Remove it from the file, and create a new identity: this one was written in the clear.";
        let problem = "a secret key doesn't belong here".into();
        Self::Invalid { path, line, problem, right: Some(right.into()) }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "Create one: biotrack-auth config init. To try the program first: biotrack-auth sandbox demo"
                    .into(),
            ),
            Self::Changed { .. } => Some("Run the command again.".into()),
            Self::Invalid { right, .. } => right.clone(),
            Self::NoProfile { known, .. } if known.is_empty() => {
                Some("Create one: biotrack-auth config init".into())
            }
            Self::NoProfile { known, .. } => Some(format!("Known profiles: {}.", known.join(", "))),
            Self::WhichProfile { known } => {
                Some(format!("Add --profile {}, or set default_profile in the file.", known.first()?))
            }
            Self::ProfileExists { .. } => {
                Some("Edit the file, or give the new profile another name with --profile NAME.".into())
            }
            Self::Incomplete { how, .. } => Some(how.clone()),
            Self::Ledger { hint, .. } => Some(hint.clone()),
            Self::OtherRecipients { missing, unlisted } => {
                let missing = missing.iter().map(|(recipient, _)| clean(recipient)).collect::<Vec<_>>();
                let unlisted = unlisted.iter().map(|it| clean(it)).collect::<Vec<_>>();
                let step = |verb, which: &[String]| {
                    format!("biotrack-auth config recipients {verb} {}", which.join(" "))
                };
                Some(match (missing.is_empty(), unlisted.is_empty()) {
                    (false, true) => format!(
                        "If you recognize them, add them here: {}. If you don't, remove them: {}",
                        step("add", &missing),
                        step("remove", &missing)
                    ),
                    (false, false) => format!(
                        "First run this on a host that can read the tokens: {}. Then run this here, if you recognize the recipients: {}",
                        step("add", &unlisted),
                        step("add", &missing)
                    ),
                    (true, _) => format!(
                        "If they were removed on another host: {}. Otherwise add them to the list: {}",
                        step("remove", &unlisted),
                        step("add", &unlisted)
                    ),
                })
            }
            Self::OtherVault { .. } => Some("Remove --vault from the command.".into()),
            Self::File { .. } | Self::Unfit { .. } => None,
        }
    }
}
