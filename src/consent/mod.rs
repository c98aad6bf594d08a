//! Consents, from the question to the stored grant, whoever starts them.

mod fit;
mod link;
mod outcome;
mod recovery;
mod run;

pub use fit::{fits, why_not};
pub use link::{IssuedLink, LIFE, hand_out, outcome_of_handed};
pub use outcome::outcome_of;
pub use recovery::finish_left_over;
pub use run::{ConsentRun, OpenMethod, ProgressReporter, RunOptions};
