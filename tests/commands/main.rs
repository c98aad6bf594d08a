//! Commands in this process, and the rules of the house: every test that needs Rust alone, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod custody;
mod layers;
mod mutations;
mod register;
#[macro_use]
mod rig;
