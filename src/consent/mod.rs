//! Consents, from the question to the stored grant, whoever starts them.

mod answer;
mod engine;
mod fit;
mod flows;
mod link;
mod listening;
mod outcome;
mod recovery;
mod run;

pub use answer::answer;
pub use fit::{fits, still_fits, why_not};
pub use link::{IssuedLink, LIFE, hand_out, outcome_of_handed};
pub use listening::{Listening, ListeningReporter};
pub use outcome::outcome_of;
pub use recovery::finish_left_over;
pub use run::{ConsentRun, OpenMethod, ProgressReporter, RunOptions};
