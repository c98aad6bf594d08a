//! The process: the machine's Env, the program, the exit code, and nothing else.

use biotrack_auth::cli;
use biotrack_auth::edge::Env;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    ExitCode::from(match Env::system() {
        Ok(env) => cli::run(&arguments, env),
        Err(e) => cli::unstarted(&e),
    })
}
