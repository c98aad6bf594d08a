//! What an earlier run left of a license is finished before anybody is asked: a code lives minutes.

use crate::custody::{Custody, Kept, Recovered};
use crate::error::Result;
use crate::model::plan::Planned;
use crate::system::Env;

/// Finishes what an earlier run had left of this license. A grant that came of it is this command's answer.
pub fn finish_left_over(env: &Env, custody: &mut Custody<'_>, asked: &Planned) -> Result<Option<Kept>> {
    let license = &asked.key.license;
    let say = |text: &str| env.terminal.say(text);
    let mut done = None;
    for recovered in custody.recover(&asked.key)? {
        match recovered {
            Recovered::Unanswered => {}
            Recovered::Finished { kept, username } => {
                say(&format!("Stored the grant for {license} that an earlier command had left unfinished."));
                if !username.same_as(asked.username.as_str()) {
                    say(&format!("{username} granted it. To ask {}, run the command again.", asked.username));
                }
                done = Some(kept);
            }
            Recovered::Uncertain => say(&format!(
                "An earlier command ended while BioTrack was answering for {license}; it is uncertain whether access was granted. Asking again."
            )),
            Recovered::UncertainDeactivation => say(&format!(
                "An earlier command ended while it deactivated {license}; it is uncertain whether BioTrack revoked the grant. Asking for a new one."
            )),
            Recovered::Failed(e) => {
                say(&format!(
                    "The unfinished grant that an earlier command left for {license} can't be used: {e}"
                ));
            }
        }
    }
    Ok(done)
}
