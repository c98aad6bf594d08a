//! Single keys at the terminal, while something else goes on.

#[cfg(unix)]
pub use unix::Keys;

/// Keys as they are typed, until dropped. Where there is no way to them, there are none, and Ctrl-C works as ever.
#[cfg(not(unix))]
pub struct Keys;

#[cfg(not(unix))]
impl Keys {
    /// Not read on this system.
    pub fn listen(_: impl FnMut(char) + Send + 'static) -> Option<Self> {
        None
    }
}

#[cfg(unix)]
mod unix {
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
        /// Gives each key to `handle`, on a thread of its own. `None` where standard input is no terminal.
        pub fn listen(handle: impl FnMut(char) + Send + 'static) -> Option<Self> {
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
    fn read(closed: &PipeReader, mut handle: impl FnMut(char)) {
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
            let mut typed = [0; 64];
            match input.lock().read(&mut typed) {
                Ok(0) | Err(_) => return,
                Ok(count) => String::from_utf8_lossy(&typed[..count]).chars().for_each(&mut handle),
            }
        }
    }
}
