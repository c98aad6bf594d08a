//! `sandbox`: a stand-in BioTrack on loopback.

mod demo;
mod seed;

pub use seed::Seeded;

use super::Invocation;
use crate::error::{Error, Result};
use crate::model::blocked_ports::browsers_port;
use crate::model::duration::parse;
use crate::model::instant::of_argument;
use crate::report::DOCUMENT_VERSION;
use crate::sandbox::{Mishap, MishapRule, Options, Sandbox};
use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, Subcommand, ValueEnum};
use jiff::Timestamp;
use std::ffi::OsStr;
use std::path::PathBuf;

/// Run a stand-in BioTrack on this machine
#[derive(Debug, Subcommand)]
pub enum Args {
    /// Serve it until it's stopped, and print its address as the first line on standard output
    Serve(Serve),
    /// Fill the ledger with made-up authorizations, for tests and training
    Seed(seed::Args),
    /// Show the whole program at work in a temporary home: three stores, a renewal, a deactivation
    Demo(demo::Args),
}

/// Serve the stand-in until it's stopped, and print its address as the first line on standard output
///
/// Its Grant Access page accepts any username with the password "sandbox". It listens on 127.0.0.1 only.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth sandbox serve --port 8990
  biotrack-auth sandbox serve --fail 5xx:5% --fail denied:2% --log sandbox.jsonl
  biotrack-auth config init --preset local-sandbox --url http://127.0.0.1:8990")]
pub struct Serve {
    /// Listen on this port [default: any free port]
    #[arg(long, value_name = "PORT", default_value = "0", hide_default_value = true, value_parser = browsers_port)]
    port: u16,

    /// Start its clock at this instant (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = of_argument)]
    now: Option<Timestamp>,

    /// Let a grant expire after this time
    #[arg(long, value_name = "TIME", default_value = "100d")]
    lifetime: String,

    /// Misbehave in this way; may be given several times. KIND:5% affects 5% of the licenses, or of each license's requests to
    /// the token endpoint
    #[arg(long = "fail", value_name = "KIND[:SHARE]", value_parser = MishapParser)]
    fail: Vec<MishapRule>,

    /// Seed the choice of licenses and requests for a share: the same number makes the same choice
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Append a JSON line for every code, token, rotation, revocation, refusal and spoiled answer, with hashed tokens
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// Set the integrator's company that its page shows
    #[arg(long, value_name = "NAME", default_value = "Treez Inc", allow_hyphen_values = true)]
    company: String,

    /// Set the integrator's application that its page shows
    #[arg(long, value_name = "NAME", default_value = "Treez", allow_hyphen_values = true)]
    application: String,
}

/// Runs a command of `sandbox`; the demo runs others by `run_words`.
pub(super) fn run(
    args: Args,
    call: &Invocation<'_>,
    run_words: fn(&[&str], &Invocation<'_>) -> Result<u8>,
) -> Result<u8> {
    match args {
        Args::Serve(args) => serve(args, call),
        Args::Seed(args) => seed::run(&args, call),
        Args::Demo(args) => demo::run(&args, call, run_words),
    }
}

/// What `sandbox serve --json` prints once it listens.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Served {
    schema: u8,
    /// The address that it listens on.
    address: String,
}

fn serve(args: Serve, call: &Invocation<'_>) -> Result<u8> {
    let port = args.port;
    let options = Options {
        port,
        now: args.now,
        lifetime: parse("lifetime", &args.lifetime)?,
        fail: args.fail,
        seed: args.seed,
        log: args.log,
        company: args.company,
        application: args.application,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options, clock(call)).map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => Error::Usage {
            what: format!("the sandbox can't listen on port {port}, which is in use"),
            hint: "Stop the program that uses it, or remove --port to use any free port.".into(),
        },
        _ => Error::Sandbox { reason: e.to_string() },
    })?;
    let address = sandbox.address();
    call.env.terminal.answer(&match call.json {
        true => call.json_line(&Served { schema: DOCUMENT_VERSION, address: address.to_string() })?,
        false => format!("{address}\n"),
    })?;
    call.env.terminal.info(&format!(
        "This is a stand-in, not the real BioTrack. The password on its page is \"sandbox\". To use it:\n  biotrack-auth config init --preset local-sandbox --url {}",
        sandbox.address()
    ));
    call.env.until_interrupted()?;
    sandbox.stop();
    Ok(0)
}

/// Reads `KIND[:SHARE]`; the kinds are listed and completed like any other list of values.
#[derive(Clone)]
struct MishapParser;

impl TypedValueParser for MishapParser {
    type Value = MishapRule;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<MishapRule, clap::Error> {
        match value.to_str() {
            Some(text) if text.contains(':') => {
                text.parse().map_err(|problem| clap::Error::raw(ErrorKind::ValueValidation, problem))
            }
            // Its complaint lists the kinds.
            _ => EnumValueParser::<Mishap>::new().parse_ref(command, argument, value).map(MishapRule::from),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Mishap::value_variants().iter().filter_map(Mishap::to_possible_value)))
    }
}

/// The machine's clock, in the sandbox's own form.
fn clock(call: &Invocation<'_>) -> crate::sandbox::Clock {
    let clock = call.env.clock.clone();
    std::sync::Arc::new(move || clock.now())
}
