//! What `status` is asked.

use crate::model::authorization::State;
use crate::model::instant::of_argument;
use jiff::Timestamp;
use std::path::PathBuf;

/// Show every authorization, or one as a card
///
/// Reads the ledger and nothing else: no keyring, no network, milliseconds. Only --online asks the provider.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth status
  biotrack-auth status 101-X0007-D1
  biotrack-auth status hudson                            # all that have the word in them
  biotrack-auth status --due --quiet                     # prints only when someone must act
  biotrack-auth status --check -w 14d -c 3d              # for a monitoring daemon
  biotrack-auth status --format prometheus --output /var/lib/node_exporter/biotrack.prom")]
pub struct Args {
    /// Only these: a license, UBI/LICENSE, an OCM license or a store's name, in any case. In the table a text that names none
    /// shows every authorization whose license, OCM license, store, UBI, admin or contact contains it
    #[arg(value_name = "SELECTOR")]
    pub(super) selectors: Vec<String>,

    /// Only those that must be renewed: expired, invalid, or due within TIME [default: the profile's window]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true)]
    pub(super) due: Option<Option<String>>,

    /// Only those in this state; may be given several times
    #[arg(long = "state", value_name = "STATE", value_enum)]
    pub(super) states: Vec<State>,

    /// Only those with this tag
    #[arg(long, value_name = "TAG", allow_hyphen_values = true)]
    pub(super) tag: Option<String>,

    /// Only those that hang on this admin user
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    pub(super) user: Option<String>,

    /// Show them as they will be at this instant (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = of_argument)]
    pub(super) at: Option<Timestamp>,

    /// Ask the provider first whether these grants live; those that it calls inactive become invalid
    #[arg(long, conflicts_with = "at")]
    pub(super) online: bool,

    /// Show every profile's
    #[arg(long)]
    pub(super) all_profiles: bool,

    /// Print the JSON Schema of --json, and nothing else
    #[arg(long)]
    pub(super) schema: bool,

    /// Answer as a monitoring plugin: 0 OK, 1 warning, 2 critical, 3 unknown
    #[arg(long)]
    pub(super) check: bool,

    /// With --check: warn this long before the end, or when this share of the grant's life is left
    #[arg(short, long, value_name = "TIME|PERCENT", default_value = "14d", requires = "check")]
    pub(super) warning: String,

    /// With --check: critical this long before the end, or when this share is left
    #[arg(short, long, value_name = "TIME|PERCENT", default_value = "0d", requires = "check")]
    pub(super) critical: String,

    /// With --check: nothing registered is fine
    #[arg(long, requires = "check")]
    pub(super) allow_empty: bool,

    /// How to show them [default: table]
    #[arg(long, value_name = "FORMAT", value_enum, conflicts_with = "check")]
    pub(super) format: Option<Format>,

    /// Write the answer to FILE in one step, readable for all (`-` for standard output)
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// How authorizations are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people; one license as a card
    Table,
    /// One document
    Json,
    /// A line an authorization
    Jsonl,
    /// For spreadsheets
    Csv,
    /// For a textfile collector
    Prometheus,
    /// A calendar with alarms on the reminder days
    Ics,
}
