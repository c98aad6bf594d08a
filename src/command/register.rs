//! `register`: a license's first grant, or the first one after it was deactivated.

use super::bulk::{self, Run};
use super::consent::{Waiting, consent, hand_off};
use super::context::{reading, standings};
use super::form::{self, Form};
use super::{Bench, Call, file};
use crate::consent::{fits, why_not};
use crate::error::{Error, Result};
use crate::model::authorization::{Authorization, Standing};
use crate::model::edit::shared_names;
use crate::model::flow::Purpose;
use crate::model::ids::{
    Contact, Generation, Key, License, Likeness, OcmLicense, StoreName, Tag, Ubi, Username, near_duplicates,
    odd_shape,
};
use crate::model::plan::{LeftOut, Plan, Planned};
use crate::model::provider::Provider;
use crate::model::rows::registrations;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The UBI of a license at a server that knows none.
const NO_UBI: &str = "none";

/// Register a license: have its admin user grant access on BioTrack's page
///
/// The admin user's password isn't asked for here, and never taken: it belongs on BioTrack's own page only.
///
/// In a terminal, what isn't given is asked for. Before the browser opens, everything that could fail later is tried.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth register --ubi 604001234 --license 101-X0007-D1 --username ann@store.example
  biotrack-auth register --ubi 604001234 --license 101-X0007-D1 --username ann@store.example --name \"Hudson St\" --tag downstate
  biotrack-auth register --from stores.csv --dry-run
  biotrack-auth register --from stores.csv                # a run; renew --resume goes on with it")]
pub struct Args {
    /// Those of a CSV file (- for standard input): columns ubi, license, username, and may be name, ocm_license, contact,
    /// tags
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ubi", "license", "username", "name", "ocm_license", "contact", "tags"])]
    from: Option<PathBuf>,

    /// With --from: show what would be asked and why, and ask nobody
    #[arg(long, requires = "from")]
    dry_run: bool,

    /// The company's Universal Business Identifier; with the preset generic it may be left out
    #[arg(long, value_name = "UBI", allow_hyphen_values = true)]
    ubi: Option<String>,

    /// The BioTrack location license; it may differ from the OCM license
    #[arg(long, visible_alias = "licence", value_name = "LICENSE", allow_hyphen_values = true)]
    license: Option<String>,

    /// The admin user's BioTrack account; their password belongs on BioTrack's page only
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    username: Option<String>,

    /// What the store is called
    #[arg(long, value_name = "NAME")]
    name: Option<StoreName>,

    /// The official OCM license, to find it by
    #[arg(long, value_name = "LICENSE")]
    ocm_license: Option<OcmLicense>,

    /// Whom to write to
    #[arg(long, value_name = "EMAIL")]
    contact: Option<Contact>,

    /// A word to group it by; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,

    /// Not taken: it belongs on BioTrack's page only
    #[arg(long, hide = true, num_args = 0..=1, value_name = "PASSWORD")]
    password: Option<Option<String>>,

    #[command(flatten)]
    bulk: bulk::Pacing,

    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run<'a>(mut args: Args, call: &Call<'a>) -> Result<u8> {
    if args.password.is_some() {
        return Err(Error::Usage {
            what: "biotrack-auth never takes the admin user's password".into(),
            hint: "Leave --password out: the admin types it on BioTrack's own page, and nowhere else.".into(),
        });
    }
    if args.dry_run && args.from.is_none() {
        // Clap drops a requirement that conflicts with another flag.
        return Err(Error::Usage {
            what: "--dry-run is for --from".into(),
            hint: "Leave --dry-run out to register this license, or give a file of licenses with --from."
                .into(),
        });
    }
    if let (Some(path), true) = (&args.from, args.dry_run) {
        let form = Form::of(args.bulk.format, call.json)?;
        return dry_run(path, form, call).or_else(|e| form::refused(form, call, e));
    }
    let bench = call.first_bench()?;
    if let Some(path) = &args.from {
        let form = Form::of(args.bulk.format, call.json)?;
        return bench.work(call, |bench| {
            register_several(path, &args, form, call, bench).or_else(|e| form::refused(form, call, e))
        });
    }
    if bench.provider.is_generic() {
        args.ubi.get_or_insert_with(|| NO_UBI.into());
    }
    ask_for_missing(&mut args, call)?;
    let (Some(ubi), Some(license), Some(username)) = (&args.ubi, &args.license, &args.username) else {
        return Err(Error::Internal("an argument vanished".into()));
    };
    let key = Key { ubi: Ubi::parse(ubi)?, license: License::parse(license)? };
    let username = Username::parse(username)?;
    bench.work(call, |bench| register(args, call, bench, &key, &username))
}

fn register<'a>(
    args: Args,
    call: &Call<'a>,
    bench: &mut Bench<'a>,
    key: &Key,
    username: &Username,
) -> Result<u8> {
    let provider = bench.provider.clone();
    let now = call.env.clock.now();
    let standings = bench.custody.ledger().standings(&provider.profile)?;
    let known = standings.iter().map(|it| &it.record).find(|record| record.key == *key);
    match known {
        Some(known) => fits(Purpose::Register, Some(known), &provider, now)?,
        None => warn(call, key, standings.iter().map(|it| &it.record)),
    }
    let others = standings.iter().map(|it| &it.record);
    for told in shared_names(args.name.as_ref(), args.ocm_license.as_ref(), key, others) {
        call.env.terminal.say(&format!("Note: {told}."));
    }
    let item = Planned {
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
        return hand_off(call, bench, item, false, &args.waiting);
    }
    let outcome = consent(call, bench, item, false, &args.waiting)?;
    bench.finish(call, outcome)
}

/// Those of a file, in one run. What has a grant already is left out, and said.
fn register_several<'a>(
    path: &Path,
    args: &Args,
    form: Form,
    call: &Call<'a>,
    bench: &mut Bench<'a>,
) -> Result<u8> {
    let provider = bench.provider.clone();
    let standings = bench.custody.ledger().standings(&provider.profile)?;
    let plan = plan(path, call, &provider, &standings)?;
    let known = standings.into_iter().map(|it| (it.record.key.clone(), it)).collect();
    let run = Run { plan, known, resumed: None, any_user: false, verb: "register", form };
    bulk::run(call, bench, run, &args.bulk, &args.waiting)
}

/// What would be registered: nobody is asked, and nothing is written.
fn dry_run(path: &Path, form: Form, call: &Call<'_>) -> Result<u8> {
    let (provider, ledger) = reading(call)?;
    let plan = plan(path, call, &provider, &standings(ledger.as_ref(), &provider)?)?;
    bulk::dry_run(call, &provider, &plan, None, form, ledger.as_ref())
}

/// What is to be done about the licenses of a file.
fn plan(path: &Path, call: &Call<'_>, provider: &Provider, standings: &[Standing]) -> Result<Plan> {
    let now = call.env.clock.now();
    let known: HashMap<_, _> = standings.iter().map(|it| (&it.record.key, &it.record)).collect();
    let (_, rows) = file::rows(path, call, registrations)?;
    let keys: Vec<_> = rows.iter().map(|row| &row.key).collect();
    note_likely_slips(call, &keys, standings);
    let mut plan = Plan::default();
    for row in rows {
        let known = known.get(&row.key).copied();
        if let Err(e) = fits(Purpose::Register, known, provider, now) {
            plan.left_out.push(LeftOut { key: row.key, why: why_not(&e) });
            continue;
        }
        let why = known.map_or("not registered yet", |known| match known.deactivated_at {
            Some(_) => "deactivated; registered again",
            None => "pending: asked before, and never granted",
        });
        let details = row.details;
        plan.items.push(Planned {
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

/// New licenses that are very like a known one, or another of the file, of the same company: said, never refused.
fn note_likely_slips(call: &Call<'_>, keys: &[&Key], standings: &[Standing]) {
    const SAID: usize = 10;
    let known: HashSet<_> = standings.iter().map(|it| &it.record.key).collect();
    let all = keys.iter().copied().chain(standings.iter().map(|it| &it.record.key));
    let (mut by_bare, mut by_stem) = (HashMap::<_, Vec<&Key>>::new(), HashMap::<_, Vec<&Key>>::new());
    for key in all {
        let Likeness { bare, stem } = key.license.likeness();
        by_bare.entry((&key.ubi, bare)).or_default().push(key);
        if let Some(stem) = stem {
            by_stem.entry((&key.ubi, stem)).or_default().push(key);
        }
    }
    let slips: Vec<_> = keys
        .iter()
        .filter(|key| !known.contains(*key))
        .filter_map(|key| {
            let Likeness { bare, stem } = key.license.likeness();
            let (bare, stem) = ((&key.ubi, bare), stem.map(|stem| (&key.ubi, stem)));
            let like = [by_bare.get(&bare), stem.and_then(|stem| by_bare.get(&stem)), by_stem.get(&bare)];
            let mut others =
                like.into_iter().flatten().flatten().filter(|other| other.license != key.license);
            Some((key, &others.next()?.license))
        })
        .collect();
    for (key, other) in slips.iter().take(SAID) {
        call.env.terminal.say(&format!("Note: {key} is very like {other}. Is it another location?"));
    }
    if slips.len() > SAID {
        call.env.terminal.say(&format!("Note: so are {} more.", slips.len() - SAID));
    }
}

/// What can't be done without is asked for at a terminal, and named elsewhere.
fn ask_for_missing(args: &mut Args, call: &Call<'_>) -> Result<()> {
    let wanted = [
        ("--ubi", "UBI of the company", &mut args.ubi),
        ("--license", "BioTrack location license", &mut args.license),
        ("--username", "Admin user (e-mail of the BioTrack account)", &mut args.username),
    ];
    let missing: Vec<_> = wanted.into_iter().filter(|(_, _, value)| value.is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !call.env.terminal.attended() {
        return Err(Error::MissingFlags { flags: missing.into_iter().map(|(flag, _, _)| flag).collect() });
    }
    call.env.terminal.say("No password is asked for here: the admin user types it on BioTrack's page only.");
    for (_, question, value) in missing {
        *value = Some(call.env.terminal.ask(question, None)?);
    }
    Ok(())
}

/// A slip is likelier than an odd license: said once, never refused.
fn warn<'r>(call: &Call<'_>, key: &Key, known: impl Iterator<Item = &'r Authorization>) {
    for (name, text) in [("UBI", key.ubi.as_str()), ("license", key.license.as_str())] {
        if let Some(odd) = odd_shape(text) {
            call.env.terminal.say(&format!("Note: the {name} \"{text}\" {odd}. It's kept exactly as typed."));
        }
    }
    for record in known.filter(|record| near_duplicates(&record.key.license, &key.license)) {
        call.env.terminal.say(&format!(
            "Note: {} is very like {}, which is registered already. Is it another location?",
            key.license, record.key.license
        ));
    }
}
