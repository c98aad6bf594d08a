//! Single keys at the terminal, and pasted addresses, while something else goes on.

/// The longest paste; what is longer is given in pieces.
#[cfg(any(unix, test))]
const LONGEST: usize = 16 * 1024;

/// What is typed or pasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A key.
    Key(char),
    /// A line that begins as a web address, without its last line end. It may hold a secret.
    Address(String),
}

/// Tells an address from single keys: none of them begins as one does.
#[derive(Default)]
#[cfg(any(unix, test))]
struct Typing {
    begun: String,
}

#[cfg(any(unix, test))]
impl Typing {
    /// What came at once. A line's end inside it belongs to a paste; at its end it ends the line.
    fn take(&mut self, typed: &str, handle: &mut impl FnMut(Typed)) {
        for c in typed.chars() {
            self.begun.push(c);
            match address(&self.begun) {
                Some(whole) if whole && self.begun.len() < LONGEST => {}
                Some(true) => self.end(handle),
                Some(false) => {}
                None => std::mem::take(&mut self.begun).chars().for_each(|c| handle(Typed::Key(c))),
            }
        }
        if address(&self.begun) == Some(true) && self.begun.ends_with(['\n', '\r']) {
            self.end(handle);
        }
    }

    fn end(&mut self, handle: &mut impl FnMut(Typed)) {
        let line = std::mem::take(&mut self.begun);
        handle(Typed::Address(line.trim_end().to_owned()));
    }
}

/// Whether a text begins as an address does: wholly, or so far. Quotation marks and blanks may stand before it.
#[cfg(any(unix, test))]
fn address(begun: &str) -> Option<bool> {
    const BEGINS: &str = "http";
    let text = begun.trim_start_matches([' ', '<', '"', '\'', '“', '>']).to_lowercase();
    if text.starts_with(BEGINS) {
        Some(true)
    } else {
        (BEGINS.starts_with(&text) && begun.len() < 64).then_some(false)
    }
}

#[cfg(unix)]
pub use unix::Keys;

/// Keys as they are typed, until dropped. Where there is no way to them, there are none, and Ctrl-C works as ever.
#[cfg(not(unix))]
pub struct Keys;

#[cfg(not(unix))]
impl Keys {
    /// Not read on this system.
    pub fn listen(_: impl FnMut(Typed) + Send + 'static) -> Option<Self> {
        None
    }
}

#[cfg(unix)]
mod unix {
    use super::{Typed, Typing};
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
    use std::io::{PipeReader, PipeWriter, Read, stdin};
    use std::os::fd::AsFd;
    use std::thread::JoinHandle;

    /// Keys as they are typed, until dropped: the terminal doesn't echo them nor wait for a line meanwhile. Ctrl-C stays
    /// a signal.
    pub struct Keys {
        saved: Termios,
        reading: Option<(PipeWriter, JoinHandle<()>)>,
    }

    impl Keys {
        /// Gives each key, and each pasted address, to `handle`, on a thread of its own. `None` where standard input is no terminal.
        pub fn listen(handle: impl FnMut(Typed) + Send + 'static) -> Option<Self> {
            let saved = tcgetattr(stdin()).ok()?;
            let mut single = saved.clone();
            single.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            let (closed, open) = std::io::pipe().ok()?;
            tcsetattr(stdin(), OptionalActions::Now, &single).ok()?;
            let thread = std::thread::Builder::new().name("keys".into()).spawn(move || read(&closed, handle));
            let reading = thread.ok().map(|thread| (open, thread));
            // From here on, dropping it puts the terminal back.
            Some(Self { saved, reading })
        }
    }

    impl Drop for Keys {
        fn drop(&mut self) {
            if let Some((open, thread)) = self.reading.take() {
                drop(open);
                let _ = thread.join();
            }
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.saved);
        }
    }

    /// Reads until the other end of the pipe is closed, or standard input is.
    fn read(closed: &PipeReader, mut handle: impl FnMut(Typed)) {
        let mut typing = Typing::default();
        let input = stdin();
        loop {
            let mut wanted =
                [PollFd::new(&input, PollFlags::IN), PollFd::from_borrowed_fd(closed.as_fd(), PollFlags::IN)];
            match poll(&mut wanted, None) {
                Err(Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) if !wanted[1].revents().is_empty() => return,
                Ok(_) => {}
            }
            let mut typed = [0; 4096];
            match input.lock().read(&mut typed) {
                Ok(0) | Err(_) => return,
                Ok(count) => typing.take(&String::from_utf8_lossy(&typed[..count]), &mut handle),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&str]) -> Vec<Typed> {
        let (mut typing, mut found) = (Typing::default(), Vec::new());
        pieces.iter().for_each(|piece| typing.take(piece, &mut |typed| found.push(typed)));
        found
    }

    #[test]
    fn keys_stay_keys_and_an_address_is_one_thing() {
        let keys = |text: &str| text.chars().map(Typed::Key).collect::<Vec<_>>();
        let address = |text: &str| Typed::Address(text.into());
        assert_eq!(of(&["nsrq\n"]), keys("nsrq\n"));
        assert_eq!(of(&["h", "n"]), keys("hn"));
        assert_eq!(of(&["http"]), []);
        assert_eq!(of(&["http://a/?b=n\n"]), [address("http://a/?b=n")]);
        assert_eq!(of(&[" <HTTP://a/?s\n", "n"]), [address(" <HTTP://a/?s"), Typed::Key('n')]);
        assert_eq!(of(&["ht", "tp://a", "/?b\r"]), [address("http://a/?b")]);
        // A mail client's line break, pasted in one go.
        assert_eq!(of(&["http://a/?b\nc=d\n"]), [address("http://a/?b\nc=d")]);
        assert_eq!(of(&[" \n"]), keys(" \n"));
        let endless = "http".to_owned() + &"x".repeat(2 * LONGEST);
        assert!(matches!(&of(&[&endless])[..], [Typed::Address(_), ..]));
    }
}
