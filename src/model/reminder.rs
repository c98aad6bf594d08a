//! When an operator is reminded of an end that comes near.

/// The days before the end on which someone is reminded, where the configuration doesn't say (DOMAIN.md).
pub const DAYS: [u32; 5] = [30, 14, 7, 3, 1];
