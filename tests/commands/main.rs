//! Commands in this process, and the rules of the house: every test that needs Rust alone, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod absence;
mod arguments;
mod check;
mod circles;
mod clearing;
mod complete;
mod completions;
mod config;
mod config_set;
mod custody;
mod deactivate;
mod deactivate_several;
mod doctor;
mod documents;
mod edit;
mod exec;
mod export;
mod handoff;
mod help;
mod history;
mod homes;
mod import;
mod kept_answers;
mod last_use;
mod launch;
mod layers;
mod listen;
mod man;
mod meanwhile;
mod model;
mod mutations;
#[path = "../fixtures/odd.rs"]
mod odd;
mod odd_answers;
mod odd_names;
mod old_ledgers;
mod online;
mod pairs;
#[cfg(unix)]
mod parsers;
mod plain;
mod power;
mod program;
mod register;
mod register_from;
mod register_refused;
mod release;
mod remind;
mod remove;
mod renew;
mod renew_several;
mod rig;
mod sandbox;
mod sandbox_wire;
mod scheduled;
mod schemas;
mod status;
mod token;
mod told_once;
#[cfg(unix)]
mod went_back;
mod worklist;
