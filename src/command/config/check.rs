//! `config check`: everything that is wrong with the file or still missing in it, a line each.

use super::globals::{Globals, answer_json};
use crate::config::{Config, missing};
use crate::error::clean;
use crate::error::{Error, Report, Result};
use crate::report::DOCUMENT_VERSION;
use crate::system::Env;
use serde::Serialize;

/// What was found.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CheckDocument {
    schema: u8,
    path: String,
    profiles: Vec<String>,
    problems: Vec<Report>,
}

/// Runs it: 0 where every profile is ready for a grant, else 2.
pub fn run(globals: Globals, env: &Env) -> Result<u8> {
    let (config, mut problems) = Config::examine(&env.paths)?;
    let profiles = config.names();
    for name in &profiles {
        problems.extend(missing(&config.provider(name)?));
    }
    let path = clean(&config.file.display().to_string());
    let problems: Vec<_> = problems.into_iter().map(|problem| Error::from(problem).report()).collect();
    let exit = if problems.is_empty() { 0 } else { 2 };
    if globals.json {
        answer_json(env, &CheckDocument { schema: DOCUMENT_VERSION, path, profiles, problems })?;
        return Ok(exit);
    }
    let mut lines: String = problems
        .iter()
        .map(|problem| match &problem.hint {
            Some(hint) => format!("{}. {hint}\n", problem.message),
            None => format!("{}.\n", problem.message),
        })
        .collect();
    if problems.is_empty() {
        lines = match profiles.len() {
            0 => format!("{path} is valid, but has no profiles yet.\n"),
            _ => format!("{path} is valid: {}.\n", profiles.join(", ")),
        };
    }
    env.terminal.answer(&lines)?;
    Ok(exit)
}
