//! Another program in this process's place.

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// Whether another program took this process's place.
#[derive(Debug)]
pub enum ReplaceOutcome {
    /// It ran beside this one, where a process can't be replaced, and ended with this code.
    Taken(u8),
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

    /// Runs the program and waits; Ctrl-C reaches it through the console that both share.
    #[cfg(not(unix))]
    fn replace(&self, program: &OsStr, arguments: &[OsString], variables: &[(&str, &str)]) -> ReplaceOutcome {
        match Command::new(program).args(arguments).envs(variables.iter().copied()).status() {
            Ok(status) => {
                ReplaceOutcome::Taken(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
            }
            Err(e) => ReplaceOutcome::Kept(e),
        }
    }
}
