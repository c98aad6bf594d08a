//! `sandbox demo`.
use super::Call;
use crate::error::Result;

/// See the whole program at work
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_: Args, _: &Call<'_>) -> Result<u8> {
    Ok(0)
}
