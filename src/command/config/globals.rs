//! What every command of `config` is called with, and how it answers in JSON.

use crate::command::{Invocation, as_json};
use crate::error::Result;
use crate::system::Env;
use serde::Serialize;

/// The global flags that matter here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Globals<'a> {
    pub profile: Option<&'a str>,
    /// Whether `--config` was given; its path is in `env.paths` already.
    pub config_given: bool,
    pub json: bool,
}

impl Invocation<'_> {
    pub(in crate::command) fn globals(&self) -> Globals<'_> {
        Globals { profile: self.profile.as_deref(), config_given: self.config_given, json: self.json }
    }
}

pub(super) fn answer_json(env: &Env, answer: &impl Serialize) -> Result<()> {
    env.terminal.answer(&(as_json(serde_json::to_string(answer))? + "\n"))
}
