//! biotrack-auth: register, renew, watch and deactivate integrator authorizations in BioTrack.
//!
//! The map of the house. A room imports only what stands beside it here, besides [`model`] and [`error`]; a test reads
//! every path in the source and holds it to this table.
//!
//! | room | what it is for | may import |
//! |---|---|---|
//! | [`cli`] | the top parser, global flags, and how an error ends | command, system |
//! | [`command`] | a file a command: its arguments' docs are its help | config, consent, custody, web, oauth, vault, ledger, report, sandbox, system |
//! | [`consent`] | consents from the question to the stored grant, whoever starts them | custody, web, oauth, system |
//! | [`custody`] | the order of writing: where grant, vault and ledger meet | oauth, vault, ledger, system |
//! | [`web`] | what a browser meets: listener, callbacks, worklist and pages; it never writes | oauth, system |
//! | [`oauth`] | the protocol: ask, catch the redirect, exchange, revoke, look up | system |
//! | [`vault`] | secrets: the OS keyring, or sealed with age | system |
//! | [`ledger`] | records, journal and history, in SQLite or PostgreSQL: the one commit point | system |
//! | [`config`] | file, environment and flags, each value with its origin | system |
//! | [`report`] | records in, text out: table, card, JSON, CSV, check, Prometheus, calendar | nothing more |
//! | [`model`] | the field, pure: what an authorization is at an instant | nothing more |
//! | [`sandbox`] | the stand-in BioTrack; it shares no types with the client | system |
//! | [`system`] | all that touches the machine: clock, network, browser, folders, terminal | nothing above it |
//! | [`error`] | one error, its sentences and the exit-code table | nothing above it |

pub mod cli;
pub mod command;
pub mod config;
pub mod consent;
pub mod custody;
pub mod error;
pub mod ledger;
pub mod model;
pub mod oauth;
pub mod report;
pub mod sandbox;
pub mod system;
pub mod vault;
pub mod web;
