//! Runs over many licences.

mod crowd;
mod verdict;
