//! Commands in this process, and the rules of the house: every test that needs Rust alone, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod check;
mod completions;
mod config;
mod doctor;
mod exec;
mod export;
mod help;
mod history;
mod import;
mod last_use;
mod layers;
mod man;
mod mutations;
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
mod release;
mod rig;
mod sandbox;
mod schemas;
mod status;
mod token;
