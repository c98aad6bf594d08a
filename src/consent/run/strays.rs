//! Answers that belong to no flow of ours: somebody follows an old link, or guesses.

use super::ConsentRun;

impl ConsentRun<'_, '_> {
    /// Says once that such an answer came; how many there were in all is said where the time runs out.
    pub(super) fn tell_of_strays(&mut self) {
        if !self.told_of_strays && self.flows.server.strays() > 0 {
            self.told_of_strays = true;
            self.reporter.notice(
                "Note: a callback was ignored because its state is unknown (an old link?). Use only the addresses that are shown here. If an admin granted access for an earlier request, paste the address from that browser in another terminal: biotrack-auth complete -",
            );
        }
    }
}
