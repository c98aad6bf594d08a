//! `config set`: one setting of the file is changed, and nothing else in it.

use super::globals::{Globals, answer_json};
use crate::config::{SettingChange, set_setting};
use crate::error::{Error, Result, clean};
use crate::report::DOCUMENT_VERSION;
use crate::system::Env;
use serde::Serialize;

/// What is to be set.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Change this setting; a profile's is profiles.NAME.KEY (or KEY with --profile NAME)
    #[arg(value_name = "KEY")]
    key: String,

    /// Set this value; separate list items with commas. An empty text turns off a preset's value
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: String,
}

/// What was set.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SetDocument {
    schema: u8,
    path: String,
    /// The full key; `profiles.NAME.KEY` for a profile's setting.
    key: String,
    /// The previous value in the file; `null` if there was none.
    before: Option<serde_json::Value>,
    /// The new value: a string, a number, true or false, or a list.
    value: serde_json::Value,
    /// Whether the file was written.
    changed: bool,
}

pub fn run(args: &Args, globals: Globals, env: &Env) -> Result<u8> {
    let SettingChange { key, before, after, left } =
        set_setting(&env.paths, globals.profile, &args.key, &args.value)?;
    let shown = |value: &Option<toml::Value>| value.as_ref().map_or("(not set)".into(), ToString::to_string);
    let changed = before != after;
    env.terminal.info(&clean(&match changed {
        true => format!("{key}: {} → {}.", shown(&before), shown(&after)),
        false => format!("{key} is already {}.", shown(&after)),
    }));
    for problem in left {
        let problem = Error::from(problem).report();
        let hint = problem.hint.map_or(String::new(), |hint| format!(". {hint}"));
        env.terminal.info(&format!("Note: {}{hint}", problem.message));
    }
    if globals.json {
        let json = |value: &Option<toml::Value>| value.as_ref().and_then(|it| serde_json::to_value(it).ok());
        let path = clean(&env.paths.config.display().to_string());
        let value = json(&after).unwrap_or_default();
        answer_json(
            env,
            &SetDocument { schema: DOCUMENT_VERSION, path, key, before: json(&before), value, changed },
        )?;
    }
    Ok(0)
}
