//! Commands in this process, and the rules of the house: every test that needs Rust alone, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod complete;
mod deactivate;
mod deactivate_several;
mod handoff;
mod layers;
mod listen;
mod mutations;
mod old_ledgers;
mod pairs;
mod power;
mod register;
mod register_from;
mod register_refused;
mod remind;
mod renew;
mod renew_several;
#[macro_use]
mod rig;
