//! tmux and screen, which stand between a program and the terminal, and keep from it what they don't know.

use super::variables::Variables;
use std::io::Write;
use std::process::{Command, Stdio};

/// A terminal within a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Multiplexer {
    Tmux,
    Screen,
}

impl Multiplexer {
    /// The one that this process runs in.
    pub(super) fn around(variables: &Variables) -> Option<Self> {
        match (variables.get("TMUX"), variables.get("STY")) {
            (Some(_), _) => Some(Self::Tmux),
            (None, Some(_)) => Some(Self::Screen),
            (None, None) => None,
        }
    }

    /// Hands a text over for its own buffer and the clipboard of the terminal outside; whether it took it.
    pub(super) fn takes(self, text: &str) -> bool {
        if self == Self::Screen {
            return false;
        }
        let tmux = Command::new("tmux")
            // By default a program's own request for the clipboard is dropped, and this one isn't.
            .args(["load-buffer", "-w", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut tmux) = tmux else { return false };
        // Closed before it's waited for: it reads to the end.
        let written = tmux.stdin.take().is_some_and(|mut input| input.write_all(text.as_bytes()).is_ok());
        tmux.wait().is_ok_and(|status| status.success()) && written
    }

    /// What asks the terminal outside.
    pub(super) fn passing(self, asked: &str) -> String {
        match self {
            Self::Tmux => format!("\x1bPtmux;{}\x1b\\", asked.replace('\x1b', "\x1b\x1b")),
            Self::Screen => format!("\x1bP{asked}\x1b\\"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_the_terminal_outside_is_wrapped() {
        let around = |name: &str| Multiplexer::around(&Variables::new([(name.to_owned(), "x".to_owned())]));
        let asked = "\x1b]52;c;eA==\x07";
        assert_eq!(around("TMUX").unwrap().passing(asked), "\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\");
        assert_eq!(around("STY").unwrap().passing(asked), "\x1bP\x1b]52;c;eA==\x07\x1b\\");
        assert_eq!(around("TERM"), None);
    }
}
