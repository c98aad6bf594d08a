//! What `renew` is asked.

use crate::command::bulk;
use crate::command::consent::ConsentArgs;
use crate::model::ids::Username;
use std::path::PathBuf;

/// Renew grants: ask their admin users to grant access again
///
/// The old grant stays in use until the new grant is verified and stored, however many days it has left.
///
/// Several licenses make a run, which is planned and kept in the ledger: it opens one Grant Access page after the other,
/// admin user by admin user. If a run ends early, `renew --resume` continues it. That includes a run of `register --from`.
///
/// If another admin user of the store granted access instead, that grant awaits approval: `--awaiting` shows it and accepts
/// it without a new consent; `deactivate --awaiting` discards it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth renew 101-X0007-D1
  biotrack-auth renew 101-X0007-D1 --username bob@store.example
  biotrack-auth renew --due --dry-run                    # show the plan and the reasons
  biotrack-auth renew --due                              # a run, with a worklist page in the browser
  biotrack-auth renew --resume                           # continue the last run
  biotrack-auth renew --awaiting                         # accept grants of other admin users that await approval
  biotrack-auth renew --all --tag downstate --tabs 3")]
#[group(id = "which", required = true, multiple = true)]
pub struct Args {
    /// Select a license by license, UBI/LICENSE, OCM license or store name
    #[arg(value_name = "SELECTOR", group = "which")]
    pub(super) selectors: Vec<String>,

    /// Renew every license that is expired, invalid, or due within TIME [default: the profile's window]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, group = "which", conflicts_with = "selectors")]
    pub(super) due: Option<Option<String>>,

    /// Renew every expired license
    #[arg(long, group = "which", conflicts_with_all = ["selectors", "due"])]
    pub(super) expired: bool,

    /// Renew every license that is expired, invalid, due or active
    #[arg(long, group = "which", conflicts_with_all = ["selectors", "due", "expired"])]
    pub(super) all: bool,

    /// Renew every license in a CSV file (`-` for standard input). Required column: license. Optional: ubi, username
    #[arg(long, value_name = "FILE", group = "which", conflicts_with_all = ["selectors", "due", "expired", "all", "username"])]
    pub(super) from: Option<PathBuf>,

    /// Continue the last run, including a run of register --from
    #[arg(long, group = "which", conflicts_with_all = ["selectors", "due", "expired", "all", "from", "tag", "user", "username", "any_user"])]
    pub(super) resume: bool,

    /// Select only licenses with this tag
    #[arg(long, value_name = "TAG", group = "which", allow_hyphen_values = true)]
    pub(super) tag: Option<String>,

    /// Select only licenses assigned to, or granted by, this admin user
    #[arg(long, value_name = "EMAIL", group = "which", allow_hyphen_values = true)]
    pub(super) user: Option<String>,

    /// Ask this admin user instead; the admin enters the password on BioTrack's page only
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    pub(super) username: Option<Username>,

    /// With --username and one license: end the old grant before asking for the new one, for a BioTrack that allows only one
    /// grant at a time; reporting stops in between
    #[arg(long, requires = "username", conflicts_with_all = ["due", "expired", "all", "from", "resume", "tag", "user"])]
    pub(super) break_first: bool,

    /// Accept grants that await approval, for all licenses or the selected ones, without a new consent
    #[arg(long, group = "which", conflicts_with_all = ["due", "expired", "all", "from", "resume", "tag", "user", "username", "break_first", "any_user", "no_wait"])]
    pub(super) awaiting: bool,

    /// Answer yes to every question: to ask another admin user, to accept a grant that awaits approval, or to end a grant
    /// first
    #[arg(long)]
    pub(super) yes: bool,

    /// Accept a new grant from any admin user
    #[arg(long, conflicts_with = "username")]
    pub(super) any_user: bool,

    /// Show the plan and the reasons, without asking any admin
    #[arg(long)]
    pub(super) dry_run: bool,

    /// With --due: spread renewals over several days, so that grants don't all expire on the same day
    #[arg(long, requires = "due", conflicts_with_all = ["selectors", "expired", "all", "from", "resume"])]
    pub(super) spread: bool,

    #[command(flatten)]
    pub(super) bulk: bulk::RunPresentation,

    #[command(flatten)]
    pub(super) waiting: ConsentArgs,
}
