//! What `status` is asked.

use crate::command::form::ByteOrderMark;
use crate::model::authorization::State;
use crate::model::instant::of_argument;
use jiff::Timestamp;
use std::path::PathBuf;

/// Show all authorizations as a table, or one as a card
///
/// The command reads only the ledger, in milliseconds: no keyring, no network. Only --online asks the provider.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth status
  biotrack-auth status 101-X0007-D1
  biotrack-auth status hudson                            # all that contain this text
  biotrack-auth status --due --quiet                     # prints only when someone must act
  biotrack-auth status --check -w 14d -c 3d              # for a monitoring daemon
  biotrack-auth status --format prometheus --output /var/lib/node_exporter/biotrack.prom")]
pub struct Args {
    /// Select only these, by license, UBI/LICENSE, OCM license or store name, in any case. In the table, text that matches none
    /// exactly selects every authorization that contains it in its license, OCM license, store, UBI, admin or contact
    #[arg(value_name = "SELECTOR")]
    pub(super) selectors: Vec<String>,

    /// Select only licenses that are expired, invalid, or due within TIME [default: the profile's window]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true)]
    pub(super) due: Option<Option<String>>,

    /// Select only licenses in this state; may be given several times
    #[arg(long = "state", value_name = "STATE", value_enum)]
    pub(super) states: Vec<State>,

    /// Select only licenses with this tag
    #[arg(long, value_name = "TAG", allow_hyphen_values = true)]
    pub(super) tag: Option<String>,

    /// Select only licenses assigned to, or granted by, this admin user
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    pub(super) user: Option<String>,

    /// Show the state as of this instant (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = of_argument)]
    pub(super) at: Option<Timestamp>,

    /// First ask the provider whether these grants are valid, and mark inactive grants as invalid
    #[arg(long, conflicts_with = "at")]
    pub(super) online: bool,

    /// Show every profile
    #[arg(long)]
    pub(super) all_profiles: bool,

    /// Print only the JSON Schema of --json
    #[arg(long)]
    pub(super) schema: bool,

    /// Answer as a monitoring plugin: 0 OK, 1 warning, 2 critical, 3 unknown
    #[arg(long)]
    pub(super) check: bool,

    /// With --check: warn this long before the expiry, or when this share of the grant's life is left
    #[arg(short, long, value_name = "TIME|PERCENT", default_value = "14d", requires = "check")]
    pub(super) warning: String,

    /// With --check: report critical this long before the expiry, or when this share of the grant's life is left
    #[arg(short, long, value_name = "TIME|PERCENT", default_value = "0d", requires = "check")]
    pub(super) critical: String,

    /// With --check: report OK if nothing is registered
    #[arg(long, requires = "check")]
    pub(super) allow_empty: bool,

    /// Choose the output format [default: table]
    #[arg(long, value_name = "FORMAT", value_enum, conflicts_with = "check")]
    pub(super) format: Option<Format>,

    #[command(flatten)]
    pub(super) bom: ByteOrderMark,

    /// Write the answer to FILE in one step, readable by everyone (`-` for standard output)
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// How authorizations are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A table; one license as a card
    Table,
    /// One document
    Json,
    /// One JSON line for each authorization
    Jsonl,
    /// For spreadsheets
    Csv,
    /// For a textfile collector
    Prometheus,
    /// A calendar with alarms on the reminder days
    Ics,
}
