//! The terminal's modes: changed while something is asked or heard, and put back on every way out.
//!
//! A key reader and a prompt change how the terminal takes what is typed. Whatever ends or stops them (an answer, an error,
//! Ctrl-C, a polite signal, Ctrl-\, Ctrl-Z) puts the modes back first; a process that goes on after Ctrl-Z takes them anew.
//! All that is done in the terminal's foreground alone: in the background (`&`, `bg`, `timeout` in a script) whoever touches
//! the modes, or reads, is stopped.

use super::control_keys::ControlKeys;
use super::key_bytes::KeyBytes;
use super::line_editor::LineEditor;
use super::{WakeReason, show_step};
use crate::system::printer::Printer;
use crate::system::signals::{self, polite};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcgetpgrp,
    tcsetattr,
};
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Write, stdin};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// How the terminal takes what is typed while somebody is asked, and how it was before.
struct Changed {
    with: fn(&mut Termios),
    when: OptionalActions,
    extras: ExtraModes,
    /// As it was before the first change; there is none while the process is in the background.
    saved: Option<Termios>,
    /// It's changed at this moment.
    taken: bool,
    /// Who waits for what is typed is woken by this.
    wake: PipeWriter,
}

/// What is changed beside the modes.
#[derive(Debug, Clone, Copy, Default)]
struct ExtraModes {
    /// What is pasted is marked (xterm's mode 2004).
    marks_pastes: bool,
    /// There is no cursor.
    hides_cursor: bool,
    /// What is left unread is nobody's command.
    drains: bool,
    /// Nobody is asked: it can begin in the background, and wait there.
    waits_for_the_foreground: bool,
    /// Ctrl-C, Ctrl-Z and Ctrl-\ come as bytes, and are signals outside of a paste.
    makes_signals: bool,
    /// Nobody is asked: a question may come on top of it.
    lies_below: bool,
}

/// What is changed at the one terminal, one on top of the other: a question, and what lies below it.
#[derive(Default)]
struct Changes(Vec<Changed>);

static CHANGED: Mutex<Changes> = Mutex::new(Changes(Vec::new()));

fn changed() -> MutexGuard<'static, Changes> {
    CHANGED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Changes {
    fn top(&self) -> Option<&Changed> {
        self.0.last()
    }

    /// Who waits for what is typed, if anybody does.
    fn asked(&mut self) -> Option<&mut Changed> {
        self.0.last_mut().filter(|it| !it.extras.lies_below)
    }

    /// Changes them as soon as the terminal is ours, from below; how it stands with the one on top.
    fn hold(&mut self) -> TerminalHold {
        self.0.iter_mut().map(Changed::hold).last().unwrap_or(TerminalHold::Still)
    }

    /// As the terminal was before all of them.
    fn put_back(&mut self, when: OptionalActions) {
        self.0.iter_mut().rev().for_each(|it| it.put_back(when));
    }

    fn take_anew(&mut self) {
        self.0.iter_mut().for_each(Changed::take_anew);
    }
}

/// How often a process in the background looks whether it has come to the foreground.
const LOOK: Duration = Duration::from_millis(200);
/// A terminal that takes what is printed has it within this time.
const OF_A_MARK: Duration = Duration::from_millis(200);

/// What a signal tells the one who waits.
const INTERRUPTED: u8 = b'i';
const CONTINUED: u8 = b'c';

/// So soon does a signal that a key makes reach this process.
const OF_A_SIGNAL: Duration = Duration::from_secs(1);

/// The changed modes of the terminal, put back when dropped.
pub(in crate::system) struct TerminalModes {
    woken: PipeReader,
    /// What was read while the keys that make signals were looked for; `None` where the terminal makes them.
    typed: Option<Mutex<TypedAhead>>,
    /// What is typed is shown, and comes as a line.
    line: Option<Mutex<TypedLine>>,
}

/// A line that is being typed.
#[derive(Default)]
struct TypedLine {
    keys: KeyBytes,
    editor: LineEditor,
    /// The whole line with its end; empty: nothing comes any more.
    whole: Vec<u8>,
}

impl TypedLine {
    /// Takes what is there, up to the line's end; whether it's whole. What follows stays where it is, for the next question, and
    /// isn't shown.
    fn take(&mut self) -> io::Result<bool> {
        let mut byte = [0];
        if rustix::io::retry_on_intr(|| rustix::io::read(stdin(), &mut byte))? == 0 {
            return Ok(true);
        }
        let step = self.keys.take(byte[0]).map(|key| self.editor.take(key));
        let whole = step.and_then(show_step);
        let is_whole = whole.is_some();
        self.whole = whole.unwrap_or_default().into_bytes();
        Ok(is_whole)
    }
}

/// What was read, and not taken yet.
struct TypedAhead {
    bytes: Vec<u8>,
    keys: ControlKeys,
    last: Instant,
}

impl TerminalModes {
    /// A line, shown as it's typed; what is typed ahead is an answer.
    pub(in crate::system) fn line() -> io::Result<Self> {
        let mut modes = Self::change(silent, ExtraModes::default(), OptionalActions::Now)?;
        modes.line = Some(Mutex::default());
        Ok(modes)
    }

    /// Each key comes at once, and none is shown; what is typed ahead is an answer.
    pub(in crate::system) fn single_key() -> io::Result<Self> {
        Self::change(silent, ExtraModes::default(), OptionalActions::Now)
    }

    /// The same without a cursor, for a list in which one is marked.
    pub(in crate::system) fn list() -> io::Result<Self> {
        Self::change(silent, ExtraModes { hides_cursor: true, ..ExtraModes::default() }, OptionalActions::Now)
    }

    /// The same, where what was typed before the question is thrown away, and what is left of the answer, too.
    pub(in crate::system) fn secret() -> io::Result<Self> {
        Self::change(silent, ExtraModes { drains: true, ..ExtraModes::default() }, OptionalActions::Flush)
    }

    /// The same, where what is pasted is marked, and what is left of it is thrown away.
    pub(in crate::system) fn paste() -> io::Result<Self> {
        let extras =
            ExtraModes { marks_pastes: true, drains: true, makes_signals: true, ..ExtraModes::default() };
        Self::change(without_signals, extras, OptionalActions::Now)
    }

    /// The same beside something else that goes on, in the background as well: keys come once it's in the foreground.
    pub(in crate::system) fn keys() -> io::Result<Self> {
        let extras = ExtraModes {
            marks_pastes: true,
            hides_cursor: false,
            drains: true,
            waits_for_the_foreground: true,
            makes_signals: true,
            lies_below: false,
        };
        Self::change(without_signals, extras, OptionalActions::Now)
    }

    /// Nothing that is typed is shown, as long as this is kept: between questions, one of which is for a secret, and before them.
    pub(in crate::system) fn unshown() -> io::Result<Self> {
        let extras = ExtraModes { waits_for_the_foreground: true, lies_below: true, ..ExtraModes::default() };
        Self::change(silent, extras, OptionalActions::Now)
    }

    fn change(with: fn(&mut Termios), extras: ExtraModes, when: OptionalActions) -> io::Result<Self> {
        watch();
        // Where it's no terminal at all.
        tcgetattr(stdin())?;
        // macOS can't wait for /dev/tty under that name: whoever asked there would hear neither Ctrl-C nor the end.
        let input = stdin();
        let mut wanted = [PollFd::new(&input, PollFlags::IN)];
        poll(&mut wanted, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        if wanted[0].revents().contains(PollFlags::NVAL) {
            return Err(io::Error::other("this system can't wait for what is typed there"));
        }
        let (woken, wake) = io::pipe()?;
        let mut changes = changed();
        if changes.asked().is_some() {
            return Err(io::Error::other("the terminal is being asked already"));
        }
        let mut it = Changed { with, when, extras, saved: None, taken: false, wake };
        match it.is_ours() {
            true => it.take()?,
            false if !extras.waits_for_the_foreground => return Err(io::ErrorKind::WouldBlock.into()),
            false => {}
        }
        changes.0.push(it);
        let typed = TypedAhead { bytes: Vec::new(), keys: ControlKeys::default(), last: Instant::now() };
        Ok(Self { woken, typed: extras.makes_signals.then(|| Mutex::new(typed)), line: None })
    }

    /// Waits until something is typed, or happens, or for so long. What is typed while the process is in the background is
    /// for others: it's not looked at.
    pub(in crate::system) fn wait(&self, limit: Option<Duration>) -> io::Result<WakeReason> {
        let until = limit.map(|limit| Instant::now() + limit);
        loop {
            let held = changed().hold();
            if held == TerminalHold::Anew {
                return Ok(self.continued());
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            // Nobody tells a process that runs on that it has come to the foreground.
            let left = if held == TerminalHold::Away { Some(left.unwrap_or(LOOK).min(LOOK)) } else { left };
            match self.poll(held == TerminalHold::Still, left)? {
                WakeReason::Quiet if until.is_none_or(|until| Instant::now() < until) => {}
                WakeReason::Typed if changed().top().is_some_and(|it| !it.is_ours()) => {}
                WakeReason::Typed if self.makes_signal()? => self.awaits_signal()?,
                WakeReason::Typed if !self.has_line()? => {}
                WakeReason::Continued => return Ok(self.continued()),
                woken => return Ok(woken),
            }
        }
    }

    /// Reads what was typed; whether it is a key that ends or stops the command. As the terminal does it, that is sent to
    /// the whole foreground, and what was typed before is forgotten.
    fn makes_signal(&self) -> io::Result<bool> {
        let Some(typed) = &self.typed else { return Ok(false) };
        let mut typed = typed.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = read_once()?;
        let after = std::mem::replace(&mut typed.last, Instant::now()).elapsed();
        let keys = changed().top().map(Changed::signal_keys).unwrap_or_default();
        let bytes_of_keys: Vec<u8> = keys.iter().map(|(byte, _)| *byte).collect();
        let key = typed.keys.typed(&bytes, after, &bytes_of_keys);
        let signal = key.and_then(|key| keys.iter().find(|(byte, _)| *byte == key));
        match signal {
            Some((_, signal)) => {
                typed.bytes.clear();
                tcflush(stdin(), QueueSelector::IFlush)?;
                kill_current_process_group(*signal)?;
            }
            None => typed.bytes.extend(bytes),
        }
        Ok(signal.is_some())
    }

    /// The question is asked anew: what was typed of a line is forgotten.
    fn continued(&self) -> WakeReason {
        if let Some(line) = &self.line {
            *line.lock().unwrap_or_else(PoisonError::into_inner) = TypedLine::default();
        }
        WakeReason::Continued
    }

    /// Whether there is something to read: where a line is typed, all of it.
    fn has_line(&self) -> io::Result<bool> {
        let Some(line) = &self.line else { return Ok(true) };
        line.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Nothing more is read before the signal is there: after Ctrl-Z, what is typed is for others.
    fn awaits_signal(&self) -> io::Result<()> {
        let mut wanted = [PollFd::from_borrowed_fd(self.woken.as_fd(), PollFlags::IN)];
        let limit = Timespec { tv_sec: OF_A_SIGNAL.as_secs().try_into().unwrap_or(1), tv_nsec: 0 };
        rustix::io::retry_on_intr(|| poll(&mut wanted, Some(&limit)))?;
        Ok(())
    }

    fn poll(&self, typed: bool, limit: Option<Duration>) -> io::Result<WakeReason> {
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        let input = stdin();
        let mut wanted =
            [PollFd::from_borrowed_fd(self.woken.as_fd(), PollFlags::IN), PollFd::new(&input, PollFlags::IN)];
        let wanted = if typed { &mut wanted[..] } else { &mut wanted[..1] };
        // A signal that others handle cuts it short.
        if rustix::io::retry_on_intr(|| poll(wanted, limit.as_ref()))? == 0 {
            return Ok(WakeReason::Quiet);
        }
        if wanted[0].revents().is_empty() {
            return Ok(WakeReason::Typed);
        }
        let mut why = [0];
        match rustix::io::read(&self.woken, &mut why) {
            Ok(1) if why[0] == CONTINUED => Ok(WakeReason::Continued),
            _ => Ok(WakeReason::Interrupted),
        }
    }

    /// What was typed and not read yet; nothing, once the terminal is gone.
    pub(in crate::system) fn read(&self) -> io::Result<Vec<u8>> {
        if let Some(line) = &self.line {
            return Ok(std::mem::take(&mut line.lock().unwrap_or_else(PoisonError::into_inner).whole));
        }
        match &self.typed {
            None => read_once(),
            Some(typed) => {
                let mut typed = typed.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(std::mem::take(&mut typed.bytes))
            }
        }
    }

    /// Wakes whoever waits, from another thread, for the end.
    pub(in crate::system) fn wake(&self) {
        if let Some(it) = changed().asked() {
            let _ = it.wake.write_all(&[INTERRUPTED]);
        }
    }
}

impl Drop for TerminalModes {
    fn drop(&mut self) {
        if let Some(mut it) = changed().0.pop() {
            it.put_back(if it.extras.drains { OptionalActions::Flush } else { OptionalActions::Now });
        }
    }
}

fn read_once() -> io::Result<Vec<u8>> {
    // Past the standard library's buffer, which would hide what it holds from `wait`.
    let mut bytes = vec![0; 4096];
    let count = rustix::io::retry_on_intr(|| rustix::io::read(stdin(), &mut bytes))?;
    bytes.truncate(count);
    Ok(bytes)
}

/// Whether the terminal is ours to change and to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TerminalHold {
    /// It is, and was.
    Still,
    /// It is again, as of now.
    Anew,
    /// It's another process's.
    Away,
}

impl Changed {
    /// Whether what is typed is for this process. Where a terminal doesn't tell, a question is asked, and keys aren't taken.
    fn is_ours(&self) -> bool {
        tcgetpgrp(stdin()).map_or(!self.extras.waits_for_the_foreground, |foreground| foreground == getpgrp())
    }

    /// Changes it as soon as it's ours. From the background nothing is touched: that would stop us.
    fn hold(&mut self) -> TerminalHold {
        match (self.is_ours(), self.taken) {
            (true, true) => TerminalHold::Still,
            (true, false) => self.take().map_or(TerminalHold::Still, |()| TerminalHold::Anew),
            (false, _) => {
                self.taken = false;
                TerminalHold::Away
            }
        }
    }

    fn take(&mut self) -> io::Result<()> {
        if self.saved.is_none() {
            self.saved = Some(tcgetattr(stdin())?);
        }
        if let Some(mut ours) = self.saved.clone() {
            (self.with)(&mut ours);
            // What was typed before a question is thrown away before the first time alone.
            set_modes(std::mem::replace(&mut self.when, OptionalActions::Now), &ours)?;
            self.taken = true;
            self.mark(true);
        }
        Ok(())
    }

    fn put_back(&mut self, when: OptionalActions) {
        if std::mem::take(&mut self.taken)
            && self.is_ours()
            && let Some(saved) = &self.saved
        {
            self.mark(false);
            let _ = set_modes(when, saved);
        }
    }

    /// After a stop, whatever whoever had the terminal meanwhile made of it.
    fn take_anew(&mut self) {
        self.taken = false;
        self.hold();
    }

    /// The keys that made signals before the modes were changed.
    fn signal_keys(&self) -> Vec<(u8, Signal)> {
        let Some(saved) = self.saved.as_ref().filter(|it| it.local_modes.contains(LocalModes::ISIG)) else {
            return Vec::new();
        };
        let keys = [
            (SpecialCodeIndex::VINTR, Signal::INT),
            (SpecialCodeIndex::VSUSP, Signal::TSTP),
            (SpecialCodeIndex::VQUIT, Signal::QUIT),
        ];
        // A key that is switched off is 0, or on macOS 255, which is none that a keyboard has.
        keys.into_iter()
            .map(|(index, signal)| (saved.special_codes[index], signal))
            .filter(|(byte, _)| !matches!(byte, 0 | 255))
            .collect()
    }

    fn mark(&self, on: bool) {
        let marks: [(bool, &str, &str); 2] = [
            (self.extras.marks_pastes, "\x1b[?2004h", "\x1b[?2004l"),
            (self.extras.hides_cursor, "\x1b[?25l", "\x1b[?25h"),
        ];
        for (_, begin, end) in marks.iter().filter(|(wanted, ..)| *wanted) {
            let mark = if on { begin } else { end };
            Printer::of_the_process().control(mark.as_bytes());
        }
    }
}

/// Sets them at once, and throws away what was typed where that is wanted. The system's own way of doing both waits until all is
/// printed: for a person who pressed Ctrl-S.
fn set_modes(when: OptionalActions, modes: &Termios) -> rustix::io::Result<()> {
    if when == OptionalActions::Flush {
        tcflush(stdin(), QueueSelector::IFlush)?;
    }
    tcsetattr(stdin(), OptionalActions::Now, modes)
}

/// Nothing is shown, and each key comes at once; Ctrl-C and Ctrl-Z stay signals.
fn silent(modes: &mut Termios) {
    modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
}

/// The same, and no key is a signal: a paste has whatever bytes.
fn without_signals(modes: &mut Termios) {
    silent(modes);
    modes.local_modes -= LocalModes::ISIG | LocalModes::IEXTEN;
}

/// Whether this process is in the foreground of its terminal: what it draws there is looked at.
pub(in crate::system) fn is_in_foreground() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|foreground| foreground == getpgrp())
}

/// Whether standard input is a terminal at which somebody can be asked.
pub(in crate::system) fn can_be_asked() -> bool {
    stdin().is_terminal()
}

/// Whether a terminal here takes escapes, and doesn't show them.
pub(in crate::system) fn takes_escapes() -> bool {
    true
}

/// Sees to the signals that would leave the terminal changed, from its first change on.
pub(in crate::system) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        // Where there is no thread to be had, signals end the process as ever.
        let _ = std::thread::Builder::new().name("terminal".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            let Ok(runtime) = runtime else { return };
            let ends = polite().into_iter().map(|kind| (kind, SignalAction::End));
            let all = ends.chain([
                (SignalKind::quit(), SignalAction::Quit),
                (SignalKind::from_raw(Signal::TSTP.as_raw()), SignalAction::Stop),
                (SignalKind::from_raw(Signal::CONT.as_raw()), SignalAction::Continue),
            ]);
            {
                let _inside = runtime.enter();
                for (kind, act) in all {
                    let Ok(mut arrivals) = signal(kind) else { continue };
                    runtime.spawn(async move {
                        while arrivals.recv().await.is_some() {
                            act.take();
                        }
                    });
                }
            }
            let _ = ready.send(());
            runtime.block_on(std::future::pending::<()>());
        });
        let _ = is_ready.recv();
    });
}

/// What is done at a signal.
#[derive(Debug, Clone, Copy)]
enum SignalAction {
    End,
    Quit,
    Stop,
    Continue,
}

impl SignalAction {
    fn take(self) {
        // To the end of it: a question that begins meanwhile would change the terminal of a process that is gone or stopped.
        let mut changes = changed();
        match self {
            Self::End => {
                if let Some(it) = changes.asked() {
                    signals::note_arrival();
                    // Whoever asks ends by itself, and puts the terminal back.
                    let _ = it.wake.write_all(&[INTERRUPTED]);
                } else if !signals::are_counted() {
                    changes.put_back(OptionalActions::Flush);
                    leave(130);
                }
            }
            Self::Quit => {
                changes.put_back(OptionalActions::Flush);
                leave(131);
            }
            Self::Stop => {
                changes.put_back(OptionalActions::Now);
                Printer::of_the_process().finish_within(OF_A_MARK);
                let _ = kill_process(getpid(), Signal::STOP);
            }
            Self::Continue => {
                changes.take_anew();
                if let Some(it) = changes.asked() {
                    let _ = it.wake.write_all(&[CONTINUED]);
                }
            }
        }
    }
}

/// Ends the process, as the signal would have that somebody catches now for the terminal's sake.
fn leave(code: i32) {
    signals::ends();
    Printer::of_the_process().finish_within(OF_A_MARK);
    #[expect(clippy::disallowed_methods, reason = "in the place of the signal's own end")]
    std::process::exit(code);
}
