//! The hooks of what happens while a server listens, or a run goes on: they run beside it, one at a time, and what they came to is
//! noted when they have ended. No admin's answer, and no end of the program, waits for one.

use super::Invocation;
use super::hooks::{event_of, hook_for, tell_of_failure, tell_of_queue_fault};
use crate::error::Result;
use crate::ledger::{Ledger, QueuedHook, TurnLock};
use crate::model::provider::Provider;
use crate::model::reminder::{HookEventKind, Hooks};
use crate::system::hook::{HookFault, RunningHook};
use std::collections::VecDeque;
use std::sync::Arc;

/// Runs hooks beside a command. Dropped, it stops the one that runs, which waits on in the ledger.
pub(super) struct HookRunner<'c> {
    call: &'c Invocation<'c>,
    hooks: Hooks,
    provider: Arc<Provider>,
    /// What is told of one that failed.
    then: Option<&'static str>,
    /// Called when one has ended, on its thread.
    wake: Arc<dyn Fn() + Send + Sync>,
    /// Something happened since the queue was read.
    has_news: bool,
    /// What was read of the queue, and the last event that was taken out of that.
    waiting: VecDeque<QueuedHook>,
    after: i64,
    running: Option<Running>,
    /// Those that succeeded, while the ledger doesn't know.
    succeeded: Vec<i64>,
    /// This process's turn at the hooks.
    turn: Option<TurnLock>,
    /// What kept it from going on, where that was told.
    told: Option<String>,
}

/// A hook that runs.
struct Running {
    seq: i64,
    occasion: HookEventKind,
    about: String,
    hook: RunningHook,
}

impl<'c> HookRunner<'c> {
    /// Of a profile's events; `then` is told of one that failed, and `wake` has [`Self::go_on`] called.
    pub(super) fn new(
        call: &'c Invocation<'c>,
        hooks: Hooks,
        provider: Arc<Provider>,
        then: Option<&'static str>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            call,
            hooks,
            provider,
            then,
            wake: Arc::new(wake),
            has_news: true,
            waiting: VecDeque::new(),
            after: 0,
            running: None,
            succeeded: Vec::new(),
            turn: None,
            told: None,
        }
    }

    /// Something happened whose hook may wait: each is run once here; what failed waits on for whoever comes next.
    pub(super) fn news(&mut self, ledger: &mut Ledger) {
        self.has_news = true;
        self.go_on(ledger);
    }

    /// Notes what has ended, and starts what comes next.
    pub(super) fn go_on(&mut self, ledger: &mut Ledger) {
        if self.hooks.commands.is_empty() {
            return;
        }
        let why = self.try_to_go_on(ledger).err();
        let said = why.as_ref().map(ToString::to_string);
        if let Some(e) = why.filter(|_| self.told != said) {
            self.call.env.terminal.error(&e);
        }
        self.told = said;
    }

    fn try_to_go_on(&mut self, ledger: &mut Ledger) -> Result<()> {
        loop {
            if let Some(running) = &self.running {
                let Some(ended) = running.hook.ended() else { return Ok(()) };
                self.ended(ended);
            }
            while let Some(seq) = self.succeeded.last() {
                ledger.hook_done(*seq)?;
                self.succeeded.pop();
            }
            if self.waiting.is_empty() && !self.read(ledger)? {
                self.turn = None;
                return Ok(());
            }
            self.start(ledger)?;
        }
    }

    /// Whether there is anything to be run.
    fn read(&mut self, ledger: &mut Ledger) -> Result<bool> {
        if !self.has_news {
            return Ok(false);
        }
        if self.turn.is_none() {
            self.turn = ledger.hooks_turn()?;
        }
        if self.turn.is_none() {
            // Another process is at it; the next look may find it gone.
            return Ok(false);
        }
        let waiting = ledger.waiting_hooks(&self.provider.profile)?;
        self.waiting = waiting.into_iter().filter(|waiting| waiting.seq > self.after).collect();
        self.has_news = false;
        Ok(!self.waiting.is_empty())
    }

    fn start(&mut self, ledger: &Ledger) -> Result<()> {
        let Some(next) = self.waiting.front() else { return Ok(()) };
        let (seq, occasion) = (next.seq, next.occasion);
        let hook = match event_of(self.call, next, &self.provider, ledger)? {
            Some(told) => {
                let hook = hook_for(self.call, &self.hooks, (occasion, &told.id), &told.event)?;
                Some((told.about, hook))
            }
            None => None,
        };
        self.waiting.pop_front();
        self.after = seq;
        match hook {
            Some((about, Some(hook))) => {
                let wake = self.wake.clone();
                self.running = Some(Running { seq, occasion, about, hook: hook.start(move || wake()) });
            }
            Some((_, None)) => self.succeeded.push(seq),
            None => {}
        }
        Ok(())
    }

    fn ended(&mut self, ended: Result<(), HookFault>) {
        let Some(Running { seq, occasion, about, .. }) = self.running.take() else { return };
        match ended {
            Ok(()) => self.succeeded.push(seq),
            Err(HookFault::Failed(why)) => {
                tell_of_failure(self.call, occasion, &about, &why);
                if let Some(then) = self.then {
                    self.call.env.terminal.print_always(then);
                }
            }
            Err(HookFault::Stopped) => {}
        }
    }

    /// The command ends: the hook that runs is waited for, unless a signal came or comes. What else waits is run by whoever comes
    /// next.
    pub(super) fn finish(mut self, ledger: &mut Ledger) {
        let noted = self.note_last(ledger);
        tell_of_queue_fault(self.call, noted);
    }

    fn note_last(&mut self, ledger: &mut Ledger) -> Result<()> {
        if let Some(running) = &self.running {
            let interrupts = self.call.env.interrupts()?;
            let ended = running.hook.wait(&|| self.call.env.was_interrupted() || interrupts.any());
            self.ended(ended);
        }
        for seq in std::mem::take(&mut self.succeeded) {
            ledger.hook_done(seq)?;
        }
        Ok(())
    }
}
