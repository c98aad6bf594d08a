//! Every test of the program as its users meet it, in one binary. Run by `tests/run`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod artefacts;
#[cfg(target_os = "linux")]
mod browser;
mod bulk;
mod check;
mod concurrency;
#[cfg(target_os = "linux")]
mod crash;
mod deactivate;
mod demo;
#[cfg(target_os = "linux")]
mod disk;
mod edges;
mod givingup;
#[cfg(target_os = "linux")]
mod handoff;
#[cfg(target_os = "linux")]
mod keyring;
mod layers;
mod mishaps;
#[cfg(target_os = "linux")]
mod no_leaks;
#[cfg(target_os = "linux")]
mod outside;
mod register;
mod remind;
mod renew;
#[cfg(unix)]
mod shells;
mod status;
mod support;
#[cfg(unix)]
mod table;
