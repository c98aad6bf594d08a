//! `man`: a page for each command, out of the definitions that make the help.

use super::Invocation;
use crate::error::{EXIT_CODES, Error, Result, clean, counted};
use crate::report::DOCUMENT_VERSION;
use crate::system::files;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use std::path::{Path, PathBuf};

/// Write the man pages, one for each command; without DIR, print the main page
///
/// With a command's name instead of DIR, print that command's page.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth man | man -l -
  biotrack-auth man renew | man -l -
  biotrack-auth man ~/.local/share/man/man1")]
pub struct Args {
    /// Write into this folder, which is created if its name has a slash; or print this command's page
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// What is read and written, where nothing else is said.
const FILES: [(&str, &str); 4] = [
    (
        "~/.config/biotrack-auth/config.toml",
        "the configuration; `biotrack-auth config path` prints its place",
    ),
    ("~/.config/biotrack-auth/identity.txt", "this host's identity, if the vault is \"sealed\""),
    (
        "~/.local/share/biotrack-auth/ledger.db",
        "the ledger: records, journal and history; back up ledger.db-wal with it",
    ),
    ("$BIOTRACK_AUTH_HOME", "if set, the one folder for all of these"),
];

/// What the environment may say.
const ENVIRONMENT: [(&str, &str); 9] = [
    ("BIOTRACK_AUTH_HOME", "one folder for configuration, ledger and everything else"),
    ("BIOTRACK_AUTH_PROFILE", "the profile to use"),
    ("BIOTRACK_AUTH_IDENTITY", "the sealed vault's identity file"),
    ("CREDENTIALS_DIRECTORY", "set by systemd; the identity in it is named biotrack-auth-identity"),
    ("BROWSER", "the command that opens the Grant Access page"),
    ("NO_COLOR", "turns color off"),
    (
        "HTTPS_PROXY",
        "the proxy for requests to the provider; on Windows and macOS, the system's settings name one otherwise",
    ),
    ("NO_PROXY", "hosts that need no proxy"),
    ("SSL_CERT_FILE", "the certificates to trust instead of the system's, in requests to the provider"),
];

/// What `status --check` answers a monitoring daemon.
const CHECK: [(u8, &str); 4] = [
    (0, "OK; nothing registered, with --allow-empty"),
    (
        1,
        "WARNING: due or inside --warning, uncertain, awaiting approval, revocation pending, or a hand-off has lapsed",
    ),
    (2, "CRITICAL: expired, invalid, or inside --critical"),
    (
        3,
        "UNKNOWN: nothing registered or selected, a bad flag, no configuration, or a ledger that can't be read",
    ),
];

/// When the pages' words were last changed.
const DATE: &str = "2026-11-24";

const STARTING: &str = "\
biotrack-auth config init
biotrack-auth register --ubi 604001234 --license 101-X0007-D1 --username ann@store.example
biotrack-auth status
biotrack-auth renew 101-X0007-D1";

pub(super) fn run(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    const FOR_ALL: u32 = 0o644;
    let mut tree = (call.tree)().disable_help_subcommand(true);
    tree.build();
    let Some(folder) = &args.folder else {
        let text = page(&tree, None, &tree)?;
        let answer = match call.json {
            true => {
                let main = Page { name: format!("{}.1", name(&tree)), text: Some(text) };
                call.json_text(&ManDocument { schema: DOCUMENT_VERSION, folder: None, pages: vec![main] })?
            }
            false => text,
        };
        call.env.terminal.answer(&answer)?;
        return Ok(0);
    };
    let named = folder.to_str().and_then(|name| visible(&tree).find(|it| it.get_name() == name));
    if let (Some(command), false) = (named, folder.is_dir()) {
        call.env.terminal.answer(&page(command, Some(&tree), &tree)?)?;
        return Ok(0);
    }
    // A slip of a command's name makes no folder of pages.
    if folder.components().count() == 1 && !folder.is_dir() && !is_path(folder) {
        return Err(Error::Usage {
            what: "there is no command or folder with that name".into(),
            hint: "For a new folder, pass a path such as ./man1. To list the commands: biotrack-auth --help"
                .into(),
        });
    }
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::File { path: folder.display().to_string(), reason: e.to_string() })?;
    let mut pages = Vec::new();
    collect(&tree, None, &tree, &mut pages)?;
    for (name, text) in &pages {
        files::replace(&folder.join(name), text.as_bytes(), FOR_ALL)?;
    }
    call.env.terminal.info(&format!("{} written.", counted(pages.len(), "page", "pages")));
    if call.json {
        let folder = Some(clean(&folder.display().to_string()));
        let pages = pages.into_iter().map(|(name, _)| Page { name, text: None }).collect();
        call.env.terminal.answer(&call.json_text(&ManDocument {
            schema: DOCUMENT_VERSION,
            folder,
            pages,
        })?)?;
    }
    Ok(0)
}

/// Whether it's written as a path, and not as a name.
fn is_path(folder: &Path) -> bool {
    folder.to_string_lossy().contains(std::path::is_separator)
}

/// What `man --json` prints.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ManDocument {
    schema: u8,
    /// Where the pages were written; `null` if the page is in this document.
    folder: Option<String>,
    pages: Vec<Page>,
}

/// One manual page.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Page {
    /// The file's name.
    name: String,
    /// The page itself; `null` if it was written into the folder.
    text: Option<String>,
}

fn collect(
    command: &Command,
    above: Option<&Command>,
    top: &Command,
    pages: &mut Vec<(String, String)>,
) -> Result<()> {
    pages.push((format!("{}.1", name(command)), page(command, above, top)?));
    visible(command).try_for_each(|below| collect(below, Some(command), top, pages))
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set())
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, above: Option<&Command>, top: &Command) -> Result<String> {
    let unmade = |e: std::io::Error| Error::Internal(format!("a manual page can't be made: {e}"));
    // Options that every command takes stand once, at their own heading.
    let own = command.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_name_section(&mut page).map_err(unmade)?;
    Man::new(own).render_synopsis_section(&mut page).map_err(unmade)?;
    man.render_description_section(&mut page).map_err(unmade)?;
    man.render_options_section(&mut page).map_err(unmade)?;
    if visible(command).next().is_some() {
        man.render_subcommands_section(&mut page).map_err(unmade)?;
    }
    rest(command, above).to_writer(&mut page).map_err(unmade)?;
    // Each section brings the preamble along.
    let preamble = Roff::new().render();
    let text = String::from_utf8_lossy(&page).replace(&preamble, "").replace(".br\n\n.br\n", ".sp\n");
    let title = format!(
        ".TH {} 1 {DATE} \"biotrack-auth {}\" \"User Commands\"\n",
        name(command).to_uppercase(),
        top.get_version().unwrap_or_default()
    );
    Ok(format!("{preamble}{title}{}", text.lines().map(wrapped).collect::<String>()))
}

/// Text lines that fit a screen, as mandoc wants them; requests and escapes stay whole.
fn wrapped(line: &str) -> String {
    const WIDTH: usize = 78;
    let mut lines = vec![String::new()];
    for word in line.trim_end().split(' ') {
        let last = lines.len() - 1;
        let full = !lines[last].is_empty() && lines[last].len() + word.len() >= WIDTH;
        match full && !line.starts_with('.') {
            // A line must not begin like a request.
            true if word.starts_with(['.', '\'']) => lines.push(format!("\\&{word}")),
            true => lines.push(word.to_owned()),
            false if lines[last].is_empty() => lines[last].push_str(word),
            false => lines[last].extend([" ", word]),
        }
    }
    lines.join("\n") + "\n"
}

/// What clap doesn't know.
fn rest(command: &Command, above: Option<&Command>) -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["EXIT STATUS"]);
    let entry = |page: &mut Roff, term: Inline, said: &str| {
        page.control("TP", []).text([term]).text([roman(said)]);
    };
    for (code, meaning) in EXIT_CODES {
        entry(&mut page, bold(code.to_string()), meaning);
    }
    if command.get_arguments().any(|arg| arg.get_id() == "check") {
        page.control("PP", []).text([roman("With "), bold("--check"), roman(":")]);
        for (code, meaning) in CHECK {
            entry(&mut page, bold(code.to_string()), meaning);
        }
    }
    page.control("SH", ["ENVIRONMENT"]);
    for (variable, meaning) in ENVIRONMENT {
        entry(&mut page, bold(variable), meaning);
    }
    page.control("SH", ["FILES"]);
    for (file, meaning) in FILES {
        entry(&mut page, italic(file), meaning);
    }
    page.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in examples(command).lines() {
        // The remark behind a command is for the help alone.
        page.text([roman(line.split("  #").next().unwrap_or_default().trim())]);
    }
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]).text([roman(see_also(command, above))]);
    page
}

/// What the help shows below "Examples:"; the main page has a start of its own.
fn examples(command: &Command) -> String {
    let shown = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    match shown.strip_prefix("Examples:\n") {
        Some(examples) => examples.to_owned(),
        None => STARTING.to_owned(),
    }
}

fn see_also(command: &Command, above: Option<&Command>) -> String {
    let beside = above.into_iter().flat_map(visible).filter(|beside| name(beside) != name(command));
    let pages: Vec<_> = above
        .into_iter()
        .chain(beside)
        .chain(visible(command))
        .map(|page| format!("{}(1)", name(page)))
        .collect();
    pages.join(", ")
}
