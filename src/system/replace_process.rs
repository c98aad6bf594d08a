//! Another program in this process's place.

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// Whether another program took this process's place.
#[derive(Debug)]
pub enum ReplaceOutcome {
    /// It ran beside this one, where a process can't be replaced, and ended with this code, which has 32 bits on Windows.
    Taken(u32),
    /// It couldn't be run.
    Kept(std::io::Error),
}

/// What puts another program in this process's place: the system, or what stands in its place in a test.
pub trait ProcessReplacer: Send + Sync {
    /// Puts the program there, with these variables beside the environment's own. It comes back only where that fails, or
    /// where the system can't do it.
    fn replace(&self, program: &OsStr, arguments: &[OsString], variables: &[(&str, &str)]) -> ReplaceOutcome;
}

/// The limits that this process had before it gave up its own core files.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SavedLimits {
    #[cfg(unix)]
    core: Option<rustix::process::Rlimit>,
}

impl SavedLimits {
    /// From here on the process leaves no core file, and other processes of this user can't read its memory.
    #[cfg(unix)]
    pub(super) fn give_up_cores() -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let core = getrlimit(Resource::Core);
        // Where it's refused, nothing is worse than it was. The hard limit stays: a program in this one's place gets
        // its own back.
        // defense: S29 no-core-file
        let none = Rlimit { current: Some(0), maximum: core.maximum };
        let core = setrlimit(Resource::Core, none).is_ok().then_some(core);
        // defense: S29 not-dumpable
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        Self { core }
    }

    /// Nothing to give up on this system.
    #[cfg(not(unix))]
    pub(super) fn give_up_cores() -> Self {
        Self {}
    }
}

impl ProcessReplacer for SavedLimits {
    /// Puts the program in this process's place: the same number, terminal, group and parent, so that signals and exit
    /// code are its own. An exec makes it dumpable again, takes caught signals back to what they were by default, and
    /// closes every file that is ours.
    #[cfg(unix)]
    fn replace(&self, program: &OsStr, arguments: &[OsString], variables: &[(&str, &str)]) -> ReplaceOutcome {
        use rustix::process::{Resource, setrlimit};
        if let Some(core) = self.core {
            let _ = setrlimit(Resource::Core, core);
        }
        let failed = std::os::unix::process::CommandExt::exec(
            Command::new(program).args(arguments).envs(variables.iter().copied()),
        );
        Self::give_up_cores();
        ReplaceOutcome::Kept(failed)
    }

    /// Runs the program beside this process, where the system can't put it in its place.
    #[cfg(not(unix))]
    fn replace(&self, program: &OsStr, arguments: &[OsString], variables: &[(&str, &str)]) -> ReplaceOutcome {
        run_beside(program, arguments, variables)
    }
}

/// Runs the program and waits for its end. Ctrl-C reaches it through the console that both share, and is its own affair:
/// whoever calls this has made sure that it doesn't end this process.
#[cfg(any(not(unix), test))]
fn run_beside(program: &OsStr, arguments: &[OsString], variables: &[(&str, &str)]) -> ReplaceOutcome {
    match Command::new(program).args(arguments).envs(variables.iter().copied()).status() {
        // The system's number is one without a sign: 0xC000013A is what Ctrl-C leaves behind.
        Ok(status) => ReplaceOutcome::Taken(status.code().map_or(1, i32::cast_unsigned)),
        Err(e) => ReplaceOutcome::Kept(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The system's shell, and the flag before its script.
    const SHELL: [&str; 2] = if cfg!(windows) { ["cmd", "/C"] } else { ["sh", "-c"] };

    #[test]
    fn beside_this_process_a_command_has_its_variables_and_its_code_comes_back() {
        let exit = if cfg!(windows) { "exit %CODE%" } else { "exit $CODE" };
        // Only Windows has codes above 255.
        let codes: &[u32] = if cfg!(windows) { &[0, 42, 300, 0xC000_013A] } else { &[0, 42, 255] };
        for code in codes {
            let value = code.cast_signed().to_string();
            let ended = run_beside(SHELL[0].as_ref(), &[SHELL[1].into(), exit.into()], &[("CODE", &value)]);
            assert!(matches!(ended, ReplaceOutcome::Taken(found) if found == *code), "{code}: {ended:?}");
        }
        let missing = run_beside("no-such-program-at-all".as_ref(), &[], &[]);
        assert!(matches!(missing, ReplaceOutcome::Kept(e) if e.kind() == std::io::ErrorKind::NotFound));
    }
}
