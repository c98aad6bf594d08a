//! `export`: records as a file; with their tokens only sealed to named recipients.

use super::form::format_of;
use super::{Invocation, Workspace};
use crate::custody::SealedExport;
use crate::error::{Error, Result, clean, counted};
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::selection;
use crate::report::{SCHEMA, export_csv, export_json};
use crate::system::files;
use crate::vault::check_recipient;
use std::path::{Path, PathBuf};

/// Write records as CSV or JSON; with their tokens only sealed to a named age recipient
///
/// A plain export holds no secrets, and nothing that time changes: taken in and exported again it's the same file.
///
/// With --with-secrets the tokens go along, in a file that only the recipients can open. A grant has one home: its tokens
/// go from here, and it's marked as held elsewhere, never refreshed or revoked here again. With --backup they stay live
/// here, and records taken in from the file aren't refreshed or revoked there until `import --adopt`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth export --output stores.csv
  biotrack-auth export --tag downstate --format json
  biotrack-auth export --with-secrets --backup --recipient age1… --output backup.age
  biotrack-auth export 101-X0007-D1 --with-secrets --recipient age1… --output moving.age")]
pub struct Args {
    /// Only these: a license, UBI/LICENSE, an OCM license or a store's name
    #[arg(value_name = "SELECTOR")]
    selectors: Vec<String>,

    /// Only those with this tag
    #[arg(long, value_name = "TAG", allow_hyphen_values = true)]
    tag: Option<String>,

    /// How to write them [default: csv]
    #[arg(long, value_name = "FORMAT", value_enum, conflicts_with = "with_secrets")]
    format: Option<Format>,

    /// Write to FILE in one step (`-` for standard output); one with secrets is never overwritten
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The tokens go along, sealed: they leave this ledger, unless it's a backup
    #[arg(long, requires = "recipients")]
    with_secrets: bool,

    /// Who can open it: an age recipient (age1…); may be given several times
    #[arg(long = "recipient", value_name = "AGE1…", requires = "with_secrets")]
    recipients: Vec<String>,

    /// With --with-secrets: the tokens stay live here
    #[arg(long, requires = "with_secrets")]
    backup: bool,

    /// With --with-secrets: as text that survives a mail [default: only at a terminal]
    #[arg(long, requires = "with_secrets")]
    armor: bool,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For spreadsheets
    Csv,
    /// One document
    Json,
}

pub(super) fn run(mut args: Args, call: &Invocation<'_>) -> Result<u8> {
    args.output = args.output.filter(|file| file.as_os_str() != "-");
    let args = &args;
    if args.with_secrets {
        return with_secrets(args, call);
    }
    let format = format_of(args.format, call.json.then_some(Format::Json), Format::Csv)?;
    let (config, provider) = call.provider()?;
    let standings = super::read_ledger(call.env, &config)?.standings(&provider.profile)?;
    let chosen = chosen(args, &provider.profile, standings)?;
    let records: Vec<&Authorization> = chosen.iter().map(|it| &it.record).collect();
    let text = match format {
        Format::Csv => export_csv(&records)?,
        Format::Json => super::as_json(export_json(&records))?,
    };
    const FOR_ALL: u32 = 0o644;
    match &args.output {
        Some(file) => files::replace(file, text.as_bytes(), FOR_ALL)?,
        None => call.env.terminal.answer(&text)?,
    }
    Ok(0)
}

fn chosen(
    args: &Args,
    profile: &str,
    all: Vec<AuthorizationWithFlows>,
) -> Result<Vec<AuthorizationWithFlows>> {
    let mut chosen: Vec<AuthorizationWithFlows> = match args.selectors[..] {
        [] => all,
        _ => selection::several(&args.selectors, profile, &all, |it| &it.record)?
            .into_iter()
            .cloned()
            .collect(),
    };
    if let Some(tag) = &args.tag {
        chosen.retain(|it| it.record.tags.iter().any(|one| one.as_str() == tag));
    }
    Ok(chosen)
}

fn with_secrets(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    for recipient in &args.recipients {
        check_recipient(recipient).map_err(|e| Error::Usage {
            what: e.to_string(),
            hint: "A recipient is a public key that begins with age1: `config recipients list` shows a host's own.".into(),
        })?;
    }
    let terminal = &call.env.terminal;
    let armored = args.armor || args.output.is_none() && terminal.out_is_terminal();
    // defense: S30 export-overwrites-nothing
    if let Some(file) = &args.output
        && file.symlink_metadata().is_ok()
    {
        return Err(Error::Usage {
            what: format!("{} exists already, and a file with secrets is never overwritten", file.display()),
            hint: "Name another file with --output.".into(),
        });
    }
    if call.json && args.output.is_none() {
        return Err(Error::Usage {
            what: "--json needs --output where secrets are exported: standard output is the sealed file's"
                .into(),
            hint: "Add --output FILE.".into(),
        });
    }
    let mut bench = call.bench()?;
    let profile = bench.provider.profile.clone();
    let standings = chosen(args, &profile, bench.custody.ledger().standings(&profile)?)?;
    let packed = bench.custody.pack(&standings, args.backup, &args.recipients, armored)?;
    let (records, token_sets) = (packed.records, packed.token_sets());
    let to = args.recipients.join(", ");
    let output = args.output.as_deref().map(std::path::absolute).transpose().map_err(|e| Error::File {
        path: args.output.as_ref().map_or_else(String::new, |it| it.display().to_string()),
        reason: e.to_string(),
    })?;
    match args.backup || token_sets == 0 {
        true => keep_a_copy(&mut bench, packed, &to, output.as_deref(), call)?,
        false => give_away(&mut bench, packed, &to, output.as_deref(), call)?,
    }
    let fate = match (args.backup, token_sets) {
        (true, _) => "The tokens stay live here; a restored copy isn't used until import --adopt.",
        (false, 0) => "No tokens were here to go along.",
        (false, _) => {
            "The tokens are gone from here: keep the file until it's imported where they live from now on."
        }
    };
    terminal.info(&format!(
        "{}, {}, sealed to {}. {fate}",
        counted(records, "record", "records"),
        counted(token_sets, "token set", "token sets"),
        clean(&to)
    ));
    if call.json {
        let answer = ExportAnswer {
            schema: SCHEMA,
            output: args.output.as_ref().map(|it| clean(&it.display().to_string())),
            backup: args.backup,
            records,
            token_sets,
            recipients: args.recipients.clone(),
        };
        terminal.answer(&call.json_text(&answer)?)?;
    }
    Ok(0)
}

/// The tokens stay live here: whoever finds the file doesn't use them.
fn keep_a_copy(
    bench: &mut Workspace<'_>,
    packed: SealedExport,
    to: &str,
    output: Option<&Path>,
    call: &Invocation<'_>,
) -> Result<()> {
    match output {
        Some(file) => files::write_new(file, &packed.bytes)?,
        None => call.env.terminal.hand_over(&packed.bytes)?,
    }
    bench.custody.hand_over(packed, true, to).inspect_err(|_| {
        output.map(std::fs::remove_file);
    })
}

/// The tokens leave. It's noted first; then the bundle is written, under a name that nobody takes for a bundle's; then the
/// tokens go from here; and only then the file gets its name. Cut short anywhere, the next command finishes it, or takes it back.
fn give_away(
    bench: &mut Workspace<'_>,
    packed: SealedExport,
    to: &str,
    output: Option<&Path>,
    call: &Invocation<'_>,
) -> Result<()> {
    let terminal = &call.env.terminal;
    let part = bench.custody.announce(&packed, output)?;
    let written = match &part {
        Some(part) => files::write_unfinished(part, &packed.bytes),
        None => terminal.hand_over(&packed.bytes),
    };
    if let Err(e) = written {
        if part.is_none() {
            terminal
                .always("The tokens are still live here: throw away what was written, and don't import it.");
        }
        bench.custody.announced_is_taken_back()?;
        return Err(e);
    }
    if let Err(e) = bench.custody.hand_over(packed, false, to) {
        // A commit that may show up after all is left to the next command, which sees what became of it.
        if !e.may_show_up() {
            match &part {
                Some(part) => drop(std::fs::remove_file(part)),
                None => terminal.always(
                    "The tokens are still live here: throw away what was written, and don't import it.",
                ),
            }
            bench.custody.announced_is_taken_back()?;
        }
        return Err(e);
    }
    bench.custody.announced_has_left()
}

/// What `export --with-secrets --output FILE --json` prints.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ExportAnswer {
    schema: u8,
    output: Option<String>,
    backup: bool,
    records: usize,
    token_sets: usize,
    recipients: Vec<String>,
}
