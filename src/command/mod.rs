//! The commands: a file each; its arguments' docs are its help.

mod answer;
mod blind_spots;
mod bulk;
mod complete;
pub mod completions;
pub mod config;
mod consent;
mod context;
mod deactivate;
mod dispatch;
mod doctor;
mod edit;
pub mod exec;
pub mod export;
mod file;
mod form;
mod history;
mod hook_runner;
mod hooks;
mod import;
mod listen;
pub mod man;
mod online;
mod register;
mod remind;
mod remove;
mod renew;
pub mod sandbox;
mod status;
mod token;
mod work;

pub use answer::{error_as_json, error_for_monitoring};
pub use context::{Invocation, ledger_place};
pub use dispatch::{Command, run};

use answer::{as_json, error_of_license, outcome_or_error};
use context::{
    Workspace, identity, ledger_of, ledger_to_read, make_ledger, missing, open_ledger, read_ledger, vault,
};
