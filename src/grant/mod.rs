//! Getting an authorization from the provider: the protocol, and the loopback port it comes back on.

pub mod listener;
