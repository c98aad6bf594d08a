//! The commands: a file each, its arguments' docs are its help.
