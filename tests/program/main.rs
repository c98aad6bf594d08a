//! Every test of the program as its users meet it, in one binary. Run by `tests/run`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod artefacts;
mod check;
mod deactivate;
mod demo;
#[cfg(target_os = "linux")]
mod keyring;
mod mishaps;
#[cfg(target_os = "linux")]
mod outside;
mod register;
mod renew;
#[cfg(unix)]
mod shells;
mod status;
mod support;
#[cfg(unix)]
mod table;
