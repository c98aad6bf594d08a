//! The process: the machine's Env, the program, the exit code, and nothing else.

use biotrack_auth::cli;
use biotrack_auth::system::{Env, fault};
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    fault::keep_quiet_about_contents();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let run = || match Env::system() {
        Ok(env) => cli::run_in_time(&arguments, env),
        Err(e) => cli::unstarted(&arguments, &e),
    };
    ExitCode::from(fault::caught(run).unwrap_or_else(|| cli::broken(&arguments)))
}
