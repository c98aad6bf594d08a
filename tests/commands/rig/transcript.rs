//! What a run printed, as a test compares it.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Longer than anything takes that a test waits for: whoever waits longer waits in vain.
pub const IN_VAIN: Duration = Duration::from_secs(60);

/// How a run ended, and all that it printed.
#[derive(Debug)]
pub struct Done {
    /// The exit code.
    pub code: u32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The program that took the process's place, with the variables that it was given.
    pub ran: Option<String>,
    /// Standard output to the byte, with all that differs from run to run.
    pub bytes: Vec<u8>,
}

impl Done {
    /// Everything, for a snapshot; an empty stream isn't mentioned.
    pub fn transcript(&self) -> String {
        let mut text = format!("exit code: {}\n", self.code);
        let parts = [
            ("stdout", self.out.as_str()),
            ("stderr", &self.err),
            ("ran", self.ran.as_deref().unwrap_or_default()),
        ];
        for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
            text.push_str(&format!("----- {name} -----\n{part}"));
            if !part.ends_with('\n') {
                text.push_str("[no line end]\n");
            }
        }
        text
    }

    /// It ended with this code; what it printed is somebody else's test.
    #[track_caller]
    pub fn exits(self, code: u32) -> Self {
        assert_eq!(self.code, code, "{}", self.transcript());
        self
    }

    /// It ended with this code and printed exactly this.
    #[track_caller]
    pub fn is(self, code: u32, out: &str, err: &str) -> Self {
        assert_eq!((self.code, self.out.as_str(), self.err.as_str()), (code, out, err));
        self
    }

    /// Standard output to the byte, with the ports that the system chose.
    pub fn raw(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    /// Standard output as JSON, with the ports that the system chose.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}\n{}", self.transcript()))
    }
}

impl Done {
    /// Standard output, a JSON document or one a line, fits this shipped schema.
    #[track_caller]
    pub fn fits(self, schema: &str) -> Self {
        fits(&self.out, schema);
        self
    }
}

/// A text, a JSON document or one a line, fits this shipped schema.
#[track_caller]
pub fn fits(text: &str, schema: &str) {
    let path = format!("{}/schemas/{schema}.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    assert!(text.starts_with('{'), "{text}");
    for document in serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>() {
        let document = document.unwrap();
        let errors: Vec<_> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{document}");
    }
}

/// A stream that is kept.
#[derive(Default, Clone)]
pub struct Captured(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Captured {
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap_or_else(|_| "[bytes that are no text]".into())
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.0.lock().unwrap().clone()
    }

    pub fn add(&self, text: &str) {
        self.0.0.lock().unwrap().extend_from_slice(text.as_bytes());
        self.0.1.notify_all();
    }

    /// Waits until it holds these words, with a whole line behind them; all of it by then.
    #[track_caller]
    pub fn until(&self, words: &str) -> String {
        let (bytes, changed) = &*self.0;
        let has = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.find(words).is_some_and(|at| text[at..].contains('\n'))
        };
        let waited = changed.wait_timeout_while(bytes.lock().unwrap(), IN_VAIN, |bytes| !has(bytes));
        let (bytes, over) = waited.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!over.timed_out(), "\"{words}\" was never said:\n{text}");
        text
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The words of a command line as a shell would split it. On Windows a backslash is part of a path; the program takes slashes, too.
pub fn words(line: &str) -> Vec<String> {
    let line = if cfg!(windows) { line.replace('\\', "/") } else { line.to_owned() };
    shlex::split(&line).unwrap()
}

/// A folder's path in each of the ways in which a text may have it: as it is, with the backslashes of Windows doubled as JSON and
/// TOML do it, and with slashes in their place.
pub fn spellings(folder: &Path) -> [String; 3] {
    let path = folder.display().to_string();
    match cfg!(windows) {
        true => [path.replace('\\', r"\\"), path.replace('\\', "/"), path],
        false => [path, String::new(), String::new()],
    }
}

/// The text with another folder in the place of one.
pub fn moved(text: &str, from: &Path, to: &Path) -> String {
    let spellings = spellings(from).into_iter().zip(spellings(to)).filter(|(from, _)| !from.is_empty());
    spellings.fold(text.to_owned(), |text, (from, to)| text.replace(&from, &to))
}

/// The text with `[HOME]` for this folder, and with slashes in what stands behind it.
pub fn without_home(text: &str, home: &Path) -> String {
    const HOME: &str = "[HOME]";
    let spellings = spellings(home).into_iter().filter(|it| !it.is_empty());
    let text = spellings.fold(text.to_owned(), |text, home| text.replace(&home, HOME));
    match cfg!(windows) {
        true => with_slashes(&text, HOME),
        false => text,
    }
}

/// The text with a slash for each single or doubled backslash in a path that begins so.
fn with_slashes(text: &str, begin: &str) -> String {
    let mut parts = text.split(begin);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str(begin);
        let end = part.find(|c: char| !c.is_alphanumeric() && !r"._-/\".contains(c)).unwrap_or(part.len());
        let (path, rest) = part.split_at(end);
        // A backslash at the end belongs to the quotation mark behind it.
        let whole = path.trim_end_matches('\\');
        shown.push_str(&whole.replace(r"\\", "/").replace('\\', "/"));
        shown.push_str(&path[whole.len()..]);
        shown.push_str(rest);
    }
    shown
}

#[test]
fn a_path_of_windows_is_shown_with_slashes() {
    let text = "[HOME]\\a\\b.toml:4, \"[HOME]\\\\c\", \"in \\\"[HOME]\\\"\" and x\\y";
    let shown = "[HOME]/a/b.toml:4, \"[HOME]/c\", \"in \\\"[HOME]\\\"\" and x\\y";
    assert_eq!(with_slashes(text, "[HOME]"), shown);
}

/// Ports that the system chose, by their place in an address: `127.0.0.1:[PORT]`.
pub fn without_ports(text: &str) -> String {
    const MARKS: [&str; 5] = ["127.0.0.1:", "127.0.0.1%3A", "localhost:", "-L ", "on port "];
    // A port below 1024 is one that a test named.
    behind_each(&MARKS, text, "[PORT]", u8::is_ascii_digit, |digits| digits > 3)
}

/// The ids of a ledger's events, which follow from its own: on a server that is another in every run.
pub fn without_event_ids(text: &str) -> String {
    const MARKS: [&str; 2] = ["\"id\": \"", "\"id\":\""];
    behind_each(&MARKS, text, "[ID]", u8::is_ascii_hexdigit, |digits| digits == 32)
}

/// The text with this name for what stands behind each of the marks, where it has as many such characters as it should.
fn behind_each(
    marks: &[&str],
    text: &str,
    name: &str,
    is_of_it: impl Fn(&u8) -> bool,
    is_meant: impl Fn(usize) -> bool,
) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(before) = marks.iter().filter_map(|mark| Some(rest.find(mark)? + mark.len())).min() {
        shown.push_str(&rest[..before]);
        rest = &rest[before..];
        let length = rest.bytes().take_while(&is_of_it).count();
        if is_meant(length) {
            shown.push_str(name);
            rest = &rest[length..];
        }
    }
    shown + rest
}

/// What the operating system says of an error, which each does in words of its own: "No such file … (os error 2)".
pub fn without_system_words(text: &str) -> String {
    const NUMBER: &str = " (os error ";
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(NUMBER) {
        let (before, number) = rest.split_at(at);
        let words = before.rfind(": ").map_or(0, |colon| colon + 2);
        shown.push_str(&before[..words]);
        shown.push_str("[THE SYSTEM'S WORDS]");
        rest = number.split_once(')').map_or("", |(_, after)| after);
    }
    shown + rest
}

/// Age recipients by a number each, in the order in which they were first shown: `[RECIPIENT 1]`.
pub fn without_recipients(text: &str, known: &mut Vec<String>) -> String {
    const BEGIN: &str = "age1";
    const LENGTH: usize = 62;
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let (recipient, after) = rest.split_at(letters);
        if letters == LENGTH {
            let number = known.iter().position(|it| it == recipient).unwrap_or_else(|| {
                known.push(recipient.to_owned());
                known.len() - 1
            });
            shown.push_str(&format!("[RECIPIENT {}]", number + 1));
        } else {
            shown.push_str(recipient);
        }
        rest = after;
    }
    shown + rest
}

/// Who holds a license is named by its process, which is another in every run: `process [PID]`.
pub fn without_process(text: &str) -> String {
    text.replace(&format!("process {}", std::process::id()), "process [PID]")
}
