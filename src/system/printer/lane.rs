//! One way out: a queue with an end, and the thread that empties it.

use super::moving::{MovingText, erased};
use crate::error::counted;
use crate::system::signals;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So much waits for its reader at most; more is dropped and counted.
const ROOM: usize = 1024 * 1024;

/// A reader who reads has a line by the time it was printed. One who doesn't costs this once, and not each line.
const MOMENT: Duration = Duration::from_millis(20);

/// How often whoever waits for a reader looks whether a signal came.
const LOOK: Duration = Duration::from_millis(20);

/// For so long the end of a command waits for a reader who takes nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The same once a signal came.
const PATIENCE_AFTER_A_SIGNAL: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::system) enum PrintTarget {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A stream that is written to.
pub(in crate::system) type Stream = Box<dyn Write + Send>;

/// A signal came while a reader was waited for.
#[derive(Debug, thiserror::Error)]
#[error("a signal ended the waiting for whoever reads it")]
pub(in crate::system) struct ReaderGivenUp;

/// What is printed at once.
pub(super) struct Item {
    to: PrintTarget,
    kind: PrintKind,
    bytes: Vec<u8>,
    /// Whoever waits until it's written.
    done: Option<Sender<io::Result<()>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PrintKind {
    /// Lines, or a question at the end of which something is typed.
    Text,
    /// What isn't seen, and leaves the cursor where it is.
    Control,
}

impl Item {
    pub(super) fn new(to: PrintTarget, kind: PrintKind, bytes: &[u8]) -> Self {
        Self { to, kind, bytes: bytes.to_vec(), done: None }
    }

    fn lines(&self) -> usize {
        let whole = self.bytes.iter().filter(|byte| **byte == b'\n').count();
        whole.max(usize::from(!self.bytes.is_empty()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// A thread, once something is to be written.
    NotYet,
    OnThread,
    /// Whoever prints: there is no thread to be had, or none is needed.
    AtOnce,
}

struct State {
    queue: VecDeque<Item>,
    /// How much of them waits, with what is being written.
    bytes: usize,
    /// How many were taken in, and how many of those were written.
    taken_in: u64,
    written: u64,
    /// How many lines found no room since.
    dropped: usize,
    writing: Writing,
    moving: Option<MovingText>,
    /// What moves isn't drawn as it is now.
    is_to_be_drawn: bool,
    /// Somebody waited for the reader in vain.
    is_given_up: bool,
}

/// One way out.
pub(super) struct Lane {
    state: Mutex<State>,
    changed: Condvar,
    writers: Mutex<OutputStreams>,
    /// How many bytes were written: whether the reader reads at all.
    moved: AtomicU64,
    /// For how long the end of a command waits for a reader who takes nothing; `None`: until a signal comes.
    patience: Option<Duration>,
}

/// What is to be done next.
enum LaneStep {
    Write(Item),
    TellOfDropped(usize),
    Draw(MovingText),
}

impl Lane {
    /// Nothing is printed yet. `beside`: where it's told what was dropped, if not here.
    pub(super) fn new(
        out: Option<Stream>,
        err: Option<Stream>,
        beside: Option<Arc<Self>>,
        reader_gone: &Arc<AtomicBool>,
        patience: Option<Duration>,
    ) -> Arc<Self> {
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            taken_in: 0,
            written: 0,
            dropped: 0,
            writing: Writing::NotYet,
            moving: None,
            is_to_be_drawn: false,
            is_given_up: false,
        };
        let writers = OutputStreams {
            out,
            err,
            beside,
            reader_gone: reader_gone.clone(),
            drawn: 0,
            line_is_begun: false,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            writers: Mutex::new(writers),
            moved: AtomicU64::new(0),
            patience,
        })
    }

    /// Whoever prints writes, from now on.
    pub(super) fn without_a_thread(&self) {
        self.lock().writing = Writing::AtOnce;
    }

    /// Takes it in, where there is room.
    pub(super) fn print(self: &Arc<Self>, item: Item) {
        let mut state = self.lock();
        // What was dropped is told before anything else is taken in: nothing is missing without a word in its place.
        if state.dropped > 0 || state.bytes + item.bytes.len() > ROOM {
            state.dropped += item.lines();
            return;
        }
        let is_read = state.written == state.taken_in && !state.is_given_up;
        let Some((state, number)) = self.take_in(state, item) else { return };
        if is_read {
            let _ = self
                .changed
                .wait_timeout_while(state, MOMENT, |state| state.written < number)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes it in, whether there is room or not, and waits until it's written, or a signal ends that.
    pub(super) fn write(self: &Arc<Self>, mut item: Item) -> io::Result<()> {
        let (done, wait) = channel();
        item.done = Some(done);
        let state = self.lock();
        if state.is_given_up {
            return Err(io::Error::other(ReaderGivenUp));
        }
        drop(self.take_in(state, item));
        let mut patience = ReaderPatience::new(self, None);
        loop {
            match wait.recv_timeout(LOOK) {
                Ok(written) => return written,
                Err(RecvTimeoutError::Timeout) if !patience.is_over(self) => {}
                Err(_) => {
                    self.lock().is_given_up = true;
                    return Err(io::Error::other(ReaderGivenUp));
                }
            }
        }
    }

    /// Waits until all is written, as long as its reader reads, and for so long at most.
    pub(super) fn finish(&self, limit: Option<Duration>) {
        let until = limit.map(|limit| Instant::now() + limit);
        let mut patience = ReaderPatience::new(self, self.patience);
        let mut state = self.lock();
        while state.is_busy() && !state.is_given_up {
            let waited = self.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if until.is_some_and(|until| Instant::now() >= until) {
                return;
            }
            state.is_given_up |= patience.is_over(self);
        }
    }

    /// Whether something waits to be written.
    pub(super) fn is_printing(&self) -> bool {
        self.lock().is_busy()
    }

    /// What moves below all that is printed is this from now on; `None`: nothing.
    pub(super) fn show(self: &Arc<Self>, moving: Option<MovingText>) {
        let mut state = self.lock();
        self.start(&mut state);
        let is_gone = moving.is_none();
        (state.moving, state.is_to_be_drawn) = (moving, true);
        self.changed.notify_all();
        drop(state);
        if is_gone {
            // Whatever is written takes away what was drawn.
            self.print(Item::new(PrintTarget::Err, PrintKind::Text, b""));
        }
    }

    fn take_in<'l>(
        self: &'l Arc<Self>,
        mut state: MutexGuard<'l, State>,
        item: Item,
    ) -> Option<(MutexGuard<'l, State>, u64)> {
        self.start(&mut state);
        if state.writing == Writing::AtOnce {
            drop(state);
            self.writers().write(item, &self.moved);
            return None;
        }
        state.bytes += item.bytes.len();
        state.taken_in += 1;
        state.queue.push_back(item);
        self.changed.notify_all();
        let number = state.taken_in;
        Some((state, number))
    }

    fn start(self: &Arc<Self>, state: &mut State) {
        if state.writing == Writing::NotYet {
            let of_thread = self.clone();
            let started =
                std::thread::Builder::new().name("printer".into()).spawn(move || of_thread.write_all());
            state.writing = if started.is_ok() { Writing::OnThread } else { Writing::AtOnce };
        }
    }

    /// The thread's work.
    fn write_all(&self) {
        let mut writers = self.writers();
        loop {
            match self.next() {
                LaneStep::Write(item) => {
                    let size = item.bytes.len();
                    writers.write(item, &self.moved);
                    self.is_written(size);
                }
                LaneStep::TellOfDropped(lines) => {
                    writers.tell_of_dropped(lines, &self.moved);
                    self.is_written(0);
                }
                LaneStep::Draw(moving) => writers.draw(&moving, &self.moved),
            }
        }
    }

    fn next(&self) -> LaneStep {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.queue.pop_front() {
                return LaneStep::Write(item);
            }
            if state.dropped > 0 {
                state.taken_in += 1;
                return LaneStep::TellOfDropped(std::mem::take(&mut state.dropped));
            }
            let every = state.moving.as_ref().and_then(|moving| moving.every);
            if state.is_to_be_drawn
                && let Some(moving) = state.moving.clone()
            {
                state.is_to_be_drawn = false;
                return LaneStep::Draw(moving);
            }
            match every {
                Some(every) => {
                    let (waited, over) =
                        self.changed.wait_timeout(state, every).unwrap_or_else(PoisonError::into_inner);
                    state = waited;
                    state.is_to_be_drawn |= over.timed_out();
                }
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn is_written(&self, size: usize) {
        let mut state = self.lock();
        state.bytes -= size;
        state.written += 1;
        state.is_to_be_drawn = state.moving.is_some();
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writers(&self) -> MutexGuard<'_, OutputStreams> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_busy(&self) -> bool {
        self.written < self.taken_in || self.dropped > 0
    }
}

/// For how long a reader is waited for who takes nothing.
struct ReaderPatience {
    /// Without a signal; `None`: until one comes.
    usual: Option<Duration>,
    signals: usize,
    moved: u64,
    since: Instant,
}

impl ReaderPatience {
    fn new(lane: &Lane, usual: Option<Duration>) -> Self {
        let moved = lane.moved.load(Ordering::Relaxed);
        Self { usual, signals: signals::arrived(), moved, since: Instant::now() }
    }

    fn is_over(&mut self, lane: &Lane) -> bool {
        let moved = lane.moved.load(Ordering::Relaxed);
        if moved != self.moved {
            (self.moved, self.since) = (moved, Instant::now());
        }
        let signals = signals::arrived();
        let limit = if signals > 0 { Some(PATIENCE_AFTER_A_SIGNAL) } else { self.usual };
        signals > self.signals || limit.is_some_and(|limit| self.since.elapsed() >= limit)
    }
}

/// The streams, and what stands at the end of the terminal.
struct OutputStreams {
    out: Option<Stream>,
    err: Option<Stream>,
    beside: Option<Arc<Lane>>,
    reader_gone: Arc<AtomicBool>,
    /// How many lines that move are drawn.
    drawn: usize,
    /// Something is to be typed behind what was printed last.
    line_is_begun: bool,
}

impl OutputStreams {
    fn write(&mut self, item: Item, moved: &AtomicU64) {
        let Item { to, kind, mut bytes, done } = item;
        if kind == PrintKind::Text {
            self.erase(moved);
            self.line_is_begun = !(bytes.is_empty() || bytes.ends_with(b"\n"));
        }
        // A stream that there isn't takes everything.
        let stream = match to {
            PrintTarget::Out => self.out.as_mut(),
            PrintTarget::Err => self.err.as_mut(),
        };
        // Nobody is left to be told that standard error is gone.
        // defense: S52 unwritten-talk-is-no-panic
        let written = stream.map_or(Ok(()), |stream| write_all(stream, &bytes, moved));
        // It may have been a secret.
        bytes.fill(0);
        if to == PrintTarget::Out && written.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            self.reader_gone.store(true, Ordering::Relaxed);
        }
        if let Some(done) = done {
            let _ = done.send(written);
        }
    }

    fn tell_of_dropped(&mut self, lines: usize, moved: &AtomicU64) {
        let told = format!("{} could not be printed.\n", counted(lines, "line", "lines"));
        let item = Item::new(PrintTarget::Err, PrintKind::Text, told.as_bytes());
        match &self.beside {
            Some(lane) => lane.print(item),
            None => self.write(item, moved),
        }
    }

    fn draw(&mut self, moving: &MovingText, moved: &AtomicU64) {
        if self.line_is_begun {
            return;
        }
        let (drawn, lines) = moving.drawn();
        let text = format!("{}{drawn}", erased(self.drawn));
        self.drawn = lines;
        self.write_err(&text, moved);
    }

    fn erase(&mut self, moved: &AtomicU64) {
        if self.drawn > 0 {
            let text = erased(std::mem::take(&mut self.drawn));
            self.write_err(&text, moved);
        }
    }

    fn write_err(&mut self, text: &str, moved: &AtomicU64) {
        if let Some(err) = self.err.as_mut() {
            let _ = write_all(err, text.as_bytes(), moved);
        }
    }
}

/// Writes it all, counting what has gone.
fn write_all(stream: &mut Stream, mut bytes: &[u8], moved: &AtomicU64) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                moved.fetch_add(count as u64, Ordering::Relaxed);
                bytes = &bytes[count..];
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    stream.flush()
}
