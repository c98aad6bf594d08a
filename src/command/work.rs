//! A command's work on licenses, and what follows it.

use super::context::{Invocation, Workspace};
use super::hooks;
use crate::error::Result;

impl<'a> Workspace<'a> {
    /// Works, then clears away what newer grants replaced and runs the hooks of what happened, whether the work
    /// succeeded or not. The answer has been given by then.
    pub(super) fn work(
        mut self,
        call: &Invocation<'a>,
        work: impl FnOnce(&mut Self) -> Result<u8>,
    ) -> Result<u8> {
        let done = work(&mut self);
        // The answer has been given: what goes wrong from here on doesn't change how the work ended.
        self.reach_to_clear_away(call);
        self.custody.clean_up();
        hooks::after_change(call, &self.hooks, &self.provider, self.custody.ledger_mut());
        done
    }

    /// Reaches the provider, where clearing away needs that and it wasn't reached yet.
    pub(super) fn reach_to_clear_away(&mut self, call: &Invocation<'a>) {
        if matches!(self.custody.tidy_needs_provider(), Ok(true)) {
            let _ = self.connect(call);
        }
    }
}
