//! The terminal as a question and the key reader take it: what is typed comes as bytes, whatever the platform.
//!
//! Unix and Windows are apart. crossterm would read both, but on Unix it knows nothing of a terminal's background, puts no modes
//! back at Ctrl-Z, gives no line longer than 4,095 bytes, and leaves to the shell what it doesn't read of a paste.

#[cfg(any(windows, test))]
mod console_keys;
#[cfg(unix)]
mod control_keys;
#[cfg(unix)]
mod key_bytes;
mod line_editor;
mod typed_key;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub(super) use typed_key::{END, KILL};
#[cfg(unix)]
pub(super) use unix::{TerminalModes, can_be_asked, is_in_foreground, takes_escapes, watch};
#[cfg(windows)]
pub(super) use windows::{TerminalModes, can_be_asked, is_in_foreground, takes_escapes};

use super::printer::{PrintTarget, Printer};
use line_editor::LineStep;

/// What woke whoever waits for what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WakeReason {
    /// Something was typed.
    Typed,
    /// Nothing was, for as long as was waited.
    Quiet,
    /// A signal ends the command.
    Interrupted,
    /// The process goes on after it was stopped: a question is to be asked anew.
    #[cfg_attr(windows, expect(dead_code, reason = "no key stops a process there"))]
    Continued,
}

/// Shows what a key does to a line; the line with its end, once it's whole.
fn show_step(step: LineStep) -> Option<String> {
    match step {
        LineStep::Shows(text) => {
            show(&text);
            None
        }
        LineStep::Ends(text) => {
            show("\n");
            Some(text)
        }
    }
}

/// Puts it behind all that was said before.
pub(super) fn show(text: &str) {
    if !text.is_empty() {
        Printer::of_the_process().print(PrintTarget::Err, text.as_bytes());
    }
}
