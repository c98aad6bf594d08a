//! Standard input, output and error: the answer goes out on one, the talk on the other, and both are clean.

use super::Variables;
use crate::error::{Error, Result, clean};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Colour {
    /// In a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// Errors, and what can't be done without, only.
    Quiet,
    /// What a person wants to know.
    Normal,
}

/// The three streams, and what is known of them.
pub struct Terminal {
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
    attended: bool,
    out_is_terminal: bool,
    err_is_terminal: bool,
    plain: bool,
    colour: Colour,
    talk: Talk,
    reader_gone: AtomicBool,
}

impl Terminal {
    /// The process's own streams.
    pub(super) fn system(variables: &Variables) -> Self {
        Self {
            attended: io::stdin().is_terminal() && io::stderr().is_terminal(),
            out_is_terminal: io::stdout().is_terminal(),
            err_is_terminal: io::stderr().is_terminal(),
            // https://no-color.org
            plain: variables.get("NO_COLOR").is_some() || variables.get("TERM") == Some("dumb"),
            ..Self::captured(Box::new(io::stdout()), Box::new(io::stderr()))
        }
    }

    /// The same streams, flags and person once more.
    pub(super) fn again(&self) -> Self {
        Self {
            attended: self.attended,
            out_is_terminal: self.out_is_terminal,
            err_is_terminal: self.err_is_terminal,
            plain: self.plain,
            colour: self.colour,
            talk: self.talk,
            ..Self::captured(Box::new(io::stdout()), Box::new(io::stderr()))
        }
    }

    /// Other streams, with nobody at them.
    pub fn captured(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self {
            out: Mutex::new(out),
            err: Mutex::new(err),
            attended: false,
            out_is_terminal: false,
            err_is_terminal: false,
            plain: false,
            colour: Colour::Auto,
            talk: Talk::Normal,
            reader_gone: AtomicBool::new(false),
        }
    }

    /// Applies the global flags.
    pub fn configure(&mut self, colour: Colour, no_input: bool, talk: Talk) {
        self.colour = colour;
        self.talk = talk;
        self.attended &= !no_input;
    }

    /// Whether a person is there: standard input and standard error are terminals, and `--no-input` isn't given.
    pub fn attended(&self) -> bool {
        self.attended
    }

    /// Whether standard output is a terminal.
    pub fn out_is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Whether the answer may have colour.
    pub fn colour_out(&self) -> bool {
        self.colour_for(self.out_is_terminal)
    }

    /// Whether the talk may have colour.
    pub fn colour_err(&self) -> bool {
        self.colour_for(self.err_is_terminal)
    }

    fn colour_for(&self, terminal: bool) -> bool {
        match self.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !self.plain,
        }
    }

    /// The width of the terminal that the answer goes to, in columns; `None` where it isn't one.
    pub fn width(&self) -> Option<u16> {
        self.out_is_terminal.then(|| dialoguer::console::Term::stdout().size().1)
    }

    /// Whether a moving line may be drawn on standard error.
    pub fn can_animate(&self) -> bool {
        self.attended && self.talk >= Talk::Normal && !self.plain
    }

    /// Writes the answer to standard output. A reader that has gone is no error.
    pub fn answer(&self, text: &str) -> Result<()> {
        let mut out = self.out.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.answered(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }

    /// The same for a long answer, which goes out while it's still being made.
    pub fn answer_by(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        const AT_ONCE: usize = 64 * 1024;
        let mut out = self.out.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut out = io::BufWriter::with_capacity(AT_ONCE, &mut *out);
        self.answered(write(&mut out).and_then(|()| out.flush()))
    }

    fn answered(&self, written: io::Result<()>) -> Result<()> {
        match written {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.reader_gone.store(true, Ordering::Relaxed);
                Ok(())
            }
            // defense: S52 unwritten-answer-is-no-success
            Err(e) => Err(Error::Output(e)),
            Ok(()) => Ok(()),
        }
    }

    /// Whether the reader of the answer was found to be gone.
    pub fn nobody_reads(&self) -> bool {
        self.reader_gone.load(Ordering::Relaxed)
    }

    /// Hands bytes over to standard output: unlike an answer, a reader that has gone is an error.
    pub fn hand_over(&self, bytes: &[u8]) -> Result<()> {
        let mut out = self.out.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        out.write_all(bytes).and_then(|()| out.flush()).map_err(Error::Output)
    }

    /// Says a line on standard error, unless `--quiet`.
    pub fn say(&self, line: &str) {
        if self.talk >= Talk::Normal {
            self.insist(line);
        }
    }

    /// Says a line on standard error that nobody can do without: errors, an address to open.
    pub fn insist(&self, line: &str) {
        self.talk(&clean_lines(line));
    }

    /// Says what went wrong and what to do about it, on standard error, whatever `--quiet` says.
    pub fn complain(&self, error: &Error) {
        let (bold, plain) = if self.colour_err() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        self.talk(&format!("{bold}error:{plain} {}", clean_lines(&error.to_string())));
        if let Some(hint) = error.hint() {
            self.talk(&format!("  {}", clean_lines(&hint).replace('\n', "\n  ")));
        }
    }

    /// Draws a picture of half blocks on standard error; black on white, where colours may be used.
    pub fn picture(&self, lines: &str) {
        let (on, off) = if self.colour_err() { ("\x1b[30;107m", "\x1b[0m") } else { ("", "") };
        let drawn: Vec<_> = lines.lines().map(|line| format!("{on}{}{off}", clean(line))).collect();
        self.talk(&drawn.join("\n"));
    }

    /// Asks the terminal to put a text into the clipboard (xterm's OSC 52). `false` where standard error is none.
    pub fn copy(&self, text: &str) -> bool {
        if self.err_is_terminal {
            let mut err = self.err.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let _ = write!(err, "\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text)).and_then(|()| err.flush());
        }
        self.err_is_terminal
    }

    fn talk(&self, text: &str) {
        let mut err = self.err.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Nobody is left to be told that standard error is gone.
        // defense: S52 unwritten-talk-is-no-panic
        let _ = writeln!(err, "{text}").and_then(|()| err.flush());
    }

    /// Asks for a value at the terminal. Only where [`Self::attended`].
    pub fn ask(&self, question: &str, default: Option<&str>) -> Result<String> {
        let mut input = dialoguer::Input::<String>::new().with_prompt(question);
        if let Some(default) = default {
            input = input.default(default.to_owned());
        }
        input.interact_text().map_err(asked)
    }

    /// Asks for something to be typed; nothing typed is an answer too. Only where [`Self::attended`].
    pub fn ask_exactly(&self, question: &str) -> Result<String> {
        let input = dialoguer::Input::<String>::new().with_prompt(question).allow_empty(true);
        input.interact_text().map_err(asked)
    }

    /// What asks for a passphrase later, where somebody is there to be asked.
    pub fn asker(&self) -> Asker {
        Asker { attended: self.attended }
    }

    /// Asks for a secret, which isn't shown. Only where [`Self::attended`].
    pub fn ask_secret(&self, question: &str) -> Result<secrecy::SecretString> {
        dialoguer::Password::new()
            .with_prompt(question)
            .allow_empty_password(true)
            .interact()
            .map(Into::into)
            .map_err(asked)
    }

    /// Asks for a yes; no is the default. Only where [`Self::attended`].
    pub fn confirm(&self, question: &str) -> Result<bool> {
        dialoguer::Confirm::new().with_prompt(question).default(false).interact().map_err(asked)
    }

    /// Lets one of several be chosen. Only where [`Self::attended`].
    pub fn choose(&self, question: &str, among: &[String]) -> Result<usize> {
        dialoguer::Select::new().with_prompt(question).items(among).default(0).interact().map_err(asked)
    }

    /// What is pasted: a line at a terminal, after the question; else all of standard input, and one byte more than the
    /// most that may be.
    pub fn read_pasted(&self, question: &str, most: usize) -> Result<secrecy::SecretString> {
        let unread = |e: io::Error| Error::File { path: "standard input".into(), reason: e.to_string() };
        let mut bytes = Vec::new();
        let mut from = io::stdin().lock().take(most as u64 + 1);
        if io::stdin().is_terminal() {
            self.insist(question);
            from.read_until(b'\n', &mut bytes).map_err(unread)?;
        } else {
            from.read_to_end(&mut bytes).map_err(unread)?;
        }
        // What is no text is no address either, and is told so by whoever reads it.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        bytes.fill(0);
        Ok(text.into())
    }

    /// A secret from standard input, without its line end.
    pub fn read_secret(&self) -> Result<secrecy::SecretString> {
        let mut text = String::new();
        io::stdin()
            .take(64 * 1024)
            .read_to_string(&mut text)
            .map_err(|e| Error::File { path: "standard input".into(), reason: e.to_string() })?;
        while text.ends_with(['\n', '\r']) {
            text.pop();
        }
        Ok(text.into())
    }
}

/// Asks for a passphrase, away from the terminal's own room.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    attended: bool,
}

impl Asker {
    /// Asks; `None` where nobody is there.
    pub fn ask(self, question: &str) -> Option<Result<secrecy::SecretString>> {
        self.attended.then(|| {
            let asked_for = dialoguer::Password::new().with_prompt(question).interact();
            asked_for.map(Into::into).map_err(asked)
        })
    }
}

fn asked(e: dialoguer::Error) -> Error {
    let dialoguer::Error::IO(e) = e;
    match e.kind() {
        io::ErrorKind::Interrupted => Error::Interrupted { next: None },
        _ => Error::Failed(format!("the terminal can't be asked: {e}")),
    }
}

/// [`clean`], line by line.
fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}
