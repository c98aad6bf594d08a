//! Changes of the configuration that others may get ahead of.

use crate::error::{ConfigError, Error, Result};

/// Runs what changes the configuration; anew on what that names by then, where others have named something else meanwhile.
pub(super) fn on_what_is_named(run_once: impl Fn() -> Result<u8>) -> Result<u8> {
    const TRIES: usize = 5;
    for _ in 1..TRIES {
        match run_once() {
            Err(Error::Config(ConfigError::Changed { .. })) => {}
            done => return done,
        }
    }
    run_once()
}
