//! Standard input, output and error: the answer goes out on one, the talk on the other, and both are clean.

use super::clean_writer::{CleanWriter, harmless};
use super::input::{HiddenTyping, Input, KeyInputGuard, SystemInput};
use super::keys::TypedInput;
use super::multiplexer::Multiplexer;
use super::printer::{MovingLines, PrintTarget, Printer, ReaderGivenUp};
use super::tty;
use super::variables::Variables;
use super::wrap::wrapped;
use crate::error::{Error, Result, clean};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;

/// When to use color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
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
pub enum Verbosity {
    /// Errors, and what can't be done without, only.
    Quiet,
    /// What a person wants to know.
    Normal,
}

/// The three streams, and what is known of them.
pub struct Terminal {
    printer: Printer,
    input: Arc<dyn Input>,
    attended: bool,
    out_is_terminal: bool,
    err_is_terminal: bool,
    plain: bool,
    /// A terminal here takes escapes, and doesn't show them.
    takes_escapes: bool,
    color: Color,
    talk: Verbosity,
    /// The answer's width, where it isn't the system's to say.
    columns: Option<u16>,
    /// What stands between the program and the terminal.
    multiplexer: Option<Multiplexer>,
}

impl Terminal {
    /// The process's own streams.
    pub(super) fn system(variables: &Variables) -> Self {
        let takes_escapes = tty::takes_escapes();
        Self {
            attended: tty::can_be_asked() && io::stderr().is_terminal(),
            out_is_terminal: io::stdout().is_terminal(),
            err_is_terminal: io::stderr().is_terminal(),
            // https://no-color.org
            plain: variables.get("NO_COLOR").is_some()
                || variables.get("TERM") == Some("dumb")
                || !takes_escapes,
            takes_escapes,
            columns: None,
            multiplexer: Multiplexer::around(variables),
            ..Self::printing(Printer::of_the_process().clone())
        }
    }

    /// The same streams, flags and person once more.
    pub(super) fn again(&self) -> Self {
        Self { printer: self.printer.clone(), input: self.input.clone(), ..*self }
    }

    /// Other streams, which take everything at once, with nobody at them.
    pub fn captured(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self::printing(Printer::at_once(out, err))
    }

    fn printing(printer: Printer) -> Self {
        Self {
            printer,
            input: Arc::new(SystemInput),
            attended: false,
            out_is_terminal: false,
            err_is_terminal: false,
            plain: false,
            takes_escapes: true,
            color: Color::Auto,
            talk: Verbosity::Normal,
            columns: Some(100),
            multiplexer: None,
        }
    }

    /// The same with another standard input, at which nobody sits.
    pub fn with_input(self, input: Arc<dyn Input>) -> Self {
        Self { input, ..self }
    }

    /// The same with a person at it, whose terminal has so many columns and draws nothing that moves.
    pub fn with_person(self, columns: u16) -> Self {
        let there = true;
        Self {
            attended: there,
            out_is_terminal: there,
            err_is_terminal: there,
            plain: true,
            columns: Some(columns),
            ..self
        }
    }

    /// Applies the global flags.
    pub fn configure(&mut self, color: Color, no_input: bool, talk: Verbosity) {
        self.color = color;
        self.talk = talk;
        self.attended &= !no_input;
    }

    /// Whether a person is there: standard input and standard error are terminals, and `--no-input` isn't given.
    pub fn interactive(&self) -> bool {
        self.attended
    }

    /// Whether standard output is a terminal.
    pub fn out_is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Whether the answer may have color.
    pub fn color_out(&self) -> bool {
        self.color_for(self.out_is_terminal)
    }

    /// Whether the talk may have color.
    pub fn color_err(&self) -> bool {
        self.color_for(self.err_is_terminal)
    }

    fn color_for(&self, terminal: bool) -> bool {
        match self.color {
            Color::Always => self.takes_escapes || !terminal,
            Color::Never => false,
            Color::Auto => terminal && !self.plain,
        }
    }

    /// The width of the terminal that the answer goes to, in columns; `None` where it isn't one.
    pub fn width(&self) -> Option<u16> {
        self.out_is_terminal.then(|| self.columns.unwrap_or_else(|| console::Term::stdout().size().1))
    }

    /// The width to wrap the help at, where that isn't the system's to say.
    pub fn help_width(&self) -> Option<u16> {
        self.columns
    }

    /// What makes the log's way to standard error.
    pub fn log(&self) -> impl Fn() -> LogWriter + Send + Sync + 'static {
        let printer = self.printer.clone();
        move || LogWriter(printer.clone())
    }

    /// Whether a moving line may be drawn on standard error. In a terminal's background others draw.
    pub fn can_animate(&self) -> bool {
        self.attended && self.talk >= Verbosity::Normal && !self.plain && tty::is_in_foreground()
    }

    /// Lines that move on standard error until they're dropped; hidden where none may be drawn.
    pub fn progress_lines(&self) -> MovingLines {
        if self.can_animate() { self.printer.moving() } else { MovingLines::hidden() }
    }

    /// Writes the answer to standard output, the whole of it: its reader is waited for until a signal comes. It's clean where
    /// that is a terminal, whatever a record holds. A reader that has gone is no error.
    pub fn answer(&self, text: &str) -> Result<()> {
        let text = if self.out_is_terminal { &harmless(text) } else { text };
        self.answered(self.printer.write(text.as_bytes()))
    }

    /// The same for a long answer, which goes out while it's still being made.
    pub fn answer_by(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        const AT_ONCE: usize = 64 * 1024;
        let mut out = io::BufWriter::with_capacity(AT_ONCE, AnswerWriter(&self.printer));
        self.answered(match self.out_is_terminal {
            true => {
                let mut clean = CleanWriter::to(&mut out);
                write(&mut clean).and_then(|()| clean.finish())
            }
            false => write(&mut out).and_then(|()| out.flush()),
        })
    }

    fn answered(&self, written: io::Result<()>) -> Result<()> {
        match written {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            // defense: S52 unwritten-answer-is-no-success
            Err(e) => Err(unwritten(e)),
            Ok(()) => Ok(()),
        }
    }

    /// Puts lines of the answer on standard output while the command goes on, and waits for no reader.
    pub fn emit(&self, lines: &str) {
        self.printer.print(PrintTarget::Out, lines.as_bytes());
    }

    /// Whether the reader of the answer was found to be gone.
    pub fn nobody_reads(&self) -> bool {
        self.printer.nobody_reads()
    }

    /// Whether lines of the answer still wait for their reader.
    pub fn is_printing(&self) -> bool {
        self.printer.is_printing()
    }

    /// Waits until all that was said is printed, as long as somebody reads it: the end of a command.
    pub fn finish(&self) {
        self.printer.finish();
    }

    /// Hands bytes over to standard output: unlike an answer, a reader that has gone is an error.
    pub fn hand_over(&self, bytes: &[u8]) -> Result<()> {
        self.printer.write(bytes).map_err(unwritten)
    }

    /// Says a line on standard error, unless `--quiet`.
    pub fn info(&self, line: &str) {
        if self.talk >= Verbosity::Normal {
            self.print_always(line);
        }
    }

    /// Says a line on standard error that nobody can do without: errors, an address to open.
    pub fn print_always(&self, line: &str) {
        self.talk(&self.wrapped(&clean_lines(line), 0));
    }

    /// Says lines as [`Self::always`] does, from another place, for as long as that likes.
    pub fn line_printer(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let printer = self.printer.clone();
        move |line| printer.print(PrintTarget::Err, format!("{}\n", clean_lines(line)).as_bytes())
    }

    /// Says what went wrong and what to do about it, on standard error, whatever `--quiet` says.
    pub fn error(&self, error: &Error) {
        let (bold, plain) = if self.color_err() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let said = self.wrapped(&format!("error: {}", clean_lines(&error.to_string())), 2);
        self.talk(&format!("{bold}error:{plain}{}", said.strip_prefix("error:").unwrap_or(&said)));
        if let Some(hint) = error.hint() {
            let hint = format!("  {}", clean_lines(&hint).replace('\n', "\n  "));
            self.talk(&self.wrapped(&hint, 2));
        }
    }

    /// A text as wide as the terminal that the talk goes to; its further lines are moved in by so much.
    fn wrapped(&self, text: &str, indent: usize) -> String {
        let is_the_systems = self.err_is_terminal && self.columns.is_none();
        let size = is_the_systems.then(|| console::Term::stderr().size_checked()).flatten();
        size.map_or_else(|| text.to_owned(), |(_, columns)| wrapped(text, columns.into(), indent))
    }

    /// Shows the help where a command was left out: our own words, with the colors that they have.
    pub fn show_help(&self, text: &str) {
        self.talk(text);
    }

    /// Draws a picture of half blocks on standard error; black on white, where colors may be used.
    pub fn print_picture(&self, lines: &str) {
        let (on, off) = if self.color_err() { ("\x1b[30;107m", "\x1b[0m") } else { ("", "") };
        let drawn: Vec<_> = lines.lines().map(|line| format!("{on}{}{off}", clean(line))).collect();
        self.talk(&drawn.join("\n"));
    }

    /// Asks the terminal to put a text into the clipboard (xterm's OSC 52), through tmux or screen where one is between.
    /// `false` where standard error is no terminal, or one that would show the request.
    pub fn copy(&self, text: &str) -> bool {
        let can_be_asked = self.err_is_terminal && self.takes_escapes;
        if can_be_asked && !self.multiplexer.is_some_and(|it| it.takes(text)) {
            let asked = format!("\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text));
            let asked = self.multiplexer.map_or(asked.clone(), |it| it.passing(&asked));
            self.printer.control(asked.as_bytes());
        }
        can_be_asked
    }

    /// How many rows the terminal has that the talk goes to; `None` where it isn't one.
    pub fn rows(&self) -> Option<u16> {
        let is_the_systems = self.err_is_terminal && self.columns.is_none();
        let size = is_the_systems.then(|| console::Term::stderr().size_checked()).flatten();
        size.map(|(rows, _)| rows)
    }

    fn talk(&self, text: &str) {
        self.printer.print(PrintTarget::Err, format!("{text}\n").as_bytes());
    }

    /// Asks for a value at the terminal. Only where [`Self::interactive`].
    pub fn ask(&self, question: &str, default: Option<&str>) -> Result<String> {
        self.input.ask(question, default).map_err(asked)
    }

    /// Asks for something to be typed; nothing typed is an answer too. Only where [`Self::interactive`].
    pub fn ask_exactly(&self, question: &str) -> Result<String> {
        self.input.ask(question, Some("")).map_err(asked)
    }

    /// Shows nothing of what is typed from here on, but answers to questions, as long as this is kept: for a command that asks for a
    /// secret, which may be typed ahead. `None` where nobody is asked.
    pub fn hide_typing(&self) -> Option<HiddenTyping> {
        self.interactive().then(|| self.input.hide_typing())
    }

    /// What asks for a passphrase later, where somebody is there to be asked.
    pub fn asker(&self) -> PassphrasePrompt {
        PassphrasePrompt { input: self.attended.then(|| self.input.clone()) }
    }

    /// Asks for a secret, which isn't shown. Only where [`Self::interactive`].
    pub fn ask_secret(&self, question: &str) -> Result<secrecy::SecretString> {
        self.input.ask_secret(question).map_err(asked)
    }

    /// Asks for a yes; no is the default. Only where [`Self::interactive`].
    pub fn confirm(&self, question: &str) -> Result<bool> {
        self.input.confirm(question).map_err(asked)
    }

    /// Goes on where a person agrees, or `yes` says so beforehand; where neither can be, `action` is what needs a yes.
    ///
    /// # Errors
    /// No, or nobody can be asked.
    pub fn require_yes(&self, yes: bool, question: &str, action: impl FnOnce() -> String) -> Result<()> {
        match (yes, self.interactive()) {
            (true, _) => Ok(()),
            (false, false) => Err(Error::NeedsYes { action: action() }),
            (false, true) if self.confirm(question)? => Ok(()),
            (false, true) => Err(Error::NotConfirmed { what: question.to_owned() }),
        }
    }

    /// Lets one of several be chosen. Only where [`Self::interactive`].
    pub fn choose(&self, question: &str, among: &[String]) -> Result<usize> {
        self.input.choose(question, among).map_err(asked)
    }

    /// Keys at the terminal, and pasted addresses, as long as what is returned is kept.
    pub fn keys(&self, handle: impl FnMut(TypedInput) + Send + 'static) -> Option<KeyInputGuard> {
        self.input.keys(Box::new(handle))
    }

    /// What is pasted at a terminal, after the question; else all of standard input; and one byte more than the most that may
    /// be.
    pub fn read_pasted(&self, question: &str, most: usize) -> Result<secrecy::SecretString> {
        let mut bytes = match self.input.is_terminal() {
            true => self.input.read_paste(most, question, &|line| self.print_always(line)).map_err(asked)?,
            false => self.read_all(most as u64).map_err(unread)?,
        };
        // What is no text is no address either, and is told so by whoever reads it.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        bytes.fill(0);
        Ok(text.into())
    }

    /// A secret from standard input, without its line end.
    pub fn read_secret(&self) -> Result<secrecy::SecretString> {
        let mut text = String::new();
        self.input.bytes().take(64 * 1024).read_to_string(&mut text).map_err(unread)?;
        while text.ends_with(['\n', '\r']) {
            text.pop();
        }
        Ok(text.into())
    }

    /// All of standard input; of what is longer than may be, one byte more than that.
    pub fn read_all(&self, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.input.bytes().take(most + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Standard error, for the log: each record is one write.
pub struct LogWriter(Printer);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.print(PrintTarget::Err, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard output, for an answer in pieces.
struct AnswerWriter<'p>(&'p Printer);

impl Write for AnswerWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unwritten(e: io::Error) -> Error {
    match e.get_ref().is_some_and(|e| e.is::<ReaderGivenUp>()) {
        true => Error::Interrupted { next: None },
        false => Error::Output(e),
    }
}

fn unread(e: io::Error) -> Error {
    Error::File { path: "standard input".into(), reason: e.to_string() }
}

/// Asks for a passphrase, away from the terminal's own room.
#[derive(Clone)]
pub struct PassphrasePrompt {
    input: Option<Arc<dyn Input>>,
}

impl std::fmt::Debug for PassphrasePrompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").field("attended", &self.input.is_some()).finish()
    }
}

impl PassphrasePrompt {
    /// Asks; `None` where nobody is there.
    pub fn ask(&self, question: &str) -> Option<Result<secrecy::SecretString>> {
        self.input.as_ref().map(|input| input.ask_secret(question).map_err(asked))
    }
}

fn asked(e: io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::Interrupted => Error::Interrupted { next: None },
        io::ErrorKind::WouldBlock => Error::InBackground,
        _ => Error::System { what: "the terminal can't be asked", reason: e.to_string() },
    }
}

/// [`clean`], line by line.
fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}
