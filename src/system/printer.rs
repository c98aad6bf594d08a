//! What the program prints goes out on a thread of its own, so that nothing waits for whoever reads it: a log pipe that is full,
//! a terminal at which somebody pressed Ctrl-S. What finds no room is dropped, counted, and told once printing goes on.

mod lane;
mod moving;
#[cfg(test)]
mod tests;

pub(super) use lane::{PrintTarget, ReaderGivenUp, Stream};

use lane::{Item, Lane, PATIENCE, PrintKind};
use moving::MovingText;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The printer of two streams: one for all that a process prints.
#[derive(Clone)]
pub(super) struct Printer {
    out: Arc<Lane>,
    err: Arc<Lane>,
    reader_gone: Arc<AtomicBool>,
}

impl Printer {
    /// The printer of the process's own streams.
    pub(super) fn of_the_process() -> &'static Self {
        static PRINTER: OnceLock<Printer> = OnceLock::new();
        PRINTER.get_or_init(|| {
            // A person who stopped the terminal goes on some time, or sends a signal: nothing else shows how a command ended.
            let patience = (!io::stderr().is_terminal()).then_some(PATIENCE);
            let (out, err) = (Box::new(io::stdout()), Box::new(io::stderr()));
            Self::on_threads(out, err, lead_to_the_same_place(), patience)
        })
    }

    /// Writes on threads of its own: on one where both streams lead to the same place, whose lines keep their order there.
    pub(super) fn on_threads(out: Stream, err: Stream, same_place: bool, patience: Option<Duration>) -> Self {
        let reader_gone = Arc::new(AtomicBool::new(false));
        let (out, err) = match same_place {
            true => {
                let both = Lane::new(Some(out), Some(err), None, &reader_gone, patience);
                (both.clone(), both)
            }
            false => {
                let err = Lane::new(None, Some(err), None, &reader_gone, patience);
                (Lane::new(Some(out), None, Some(err.clone()), &reader_gone, patience), err)
            }
        };
        Self { out, err, reader_gone }
    }

    /// Writes on the caller's thread, into what takes everything at once: memory.
    pub(super) fn at_once(out: Stream, err: Stream) -> Self {
        let printer = Self::on_threads(out, err, true, None);
        printer.out.without_a_thread();
        printer
    }

    /// Prints text of whole lines, or a question, and doesn't wait for its reader.
    pub(super) fn print(&self, to: PrintTarget, text: &[u8]) {
        self.lane(to).print(Item::new(to, PrintKind::Text, text));
    }

    /// Prints what isn't seen and moves nothing: marks that a terminal understands.
    pub(super) fn control(&self, text: &[u8]) {
        self.err.print(Item::new(PrintTarget::Err, PrintKind::Control, text));
    }

    /// Writes to standard output, and returns when that is done, whoever reads it: a command's result is whole. A signal ends
    /// the waiting.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.out.write(Item::new(PrintTarget::Out, PrintKind::Text, bytes))
    }

    /// Shows lines that move, below all that is printed, until they're dropped.
    pub(super) fn moving(&self) -> MovingLines {
        MovingLines { lane: Some(self.err.clone()) }
    }

    /// Whether the reader of standard output was found to be gone.
    pub(super) fn nobody_reads(&self) -> bool {
        self.reader_gone.load(Ordering::Relaxed)
    }

    /// Whether something for standard output still waits for its reader.
    pub(super) fn is_printing(&self) -> bool {
        self.out.is_printing()
    }

    /// Waits until all is printed, as long as somebody reads.
    pub(super) fn finish(&self) {
        self.out.finish(None);
        self.err.finish(None);
    }

    /// The same for so long at most: the process ends, or stops.
    pub(super) fn finish_within(&self, limit: Duration) {
        self.out.finish(Some(limit));
        self.err.finish(Some(limit));
    }

    fn lane(&self, to: PrintTarget) -> &Arc<Lane> {
        match to {
            PrintTarget::Out => &self.out,
            PrintTarget::Err => &self.err,
        }
    }
}

/// Whether both streams of the process lead to one terminal, pipe or file.
fn lead_to_the_same_place() -> bool {
    #[cfg(unix)]
    if let (Ok(out), Ok(err)) = (rustix::fs::fstat(io::stdout()), rustix::fs::fstat(io::stderr()))
        && (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)
    {
        return true;
    }
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Lines that move, until they're dropped.
pub struct MovingLines {
    lane: Option<Arc<Lane>>,
}

impl MovingLines {
    /// Lines that nobody sees.
    pub fn hidden() -> Self {
        Self { lane: None }
    }

    /// Whether somebody sees them.
    pub fn are_shown(&self) -> bool {
        self.lane.is_some()
    }

    pub fn show(&self, text: String) {
        self.show_drawn(None, move || text.clone());
    }

    pub fn show_drawn(&self, every: Option<Duration>, draw: impl Fn() -> String + Send + Sync + 'static) {
        if let Some(lane) = &self.lane {
            lane.show(Some(MovingText { draw: Arc::new(draw), every }));
        }
    }
}

impl Drop for MovingLines {
    fn drop(&mut self) {
        if let Some(lane) = &self.lane {
            lane.show(None);
        }
    }
}
