//! The process: the machine's Env, the program, the exit code, and nothing else.

use biotrack_auth::cli;
use biotrack_auth::system::{Env, fault};
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    fault::install_panic_hook();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let run = || match Env::system() {
        Ok(env) => cli::run_in_time(&arguments, env),
        Err(e) => cli::unstarted(&arguments, &e).into(),
    };
    let code = fault::caught(run).unwrap_or_else(|| cli::broken(&arguments).into());
    match u8::try_from(code) {
        Ok(code) => ExitCode::from(code),
        // Only Windows has such codes, of a command that `exec` ran. Rust has no stable way to return them from here.
        #[expect(
            clippy::disallowed_methods,
            reason = "main alone ends the process, and everything else has ended"
        )]
        Err(_) => std::process::exit(code.cast_signed()),
    }
}
