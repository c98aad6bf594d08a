//! `config show`: every setting that holds, and who gave it.

use super::globals::{Globals, answer_json};
use crate::config::{Config, EffectiveSetting, Origin};
use crate::error::Result;
use crate::error::clean;
use crate::report::DOCUMENT_VERSION;
use crate::system::Env;
use serde::Serialize;

/// How much is shown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show where each value comes from: flag, environment, file and line, preset or default
    #[arg(long)]
    origin: bool,
}

/// The settings of one profile.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ShowDocument {
    schema: u8,
    profile: String,
    settings: Vec<ShownSetting>,
}

/// One setting.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ShownSetting {
    key: String,
    /// A text, a number, true or false, or a list, as in the file.
    value: serde_json::Value,
    origin: String,
}

pub fn run(args: &Args, globals: Globals, env: &Env) -> Result<u8> {
    let config = Config::load(&env.paths)?;
    let (profile, chosen) = config.profile_name(globals.profile, &env.variables)?;
    let path = clean(&config.file.display().to_string());
    let mut settings =
        vec![text("config", path, found_by(globals, env)), text("profile", profile.clone(), chosen)];
    settings.extend(config.settings(&profile)?);
    if globals.json {
        let settings = settings
            .into_iter()
            .map(|setting| ShownSetting {
                key: setting.key,
                value: serde_json::to_value(&setting.value).unwrap_or_default(),
                origin: setting.origin.to_string(),
            })
            .collect();
        answer_json(env, &ShowDocument { schema: DOCUMENT_VERSION, profile, settings })?;
    } else {
        env.terminal.answer(&aligned(&settings, args.origin))?;
    }
    Ok(0)
}

fn text(key: &str, value: String, origin: Origin) -> EffectiveSetting {
    EffectiveSetting { key: key.into(), value: value.into(), origin }
}

/// Who chose the file.
fn found_by(globals: Globals, env: &Env) -> Origin {
    const HOME: &str = "BIOTRACK_AUTH_HOME";
    match env.variables.get(HOME) {
        _ if globals.config_given => Origin::Flag("--config"),
        Some(_) => Origin::Environment(HOME),
        None => Origin::Default,
    }
}

fn aligned(settings: &[EffectiveSetting], origin: bool) -> String {
    let keys = settings.iter().map(|setting| setting.key.chars().count()).max().unwrap_or(0);
    let lines: Vec<_> =
        settings.iter().map(|setting| clean(&format!("{:keys$} = {}", setting.key, setting.value))).collect();
    // One long list of recipients doesn't push every origin off the screen.
    let width = lines.iter().map(|line| line.chars().count()).filter(|width| *width <= 80).max().unwrap_or(0);
    let mut shown = String::new();
    for (line, setting) in lines.iter().zip(settings) {
        match origin {
            true => shown += &format!("{line:width$}  # {}\n", clean(&setting.origin.to_string())),
            false => shown += &format!("{line}\n"),
        }
    }
    shown
}
