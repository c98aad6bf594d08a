//! A Windows console: its key events, which it neither shows nor gathers to lines. So no mode is changed, and none is to be put
//! back.

use super::console_keys::KeyEvents;
use super::line_editor::LineEditor;
use super::typed_key::TypedKey;
use super::{WakeReason, show_step};
use crate::system::printer::Printer;
use crate::system::signals;
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm_winapi::{ConsoleMode, Handle};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// How often whoever waits for a key looks whether a signal came, or its end: a console wakes nobody for that.
const LOOK: Duration = Duration::from_millis(50);
/// A console that takes what is printed has it within this time.
const OF_AN_END: Duration = Duration::from_millis(200);

/// Who waits for what is typed, and is told that a signal came; nobody, while nobody is asked.
static ASKED: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);

fn asked() -> MutexGuard<'static, Option<Arc<AtomicBool>>> {
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The console's keys, for one who asks.
pub(in crate::system) struct TerminalModes {
    is_interrupted: Arc<AtomicBool>,
    /// What is typed is shown, and comes as a line.
    line: Option<Mutex<LineEditor>>,
    /// What is left unread is nobody's command.
    drains: bool,
    typed: Mutex<Typed>,
}

/// What was typed and not taken yet.
#[derive(Default)]
struct Typed {
    bytes: Vec<u8>,
    events: KeyEvents,
    /// A line has ended with nothing in it: nothing comes any more.
    is_over: bool,
}

impl TerminalModes {
    /// A line, shown as it's typed; what is typed ahead is an answer.
    pub(in crate::system) fn line() -> io::Result<Self> {
        Self::begin(Some(Mutex::default()), false)
    }

    /// Each key comes at once, and none is shown; what is typed ahead is an answer.
    pub(in crate::system) fn single_key() -> io::Result<Self> {
        Self::begin(None, false)
    }

    /// The same, for a list in which one is marked.
    pub(in crate::system) fn list() -> io::Result<Self> {
        Self::begin(None, false)
    }

    /// The same, where what was typed before the question is thrown away, and what is left of the answer, too.
    pub(in crate::system) fn secret() -> io::Result<Self> {
        let modes = Self::begin(None, true)?;
        drain();
        Ok(modes)
    }

    /// The same, where what is left of a paste is thrown away.
    pub(in crate::system) fn paste() -> io::Result<Self> {
        Self::begin(None, true)
    }

    /// The same beside something else that goes on.
    pub(in crate::system) fn keys() -> io::Result<Self> {
        Self::begin(None, true)
    }

    /// A console shows nothing that is typed while nobody reads it.
    pub(in crate::system) fn unshown() -> io::Result<()> {
        Ok(())
    }

    fn begin(line: Option<Mutex<LineEditor>>, drains: bool) -> io::Result<Self> {
        watch();
        console()?;
        let is_interrupted = Arc::new(AtomicBool::new(false));
        let mut place = asked();
        if place.is_some() {
            return Err(io::Error::other("the terminal is being asked already"));
        }
        *place = Some(is_interrupted.clone());
        Ok(Self { is_interrupted, line, drains, typed: Mutex::default() })
    }

    /// Waits until something is typed, or happens, or for so long.
    pub(in crate::system) fn wait(&self, limit: Option<Duration>) -> io::Result<WakeReason> {
        let until = limit.map(|limit| Instant::now() + limit);
        loop {
            if self.is_interrupted.load(Ordering::SeqCst) {
                return Ok(WakeReason::Interrupted);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if event::poll(left.unwrap_or(LOOK).min(LOOK))? {
                if self.take_events()? {
                    return Ok(WakeReason::Typed);
                }
            } else if left.is_some_and(|left| left.is_zero()) {
                return Ok(WakeReason::Quiet);
            }
        }
    }

    /// What was typed and not read yet; nothing, once its end was typed.
    pub(in crate::system) fn read(&self) -> io::Result<Vec<u8>> {
        Ok(std::mem::take(&mut self.typed().bytes))
    }

    /// Wakes whoever waits, from another thread, for the end.
    pub(in crate::system) fn wake(&self) {
        self.is_interrupted.store(true, Ordering::SeqCst);
    }

    /// Takes the events that are there; whether there is something to read now.
    fn take_events(&self) -> io::Result<bool> {
        let mut typed = self.typed();
        typed.events.burst_begins();
        while event::poll(Duration::ZERO)? {
            let Event::Key(key) = event::read()? else { continue };
            let Some(key) = meant(key, &mut typed.events) else { continue };
            let Some(line) = &self.line else {
                key.put(&mut typed.bytes);
                continue;
            };
            let step = line.lock().unwrap_or_else(PoisonError::into_inner).take(key);
            if let Some(text) = show_step(step) {
                typed.is_over = text.is_empty();
                typed.bytes = text.into_bytes();
                // What follows is for the next question.
                break;
            }
        }
        Ok(!typed.bytes.is_empty() || typed.is_over)
    }

    fn typed(&self) -> MutexGuard<'_, Typed> {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TerminalModes {
    fn drop(&mut self) {
        if self.drains {
            drain();
        }
        // It may have been a secret.
        self.typed().bytes.fill(0);
        *asked() = None;
    }
}

/// What an event means here.
fn meant(key: KeyEvent, events: &mut KeyEvents) -> Option<TypedKey> {
    let is_press = key.kind != KeyEventKind::Release;
    if let KeyCode::Char(c) = key.code {
        // AltGr is Ctrl with Alt, and makes other characters.
        let is_control =
            key.modifiers.contains(KeyModifiers::CONTROL) && !key.modifiers.contains(KeyModifiers::ALT);
        let key = if is_control { TypedKey::Control(c) } else { TypedKey::Char(c) };
        return events.counts(c, is_press).then_some(key);
    }
    let key = match key.code {
        KeyCode::Enter => TypedKey::Enter,
        KeyCode::Backspace => TypedKey::Backspace,
        KeyCode::Tab => TypedKey::Tab,
        KeyCode::Esc => TypedKey::Escape,
        KeyCode::Up => TypedKey::Up,
        KeyCode::Down => TypedKey::Down,
        _ => return None,
    };
    is_press.then_some(key)
}

fn drain() {
    while event::poll(Duration::ZERO).is_ok_and(|is_there| is_there) && event::read().is_ok() {}
}

/// Standard input, where it's a console: a pseudo-terminal of Cygwin's kind is a pipe, from which no keys come.
fn console() -> io::Result<u32> {
    ConsoleMode::from(Handle::input_handle()?).mode()
}

/// Whether standard input is a console at which somebody can be asked.
pub(in crate::system) fn can_be_asked() -> bool {
    console().is_ok()
}

/// Whether the console takes escapes, and doesn't show them. It's told to, the first time.
pub(in crate::system) fn takes_escapes() -> bool {
    crossterm::ansi_support::supports_ansi()
}

/// Whether this process is in the foreground of its terminal: a console has no background.
pub(in crate::system) fn is_in_foreground() -> bool {
    true
}

/// Sees to Ctrl-C and what else ends a command, from the first question on: whoever asks ends by itself.
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        // Where there is no thread to be had, signals end the process as ever.
        let _ = std::thread::Builder::new().name("terminal".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let Ok(runtime) = runtime else { return };
            {
                let _inside = runtime.enter();
                signals::at_each(end);
            }
            let _ = ready.send(());
            runtime.block_on(std::future::pending::<()>());
        });
        let _ = is_ready.recv();
    });
}

fn end() {
    if let Some(asked) = asked().as_ref() {
        signals::note_arrival();
        asked.store(true, Ordering::SeqCst);
    } else if !signals::are_counted() {
        signals::ends();
        Printer::of_the_process().finish_within(OF_AN_END);
        #[expect(clippy::disallowed_methods, reason = "in the place of the signal's own end")]
        std::process::exit(130);
    }
}
