//! The rules of custody.

mod sweeps;
