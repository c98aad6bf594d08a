//! What an earlier run left of a license is finished before anybody is asked: a code lives minutes.

use crate::custody::{Custody, RecoveryOutcome, StoreOutcome};
use crate::error::Result;
use crate::model::plan::PlannedLicense;
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
                say(&format!("Finished the grant of {license} that an earlier run had left."));
                if !username.same_as(asked.username.as_str()) {
                    say(&format!(
                        "It was asked of {username}; to ask {}, run the command again.",
                        asked.username
                    ));
                }
                done = Some(kept);
            }
            RecoveryOutcome::Uncertain => say(&format!(
                "An earlier run ended while a grant of {license} was on its way; whether it was made is uncertain. Asking again."
            )),
            RecoveryOutcome::UncertainDeactivation => say(&format!(
                "An earlier run ended while {license} was being deactivated; whether BioTrack revoked its grant is uncertain. Asking for a new one."
            )),
            RecoveryOutcome::Failed(e) => {
                say(&format!("What an earlier run had left of {license} can't be used: {e}"));
            }
        }
    }
    Ok(done)
}
