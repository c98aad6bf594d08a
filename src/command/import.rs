//! `import`: records, and tokens out of a sealed bundle, merged by license; all of them in one commit, or none.

use super::{Invocation, file};
use crate::config::Config;
use crate::custody::{Bundle, RecordToImport, require_idle};
use crate::error::{Error, LedgerError, Result, RowProblem, clean, counted, first_few};
use crate::model::authorization::Authorization;
use crate::model::instant::for_machines;
use crate::model::rows::{self, MOST_BYTES};
use crate::model::secret::Sealable;
use crate::model::slips::likely_typos;
use crate::model::transfer::{
    ExportDocument, FileTokens, ImportEffect, ImportedRow, MergedRecord, TokensHere, WrittenRecord, merge,
};
use crate::report::{DOCUMENT_VERSION, ImportDocument};
use crate::vault::{IdentityFile, is_sealed, open_with};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Import records from a CSV or JSON file of `export`, or from its sealed file with the tokens
///
/// The command merges by profile, UBI and license. It shows every addition and change, field by field, and asks before it
/// writes; it asks again if another process has changed the records meanwhile. It skips and names rows that would overwrite a
/// newer grant. A column that the CSV lacks stays as it is; an empty cell clears the value. A grant without its tokens is
/// marked as exported. The import is one commit, or nothing.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("what").args(["file", "adopt"]).required(true).multiple(true))]
#[command(after_help = "\
Examples:
  biotrack-auth import stores.csv --dry-run
  biotrack-auth import moving.age                          # opened with this host's identity
  biotrack-auth import backup.age --identity key.txt --yes
  biotrack-auth import --adopt                             # use the tokens of a restored backup on this host")]
pub struct Args {
    /// Import this file (`-` for standard input)
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Show the changes, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Don't ask for confirmation
    #[arg(long)]
    yes: bool,

    /// Open a sealed bundle with this identity instead of this host's own
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,

    /// Activate the tokens of a restored backup on this host, if no other host still uses them
    #[arg(long, conflicts_with = "dry_run")]
    adopt: bool,
}

/// So many licenses are named in a sentence.
const NAMED: usize = 10;

/// What a file holds.
struct FileContents {
    rows: Vec<(ImportedRow, Option<Sealable>)>,
    tokens: FileTokens,
    /// They come from a backup, and are this ledger's own as soon as they are here.
    adopted: bool,
}

pub(super) fn run(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    let (config, provider) = call.provider()?;
    let held = match &args.file {
        Some(file) => read(file, args, call, &provider.profile)?,
        None => FileContents { rows: Vec::new(), tokens: FileTokens::None, adopted: false },
    };
    let from = args.file.as_ref().map_or_else(String::new, |it| file::name(it));
    let known: BTreeSet<String> = config.names().into_iter().collect();
    strangers(&held, &known, &from, call.env.clock.now())?;
    if args.dry_run {
        return dry_run(&held, args, call, &config);
    }
    let mut workspace = match &args.file {
        Some(_) => call.workspace_or_make()?,
        None => call.workspace()?,
    };
    if args.adopt {
        tell_of_doubts(&workspace, &provider.profile, call)?;
    }
    tell_slips(&held, Some(&workspace), call)?;
    let document = take_in(&held, args, call, &mut workspace, &from)?;
    let meant: BTreeSet<_> =
        held.rows.iter().map(|(row, _)| (row.record.profile.clone(), row.record.key.clone())).collect();
    let mut adopted = 0;
    if args.adopt {
        let all = args.file.is_none();
        // Those that came just now were never anybody else's here.
        adopted = if held.adopted { document.token_sets() } else { 0 };
        let waited = workspace.custody.activate_backup_tokens(|record| {
            all && record.profile == provider.profile
                || meant.contains(&(record.profile.clone(), record.key.clone()))
        })?;
        adopted += waited.len();
    }
    if call.json {
        call.env.terminal.answer(&call.json_text(&document.with_adopted(adopted))?)?;
    } else if args.adopt {
        let records = counted(adopted, "authorization is", "authorizations are");
        call.env.terminal.info(&format!("{records} now in use on this host."));
    }
    Ok(0)
}

/// What would be changed: nothing is, and nothing is written.
fn dry_run(held: &FileContents, args: &Args, call: &Invocation<'_>, config: &Config) -> Result<u8> {
    let reader = call.reading_bench(config)?;
    tell_slips(held, reader.as_ref(), call)?;
    let (merged, _) = compared(held, reader.as_ref())?;
    let document = ImportDocument::of(&merged, true);
    show(args, call, &document)?;
    if call.json {
        call.env.terminal.answer(&call.json_text(&document.with_adopted(0))?)?;
    }
    Ok(0)
}

/// What is adopted of a ledger that went back in time may be dead: whoever agrees to it knows.
fn tell_of_doubts(workspace: &super::Workspace<'_>, profile: &str, call: &Invocation<'_>) -> Result<()> {
    let doubted = workspace.custody.ledger().possibly_spent(profile)?;
    if !doubted.is_empty() {
        let licenses: Vec<_> = doubted.iter().map(|key| key.license.to_string()).collect();
        call.env.terminal.print_always(&format!(
            "The ledger went back in time: the refresh tokens of {} may already be used. Each token is tried when its access token expires; if it was already used, the grant ends.",
            first_few(&licenses, NAMED)
        ));
    }
    Ok(())
}

/// Takes in what was shown and agreed to. Where others have changed what it was merged with, it's merged anew; where it would
/// do something else by now, that is shown and asked about, too.
fn take_in(
    held: &FileContents,
    args: &Args,
    call: &Invocation<'_>,
    workspace: &mut super::Workspace<'_>,
    from: &str,
) -> Result<ImportDocument> {
    const TRIES: usize = 5;
    let mut agreed = None;
    let mut tried = 1;
    loop {
        let (merged, mut takings) = compared(held, Some(&*workspace))?;
        let document = ImportDocument::of(&merged, false);
        if agreed.as_ref() != Some(&document) {
            if agreed.is_some() {
                call.env.terminal.info("The ledger has changed meanwhile. These are the changes now:");
            }
            show(args, call, &document)?;
            if confirm(args, call, &document)? {
                // A person takes their time, and others may have gone on.
                agreed = Some(document);
                continue;
            }
        }
        takings.retain(|it| it.merged.effect != ImportEffect::Same);
        if !document.changes_anything() {
            return Ok(document);
        }
        match workspace.custody.take_in(takings, from) {
            Ok(()) => return Ok(document),
            Err(Error::Ledger(LedgerError::Changed { .. })) if tried < TRIES => tried += 1,
            Err(e) => return Err(e),
        }
        agreed = Some(document);
    }
}

/// What a person is asked about is talk; what was asked for is the answer.
fn show(args: &Args, call: &Invocation<'_>, document: &ImportDocument) -> Result<()> {
    if args.file.is_none() || call.json {
        return Ok(());
    }
    let text = clean_lines(&document.in_words());
    match args.dry_run {
        true => call.env.terminal.answer(&text),
        false => {
            call.env.terminal.info(text.trim_end());
            Ok(())
        }
    }
}

/// The file as rows, whichever of the three forms it has.
fn read(path: &Path, args: &Args, call: &Invocation<'_>, profile: &str) -> Result<FileContents> {
    let name = file::name(path);
    let whole_file = bytes(path, &name, call)?;
    // Programs of Windows begin UTF-8 with a mark.
    let bytes = whole_file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&whole_file);
    let refused = |complaints| Error::Rows { path: name.clone(), complaints };
    let one = |problem: String| vec![RowProblem { line: None, column: None, problem }];
    if is_utf16_from(bytes, b"{-") {
        let problem = "is UTF-16, but must be UTF-8: write it with --output instead of PowerShell's >, or convert it: \
                       Get-Content FILE | Set-Content -Encoding utf8 NEW";
        return Err(refused(one(problem.into())));
    }
    if is_sealed(bytes) {
        let identity = match &args.identity {
            Some(named) => IdentityFile::at(named).asking(call.env.terminal.asker()),
            None => super::identity(call.env),
        };
        let bundle = Bundle::read(&open_with(&identity, bytes, &name)?, &name)?;
        let tokens = if bundle.backup && !args.adopt { FileTokens::Backup } else { FileTokens::Move };
        let adopted = bundle.backup && args.adopt;
        let (mut rows, mut complaints) = (Vec::new(), Vec::new());
        for (at, row) in bundle.rows.into_iter().enumerate() {
            match row.record.incoming(at + 1) {
                Ok(incoming) => rows.push((incoming, row.tokens)),
                Err(complaint) => complaints.push(complaint),
            }
        }
        return whole(rows, complaints, name.clone()).map(|rows| FileContents { rows, tokens, adopted });
    }
    if args.identity.is_some() {
        return Err(Error::Usage {
            what: format!("{name} isn't sealed, so --identity has no effect"),
            hint: "Remove --identity.".into(),
        });
    }
    let incoming = if bytes.trim_ascii_start().starts_with(b"{") {
        let document: ExportDocument = serde_json::from_slice(bytes).map_err(|e| {
            refused(one(format!("isn't in the format of `export --format json`: {}", clean(&e.to_string()))))
        })?;
        if !(1..=DOCUMENT_VERSION).contains(&document.schema) {
            return Err(refused(one("was written by a newer biotrack-auth".into())));
        }
        tell_odd(&document.authorizations, call);
        let (mut rows, mut complaints) = (Vec::new(), Vec::new());
        for (at, record) in document.authorizations.into_iter().enumerate() {
            match record.incoming(at + 1) {
                Ok(incoming) => rows.push(incoming),
                Err(complaint) => complaints.push(complaint),
            }
        }
        whole(rows, complaints, name.clone())?
    } else {
        let sheet = rows::incoming(bytes, profile).map_err(refused)?;
        file::tell(call, &sheet);
        sheet.rows
    };
    Ok(FileContents {
        rows: incoming.into_iter().map(|it| (it, None)).collect(),
        tokens: FileTokens::None,
        adopted: false,
    })
}

/// What is odd about texts of a JSON file. A spreadsheet may stand before whatever wrote it.
fn tell_odd(records: &[WrittenRecord], call: &Invocation<'_>) {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for record in records {
        for odd in record.odd() {
            found.entry(odd).or_default().push(record.license());
        }
    }
    for ((column, why), licenses) in &found {
        call.env.terminal.info(&format!("Note: {}, column {column}: {why}", first_few(licenses, NAMED)));
    }
    if !found.is_empty() {
        file::tell_as_written(call);
    }
}

/// Whether it's UTF-16 whose first letter is one of these, which begin a JSON document or an armored bundle: older PowerShells
/// write so what they redirect into a file.
fn is_utf16_from(bytes: &[u8], letters: &[u8]) -> bool {
    let marked = bytes.strip_prefix(b"\xff\xfe").or_else(|| bytes.strip_prefix(b"\xfe\xff"));
    let ascii = |pair: &[u8]| match pair {
        [0, c] | [c, 0] => *c,
        _ => 0,
    };
    let first = marked.unwrap_or(bytes).chunks_exact(2).map(ascii).find(|c| !c.is_ascii_whitespace());
    first.is_some_and(|first| letters.contains(&first))
}

fn bytes(path: &Path, name: &str, call: &Invocation<'_>) -> Result<Vec<u8>> {
    let unread = |reason: String| Error::File { path: name.into(), reason };
    let bytes = file::bytes(path, call).map_err(|e| unread(e.to_string()))?;
    match bytes.len() > MOST_BYTES {
        true => Err(unread(format!("it's larger than {} MiB", MOST_BYTES / 1024 / 1024))),
        false => Ok(bytes),
    }
}

fn whole<T>(rows: Vec<T>, complaints: Vec<RowProblem>, path: String) -> Result<Vec<T>> {
    if complaints.is_empty() { Ok(rows) } else { Err(Error::Rows { path, complaints }) }
}

/// Rows of profiles that aren't configured here, licenses that stand twice, and times that can't be.
fn strangers(held: &FileContents, known: &BTreeSet<String>, from: &str, now: Timestamp) -> Result<()> {
    let mut seen = BTreeSet::new();
    let mut complaints = Vec::new();
    for (row, _) in &held.rows {
        if !known.contains(&row.record.profile) {
            let problem = format!(
                "{}: profile \"{}\" isn't configured here (config init --profile creates it)",
                row.record.key.license,
                clean(&row.record.profile)
            );
            complaints.push(RowProblem { line: row.line, column: None, problem });
        }
        if let Some(odd) = impossible_time(&row.record, now) {
            let problem = format!("{}: {odd}", row.record.key.license);
            complaints.push(RowProblem { line: row.line, column: None, problem });
        }
        if !seen.insert((row.record.profile.clone(), row.record.key.clone())) {
            let problem = format!("{} appears twice", row.record.key);
            complaints.push(RowProblem { line: row.line, column: None, problem });
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(Error::Rows { path: from.into(), complaints }) }
}

/// What is likely a slip among the rows of a CSV: said before anybody is asked.
fn tell_slips(
    held: &FileContents,
    workspace: Option<&super::Workspace<'_>>,
    call: &Invocation<'_>,
) -> Result<()> {
    let mut by_profile = BTreeMap::<&str, Vec<_>>::new();
    for (row, _) in &held.rows {
        let rows = row.line.map(|line| (line, &row.record.key));
        by_profile.entry(&row.record.profile).or_default().extend(rows);
    }
    for (profile, rows) in by_profile {
        let known =
            workspace.map_or(Ok(Vec::new()), |workspace| workspace.custody.ledger().standings(profile))?;
        file::tell_notes(call, &likely_typos(&rows, known.iter().map(|it| &it.record.key)));
    }
    Ok(())
}

/// A consent that is still to come, or an end that no grant has: whoever typed it slipped, and a store would count as granted.
fn impossible_time(record: &Authorization, now: Timestamp) -> Option<String> {
    /// Two machines' clocks may differ.
    const CLOCKS: SignedDuration = SignedDuration::from_hours(24);
    const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);
    let past = [("created_at", record.created_at), ("renewed_at", record.renewed_at)];
    let ahead = |at: Timestamp| at.duration_since(now);
    let ahead_of_now =
        past.into_iter().find_map(|(name, at)| Some((name, at?)).filter(|(_, at)| ahead(*at) > CLOCKS));
    if let Some((name, at)) = ahead_of_now {
        return Some(format!("{name} {} is in the future", for_machines(at)));
    }
    let far = record.expires_at.filter(|at| ahead(*at) > LONGEST)?;
    Some(format!("expires_at {} is more than 10 years away", for_machines(far)))
}

/// What each row changes of what is here now.
fn compared<'f>(
    held: &'f FileContents,
    workspace: Option<&super::Workspace<'_>>,
) -> Result<(Vec<MergedRecord>, Vec<RecordToImport<'f>>)> {
    let mut standings = BTreeMap::new();
    let profiles: BTreeSet<_> = held.rows.iter().map(|(row, _)| row.record.profile.clone()).collect();
    for profile in profiles {
        let known =
            workspace.map_or(Ok(Vec::new()), |workspace| workspace.custody.ledger().standings(&profile))?;
        for standing in known {
            standings.insert((profile.clone(), standing.record.key.clone()), standing);
        }
    }
    let (mut all, mut takings) = (Vec::new(), Vec::new());
    for (row, tokens) in &held.rows {
        let ours = standings.get(&(row.record.profile.clone(), row.record.key.clone()));
        let worth = if tokens.is_some() { held.tokens } else { FileTokens::None };
        let beside = workspace.map(|workspace| workspace.custody.tokens_beside(&row.record, tokens.as_ref()));
        let here = beside.unwrap_or(Ok(TokensHere::None))?;
        let merged = merge(ours.map(|it| &it.record), row, here, worth);
        if let (Some(ours), true) = (ours, merged.effect != ImportEffect::Same) {
            require_idle(ours)?;
        }
        all.push(merged.clone());
        takings.push(RecordToImport { merged, tokens: tokens.as_ref() });
    }
    Ok((all, takings))
}

/// Whether somebody was asked; an error where they said no.
fn confirm(args: &Args, call: &Invocation<'_>, document: &ImportDocument) -> Result<bool> {
    if args.yes || !(document.changes_anything() || args.adopt) {
        return Ok(false);
    }
    let terminal = &call.env.terminal;
    let action = match args.adopt {
        true => "use a backup's tokens here (no other host may use them anymore)",
        false => "import these records",
    };
    if !terminal.interactive() {
        return Err(Error::NeedsYes { action: format!("to {action}") });
    }
    let question = format!("Really {action}?");
    if terminal.confirm(&question)? { Ok(true) } else { Err(Error::NotConfirmed { what: question }) }
}

fn clean_lines(text: &str) -> String {
    text.lines().map(|line| clean(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::is_utf16_from;

    #[test]
    fn a_document_in_utf16_is_recognized_in_either_order_with_its_mark_or_without() {
        let text = "\r\n {\"schema\":2}";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for utf16 in [
            little.clone(),
            big.clone(),
            [b"\xff\xfe".to_vec(), little].concat(),
            [b"\xfe\xff".to_vec(), big].concat(),
        ] {
            assert!(is_utf16_from(&utf16, b"{"), "{utf16:?}");
        }
        let sheet: Vec<u8> = "license,ubi".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for other in [text.as_bytes(), b"", b"{", b"license,ubi", &sheet] {
            assert!(!is_utf16_from(other, b"{"), "{other:?}");
        }
    }
}
