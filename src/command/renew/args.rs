//! What `renew` is asked.

use crate::command::bulk;
use crate::command::consent::ConsentArgs;
use crate::model::ids::Username;
use std::path::PathBuf;

/// Renew grants: their admin users consent again
///
/// The old grant stays in use until the new one is proven and stored, whatever its days left.
///
/// With several licenses a run is planned, kept in the ledger and paced: one Grant Access page after the other, one admin
/// user after the other. Whatever ends it, `renew --resume` goes on with what was left, of a `register --from` too.
///
/// Where another admin user of the store granted than the one who was asked, that grant awaits approval: `--awaiting`
/// shows and accepts what waits, without asking anybody to grant again; `deactivate --awaiting` discards it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth renew 101-X0007-D1
  biotrack-auth renew 101-X0007-D1 --username bob@store.example
  biotrack-auth renew --due --dry-run                    # what would be asked, and why
  biotrack-auth renew --due                              # a run, with a worklist page beside the phone
  biotrack-auth renew --resume                           # what the last run left
  biotrack-auth renew --awaiting                         # accept grants of other admin users that await approval
  biotrack-auth renew --all --tag downstate --tabs 3")]
#[group(id = "which", required = true, multiple = true)]
pub struct Args {
    /// Which: a license, UBI/LICENSE, an OCM license or a store's name
    #[arg(value_name = "SELECTOR", group = "which")]
    pub(super) selectors: Vec<String>,

    /// All that must be renewed: expired, invalid, or due within TIME [default: the profile's window]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, group = "which", conflicts_with = "selectors")]
    pub(super) due: Option<Option<String>>,

    /// All that have expired
    #[arg(long, group = "which", conflicts_with_all = ["selectors", "due"])]
    pub(super) expired: bool,

    /// All of those, and the active ones too
    #[arg(long, group = "which", conflicts_with_all = ["selectors", "due", "expired"])]
    pub(super) all: bool,

    /// Those of a CSV file (- for standard input) with a column license, and may be ubi and username
    #[arg(long, value_name = "FILE", group = "which", conflicts_with_all = ["selectors", "due", "expired", "all", "username"])]
    pub(super) from: Option<PathBuf>,

    /// Go on with what the last run left, of register --from too
    #[arg(long, group = "which", conflicts_with_all = ["selectors", "due", "expired", "all", "from", "tag", "user", "username", "any_user"])]
    pub(super) resume: bool,

    /// Only those with this tag
    #[arg(long, value_name = "TAG", group = "which", allow_hyphen_values = true)]
    pub(super) tag: Option<String>,

    /// Only those that hang on this admin user
    #[arg(long, value_name = "EMAIL", group = "which", allow_hyphen_values = true)]
    pub(super) user: Option<String>,

    /// Another admin user than before; their password belongs on BioTrack's page only
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    pub(super) username: Option<Username>,

    /// With --username and one license: give the old grant up before the new one is asked for, where BioTrack allows one at
    /// a time; reporting stops in between
    #[arg(long, requires = "username", conflicts_with_all = ["due", "expired", "all", "from", "resume", "tag", "user"])]
    pub(super) break_first: bool,

    /// Accept the grants that await approval, of all licenses or of these, without a new consent
    #[arg(long, group = "which", conflicts_with_all = ["due", "expired", "all", "from", "resume", "tag", "user", "username", "break_first", "any_user", "no_wait"])]
    pub(super) awaiting: bool,

    /// Don't ask: before another admin user is asked than so far, a grant that awaits approval is accepted, or a grant is
    /// given up first
    #[arg(long)]
    pub(super) yes: bool,

    /// Accept a new grant from any admin user, whoever grants
    #[arg(long, conflicts_with = "username")]
    pub(super) any_user: bool,

    /// Show what would be asked and why, and ask nobody
    #[arg(long)]
    pub(super) dry_run: bool,

    /// With --due: leave some for later days and take others along, so that not all end on one day again
    #[arg(long, requires = "due", conflicts_with_all = ["selectors", "expired", "all", "from", "resume"])]
    pub(super) spread: bool,

    #[command(flatten)]
    pub(super) bulk: bulk::RunPresentation,

    #[command(flatten)]
    pub(super) waiting: ConsentArgs,
}
