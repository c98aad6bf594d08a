//! Consents, from the request to the stored grant, whoever starts them. `engine` is pure: each event of a flow, and the effects that
//! follow. `flows` carries those effects out for the flows of this process; `run` (register, renew), `listening` (listen), `answer`
//! (complete) and `recovery` start them. `prepare` comes before all of it.

mod answer;
mod engine;
mod fit;
mod flows;
mod link;
mod listening;
mod outcome;
mod prepare;
mod recovery;
mod run;

pub use answer::answer;
pub use fit::{fits, still_fits, why_not};
pub use link::{IssuedLink, LIFE, hand_out, outcome_of_handed};
pub use listening::{Listening, ListeningReporter};
pub use outcome::{outcome_of, outcome_of_grant};
pub use prepare::{prepare_session, prepare_without_session};
pub use recovery::finish_left_over;
pub use run::{ConsentRun, OpenMethod, ProgressReporter, RunOptions};
