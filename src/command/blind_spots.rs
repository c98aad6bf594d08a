//! What a command that runs unattended would pass over in silence, told: records that nobody looks after, and a clock by
//! which nothing is due.

use super::Invocation;
use crate::config::Config;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::model::blind_spot::BlindSpot;

/// What a look at all profiles that the configuration names doesn't see.
pub(super) fn of_all_profiles(ledger: &Ledger, config: &Config) -> Result<Vec<BlindSpot>> {
    ledger.unnamed_profiles(&config.names())
}

/// Whether this machine's clock can be believed, as far as the ledger knows.
pub(super) fn of_the_clock(ledger: &Ledger, call: &Invocation<'_>) -> Result<Option<BlindSpot>> {
    Ok(BlindSpot::of_clock(call.env.clock.now(), ledger.newest_event()?))
}

/// Tells them on standard error, also where only errors are to be said: cron mails it.
pub(super) fn tell(blind_spots: &[BlindSpot], call: &Invocation<'_>) {
    for spot in blind_spots {
        call.env.terminal.print_always(&format!("Warning: {}.\n  {}", spot.in_words(), spot.hint()));
    }
}
