//! Threads, tried before they are needed: where a limit leaves too few, a command says so before anybody is asked, instead
//! of failing in the middle.

use crate::error::{Error, Result};
use std::sync::mpsc;
use std::thread::Builder;

/// What a consent starts beside the network's own: listeners, keys, signals, what is shown meanwhile, name look-ups, a
/// claim, and the browser with whoever waits for it.
pub const THREADS_PER_CONSENT: usize = 12;

/// Starts so many threads at once, and lets them end again.
///
/// # Errors
/// They can't all be started.
pub fn rehearse(wanted: usize) -> Result<()> {
    let mut started = Vec::with_capacity(wanted);
    let mut refused = None;
    for _ in 0..wanted {
        let (end, ends) = mpsc::channel::<()>();
        match Builder::new().name("rehearsal".into()).spawn(move || ends.recv().is_err()) {
            Ok(thread) => started.push((end, thread)),
            Err(e) => {
                refused = Some(e);
                break;
            }
        }
    }
    let got = started.len();
    for (end, thread) in started {
        drop(end);
        let _ = thread.join();
    }
    match refused {
        Some(e) => Err(Error::Threads { wanted, got, reason: e.to_string() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn threads_that_can_be_had_are_had() {
        super::rehearse(super::THREADS_PER_CONSENT).unwrap();
    }
}
