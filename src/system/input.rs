//! What comes from the person at the terminal, or on standard input.

use super::keys::{Keys, TypedInput};
use super::{prompt, tty};
use secrecy::SecretString;
use std::any::Any;
use std::io::{self, BufRead, Read};

/// Keys are heard as long as this is kept.
pub type KeyInputGuard = Box<dyn Any>;

/// Nothing that is typed is shown as long as this is kept, but the answer to a question.
pub type HiddenTyping = Box<dyn Any>;

/// A person's answers and standard input: the system's, or what stands in its place in a test.
pub trait Input: Send + Sync {
    /// Asks for a value; Enter alone gives the default, and nothing at all where there is one.
    fn ask(&self, question: &str, default: Option<&str>) -> io::Result<String>;
    /// Asks for a secret, which isn't shown.
    fn ask_secret(&self, question: &str) -> io::Result<SecretString>;
    /// Asks for a yes; no is the default.
    fn confirm(&self, question: &str) -> io::Result<bool>;
    /// Lets one of several be chosen; the place of the one that was.
    fn choose(&self, question: &str, among: &[String]) -> io::Result<usize>;
    /// Whether standard input is a terminal.
    fn is_terminal(&self) -> bool;
    /// Standard input itself.
    fn bytes(&self) -> Box<dyn BufRead + '_>;
    /// All that is pasted at a terminal after the question, and one byte more than the most that may be.
    fn read_paste(&self, most: usize, question: &str, tell: &dyn Fn(&str)) -> io::Result<Vec<u8>> {
        tell(question);
        let mut bytes = Vec::new();
        self.bytes().take(most as u64 + 1).read_until(b'\n', &mut bytes)?;
        Ok(bytes)
    }
    /// Shows nothing of what is typed before a question and between two, one of which is for a secret.
    fn hide_typing(&self) -> HiddenTyping {
        Box::new(())
    }
    /// Gives each key, and each pasted address, to `handle` on a thread of its own. `None` where there is no way to them.
    fn keys(&self, handle: Box<dyn FnMut(TypedInput) + Send>) -> Option<KeyInputGuard>;
}

/// The process's own standard input, and the terminal it may be.
pub(super) struct SystemInput;

impl Input for SystemInput {
    fn ask(&self, question: &str, default: Option<&str>) -> io::Result<String> {
        prompt::ask(question, default)
    }

    fn ask_secret(&self, question: &str) -> io::Result<SecretString> {
        prompt::ask_secret(question)
    }

    fn confirm(&self, question: &str) -> io::Result<bool> {
        prompt::confirm(question)
    }

    fn choose(&self, question: &str, among: &[String]) -> io::Result<usize> {
        prompt::choose(question, among)
    }

    fn read_paste(&self, most: usize, question: &str, tell: &dyn Fn(&str)) -> io::Result<Vec<u8>> {
        prompt::read_paste(most, question, tell)
    }

    fn hide_typing(&self) -> HiddenTyping {
        // Where it can't be hidden, it's asked for all the same.
        Box::new(tty::TerminalModes::unshown().ok())
    }

    fn is_terminal(&self) -> bool {
        tty::can_be_asked()
    }

    fn bytes(&self) -> Box<dyn BufRead + '_> {
        Box::new(io::stdin().lock())
    }

    fn keys(&self, handle: Box<dyn FnMut(TypedInput) + Send>) -> Option<KeyInputGuard> {
        Keys::listen(handle).map(|keys| Box::new(keys) as KeyInputGuard)
    }
}
