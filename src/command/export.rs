//! `export`: records as a file; with their tokens only sealed to named recipients.

use super::form::{ByteOrderMark, format_of};
use super::{Invocation, Workspace};
use crate::custody::SealedExport;
use crate::error::{Error, Result, clean, counted};
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::selection;
use crate::report::{DOCUMENT_VERSION, export_csv, export_json};
use crate::system::files;
use crate::vault::check_recipient;
use std::path::{Path, PathBuf};

/// Export records as CSV or JSON, or with their tokens sealed to an age recipient
///
/// A plain export contains no secrets and no values that change with time: importing it and exporting again yields the same file.
///
/// With --with-secrets the file also contains the tokens, and only the recipients can open it. Only one host may use a
/// grant's tokens: this ledger forgets them, marks the license as exported, and never refreshes or revokes the grant again.
/// With --backup the tokens stay in use here; a host that imports the file doesn't use them until `import --adopt`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth export --output stores.csv
  biotrack-auth export --output stores.csv --bom           # for Excel
  biotrack-auth export --tag downstate --format json
  biotrack-auth export --with-secrets --backup --recipient age1… --output backup.age
  biotrack-auth export 101-X0007-D1 --with-secrets --recipient age1… --output moving.age")]
pub struct Args {
    /// Select only these, by license, UBI/LICENSE, OCM license or store name
    #[arg(value_name = "SELECTOR")]
    selectors: Vec<String>,

    /// Select only licenses with this tag
    #[arg(long, value_name = "TAG", allow_hyphen_values = true)]
    tag: Option<String>,

    /// Choose the output format [default: csv]
    #[arg(long, value_name = "FORMAT", value_enum, conflicts_with = "with_secrets")]
    format: Option<Format>,

    #[command(flatten)]
    bom: ByteOrderMark,

    /// Write to FILE in one step (`-` for standard output); a file with secrets is never overwritten
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Move the tokens into the file, sealed; with --backup, copy them
    #[arg(long, requires = "recipients")]
    with_secrets: bool,

    /// Seal the file to this age recipient (age1…); may be given several times
    #[arg(long = "recipient", value_name = "AGE1…", requires = "with_secrets")]
    recipients: Vec<String>,

    /// With --with-secrets: keep using the tokens here
    #[arg(long, requires = "with_secrets")]
    backup: bool,

    /// With --with-secrets: write text that can be mailed [default: only at a terminal]
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
        args.bom.before(false, false)?;
        return with_secrets(args, call);
    }
    let format = format_of(args.format, call.json.then_some(Format::Json), Format::Csv)?;
    let to_terminal = args.output.is_none() && call.env.terminal.out_is_terminal();
    let mark = args.bom.before(format == Format::Csv, to_terminal)?;
    let (config, provider) = call.provider()?;
    let standings = super::read_ledger(call.env, &config)?.standings(&provider.profile)?;
    let chosen = chosen(args, &provider.profile, standings)?;
    let records: Vec<&Authorization> = chosen.iter().map(|it| &it.record).collect();
    let text = match format {
        Format::Csv => format!("{mark}{}", export_csv(&records)?),
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
        _ => selection::resolve_all(&args.selectors, profile, &all, |it| &it.record)?
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
            what: format!("{} already exists, and a file with secrets is never overwritten", file.display()),
            hint: "Choose another file with --output.".into(),
        });
    }
    if call.json && args.output.is_none() {
        return Err(Error::Usage {
            what:
                "--json with --with-secrets needs --output, because standard output carries the sealed file"
                    .into(),
            hint: "Add --output FILE.".into(),
        });
    }
    let mut workspace = call.workspace()?;
    let profile = workspace.provider.profile.clone();
    let standings = chosen(args, &profile, workspace.custody.ledger().standings(&profile)?)?;
    let packed = workspace.custody.pack(&standings, args.backup, &args.recipients, armored)?;
    let (records, token_sets) = (packed.records, packed.token_sets());
    let to = args.recipients.join(", ");
    let output = args.output.as_deref().map(std::path::absolute).transpose().map_err(|e| Error::File {
        path: args.output.as_ref().map_or_else(String::new, |it| it.display().to_string()),
        reason: e.to_string(),
    })?;
    match args.backup || token_sets == 0 {
        true => keep_a_copy(&mut workspace, packed, &to, output.as_deref(), call)?,
        false => give_away(&mut workspace, packed, &to, output.as_deref(), call)?,
    }
    let fate = match (args.backup, token_sets) {
        (true, _) => "The tokens stay in use here; a restored copy isn't used until import --adopt.",
        (false, 0) => "There were no tokens to export.",
        (false, _) => {
            "The tokens have left this host: keep the file until you have imported it on the new host."
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
            schema: DOCUMENT_VERSION,
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
    workspace: &mut Workspace<'_>,
    packed: SealedExport,
    to: &str,
    output: Option<&Path>,
    call: &Invocation<'_>,
) -> Result<()> {
    match output {
        Some(file) => files::write_new(file, &packed.bytes)?,
        None => call.env.terminal.hand_over(&packed.bytes)?,
    }
    workspace.custody.hand_over(packed, true, to).inspect_err(|_| {
        output.map(std::fs::remove_file);
    })
}

/// The tokens leave. It's noted first; then the bundle is written, under a name that nobody takes for a bundle's; then the
/// tokens go from here; and only then the file gets its name. Cut short anywhere, the next command finishes it, or takes it back.
fn give_away(
    workspace: &mut Workspace<'_>,
    packed: SealedExport,
    to: &str,
    output: Option<&Path>,
    call: &Invocation<'_>,
) -> Result<()> {
    let terminal = &call.env.terminal;
    let part = workspace.custody.announce(&packed, output)?;
    let written = match &part {
        Some(part) => files::write_unfinished(part, &packed.bytes),
        None => terminal.hand_over(&packed.bytes),
    };
    if let Err(e) = written {
        if part.is_none() {
            terminal
                .print_always("The tokens are still in use here: discard the output, and don't import it.");
        }
        workspace.custody.cancel_export()?;
        return Err(e);
    }
    if let Err(e) = workspace.custody.hand_over(packed, false, to) {
        // A commit that may show up after all is left to the next command, which sees what became of it.
        if !e.may_have_committed() {
            match &part {
                Some(part) => drop(std::fs::remove_file(part)),
                None => terminal.print_always(
                    "The tokens are still in use here: discard the output, and don't import it.",
                ),
            }
            workspace.custody.cancel_export()?;
        }
        return Err(e);
    }
    workspace.custody.complete_export()
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
