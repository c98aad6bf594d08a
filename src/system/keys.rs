//! Single keys at the terminal, and what is pasted there, while something else goes on.

use super::paste::{Burst, PastedText};
use super::tty::{TerminalModes, WakeReason};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The longest paste: a whole mail. Of a longer one so much is given that whoever reads it sees that it's too long.
const LONGEST: usize = 256 * 1024;

/// Nobody types more keys than these at once.
const KEYS_AT_ONCE: usize = 16;

/// What is typed or pasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypedInput {
    /// A key.
    Key(char),
    /// What was pasted, or a line that begins as a web address, without its last line end. It may hold a secret.
    Address(String),
}

/// Tells what is pasted from single keys: it comes marked, or too much of it at once, or begins as an address does.
#[derive(Default)]
struct PasteDetector {
    begun: String,
    /// What has begun is a paste: all that comes until Enter belongs to it.
    pastes: bool,
}

impl PasteDetector {
    /// Whether what came at once is pasted, so far as it has come.
    fn is_paste(text: &PastedText) -> bool {
        text.marked || text.bytes.len() > KEYS_AT_ONCE
    }

    /// What came at once. A line's end inside it belongs to a paste; at its end it ends the line. A marked paste ends by Enter.
    fn take(&mut self, text: &PastedText, handle: &mut impl FnMut(TypedInput)) {
        let typed = String::from_utf8_lossy(&text.bytes);
        if self.pastes || Self::is_paste(text) {
            self.pastes = true;
            self.begun.push_str(&typed);
            let entered = if text.marked { text.is_entered() } else { typed.ends_with(['\n', '\r']) };
            if entered || self.begun.len() > LONGEST {
                self.end(handle);
            }
            return;
        }
        for c in typed.chars() {
            self.begun.push(c);
            if address(&self.begun).is_none() {
                std::mem::take(&mut self.begun).chars().for_each(|c| handle(TypedInput::Key(c)));
            }
        }
        if address(&self.begun) == Some(true)
            && (self.begun.ends_with(['\n', '\r']) || self.begun.len() > LONGEST)
        {
            self.end(handle);
        }
    }

    fn end(&mut self, handle: &mut impl FnMut(TypedInput)) {
        self.pastes = false;
        let line = std::mem::take(&mut self.begun);
        handle(TypedInput::Address(line.trim_end().to_owned()));
    }
}

/// Whether a text begins as an address does: wholly, or so far. Quotation marks and blanks may stand before it.
fn address(begun: &str) -> Option<bool> {
    const BEGINS: &str = "http";
    let text = begun.trim_start_matches([' ', '<', '"', '\'', '“', '>']).to_lowercase();
    if text.starts_with(BEGINS) {
        Some(true)
    } else {
        (BEGINS.starts_with(&text) && begun.len() < 64).then_some(false)
    }
}

/// What a terminal gives of one key, or of a paste, comes within these times.
const OF_A_KEY: Duration = Duration::from_millis(30);
const OF_A_PASTE: Duration = Duration::from_millis(300);

/// Keys as they are typed, until dropped: the terminal doesn't echo them nor wait for a line meanwhile. Ctrl-C stays
/// a signal.
pub struct Keys {
    modes: Arc<TerminalModes>,
    reading: Option<JoinHandle<()>>,
}

impl Keys {
    /// Gives each key, and each paste, to `handle`, on a thread of its own, while the process is in the terminal's
    /// foreground. `None` where standard input is no terminal.
    pub fn listen(handle: impl FnMut(TypedInput) + Send + 'static) -> Option<Self> {
        let modes = Arc::new(TerminalModes::keys().ok()?);
        let of_thread = modes.clone();
        let thread = std::thread::Builder::new().name("keys".into()).spawn(move || read(&of_thread, handle));
        // From here on, dropping it puts the terminal back.
        Some(Self { modes, reading: Some(thread.ok()?) })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(thread) = self.reading.take() {
            self.modes.wake();
            let _ = thread.join();
        }
    }
}

/// Reads until it's woken for its end, or standard input has ended.
fn read(modes: &TerminalModes, mut handle: impl FnMut(TypedInput)) {
    let mut typing = PasteDetector::default();
    loop {
        match modes.wait(None) {
            Ok(WakeReason::Typed) => {}
            Ok(WakeReason::Continued | WakeReason::Quiet) => continue,
            Ok(WakeReason::Interrupted) | Err(_) => return,
        }
        let mut burst = Burst::new(LONGEST);
        let mut is_over = false;
        // A paste comes in pieces, of which none is keys.
        loop {
            match modes.read() {
                Ok(bytes) if !bytes.is_empty() => burst.add(&bytes),
                _ => return,
            }
            let text = burst.text();
            let rest = if PasteDetector::is_paste(&text) { OF_A_PASTE } else { OF_A_KEY };
            match modes.wait((!text.open).then_some(rest)) {
                Ok(WakeReason::Typed) => {}
                Ok(WakeReason::Quiet | WakeReason::Continued) => break,
                Ok(WakeReason::Interrupted) | Err(_) => {
                    is_over = true;
                    break;
                }
            }
        }
        if is_over {
            return;
        }
        typing.take(&burst.text(), &mut handle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&str]) -> Vec<TypedInput> {
        let (mut typing, mut found) = (PasteDetector::default(), Vec::new());
        for piece in pieces {
            let mut burst = Burst::new(LONGEST);
            burst.add(piece.as_bytes());
            typing.take(&burst.text(), &mut |typed| found.push(typed));
        }
        found
    }

    #[test]
    fn keys_stay_keys_and_an_address_is_one_thing() {
        let keys = |text: &str| text.chars().map(TypedInput::Key).collect::<Vec<_>>();
        let address = |text: &str| TypedInput::Address(text.into());
        assert_eq!(of(&["nsrq\n"]), keys("nsrq\n"));
        assert_eq!(of(&["h", "n"]), keys("hn"));
        assert_eq!(of(&["http"]), []);
        assert_eq!(of(&["http://a/?b=n\n"]), [address("http://a/?b=n")]);
        assert_eq!(of(&[" <HTTP://a/?s\n", "n"]), [address(" <HTTP://a/?s"), TypedInput::Key('n')]);
        assert_eq!(of(&["ht", "tp://a", "/?b\r"]), [address("http://a/?b")]);
        // A mail client's line break, pasted in one go.
        assert_eq!(of(&["http://a/?b\nc=d\n"]), [address("http://a/?b\nc=d")]);
        assert_eq!(of(&[" \n"]), keys(" \n"));
        let endless = "http".to_owned() + &"x".repeat(2 * LONGEST);
        assert!(matches!(&of(&[&endless])[..], [TypedInput::Address(_), ..]));
    }

    #[test]
    fn a_mail_is_one_thing_marked_or_not_and_never_keys() {
        let mail = "From: quincy\nquit\nq\n> http://127.0.0.1:1/callback?code=a&sta\n> te=b\nyours, n\n";
        let whole = [TypedInput::Address(mail.trim_end().into())];
        assert_eq!(of(&[mail]), whole);
        let marked = format!("\u{1b}[200~{mail}\u{1b}[201~");
        assert_eq!(of(&[&marked]), [], "Enter is awaited");
        assert_eq!(of(&[&marked, "\n"]), whole);
        assert_eq!(of(&[&format!("{marked}\n"), "s"]), [whole[0].clone(), TypedInput::Key('s')]);
        assert_eq!(of(&["\u{1b}[200~q\u{1b}[201~\n"]), [TypedInput::Address("q".into())]);
    }
}
