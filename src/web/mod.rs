//! What a browser meets: the listener, and the pages that it's shown. It never writes.

pub mod listener;
pub mod pages;
