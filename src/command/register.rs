//! `register`: a license's first grant, or the first one after it was deactivated.

use super::bulk::{self, Run};
use super::consent::{ConsentArgs, consent, hand_off};
use super::context::find_ledger;
use super::form::{self, OutputFormat};
use super::{Invocation, Workspace, file};
use crate::consent::{fits, why_not};
use crate::error::{Error, Result};
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::edit::shared_names;
use crate::model::flow::Purpose;
use crate::model::ids::{
    Contact, Generation, License, LicenseId, OcmLicense, StoreName, Tag, Ubi, Username, near_duplicates,
};
use crate::model::odd_cell::{OddText, suspicious_text};
use crate::model::plan::{LeftOut, Plan, PlannedLicense};
use crate::model::provider::Provider;
use crate::model::rows::registrations;
use crate::model::slips::likely_typos;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Register a license and ask its admin user to grant access on BioTrack's page
///
/// The admin user enters their password on BioTrack's own page; this program never asks for it.
///
/// In a terminal, the command asks for missing values. Before the browser opens, it tests everything that could fail later.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth register --ubi 604001234 --license 101-X0007-D1 --username ann@store.example
  biotrack-auth register --ubi 604001234 --license 101-X0007-D1 --username ann@store.example --name \"Hudson St\" --tag downstate
  biotrack-auth register --from stores.csv --dry-run
  biotrack-auth register --from stores.csv                # a run; renew --resume continues it")]
pub struct Args {
    /// Register every license in a CSV file (`-` for standard input). Required columns: ubi, license, username. Optional:
    /// name, ocm_license, contact, tags
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ubi", "license", "username", "name", "ocm_license", "contact", "tags"])]
    from: Option<PathBuf>,

    /// With --from: show the plan and the reasons, without asking any admin
    #[arg(long, requires = "from")]
    dry_run: bool,

    /// Set the company's Universal Business Identifier (optional with the preset generic)
    #[arg(long, value_name = "UBI", allow_hyphen_values = true)]
    ubi: Option<String>,

    /// Set the BioTrack location license, which may differ from the OCM license
    #[arg(long, visible_alias = "licence", value_name = "LICENSE", allow_hyphen_values = true)]
    license: Option<String>,

    /// Set the admin user's BioTrack account; the admin enters the password on BioTrack's page only
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    username: Option<String>,

    /// Set the store's name
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    name: Option<StoreName>,

    /// Set the official OCM license, which also works as a SELECTOR
    #[arg(long, value_name = "LICENSE", allow_hyphen_values = true)]
    ocm_license: Option<OcmLicense>,

    /// Set the e-mail address to write to
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    contact: Option<Contact>,

    /// Add a tag to group licenses by; may be given several times
    #[arg(long = "tag", value_name = "TAG", allow_hyphen_values = true)]
    tags: Vec<Tag>,

    /// Not accepted: the password belongs on BioTrack's page only
    #[arg(long, hide = true, num_args = 0..=1, value_name = "PASSWORD")]
    password: Option<Option<String>>,

    #[command(flatten)]
    bulk: bulk::RunPresentation,

    #[command(flatten)]
    waiting: ConsentArgs,
}

pub(super) fn run<'a>(mut args: Args, call: &Invocation<'a>) -> Result<u8> {
    if args.password.is_some() {
        return Err(Error::Usage {
            what: "biotrack-auth never takes the admin user's password".into(),
            hint:
                "Remove --password: the admin enters the password on BioTrack's own page, and nowhere else."
                    .into(),
        });
    }
    if args.dry_run && args.from.is_none() {
        // Clap drops a requirement that conflicts with another flag.
        return Err(Error::Usage {
            what: "--dry-run needs --from".into(),
            hint: "Remove --dry-run to register this license, or pass a file of licenses with --from.".into(),
        });
    }
    if let (Some(path), true) = (&args.from, args.dry_run) {
        let form = OutputFormat::of(args.bulk.format, call.json)?;
        return dry_run(path, form, call).or_else(|e| form::refused(form, call, e));
    }
    let workspace = call.first_bench()?;
    if let Some(path) = &args.from {
        let form = OutputFormat::of(args.bulk.format, call.json)?;
        return workspace.work(call, |workspace| {
            register_several(path, &args, form, call, workspace).or_else(|e| form::refused(form, call, e))
        });
    }
    if workspace.provider.is_generic() {
        args.ubi.get_or_insert_with(|| Ubi::NONE.into());
    }
    ask_for_missing(&mut args, call)?;
    let (Some(ubi), Some(license), Some(username)) = (&args.ubi, &args.license, &args.username) else {
        return Err(Error::Internal("an argument vanished".into()));
    };
    let key = LicenseId { ubi: Ubi::parse(ubi)?, license: License::parse(license)? };
    let username = Username::parse(username)?;
    look_at(&args, call)?;
    workspace.work(call, |workspace| {
        register(args, call, workspace, &key, &username).or_else(|e| workspace.refused(call, &key, e))
    })
}

fn register<'a>(
    args: Args,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    key: &LicenseId,
    username: &Username,
) -> Result<u8> {
    let provider = workspace.provider.clone();
    let now = call.env.clock.now();
    let standings = workspace.custody.ledger().standings(&provider.profile)?;
    let known = standings.iter().map(|it| &it.record).find(|record| record.key == *key);
    match known {
        Some(known) => fits(Purpose::Register, Some(known), &provider, now)?,
        None => warn(call, key, standings.iter().map(|it| &it.record)),
    }
    let others = standings.iter().map(|it| &it.record);
    for told in shared_names(args.name.as_ref(), args.ocm_license.as_ref(), key, others) {
        call.env.terminal.info(&format!("Note: {told}."));
    }
    let item = PlannedLicense {
        key: key.clone(),
        username: username.clone(),
        named: None,
        purpose: Purpose::Register,
        name: args.name,
        ocm_license: args.ocm_license,
        contact: args.contact,
        tags: args.tags,
        expires_at: None,
        base: known.map_or_else(Generation::default, |known| known.generation),
        why: String::new(),
    };
    if args.waiting.handing_off.no_wait {
        return hand_off(call, workspace, item, false, &args.waiting);
    }
    let outcome = consent(call, workspace, item, false, &args.waiting)?;
    workspace.finish(call, outcome)
}

/// Those of a file, in one run. What has a grant already is left out, and said.
fn register_several<'a>(
    path: &Path,
    args: &Args,
    form: OutputFormat,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    let provider = workspace.provider.clone();
    let standings = workspace.custody.ledger().standings(&provider.profile)?;
    let plan = plan(path, call, &provider, &standings)?;
    let known = standings.into_iter().map(|it| (it.record.key.clone(), it)).collect();
    let run = Run { plan, known, resumed: None, any_user: false, verb: "register", form };
    bulk::run(call, workspace, run, &args.bulk, &args.waiting)
}

/// What would be registered: nobody is asked, and nothing is written.
fn dry_run(path: &Path, form: OutputFormat, call: &Invocation<'_>) -> Result<u8> {
    let (config, provider) = call.provider()?;
    let ledger = find_ledger(call, &config)?;
    let standings = match &ledger {
        Some(ledger) => ledger.standings(&provider.profile)?,
        None => Vec::new(),
    };
    let plan = plan(path, call, &provider, &standings)?;
    bulk::dry_run(call, &provider, &plan, None, form, ledger.as_ref())
}

/// What is to be done about the licenses of a file.
fn plan(
    path: &Path,
    call: &Invocation<'_>,
    provider: &Provider,
    standings: &[AuthorizationWithFlows],
) -> Result<Plan> {
    let now = call.env.clock.now();
    let known: HashMap<_, _> = standings.iter().map(|it| (&it.record.key, &it.record)).collect();
    let (_, rows) = file::rows(path, call, registrations)?;
    let keys: Vec<_> = rows.iter().map(|row| (row.line, &row.key)).collect();
    file::tell_notes(call, &likely_typos(&keys, standings.iter().map(|it| &it.record.key)));
    let mut plan = Plan::default();
    for row in rows {
        let known = known.get(&row.key).copied();
        if let Err(e) = fits(Purpose::Register, known, provider, now) {
            plan.left_out.push(LeftOut { key: row.key, why: why_not(&e) });
            continue;
        }
        let why = known.map_or("not registered yet", |known| match known.deactivated_at {
            Some(_) => "deactivated; registering it again",
            None => "pending: requested before, but never granted",
        });
        let details = row.details;
        plan.items.push(PlannedLicense {
            key: row.key,
            username: row.username,
            named: None,
            purpose: Purpose::Register,
            name: details.name,
            ocm_license: details.ocm_license,
            contact: details.contact,
            tags: details.tags,
            expires_at: None,
            base: known.map_or_else(Generation::default, |known| known.generation),
            why: why.into(),
        });
    }
    Ok(plan.ordered())
}

/// What can't be done without is asked for at a terminal, and named elsewhere.
fn ask_for_missing(args: &mut Args, call: &Invocation<'_>) -> Result<()> {
    let wanted = [
        ("--ubi", "UBI of the company", &mut args.ubi),
        ("--license", "BioTrack location license", &mut args.license),
        ("--username", "Admin user (e-mail of the BioTrack account)", &mut args.username),
    ];
    let missing: Vec<_> = wanted.into_iter().filter(|(_, _, value)| value.is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !call.env.terminal.interactive() {
        return Err(Error::MissingFlags { flags: missing.into_iter().map(|(flag, _, _)| flag).collect() });
    }
    call.env
        .terminal
        .info("This program never asks for the password: the admin user enters it on BioTrack's page only.");
    for (_, question, value) in missing {
        *value = Some(call.env.terminal.ask(question, None)?);
    }
    Ok(())
}

/// What was typed and can't be right is refused; what may be is said.
fn look_at(args: &Args, call: &Invocation<'_>) -> Result<()> {
    let typed = [
        ("ubi", "UBI", args.ubi.as_deref()),
        ("license", "license", args.license.as_deref()),
        ("username", "username", args.username.as_deref()),
        ("ocm_license", "OCM license", args.ocm_license.as_ref().map(|it| it.as_str())),
        ("contact", "contact", args.contact.as_ref().map(|it| it.as_str())),
        ("name", "name", args.name.as_ref().map(|it| it.as_str())),
    ];
    for (column, name, text) in typed {
        let text = text.unwrap_or_default().trim();
        match suspicious_text(column, text).filter(|_| text != Ubi::NONE) {
            None => {}
            Some(OddText::Wrong(problem)) => return Err(Error::BadValue { name, problem }),
            Some(OddText::Unusual(why)) => {
                call.env
                    .terminal
                    .info(&format!("Note: the {name} \"{text}\" {why}. It's kept exactly as typed."));
            }
        }
    }
    Ok(())
}

/// A slip is likelier than a license that is very like another: said once, never refused.
fn warn<'r>(call: &Invocation<'_>, key: &LicenseId, known: impl Iterator<Item = &'r Authorization>) {
    for record in known.filter(|record| near_duplicates(&record.key.license, &key.license)) {
        call.env.terminal.info(&format!(
            "Note: {} is very similar to {}, which is already registered. Make sure it is a different location.",
            key.license, record.key.license
        ));
    }
}
