//! Notes which program would have taken this process's place.

use biotrack_auth::system::{ProcessReplacer, ReplaceOutcome};
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::sync::Mutex;

/// The program, its arguments and the variables that it was given.
#[derive(Default)]
pub struct RecordedSuccessor(Mutex<Option<String>>);

impl RecordedSuccessor {
    /// What was recorded of the run that has just ended.
    pub fn taken(&self) -> Option<String> {
        self.0.lock().unwrap().take()
    }
}

impl ProcessReplacer for RecordedSuccessor {
    fn replace(&self, program: &OsStr, arguments: &[OsString], variables: &[(&str, &str)]) -> ReplaceOutcome {
        match program.to_str() {
            Some("no-such-program") => return ReplaceOutcome::Kept(std::io::ErrorKind::NotFound.into()),
            Some("not-a-program") => {
                return ReplaceOutcome::Kept(std::io::ErrorKind::PermissionDenied.into());
            }
            _ => {}
        }
        let mut ran = String::new();
        for (name, value) in variables {
            writeln!(ran, "{name}={value}").unwrap();
        }
        // As a shell would take them, so that each word shows where it ends.
        let words = std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str));
        let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        writeln!(ran, "{}", shlex::try_join(words.iter().map(AsRef::as_ref)).unwrap()).unwrap();
        *self.0.lock().unwrap() = Some(ran);
        // Where the system can't replace a process, the command's own code comes back.
        let code = arguments.iter().rev().find_map(|it| it.to_str()?.strip_prefix("--ends-with="));
        ReplaceOutcome::Taken(code.map_or(0, |code| code.parse().unwrap()))
    }
}
