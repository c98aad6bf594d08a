//! `edit`: what an operator knows of a license is changed by hand; nobody is asked, and no grant is touched.

use super::{Invocation, Workspace};
use crate::custody::EditedRecord;
use crate::error::{Error, Result, counted, first_few};
use crate::model::authorization::{Authorization, AuthorizationWithFlows, ask_again_command};
use crate::model::edit::{Edit, Replacement, in_words, shared_names};
use crate::model::ids::{Contact, OcmLicense, StoreName, Tag, Username};
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::selection;
use jiff::Timestamp;

/// So many licenses are named in a sentence.
const NAMED: usize = 10;

/// Change a license's name, admin user, contact, OCM license or tags
///
/// Values that you don't pass stay as they are. An empty value clears a name, a contact or an OCM license: `--contact ""`.
/// The admin user can be changed, but not cleared. With --user, the command changes every license assigned to that admin
/// user, all of them or none: use it to enter an admin user's new address once for all licenses.
///
/// The command touches no grant and asks no admin. A valid grant stays in use, whoever granted it; the next renewal asks the
/// new admin user. A grant that still arrives through a link of the former admin user awaits approval.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("which").args(["selector", "user"]).required(true))]
#[command(after_help = "\
Examples:
  biotrack-auth edit 101-X0007-D1 --name \"Hudson Street\" --tag downstate --untag new
  biotrack-auth edit 101-X0007-D1 --username bob@store.example --contact \"\"
  biotrack-auth edit --user ann@old.example --username ann@new.example      # every license assigned to ann@old.example")]
pub struct Args {
    /// Select a license by license, UBI/LICENSE, OCM license or store name
    #[arg(value_name = "SELECTOR")]
    selector: Option<String>,

    /// Select every license assigned to this admin user
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    user: Option<String>,

    /// Set the store's name; an empty value clears it
    #[arg(long, value_name = "NAME", conflicts_with = "user", allow_hyphen_values = true)]
    name: Option<Replacement<StoreName>>,

    /// Set the BioTrack account of the admin user to ask
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    username: Option<Username>,

    /// Set the e-mail address to write to; an empty value means the admin user's
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    contact: Option<Replacement<Contact>>,

    /// Set the official OCM license; an empty value clears it
    #[arg(long, value_name = "LICENSE", conflicts_with = "user", allow_hyphen_values = true)]
    ocm_license: Option<Replacement<OcmLicense>>,

    /// Add a tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,

    /// Remove a tag; may be given several times
    #[arg(long = "untag", value_name = "TAG")]
    untags: Vec<Tag>,
}

pub(super) fn run(args: Args, call: &Invocation<'_>) -> Result<u8> {
    let Args { selector, user, name, username, contact, ocm_license, tags, untags } = args;
    let edit = Edit { name, username, contact, ocm_license, tags, untags };
    if edit.is_empty() {
        return Err(Error::Usage {
            what: "there is nothing to change".into(),
            hint: "Add at least one of --name, --username, --contact, --ocm-license, --tag and --untag."
                .into(),
        });
    }
    if let Some(both) = edit.tags.iter().find(|tag| edit.untags.contains(tag)) {
        return Err(Error::Usage {
            what: format!("--tag and --untag both name the tag \"{both}\""),
            hint: "Remove it from one of them.".into(),
        });
    }
    call.workspace()?
        .work(call, |workspace| edit_chosen(selector.as_deref(), user.as_deref(), &edit, call, workspace))
}

fn edit_chosen<'a>(
    selector: Option<&str>,
    user: Option<&str>,
    edit: &Edit,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    let provider = workspace.provider.clone();
    let choose = |standings: &[AuthorizationWithFlows]| match (selector, user) {
        (Some(selector), _) => {
            selection::resolve_one(selector, Some(&provider.profile), standings, |it| &it.record)
                .map(|it| vec![it.clone()])
        }
        (None, user) => assigned_to(user.unwrap_or_default(), &provider.profile, standings),
    };
    let edited = workspace.custody.edit(choose, edit)?;
    note(&edited, edit, call, workspace)?;
    let mut outcomes = Vec::with_capacity(edited.len());
    let mut said = String::new();
    for it in &edited {
        let (key, is_changed) = (it.key(), !it.changes.is_empty());
        if is_changed {
            said += &format!("{key}: {}.\n", in_words(&it.changes));
        }
        let ending = if is_changed { OutcomeKind::Edited } else { OutcomeKind::Unchanged };
        outcomes.push(Outcome::of(key.clone(), ending, workspace.custody.standing_to_tell(key)));
    }
    let unchanged = edited.iter().filter(|it| it.changes.is_empty()).count();
    if unchanged > 0 && call.env.terminal.interactive() {
        let licenses = counted(unchanged, "license is", "licenses are");
        call.env.terminal.info(&format!("{licenses} unchanged, because the values are the same."));
    }
    call.finish(&provider, &outcomes, &said)
}

/// The licenses whose record names an admin user; who granted them doesn't matter.
fn assigned_to(
    user: &str,
    profile: &str,
    standings: &[AuthorizationWithFlows],
) -> Result<Vec<AuthorizationWithFlows>> {
    let found: Vec<_> = standings.iter().filter(|it| it.record.username.same_as(user)).cloned().collect();
    match found.is_empty() {
        true => Err(Error::NotFound {
            selector: crate::error::clean(user.trim()),
            profile: Some(profile.to_owned()),
            near: Vec::new(),
        }),
        false => Ok(found),
    }
}

/// What a person should know of it: names that are another's, too, and what becomes of grants and links of a former admin user.
fn note(
    edited: &[EditedRecord],
    edit: &Edit,
    call: &Invocation<'_>,
    workspace: &Workspace<'_>,
) -> Result<()> {
    let now = call.env.clock.now();
    if let [EditedRecord { changes, before }] = edited {
        let standings = workspace.custody.ledger().standings(&workspace.provider.profile)?;
        let others = standings.iter().map(|it| &it.record);
        let after = others.clone().find(|record| record.key == before.record.key);
        let has = |field: &str| changes.iter().any(|change| change.field == field);
        if let Some(after) = after {
            let name = after.name.as_ref().filter(|_| has("name"));
            let ocm_license = after.ocm_license.as_ref().filter(|_| has("ocm_license"));
            for told in shared_names(name, ocm_license, &after.key, others) {
                call.env.terminal.info(&format!("Note: {told}."));
            }
        }
    }
    let Some(new) = &edit.username else { return Ok(()) };
    let renamed = edited.iter().map(|it| &it.before).filter(|it| !it.record.username.same_as(new.as_str()));
    for told in of_a_new_admin(new, &renamed.collect::<Vec<_>>(), workspace.provider.other_profile, now) {
        call.env.terminal.info(&told);
    }
    Ok(())
}

/// What becomes of grants and open consents where another admin user is asked from now on, a sentence each.
fn of_a_new_admin(
    new: &Username,
    renamed: &[&AuthorizationWithFlows],
    other_profile: bool,
    now: Timestamp,
) -> Vec<String> {
    let licenses = |which: &dyn Fn(&AuthorizationWithFlows) -> bool| {
        renamed.iter().filter(|it| which(it)).map(|it| it.record.key.license.to_string()).collect::<Vec<_>>()
    };
    let mut told = Vec::new();
    let living = licenses(&|it| it.record.has_valid_grant(now));
    if !living.is_empty() {
        let grants = counted(living.len(), "valid grant stays", "valid grants stay");
        told.push(format!("Note: {grants} in use. The next renewal asks {new}."));
    }
    let asked = |it: &AuthorizationWithFlows, of_the_former: bool| {
        it.flows.iter().any(|flow| {
            let counts = flow.purpose.is_consent() && (!flow.waits_for_anybody() || now < flow.deadline);
            counts && flow.username.same_as(it.record.username.as_str()) == of_the_former
        })
    };
    let out = licenses(&|it| asked(it, true));
    if !out.is_empty() {
        let first = renamed.iter().find(|it| asked(it, true)).map(|it| it.record.clone());
        let again = first.map(|record| {
            ask_again_command(&Authorization { username: new.clone(), ..record }, other_profile)
        });
        let again = again.unwrap_or_default();
        told.push(format!(
            "Note: {} was asked about before this change. A grant by the former admin user will await approval; a grant by {new} will be stored. To ask {new}: {again}",
            first_few(&out, NAMED)
        ));
    }
    let others = licenses(&|it| asked(it, false));
    if !others.is_empty() {
        told.push(format!(
            "Note: a running consent asks another admin user about {}. It isn't changed.",
            first_few(&others, NAMED)
        ));
    }
    told
}
