//! Notes which program would have taken this process's place.

use biotrack_auth::edge::{Place, Successor};
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

impl Successor for RecordedSuccessor {
    fn replace(&self, program: &OsStr, arguments: &[OsString], variables: &[(&str, &str)]) -> Place {
        if program == "no-such-program" {
            return Place::Kept(std::io::ErrorKind::NotFound.into());
        }
        let mut ran = String::new();
        for (name, value) in variables {
            writeln!(ran, "{name}={value}").unwrap();
        }
        let words: Vec<_> = std::iter::once(program)
            .chain(arguments.iter().map(OsString::as_os_str))
            .map(OsStr::to_string_lossy)
            .collect();
        writeln!(ran, "{}", words.join(" ")).unwrap();
        *self.0.lock().unwrap() = Some(ran);
        Place::Taken(0)
    }
}
