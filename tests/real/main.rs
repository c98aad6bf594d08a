//! The program with real parts: every test that needs more than Rust, in one binary. Run by `tests/run`, which installs the parts.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "tests left out there use it"))]

mod answers;
#[cfg(target_os = "linux")]
mod browser;
mod bulk;
mod check;
mod concurrency;
#[cfg(target_os = "linux")]
mod containers;
#[cfg(target_os = "linux")]
mod crash;
mod deactivate;
mod demo;
#[cfg(target_os = "linux")]
mod disk;
mod doctor;
#[cfg(target_os = "linux")]
mod documents;
mod edges;
#[cfg(unix)]
mod exec;
mod export;
mod givingup;
#[cfg(target_os = "linux")]
mod handoff;
#[cfg(unix)]
mod history;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(unix)]
mod hostile_input;
#[cfg(target_os = "linux")]
mod job_control;
#[cfg(target_os = "linux")]
mod keyring;
#[cfg(target_os = "linux")]
mod local;
mod looks;
mod man;
mod mishaps;
#[cfg(target_os = "linux")]
mod no_leaks;
mod online;
#[cfg(target_os = "linux")]
mod outside;
mod register;
#[cfg(unix)]
mod remind;
#[cfg(unix)]
mod shells;
mod status;
#[cfg(target_os = "linux")]
mod storm;
mod support;
#[cfg(unix)]
mod table;
#[cfg(target_os = "linux")]
mod team;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(target_os = "linux")]
mod time;
mod token;
#[cfg(target_os = "linux")]
mod unread;
#[cfg(target_os = "linux")]
mod vaultmove;
