//! The process: nothing but the start and the exit code.
fn main() {}
