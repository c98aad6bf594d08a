//! The commands: a file each, its arguments' docs are its help.

pub mod config;
