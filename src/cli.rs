//! The top of the command line: global flags, dispatch, and how an error ends.

mod arguments;
mod in_time;

use crate::command::{self, Command, Invocation, completions, exec};
use crate::error::{EXIT_CODES, Error, ErrorCode, Result, clean};
use crate::system::{Clock, Color, Env, Verbosity, fault};
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The monitoring-plugin convention's exit code for a check that could not read the state.
const UNKNOWN: u8 = 3;

/// Manage integrator authorizations in BioTrack: register, renew, watch and deactivate.
///
/// A software vendor may report a store's sales to the state only while an admin user of that store has granted it
/// access on BioTrack's Grant Access page. A grant lasts 100 days; when it lapses, the store stops reporting.
#[derive(Debug, Parser)]
#[command(name = "biotrack-auth", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Use this profile [env: BIOTRACK_AUTH_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,

    /// Use this configuration file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print the answer as JSON on standard output
    #[arg(long, global = true)]
    json: bool,

    /// Never prompt, even in a terminal
    #[arg(long, global = true)]
    no_input: bool,

    /// Print only errors and requested output
    #[arg(short, long, global = true)]
    quiet: bool,

    /// Print more on standard error; repeat for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// Use color
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    color: Color,
}

/// The clap tree, for help, completions and man pages.
pub fn tree() -> clap::Command {
    let codes: Vec<String> =
        EXIT_CODES.iter().map(|(code, meaning)| format!("  {code:>3}  {meaning}")).collect();
    Cli::command().after_long_help(format!(
        "Exit codes:\n{}\n\nEnvironment:\n  \
         BIOTRACK_AUTH_HOME      one folder for configuration, ledger and everything else\n  \
         BIOTRACK_AUTH_PROFILE   the profile to use\n  \
         BIOTRACK_AUTH_IDENTITY  the sealed vault's identity file\n  \
         BROWSER, NO_COLOR, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE as usual",
        codes.join("\n")
    ))
}

/// What stands for a space of an example until the help is wrapped: clap breaks lines at spaces only.
const UNBROKEN: char = '\u{a0}';

/// The same tree with examples that clap doesn't wrap: a command must stay on one line, so that it can be pasted.
fn with_unwrapped_examples(mut tree: clap::Command) -> clap::Command {
    if let Some(examples) = tree.get_after_help().map(ToString::to_string) {
        tree = tree.after_help(examples.replace(' ', &UNBROKEN.to_string()));
    }
    tree.mut_subcommands(with_unwrapped_examples)
}

/// The tree whose help is as wide as the terminal.
fn tree_for(env: &Env) -> clap::Command {
    match env.terminal.help_width() {
        Some(width) => tree().term_width(width.into()),
        None => tree(),
    }
}

/// Runs the program on its arguments, the first being its own name; the exit code, which has more than 8 bits only where
/// `exec` ran a command beside this process on Windows.
pub fn run(arguments: &[OsString], mut env: Env) -> u32 {
    if let Some(shell) = env.variables.get(completions::VARIABLE).map(str::to_owned) {
        completions::answer(tree(), arguments, &shell, env);
        return 0;
    }
    let code = run_in(&mut env, arguments);
    env.terminal.finish();
    code
}

fn run_in(env: &mut Env, arguments: &[OsString]) -> u32 {
    let tree_here = tree_for(env);
    if let Some(error) = arguments::misread(&tree_here, arguments) {
        return refused(&error, arguments, env).into();
    }
    let matches = match tree_here.try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(e) => {
            // It may be a help. Whoever runs a command doesn't wait until that of each is ready to be shown.
            let shown = with_unwrapped_examples(tree_for(env)).try_get_matches_from(arguments);
            return unparsed(&shown.err().unwrap_or(e), arguments, env).into();
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(e) => return unparsed(&e, arguments, env).into(),
    };
    let Global { profile, config, json, no_input, quiet, verbose, color } = cli.global;
    env.terminal.configure(color, no_input, if quiet { Verbosity::Quiet } else { Verbosity::Normal });
    let _logging = log(verbose, env);
    let config_given = config.is_some();
    if let Some(file) = config {
        env.paths.config = file;
    }
    let own = matches!(cli.command, Command::Exec(_)).then_some(exec::OWN_FAILURE);
    match env.paths.move_earlier_home() {
        Ok(None) => {}
        Ok(Some(from)) => env.terminal.print_always(&format!(
            "Moved the configuration and the ledger from {} to {}: they belong to this machine alone.",
            clean(&from.display().to_string()),
            clean(&env.paths.data.display().to_string())
        )),
        Err(e) => return failed(&e, own, json, arguments, env).into(),
    }
    let call = Invocation { env, profile, json, quiet, config_given, words: words(arguments), tree };
    let done = command::run(cli.command, &call);
    done.unwrap_or_else(|e| failed(&e, own, json, arguments, env).into())
}

/// Runs the program like [`run`], but within the time that the caller waits: a monitoring daemon for `--check`, or a person who pressed Tab.
pub fn run_in_time(arguments: &[OsString], env: Env) -> u32 {
    let is_key = env.variables.get(completions::VARIABLE).is_some();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // With --online the provider is asked about many grants, which has no fixed limit.
    let is_check = !is_exec(arguments) && has("--check") && !has("--online");
    if !is_key && !is_check {
        return run(arguments, env);
    }
    let mut here = env.within(env.paths.clone(), env.clock.clone(), env.browser.clone());
    if let Some(file) = completions::flag_value(arguments, "--config") {
        here.paths.config = file.into();
    }
    let words = arguments.to_vec();
    let Some(ended) = in_time::on_a_thread(move || fault::caught(|| run(&words, env))) else {
        return run(arguments, here);
    };
    match ended.recv_timeout(if is_key { in_time::KEY } else { in_time::CHECK }) {
        Ok(Some(exit)) => exit,
        Ok(None) => broken(arguments).into(),
        Err(_) if is_key => 0,
        Err(_) => failed(&in_time::what_hangs(&here), None, false, arguments, &here).into(),
    }
}

/// The words of the command line as a person types it again.
fn words(arguments: &[OsString]) -> Vec<String> {
    let given = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    std::iter::once("biotrack-auth".to_owned()).chain(given).collect()
}

/// The one place that prints an error: as JSON on standard output if JSON was requested, and as a line on standard error.
/// `own`: the code of a command whose other codes are another program's.
fn failed(error: &Error, own: Option<u8>, json: bool, arguments: &[OsString], env: &Env) -> u8 {
    let exit = own.unwrap_or(error.exit());
    if own.is_none() && is_check(arguments) {
        // A monitoring daemon reads one line on standard output, and knows four codes.
        let _ = env.terminal.answer(&command::error_for_monitoring(error));
        return UNKNOWN;
    }
    if json && let Ok(text) = command::error_as_json(error, exit) {
        // An answer that can't be written has nowhere else to go.
        let _ = env.terminal.answer(&format!("{text}\n"));
    }
    env.terminal.error(error);
    exit
}

/// Whether arguments that don't parse were meant for `exec`.
fn is_exec(arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        match word.as_ref() {
            "--profile" | "--config" | "--color" => drop(words.next()),
            flag if flag.starts_with('-') => {}
            command => return command == "exec",
        }
    }
    false
}

/// Whether a monitoring daemon waits for the answer, whatever else is wrong with the arguments.
fn is_check(arguments: &[OsString]) -> bool {
    arguments.iter().any(|word| word == "--check" || word.to_string_lossy().starts_with("--check="))
}

/// Arguments that don't parse; and help and version, which clap hands over the same way.
fn unparsed(e: &clap::Error, arguments: &[OsString], env: &Env) -> u8 {
    let text = |color: bool| {
        let text = if color { e.render().ansi().to_string() } else { e.render().to_string() };
        text.replace(UNBROKEN, " ")
    };
    match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            finish(env.terminal.answer(&text(env.terminal.color_out())))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            env.terminal.show_help(text(env.terminal.color_err()).trim_end());
            2
        }
        _ => refused(&arguments::unparsed(e), arguments, env),
    }
}

/// Reports arguments that can't be used in the same way as every other error, though no command has started yet.
fn refused(error: &Error, arguments: &[OsString], env: &Env) -> u8 {
    let own = is_exec(arguments).then_some(exec::OWN_FAILURE);
    failed(error, own, wants_json(arguments), arguments, env)
}

fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "--json")
}

/// Reports an error that happened before there was an `Env`: no home folder, or an environment that can't be used.
pub fn unstarted(arguments: &[OsString], error: &Error) -> u8 {
    use std::io::Write;
    // A monitoring daemon is told on standard output alone, as of every other error.
    if is_exec(arguments) || !is_check(arguments) {
        let _ = writeln!(std::io::stderr(), "error: {error}\n  {}", error.hint().unwrap_or_default());
    }
    let exit = broken_off(arguments).unwrap_or_else(|| error.exit());
    let told = match () {
        () if is_exec(arguments) => None,
        () if is_check(arguments) => Some(command::error_for_monitoring(error)),
        () if wants_json(arguments) => command::error_as_json(error, exit).ok().map(|text| text + "\n"),
        () => None,
    };
    if let Some(told) = told {
        let _ = std::io::stdout().write_all(told.as_bytes());
    }
    exit
}

/// The exit code of a run that met a fault of the program's own.
pub fn broken(arguments: &[OsString]) -> u8 {
    broken_off(arguments).unwrap_or(ErrorCode::Failed.exit())
}

/// The exit code of a command that has its own code for an early end.
fn broken_off(arguments: &[OsString]) -> Option<u8> {
    match arguments {
        _ if is_exec(arguments) => Some(exec::OWN_FAILURE),
        _ if is_check(arguments) => Some(UNKNOWN),
        _ => None,
    }
}

fn finish(told: Result<()>) -> u8 {
    told.map_or_else(|e| e.exit(), |()| 0)
}

/// What `-v` shows, on standard error: this program's own words, and with `-vv` more of them. It ends with what is
/// returned.
fn log(verbose: u8, env: &Env) -> Option<DefaultGuard> {
    let level = match verbose {
        0 => return None,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // Only our own: at debug level hyper and rustls print headers and bytes.
    let filter = tracing_subscriber::filter::Targets::new().with_target("biotrack_auth", level);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(env.terminal.log())
        .with_timer(LogTime(env.clock.clone()))
        .with_ansi(false);
    // Of this thread and, by Env, of the network's: a process may run several commands, as tests do.
    Some(tracing_subscriber::registry().with(layer.with_filter(filter)).set_default())
}

/// The log's instants are the clock's, as all others.
struct LogTime(Arc<dyn Clock>);

impl FormatTime for LogTime {
    fn format_time(&self, to: &mut Writer<'_>) -> std::fmt::Result {
        write!(to, "{:.6}", self.0.now())
    }
}
