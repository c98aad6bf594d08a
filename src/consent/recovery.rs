//! What an earlier run left of a license is finished before anybody is asked: a code lives minutes.

use crate::custody::{Custody, FoundFlow, RecoveryOutcome, StoreOutcome};
use crate::error::Result;
use crate::model::plan::PlannedLicense;
use crate::oauth::ReturnedAddress;
use crate::system::Env;

/// Finishes what an earlier run had left of this license. A grant that came of it is this command's answer.
pub fn finish_left_over(
    env: &Env,
    custody: &mut Custody<'_>,
    asked: &PlannedLicense,
) -> Result<Option<StoreOutcome>> {
    let license = &asked.key.license;
    let say = |text: &str| env.terminal.info(text);
    let mut done = None;
    for recovered in custody.recover(&asked.key)? {
        match recovered {
            RecoveryOutcome::Unanswered => {}
            RecoveryOutcome::Finished { kept, username } => {
                say(&format!("Stored the grant for {license} that an earlier command had left unfinished."));
                if !username.same_as(asked.username.as_str()) {
                    say(&format!("{username} granted it. To ask {}, run the command again.", asked.username));
                }
                done = Some(kept);
            }
            RecoveryOutcome::Uncertain => say(&format!(
                "An earlier command ended while BioTrack was answering for {license}; it is uncertain whether access was granted. Asking again."
            )),
            RecoveryOutcome::Lost(e) => say(&format!(
                "A grant that an earlier command got for {license} is lost, because {e}. It may still be valid at BioTrack, where the admin can remove it. Asking again."
            )),
            RecoveryOutcome::UncertainDeactivation => say(&format!(
                "An earlier command ended while it deactivated {license}; it is uncertain whether BioTrack revoked the grant. Asking for a new one."
            )),
            RecoveryOutcome::Failed(e) => {
                say(&format!(
                    "The unfinished grant that an earlier command left for {license} can't be used: {e}"
                ));
            }
        }
    }
    Ok(done)
}

/// An answer came to a flow that an earlier process had left: what it left is finished first. Where that brought nothing the flow
/// is open again, and this may be another answer to it, to be claimed. What was finished, and what the answer finds now.
pub fn finish_then_find(
    env: &Env,
    custody: &mut Custody<'_>,
    left: &PlannedLicense,
    returned: &ReturnedAddress,
) -> (Result<Option<StoreOutcome>>, Result<FoundFlow>) {
    let finished = finish_left_over(env, custody, left);
    (finished, custody.find(returned))
}
