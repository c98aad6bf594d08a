//! `completions`: a shell's script, which asks this program back; and its answers: flags, and names out of the ledger.

use super::Invocation;
use crate::config::{Config, settable_keys};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::model::authorization::{AuthorizationWithFlows, State};
use crate::report::DOCUMENT_VERSION;
use crate::system::{Env, files};
use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// What a shell's script sets to its own name when it asks.
pub const VARIABLE: &str = "BIOTRACK_AUTH_COMPLETE";

const ZSH_DEFINES: &str = "compdef _clap_dynamic_completer_biotrack_auth biotrack-auth";

/// zsh runs a file of its `fpath` as the function itself when it's first asked: that must answer already.
const ZSH_LOADED: &str = "\
if [[ $funcstack[1] == _biotrack-auth ]]; then
    _clap_dynamic_completer_biotrack_auth \"$@\"
else
    compdef _clap_dynamic_completer_biotrack_auth biotrack-auth
fi";

/// PowerShell's own script: clap's runs what is typed, `$(…)` in it, too, and loses an empty word before PowerShell 7.3.
const POWERSHELL: &str = include_str!("completions.ps1");

/// Print a shell's completion script for commands, flags, licenses, tags and profiles
///
/// The script runs this program, which reads only the configuration and the ledger. Names that a shell would have to quote
/// aren't offered.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth completions bash > ~/.local/share/bash-completion/completions/biotrack-auth
  biotrack-auth completions zsh > ~/.zfunc/_biotrack-auth        # a folder in $fpath
  biotrack-auth completions fish > ~/.config/fish/completions/biotrack-auth.fish
  biotrack-auth completions powershell | Out-String | Invoke-Expression     # in $PROFILE")]
pub struct Args {
    /// Print the script for this shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// The shells that a script is made for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

pub(super) fn run(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    const NAME: &str = "biotrack-auth";
    let shell = match args.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Powershell => "powershell",
        Shell::Elvish => "elvish",
    };
    let mut script = Vec::new();
    Shells::builtins()
        .completer(shell)
        .ok_or_else(|| Error::Internal(format!("there is no script for {shell}")))?
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut script)
        .map_err(|e| Error::Internal(format!("the script can't be made: {e}")))?;
    let mut script =
        String::from_utf8_lossy(&script).lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    match args.shell {
        Shell::Zsh => script = script.replace(ZSH_DEFINES, ZSH_LOADED),
        Shell::Powershell => script = POWERSHELL.into(),
        Shell::Bash | Shell::Fish | Shell::Elvish => {}
    }
    let script = format!("{}\n", script.trim());
    let answer = match call.json {
        true => call.json_text(&CompletionsDocument { schema: DOCUMENT_VERSION, shell, script: &script })?,
        false => script,
    };
    call.env.terminal.answer(&answer)?;
    Ok(0)
}

/// What `completions --json` prints.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CompletionsDocument<'a> {
    schema: u8,
    /// The shell that it is for.
    shell: &'static str,
    script: &'a str,
}

/// Answers a shell that asks for the words to go on with: `biotrack-auth -- WORDS…`. Whatever goes wrong, it's silent:
/// a person is typing.
pub fn answer(tree: Command, arguments: &[OsString], shell: &str, mut env: Env) {
    let words: Vec<OsString> = arguments.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let shells = Shells::builtins();
    let (Some(shell), false) = (shells.completer(shell), words.is_empty()) else { return };
    if let Some(file) = flag_value(&words, "--config") {
        env.paths.config = file.into();
    }
    let names = Arc::new(NameSource { profile: flag_value(&words, "--profile"), env });
    let mut tree = with_names(tree, &names);
    let mut answered = Vec::new();
    if shell.write_complete(&mut tree, words, files::current_folder().as_deref(), &mut answered).is_ok() {
        // A shell that has gone needs no answer.
        let _ = names.env.terminal.answer(&String::from_utf8_lossy(&answered));
    }
}

/// A flag's value among the words typed so far.
pub fn flag_value(words: &[OsString], flag: &str) -> Option<String> {
    let mut words = words.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        match word.strip_prefix(flag) {
            Some("") => return words.next().map(|value| value.into_owned()),
            Some(value) if value.starts_with('=') => return Some(value.trim_start_matches('=').to_owned()),
            _ => {}
        }
    }
    None
}

struct NameSource {
    env: Env,
    profile: Option<String>,
}

/// Arguments get their names by what their value is called in the help.
fn with_names(command: Command, names: &Arc<NameSource>) -> Command {
    let past = matches!(command.get_name(), "status" | "history" | "edit" | "remove");
    let names_of = |arg: &Arg| {
        let value = arg.get_value_names().and_then(<[_]>::first).map(|value| value.as_str());
        match (arg.get_id().as_str(), value) {
            (_, Some("SELECTOR")) => Some(Candidates::Selector { past }),
            (_, Some("TAG")) => Some(Candidates::Tag),
            (_, Some("KEY")) => Some(Candidates::SettingKey),
            ("profile", _) => Some(Candidates::Profile),
            _ => None,
        }
    };
    command
        .mut_args(|arg| match names_of(&arg) {
            Some(kind) => {
                let names = names.clone();
                arg.add(ArgValueCompleter::new(move |typed: &OsStr| names.of(kind, &typed.to_string_lossy())))
            }
            None => arg,
        })
        .mut_subcommands(|command| with_names(command, names))
}

#[derive(Debug, Clone, Copy)]
enum Candidates {
    /// An authorization; deactivated ones only where the past is looked at.
    Selector {
        past: bool,
    },
    Tag,
    Profile,
    /// A setting of the configuration.
    SettingKey,
}

impl NameSource {
    fn of(&self, kind: Candidates, typed: &str) -> Vec<CompletionCandidate> {
        let found = match kind {
            Candidates::Selector { past } => self.selectors(past, typed.contains('/')),
            Candidates::Tag => self.tags(),
            Candidates::SettingKey => Config::load(&self.env.paths)
                .map(|config| bare(settable_keys(&config, self.profile.as_deref())))
                .unwrap_or_default(),
            Candidates::Profile => {
                Config::load(&self.env.paths).map(|config| bare(config.names())).unwrap_or_default()
            }
        };
        found
            .into_iter()
            .filter(|(name, _)| name.starts_with(typed) && safe(name))
            .map(|(name, help)| CompletionCandidate::new(name).help(help.map(Into::into)))
            .collect()
    }

    /// A license where it names one authorization, else `UBI/LICENSE`; soonest expiry first.
    fn selectors(&self, past: bool, with_ubi: bool) -> Vec<(String, Option<String>)> {
        let mut all = self.standings().unwrap_or_default();
        let mut bearers: BTreeMap<String, usize> = BTreeMap::new();
        for it in &all {
            *bearers.entry(it.0.record.key.license.to_string()).or_default() += 1;
        }
        all.retain(|(it, _)| past || it.record.deactivated_at.is_none() || it.record.revocation_pending);
        all.sort_by_key(|(it, _)| (it.record.expires_at.is_none(), it.record.expires_at));
        let described = |(it, state): &(AuthorizationWithFlows, State)| {
            let key = &it.record.key;
            let license = key.license.to_string();
            let alone = !with_ubi && bearers.get(&license) == Some(&1);
            let called = it.record.name.as_ref().map_or_else(String::new, |name| format!("{name}, "));
            (if alone { license } else { key.to_string() }, Some(format!("{called}{}", state.word())))
        };
        all.iter().map(described).collect()
    }

    fn tags(&self) -> Vec<(String, Option<String>)> {
        let all = self.standings().unwrap_or_default();
        let tags: BTreeSet<_> =
            all.iter().flat_map(|(it, _)| &it.record.tags).map(ToString::to_string).collect();
        bare(tags)
    }

    /// The records of the profile meant; of all, where nothing says which.
    fn standings(&self) -> Result<Vec<(AuthorizationWithFlows, State)>> {
        let config = Config::load(&self.env.paths)?;
        let profiles = match config.profile_name(self.profile.as_deref(), &self.env.variables) {
            Ok((name, _)) => vec![name],
            Err(_) if self.profile.is_none() => config.names(),
            Err(e) => return Err(e),
        };
        // A key that is pressed changes nothing: an older ledger is migrated by the command itself.
        let place = config.ledger_place(&self.env.variables, &self.env.who.user)?;
        let Some(ledger) = Ledger::read_current(&self.env, &place)? else { return Ok(Vec::new()) };
        let now = self.env.clock.now();
        let mut found = Vec::new();
        for profile in profiles {
            let provider = config.provider(&profile)?;
            found.extend(ledger.standings(&profile)?.into_iter().map(|it| {
                let state = it.record.state(now, provider.due_window, &provider.zone);
                (it, state)
            }));
        }
        Ok(found)
    }
}

fn bare(names: impl IntoIterator<Item = String>) -> Vec<(String, Option<String>)> {
    names.into_iter().map(|name| (name, None)).collect()
}

/// Whether no shell would have to quote it: bash puts it into the line as it is, and the line is run.
fn safe(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./+".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_run_is_never_offered() {
        for name in ["101-X0007-D1", "604001/L_1", "a.b+c"] {
            assert!(safe(name), "{name}");
        }
        for name in [
            "",
            "-D1",
            "$(reboot)",
            "`id`",
            "a b",
            "a;b",
            "a|b",
            "x'y",
            "~root",
            "a\\b",
            "a*",
            "a!b",
            "{a,b}",
            "店",
        ] {
            assert!(!safe(name), "{name}");
        }
    }

    #[test]
    fn a_flag_is_found_in_both_forms() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(flag_value(&words("x renew --profile fl "), "--profile").as_deref(), Some("fl"));
        assert_eq!(flag_value(&words("x --profile=fl renew "), "--profile").as_deref(), Some("fl"));
        assert_eq!(flag_value(&words("x --profiles fl "), "--profile"), None);
    }
}
