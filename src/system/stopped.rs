//! Whether this process was stopped (Ctrl-Z, SIGSTOP) while it waited. What came meanwhile is then still in a socket, and whoever
//! reads it has just been woken, too.

use std::time::{Duration, Instant};

/// Whoever is this late was stopped, or was busy, when the time was over.
const LATE: Duration = Duration::from_millis(250);

/// How long what waits in a socket may take to be read.
pub const READ_GRACE: Duration = Duration::from_secs(2);

/// Whether whoever waits until then only now comes to see that it's over.
pub fn was_stopped_at(until: Instant) -> bool {
    until.elapsed() > LATE
}
