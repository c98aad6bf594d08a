//! The configuration: making, showing, checking it.
